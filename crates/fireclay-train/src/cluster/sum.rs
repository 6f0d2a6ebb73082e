//! The gradients of all processes, added up the tree.

use std::collections::HashSet;
use std::ops::Range;

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Tensor, TensorData};

use super::tree::total;
use super::{Exchange, Lost};

/// Numbers that are on their way at once: 64 MiB, far below the 2³¹ that MPI counts to.
pub(super) const BLOCK: usize = 1 << 24;

/// Which parameters of the model have a gradient, in the order in which it visits them.
pub(crate) fn held<M: Module>(model: &M, grads: &GradientsParams) -> Vec<bool> {
    struct Held<'a>(&'a GradientsParams, HashSet<ParamId>, Vec<bool>);

    impl ModuleVisitor for Held<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if self.1.insert(param.id) {
                self.2.push(self.0.get::<D>(param.id).is_some());
            }
        }
    }

    let mut visitor = Held(grads, HashSet::new(), Vec::new());
    model.visit(&mut visitor);
    visitor.2
}

/// The sum of the gradients of all processes, of which each says what it has by [`held`].
pub(crate) fn sum<M: Module>(
    exchange: &mut dyn Exchange,
    model: &M,
    grads: GradientsParams,
    held: &[Vec<bool>],
) -> Result<GradientsParams, Lost> {
    if exchange.share().world == 1 {
        return Ok(grads);
    }
    let parameters = held.iter().map(Vec::len).max().unwrap_or(0);
    let wanted =
        (0..parameters).map(|index| held.iter().any(|held| held.get(index) == Some(&true)));
    let mut flat = Flat {
        grads,
        wanted: wanted.collect(),
        seen: HashSet::new(),
        values: Vec::new(),
        segments: Vec::new(),
    };
    model.visit(&mut flat);
    let Flat {
        wanted,
        values,
        segments,
        ..
    } = flat;
    let segments: Vec<_> = segments
        .into_iter()
        .map(|(index, range)| {
            let holders = held.iter().map(|held| held.get(index) == Some(&true));
            (range, holders.collect())
        })
        .collect();
    let values = across(exchange, values, &segments)?;
    let mut rebuilt = Rebuilt {
        wanted,
        seen: HashSet::new(),
        values: &values,
        grads: GradientsParams::new(),
    };
    model.visit(&mut rebuilt);
    Ok(rebuilt.grads)
}

/// Some of the values, and which processes have them.
type Segment = (Range<usize>, Vec<bool>);

/// Each process adds up its share of the values, and hands it to all.
fn across(
    exchange: &mut dyn Exchange,
    values: Vec<f32>,
    segments: &[Segment],
) -> Result<Vec<f32>, Lost> {
    let share = exchange.share();
    let mut sums = Vec::with_capacity(values.len());
    while sums.len() < values.len() {
        let start = sums.len();
        let length = (values.len() - start).min(BLOCK);
        let chunk = length.div_ceil(share.world);
        let mut block = values[start..start + length].to_vec();
        block.resize(chunk * share.world, 0.0);
        let received = exchange.all_to_all(block)?;
        let own = start + share.rank * chunk;
        let summed = chunk_sum(&received, own..own + chunk, segments);
        let all = exchange.all_gather(summed)?;
        sums.extend_from_slice(&all[..length]);
    }
    Ok(sums)
}

/// The sum of the chunks of all processes, each of which has `range` of its values.
fn chunk_sum(chunks: &[f32], range: Range<usize>, segments: &[Segment]) -> Vec<f32> {
    let mut sums = vec![0.0; range.len()];
    let first = segments.partition_point(|(segment, _)| segment.end <= range.start);
    for (segment, holders) in &segments[first..] {
        let [start, end] = [segment.start.max(range.start), segment.end.min(range.end)];
        if start >= end {
            break;
        }
        let within = start - range.start..end - range.start;
        let of_rank = |(chunk, has): (_, &bool)| {
            let chunk: &[f32] = chunk;
            has.then(|| &chunk[within.clone()])
        };
        let parts = chunks.chunks(range.len()).zip(holders).map(of_rank);
        if let Some(sum) = total(&parts.collect::<Vec<_>>()) {
            sums[within].copy_from_slice(&sum);
        }
    }
    sums
}

/// Puts the gradients that any process has one after another; zeros stand for those that this one has not.
struct Flat {
    grads: GradientsParams,
    wanted: Vec<bool>,
    seen: HashSet<ParamId>,
    values: Vec<f32>,
    segments: Vec<(usize, Range<usize>)>,
}

impl ModuleVisitor for Flat {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let index = self.seen.len();
        if !self.seen.insert(param.id) || self.wanted.get(index) != Some(&true) {
            return;
        }
        let start = self.values.len();
        match self.grads.remove::<D>(param.id) {
            Some(grad) => append(&mut self.values, &grad.into_data()),
            None => {
                let length: usize = param.val().dims().iter().product();
                self.values.resize(start + length, 0.0);
            }
        }
        self.segments.push((index, start..self.values.len()));
    }
}

/// Appends the numbers of a tensor; those of the usual kind at once.
pub(super) fn append(values: &mut Vec<f32>, data: &TensorData) {
    match data.as_slice::<f32>() {
        Ok(own) => values.extend_from_slice(own),
        Err(_) => values.extend(data.iter::<f32>()),
    }
}

/// Makes gradients of the values again.
struct Rebuilt<'a> {
    wanted: Vec<bool>,
    seen: HashSet<ParamId>,
    values: &'a [f32],
    grads: GradientsParams,
}

impl ModuleVisitor for Rebuilt<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let index = self.seen.len();
        if !self.seen.insert(param.id) || self.wanted.get(index) != Some(&true) {
            return;
        }
        let (value, device) = (param.val(), param.val().device().inner());
        let dims = value.dims();
        let (own, rest) = self.values.split_at(dims.iter().product());
        self.values = rest;
        let data = TensorData::new(own.to_vec(), dims);
        let grad = Tensor::<D>::from_data(data, &device);
        self.grads.register(param.id, grad);
    }
}
