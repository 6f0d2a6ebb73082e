//! Long rows of numbers, of which a block is on its way at a time.

use std::ops::Range;

/// Numbers that each process adds up at once: half a MiB, so that caches hold what is on its way between a few processes.
const EACH: usize = 1 << 17;
/// The most that are on their way at once: 64 MiB, far below the 2³¹ that MPI counts to.
const MOST: usize = 1 << 24;

/// Numbers of each of so many processes that are on their way at once.
///
/// # Panics
///
/// If there is no process.
pub fn at_once(world: usize) -> usize {
    EACH.min(MOST / world).max(1)
}

/// The blocks of a row of so many numbers, which each process has.
pub(super) fn blocks(each: usize, world: usize) -> impl Iterator<Item = Range<usize>> {
    let length = at_once(world);
    let starts = (0..each).step_by(length);
    starts.map(move |start| start..(start + length).min(each))
}

/// What the numbers `range` have in `part`: where among these numbers, and where in the part.
pub(super) fn common(range: &Range<usize>, part: &Range<usize>) -> (Range<usize>, Range<usize>) {
    let start = range.start.max(part.start);
    let end = range.end.min(part.end).max(start);
    let since = |from: usize| start - from..end - from;
    (since(range.start), since(part.start))
}
