//! Its `[data]` table and its data.

use std::collections::BTreeMap;
use std::path::PathBuf;

use fireclay_data::{DataError, Labels, Note, TargetKind, TextTableData, Tokenizer};

use super::super::Shown;
use super::super::dataset::{Columns, Dataset, counts, hashes_of};
use crate::artifacts::{PREPROCESS, TOKENIZER};
use crate::config::{DataSection, NeedsTokenizer, TextTableSource};
use crate::config::{Located, carry, split_key};
use crate::task::Target;

impl DataSection for TextTableSource {
    fn name(&self) -> &'static str {
        self.format.name()
    }

    fn located(&self) -> Located<'_> {
        let config = &self.config;
        let held_out = [&config.valid_path, &config.test_path];
        Located::split(&config.path, held_out, &config.split)
    }

    fn validate(&self) -> Vec<(String, String)> {
        self.config.validate()
    }

    fn validate_for(&self, kind: TargetKind) -> Vec<(String, String)> {
        self.config.validate_for(kind)
    }

    fn label_separator(&self) -> &str {
        self.config.label_separator.as_deref().unwrap_or(";")
    }

    fn carry(&mut self, columns: &[String]) -> bool {
        carry(&mut self.config.extra_columns, columns)
    }

    fn is_told(&self, column: &str) -> Option<&'static str> {
        let is_id = self.config.id.as_deref() == Some(column);
        let is_target = (self.config.target == column).then_some("target");
        is_target.or(is_id.then_some("id"))
    }

    fn is_input(&self, column: &str) -> bool {
        self.config.text == column
    }

    fn key_of_column(&self, column: &str) -> Option<String> {
        if self.config.text == column {
            Some("data.text".into())
        } else if self.config.target == column {
            Some("data.target".into())
        } else if self.config.id.as_deref() == Some(column) {
            Some("data.id".into())
        } else {
            split_key(&self.config.split, column)
        }
    }

    fn tokenizer(&self) -> NeedsTokenizer {
        NeedsTokenizer::Always
    }

    /// What training a tokenizer leaves beside that, some 110 MB, is free for the tensors that come after it.
    fn reading(&self) -> u64 {
        64_000_000
    }
}

impl Dataset for TextTableData {
    fn notes(&self) -> &[Note] {
        &self.notes
    }

    fn sizes(&self) -> [(&'static str, usize); 3] {
        self.named().map(|(name, split)| (name, split.len()))
    }

    fn target(&self) -> Target {
        let (classes, scale) = (self.preprocess.classes(), self.preprocess.target_mean_std());
        Target::new(classes, scale, self.train.labels())
    }

    fn labels(&self, split: usize) -> Option<&Labels> {
        Some([&self.train, &self.valid, &self.test][split].labels())
    }

    fn preprocess(&self) -> Vec<(&'static str, String)> {
        let own = [
            (TOKENIZER, self.tokenizer.to_json()),
            (PREPROCESS, self.preprocess.to_json()),
        ];
        own.into_iter().chain(self.tokenizer.companions()).collect()
    }

    fn tokenizer(&self) -> Option<&Tokenizer> {
        Some(&self.tokenizer)
    }

    fn columns(&self, split: usize) -> Columns {
        let carried = [&self.train, &self.valid, &self.test][split].carried();
        Columns::carried(carried)
    }

    fn shown(&self, split: usize, sample: usize) -> Result<Option<Shown>, DataError> {
        let split = [&self.train, &self.valid, &self.test][split];
        let text = self.tokenizer.decode(split.text(sample as u32))?;
        Ok(Some(Shown::Text(text)))
    }

    fn files(&mut self) -> Option<&mut Vec<PathBuf>> {
        Some(&mut self.files)
    }

    fn hashes(&self) -> Result<BTreeMap<String, String>, DataError> {
        hashes_of(&self.files)
    }

    /// The texts of each split, by class.
    fn overview(&self) -> (Option<usize>, Vec<Vec<String>>) {
        let classes = self.preprocess.classes();
        let mut rows = vec![["", "texts", "tokens"].map(String::from).to_vec()];
        rows[0].extend(classes.iter().cloned());
        for (name, split) in self.named() {
            let mut row = vec![name.to_owned()];
            row.extend([split.len(), split.tokens()].map(|count| count.to_string()));
            row.extend(counts(split.labels(), classes.len()));
            rows.push(row);
        }
        (Some(self.tokenizer.vocabulary()), rows)
    }
}
