//! Its `[data]` table and its data.

use std::collections::BTreeMap;
use std::path::PathBuf;

use fireclay_data::{DataError, Note, PairData, PairSplit, Tokenizer};

use super::super::dataset::{Dataset, hashes_of};
use crate::artifacts::TOKENIZER;
use crate::config::{DataSection, Located, NeedsTokenizer, PairSource};

impl DataSection for PairSource {
    fn name(&self) -> &'static str {
        self.format.name()
    }

    fn located(&self) -> Located<'_> {
        let (config, split) = (&self.config, &self.config.split);
        let held_out = [&config.valid_path, &config.test_path];
        let mut located = Located::shared(&config.path, held_out, [split.valid, split.test]);
        let targets = [
            ("target_path", &config.target_path),
            ("valid_target_path", &config.valid_target_path),
            ("test_target_path", &config.test_target_path),
        ];
        located.files.splice(..0, targets);
        located
    }

    fn validate(&self) -> Vec<(String, String)> {
        self.config.validate(self.format)
    }

    fn tokenizer(&self) -> NeedsTokenizer {
        NeedsTokenizer::Always
    }

    fn own_batches(&self) -> Option<&'static str> {
        Some("batches of pairs are counted in tokens: data.batch_tokens")
    }

    /// What training a tokenizer leaves beside that, some 110 MB, is free for the tensors that come after it.
    fn reading(&self) -> u64 {
        64_000_000
    }
}

impl Dataset for PairData {
    fn notes(&self) -> &[Note] {
        &self.notes
    }

    fn sizes(&self) -> [(&'static str, usize); 3] {
        self.named()
            .map(|(name, split)| (name, split.map_or(0, PairSplit::groups)))
    }

    fn preprocess(&self) -> Vec<(&'static str, String)> {
        let own = [(TOKENIZER, self.tokenizer.to_json())].into_iter();
        own.chain(self.tokenizer.companions()).collect()
    }

    fn tokenizer(&self) -> Option<&Tokenizer> {
        Some(&self.tokenizer)
    }

    fn files(&mut self) -> Option<&mut Vec<PathBuf>> {
        Some(&mut self.files)
    }

    fn hashes(&self) -> Result<BTreeMap<String, String>, DataError> {
        hashes_of(&self.files)
    }

    /// The pairs of each split, and the batches that they make.
    fn overview(&self) -> (Option<usize>, Vec<Vec<String>>) {
        let mut rows = vec![["", "pairs", "batches"].map(String::from).to_vec()];
        for (name, split) in self.named() {
            let numbers = split.map_or([0; 2], |split| [split.pairs(), split.groups()]);
            let numbers = numbers.iter().map(usize::to_string);
            rows.push(std::iter::once(name.to_owned()).chain(numbers).collect());
        }
        (Some(self.vocabulary), rows)
    }
}
