//! Text for language models: read, cut into splits, turned into tokens once, and handed out in
//! windows.
//!
//! Nothing is ever held in memory whole: text is read in pieces, tokens are kept in files and read
//! where they are needed.

mod config;
mod corpus;
mod dataset;
mod masked;
mod split;
#[cfg(test)]
mod tests;
mod tokens;

pub use self::config::{TextDataConfig, TextFormat, TextSplitConfig, TokenType};
pub(crate) use self::corpus::Lines;
pub use self::dataset::TextData;
pub(crate) use self::dataset::user_cache;
pub use self::masked::{MaskedBatch, MaskedSplit, Masking};
pub use self::split::{TokenBatch, TokenSplit};
