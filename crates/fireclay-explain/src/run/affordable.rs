//! What methods cost that ask the model anew for each column: with the columns that grows by its square.

use fireclay_run::Parts;

use super::against::ROWS;
use super::columns::{REPEATS, STEPS};
use super::method::Method;
use super::request::Request;
use crate::shapley::EXACT;

/// Numbers that a method gives the model which nobody has asked for, at most.
const MOST: u64 = 1 << 34;

/// The samples and the values of one.
pub(super) type Size = (usize, usize);

/// Those of the methods that are done in reasonable time, and what is to be said of the others.
pub(super) fn affordable(
    methods: Vec<Method>,
    request: &Request<'_>,
    (parts, size): (&Parts, Size),
) -> (Vec<Method>, Vec<String>) {
    let Parts::Columns { columns, .. } = parts else {
        return (methods, Vec::new());
    };
    let asked = |method: &Method| asked(*method, request, columns.len(), size.0);
    let is_cheap = |method: &Method| asked(method).saturating_mul(size.1 as u64) <= MOST;
    let (kept, left): (Vec<_>, Vec<_>) = methods.into_iter().partition(is_cheap);
    let note = |method: &Method| {
        let (name, rows) = (method.name(), asked(method));
        let fewer = match method {
            Method::PartialDependence => ", of some columns by --column",
            _ => ", of fewer samples by --rows",
        };
        format!(
            "{name} is left out: it would ask the model for {rows} rows of {} columns, which takes long; --method {name} asks \
             for it{fewer}",
            columns.len()
        )
    };
    let notes = left.iter().map(note).collect();
    (kept, notes)
}

/// Rows that a method asks the model for, of a table with so many columns and so many samples.
fn asked(method: Method, request: &Request<'_>, columns: usize, rows: usize) -> u64 {
    let named = match request.columns.len() {
        0 => columns,
        named => named,
    };
    let orders = match columns <= EXACT {
        true => 1 << columns,
        false => 2 * columns + 2,
    };
    let factors = match method {
        Method::Permutation => [REPEATS, columns, rows],
        Method::Shapley => [ROWS, orders, rows],
        Method::PartialDependence => [STEPS, named, rows],
        _ => return 0,
    };
    factors
        .into_iter()
        .map(|factor| factor as u64)
        .fold(1, u64::saturating_mul)
}
