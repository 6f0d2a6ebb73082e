//! Files of preferences as tokens, which are kept between runs.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;

use super::super::config::TrainOn;
use super::super::lesson::Teacher;
use super::super::read::write_file;
use super::super::sources::Sources;
use super::super::template::{Chat, Rendering, environment};
use super::super::turns::Turns;
use super::config::PreferenceDataConfig;
use super::tutor::Tutor;
use crate::error::DataError;
use crate::files::Lines;
use crate::text::TokenType;
use crate::text::cache::Cache;
use crate::text::tokens::{TokenFile, TokenWriter};
use crate::tokenizer::Tokenizer;

/// How preferences become tokens.
pub(super) struct Reader<'a> {
    pub config: &'a PreferenceDataConfig,
    /// The template, or why there is none, which is an error where there are messages.
    pub chat: Result<Chat, String>,
    pub tokenizer: &'a Tokenizer,
}

/// Another number for what would come out otherwise.
const VERSION: &str = "preferences 2";

impl Reader<'_> {
    /// The tokens of all pairs, in the order of the files: two texts for each.
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
        let (config, chat) = (self.config, &self.chat);
        let fields = (&config.prompt, &config.chosen, &config.rejected);
        format!(
            "{VERSION} {fields:?} {:?} {:?} {chat:?} {:?} {:?} {}",
            config.plain,
            config.today,
            self.tokenizer.start(),
            self.tokenizer.end_of_text(),
            self.tokenizer.to_json()
        )
    }

    fn write(&self, files: &[PathBuf], path: &Path) -> Result<TokenFile, DataError> {
        let environment = environment(self.config.day());
        let known = self.chat.as_ref();
        let known = known.map(|chat| (chat, Sources::signed(chat)));
        let teacher = match &known {
            Ok((chat, sources)) => Ok(Teacher {
                turns: Turns {
                    rendering: Rendering::new(chat, &environment, sources)
                        .map_err(DataError::Unusable)?,
                    train_on: TrainOn::Assistant,
                },
                tokenizer: self.tokenizer,
                special: self.tokenizer.special_names(),
                is_special: self.tokenizer.special(),
                field: None,
            }),
            Err(problem) => Err((*problem).clone()),
        };
        let tutor = Tutor {
            config: self.config,
            tokenizer: self.tokenizer,
            teacher,
            implicit: AtomicU64::new(0),
            texts: AtomicU64::new(0),
        };
        let mut writer = TokenWriter::create(path, TokenType::U32)?;
        for file in files {
            write_file(Lines::open(file)?, |line| tutor.lesson(line), &mut writer)?;
        }
        // Nothing asks these files for the bytes of their text.
        writer.counts.bytes = tutor.texts.into_inner();
        writer.counts.first = tutor.implicit.into_inner();
        writer.finish()
    }
}
