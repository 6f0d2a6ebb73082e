//! Which rows of a table are used, and for what.

use super::config::{MissingTarget, TableConfig};
use super::memory::Table;
use super::schema::given_order;
use crate::error::{DataError, list};
use crate::labels::TargetKind;
use crate::note::Note;
use crate::split::{self, Rows, Splits};

/// Splits the rows of a table as its configuration says; a pure function of its arguments.
///
/// # Errors
/// A column that is missing or holds what cannot be used; a split that should have rows and would
/// have none.
pub fn split(
    table: &Table,
    config: &TableConfig,
    seed: u64,
    target: TargetKind,
) -> Result<Splits, DataError> {
    let targets = config.target_columns();
    for target in targets {
        table.column(target)?;
    }
    let needed = match config.missing_target {
        MissingTarget::Error => &[],
        MissingTarget::Drop => targets,
    };
    let time = config.split.time.as_deref();
    // What other rows hold decides how a cell is read, but never where a row of a stable split goes.
    let is_raw = |name: &str| config.split.stable && !targets.iter().any(|target| target == name);
    let columns = table.with(|name| table.readings.raw(name).filter(|_| is_raw(name)))?;
    let rows = Rows {
        columns: &columns,
        valid: table.valid.clone(),
        test: table.test.clone(),
        id: config.id.as_deref(),
        classes: (target == TargetKind::Class).then_some(&config.target),
        date_order: time.and_then(|time| given_order(config, time)),
        needed,
    };
    split::split(&rows, &config.split, seed).map_err(|error| table.locate(error, |row| row))
}

impl Table {
    /// Whether each row has what is to be predicted.
    ///
    /// # Errors
    /// [`DataError::MissingColumn`].
    pub(crate) fn has_target(
        &self,
        config: &TableConfig,
    ) -> Result<impl Fn(usize) -> bool + use<'_>, DataError> {
        let targets = config.target_columns().iter();
        let targets = targets.map(|name| self.column(name));
        let targets = targets.collect::<Result<Vec<_>, _>>()?;
        Ok(move |row| targets.iter().all(|target| target.is_valid(row)))
    }

    /// All rows; without those that lack a target if the configuration says to leave them out.
    ///
    /// # Errors
    /// [`DataError::MissingColumn`]; [`DataError::Unusable`] if no row is left.
    pub(crate) fn rows_with_target(&self, config: &TableConfig) -> Result<Vec<usize>, DataError> {
        let (drops, has_target) = (
            config.missing_target == MissingTarget::Drop,
            self.has_target(config)?,
        );
        let rows = (0..self.rows()).filter(|row| !drops || has_target(*row));
        let rows: Vec<usize> = rows.collect();
        match rows.is_empty() {
            true => Err(DataError::Unusable(format!(
                "no row has a target in {}",
                list(config.target_columns(), 5)
            ))),
            false => Ok(rows),
        }
    }

    /// Splits of this table that somebody else made, checked; without the rows that lack a target
    /// if the configuration says to leave them out.
    ///
    /// # Errors
    /// [`DataError::Split`], [`DataError::MissingColumn`].
    pub(crate) fn with_target(
        &self,
        splits: Splits,
        config: &TableConfig,
    ) -> Result<Splits, DataError> {
        let has_target = self.has_target(config)?;
        let drops = config.missing_target == MissingTarget::Drop;
        let splits = splits.filtered(|row| !drops || row >= self.rows() || has_target(row));
        splits.check(self.rows())?;
        Ok(splits)
    }

    /// What there is to say of the rows that are left out for lack of a target.
    pub(crate) fn note_of_dropped(&self, config: &TableConfig) -> Result<Option<Note>, DataError> {
        let has_target = self.has_target(config)?;
        // Of rows that stay in files those are counted that were read there.
        let first = self
            .sampled
            .as_ref()
            .map_or(0, |sampled| sampled.places.len());
        let missing = (first..self.rows()).filter(|row| !has_target(*row)).count();
        let drops = config.missing_target == MissingTarget::Drop && missing > 0;
        let message = format!("{missing} rows have no target and are left out");
        Ok(drops.then(|| Note::about(&config.target_columns().join(", "), message)))
    }
}
