//! What becomes a batch: rows, images, windows of text, texts with labels, pairs of texts, pairs of
//! answers.

mod image;
mod labelled_text;
mod masked;
mod pairs;
mod preferences;
mod table;
mod text;

pub use image::ImageSamples;
pub use labelled_text::TextTableSamples;
pub use masked::MaskedSamples;
pub use pairs::PairSamples;
pub use preferences::PreferenceSamples;
pub use table::TableSamples;
pub use text::TextSamples;

pub(crate) use image::upload as upload_images;
pub(crate) use labelled_text::upload as upload_texts;
pub(crate) use table::upload as upload_rows;
pub(crate) use text::tokens;
