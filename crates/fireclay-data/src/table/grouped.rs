//! Columns whose rows look as if they belonged together: several rows of one patient, one user, one series.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, StringArray};
use arrow::datatypes::DataType;

use super::config::{ColumnKind, TableConfig};
use super::divided;
use super::memory::Table;
use super::schema::{Role, Roles, infer_kind};
use crate::column::text;
use crate::error::DataError;
use crate::labels::TargetKind;
use crate::note::Note;

/// Values from which on a column can be one of groups; fewer are categories that may well tell the target.
const GROUPS: usize = 20;

/// What there is to say of the columns by which rows are divided, and of columns that look like groups where
/// the configuration splits by chance.
pub(super) fn notes(
    table: &Table,
    config: &TableConfig,
    target: TargetKind,
) -> Result<Vec<Note>, DataError> {
    let mut notes = divided::notes(table, config)?;
    let rules = &config.split;
    let is_settled = [&rules.group, &rules.time, &rules.column]
        .into_iter()
        .any(Option::is_some);
    if is_settled || target == TargetKind::Set {
        return Ok(notes);
    }
    let goal = table.column(&config.target)?;
    let roles = Roles::of(config);
    for name in table.columns() {
        let is_free = matches!(roles.role(&name), Role::Feature | Role::Id | Role::Ignored);
        let array = table.column(&name)?;
        if is_free && let Some(message) = hint(&name, array, goal) {
            notes.push(Note::about(&name, message));
        }
    }
    Ok(notes)
}

/// That all rows of each value of a column have one label, if that is so and no chance.
pub(super) fn hint(name: &str, array: &ArrayRef, target: &ArrayRef) -> Option<String> {
    // Reals are measured, not given to groups; in text they differ too often to get far.
    let types = [DataType::Utf8, DataType::LargeUtf8, DataType::Int64];
    if !types.contains(array.data_type()) {
        return None;
    }
    let groups = pure_groups(&text(name, array).ok()?, &text("", target).ok()?)?;
    let is_name = matches!(
        infer_kind(array),
        ColumnKind::Categorical | ColumnKind::Numeric
    );
    is_name.then(|| format!(
        "all rows of each of its {groups} values have one target, so the values can be learned by heart, and the test be passed so; if rows with the same value belong together, set split.group = {name:?}"
    ))
}

/// The number of groups, if there are many, each has one target, and chance would hardly make it so.
fn pure_groups(groups: &StringArray, targets: &StringArray) -> Option<usize> {
    let (mut target_of, mut counts) = (HashMap::new(), HashMap::<&str, usize>::new());
    let mut rows = 0_usize;
    for (group, target) in groups.iter().zip(targets) {
        let (Some(group), Some(target)) = (group, target) else {
            continue;
        };
        if *target_of.entry(group).or_insert(target) != target {
            return None;
        }
        if 2 * target_of.len() > groups.len() {
            return None;
        }
        *counts.entry(target).or_default() += 1;
        rows += 1;
    }
    let found = target_of.len();
    // With as many targets as groups the column is the target in other words.
    let is_many = found >= GROUPS && rows >= 2 * found && found >= 2 * counts.len();
    let share = |count: &usize| (*count as f64 / rows as f64).powi(2);
    // The chance that two rows agree. Each row beyond the first of its group agrees with it.
    let agree: f64 = counts.values().map(share).sum();
    let surprise = -agree.ln() * (rows - found.min(rows)) as f64;
    (is_many && surprise > 10.0).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(
        rows: usize,
        group: impl Fn(usize) -> usize,
        target: impl Fn(usize) -> usize,
    ) -> Option<usize> {
        let column = |of: &dyn Fn(usize) -> usize| -> StringArray {
            (0..rows).map(|row| Some(of(row).to_string())).collect()
        };
        pure_groups(&column(&group), &column(&target))
    }

    #[test]
    fn rows_with_one_target_for_each_group_are_found() {
        assert_eq!(groups(150, |row| row / 5, |row| row / 5 % 2), Some(30));
    }

    #[test]
    fn a_mixed_group_a_few_values_or_the_target_itself_are_no_groups() {
        assert_eq!(groups(150, |row| row / 5, |row| row % 2), None);
        assert_eq!(groups(150, |row| row % 10, |row| row % 2), None);
        assert_eq!(groups(150, |row| row % 30, |row| row % 30), None);
        assert_eq!(groups(150, |row| row, |row| row % 2), None);
    }

    #[test]
    fn a_target_that_hardly_varies_says_nothing() {
        assert_eq!(
            groups(150, |row| row / 5, |row| usize::from(row == 149)),
            None
        );
        assert_eq!(
            groups(150, |row| row / 5, |row| usize::from(row >= 145)),
            None
        );
    }
}
