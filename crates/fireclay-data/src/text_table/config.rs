//! The `[data]` table of a configuration whose `type` is `text_table`.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{Problems, with_defaults};
use crate::download::{self, DownloadConfig};
use crate::labels::TargetKind;
use crate::split::SplitConfig;
use crate::table::{MissingTarget, ReadOptions, TableConfig, TableFormat, with_dialect};
use crate::words::words;

words! {
    /// How texts with labels are stored: the `type` of `[data]`.
    pub enum TextTableFormat {
        /// A table of texts with their targets: CSV, JSON Lines or Parquet, by the name of the file.
        TextTable = "text_table",
    }
}

with_dialect! {
    /// A table with a text and what to say of it in each row.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    pub struct TextTableConfig {
        {
            /// The file, or a glob such as `data/*.csv`; relative to the working directory. Its name ends
            /// in .csv, .tsv, .jsonl or .parquet.
            pub path: String,
            /// A separate file (or glob) for validation; then no validation rows are taken from `path`.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub valid_path: Option<String>,
            /// A separate file (or glob) for the test; then no test rows are taken from `path`.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub test_path: Option<String>,
            /// The column of the texts.
            #[serde(default = "default_text")]
            pub text: String,
            /// The column to predict.
            pub target: String,
            /// What stands between the labels of a text that has several (task `multilabel`), such as ";".
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub label_separator: Option<String>,
            /// A column that names the row; written next to predictions.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub id: Option<String>,
            /// A column that says how much each row counts: a number of 0 or more.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub weight: Option<String>,
            /// Columns that are written next to predictions as they are.
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            pub extra_columns: Vec<String>,
            /// Tokens of a text that the model looks at, those that mark its start and end included; what
            /// is longer is cut at its end. Default: the model's context.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub max_length: Option<usize>,
        }
        {
            /// What to do with rows whose target is missing.
            #[serde(default)]
            pub missing_target: MissingTarget,
            /// The folder where a trained tokenizer is kept between runs. Default: `fireclay/tokens` in
            /// the user's cache folder.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub cache_dir: Option<String>,
            /// Files to fetch before reading, unless they are there already.
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            pub download: Vec<DownloadConfig>,
            /// Which rows train, validate and test.
            #[serde(default)]
            pub split: SplitConfig,
        }
    }
}

impl TextTableConfig {
    /// The configuration with every default, for `path` and `target`.
    pub fn new(path: impl Into<String>, target: impl Into<String>) -> Self {
        with_defaults([("path", path.into()), ("target", target.into())])
    }

    /// How the table is stored, by the name of its file.
    pub fn format(&self) -> Option<TableFormat> {
        TableFormat::from_path(Path::new(&self.path))
    }

    /// How to read another table like this one.
    pub fn read_options(&self, format: TableFormat) -> ReadOptions {
        ReadOptions::from_config(format, &self.table())
    }

    /// The same as for any table, so that reading and splitting are those of tables.
    pub fn table(&self) -> TableConfig {
        let table = TableConfig::new(&self.path, &self.target);
        let mut table = table.with_dialect(self.dialect());
        table.valid_path.clone_from(&self.valid_path);
        table.test_path.clone_from(&self.test_path);
        table.id.clone_from(&self.id);
        table.weight.clone_from(&self.weight);
        table.extra_columns.clone_from(&self.extra_columns);
        table.null_values.clone_from(&self.null_values);
        table.extra_null_values.clone_from(&self.extra_null_values);
        table.missing_target = self.missing_target;
        table.split = self.split.clone();
        table
    }

    /// Every problem, as pairs of a key inside `[data]` and a message.
    pub fn validate(&self) -> Vec<(String, String)> {
        let format = self.format();
        let mut problems = Problems(self.table().validate(format.unwrap_or(TableFormat::Csv)));
        problems.0.extend(self.validate_formats(format));
        problems.check_texts([
            ("text", Some(&self.text)),
            ("cache_dir", self.cache_dir.as_ref()),
        ]);
        if self.text == self.target {
            problems.add("text", "is the target; choose another column");
        }
        if self.weight.as_ref() == Some(&self.text) {
            problems.add("weight", "is also text; choose another column");
        }
        if self.label_separator.as_ref().is_some_and(String::is_empty) {
            problems.add("label_separator", "must not be empty");
        }
        problems.check_count("max_length", self.max_length);
        problems.0.extend(download::validate(&self.download));
        problems.0
    }

    /// What is wrong with the names of the files, which tell how they are stored.
    fn validate_formats(&self, format: Option<TableFormat>) -> Vec<(String, String)> {
        let paths = [
            ("path", Some(&self.path)),
            ("valid_path", self.valid_path.as_ref()),
            ("test_path", self.test_path.as_ref()),
        ];
        let problem = |(key, path): (&str, Option<&String>)| {
            let path = path.filter(|path| !path.trim().is_empty())?;
            let message = match (TableFormat::from_path(Path::new(path)), format) {
                (None, _) => {
                    let extensions = TableFormat::extensions();
                    format!("is no table: its name must end in {extensions}")
                }
                (Some(own), Some(format)) if own != format => {
                    let (format, own) = (format.name(), own.name());
                    format!("must be stored as path is ({format}), not as {own}")
                }
                _ => return None,
            };
            Some((key.to_owned(), message))
        };
        paths.into_iter().filter_map(problem).collect()
    }

    /// What does not go with a target of this kind, as pairs of a key inside `[data]` and a message.
    pub fn validate_for(&self, target: TargetKind) -> Vec<(String, String)> {
        let message = match (target, &self.label_separator) {
            (TargetKind::Set, None) => "is needed to tell the labels of a text apart",
            (TargetKind::Class | TargetKind::Number, Some(_)) => "is for the task multilabel",
            _ => return Vec::new(),
        };
        vec![("label_separator".to_owned(), message.to_owned())]
    }
}

fn default_text() -> String {
    "text".into()
}
