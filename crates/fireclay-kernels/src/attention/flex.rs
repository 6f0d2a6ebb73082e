//! Attention head by head, with the weights of a few queries at a time.

mod gradients;
mod heads;
mod strips;
mod values;

use std::ops::Range;

use burn::tensor::{Bool, Tensor};
use pulp::Simd;

use crate::flex::extension::*;
use crate::flex::{Mask, contiguous, run, tensor};
use crate::softmax::flex::Moments;
use heads::{Heads, RowsMut, by_head};
use strips::strip;
use values::Values;

pub(super) fn attention(
    [query, keys, values]: [Tensor<4>; 3],
    mask: Option<Tensor<4, Bool>>,
    factors: Option<Tensor<4>>,
) -> Tensor<4> {
    let ([batch, heads, new, width], [_, key_heads, time, _]) = (query.dims(), keys.dims());
    assert_eq!(
        [keys.dims(), values.dims()],
        [[batch, key_heads, time, width]; 2],
        "as many keys as values, of the queries' width"
    );
    assert_eq!(heads % key_heads, 0, "as many queries to each key");
    let terms = Terms::new(mask, factors, [heads, new, time, width]);
    let [query, keys, values] = [query, keys, values].map(Tensor::into_dispatch);
    Tensor::from_dispatch(Dispatch::attend(query, keys, values, terms))
}

pub(super) fn self_attention(
    all: Tensor<4>,
    mask: Option<Tensor<4, Bool>>,
    factors: Option<Tensor<4>>,
) -> Tensor<4> {
    let [_, heads, time, width] = all.dims();
    assert_eq!(heads % 3, 0, "queries, keys and values");
    let terms = Terms::new(mask, factors, [heads / 3, time, time, width]);
    Tensor::from_dispatch(Dispatch::attend_itself(all.into_dispatch(), terms))
}

/// What weights depend on, other than queries and keys.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    mask: Option<Mask>,
    /// The columns that each of the mask's rows shows.
    shown: Vec<Range<usize>>,
    /// `[batch, heads, new, time]`.
    factors: Option<FlexTensor>,
    scale: f32,
    heads: usize,
    new: usize,
    time: usize,
}

impl Terms {
    fn new(
        mask: Option<Tensor<4, Bool>>,
        factors: Option<Tensor<4>>,
        [heads, new, time, width]: [usize; 4],
    ) -> Self {
        let mask = mask.map(Mask::new);
        let factors = factors.map(|factors| {
            let factors = factors.without_autodiff().try_into_primitive::<Flex>();
            contiguous(factors.expect("factors are where their weights are"))
        });
        Self {
            shown: mask.as_ref().map(Mask::shown).unwrap_or_default(),
            mask,
            factors,
            scale: (width as f32).powf(-0.5),
            heads,
            new,
            time,
        }
    }

    /// The columns that any of these rows of a head, counted over the batch, sees, and those that
    /// share their strips.
    fn shown<S: Simd>(&self, head: usize, rows: Range<usize>) -> Range<usize> {
        let Some(mask) = &self.mask else {
            return 0..self.time;
        };
        let (mut start, mut end) = (self.time, 0);
        for row in rows {
            let shown = &self.shown[mask.index(head / self.heads, row)];
            (start, end) = (start.min(shown.start), end.max(shown.end));
        }
        start / strip::<S>() * strip::<S>()..end.next_multiple_of(strip::<S>()).min(self.time)
    }

    /// Ones where these columns of a row are masked.
    fn mask(&self, head: usize, row: usize, columns: Range<usize>) -> Option<&[u8]> {
        let mask = self.mask.as_ref()?;
        Some(&mask.row(head / self.heads, row)[columns])
    }

    fn factors(&self, head: usize, row: usize, columns: Range<usize>) -> Option<&[f32]> {
        let factors: &[f32] = self.factors.as_ref()?.storage();
        Some(&factors[(head * self.new + row) * self.time..][columns])
    }
}

#[backend_extension(Autodiff, Flex)]
pub(super) trait AttentionOps: Backend {
    fn attend(
        query: FloatTensor<Self>,
        keys: FloatTensor<Self>,
        values: FloatTensor<Self>,
        terms: Terms,
    ) -> FloatTensor<Self>;

    fn attend_itself(all: FloatTensor<Self>, terms: Terms) -> FloatTensor<Self>;
}

impl AttentionOps for Flex {
    fn attend(query: FlexTensor, keys: FlexTensor, values: FlexTensor, terms: Terms) -> FlexTensor {
        forward([query, keys, values], &terms).0
    }

    fn attend_itself(all: FlexTensor, terms: Terms) -> FlexTensor {
        forward(thirds(&all), &terms).0
    }
}

impl<C: CheckpointStrategy> AttentionOps for Autodiff<Flex, C> {
    fn attend(
        query: FloatTensor<Self>,
        keys: FloatTensor<Self>,
        values: FloatTensor<Self>,
        terms: Terms,
    ) -> FloatTensor<Self> {
        let inputs = [query, keys, values];
        let prepared = AttentionBackward.prepare::<C>(inputs.each_ref().map(|x| x.node()));
        match prepared.compute_bound().stateful() {
            OpsKind::Tracked(mut prepared) => {
                let kept = inputs.each_ref().map(|x| prepared.checkpoint(x));
                let (mixed, moments) = forward(inputs.map(|x| x.into_primitive()), &terms);
                prepared.finish((kept, moments, terms), mixed)
            }
            OpsKind::UnTracked(prepared) => {
                prepared.finish(forward(inputs.map(|x| x.into_primitive()), &terms).0)
            }
        }
    }

