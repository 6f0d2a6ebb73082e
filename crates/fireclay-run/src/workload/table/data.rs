//! Its `[data]` table and its data.

use std::collections::BTreeMap;
use std::path::PathBuf;

use fireclay_data::{
    DataError, Labels, Note, Preprocess, Role, TableConfig, TableData, TargetKind, role,
};

use super::super::dataset::{Columns, Dataset, hashes_of};
use crate::artifacts::PREPROCESS;
use crate::config::{DataSection, TableSource};
use crate::config::{Located, carry, split_key};
use crate::task::Target;

impl DataSection for TableSource {
    fn name(&self) -> &'static str {
        self.format.name()
    }

    fn located(&self) -> Located<'_> {
        let config = &self.config;
        let held_out = [&config.valid_path, &config.test_path];
        Located::split(&config.path, held_out, &config.split)
    }

    fn validate(&self) -> Vec<(String, String)> {
        self.config.validate(self.format)
    }

    fn validate_for(&self, kind: TargetKind) -> Vec<(String, String)> {
        self.config.validate_for(kind)
    }

    fn target_key(&self) -> &'static str {
        match self.config.targets.is_empty() {
            true => "data.target",
            false => "data.targets",
        }
    }

    fn label_separator(&self) -> &str {
        self.config.label_separator.as_deref().unwrap_or(";")
    }

    fn carry(&mut self, columns: &[String]) -> bool {
        carry(&mut self.config.extra_columns, columns)
    }

    fn is_told(&self, column: &str) -> Option<&'static str> {
        let is_target = self
            .config
            .target_columns()
            .iter()
            .any(|name| name == column);
        let is_id = self.config.id.as_deref() == Some(column);
        is_target.then_some("target").or(is_id.then_some("id"))
    }

    fn table(&self) -> Option<&TableConfig> {
        Some(&self.config)
    }

    fn is_input(&self, column: &str) -> bool {
        role(&self.config, column) == Role::Feature
    }

    fn key_of_column(&self, column: &str) -> Option<String> {
        let data: &TableConfig = &self.config;
        let is = |name: &Option<String>| name.as_deref() == Some(column);
        if data.target == column {
            Some("data.target".into())
        } else if data.targets.iter().any(|name| name == column) {
            Some("data.targets".into())
        } else if data.text.iter().any(|name| name == column) {
            Some("data.text".into())
        } else if is(&data.id) {
            Some("data.id".into())
        } else if data.ignore.iter().any(|name| name == column) {
            Some("data.ignore".into())
        } else if data.columns.contains_key(column) {
            Some(format!("data.columns.{column}"))
        } else {
            split_key(&data.split, column)
        }
    }

    fn reading(&self) -> u64 {
        7_000_000
    }

    /// A row uses each weight once, so the parts of a small batch save less than adding up gradients costs.
    fn pays_in_parts(&self, parameters: usize, samples: usize) -> bool {
        samples >= 512 && parameters.saturating_mul(samples) >= 20_000_000
    }
}

impl Dataset for TableData {
    fn notes(&self) -> &[Note] {
        &self.notes
    }

    fn sizes(&self) -> [(&'static str, usize); 3] {
        self.named().map(|(name, split)| (name, split.len()))
    }

    fn target(&self) -> Target {
        let (classes, scale) = (self.preprocess.classes(), self.preprocess.target_mean_std());
        Target::new(classes, scale, &self.train.labels)
    }

    fn labels(&self, split: usize) -> Option<&Labels> {
        Some(&[&self.train, &self.valid, &self.test][split].labels)
    }

    fn preprocess(&self) -> Vec<(&'static str, String)> {
        vec![(PREPROCESS, self.preprocess.to_json())]
    }

    fn is_read_as(&self, saved: &str) -> bool {
        Preprocess::from_json(saved).is_ok_and(|saved| saved.encodes_as(&self.preprocess))
    }

    fn columns(&self, split: usize) -> Columns {
        let carried = &[&self.train, &self.valid, &self.test][split].carried;
        Columns::carried(carried)
    }

    fn files(&mut self) -> Option<&mut Vec<PathBuf>> {
        Some(&mut self.files)
    }

    fn hashes(&self) -> Result<BTreeMap<String, String>, DataError> {
        let mut hashes = hashes_of(&self.files)?;
        hashes.extend(self.hashes.clone());
        Ok(hashes)
    }

    /// The report on the table says all.
    fn overview(&self) -> (Option<usize>, Vec<Vec<String>>) {
        (None, Vec::new())
    }
}
