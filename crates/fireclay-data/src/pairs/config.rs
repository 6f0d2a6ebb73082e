//! The `[data]` table of a configuration whose `type` is one of the formats for sentence pairs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{Problems, with_defaults};
use crate::download::{self, DownloadConfig};
use crate::text::TextSplitConfig;
use crate::words::words;

words! {
    /// How sentence pairs are stored: the `type` of `[data]`.
    pub enum PairFormat {
        /// Two text files in UTF-8: a line of one goes with the same line of the other.
        Parallel = "parallel",
        /// A table with two columns: CSV, JSON Lines or Parquet, by the name of the file.
        PairTable = "pair_table",
    }
}

/// Sentences to learn to translate from.
///
/// One struct serves both formats; [`PairDataConfig::validate`] names the keys that a format would
/// not read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PairDataConfig {
    /// The file of the sentences to translate (parallel; `.gz` is understood), or the table (a file
    /// or a glob); relative to the working directory.
    pub path: String,
    /// The file of their translations (parallel).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_path: Option<String>,
    /// Sentences for validation only; then none are taken from `path`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_path: Option<String>,
    /// The translations of `valid_path` (parallel).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_target_path: Option<String>,
    /// Sentences for the test only; then none are taken from `path`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_path: Option<String>,
    /// The translations of `test_path` (parallel).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_target_path: Option<String>,
    /// The column of the sentences to translate (pair_table). Default: `source`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The column of their translations (pair_table). Default: `target`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The most tokens that either side of a pair may have before the one that ends it; longer
    /// pairs do not train. Validation and test keep every pair. Default: 128, or what the model's
    /// context has room for if that is less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<usize>,
    /// The most tokens of a group of pairs, source and target together, padding and the tokens that
    /// end a sentence included. A longer pair is a group of its own.
    #[serde(default = "default_batch_tokens")]
    pub batch_tokens: usize,
    /// The folder where a trained tokenizer is kept between runs. Default: `fireclay/tokens` in
    /// the user's cache folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_dir: Option<String>,
    /// Files to fetch before reading, unless they are there already.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub download: Vec<DownloadConfig>,
    /// How many of the pairs of `path` train, validate and test; chance decides which.
    #[serde(default)]
    pub split: TextSplitConfig,
}

impl PairDataConfig {
    /// The configuration with every default, for `path`.
    pub fn new(path: impl Into<String>) -> Self {
        with_defaults([("path", path.into())])
    }

    /// The most tokens of a side of a pair that trains a model which looks at `context` of them.
    pub(crate) fn longest(&self, context: usize) -> usize {
        // With the token at its end a sentence must still be one that the model can look at.
        let room = context.saturating_sub(1);
        self.max_length.unwrap_or(DEFAULT_MAX_LENGTH).min(room)
    }

    /// The names of the columns of a table.
    pub(crate) fn columns(&self) -> [&str; 2] {
        [
            self.source.as_deref().unwrap_or("source"),
            self.target.as_deref().unwrap_or("target"),
        ]
    }

    /// Every problem, as pairs of a key inside `[data]` and a message.
    pub fn validate(&self, format: PairFormat) -> Vec<(String, String)> {
        let mut problems = Problems::default();
        problems.check_texts([
            ("path", Some(&self.path)),
            ("target_path", self.target_path.as_ref()),
            ("valid_path", self.valid_path.as_ref()),
            ("valid_target_path", self.valid_target_path.as_ref()),
            ("test_path", self.test_path.as_ref()),
            ("test_target_path", self.test_target_path.as_ref()),
            ("source", self.source.as_ref()),
            ("target", self.target.as_ref()),
            ("cache_dir", self.cache_dir.as_ref()),
        ]);
        match format {
            PairFormat::Parallel => self.validate_parallel(&mut problems),
            PairFormat::PairTable => self.validate_table(&mut problems),
        }
        problems.check_count("max_length", self.max_length);
        problems.check_count("batch_tokens", Some(self.batch_tokens));
        problems.0.extend(download::validate(&self.download));
        problems.add_all("split", self.split.validate());
        problems.0
    }

    /// The files of a split, and the keys that name them.
    fn files(&self) -> [[(&'static str, Option<&String>); 2]; 3] {
        [
            [
                ("path", Some(&self.path)),
                ("target_path", self.target_path.as_ref()),
            ],
            [
                ("valid_path", self.valid_path.as_ref()),
                ("valid_target_path", self.valid_target_path.as_ref()),
            ],
            [
                ("test_path", self.test_path.as_ref()),
                ("test_target_path", self.test_target_path.as_ref()),
            ],
        ]
    }

    fn validate_parallel(&self, problems: &mut Problems) {
        for [(source_key, source), (target_key, target)] in self.files() {
            match (source, target) {
                (Some(_), None) => problems.add(
                    target_key,
                    format!("is missing: where are the translations of {source_key}?"),
                ),
                (None, Some(_)) => problems.add(
                    source_key,
                    format!("is missing: {target_key} has the translations of which sentences?"),
                ),
                (Some(source), Some(target)) if source == target => {
                    problems.add(target_key, format!("is the same file as {source_key}"));
                }
                _ => {}
            }
        }
        for (key, column) in [("source", &self.source), ("target", &self.target)] {
            if column.is_some() {
                problems.add(key, "is for pair_table only; lines have no columns");
            }
        }
    }

    fn validate_table(&self, problems: &mut Problems) {
        for [_, (key, target)] in self.files() {
            if target.is_some() {
                let message = "is for parallel only; pair_table has both sides in one file";
                problems.add(key, message);
            }
        }
        let [source, target] = self.columns();
        if source == target {
            let message = format!("is the same column as source, {source:?}");
            problems.add("target", message);
        }
    }
}

const DEFAULT_MAX_LENGTH: usize = 128;

fn default_batch_tokens() -> usize {
    4096
}
