//! The `[data]` table of a configuration whose `type` is one of the text formats.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::download::{self, DownloadConfig};
use crate::split::validate_fractions;

/// How text is stored: the `type` of `[data]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TextFormat {
    /// Plain text in UTF-8; every file is a document.
    Text,
    /// JSON Lines with a field of text; every line is a document.
    TextJsonl,
    /// Tokens as nanoGPT writes them: a file of little-endian integers and nothing else.
    Tokens,
}

impl TextFormat {
    /// All formats.
    pub const ALL: [Self; 3] = [Self::Text, Self::TextJsonl, Self::Tokens];

    /// The word used in a configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::TextJsonl => "text_jsonl",
            Self::Tokens => "tokens",
        }
    }

    /// The format that a word stands for.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }
}

/// The type of the integers in a file of tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenType {
    /// Two bytes.
    #[default]
    U16,
    /// Four bytes.
    U32,
}

/// Text to learn a language from.
///
/// One struct serves all formats; [`TextDataConfig::validate`] names the keys that a format would
/// not read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TextDataConfig {
    /// The file or glob, relative to the working directory; `.gz` is understood for text.
    pub path: String,
    /// Text for validation only; then none is taken from `path`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_path: Option<String>,
    /// Text for the test only; then none is taken from `path`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_path: Option<String>,
    /// The field that holds the text (text_jsonl). Default: `text`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The type of the integers (tokens). Default: `u16`, as nanoGPT writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dtype: Option<TokenType>,
    /// The number of different tokens (tokens, where no `[tokenizer]` says it).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vocabulary: Option<usize>,
    /// The folder where tokens are kept between runs. Default: `fireclay/tokens` in the user's
    /// cache folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_dir: Option<String>,
    /// Files to fetch before reading, unless they are there already.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub download: Vec<DownloadConfig>,
    /// Which parts of `path` train, validate and test.
    #[serde(default)]
    pub split: TextSplitConfig,
}

/// The text in its order: first what trains, then what validates, then what tests. Sentence pairs
/// are shuffled before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TextSplitConfig {
    /// The fraction of the characters (tokens: of the tokens; pairs: of the pairs) to train on.
    pub train: f64,
    /// The fraction that steers the training.
    pub valid: f64,
    /// The fraction for the final figures.
    pub test: f64,
}

impl Default for TextSplitConfig {
    fn default() -> Self {
        Self {
            train: 0.9,
            valid: 0.1,
            test: 0.0,
        }
    }
}

impl TextSplitConfig {
    /// Where in `length` characters validation and test begin, if these splits are taken from them.
    pub(crate) fn cuts(&self, length: u64, valid: bool, test: bool) -> [u64; 2] {
        let share = |fraction: f64, taken: bool| if taken { fraction } else { 0.0 };
        let held = share(self.valid, valid) + share(self.test, test);
        let at = |fraction: f64| ((length as f64 * fraction) as u64).min(length);
        // The fraction itself where everything is taken, so that the place is the one that
        // everybody else computes from it.
        let train = if valid && test {
            self.train
        } else {
            1.0 - held
        };
        let first = at(train);
        let second = match share(self.test, test) {
            0.0 => length,
            fraction => at(1.0 - fraction).max(first),
        };
        [first, second]
    }

    pub(crate) fn validate(&self) -> Vec<(String, String)> {
        let problems = validate_fractions([self.train, self.valid, self.test]);
        let at = |(key, message)| (format!("split.{key}"), message);
        problems.into_iter().map(at).collect()
    }
}

impl TextDataConfig {
    /// The configuration with every default, for `path`.
    pub fn new(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            valid_path: None,
            test_path: None,
            field: None,
            dtype: None,
            vocabulary: None,
            cache_dir: None,
            download: Vec::new(),
            split: TextSplitConfig::default(),
        }
    }

    /// Everything that cannot be meant, as pairs of a key inside `[data]` and a message.
    pub fn validate(&self, format: TextFormat) -> Vec<(String, String)> {
        let mut problems = Vec::new();
        let mut add = |key: &str, message: String| problems.push((key.to_owned(), message));
        let texts = [
            ("path", Some(&self.path)),
            ("valid_path", self.valid_path.as_ref()),
            ("test_path", self.test_path.as_ref()),
            ("field", self.field.as_ref()),
            ("cache_dir", self.cache_dir.as_ref()),
        ];
        for (key, _) in texts
            .into_iter()
            .filter(|(_, text)| text.is_some_and(|text| text.trim().is_empty()))
        {
            add(key, "must not be empty".into());
        }
        let has_no_use =
            |only: &str| format!("is for {only} only; {} has no use for it", format.name());
        let is_tokens = format == TextFormat::Tokens;
        if self.field.is_some() && format != TextFormat::TextJsonl {
            add("field", has_no_use("text_jsonl"));
        }
        if self.dtype.is_some() && !is_tokens {
            add("dtype", has_no_use("tokens"));
        }
        if self.vocabulary.is_some() && !is_tokens {
            add("vocabulary", has_no_use("tokens"));
        }
        if self.cache_dir.is_some() && is_tokens {
            add(
                "cache_dir",
                "is for text; tokens are read where they are".into(),
            );
        }
        if self.vocabulary == Some(0) {
            add("vocabulary", "must be at least 1, but is 0".into());
        }
        problems.extend(download::validate(&self.download));
        problems.extend(self.split.validate());
        problems
    }
}
