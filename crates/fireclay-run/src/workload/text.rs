//! What the workloads on running text share: windows of tokens from files.

use std::collections::BTreeMap;
use std::path::PathBuf;

use fireclay_data::{
    Note, Packing, TextData, TextDataConfig, TextFormat, TextOrder, TokenSplit, Tokenizer,
    TokenizerConfig, TokenizerKind,
};

use super::dataset::hashes_of;
use super::prelude::*;
use crate::config::{DataSection, Located, NeedsTokenizer, TextSource};

impl DataSection for TextSource {
    fn name(&self) -> &'static str {
        self.format.name()
    }

    fn located(&self) -> Located<'_> {
        let (config, split) = (&self.config, &self.config.split);
        let held_out = [&config.valid_path, &config.test_path];
        Located::shared(&config.path, held_out, [split.valid, split.test])
    }

    fn validate(&self) -> Vec<(String, String)> {
        self.config.validate(self.format)
    }

    fn is_stream(&self) -> bool {
        true
    }

    fn tokenizer(&self) -> NeedsTokenizer {
        match self.format {
            TextFormat::Tokens => NeedsTokenizer::ForMarks,
            TextFormat::Text | TextFormat::TextJsonl | TextFormat::TextParquet => {
                NeedsTokenizer::Always
            }
        }
    }

    fn reading(&self) -> u64 {
        14_000_000
    }
}

fn source(config: &RunConfig) -> &TextSource {
    held!(&config.data, DataConfig::Text).expect("checked: the data is text")
}

/// What reads text: [`TextData::load`], or [`TextData::load_unmarked`].
type Load = fn(
    TextFormat,
    &TextDataConfig,
    Option<(TokenizerKind, &TokenizerConfig)>,
    usize,
    TextOrder,
) -> Result<TextData, DataError>;

/// Reads the text of a configuration as windows that the model has room for.
pub(super) fn load(config: &RunConfig, load: Load) -> Result<TextData, DataError> {
    let source = source(config);
    let tokenizer = config.tokenizer.as_ref();
    let tokenizer = tokenizer.map(|tokenizer| (tokenizer.kind, &tokenizer.config));
    let context = config.model.section().context;
    load(
        source.format,
        &source.config,
        tokenizer,
        context,
        order(config),
    )
}

/// The order of training.
pub(super) fn order(config: &RunConfig) -> TextOrder {
    TextOrder {
        seed: config.seed,
        shuffles: config.train.shuffle,
    }
}

/// Whether rows are filled with documents.
pub(super) fn packs_documents(config: &RunConfig) -> bool {
    source(config).config.packing != Packing::Stream
}

/// What a model that goes on with a text learns from: what tells the kinds of data apart.
pub trait Texts: Send + Sync + 'static {
    /// Its `[data]` table.
    type Source: DataSection;

    /// The command that a finished run is asked with, see [`Workload::NEXT`].
    const NEXT: &'static str;

    /// Its `[data]` table, if it is such data.
    fn of(data: &DataConfig) -> Option<&Self::Source>;

    /// What does not go together, as (key, message).
    fn check(config: &RunConfig) -> Vec<(&'static str, String)>;

    /// Reads the data.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or does not fit the configuration.
    fn load(config: &RunConfig) -> Result<TextData, DataError>;

    /// Tokens of a row, at most.
    fn row(config: &RunConfig) -> usize;

    /// The number of different tokens, if the configuration says it, and by which key.
    fn vocabulary(config: &RunConfig) -> Option<(usize, &'static str)>;

    /// What a finished run reads at `path`, and what there is to say of it.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    fn windows(
        config: &RunConfig,
        path: &str,
        reads: &Reads<'_>,
    ) -> Result<(TokenSplit, Vec<String>), DataError>;
}

/// How a finished run reads text.
pub struct Reads<'a> {
    /// What turns it into tokens.
    pub tokenizer: Option<&'a Tokenizer>,
    /// The number of different tokens.
    pub vocabulary: usize,
    /// Tokens that are read at once.
    pub context: usize,
}

/// Windows of `row` tokens.
pub(super) fn input_spec(row: usize, data: &TextData) -> InputSpec {
    InputSpec {
        tokens: Some(row as f64),
        ..InputSpec::of_data(data.sizes(), [row, 0])
    }
}

/// The vocabulary, and what goes into the model.
pub(super) fn assume<D: Texts>(config: &RunConfig, given: &Assumptions) -> AssumedSpec<usize> {
    let told = D::vocabulary(config);
    let known = told.map(|(_, why)| why);
    check_unread(config, given, known, Some("the configuration says it"))?;
    let mut assumed = Assumed::default();
    let vocabulary = match told {
        Some((vocabulary, _)) => vocabulary,
        None => assumed.vocabulary(config, given),
    };
    let lengths = (None, [D::row(config), 0]);
    Ok((
        vocabulary,
        InputSpec::assumed(config, given, lengths, assumed),
    ))
}

