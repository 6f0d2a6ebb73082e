//! Which process remembers what the optimizer keeps of a parameter, as in `cluster/owners.rs` of fireclay-train.

use std::cmp::Reverse;

/// The numbers of the process that owns most: whole parameters of these sizes have owners, the largest first to whoever has
/// the fewest numbers.
pub(crate) fn most_owned(sizes: impl Iterator<Item = u64>, processes: usize) -> u64 {
    let mut sizes: Vec<u64> = sizes.collect();
    sizes.sort_unstable_by_key(|size| Reverse(*size));
    let mut owned = vec![0_u64; processes];
    for size in sizes {
        if let Some(fewest) = owned.iter_mut().min() {
            *fewest += size;
        }
    }
    owned.into_iter().max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_parameter_stays_with_one() {
        let most = |processes| most_owned([3, 10, 4, 2, 1].into_iter(), processes);
        assert_eq!([1, 2, 3, 8].map(most), [20, 10, 10, 10]);
        assert_eq!(most_owned([5, 4, 3, 3].into_iter(), 2), 8);
    }
}
