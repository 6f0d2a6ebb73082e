//! Attention of long texts, of whose weights few rows are in memory at once.

use burn::tensor::Tensor;

use super::plain::{Attention, perhaps_one_pass};
use super::thirds;
use crate::half::widen;
use crate::operation::Operation;

/// [`Attention`] of some queries at a time, whose weights are made again for the gradients: memory grows with the length of
/// a text, not with its square (Rabe & Staats 2021, *Self-attention Does Not Need O(n²) Memory*,
/// [arXiv:2112.05682](https://arxiv.org/abs/2112.05682), with all keys at once).
#[derive(Clone, Debug)]
pub(super) struct Blocks {
    pub attention: Attention,
    /// Queries at a time.
    pub rows: usize,
}

/// Weights of a text from which on some queries at a time are read: those of 2048 tokens.
const LONG: usize = 1 << 22;

/// Weights that are in memory at once.
const AT_ONCE: usize = 1 << 26;

/// How many queries are read at a time, where texts are long.
pub(super) fn rows([batch, heads, new, time]: [usize; 4]) -> Option<usize> {
    let is_long = new.saturating_mul(time) > LONG;
    let rows = (AT_ONCE / (batch * heads * time).max(1)).max(1);
    (is_long && rows < new).then_some(rows)
}

impl Blocks {
    /// Where each block begins, and its queries.
    fn blocks(&self, queries: usize) -> impl Iterator<Item = (usize, usize)> + use<> {
        let rows = self.rows;
        (0..queries)
            .step_by(rows)
            .map(move |start| (start, rows.min(queries - start)))
    }

    fn find(&self, [query, keys, values]: [Tensor<4>; 3]) -> Tensor<4> {
        let found = self.blocks(query.dims()[2]).map(|(start, rows)| {
            let part = query.clone().narrow(2, start, rows);
            let attention = self.attention.of_rows(start, rows);
            attention.find([part, keys.clone(), values.clone()]).0
        });
        Tensor::cat(found.collect(), 2)
    }

    fn gradients(
        &self,
        [query, keys, values]: [Tensor<4>; 3],
        gradient: Tensor<4>,
    ) -> [Tensor<4>; 3] {
        let (mut to_query, mut others) = (Vec::new(), None::<[Tensor<4>; 2]>);
        for (start, rows) in self.blocks(query.dims()[2]) {
            let [part, own] = [&query, &gradient].map(|x| x.clone().narrow(2, start, rows));
            let attention = self.attention.of_rows(start, rows);
            let weights = attention.weights_of(part.clone(), keys.clone());
            let parts = [part, keys.clone(), values.clone()];
            let [to_part, to_keys, to_values] = attention.gradients(parts, weights, own);
            // A sum of many parts would lose too much in half precision.
            let [to_keys, to_values] = [to_keys, to_values].map(widen);
            to_query.push(to_part);
            others = Some(match others.take() {
                Some([keys, values]) => [keys + to_keys, values + to_values],
                None => [to_keys, to_values],
            });
        }
        let [to_keys, to_values] = others.expect("a long text has queries");
        let [to_keys, to_values] = [(to_keys, &keys), (to_values, &values)]
            .map(|(gradient, of)| gradient.cast(of.dtype()));
        [Tensor::cat(to_query, 2), to_keys, to_values]
    }
}

impl Operation<4, 3, 3> for Blocks {
    const CHEAP: bool = false;

    type Kept = ();

    fn forward(&self, [query, keys, values]: [Tensor<4>; 3]) -> (Tensor<4>, ()) {
        let found = perhaps_one_pass(query, |query| self.find([query, keys, values]));
        (found, ())
    }

    fn backward(
        &self,
        [query, keys, values]: [Tensor<4>; 3],
        _: (),
        gradient: Tensor<4>,
    ) -> [Tensor<4>; 3] {
        perhaps_one_pass(query, |query| {
            self.gradients([query, keys, values], gradient)
        })
    }
}

impl Operation<4, 1, 1> for Blocks {
    const CHEAP: bool = false;

    type Kept = ();

    fn forward(&self, [all]: [Tensor<4>; 1]) -> (Tensor<4>, ()) {
        (perhaps_one_pass(all, |all| self.find(thirds(all))), ())
    }

    fn backward(&self, [all]: [Tensor<4>; 1], _: (), gradient: Tensor<4>) -> [Tensor<4>; 1] {
        [perhaps_one_pass(all, |all| {
            Tensor::cat(self.gradients(thirds(all), gradient).into(), 1)
        })]
    }
}
