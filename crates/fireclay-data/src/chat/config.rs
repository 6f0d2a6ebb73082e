//! The `[data]` table of a configuration whose `type` is `chat_jsonl`.

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::named;
use crate::config::{Problems, with_defaults};
use crate::download::{self, DownloadConfig};
use crate::text::TextSplitConfig;
use crate::words::words;

words! {
    /// How conversations are stored: the `type` of `[data]`.
    pub enum ChatFormat {
        /// JSON Lines with a conversation in each line, in OpenAI's form or in that of ShareGPT.
        ChatJsonl = "chat_jsonl",
    }
}

/// The tokens of a conversation whose loss trains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TrainOn {
    /// What the assistant says, in each of its turns.
    #[default]
    Assistant,
    /// What the assistant says in its last turn.
    Last,
    /// Every token.
    All,
}

/// How conversations are laid into the rows that a model looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChatPacking {
    /// As many whole conversations as fit into a row: none of them sees another, and each begins at the first
    /// position.
    #[default]
    Conversations,
    /// A conversation in each row. Rows are as long as the longest of their batch.
    None,
}

/// What becomes of a conversation that is longer than a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TooLong {
    /// It ends after the last turn of the assistant that fits as a whole; one without such a turn is left out.
    #[default]
    Turns,
    /// It ends where the row is full, in the midst of a turn.
    Cut,
}

/// Conversations to learn to answer from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChatDataConfig {
    /// The file or glob, relative to the working directory; `.gz` is understood.
    pub path: String,
    /// Conversations for validation only; then none are taken from `path`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_path: Option<String>,
    /// Conversations for the test only; then none are taken from `path`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_path: Option<String>,
    /// The field that holds the list of messages. Default: `messages` or `conversations`, whichever a line has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What writes a conversation as a text: a file with a Jinja template, or the name of one that is built in
    /// (`chatml`, `zephyr`). The run keeps it. Default: the template of the tokenizer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat_template: Option<String>,
    /// The tokens whose loss trains, and counts in evaluations.
    #[serde(default)]
    pub train_on: TrainOn,
    /// Tokens of a row at most. Default: the model's context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<usize>,
    /// What becomes of a conversation that is longer than that.
    #[serde(default)]
    pub too_long: TooLong,
    /// How conversations are laid into rows.
    #[serde(default)]
    pub packing: ChatPacking,
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
    /// How many of the conversations of `path` train, validate and test; chance decides which.
    #[serde(default)]
    pub split: TextSplitConfig,
}

impl ChatDataConfig {
    /// The configuration with every default, for `path`.
    pub fn new(path: impl Into<String>) -> Self {
        with_defaults([("path", path.into())])
    }

    /// Tokens of a row, for a model that looks at `context` of them.
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
            ("field", self.field.as_ref()),
            ("chat_template", self.chat_template.as_ref()),
            ("cache_dir", self.cache_dir.as_ref()),
        ]);
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

/// The day that the templates of Llama 3 write where they are told none.
pub(super) fn default_today() -> String {
    "2024-07-26".into()
}
