//! Text for language models: read, cut into splits, turned into tokens once, and handed out in
//! windows.
//!
//! Plain text is read in pieces, and tokens are kept in files and read where they are needed, so that
//! neither has to fit into memory; a line of JSON does, and so do the words that a tokenizer counts.

mod cache;
mod config;
mod corpus;
mod dataset;
mod masked;
mod split;
#[cfg(test)]
mod tests;
mod tokens;

pub use self::config::{TextDataConfig, TextFormat, TextSplitConfig, TokenType};
pub use self::dataset::TextData;
pub use self::masked::{MaskedBatch, MaskedSplit, Masking};
pub use self::split::{TokenBatch, TokenSplit};