/// Running text.
pub struct Running;

impl Texts for Running {
    type Source = TextSource;

    const NEXT: &'static str = "generate {} --prompt TEXT";

    fn of(data: &DataConfig) -> Option<&TextSource> {
        held!(data, DataConfig::Text)
    }

    fn check(config: &RunConfig) -> Vec<(&'static str, String)> {
        let is_tokens = source(config).format == TextFormat::Tokens;
        let apart = config.tokenizer.is_some() || !is_tokens;
        if !packs_documents(config) || apart {
            return Vec::new();
        }
        let needs = "a table [tokenizer], whose token that ends a text tells documents apart";
        vec![("data.packing", format!("\"documents\" needs {needs}"))]
    }

    fn load(config: &RunConfig) -> Result<TextData, DataError> {
        load(config, TextData::load)
    }

    fn row(config: &RunConfig) -> usize {
        config.model.section().context
    }

    fn vocabulary(config: &RunConfig) -> Option<(usize, &'static str)> {
        let told = source(config).config.vocabulary?;
        Some((told, "data.vocabulary says it"))
    }

    fn windows(
        config: &RunConfig,
        path: &str,
        reads: &Reads<'_>,
    ) -> Result<(TokenSplit, Vec<String>), DataError> {
        let source = source(config);
        let split = match (reads.tokenizer, source.format) {
            (
                Some(tokenizer),
                TextFormat::Text | TextFormat::TextJsonl | TextFormat::TextParquet,
            ) => {
                let how = (source.format, &source.config);
                TokenSplit::of_text(path, how, tokenizer, reads.context)?
            }
            (tokenizer, _) => {
                let made_by = (tokenizer, reads.vocabulary);
                TokenSplit::of_tokens(path, &source.config, made_by, reads.context)?
            }
        };
        let notes = reads
            .tokenizer
            .map(|tokenizer| split.notes(path, tokenizer));
        Ok((split.without_shift(), notes.unwrap_or_default()))
    }
}

/// The numbers of a split in an overview.
fn numbers(split: &TokenSplit) -> Vec<u64> {
    let (windows, tokens) = (split.windows() as u64, split.tokens());
    match split.chats() {
        Some([conversations, trained]) => vec![windows, conversations, tokens, trained],
        None => vec![windows, tokens, split.bytes()],
    }
}

impl Dataset for TextData {
    fn notes(&self) -> &[Note] {
        &self.notes
    }

    fn sizes(&self) -> [(&'static str, usize); 3] {
        self.named()
            .map(|(name, split)| (name, split.map_or(0, TokenSplit::windows)))
    }

    fn target(&self) -> Target {
        Target {
            tokens_per_byte: self.valid.as_ref().and_then(TokenSplit::tokens_per_byte),
            ..Target::default()
        }
    }

    fn preprocess(&self) -> Vec<(&'static str, String)> {
        let Some(tokenizer) = &self.tokenizer else {
            return Vec::new();
        };
        let generation = self.goes_on.then(|| tokenizer.generation()).flatten();
        let own = [(TOKENIZER, tokenizer.to_json())].into_iter();
        own.chain(tokenizer.companions())
            .chain(generation)
            .collect()
    }

    fn tokenizer(&self) -> Option<&Tokenizer> {
        self.tokenizer.as_ref()
    }

    fn files(&mut self) -> Option<&mut Vec<PathBuf>> {
        Some(&mut self.files)
    }

    fn hashes(&self) -> Result<BTreeMap<String, String>, DataError> {
        let mut hashes = hashes_of(&self.files)?;
        hashes.extend(self.hashes.clone());
        Ok(hashes)
    }

    fn sample(&self) -> Option<&str> {
        self.sample.as_deref()
    }

    /// The tokens of each split, the text that they stand for or how many of them train, and what fills rows of
    /// documents up.
    fn overview(&self) -> (Option<usize>, Vec<Vec<String>>) {
        let header: &[&str] = match self.train.chats() {
            Some(_) => &["", "rows", "conversations", "tokens", "trained"],
            None => &["", "windows", "tokens", "bytes"],
        };
        let mut rows = vec![
            header
                .iter()
                .map(|name| (*name).to_owned())
                .collect::<Vec<_>>(),
        ];
        rows[0].extend(self.train.padding().map(|_| "padding".into()));
        for (name, split) in self.named() {
            let mut row = vec![name.to_owned()];
            let numbers = split.map_or_else(|| vec![0; header.len() - 1], numbers);
            row.extend(numbers.iter().map(u64::to_string));
            let padding = split.and_then(TokenSplit::padding);
            row.extend(padding.map(|share| format!("{:.1} %", 100.0 * share)));
            rows.push(row);
        }
        (Some(self.vocabulary), rows)
    }
}
