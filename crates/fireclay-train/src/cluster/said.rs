//! What processes say to each other whose parts of a batch meet.

use super::tree::Tree;
use super::{Exchange, Lost};

/// What a process says.
#[derive(Debug, PartialEq)]
pub(super) enum Said {
    /// It has no part of this batch.
    Nothing,
    /// Its parts are through.
    Through,
    /// The place that its parts have come to, and their numbers.
    Numbers(u64, Vec<f64>),
}

impl Said {
    fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Nothing => vec![0],
            Self::Through => vec![1],
            Self::Numbers(place, numbers) => {
                let numbers = numbers.iter().flat_map(|number| number.to_le_bytes());
                let place = place.to_le_bytes().into_iter();
                [2].into_iter().chain(place).chain(numbers).collect()
            }
        }
    }

    /// None where it is none.
    fn read(bytes: &[u8]) -> Option<Self> {
        match bytes.split_first()? {
            (0, []) => Some(Self::Nothing),
            (1, []) => Some(Self::Through),
            (2, rest) => {
                let (place, rest) = rest.split_first_chunk()?;
                let (numbers, rest) = rest.as_chunks();
                let numbers = numbers.iter().map(|number| f64::from_le_bytes(*number));
                rest.is_empty()
                    .then(|| Self::Numbers(u64::from_le_bytes(*place), numbers.collect()))
            }
            _ => None,
        }
    }
}

/// What the numbers of all processes come to; none once their parts are through.
///
/// # Errors
///
/// If a process has ended, or the processes are not at the same place.
pub(super) fn across(
    exchange: &mut dyn Exchange,
    own: &Said,
    join: impl Fn(&mut [f64], &[f64]),
) -> Result<Option<Vec<f64>>, Lost> {
    let all = exchange.gather(own.to_bytes())?;
    let unlike = || Lost("the processes have not come to the same layer of the model".into());
    let (mut tree, mut at, mut is_through) = (Tree::new(), None, false);
    for said in &all {
        let leaf = match Said::read(said).ok_or_else(unlike)? {
            Said::Nothing => None,
            Said::Through => {
                is_through = true;
                None
            }
            Said::Numbers(place, numbers) => {
                let here = (place, numbers.len());
                if *at.get_or_insert(here) != here {
                    return Err(unlike());
                }
                Some(numbers)
            }
        };
        tree.push(leaf, |mut left: Vec<f64>, right| {
            join(&mut left, &right);
            left
        });
    }
    match tree.root() {
        Some(_) if is_through => Err(unlike()),
        root => Ok(root),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_read() {
        let all = [
            Said::Nothing,
            Said::Through,
            Said::Numbers(7, Vec::new()),
            Said::Numbers(u64::MAX, vec![-0.0, 1e300, f64::MIN_POSITIVE]),
        ];
        for said in all {
            let bytes = said.to_bytes();
            assert_eq!(Said::read(&bytes), Some(said));
            assert_eq!(Said::read(&[&bytes[..], &[1]].concat()), None);
        }
        assert_eq!(Said::read(&[]), None);
        assert_eq!(Said::read(&[2, 0]), None);
    }
}
