//! The `[tokenizer]` table.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::Problems;
use crate::words::words;

words! {
    /// What tokens are: the `type` of `[tokenizer]`.
    pub enum TokenizerKind {
        /// The characters of the training text.
        Char = "char",
        /// The 256 bytes of UTF-8.
        Byte = "byte",
        /// Byte-level byte pair encoding, as GPT-2 (Sennrich et al. 2016, arXiv:1508.07909).
        Bpe = "bpe",
        /// Word pieces, as BERT (Wu et al. 2016, arXiv:1609.08144, section 4.1).
        Wordpiece = "wordpiece",
        /// Unigram language model, as SentencePiece (Kudo 2018, arXiv:1804.10959).
        Unigram = "unigram",
        /// A `tokenizer.json` that is there already.
        File = "file",
    }
}

impl TokenizerKind {
    /// The least vocabulary that makes sense, for a kind that is trained from text to a size.
    pub(crate) fn least_vocabulary(self) -> Option<usize> {
        match self {
            Self::Bpe => Some(257),
            Self::Wordpiece | Self::Unigram => Some(16),
            Self::Char | Self::Byte | Self::File => None,
        }
    }

    /// Whether it is learned from the text, which takes long enough to be worth keeping.
    pub fn is_trained(self) -> bool {
        self.least_vocabulary().is_some()
    }
}

/// How text becomes tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TokenizerConfig {
    /// The number of tokens to arrive at, special ones included (bpe, wordpiece, unigram).
    pub vocabulary_size: usize,
    /// Whether all letters become small ones first (bpe, wordpiece, unigram).
    pub lowercase: bool,
    /// How often a pair has to occur to become a token (bpe, wordpiece).
    pub min_frequency: u64,
    /// The `tokenizer.json` (file).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The folder with the `generation_config.json`, `config.json` or `tokenizer_config.json` that say which
    /// tokens end a text (file). Default: that of the weights that the run starts from, or else that of `path`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub described_in: Option<String>,
}

impl Default for TokenizerConfig {
    fn default() -> Self {
        Self {
            vocabulary_size: 8192,
            lowercase: false,
            min_frequency: 2,
            path: None,
            described_in: None,
        }
    }
}

impl TokenizerConfig {
    /// Every problem, as pairs of a key inside `[tokenizer]` and a message.
    pub fn validate(&self, kind: TokenizerKind) -> Vec<(String, String)> {
        let mut problems = Problems::default();
        match (kind, &self.path) {
            (TokenizerKind::File, None) => {
                problems.add("path", "is missing: which tokenizer.json?");
            }
            (TokenizerKind::File, Some(_)) | (_, None) => {}
            (_, Some(_)) => {
                let message = format!("is for file only; {} has no use for it", kind.name());
                problems.add("path", message);
            }
        }
        if self.described_in.is_some() && kind != TokenizerKind::File {
            let message = format!("is for file only; {} has no use for it", kind.name());
            problems.add("described_in", message);
        }
        if let Some(least) = kind.least_vocabulary()
            && !(least..=MOST_TOKENS).contains(&self.vocabulary_size)
        {
            let size = self.vocabulary_size;
            let message = format!("must be from {least} to {MOST_TOKENS}, but is {size}");
            problems.add("vocabulary_size", message);
        }
        problems.0
    }

    /// Everything that a trained tokenizer depends on beside the text.
    pub(crate) fn describe(&self) -> String {
        let Self {
            vocabulary_size,
            lowercase,
            min_frequency,
            path: _,
            described_in: _,
        } = self;
        format!("{VERSION} {vocabulary_size} {lowercase} {min_frequency}")
    }
}

/// How tokenizers are trained; another number for what would come out otherwise.
const VERSION: u32 = 2;

/// More tokens than any published vocabulary has; it is surely a slip.
pub(crate) const MOST_TOKENS: usize = 1 << 22;
