//! The `[data]` table of a configuration whose `type` is `csv`, `jsonl` or `parquet`.

use std::collections::BTreeMap;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::split::SplitConfig;

/// How the table is stored: the `type` of `[data]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TableFormat {
    /// Comma-separated values (or another delimiter), with a header line.
    Csv,
    /// JSON Lines: one object a line.
    Jsonl,
    /// Apache Parquet.
    Parquet,
}

impl TableFormat {
    /// The format that a file's extension stands for.
    pub fn from_path(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "csv" | "tsv" | "tab" | "txt" | "data" => Some(Self::Csv),
            "jsonl" | "ndjson" | "json" => Some(Self::Jsonl),
            "parquet" | "pq" => Some(Self::Parquet),
            _ => None,
        }
    }

    /// The word used in a configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
            Self::Parquet => "parquet",
        }
    }
}

/// What the target column holds; the task decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TargetKind {
    /// One of several labels.
    Class,
    /// A real number.
    Number,
    /// Any number of several labels (images only).
    Set,
}

/// A table of rows with one column to predict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TableConfig {
    /// The file, or a glob such as `data/*.csv`; relative to the working directory.
    pub path: String,
    /// A separate file (or glob) for validation; then no validation rows are taken from `path`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_path: Option<String>,
    /// A separate file (or glob) for the test; then no test rows are taken from `path`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_path: Option<String>,
    /// The column to predict.
    pub target: String,
    /// A column that names the row; written next to predictions, never a feature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Columns that the model must not see.
    #[serde(default)]
    pub ignore: Vec<String>,
    /// The character between fields (csv only). Default: a tab in `.tsv` files, else a comma.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<String>,
    /// Words that mean "missing" (csv only). Default: empty, NA, N/A, NaN, nan, null, NULL, None, ?.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub null_values: Option<Vec<String>>,
    /// How numeric columns are scaled.
    #[serde(default)]
    pub numeric: NumericScaling,
    /// How categorical columns are encoded.
    #[serde(default)]
    pub categorical: CategoricalEncoding,
    /// Whether a column with missing training values gets a 0/1 feature that says where.
    #[serde(default = "yes")]
    pub impute_indicator: bool,
    /// What to do with rows whose target is missing.
    #[serde(default)]
    pub missing_target: MissingTarget,
    /// The most categories of one column that are told apart; rarer ones share the slot "unknown".
    #[serde(default = "default_max_categories")]
    pub max_categories: usize,
    /// What is different about single columns, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, ColumnConfig>,
    /// Which rows train, validate and test.
    #[serde(default)]
    pub split: SplitConfig,
}

/// How a number becomes a feature; everything is measured on the training rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NumericScaling {
    /// Mean 0, standard deviation 1.
    #[default]
    Standard,
    /// From 0 at the smallest to 1 at the largest value.
    MinMax,
    /// sign(x)·ln(1 + |x|), then mean 0, standard deviation 1: for long tails.
    Log,
    /// As it is.
    None,
}

/// How a category becomes a feature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CategoricalEncoding {
    /// A 0/1 feature for each category; all zeros where it is unknown.
    #[default]
    Onehot,
    /// An index into a table of vectors that the model learns; index 0 is unknown.
    Embedding,
}

/// What to do with rows whose target is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MissingTarget {
    /// Name the first one and stop.
    #[default]
    Error,
    /// Leave them out, and say how many there are.
    Drop,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ColumnKind {
    /// Real numbers.
    Numeric,
    /// One of several names.
    Categorical,
    /// A date, with or without a time of day.
    Date,
    /// True or false.
    Boolean,
    /// Not a feature.
    Ignore,
}

/// Overrides for one column.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ColumnConfig {
    /// What the column holds, where the guess is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<ColumnKind>,
    /// The scaling of this numeric column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaling: Option<NumericScaling>,
    /// The encoding of this categorical column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<CategoricalEncoding>,
}

