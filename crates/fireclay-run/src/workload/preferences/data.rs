//! Its data.

use std::collections::BTreeMap;
use std::path::PathBuf;

use fireclay_data::{DataError, Note, PreferenceData, PreferenceSplit, Tokenizer};

use super::super::dataset::hashes_of;
use super::super::prelude::*;
use crate::config::{DataSection, Located, NeedsTokenizer, PreferenceSource};

/// No file.
static NONE: Option<String> = None;

impl DataSection for PreferenceSource {
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

/// Pairs of answers, and what a task makes of their tokenizer.
pub struct Rated {
    pub pairs: PreferenceData,
    /// The token whose logit is the reward, if the task has one.
    pub token: Option<u32>,
}

impl Dataset for Rated {
    fn notes(&self) -> &[Note] {
        &self.pairs.notes
    }

    fn target(&self) -> Target {
        Target {
            token: self.token,
            ..Target::default()
        }
    }

    fn sizes(&self) -> [(&'static str, usize); 3] {
        self.pairs
            .named()
            .map(|(name, split)| (name, split.map_or(0, PreferenceSplit::pairs)))
    }

    fn preprocess(&self) -> Vec<(&'static str, String)> {
        let own = [(TOKENIZER, self.pairs.tokenizer.to_json())].into_iter();
        own.chain(self.pairs.tokenizer.companions())
            .chain(self.pairs.tokenizer.generation())
            .collect()
    }

    fn tokenizer(&self) -> Option<&Tokenizer> {
        Some(&self.pairs.tokenizer)
    }

    fn files(&mut self) -> Option<&mut Vec<PathBuf>> {
        Some(&mut self.pairs.files)
    }

    fn hashes(&self) -> Result<BTreeMap<String, String>, DataError> {
        hashes_of(&self.pairs.files)
    }

    fn sample(&self) -> Option<&str> {
        Some(&self.pairs.sample)
    }

    /// The pairs of each split, their tokens, and how many of these are of answers.
    fn overview(&self) -> (Option<usize>, Vec<Vec<String>>) {
        let header = ["", "pairs", "tokens", "of answers"];
        let mut rows = vec![header.map(str::to_owned).to_vec()];
        for (name, split) in self.pairs.named() {
            let numbers = split.map_or([0; 3], |split| {
                [split.pairs() as u64, split.tokens(), split.trained()]
            });
            let numbers = numbers.iter().map(u64::to_string);
            rows.push([name.to_owned()].into_iter().chain(numbers).collect());
        }
        (Some(self.pairs.vocabulary), rows)
    }
}
