//! Tables: read, described, split, turned into numbers.

mod carried;
mod config;
mod dataset;
mod dialect;
mod divided;
mod encoded;
mod format;
mod grouped;
mod guess;
mod lopsided;
mod memory;
mod pieces;
mod preprocess;
mod reading;
mod report;
mod rows;
mod sample;
mod schema;
mod shards;
mod stream;
mod texts;
mod validate;
mod vocabulary;
mod write;

pub use self::carried::Carried;
pub use self::config::{
    CategoricalEncoding, ColumnConfig, ColumnKind, MissingTarget, NumericScaling, OddCells,
    TableConfig,
};
pub use self::dataset::{Batch, Split, TableData};
pub(crate) use self::dialect::with_dialect;
pub use self::dialect::{Dialect, ExtraField};
pub use self::format::{JsonRows, TableFormat, json_rows, parquet_bytes};
pub(crate) use self::format::{ParquetEnds, damaged, open_parquet, simple, simplify};
pub use self::guess::{
    Guess, GuessedColumn, LabelledGuess, TextGuess, guess, guess_for, guess_texts,
};
pub(crate) use self::lopsided::notes as class_notes;
pub use self::memory::Table;
pub use self::preprocess::{EncodedColumn, Features, Preprocess, Unseen};
pub(crate) use self::preprocess::{Target, mean_std};
pub use self::reading::{NumberReading, number_reading};
pub use self::report::{ColumnReport, DataReport, Duplicates, SplitReport, inspect};
pub use self::rows::split;
pub use self::schema::{Role, check_columns, infer_kind, role};
pub use self::stream::{ReadOptions, TableStream, stream};
pub(crate) use self::vocabulary::Vocabulary;
pub use self::write::TableWriter;
