//! What causal self-attention remembers of the tokens read so far, and the mask of the others
//! (Vaswani et al. 2017, [arXiv:1706.03762](https://arxiv.org/abs/1706.03762), section 3.2.3).

use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use fireclay_kernels::{Past, Sight, attend_each};

use super::attention::{attend, attend_capped};
use super::dropout::Dropout;

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
        match self.layers.first() {
            Some(LayerCache::Rows(Some([keys, _]))) => keys.dims()[2],
            _ => 0,
        }
    }

    /// Keeps these rows of the batch, in this order; a row may be there several times.
    pub fn select(&mut self, rows: &Tensor<1, Int>) {
        for layer in &mut self.layers {
            if let LayerCache::Rows(pair) = layer {
                let kept = |tensor: Tensor<4>| tensor.select(0, rows.clone());
                *pair = pair.take().map(|pair| pair.map(kept));
            }
        }
    }

    /// Forgets all but the first so many tokens.
    pub fn truncate(&mut self, length: usize) {
        for layer in &mut self.layers {
            let LayerCache::Rows(pair) = layer else {
                continue;
            };
            let first = |tensor: Tensor<4>| {
                let kept = length.min(tensor.dims()[2]);
                tensor.narrow(2, 0, kept)
            };
            *pair = pair
                .take()
                .filter(|_| length > 0)
                .map(|pair| pair.map(first));
        }
    }

    /// Whether nothing was read.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What was read of a single text, for [`forward_each`](crate::LanguageNetwork::forward_each); none before
    /// anything was.
    pub fn into_text(self) -> Option<ReadText> {
        let past = |layer| match layer {
            LayerCache::Rows(Some([keys, values])) if keys.dims()[0] == 1 => {
                Some(Past::new(keys, values))
            }
            _ => None,
        };
        let layers = self.layers.into_iter().map(past);
        layers.collect::<Option<Vec<_>>>().map(ReadText)
    }

    /// Lends what was read of several texts to `read`, as a cache in which each is of its own length.
    pub(crate) fn lend<T>(texts: &mut [&mut ReadText], read: impl FnOnce(&mut Self) -> T) -> T {
        let layers = texts.first().map_or(0, |text| text.0.len());
        let is_whole = texts.iter().all(|text| text.0.len() == layers);
        assert!(is_whole, "each text was read by all layers");
        let mut pasts: Vec<_> = texts.iter_mut().map(|text| text.0.drain(..)).collect();
        let layer = |_| LayerCache::Texts(pasts.iter_mut().filter_map(Iterator::next).collect());
        let mut cache = Self {
            layers: (0..layers).map(layer).collect(),
        };
        drop(pasts);
        let found = read(&mut cache);
        for layer in cache.layers {
            if let LayerCache::Texts(pasts) = layer {
                let pasts = texts.iter_mut().zip(pasts);
                pasts.for_each(|(text, past)| text.0.push(past));
            }
        }
        found
    }
}

/// What a model has read of one text among several, each of its own length.
#[derive(Clone, Debug)]
pub struct ReadText(Vec<Past>);

impl ReadText {
    /// The number of tokens.
    pub fn len(&self) -> usize {
        self.0.first().map_or(0, Past::len)
    }

    /// Whether nothing was read.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What a token sees of the others.
pub(crate) struct Seen<'a> {
    /// True where masked, `[1 or batch, 1, new, time]`, those beyond the window among them.
    pub masked: &'a Tensor<4, Bool>,
    /// Only the last so many tokens, itself among them.
    pub window: Option<usize>,
    /// What scores are held below, as in [`attend_capped`]; then nothing is dropped.
    pub cap: Option<f64>,
    /// What is dropped in training.
    pub dropout: Option<&'a Dropout>,
}

impl Seen<'_> {
    fn attend(
        &self,
        query: Tensor<4>,
        pairs: [Tensor<4>; 2],
        masked: &Tensor<4, Bool>,
    ) -> Tensor<4> {
        match self.cap {
            Some(cap) => attend_capped(query, pairs, masked, cap),
            None => attend(query, pairs, masked, self.dropout),
        }
    }
}

/// Keys and values of one block.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "a model has one for each block, and they are not moved"
)]
pub(crate) enum LayerCache {
    /// `[batch, heads, time, head width]`, once it has read something.
    Rows(Option<[Tensor<4>; 2]>),
    /// Of several texts, of which each next token is read.
    Texts(Vec<Past>),
}

impl Default for LayerCache {
    fn default() -> Self {
        Self::Rows(None)
    }
}

