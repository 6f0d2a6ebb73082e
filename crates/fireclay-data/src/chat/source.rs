//! Conversations of files, dealt out to the splits and laid into rows.

use std::path::PathBuf;
use std::sync::Arc;

use super::laid::{Found, Laid, Stretch, laid};
use super::read::Reader;
use crate::error::DataError;
use crate::files::expand;
use crate::random::{Purpose, shuffle, stream};
use crate::split::SPLIT_NAMES;
use crate::text::{TextSplitConfig, TokenSplit};

/// Where conversations come from, and how they become rows.
pub(super) struct Source<'a> {
    pub reader: Reader<'a>,
    /// Tokens of a row at most.
    pub row: usize,
    /// Whether conversations keep the order of their files.
    pub in_order: bool,
}

/// The conversations of a split.
pub(super) struct Part {
    /// The name of the split.
    pub name: String,
    /// What the files have.
    pub found: Arc<Found>,
    /// What of it is of the split.
    pub laid: Laid,
}

impl Part {
    /// The rows.
    ///
    /// # Errors
    /// [`DataError::Unusable`] if there is none.
    pub fn split(&self) -> Result<TokenSplit, DataError> {
        match &self.laid.first {
            Some(_) => Ok(self.laid.split.clone()),
            None => Err(DataError::Unusable(format!(
                "no conversation of {} has something to learn within {} tokens; raise data.max_length, or set \
                 data.too_long = \"cut\"",
                self.name, self.laid.row
            ))),
        }
    }
}

impl Source<'_> {
    /// The conversations of each split, and the files.
    ///
    /// # Errors
    /// What is wrong with a line; too few conversations for the splits.
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
        let (valid, test) = (
            own("valid", &config.valid_path)?,
            own("test", &config.test_path)?,
        );
        let taken = [true, valid.is_none(), test.is_none()];
        let count = (main.conversations.len(), "conversations");
        let dealt = dealt(count, &config.split, taken, seed)?;
        let mut dealt = SPLIT_NAMES.into_iter().zip(dealt).map(|(name, rows)| {
            let own = rows.iter().map(|row| &main.conversations[*row]);
            let own: Vec<&Stretch> = own.collect();
            (!own.is_empty()).then(|| self.part(name, &main, &own))
        });
        let mut next = || dealt.next().flatten();
        let parts = [next(), next(), next()];
        let [train, other_valid, other_test] = parts;
        Ok(([train, valid.or(other_valid), test.or(other_test)], files))
    }

    /// All conversations of these files.
    ///
    /// # Errors
    /// What is wrong with a line.
    pub fn all(&self, name: &str, files: &[PathBuf]) -> Result<Part, DataError> {
        let found = Arc::new(self.found(files)?);
        let own: Vec<&Stretch> = found.conversations.iter().collect();
        Ok(self.part(name, &found, &own))
    }

    fn found(&self, files: &[PathBuf]) -> Result<Found, DataError> {
        let special = self.reader.tokenizer.special();
        Found::of(self.reader.tokens(files)?, self.row, &special)
    }

    fn part(&self, name: &str, found: &Arc<Found>, own: &[&Stretch]) -> Part {
        let how = (self.reader.config, self.row);
        Part {
            name: name.to_owned(),
            laid: laid(found, own, how, self.in_order),
            found: Arc::clone(found),
        }
    }
}

/// Deals so many conversations, or what they are called, out by chance to the splits that are `taken` from them; each
/// split keeps their order.
pub(super) fn dealt(
    (count, what): (usize, &str),
    shares: &TextSplitConfig,
    taken: [bool; 3],
    seed: u64,
) -> Result<[Vec<usize>; 3], DataError> {
    let cuts = shares.cuts(count as u64, taken[1], taken[2]);
    let mut order: Vec<usize> = (0..count).collect();
    shuffle(&mut order, &mut stream(seed, Purpose::Split, 0));
    let mut dealt: [Vec<usize>; 3] = Default::default();
    for (position, row) in order.into_iter().enumerate() {
        let split = cuts.iter().filter(|cut| position as u64 >= **cut).count();
        dealt[split].push(row);
    }
    dealt.iter_mut().for_each(|rows| rows.sort_unstable());
    let fractions = [shares.train, shares.valid, shares.test];
    for (split, name) in SPLIT_NAMES.into_iter().enumerate() {
        let is_wanted = split == 0 || fractions[split] > 0.0;
        if taken[split] && is_wanted && dealt[split].is_empty() {
            return Err(DataError::Split(format!(
                "the {name} split is empty: {count} {what} are too few; add some, or set the fraction to 0"
            )));
        }
    }
    Ok(dealt)
}
