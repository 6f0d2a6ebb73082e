//! Which groups the training rows are in, for the penalty in the loss.

use std::collections::BTreeMap;
use std::sync::Arc;

use fireclay_data::DataError;

use super::{Find, Groups};
use crate::task::Memberships;

/// The groups of rows, as numbers. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Indicators {
    /// `[rows, columns]`; the groups of each column have numbers of their own.
    of_rows: Arc<[u32]>,
    columns: usize,
    groups: usize,
}

impl Indicators {
    /// Those of some rows.
    ///
    /// # Errors
    ///
    /// If a column of groups is missing, or holds lists.
    pub fn new(groups: &Groups, find: &Find<'_>) -> Result<Self, DataError> {
        let each = groups.each(find)?;
        let (columns, rows) = (each.len(), each.first().map_or(0, Vec::len));
        let mut of_rows = vec![0; rows * columns];
        let mut count = 0;
        for (column, names) in each.iter().enumerate() {
            let mut numbers: BTreeMap<&String, u32> = names.iter().map(|name| (name, 0)).collect();
            for number in numbers.values_mut() {
                *number = count;
                count += 1;
            }
            for (row, name) in names.iter().enumerate() {
                of_rows[row * columns + column] = numbers[name];
            }
        }
        Ok(Self {
            of_rows: of_rows.into(),
            columns,
            groups: count as usize,
        })
    }

    /// Those of the rows at these positions.
    pub fn at(&self, positions: &[u32]) -> Memberships {
        let of_row = |row: usize| {
            let start = positions[row] as usize * self.columns;
            self.of_rows[start..start + self.columns].to_vec()
        };
        Memberships::new(positions.len(), of_row, self.groups)
    }
}
