//! Sums up a binary tree.

/// A binary tree over leaves that come in order; a leaf may be missing, and then its neighbour goes up alone.
/// Whatever the number of leaves that are at hand, no more nodes are kept than the tree has levels.
pub(crate) struct Tree<T> {
    /// The nodes that wait for their right neighbours, with their levels, the highest first.
    waiting: Vec<(u32, Option<T>)>,
}

impl<T> Tree<T> {
    pub fn new() -> Self {
        Self {
            waiting: Vec::new(),
        }
    }

    /// The next leaf.
    pub fn push(&mut self, leaf: Option<T>, mut add: impl FnMut(T, T) -> T) {
        let (mut level, mut node) = (0, leaf);
        while self.waiting.last().is_some_and(|(last, _)| *last == level) {
            let left = self.waiting.pop().and_then(|(_, left)| left);
            node = pair(left, node, &mut add);
            level += 1;
        }
        self.waiting.push((level, node));
    }

    /// The root, once a power of two of leaves have come.
    pub fn root(mut self) -> Option<T> {
        debug_assert_eq!(self.waiting.len(), 1, "a power of two of leaves");
        self.waiting.pop().and_then(|(_, root)| root)
    }
}

/// What two neighbours come to.
fn pair<T>(left: Option<T>, right: Option<T>, add: impl FnOnce(T, T) -> T) -> Option<T> {
    match (left, right) {
        (Some(left), Some(right)) => Some(add(left, right)),
        (left, right) => left.or(right),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sum of some vectors up the tree; there are a power of two of them, and some may be missing.
    fn total(leaves: &[Option<&[f32]>]) -> Option<Vec<f32>> {
        let mut tree = Tree::new();
        for leaf in leaves {
            tree.push(leaf.map(<[f32]>::to_vec), |mut left, right| {
                left.iter_mut().zip(right).for_each(|(a, b)| *a += b);
                left
            });
        }
        tree.root()
    }

    fn shape(leaves: &[Option<&str>]) -> Option<String> {
        let mut tree = Tree::new();
        for leaf in leaves {
            let leaf = leaf.map(str::to_owned);
            tree.push(leaf, |a, b| format!("({a}{b})"));
        }
        tree.root()
    }

    #[test]
    fn the_tree_is_the_same_whatever_is_missing() {
        let all = ["a", "b", "c", "d", "e", "f", "g", "h"].map(Some);
        assert_eq!(shape(&all).as_deref(), Some("(((ab)(cd))((ef)(gh)))"));
        let mut some = all;
        (some[1], some[4], some[5]) = (None, None, None);
        assert_eq!(shape(&some).as_deref(), Some("((a(cd))(gh))"));
        assert_eq!(shape(&[None; 4]), None);
        assert_eq!(shape(&all[..1]).as_deref(), Some("a"));
    }

    #[test]
    fn trees_of_halves_are_the_halves_of_the_tree() {
        let leaf = |i: usize| vec![(i as f32 * 0.37).sin() * 10f32.powi(i as i32 % 5)];
        let leaves: Vec<_> = (0..8).map(leaf).collect();
        let slices: Vec<_> = leaves.iter().map(|leaf| Some(leaf.as_slice())).collect();
        let whole = total(&slices).expect("leaves");
        for size in [1, 2, 4] {
            let parts: Vec<_> = slices.chunks(size).map(total).collect();
            let parts: Vec<_> = parts.iter().map(Option::as_deref).collect();
            assert_eq!(total(&parts).expect("parts"), whole);
        }
    }
}
