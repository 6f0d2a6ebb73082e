//! What causal self-attention remembers of the tokens read so far, and the mask of the others
//! (Vaswani et al. 2017, [arXiv:1706.03762](https://arxiv.org/abs/1706.03762), section 3.2.3).

use std::ops::Range;

use burn::tensor::{Bool, Device, Int, Tensor};

/// The keys and values of the tokens that a model has read, so that those after them need not read
/// them again.
#[derive(Clone, Debug)]
pub struct KeyValueCache {
    /// One for each block.
    pub(crate) layers: Vec<LayerCache>,
}

impl KeyValueCache {
    /// A cache of no tokens.
    pub(crate) fn empty(layers: usize) -> Self {
        Self {
            layers: vec![LayerCache::default(); layers],
        }
    }

    /// The number of tokens that were read.
    pub fn len(&self) -> usize {
        let first = self.layers.first().and_then(|layer| layer.0.as_ref());
        first.map_or(0, |[keys, _]| keys.dims()[2])
    }

    /// Keeps these rows of the batch, in this order.
    pub(crate) fn select(&mut self, rows: &Tensor<1, Int>) {
        for LayerCache(pair) in &mut self.layers {
            let kept = |tensor: Tensor<4>| tensor.select(0, rows.clone());
            *pair = pair.take().map(|pair| pair.map(kept));
        }
    }

    /// Whether nothing was read.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Keys and values of one block, `[batch, heads, time, head width]`, once it has read something.
#[derive(Clone, Debug, Default)]
pub(crate) struct LayerCache(Option<[Tensor<4>; 2]>);

impl LayerCache {
    /// Takes up new keys and values, and gives all from the first token on.
    pub fn extend(&mut self, keys: Tensor<4>, values: Tensor<4>) -> [Tensor<4>; 2] {
        let all = match self.0.take() {
            None => [keys, values],
            Some([old_keys, old_values]) => [
                Tensor::cat(vec![old_keys, keys], 2),
                Tensor::cat(vec![old_values, values], 2),
            ],
        };
        self.0.insert(all).clone()
    }

    /// Whether nothing was read.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The keys and values of what all tokens attend to, made once.
    pub fn once(&mut self, make: impl FnOnce() -> [Tensor<4>; 2]) -> [Tensor<4>; 2] {
        self.0.get_or_insert_with(make).clone()
    }
}

/// The positions of tokens in their texts, and the mask of each.
pub struct Positions {
    /// The index of each in its text, `[1 or batch, new]`.
    pub(crate) indices: Tensor<2, Int>,
    /// The range of all indices.
    pub(crate) range: Range<usize>,
    /// `[1 or batch, 1, new, time]`, true where masked.
    pub(crate) masked: Tensor<4, Bool>,
}

impl Positions {
    /// Those of `new` tokens after `seen` ones.
    pub fn after(seen: usize, new: usize, device: &Device) -> Self {
        let range = seen..seen + new;
        let indices = Tensor::arange(range.start as i64..range.end as i64, device);
        Self {
            indices: indices.unsqueeze(),
            range,
            masked: later_mask(seen, new, device),
        }
    }

    /// Those of documents in one row, which do not attend to each other: each counts from its own
    /// start (Krell et al. 2021, *Efficient Sequence Packing without Cross-contamination*,
    /// [arXiv:2107.02027](https://arxiv.org/abs/2107.02027), section 3.2).
    ///
    /// # Shapes
    ///
    /// - `starts`: where in its row the document of each token starts, `[batch, time]`
    pub fn of_documents(starts: Tensor<2, Int>) -> Self {
        let ([batch, time], device) = (starts.dims(), starts.device());
        let dims = [batch, 1, time, time];
        let own = Tensor::<1, Int>::arange(0..time as i64, &device).unsqueeze::<2>();
        let attended = own.clone().unsqueeze::<4>().expand(dims);
        let start = starts.clone().reshape([batch, 1, time, 1]).expand(dims);
        // A token attends neither to later tokens, in whatever document, nor to those before the
        // start of its own.
        let later = later_mask(0, time, &device).expand(dims);
        Self {
            indices: own.expand([batch, time]) - starts,
            range: 0..time,
            masked: attended.lower(start).bool_or(later),
        }
    }

    /// The mask where each token attends to the last `window` tokens alone, itself among them
    /// (Beltagy et al. 2020, *Longformer*, [arXiv:2004.05150](https://arxiv.org/abs/2004.05150),
    /// section 3.1).
    ///
    /// # Shapes
    ///
    /// - result: `[1 or batch, 1, new, time]`, true where masked
    pub(crate) fn within(&self, window: usize) -> Tensor<4, Bool> {
        let dims = self.masked.dims();
        let [_, _, new, time] = dims;
        // The new tokens are the last of all.
        let first = (time - new) as i64 - window as i64;
        let near = Tensor::<2, Bool>::tril_mask([new, time], first, &self.masked.device());
        let far = near.bool_not().unsqueeze::<4>().expand(dims);
        self.masked.clone().bool_or(far)
    }
}

/// The mask of each of `new` tokens after `seen` ones: the tokens after it.
///
/// # Shapes
///
/// - result: `[1, 1, new, seen + new]`, true where masked
pub(crate) fn later_mask(seen: usize, new: usize, device: &Device) -> Tensor<4, Bool> {
    Tensor::<2, Bool>::tril_mask([new, seen + new], seen as i64, device).unsqueeze()
}
