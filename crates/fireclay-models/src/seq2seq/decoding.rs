//! What a decoder attends to, and what it remembers of that from token to token.

use burn::tensor::{Bool, Int, Tensor};

use crate::layers::attention::padding_mask;
use crate::layers::causal::{KeyValueCache, LayerCache, later_mask};

/// The keys and values of the target's tokens that a decoder has read, and of the memory.
#[derive(Clone, Debug)]
pub struct DecoderCache {
    own: KeyValueCache,
    memory: KeyValueCache,
}

impl DecoderCache {
    /// A cache of no tokens, for so many blocks.
    pub(super) fn empty(layers: usize) -> Self {
        Self {
            own: KeyValueCache::empty(layers),
            memory: KeyValueCache::empty(layers),
        }
    }

    /// What each block has read of the target, and of the memory.
    pub(super) fn layers(&mut self) -> impl Iterator<Item = (&mut LayerCache, &mut LayerCache)> {
        self.own.layers.iter_mut().zip(&mut self.memory.layers)
    }

    /// The number of tokens of the target that were read.
    pub fn len(&self) -> usize {
        self.own.len()
    }

    /// Whether nothing was read.
    pub fn is_empty(&self) -> bool {
        self.own.is_empty()
    }

    /// Keeps these rows of the batch, in this order; a row may come several times.
    ///
    /// # Shapes
    ///
    /// - `rows`: `[new batch]`
    pub fn select(&mut self, rows: Tensor<1, Int>) {
        self.own.select(&rows);
        self.memory.select(&rows);
    }
}

/// What the tokens of the target attend to.
pub(super) struct Sources<'a> {
    /// The mask of the tokens of the target, `[1 or batch, 1, new, time]`.
    pub masked: Tensor<4, Bool>,
    /// The encoded source, `[batch, source time, width]`.
    pub memory: &'a Tensor<3>,
    /// The mask of its padding, `[batch, 1, 1, source time]`.
    pub masked_memory: Tensor<4, Bool>,
}

impl<'a> Sources<'a> {
    /// For a whole target: each token attends to itself and those before it, but to no padding.
    ///
    /// # Shapes
    ///
    /// - `source_mask`: `[batch, source time]`, true where there is a token
    /// - `target_mask`: `[batch, time]`, in the same way
    pub fn of_target(
        memory: &'a Tensor<3>,
        source_mask: Tensor<2, Bool>,
        target_mask: Tensor<2, Bool>,
    ) -> Self {
        let [batch, time] = target_mask.dims();
        let dims = [batch, 1, time, time];
        let later = later_mask(0, time, &target_mask.device()).expand(dims);
        Self {
            masked: later.bool_or(padding_mask(target_mask).expand(dims)),
            memory,
            masked_memory: padding_mask(source_mask),
        }
    }

    /// For `new` tokens after `seen` others, none of which is padding.
    ///
    /// # Shapes
    ///
    /// - `source_mask`: `[batch, source time]`, true where there is a token
    pub fn of_next(
        memory: &'a Tensor<3>,
        source_mask: Tensor<2, Bool>,
        [seen, new]: [usize; 2],
    ) -> Self {
        Self {
            masked: later_mask(seen, new, &memory.device()),
            memory,
            masked_memory: padding_mask(source_mask),
        }
    }
}
