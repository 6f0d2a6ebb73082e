//! The `[data]` table of a configuration whose `type` is `preference_jsonl`.

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::config::default_today;
use super::super::named;
use crate::config::{Problems, with_defaults};
use crate::download::{self, DownloadConfig};
use crate::text::TextSplitConfig;
use crate::words::words;

words! {
    /// How preferences are stored: the `type` of `[data]`.
    pub enum PreferenceFormat {
        /// JSON Lines with a prompt, a chosen and a rejected answer in each line, as texts or as lists of messages.
        PreferenceJsonl = "preference_jsonl",
    }
}

/// How a prompt and answers are written that are texts and no messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlainText {
    /// As they are: the answer right after the prompt, and then the token that ends a text.
    #[default]
    Text,
    /// As a message of the user and one of the assistant, by the chat template.
    Messages,
}

/// What becomes of a pair of which an answer with its prompt is longer than a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LongPair {
    /// It is left out.
    #[default]
    LeaveOut,
    /// Its answers end where the row is full.
    Cut,
}

/// Pairs of answers to learn from which one is better.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PreferenceDataConfig {
    /// The file or glob, relative to the working directory; `.gz` is understood.
    pub path: String,
    /// Preferences for validation only; then none are taken from `path`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_path: Option<String>,
    /// Preferences for the test only; then none are taken from `path`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_path: Option<String>,
    /// The field that holds the prompt. Default: `prompt`; where a line has no such field, the prompt is what both
    /// answers begin with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// The field that holds the better answer.
    #[serde(default = "default_chosen")]
    pub chosen: String,
    /// The field that holds the other answer.
    #[serde(default = "default_rejected")]
    pub rejected: String,
    /// How a prompt and answers are written that are texts and no messages.
    #[serde(default)]
    pub plain: PlainText,
    /// What writes messages as a text: a file with a Jinja template, or the name of one that is built in (`chatml`,
    /// `zephyr`). The run keeps it. Default: the template of the tokenizer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat_template: Option<String>,
    /// Tokens of a prompt with an answer at most. Default: the model's context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<usize>,
    /// What becomes of a pair of which an answer with its prompt is longer than that.
    #[serde(default)]
    pub too_long: LongPair,
    /// The day that a template writes which asks for the date, as in 2024-07-26.
    #[serde(default = "default_today")]
    pub today: String,
    /// The folder where tokens are kept between runs. Default: `fireclay/tokens` in the user's
    /// cache folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_dir: Option<String>,
    /// Files to fetch before reading, unless they are there already.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub download: Vec<DownloadConfig>,
    /// How many of the pairs of `path` train, validate and test; chance decides which.
    #[serde(default)]
    pub split: TextSplitConfig,
}

fn default_chosen() -> String {
    "chosen".into()
}

fn default_rejected() -> String {
    "rejected".into()
}

impl PreferenceDataConfig {
    /// The configuration with every default, for `path`.
    pub fn new(path: impl Into<String>) -> Self {
        with_defaults([("path", path.into())])
    }

    /// Tokens of a prompt with an answer, for a model that looks at `context` of them.
    pub fn row(&self, context: usize) -> usize {
        self.max_length.unwrap_or(context)
    }

    /// The day of `today`.
    pub(super) fn day(&self) -> Option<NaiveDate> {
        self.today.parse().ok()
    }

    /// The file of the template, unless it is one that is built in.
    pub fn template_file(&self) -> Option<&String> {
        named::file(self.chat_template.as_ref())
    }

    /// Every problem, as pairs of a key inside `[data]` and a message.
    pub fn validate(&self) -> Vec<(String, String)> {
        let mut problems = Problems::default();
        problems.check_texts([
            ("path", Some(&self.path)),
            ("valid_path", self.valid_path.as_ref()),
            ("test_path", self.test_path.as_ref()),
            ("prompt", self.prompt.as_ref()),
            ("chosen", Some(&self.chosen)),
            ("rejected", Some(&self.rejected)),
            ("chat_template", self.chat_template.as_ref()),
            ("cache_dir", self.cache_dir.as_ref()),
        ]);
        if self.chosen == self.rejected {
            let message = format!("is {:?}, and so is chosen: name two fields", self.rejected);
            problems.add("rejected", message);
        }
        if self.day().is_none() {
            let message = format!("must be a day such as 2024-07-26, but is {:?}", self.today);
            problems.add("today", message);
        }
        problems.check_count("max_length", self.max_length);
        problems.0.extend(download::validate(&self.download));
        problems.add_all("split", self.split.validate());
        problems.0
    }
}
