//! Conversations made ready for training: found, split, turned into tokens and laid into rows.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::config::ChatDataConfig;
use super::named::{NAMED, lacks};
use super::notes;
use super::read::Reader;
use super::sample::sample;
use super::source::{Part, Source};
use super::template::Chat;
use crate::download;
use crate::error::DataError;
use crate::files::{expand, read_small};
use crate::text::{TextData, TextOrder, TokenSplit};
use crate::tokenizer::{Tokenizer, TokenizerConfig, TokenizerKind};

/// The largest template that is read.
const MOST_BYTES: u64 = 1 << 20;

impl TextData {
    /// Downloads conversations, writes them with their template, and lays their tokens into rows for a model that
    /// looks at `context` of them. The same files, configuration and seed give the same data.
    ///
    /// # Errors
    /// The first of what [`ChatDataConfig::validate`] and [`TokenizerConfig::validate`] find; whatever is wrong with a
    /// line of the files, or with the template.
    pub fn load_chats(
        config: &ChatDataConfig,
        (kind, tokenizer_config): (TokenizerKind, &TokenizerConfig),
        context: usize,
        order: TextOrder,
    ) -> Result<Self, DataError> {
        DataError::refuse("data", config.validate())?;
        DataError::refuse("tokenizer", tokenizer_config.validate(kind))?;
        let mut notes = download::beside(&config.download, &config.path)?;
        let template = config.chat_template.as_deref();
        let tokenizer = tokenizer(template, (kind, tokenizer_config))?;
        let source = Source {
            reader: Reader {
                config,
                chat: &chat(&tokenizer)?,
                tokenizer: &tokenizer,
            },
            row: config.row(context),
            in_order: !order.shuffles,
        };
        let (parts, mut files) = source.parts(order.seed)?;
        notes.extend(notes::of(&source, &parts));
        notes.extend(notes::of_ends(&parts, &tokenizer));
        let own = tokenizer_config.path.iter().chain(config.template_file());
        files.extend(own.map(PathBuf::from));
        let split = |part: &Option<Part>| part.as_ref().map(Part::split).transpose();
        let [train, valid, test] = &parts;
        let train = train.as_ref().ok_or_else(no_training)?;
        Ok(Self {
            vocabulary: tokenizer.vocabulary(),
            train: train.split()?,
            valid: split(valid)?,
            test: split(test)?,
            sample: sample(train, &tokenizer)?,
            tokenizer: Some(ending(&parts, &tokenizer)),
            files,
            hashes: BTreeMap::new(),
            notes,
            goes_on: true,
        })
    }
}

fn no_training() -> DataError {
    DataError::Unusable("there is no conversation to train on".into())
}

impl TokenSplit {
    /// All conversations of `path` (a file or a glob) in rows of `context` tokens at most, written with the template
    /// of the tokenizer, and what the user should know.
    ///
    /// # Errors
    /// Whatever is wrong with a line of the files.
    pub fn of_chats_in(
        path: &str,
        config: &ChatDataConfig,
        tokenizer: &Tokenizer,
        context: usize,
    ) -> Result<(Self, Vec<String>), DataError> {
        let source = Source {
            reader: Reader {
                config,
                chat: &chat(tokenizer)?,
                tokenizer,
            },
            row: config.row(context).min(context),
            in_order: false,
        };
        let part = source.all(path, &expand(path)?)?;
        Ok((part.split()?, notes::of_part(&part, &source)))
    }
}

/// The tokenizer that the configuration names, with the template that it names.
///
/// # Errors
/// If it is made from text, lacks what the template needs, or a file cannot be read.
pub(super) fn tokenizer(
    template: Option<&str>,
    (kind, tokenizer): (TokenizerKind, &TokenizerConfig),
) -> Result<Tokenizer, DataError> {
    if !matches!(kind, TokenizerKind::File | TokenizerKind::Byte) {
        let kind = kind.name();
        return Err(DataError::Tokenizer(format!(
            "type {kind:?} is made from text; conversations need one that is there: \"file\" or \"byte\""
        )));
    }
    let tokenizer = Tokenizer::train(kind, tokenizer, std::iter::empty())?;
    let Some(name) = template else {
        return Ok(tokenizer);
    };
    let Some((name, template)) = NAMED.into_iter().find(|(known, _)| *known == name) else {
        return Ok(tokenizer.with_chat_template(template_in(Path::new(name))?));
    };
    match lacks(name, &tokenizer) {
        Some(token) => Err(DataError::Tokenizer(format!(
            "it has no {token}, which data.chat_template = {name:?} needs; \"zephyr\" needs only a token that ends a \
             text, and a file may need none"
        ))),
        None => Ok(tokenizer.with_chat_template(template.to_owned())),
    }
}

fn template_in(path: &Path) -> Result<String, DataError> {
    let bytes = read_small(path, MOST_BYTES)?;
    String::from_utf8(bytes).map_err(|_| DataError::damaged(path, "it is no text in UTF-8"))
}

/// The template of a tokenizer.
///
/// # Errors
/// If it has none, or one that cannot be understood.
pub(super) fn chat(tokenizer: &Tokenizer) -> Result<Chat, DataError> {
    let chat = Chat::of_tokenizer(tokenizer).map_err(DataError::Unusable)?;
    chat.ok_or_else(|| {
        let names = NAMED.map(|(name, _)| format!("{name:?}")).join(" or ");
        DataError::Unusable(format!(
            "the tokenizer comes without a chat template, which says how a conversation is written; name one by \
             data.chat_template: a file with a Jinja template, or {names}"
        ))
    })
}

/// The tokenizer of a run, whose texts end where the turns of its conversations do.
fn ending(parts: &[Option<Part>; 3], tokenizer: &Tokenizer) -> Tokenizer {
    let ends = notes::more_ends(parts, tokenizer).into_iter();
    ends.fold(tokenizer.clone(), Tokenizer::ending_at)
}
