//! Texts with labels: a table with a text in each row.

mod config;
mod dataset;
mod preprocess;
mod split;
#[cfg(test)]
mod tests;

pub use self::config::{TextTableConfig, TextTableFormat};
pub use self::dataset::TextTableData;
pub use self::preprocess::{TextPreprocess, encode_cells};
pub use self::split::{TextTableBatch, TextTableSplit};