    fn attend_itself(all: FloatTensor<Self>, terms: Terms) -> FloatTensor<Self> {
        let prepared = SelfAttentionBackward.prepare::<C>([all.node()]);
        match prepared.compute_bound().stateful() {
            OpsKind::Tracked(mut prepared) => {
                let kept = prepared.checkpoint(&all);
                let (mixed, moments) = forward(thirds(&all.into_primitive()), &terms);
                prepared.finish((kept, moments, terms), mixed)
            }
            OpsKind::UnTracked(prepared) => {
                prepared.finish(forward(thirds(&all.into_primitive()), &terms).0)
            }
        }
    }
}

#[derive(Debug)]
struct AttentionBackward;

impl Backward<Flex, 3> for AttentionBackward {
    type State = ([NodeId; 3], Vec<Moments>, Terms);

    fn backward(
        self,
        ops: Ops<Self::State, 3>,
        gradients: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let (inputs, moments, terms) = ops.state;
        let parts = inputs.map(|input| checkpointer.retrieve_node_output::<FlexTensor>(input));
        let gradient = gradients.consume::<Flex>(&ops.node);
        let dims = parts.each_ref().map(dims);
        let mut found = dims.map(|dims| vec![0.0; dims.iter().product()]);
        let [query, keys, values] = &mut found;
        let targets = [(query, dims[0]), (keys, dims[1]), (values, dims[2])]
            .map(|(found, dims)| by_head(found, dims).collect());
        backward(parts, gradient, &moments, &terms, targets);
        for ((parent, found), dims) in ops.parents.into_iter().zip(found).zip(dims) {
            if let Some(parent) = parent {
                gradients.register::<Flex>(parent.id, heads_first(found, dims));
            }
        }
    }
}

#[derive(Debug)]
struct SelfAttentionBackward;

impl Backward<Flex, 1> for SelfAttentionBackward {
    type State = (NodeId, Vec<Moments>, Terms);

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        gradients: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let (input, moments, terms) = ops.state;
        let all: FlexTensor = checkpointer.retrieve_node_output(input);
        unary::<Flex, _>(ops.parents, ops.node, gradients, |gradient| {
            let dims = dims(&all);
            let mut found = vec![0.0; dims.iter().product()];
            let mut targets = [const { Vec::new() }; 3];
            for (head, rows) in by_head(&mut found, dims).enumerate() {
                targets[head % dims[1] / terms.heads].push(rows);
            }
            backward(thirds(&all), gradient, &moments, &terms, targets);
            heads_first(found, dims)
        });
    }
}

fn forward(parts: [FlexTensor; 3], terms: &Terms) -> (FlexTensor, Vec<Moments>) {
    let parts = parts.map(Heads::readable);
    let [query, keys, values] = parts.each_ref().map(Heads::new);
    let [batch, heads, new, width] = query.dims;
    let shared = heads / keys.dims[1];
    let mut mixed = vec![0.0; batch * new * heads * width];
    let mut moments = vec![Moments::default(); batch * heads * new];
    let mut targets: Vec<RowsMut<'_>> = by_head(&mut mixed, query.dims).collect();
    let results = targets
        .chunks_mut(shared)
        .zip(moments.chunks_mut(shared * new.max(1)));
    run(results.enumerate().map(|(group, (mixed, moments))| Values {
        first: group * shared,
        query,
        keys: keys.head(group),
        values: values.head(group),
        terms,
        mixed,
        moments,
    }));
    (heads_first(mixed, query.dims), moments)
}

/// Writes the gradients of queries, keys and values to their rows, head by head.
fn backward(
    parts: [FlexTensor; 3],
    gradient: FlexTensor,
    moments: &[Moments],
    terms: &Terms,
    [mut to_query, mut to_keys, mut to_values]: [Vec<RowsMut<'_>>; 3],
) {
    let (parts, gradient) = (parts.map(Heads::readable), Heads::readable(gradient));
    let [query, keys, values] = parts.each_ref().map(Heads::new);
    let shared = query.dims[1] / keys.dims[1];
    let pairs = to_keys.iter_mut().zip(&mut to_values);
    let results = to_query.chunks_mut(shared).zip(pairs);
    run(results.enumerate().map(
        |(group, (to_query, (to_keys, to_values)))| gradients::Group {
            first: group * shared,
            query,
            keys: keys.head(group),
            values: values.head(group),
            gradient: Heads::new(&gradient),
            terms,
            moments,
            to_query,
            to_keys,
            to_values,
        },
    ));
}

fn thirds(all: &FlexTensor) -> [FlexTensor; 3] {
    let heads = dims(all)[1] / 3;
    [0, 1, 2].map(|index| all.narrow(1, index * heads, heads))
}

fn dims(tensor: &FlexTensor) -> [usize; 4] {
    tensor.layout().shape().dims()
}

/// `[batch, time, heads, width]` numbers with the heads before the time, as they are asked for.
fn heads_first(numbers: Vec<f32>, [batch, heads, time, width]: [usize; 4]) -> FlexTensor {
    tensor(numbers, [batch, time, heads, width]).transpose(1, 2)
}
