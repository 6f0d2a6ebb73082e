//! The `[data]` table: rows, images or text in one of several formats; and the `[tokenizer]` table.

use fireclay_data::{
    ChatDataConfig, ChatFormat, ImageDataConfig, ImageFormat, PairDataConfig, PairFormat,
    PreferenceDataConfig, PreferenceFormat, SplitConfig, TableConfig, TableFormat, TargetKind,
    TextDataConfig, TextFormat, TextTableConfig, TextTableFormat, TokenizerConfig, TokenizerKind,
    Worded,
};
use serde::Serialize;

use fireclay_config::{Variant, variant};

/// The kinds of data: a line each.
macro_rules! data {
    ($($(#[$doc:meta])* $kind:ident($source:ident): $format:ty, $config:ty;)*) => {
        /// The data of a run; `type` names the format, and thereby what it holds.
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(untagged)]
        pub enum DataConfig {
            $($(#[$doc])* $kind($source),)*
        }

        $($(#[$doc])* pub type $source = DataSource<$format, $config>;)*

        impl DataConfig {
            /// The table, whatever it holds.
            pub fn section(&self) -> &dyn DataSection {
                match self {
                    $(Self::$kind(source) => source,)*
                }
            }

            /// The same, to be changed.
            pub(crate) fn section_mut(&mut self) -> &mut dyn DataSection {
                match self {
                    $(Self::$kind(source) => source,)*
                }
            }

            /// Every `type` and what it is.
            pub fn types() -> Vec<(&'static str, &'static str)> {
                [$(<$format as Worded>::TYPES),*].concat()
            }

            pub(crate) fn variants() -> Vec<Variant<Self>> {
                [$(formats(Self::$kind)),*].into_iter().flatten().collect()
            }
        }
    };
}

data! {
    /// A table of rows.
    Table(TableSource): TableFormat, TableConfig;
    /// Images.
    Image(ImageSource): ImageFormat, ImageDataConfig;
    /// Text.
    Text(TextSource): TextFormat, TextDataConfig;
    /// Conversations.
    Chats(ChatSource): ChatFormat, ChatDataConfig;
    /// Pairs of answers.
    Preferences(PreferenceSource): PreferenceFormat, PreferenceDataConfig;
    /// Texts and their translations.
    Pairs(PairSource): PairFormat, PairDataConfig;
    /// Texts with labels in a table.
    TextTable(TextTableSource): TextTableFormat, TextTableConfig;
}

/// Data of one kind in one of several formats.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DataSource<F, C> {
    /// How the data is stored; `type` in the file.
    #[serde(rename = "type")]
    pub format: F,
    /// What to do with it.
    #[serde(flatten)]
    pub config: C,
}

/// Where data is, and how it is split.
#[derive(Clone, Debug)]
pub struct Located<'a> {
    /// `data.path`.
    pub path: &'a str,
    /// The other keys that can name files, such as `valid_path`, with what they name.
    pub files: Vec<(&'static str, &'a Option<String>)>,
    /// Which samples train, validate and test, where each sample stands for itself.
    pub split: Option<&'a SplitConfig>,
    /// Whether samples are held out from training, as far as the table says.
    pub holds_out: bool,
}

impl<'a> Located<'a> {
    /// Samples that stand for themselves, in one file for each split or shared out by `split`.
    pub(crate) fn split(
        path: &'a str,
        [valid, test]: [&'a Option<String>; 2],
        split: &'a SplitConfig,
    ) -> Self {
        let shares = [split.valid, split.test];
        Self {
            split: Some(split),
            ..Self::shared(path, [valid, test], shares)
        }
    }

    /// Samples in one file for each split, or shared out to validation and test by `shares`.
    pub(crate) fn shared(
        path: &'a str,
        [valid, test]: [&'a Option<String>; 2],
        shares: [f64; 2],
    ) -> Self {
        let is_shared = shares.iter().any(|share| *share > 0.0);
        Self {
            path,
            files: vec![("valid_path", valid), ("test_path", test)],
            split: None,
            holds_out: valid.is_some() || test.is_some() || is_shared,
        }
    }
}

/// What every `[data]` table can say, whatever it holds.
pub trait DataSection {
    /// The `type` that names the format in a configuration file.
    fn name(&self) -> &'static str;

    /// Where the data is, and how it is split.
    fn located(&self) -> Located<'_>;

    /// Every impossible value, as (key, message).
    fn validate(&self) -> Vec<(String, String)>;

    /// Keys that do not go with what a target of this kind holds, as (key, message).
    fn validate_for(&self, _kind: TargetKind) -> Vec<(String, String)> {
        Vec::new()
    }

    /// Carries these columns beside the samples, as `extra_columns`; false if there are no columns.
    fn carry(&mut self, _columns: &[String]) -> bool {
        false
    }

    /// The key that this column is the target or the name of samples by, if it is.
    fn is_told(&self, _column: &str) -> Option<&'static str> {
        None
    }

    /// How the cells of a table are read, if the configuration says it.
    fn table(&self) -> Option<&TableConfig> {
        None
    }

    /// Whether the model is given this column.
    fn is_input(&self, _column: &str) -> bool {
        false
    }

    /// The key that names this column, dotted from the top.
    fn key_of_column(&self, _column: &str) -> Option<String> {
        None
    }

    /// Bytes that reading such data leaves in main memory, where it was not read to measure them.
    fn reading(&self) -> u64;

    /// Whether a model of so many parameters trains faster on a CPU if batches of so many samples are computed
    /// in parts. Adding up gradients costs time; images and texts use a weight at each of their
    /// positions. The number is measured; see docs/performance.md.
    fn pays_in_parts(&self, parameters: usize, samples: usize) -> bool {
        parameters.saturating_mul(samples) >= 500_000
    }

    /// The key to blame for a target that is no good.
    fn target_key(&self) -> &'static str {
        "data.target"
    }

    /// What stands between several labels of a sample, in the data and in answers.
    fn label_separator(&self) -> &str {
        ";"
    }

    /// Whether there is text that a tokenizer turns into tokens: always, never, or unless it is
    /// stored as tokens.
    fn tokenizer(&self) -> NeedsTokenizer {
        NeedsTokenizer::Never
    }

    /// Whether samples are cut from one stream of text, whatever its length.
    fn is_stream(&self) -> bool {
        false
    }

    /// Takes back what a run of before did without, given whether a key of `[data]` is written in it. A run writes
    /// every default: a key that is missing is younger than the run.
    fn as_before(&mut self, _is_written: &dyn Fn(&str) -> bool) {}

    /// Why the data makes up batches itself, if it does.
    fn own_batches(&self) -> Option<&'static str> {
        None
    }

    /// Why a batch has to stay in one piece, if it has to.
    fn one_piece(&self) -> Option<&'static str> {
        None
    }
}

/// Whether data needs a tokenizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NeedsTokenizer {
    /// There is no text.
    Never,
    /// The text is stored as tokens: a tokenizer is needed by a task that reads its marks.
    ForMarks,
    /// The text is stored as text.
    Always,
}

