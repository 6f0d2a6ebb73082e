//! What is taken for a slip.

/// Parameters of the largest model that is not taken for a slip.
pub(crate) const LARGEST: usize = 100_000_000_000_000;

/// Beyond any sensible batch.
pub(crate) const MOST_ROWS: usize = 1 << 24;
