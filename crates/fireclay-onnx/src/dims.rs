//! Lengths that depend on those of the inputs.

use crate::error::Fault;

/// `factor` times the lengths that inputs choose, each raised to a power.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Dim {
    pub factor: usize,
    /// The power of each symbol.
    pub powers: Vec<u32>,
}

/// The lengths of the symbols in each recording: the first is compared with others, in each of which one
/// symbol is longer, in their order, and last with one in which all are.
pub(crate) type Sizes = Vec<Vec<usize>>;

/// Lengths of more than the cube of an input's are not looked for.
const MOST: u32 = 3;

impl Dim {
    /// A length that never changes.
    pub fn fixed(length: usize, symbols: usize) -> Self {
        Self {
            factor: length,
            powers: vec![0; symbols],
        }
    }

    /// The length that was `seen` in recordings of these `sizes`.
    ///
    /// # Errors
    ///
    /// If no product of symbols has all these values.
    pub fn of(seen: &[usize], sizes: &Sizes) -> Result<Self, Fault> {
        let symbols = sizes[0].len();
        let fault = || Fault::Varies(format!("a length is {seen:?} for inputs of {sizes:?}"));
        if seen.iter().all(|length| *length == seen[0]) {
            return Ok(Self::fixed(seen[0], symbols));
        }
        let power = |symbol: usize| {
            let (before, after) = (sizes[0][symbol], sizes[symbol + 1][symbol]);
            (0..=MOST).find(|power| {
                let times = |length: usize, by: usize| length as u128 * (by as u128).pow(*power);
                times(seen[symbol + 1], before) == times(seen[0], after)
            })
        };
        let powers = (0..symbols).map(power).collect::<Option<Vec<u32>>>();
        let powers = powers.ok_or_else(fault)?;
        let unit = Self { factor: 1, powers };
        let factor = seen[0] / unit.at(&sizes[0]).max(1);
        let found = Self { factor, ..unit };
        let fits = sizes.iter().zip(seen);
        match fits
            .into_iter()
            .all(|(sizes, seen)| found.at(sizes) == *seen)
        {
            true => Ok(found),
            false => Err(fault()),
        }
    }

    /// The length where the symbols have these lengths.
    pub fn at(&self, sizes: &[usize]) -> usize {
        let powers = self.powers.iter().zip(sizes);
        powers.fold(self.factor, |product, (power, size)| {
            product.saturating_mul(size.saturating_pow(*power))
        })
    }

    /// The length, if it never changes.
    pub fn number(&self) -> Option<i64> {
        let is_fixed = self.powers.iter().all(|power| *power == 0);
        is_fixed.then_some(self.factor as i64)
    }

    /// The symbol whose length it is.
    pub fn symbol(&self) -> Option<usize> {
        let is_one = self.factor == 1 && self.powers.iter().sum::<u32>() == 1;
        let found = self.powers.iter().position(|power| *power == 1);
        found.filter(|_| is_one)
    }

    /// How often `part` is in it, if that is a product of symbols, too.
    pub fn over(&self, part: &Self) -> Option<Self> {
        let powers = self.powers.iter().zip(&part.powers);
        let powers = powers.map(|(whole, part)| whole.checked_sub(*part));
        let is_whole = part.factor > 0 && self.factor.is_multiple_of(part.factor);
        Some(Self {
            factor: is_whole.then(|| self.factor / part.factor)?,
            powers: powers.collect::<Option<_>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes() -> Sizes {
        vec![vec![2, 5], vec![3, 5], vec![2, 7], vec![5, 11]]
    }

    #[test]
    fn products_of_symbols_are_found() {
        let find = |length: fn(usize, usize) -> usize| {
            let seen: Vec<usize> = sizes().iter().map(|s| length(s[0], s[1])).collect();
            Dim::of(&seen, &sizes())
        };
        let dim = |factor, powers: [u32; 2]| Dim {
            factor,
            powers: powers.to_vec(),
        };
        assert_eq!(find(|_, _| 5), Ok(dim(5, [0, 0])));
        assert_eq!(find(|batch, _| batch), Ok(dim(1, [1, 0])));
        assert_eq!(find(|batch, time| 12 * batch * time), Ok(dim(12, [1, 1])));
        assert_eq!(find(|_, time| 3 * time * time), Ok(dim(3, [0, 2])));
    }

    #[test]
    fn other_lengths_are_refused() {
        for length in [
            |_: usize, time: usize| time + 1,
            |batch: usize, time: usize| batch + time,
            |batch: usize, _: usize| 7 - batch,
            // As long as a product, but for the last.
            |batch: usize, time: usize| if time > 10 { 1 } else { batch },
        ] {
            let seen: Vec<usize> = sizes().iter().map(|s| length(s[0], s[1])).collect();
            assert!(Dim::of(&seen, &sizes()).is_err(), "{seen:?}");
        }
    }

    #[test]
    fn a_part_is_in_a_whole_or_not() {
        let dim = |factor, powers: [u32; 2]| Dim {
            factor,
            powers: powers.to_vec(),
        };
        let whole = dim(12, [1, 1]);
        assert_eq!(whole.over(&dim(4, [1, 0])), Some(dim(3, [0, 1])));
        assert_eq!(whole.over(&dim(5, [1, 0])), None);
        assert_eq!(whole.over(&dim(1, [2, 0])), None);
    }
}
