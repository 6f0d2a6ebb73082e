//! Where the windows of several files are.

use std::ops::Range;
use std::sync::Arc;

/// Ranges of tokens that lie in one file each, and how many windows each of them has.
#[derive(Clone, Debug)]
pub(super) struct Stretches {
    ranges: Arc<[Range<u64>]>,
    /// The number of windows before each range, and of all.
    firsts: Arc<[usize]>,
}

impl Stretches {
    pub(super) fn new(
        ranges: Arc<[Range<u64>]>,
        mut windows: impl FnMut(&Range<u64>) -> usize,
    ) -> Self {
        let mut firsts = vec![0];
        let mut sum = 0;
        for range in ranges.iter() {
            sum += windows(range);
            firsts.push(sum);
        }
        Self {
            ranges,
            firsts: firsts.into(),
        }
    }

    /// The same ranges with other windows.
    pub(super) fn with(&self, windows: impl FnMut(&Range<u64>) -> usize) -> Self {
        Self::new(Arc::clone(&self.ranges), windows)
    }

    /// How many ranges there are.
    pub(super) fn len(&self) -> usize {
        self.ranges.len()
    }

    pub(super) fn ranges(&self) -> impl Iterator<Item = &Range<u64>> {
        self.ranges.iter()
    }

    /// The windows of each range.
    pub(super) fn windows(&self) -> impl Iterator<Item = Range<usize>> {
        self.firsts.windows(2).map(|pair| pair[0]..pair[1])
    }

    /// The number of windows of all.
    pub(super) fn count(&self) -> usize {
        self.firsts.last().copied().unwrap_or(0)
    }

    /// How many ranges have no window.
    pub(super) fn without_windows(&self) -> usize {
        self.windows().filter(Range::is_empty).count()
    }

    /// A range, and how many windows it has.
    pub(super) fn at(&self, number: usize) -> (Range<u64>, usize) {
        let windows = self.firsts[number + 1] - self.firsts[number];
        (self.ranges[number].clone(), windows)
    }

    /// The number of the range that a window lies in, and of the window within it.
    pub(super) fn place(&self, window: u32) -> (usize, u64) {
        let window = window as usize;
        let number = self.firsts.partition_point(|first| *first <= window) - 1;
        (number, (window - self.firsts[number]) as u64)
    }

    /// The range that a window lies in, and the number of the window within it.
    pub(super) fn of(&self, window: u32) -> (Range<u64>, u64) {
        let (number, within) = self.place(window);
        (self.ranges[number].clone(), within)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_counted_through_all_ranges() {
        let ranges = [0..10, 10..12, 12..20];
        let windows = |range: &Range<u64>| (range.end - range.start) as usize / 4;
        let stretches = Stretches::new(ranges.into(), windows);
        assert_eq!((stretches.count(), stretches.without_windows()), (4, 1));
        let places: Vec<_> = (0..4).map(|window| stretches.place(window)).collect();
        assert_eq!(places, [(0, 0), (0, 1), (2, 0), (2, 1)]);
        assert_eq!(stretches.of(3), (12..20, 1));
        assert_eq!(stretches.at(0), (0..10, 2));
    }
}
