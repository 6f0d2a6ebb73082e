//! Training rows that stay in files.

use std::sync::Arc;

use super::{Split, TableData};
use crate::error::DataError;
use crate::order::EpochOrder;
use crate::shards::{Ahead, Upcoming};
use crate::table::carried::Carried;
use crate::table::config::TableConfig;
use crate::table::encoded::EncodedFiles;
use crate::table::preprocess::Features;
use crate::table::sample::Sampled;

impl TableData {
    /// The same with the training rows of files, of which some stood for all.
    pub(super) fn with_files(
        mut self,
        sampled: &Sampled,
        config: &TableConfig,
    ) -> Result<Self, DataError> {
        let found = EncodedFiles::find(config, sampled, &self.preprocess)?;
        self.notes.extend(found.notes(sampled, config));
        // The hashes of the bytes that were encoded.
        for (path, hash) in found.hashes() {
            self.files.retain(|file| *file != path);
            self.hashes.insert(path.display().to_string(), hash);
        }
        // Rows are counted through all files.
        let before = sampled.total - sampled.places.len();
        self.valid.carried.count_from(before);
        self.test.carried.count_from(before);
        self.train = Split {
            features: Arc::new(Features::default()),
            files: Some(Arc::new(found.files)),
            labels: Arc::new(found.labels),
            carried: Carried::of_files(found.rows, found.weights, config)?,
        };
        Ok(self)
    }
}

impl Split {
    /// Whether the rows stay in files.
    pub fn is_in_files(&self) -> bool {
        self.files.is_some()
    }

    /// The order of an epoch, rearranged where rows are in files, so that only a few of those are needed at a time;
    /// `key` is seed and epoch.
    pub fn arrange(&self, order: EpochOrder, key: (u64, u64)) -> EpochOrder {
        match &self.files {
            Some(files) => files.arrange(order, key),
            None => order,
        }
    }

    /// Has the files ready before these rows are needed; none where all rows are in memory.
    pub fn ahead(&self, rows: Upcoming) -> Option<Ahead> {
        self.files.as_ref()?.ahead(rows)
    }
}
