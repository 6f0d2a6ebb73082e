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
            TextFormat::Text | TextFormat::TextJsonl => NeedsTokenizer::Always,
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

/// How a finished run reads text.
pub(super) struct Reads<'a> {
    pub tokenizer: Option<&'a Tokenizer>,
    pub vocabulary: usize,
    pub context: usize,
}

impl Reads<'_> {
    /// The windows of the text at `path`, and what there is to say of it.
    pub fn windows(
        &self,
        config: &RunConfig,
        path: &str,
    ) -> Result<(TokenSplit, Vec<String>), RunError> {
        let source = source(config);
        let split = match (self.tokenizer, source.format) {
            (Some(tokenizer), TextFormat::Text | TextFormat::TextJsonl) => {
                let how = (source.format, &source.config);
                TokenSplit::of_text(path, how, tokenizer, self.context)?
            }
            (tokenizer, _) => {
                let made_by = (tokenizer, self.vocabulary);
                TokenSplit::of_tokens(path, &source.config, made_by, self.context)?
            }
        };
        let notes = self.tokenizer.map(|tokenizer| split.notes(path, tokenizer));
        Ok((split.without_shift(), notes.unwrap_or_default()))
    }
}

/// Windows of as many tokens as the model looks at.
pub(super) fn input_spec(config: &RunConfig, data: &TextData) -> InputSpec {
    let context = config.model.section().context;
    InputSpec {
        tokens: Some(context as f64),
        ..InputSpec::of_data(data.sizes(), [context, 0])
    }
}

/// The vocabulary, and what goes into the model.
pub(super) fn assume(config: &RunConfig, given: &Assumptions) -> AssumedSpec<usize> {
    let told = source(config).config.vocabulary;
    let vocabulary = told.map(|_| "data.vocabulary says it");
    check_unread(config, given, vocabulary, Some("the configuration says it"))?;
    let mut assumed = Assumed::default();
    let vocabulary = told.unwrap_or_else(|| assumed.vocabulary(config, given));
    let lengths = [config.model.section().context, 0];
    Ok((
        vocabulary,
        InputSpec::assumed(config, given, (None, lengths), assumed),
    ))
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
        hashes_of(&self.files)
    }

    /// The tokens of each split, the text that they stand for, and what fills rows of documents up.
    fn overview(&self) -> (Option<usize>, Vec<Vec<String>>) {
        let header = ["", "windows", "tokens", "bytes"];
        let mut rows = vec![header.map(String::from).to_vec()];
        rows[0].extend(self.train.padding().map(|_| "padding".into()));
        for (name, split) in self.named() {
            let numbers = split.map_or([0; 3], |split| {
                [split.windows() as u64, split.tokens(), split.bytes()]
            });
            let mut row = vec![name.to_owned()];
            row.extend(numbers.iter().map(u64::to_string));
            let padding = split.and_then(TokenSplit::padding);
            row.extend(padding.map(|share| format!("{:.1} %", 100.0 * share)));
            rows.push(row);
        }
        (Some(self.vocabulary), rows)
    }
}
