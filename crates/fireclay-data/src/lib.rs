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
//!     assert_eq!(data.train.gather(&order.at(batch)).features.rows, 32);
//! }
//! # Ok(())
//! # }
//! ```

mod config;
mod dates;
mod error;

mod column;
mod read;
mod table;
mod write;

mod preprocess;
mod schema;
mod vocabulary;

mod order;
mod permutation;
mod prefetch;
mod random;
mod split;

mod dataset;
mod download;
mod guess;
mod hash;
mod image;
mod kept;
mod metered;
mod pairs;
mod report;
mod text;
mod text_table;
mod tokenizer;

pub use arrow;

pub use self::column::column;
pub use self::config::{
    CategoricalEncoding, ColumnConfig, ColumnKind, MissingTarget, NumericScaling, TableConfig,
    TableFormat, TargetKind,
};
pub use self::dataset::{Batch, Labels, Split, TableData};
pub use self::download::{DownloadConfig, download};
pub use self::error::DataError;
pub use self::guess::{Guess, GuessedColumn, guess, guess_for};
pub use self::hash::{Fingerprint, fingerprint, sha256_file};
pub use self::image::{
    AffineConfig, AugmentConfig, CacheKind, Channels, ColorJitterConfig, ImageBatch, ImageData,
    ImageDataConfig, ImageFormat, ImagePixels, ImagePreprocess, ImageSize, ImageSplit,
    Interpolation, LabelLevel, Mix, OnDamaged, Pixels, RandAugmentConfig, RandomCropConfig,
    RandomErasingConfig, RandomResizedCropConfig, Statistic, StatisticWord, decode, image_files,
};
pub use self::order::{
    EpochOrder, batch_count, batches, by_length, epoch_order, shard, shard_range,
};
pub use self::pairs::{PairBatch, PairData, PairDataConfig, PairFormat, PairSplit, read_lines};
pub use self::prefetch::{Prefetch, PrefetchError, prefetch};
pub use self::preprocess::{Features, Preprocess};
pub use self::read::{ReadOptions, TableStream, expand, stream};
pub use self::report::{ColumnReport, DataReport, Duplicates, SplitReport, inspect};
pub use self::schema::{Note, Role, check_columns, infer_kind, role};
pub use self::split::{SPLIT_NAMES, SplitConfig, Splits, split};
pub use self::table::Table;
pub use self::text::{
    MaskedBatch, MaskedSplit, Masking, Packing, TextData, TextDataConfig, TextFormat,
    TextSplitConfig, TokenBatch, TokenSplit, TokenType,
};
pub use self::text_table::{
    PaddedTexts, TextPreprocess, TextTableConfig, TextTableData, TextTableSplit,
};
pub use self::tokenizer::{DecodeStream, Tokenizer, TokenizerConfig, TokenizerKind};
pub use self::write::TableWriter;