impl TableConfig {
    /// The configuration with every default, for `path` and `target`.
    pub fn new(path: impl Into<String>, target: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            valid_path: None,
            test_path: None,
            target: target.into(),
            id: None,
            ignore: Vec::new(),
            delimiter: None,
            null_values: None,
            numeric: NumericScaling::default(),
            categorical: CategoricalEncoding::default(),
            impute_indicator: true,
            missing_target: MissingTarget::Error,
            max_categories: default_max_categories(),
            columns: BTreeMap::new(),
            split: SplitConfig::default(),
        }
    }

    /// Everything that cannot be meant, as pairs of a key inside `[data]` and a message.
    pub fn validate(&self, format: TableFormat) -> Vec<(String, String)> {
        let mut problems = Problems::default();
        self.validate_names(&mut problems);
        self.validate_text_options(format, &mut problems);
        self.validate_columns(&mut problems);
        let separate = (self.valid_path.is_some(), self.test_path.is_some());
        for (key, message) in self.split.validate(separate) {
            problems.add(&format!("split.{key}"), message);
        }
        problems.0
    }

    fn validate_names(&self, problems: &mut Problems) {
        for (key, value) in [
            ("path", Some(&self.path)),
            ("valid_path", self.valid_path.as_ref()),
            ("test_path", self.test_path.as_ref()),
            ("target", Some(&self.target)),
            ("id", self.id.as_ref()),
        ] {
            if value.is_some_and(|value| value.trim().is_empty()) {
                problems.add(key, "must not be empty");
            }
        }
        if self.id.as_ref() == Some(&self.target) {
            problems.add(
                "id",
                "is the target; the column to predict cannot name the row",
            );
        }
        if self.ignore.contains(&self.target) {
            problems.add("ignore", format!("contains the target {:?}", self.target));
        }
        for key in ["column", "group"] {
            let column = if key == "column" {
                &self.split.column
            } else {
                &self.split.group
            };
            if column.as_ref() == Some(&self.target) {
                problems.add(
                    &format!("split.{key}"),
                    "is the target; choose another column",
                );
            }
        }
    }

    fn validate_text_options(&self, format: TableFormat, problems: &mut Problems) {
        if format != TableFormat::Csv {
            let says = format!("is for csv only; {} has no use for it", format.name());
            if self.delimiter.is_some() {
                problems.add("delimiter", &says);
            }
            if self.null_values.is_some() {
                problems.add("null_values", &says);
            }
        }
        if let Some(delimiter) = &self.delimiter
            && !matches!(delimiter.as_bytes(), [byte] if byte.is_ascii() && !b"\"\r\n".contains(byte))
        {
            problems.add("delimiter", format!("must be one ASCII character other than a quote or line break, but is {delimiter:?}"));
        }
        if self.max_categories == 0 {
            problems.add("max_categories", "must be at least 1, but is 0");
        }
    }

    fn validate_columns(&self, problems: &mut Problems) {
        for (name, column) in &self.columns {
            let key = |field: &str| format!("columns.{name}.{field}");
            if *name == self.target {
                problems.add(
                    &format!("columns.{name}"),
                    "is the target; the task decides how it is read",
                );
            }
            if self.ignore.contains(name) || self.id.as_ref() == Some(name) {
                problems.add(
                    &format!("columns.{name}"),
                    "has no effect: the column is not a feature",
                );
            }
            if column.scaling.is_some()
                && column.kind.is_some_and(|kind| kind != ColumnKind::Numeric)
            {
                problems.add(&key("scaling"), "is for numeric columns only");
            }
            if column.encoding.is_some()
                && column
                    .kind
                    .is_some_and(|kind| kind != ColumnKind::Categorical)
            {
                problems.add(&key("encoding"), "is for categorical columns only");
            }
            if column.encoding.is_some() && column.scaling.is_some() && column.kind.is_none() {
                problems.add(
                    &key("encoding"),
                    "contradicts scaling: a column is numeric or categorical",
                );
            }
        }
    }
}

#[derive(Default)]
struct Problems(Vec<(String, String)>);

impl Problems {
    fn add(&mut self, key: &str, message: impl Into<String>) {
        self.0.push((key.to_owned(), message.into()));
    }
}

fn yes() -> bool {
    true
}

fn default_max_categories() -> usize {
    64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(problems: Vec<(String, String)>) -> Vec<String> {
        problems.into_iter().map(|(key, _)| key).collect()
    }

    #[test]
    fn the_defaults_are_valid_and_match_an_empty_table() {
        let config = TableConfig::new("a.csv", "y");
        assert_eq!(config.validate(TableFormat::Csv), []);
        let read: TableConfig =
            serde_json::from_str(r#"{"path":"a.csv","target":"y"}"#).expect("two keys are enough");
        assert_eq!(read, config);
    }

    #[test]
    fn every_problem_is_reported_at_once() {
        let mut config = TableConfig::new("", "y");
        config.id = Some("y".into());
        config.delimiter = Some("ab".into());
        config.max_categories = 0;
        config.columns.insert(
            "a".into(),
            ColumnConfig {
                kind: Some(ColumnKind::Date),
                scaling: Some(NumericScaling::Log),
                encoding: None,
            },
        );
        config.split.train = 1.7;
        let keys = keys(config.validate(TableFormat::Jsonl));
        for key in [
            "path",
            "id",
            "delimiter",
            "max_categories",
            "columns.a.scaling",
            "split.train",
        ] {
            assert!(
                keys.iter().any(|found| found == key),
                "{key} is not in {keys:?}"
            );
        }
    }

    #[test]
    fn unknown_keys_are_refused() {
        assert!(
            serde_json::from_str::<TableConfig>(r#"{"path":"a","target":"y","tagret":1}"#).is_err()
        );
    }
}
