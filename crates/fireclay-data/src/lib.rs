//! Data for training: reading tables, images and text, splitting them, turning cells, pixels and
//! letters into numbers by what the training part says, and handing them out in a reproducible order.
//!
//! The crate knows no tensor library: what comes out are plain arrays on the host.
//!
//! ```no_run
//! use fireclay_data::{TableConfig, TableData, TableFormat, TargetKind, batches, epoch_order};
//!
//! # fn main() -> Result<(), fireclay_data::DataError> {
//! let config = TableConfig::new("datasets/iris/data.csv", "species");
//! let data = TableData::load(TableFormat::Csv, &config, 42, TargetKind::Class)?;
//! let order = epoch_order(42, 0, 0..data.train.len() as u32);
//! for batch in batches(order.len(), 32, true) {
//!     assert_eq!(data.train.gather(&order.at(batch))?.features.rows, 32);
//! }
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

pub mod busy;
mod chat;
mod column;
mod config;
mod download;
mod error;
mod files;
mod hash;
mod image;
mod kept;
mod labels;
mod metered;
mod note;
mod order;
mod pairs;
mod panics;
mod permutation;
mod prefetch;
mod questions;
mod random;
mod saved;
mod shards;
mod split;
mod stop;
mod table;
#[cfg(test)]
mod testing;
mod text;
mod text_table;
mod tokenizer;
mod words;

pub use arrow;

pub use self::chat::preference::{
    LongPair, PlainText, PreferenceData, PreferenceDataConfig, PreferenceFormat, PreferenceSplit,
    holds_preferences,
};
pub use self::chat::{
    Chat, ChatDataConfig, ChatFormat, ChatMarks, ChatPacking, TooLong, TrainOn, holds_conversations,
};
pub use self::column::dates::DateOrder;
pub use self::column::{column, numbers as cell_numbers, plain_text, text as cell_texts};
pub use self::download::{DownloadConfig, download};
pub use self::error::DataError;
pub use self::files::expand;
pub use self::hash::{Fingerprint, fingerprint, sha256_file};
pub use self::image::{
    AffineConfig, AugmentConfig, Background, CacheKind, Channels, ColorJitterConfig, Decoding,
    FoundImages, ImageBatch, ImageData, ImageDataConfig, ImageFormat, ImagePixels, ImagePreprocess,
    ImageSize, ImageSplit, Images, Interpolation, LabelLevel, Mix, NAMED_IMAGES, OnDamaged, Pixels,
    RandAugmentConfig, RandomCropConfig, RandomErasingConfig, RandomResizedCropConfig, ReadImages,
    Resize, Statistic, StatisticWord, as_stored, decode, image_files,
};
pub use self::labels::{Labels, TargetKind};
pub use self::note::Note;
pub use self::order::{
    EpochOrder, batch_count, batches, by_length, epoch_order, shard, shard_range,
};
pub use self::pairs::{
    PairBatch, PairData, PairDataConfig, PairFormat, PairReading, PairSplit, read_lines,
};
pub use self::prefetch::{Prefetch, PrefetchError, prefetch};
pub use self::questions::{Asked, Choice, Question, QuestionFormat, Questions};
pub use self::shards::{Ahead, Upcoming};
pub use self::split::{SPLIT_NAMES, SplitConfig, Splits};
pub use self::table::{
    Batch, Carried, CategoricalEncoding, ColumnConfig, ColumnKind, ColumnReport, DataReport,
    Dialect, Duplicates, EncodedColumn, ExtraField, Features, Guess, GuessedColumn, JsonRows,
    LabelledGuess, MissingTarget, NumberReading, NumericScaling, OddCells, Preprocess, ReadOptions,
    Role, Split, SplitReport, Table, TableConfig, TableData, TableFormat, TableStream, TableWriter,
    TextGuess, Unseen, check_columns, guess, guess_for, guess_texts, infer_kind, inspect,
    json_rows, number_reading, parquet_bytes, role, split, stream,
};
pub use self::text::{
    MaskedBatch, MaskedSplit, Masking, Packing, PaddedTexts, TextData, TextDataConfig, TextFormat,
    TextOrder, TextSplitConfig, TokenBatch, TokenSplit, TokenType,
};
pub use self::text_table::{
    TextPreprocess, TextTableBatch, TextTableConfig, TextTableData, TextTableFormat,
    TextTableSplit, encode_cells,
};
pub use self::tokenizer::{
    DecodeStream, Surfaces, Tally, Tokenizer, TokenizerConfig, TokenizerKind,
};
pub use self::words::Worded;
