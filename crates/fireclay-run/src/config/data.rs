//! The `[data]` table: rows, images or text in one of several formats; and the `[tokenizer]` table.

use fireclay_data::{
    ImageDataConfig, ImageFormat, PairDataConfig, PairFormat, SplitConfig, TableConfig,
    TableFormat, TargetKind, TextDataConfig, TextFormat, TextTableConfig, TokenizerConfig,
    TokenizerKind,
};
use serde::Serialize;

use fireclay_config::{Variant, variant};

/// The data of a run; `type` names the format, and thereby what it holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
#[expect(
    clippy::large_enum_variant,
    reason = "a program holds one or two, never a list of them"
)]
pub enum DataConfig {
    /// A table of rows.
    Table(TableSource),
    /// Images.
    Image(ImageSource),
    /// Text.
    Text(TextSource),
    /// Texts and their translations.
    Pairs(PairSource),
    /// Texts with labels.
    TextTable(TextTableSource),
}

/// Data of one kind in one of several formats.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Source<F, C> {
    /// How the data is stored; `type` in the file.
    #[serde(rename = "type")]
    pub format: F,
    /// What to do with it.
    #[serde(flatten)]
    pub config: C,
}

/// A table of rows.
pub type TableSource = Source<TableFormat, TableConfig>;
/// Images.
pub type ImageSource = Source<ImageFormat, ImageDataConfig>;
/// Text.
pub type TextSource = Source<TextFormat, TextDataConfig>;
/// Texts and their translations.
pub type PairSource = Source<PairFormat, PairDataConfig>;
/// Texts with labels in a table.
pub type TextTableSource = Source<TextTableKind, TextTableConfig>;

/// The `type` of a table of texts; how the table is stored, its name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TextTableKind {
    /// The only one.
    TextTable,
}

impl TextTableKind {
    /// The word and what it stands for, as it is listed to the user.
    pub const TYPES: &[(&str, &str)] = &[(
        "text_table",
        "A table of texts with their targets: CSV, JSON Lines or Parquet, by the name of the file.",
    )];

    /// The word used in a configuration.
    pub fn name(self) -> &'static str {
        "text_table"
    }
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

    /// The key that names this column, dotted from the top.
    fn key_of_column(&self, _column: &str) -> Option<String> {
        None
    }

    /// The key to blame for a target that is no good.
    fn target_key(&self) -> &'static str {
        "data.target"
    }

    /// Whether there is text that a tokenizer turns into tokens: always, never, or unless it is
    /// stored as tokens.
    fn tokenizer(&self) -> NeedsTokenizer {
        NeedsTokenizer::Never
    }

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
    /// The text is stored as tokens.
    IfMasked,
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

impl DataConfig {
    /// The table, whatever it holds.
    pub fn section(&self) -> &dyn DataSection {
        match self {
            Self::Table(source) => source,
            Self::Image(source) => source,
            Self::Text(source) => source,
            Self::Pairs(source) => source,
            Self::TextTable(source) => source,
        }
    }

    pub(crate) fn variants() -> Vec<Variant<Self>> {
        let text_table = [TextTableKind::TextTable];
        [
            formats(&TableFormat::ALL, TableFormat::name, Self::Table),
            formats(&ImageFormat::ALL, ImageFormat::name, Self::Image),
            formats(&TextFormat::ALL, TextFormat::name, Self::Text),
            formats(&PairFormat::ALL, PairFormat::name, Self::Pairs),
            formats(&text_table, TextTableKind::name, Self::TextTable),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// A `type` for each format of data of one kind.
fn formats<F, C>(
    all: &[F],
    name: fn(F) -> &'static str,
    wrap: fn(Source<F, C>) -> DataConfig,
) -> Vec<Variant<DataConfig>>
where
    F: Copy + 'static,
    C: serde::de::DeserializeOwned + schemars::JsonSchema + 'static,
{
    let formats = all.iter().copied();
    let formats =
        formats.map(|format| variant(name(format), move |config| wrap(Source { format, config })));
    formats.collect()
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
