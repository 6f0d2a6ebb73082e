//! Last rows that are no samples but sums of the others.

/// Rows at the end of a table that can be such.
pub(crate) const LAST_ROWS: usize = 3;

/// What stands in a cell of such a row.
const WORDS: [&str; 14] = [
    "total",
    "totals",
    "grand total",
    "total general",
    "sum",
    "sums",
    "subtotal",
    "average",
    "mean",
    "summe",
    "gesamt",
    "insgesamt",
    "totale",
    "totaal",
];

/// Whether a cell says that its row sums up others.
pub(crate) fn is_footer(cell: &str) -> bool {
    let cell = cell.trim().trim_end_matches(':').to_lowercase();
    WORDS.contains(&cell.as_str())
}
