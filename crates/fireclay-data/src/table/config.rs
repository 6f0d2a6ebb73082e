//! The `[data]` table of a configuration whose `type` is `csv`, `jsonl` or `parquet`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dialect::{Dialect, with_dialect};
use crate::column::dates::DateOrder;
use crate::config::with_defaults;
use crate::split::SplitConfig;

with_dialect! {
    /// A table of rows with one column to predict.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    pub struct TableConfig {
        {
            /// The file, or a glob such as `data/*.csv`; relative to the working directory. For parquet also a manifest
            /// (`train.sha256`): lines as `sha256sum` prints them, a hash and a path or an address.
            pub path: String,
            /// A separate file (or glob) for validation; then no validation rows are taken from `path`.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub valid_path: Option<String>,
            /// A separate file (or glob) for the test; then no test rows are taken from `path`.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub test_path: Option<String>,
            /// The folder of files that are fetched, for a manifest of files behind addresses (parquet). Default: in the
            /// user's cache.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub shard_cache_dir: Option<String>,
            /// The most bytes that this folder may hold (parquet). Default: 20 GiB.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub shard_cache_bytes: Option<u64>,
            /// For a table that does not fit in memory: how many training rows statistics, categories and checks look at,
            /// drawn evenly from all of them. All training rows stay in files, which are encoded in the folder of shards
            /// and read while it trains. Needs `valid_path` and `test_path` (parquet). Default: all rows are in memory.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub fit_rows: Option<usize>,
            /// With `fit_rows`: how many files have their rows mixed at a time; the others wait their turn (parquet).
            /// Default: 4.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub shards_mixed: Option<usize>,
            /// The column to predict.
            #[serde(default, skip_serializing_if = "String::is_empty")]
            pub target: String,
            /// Instead of `target`, a column of 0 and 1 (or no and yes) for each label (task `multilabel`).
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            pub targets: Vec<String>,
            /// What stands between the labels of a row in `target` (task `multilabel`), such as ";".
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub label_separator: Option<String>,
            /// A column that names the row; written next to predictions, never a feature.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub id: Option<String>,
            /// Columns that the model must not see.
            #[serde(default)]
            pub ignore: Vec<String>,
            /// A column that says how much each row counts: a number of 0 or more, never a feature.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub weight: Option<String>,
            /// Columns that are written next to predictions as they are. They are features as well, unless
            /// `ignore` names them.
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            pub extra_columns: Vec<String>,
        }
        {
            /// The character before a fraction, "." or ",", in texts that are numbers. Default: each column's own,
            /// judged by its cells and the rest of the table.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub decimal: Option<String>,
            /// The character between groups of three digits: ",", ".", " " (any blank), "'" or "_". Default: as for
            /// `decimal`; if only `decimal` is given, none.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub thousands: Option<String>,
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
            /// Columns of texts: the words of a text and their pairs become features.
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            pub text: Vec<String>,
            /// The number of features that each column of `text` becomes. Default: 256.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub text_buckets: Option<usize>,
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
    }
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
    /// `onehot` for columns of at most `max_categories`, `target` for others.
    #[default]
    Auto,
    /// A 0/1 feature for each category; all zeros where it is unknown.
    Onehot,
    /// What the training rows of the category say of the target: the share of each class, or the mean. It
    /// is smoothed towards that of all rows, and a training row is told only what the other rows say.
    Target,
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
    /// Running text, as in `data.text`.
    Text,
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
    /// The order in which this column of dates writes year, month and day. Default: the one that fits all
    /// cells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date_order: Option<DateOrder>,
    /// What to do with cells that are not of the column's `kind`, where they are too many to be mistakes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub odd_cells: Option<OddCells>,
    /// Words that mean "missing" in this column, in place of those of the table (csv only). An empty cell
    /// is missing in any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub null_values: Option<Vec<String>>,
}

/// What to do with cells that are not of the kind of their column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OddCells {
    /// Refuse the column, and show them.
    Error,
    /// Read them as missing, however many there are.
    Missing,
}

impl TableConfig {
    /// The configuration with every default, for `path` and `target`.
    pub fn new(path: impl Into<String>, target: impl Into<String>) -> Self {
        with_defaults([("path", path.into()), ("target", target.into())])
    }

    /// The columns of what is to be predicted: one, or one for each label.
    pub fn target_columns(&self) -> &[String] {
        match self.targets.is_empty() {
            true => std::slice::from_ref(&self.target),
            false => &self.targets,
        }
    }

    /// The same table, written in this way.
    #[must_use]
    pub fn with_dialect(self, dialect: Dialect) -> Self {
        Self {
            delimiter: dialect.delimiter,
            quote: dialect.quote,
            comment: dialect.comment,
            skip_rows: dialect.skip_rows,
            header: dialect.header,
            extra_field: dialect.extra_field,
            footer: dialect.footer,
            encoding: dialect.encoding,
            ..self
        }
    }
}

fn yes() -> bool {
    true
}

pub(super) fn default_max_categories() -> usize {
    64
}