/// What turns text into tokens.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TokenizerSource {
    /// What its tokens are; `type` in the file.
    #[serde(rename = "type")]
    pub kind: TokenizerKind,
    /// How it is made.
    #[serde(flatten)]
    pub config: TokenizerConfig,
}

impl TokenizerSource {
    /// Every impossible value, as (key, message).
    pub fn validate(&self) -> Vec<(String, String)> {
        self.config.validate(self.kind)
    }

    pub(crate) fn variants() -> Vec<Variant<Self>> {
        let kinds = TokenizerKind::ALL;
        kinds
            .map(|kind| variant(kind.name(), move |config| Self { kind, config }))
            .into()
    }
}

/// A `type` for each format of data of one kind.
fn formats<F, C>(wrap: fn(DataSource<F, C>) -> DataConfig) -> Vec<Variant<DataConfig>>
where
    F: Worded,
    C: serde::de::DeserializeOwned + schemars::JsonSchema + 'static,
{
    let formats = F::ALL.iter().copied();
    let formats = formats.map(|format| {
        variant(format.name(), move |config| {
            wrap(DataSource { format, config })
        })
    });
    formats.collect()
}

/// Adds columns to those that are carried already.
pub(crate) fn carry(known: &mut Vec<String>, more: &[String]) -> bool {
    for name in more.iter().filter(|name| !name.trim().is_empty()) {
        if !known.contains(name) {
            known.push(name.clone());
        }
    }
    true
}

/// The key of the split that names a column.
pub(crate) fn split_key(split: &SplitConfig, column: &str) -> Option<String> {
    let keys = [
        ("data.split.group", &split.group),
        ("data.split.time", &split.time),
        ("data.split.column", &split.column),
    ];
    let is = |name: &Option<String>| name.as_deref() == Some(column);
    let found = keys.into_iter().find(|(_, name)| is(name));
    found.map(|(key, _)| key.into())
}
