//! Files of conversations as tokens, which are kept between runs.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::config::ChatDataConfig;
use super::lesson::{Lesson, Teacher};
use super::message::Conversation;
use super::sources::Sources;
use super::template::{Chat, Rendering, environment};
use super::turns::Turns;
use crate::error::{DataError, absolute};
use crate::files::{Lines, expand};
use crate::text::TokenType;
use crate::text::cache::Cache;
use crate::text::tokens::{TokenFile, TokenWriter};
use crate::tokenizer::Tokenizer;

/// How conversations become tokens.
pub(super) struct Reader<'a> {
    pub config: &'a ChatDataConfig,
    pub chat: &'a Chat,
    pub tokenizer: &'a Tokenizer,
}

/// Another number for what would come out otherwise.
const VERSION: &str = "chats 2";

impl Reader<'_> {
    /// The tokens of all conversations, in the order of the files.
    ///
    /// # Errors
    /// What is wrong with a line, and what to do.
    pub fn tokens(&self, files: &[PathBuf]) -> Result<TokenFile, DataError> {
        let cache = Cache::of(self.config.cache_dir.as_ref(), VERSION, files)?;
        cache.file(&(0..u64::MAX), &self.made_by(), |path| {
            self.write(files, path)
        })
    }

    /// All that the tokens depend on beside the files.
    fn made_by(&self) -> String {
        let (config, chat) = (self.config, self.chat);
        format!(
            "{VERSION} {:?} {:?} {:?} {chat:?} {}",
            config.field,
            config.train_on,
            config.today,
            self.tokenizer.to_json()
        )
    }

    fn write(&self, files: &[PathBuf], path: &Path) -> Result<TokenFile, DataError> {
        let environment = environment(self.config.day());
        let sources = Sources::signed(self.chat);
        let rendering = Rendering::new(self.chat, &environment, &sources);
        let teacher = Teacher {
            turns: Turns {
                rendering: rendering.map_err(DataError::Unusable)?,
                train_on: self.config.train_on,
            },
            tokenizer: self.tokenizer,
            special: self.tokenizer.special_names(),
            is_special: self.tokenizer.special(),
            field: self.config.field.as_deref(),
        };
        let mut writer = TokenWriter::create(path, TokenType::U32)?;
        for file in files {
            write_file(Lines::open(file)?, |line| teacher.lesson(line), &mut writer)?;
        }
        writer.finish()
    }
}

/// Whether the first line of a JSON file (or of the first that a pattern matches) is a conversation.
///
/// # Errors
/// If it cannot be read.
pub fn holds_conversations(path: &str) -> Result<bool, DataError> {
    let first = expand(path)?.remove(0);
    if !first.to_string_lossy().contains(".json") {
        return Ok(false);
    }
    let line = Lines::open(&first)?.next_line()?;
    Ok(line.is_some_and(|line| Conversation::read(&line, None).is_ok()))
}

/// Writes what `teach` makes of each line of a file.
///
/// # Errors
/// What is wrong with a line; a file without any.
pub(super) fn write_file(
    mut lines: Lines,
    teach: impl Fn(&str) -> Result<Lesson, String> + Sync,
    writer: &mut TokenWriter,
) -> Result<(), DataError> {
    let path = absolute(&lines.path);
    let mut is_empty = true;
    loop {
        let batch = next_batch(&mut lines)?;
        if batch.is_empty() {
            break;
        }
        is_empty = false;
        let lessons = batch.into_par_iter().map(|(line, text)| {
            let lesson = teach(&text);
            lesson.map_err(|message| DataError::Json {
                path: path.clone(),
                line,
                message,
            })
        });
        for lesson in lessons.collect::<Vec<_>>() {
            let lesson = lesson?;
            writer.push(&lesson.tokens)?;
            writer.counts.tally += lesson.tally;
        }
    }
    match is_empty {
        true => Err(lines.empty()),
        false => Ok(()),
    }
}

/// Lines with their numbers that are made into tokens at once, on all cores: about a mebibyte of text.
fn next_batch(lines: &mut Lines) -> Result<Vec<(u64, String)>, DataError> {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    while bytes < 1 << 20 {
        let Some(line) = lines.next_line()? else {
            break;
        };
        if !line.trim().is_empty() {
            bytes += line.len();
            batch.push((lines.read, line));
        }
    }
    Ok(batch)
}
