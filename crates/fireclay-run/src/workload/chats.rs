//! Conversations, of which a language model learns to answer.

use fireclay_data::{ChatDataConfig, TextData, TokenSplit, TokenizerKind};

use super::prelude::*;
use super::text::{Reads, Texts, order};
use crate::config::{ChatSource, DataSection, Located, NeedsTokenizer};

/// Conversations.
pub struct Chats;

/// No file.
static NONE: Option<String> = None;

impl DataSection for ChatSource {
    fn name(&self) -> &'static str {
        self.format.name()
    }

    fn located(&self) -> Located<'_> {
        let (config, split) = (&self.config, &self.config.split);
        let held_out = [&config.valid_path, &config.test_path];
        let mut located = Located::shared(&config.path, held_out, [split.valid, split.test]);
        let template = match config.template_file() {
            Some(_) => &config.chat_template,
            None => &NONE,
        };
        located.files.push(("chat_template", template));
        located
    }

    fn validate(&self) -> Vec<(String, String)> {
        self.config.validate()
    }

    fn tokenizer(&self) -> NeedsTokenizer {
        NeedsTokenizer::Always
    }

    fn reading(&self) -> u64 {
        14_000_000
    }
}

fn source(config: &RunConfig) -> &ChatDataConfig {
    let source = held!(&config.data, DataConfig::Chats);
    &source.expect("checked: the data is conversations").config
}

impl Texts for Chats {
    type Source = ChatSource;

    const NEXT: &'static str = "chat {}";

    fn of(data: &DataConfig) -> Option<&ChatSource> {
        held!(data, DataConfig::Chats)
    }

    fn check(config: &RunConfig) -> Vec<(&'static str, String)> {
        let (context, row) = (config.model.section().context, Self::row(config));
        let kind = config.tokenizer.as_ref().map(|tokenizer| tokenizer.kind);
        let made = kind.filter(|kind| !matches!(kind, TokenizerKind::File | TokenizerKind::Byte));
        let made = made.map(|kind| {
            let message = format!(
                "\"{}\" is made from text; conversations need a tokenizer that is there: \"file\" or \"byte\"",
                kind.name()
            );
            ("tokenizer.type", message)
        });
        let longer = (row > context).then(|| {
            let message = format!("is {row}, but the model reads {context} tokens at once");
            ("data.max_length", message)
        });
        made.into_iter().chain(longer).collect()
    }

    fn load(config: &RunConfig) -> Result<TextData, DataError> {
        let tokenizer = config.tokenizer.as_ref();
        let tokenizer = tokenizer.expect("checked: conversations need a tokenizer");
        let tokenizer = (tokenizer.kind, &tokenizer.config);
        let context = config.model.section().context;
        TextData::load_chats(source(config), tokenizer, context, order(config))
    }

    fn row(config: &RunConfig) -> usize {
        source(config).row(config.model.section().context)
    }

    fn vocabulary(_config: &RunConfig) -> Option<(usize, &'static str)> {
        None
    }

    fn windows(
        config: &RunConfig,
        path: &str,
        reads: &Reads<'_>,
    ) -> Result<(TokenSplit, Vec<String>), DataError> {
        let tokenizer = reads
            .tokenizer
            .ok_or_else(|| DataError::Unusable("the run has lost its tokenizer.json".into()))?;
        TokenSplit::of_chats_in(path, source(config), tokenizer, reads.context)
    }
}