impl LayerCache {
    /// What queries find in keys and values from the first token on, of which it takes up the new ones.
    pub fn attend(
        &mut self,
        query: Tensor<4>,
        [keys, values]: [Tensor<4>; 2],
        seen: &Seen<'_>,
    ) -> Tensor<4> {
        let Self::Texts(pasts) = self else {
            let pairs = self.extend(keys, values);
            return seen.attend(query, pairs, seen.masked);
        };
        let sight = Sight {
            window: seen.window,
            cap: seen.cap,
        };
        let alone = |query: Tensor<4>, pair: [Tensor<4>; 2]| {
            // The last token: there is nothing later to mask.
            let masked = later_mask(pair[0].dims()[2] - 1, 1, &query.device());
            seen.attend(query, pair, &masked)
        };
        attend_each(query, [keys, values], pasts, sight, alone)
    }

    /// Takes up new keys and values, and gives all from the first token on. A model that predicts the next token
    /// calls [`attend`](Self::attend) instead, which reads several texts, too.
    ///
    /// # Panics
    ///
    /// If it is of several texts.
    pub fn extend(&mut self, keys: Tensor<4>, values: Tensor<4>) -> [Tensor<4>; 2] {
        let all = match self.rows().take() {
            None => [keys, values],
            Some([old_keys, old_values]) => [
                Tensor::cat(vec![old_keys, keys], 2),
                Tensor::cat(vec![old_values, values], 2),
            ],
        };
        self.rows().insert(all).clone()
    }

    /// Whether it is of a batch of which nothing was read.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Rows(None))
    }

    /// The keys and values of what all tokens attend to, made once.
    pub fn once(&mut self, make: impl FnOnce() -> [Tensor<4>; 2]) -> [Tensor<4>; 2] {
        self.rows().get_or_insert_with(make).clone()
    }

    fn rows(&mut self) -> &mut Option<[Tensor<4>; 2]> {
        match self {
            Self::Rows(pair) => pair,
            Self::Texts(_) => panic!("texts of their own lengths are no batch"),
        }
    }
}

/// The positions of tokens in their texts, and the mask of each.
pub struct Positions {
    /// The index of each in its text, `[1 or batch, new]`.
    pub(crate) indices: Tensor<2, Int>,
    /// All indices that there are, in any order.
    pub(crate) table: Vec<usize>,
    /// Where in the table that of each token is, `[1 or batch, new]`.
    pub(crate) places: Tensor<2, Int>,
    /// `[1 or batch, 1, new, time]`, true where masked.
    pub(crate) masked: Tensor<4, Bool>,
}

impl Positions {
    /// Those of `new` tokens after `seen` ones.
    pub fn after(seen: usize, new: usize, device: &Device) -> Self {
        let from = |start: usize| {
            Tensor::<1, Int>::arange(start as i64..(start + new) as i64, device).unsqueeze()
        };
        Self {
            indices: from(seen),
            table: (seen..seen + new).collect(),
            places: from(0),
            masked: later_mask(seen, new, device),
        }
    }

    /// Those of the next token of each text, of which so many were read, and of padding up to so many rows.
    pub(crate) fn of_next(seen: &[usize], rows: usize, device: &Device) -> Self {
        let mut table = seen.to_vec();
        table.resize(rows, 0);
        let indices: Vec<i64> = table.iter().map(|index| *index as i64).collect();
        let masked = Tensor::<2, Bool>::tril_mask([1, 1], 0, device);
        Self {
            places: Tensor::<1, Int>::arange(0..rows as i64, device).unsqueeze_dim(1),
            table,
            indices: Tensor::from_data(TensorData::new(indices, [rows, 1]), device),
            masked: masked.unsqueeze(),
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
        let indices = own.expand([batch, time]) - starts;
        Self {
            places: indices.clone(),
            indices,
            table: (0..time).collect(),
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
        let near = beyond([new, time], first, &self.masked.device());
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
    beyond([new, seen + new], seen as i64, device).unsqueeze()
}

/// Where a column is more than `offset` places after its row. Burn's `tril_mask` is the same, of a matrix of whole numbers that
/// takes eight times the memory.
fn beyond([rows, columns]: [usize; 2], offset: i64, device: &Device) -> Tensor<2, Bool> {
    let indices = |count: usize| Tensor::<1, Int>::arange(0..count as i64, device);
    let row = (indices(rows) + offset).reshape([rows, 1]);
    let column = indices(columns).reshape([1, columns]);
    let dims = [rows, columns];
    row.expand(dims).lower(column.expand(dims))
}
