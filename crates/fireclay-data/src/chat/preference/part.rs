//! The pairs of files, dealt out to the splits.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use super::super::config::TooLong;
use super::super::laid::{Found, Stretch};
use super::super::source::dealt;
use super::config::LongPair;
use super::read::Reader;
use super::split::{Answers, PreferenceSplit};
use super::tutor::EQUAL;
use crate::error::DataError;
use crate::files::expand;
use crate::split::SPLIT_NAMES;

/// Where pairs come from, and how long they may be.
pub(super) struct Source<'a> {
    pub reader: Reader<'a>,
    /// Tokens of a prompt with an answer at most.
    pub row: usize,
}

/// The pairs of a split.
pub(super) struct Part {
    /// The name of the split.
    pub name: String,
    /// What the files have.
    pub found: Arc<Found>,
    /// Whether they are all that the files have.
    pub is_whole: bool,
    pub split: PreferenceSplit,
    pub counts: Counts,
}

/// Pairs of a split that are not as they stand in the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Left out because an answer says nothing.
    pub empty: usize,
    /// Left out because both answers say the same.
    pub equal: usize,
    /// Longer than a row.
    pub longer: usize,
    /// Of those, left out.
    pub too_long: usize,
}

impl Source<'_> {
    /// The pairs of each split, and the files.
    ///
    /// # Errors
    /// What is wrong with a line; too few pairs for the splits.
    pub fn parts(&self, seed: u64) -> Result<([Option<Part>; 3], Vec<PathBuf>), DataError> {
        let config = self.reader.config;
        let mut files = expand(&config.path)?;
        let main = Arc::new(self.found(&files)?);
        let mut own = |name: &str, path: &Option<String>| {
            let Some(path) = path else { return Ok(None) };
            let more = expand(path)?;
            let part = self.all(name, &more)?;
            files.extend(more);
            Ok::<_, DataError>(Some(part))
        };
        let valid = own("valid", &config.valid_path)?;
        let test = own("test", &config.test_path)?;
        let taken = [true, valid.is_none(), test.is_none()];
        let count = main.conversations.len() / 2;
        let dealt = dealt((count, "pairs"), &config.split, taken, seed)?;
        let mut parts = [None, valid, test];
        for ((part, name), rows) in parts.iter_mut().zip(SPLIT_NAMES).zip(dealt) {
            if part.is_none() && !rows.is_empty() {
                *part = Some(self.part(name, &main, &rows)?);
            }
        }
        Ok((parts, files))
    }

    /// All pairs of these files.
    ///
    /// # Errors
    /// What is wrong with a line.
    pub fn all(&self, name: &str, files: &[PathBuf]) -> Result<Part, DataError> {
        let found = Arc::new(self.found(files)?);
        let rows: Vec<usize> = (0..found.conversations.len() / 2).collect();
        self.part(name, &found, &rows)
    }

    fn found(&self, files: &[PathBuf]) -> Result<Found, DataError> {
        let special = self.reader.tokenizer.special();
        Found::of(self.reader.tokens(files)?, self.row, &special)
    }

    fn part(&self, name: &str, found: &Arc<Found>, rows: &[usize]) -> Result<Part, DataError> {
        let (mut counts, mut pairs) = (Counts::default(), Vec::new());
        for row in rows {
            let both = &found.conversations[2 * row..][..2];
            let number = *row as u64 + 1;
            pairs.extend(self.answers(found, (number, [&both[0], &both[1]]), &mut counts)?);
        }
        Ok(Part {
            name: name.to_owned(),
            is_whole: 2 * rows.len() == found.conversations.len(),
            found: Arc::clone(found),
            split: PreferenceSplit::new(Arc::clone(&found.tokens), pairs),
            counts,
        })
    }

    /// What is read of a pair; none if it is left out, which is counted.
    fn answers(
        &self,
        found: &Found,
        (number, both): (u64, [&Stretch; 2]),
        counts: &mut Counts,
    ) -> Result<Option<Answers>, DataError> {
        if let Some(first) = both.iter().find_map(|answer| answer.alone()) {
            let is_equal = found.tokens.read(first..first + 1)? == [EQUAL];
            counts.equal += usize::from(is_equal);
            counts.empty += usize::from(!is_equal);
            return Ok(None);
        }
        let is_longer = both.iter().any(|answer| answer.is_longer(self.row));
        counts.longer += usize::from(is_longer);
        let parts = both.map(|answer| answer.part(self.row, TooLong::Cut));
        let leaves = is_longer && self.reader.config.too_long == LongPair::LeaveOut;
        let [Some((chosen, of_chosen)), Some((rejected, of_rejected))] = parts else {
            counts.too_long += 1;
            return Ok(None);
        };
        let read = |part: &Range<u64>| found.tokens.read(part.start..part.end + 1);
        // What is cut may be all in which they differ.
        if leaves || (is_longer && read(&chosen)? == read(&rejected)?) {
            counts.too_long += 1;
            return Ok(None);
        }
        Ok(Some(Answers {
            number,
            parts: [chosen, rejected],
            trained: [of_chosen, of_rejected],
        }))
    }
}

impl Part {
    /// The pairs.
    ///
    /// # Errors
    /// [`DataError::Unusable`] if there is none.
    pub fn split(&self, row: usize) -> Result<PreferenceSplit, DataError> {
        if self.split.pairs() > 0 {
            return Ok(self.split.clone());
        }
        let Counts {
            empty,
            equal,
            too_long,
            ..
        } = self.counts;
        Err(DataError::Unusable(format!(
            "no pair of {} is left to learn from: of {empty} an answer says nothing, of {equal} both say the same, and \
             {too_long} are longer than {row} tokens (data.max_length, data.too_long = \"cut\")",
            self.name
        )))
    }
}
