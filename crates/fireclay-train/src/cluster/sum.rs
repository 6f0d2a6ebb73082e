//! The gradients of all processes, added up the tree.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Tensor, TensorData};

use super::{Exchange, Lost, Owners};
use crate::gradients::scale;

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

/// `factor` times the sum of the gradients of all processes, of which each says what it has by [`held`]. Where parameters
/// have `owners`, each process gets the gradients of its own ones.
pub(crate) fn sum<M: Module>(
    exchange: &mut dyn Exchange,
    (model, grads): (&M, GradientsParams),
    held: &[Vec<bool>],
    factor: f64,
    owners: Option<&Owners>,
) -> Result<GradientsParams, Lost> {
    if exchange.share().world == 1 {
        return Ok(scale(model, grads, factor));
    }
    let mut flat = Flat::new(grads, held, owners);
    model.visit(&mut flat);
    let Flat {
        values,
        mut segments,
        ..
    } = flat;
    segments.sort_unstable_by_key(|(_, range)| range.start);
    let with_holders = segments.iter().map(|(index, range)| {
        let holders = held.iter().map(|held| held.get(*index) == Some(&true));
        (range.clone(), holders.collect())
    });
    let with_holders: Vec<Segment> = with_holders.collect();
    let factor = factor as f32;
    let (values, first) = match owners {
        None => (across(exchange, values, &with_holders, factor)?, 0),
        Some(owners) => {
            let own = own_sums(exchange, values, &with_holders, factor)?;
            (own, owners.rank() * owners.most())
        }
    };
    let own = first..first + values.len();
    let ranges = segments.into_iter();
    let ranges = ranges.filter(|(_, range)| own.start <= range.start && range.end <= own.end);
    let mut rebuilt = Rebuilt {
        ranges: ranges
            .map(|(index, range)| (index, range.start - first))
            .collect(),
        seen: HashSet::new(),
        values: &values,
        grads: GradientsParams::new(),
    };
    model.visit(&mut rebuilt);
    Ok(rebuilt.grads)
}

/// The sums times `factor` of what this process owns, of values in which each process has as many places.
fn own_sums(
    exchange: &mut dyn Exchange,
    values: Vec<f32>,
    segments: &[Segment],
    factor: f32,
) -> Result<Vec<f32>, Lost> {
    let share = exchange.share();
    let most = values.len() / share.world;
    let length = (BLOCK / share.world).max(1);
    let mut block = |of_all: Vec<f32>, block: Range<usize>| {
        let mut chunks = exchange.all_to_all(of_all)?;
        let own = share.rank * most;
        add_up(&mut chunks, own + block.start..own + block.end, segments);
        chunks.truncate(block.len());
        chunks.iter_mut().for_each(|sum| *sum *= factor);
        Ok::<_, Lost>(chunks)
    };
    if most <= length {
        return block(values, 0..most);
    }
    let mut sums = Vec::with_capacity(most);
    for start in (0..most).step_by(length) {
        let range = start..(start + length).min(most);
        let of_all = values
            .chunks(most)
            .flat_map(|values| &values[range.clone()]);
        sums.append(&mut block(of_all.copied().collect(), range.clone())?);
    }
    Ok(sums)
}

/// Some of the values, and which processes have them.
type Segment = (Range<usize>, Vec<bool>);

/// The sums of all values times `factor`.
fn across(
    exchange: &mut dyn Exchange,
    values: Vec<f32>,
    segments: &[Segment],
    factor: f32,
) -> Result<Vec<f32>, Lost> {
    if values.len() <= BLOCK {
        return block(exchange, values, 0, segments, factor);
    }
    let mut sums = Vec::with_capacity(values.len());
    for (number, values) in values.chunks(BLOCK).enumerate() {
        let start = number * BLOCK;
        sums.extend(block(exchange, values.to_vec(), start, segments, factor)?);
    }
    Ok(sums)
}

/// The same of the values from number `start` on: each process adds up its share of them, and hands it to all.
fn block(
    exchange: &mut dyn Exchange,
    mut values: Vec<f32>,
    start: usize,
    segments: &[Segment],
    factor: f32,
) -> Result<Vec<f32>, Lost> {
    let (share, length) = (exchange.share(), values.len());
    let chunk = length.div_ceil(share.world);
    values.resize(chunk * share.world, 0.0);
    let mut chunks = exchange.all_to_all(values)?;
    let own = start + share.rank * chunk;
    add_up(&mut chunks, own..own + chunk, segments);
    chunks.truncate(chunk);
    chunks.iter_mut().for_each(|sum| *sum *= factor);
    let mut sums = exchange.all_gather(chunks)?;
    sums.truncate(length);
    Ok(sums)
}

/// Adds up the chunks of all processes, each of which has `range` of its values, into the first.
fn add_up(chunks: &mut [f32], range: Range<usize>, segments: &[Segment]) {
    let length = range.len();
    let first = segments.partition_point(|(segment, _)| segment.end <= range.start);
    for (segment, holders) in &segments[first..] {
        let [start, end] = [segment.start.max(range.start), segment.end.min(range.end)];
        if start >= end {
            break;
        }
        let at = start - range.start;
        let within = |rank: usize| rank * length + at..rank * length + at + (end - start);
        let holders = holders.iter().enumerate();
        let leaves = holders.map(|(rank, has)| has.then_some(rank));
        let root = folded(leaves.collect(), |left, right| {
            let (before, after) = chunks.split_at_mut(right * length);
            let right = &after[at..at + (end - start)];
            let left = &mut before[within(left)];
            left.iter_mut().zip(right).for_each(|(a, b)| *a += b);
        });
        if let Some(root) = root.filter(|root| *root > 0) {
            chunks.copy_within(within(root), at);
        }
    }
}

/// The root of a tree whose right leaves are added to the left ones; some leaves may be missing.
fn folded(mut nodes: Vec<Option<usize>>, mut add: impl FnMut(usize, usize)) -> Option<usize> {
    while nodes.len() > 1 {
        let pairs = nodes.chunks(2).map(|pair| match *pair {
            [Some(left), Some(right)] => {
                add(left, right);
                Some(left)
            }
            [left, right] => left.or(right),
            _ => pair[0],
        });
        nodes = pairs.collect();
    }
    nodes.pop().flatten()
}

/// Puts the gradients that any process has where they belong; zeros stand for those that this one has not.
struct Flat<'a> {
    grads: GradientsParams,
    wanted: Vec<bool>,
    owners: Option<&'a Owners>,
    seen: HashSet<ParamId>,
    values: Vec<f32>,
    /// The parameters by their number in the order of visits, and where they are.
    segments: Vec<(usize, Range<usize>)>,
}

impl<'a> Flat<'a> {
    fn new(grads: GradientsParams, held: &[Vec<bool>], owners: Option<&'a Owners>) -> Self {
        let parameters = held.iter().map(Vec::len).max().unwrap_or(0);
        let wanted =
            (0..parameters).map(|index| held.iter().any(|held| held.get(index) == Some(&true)));
        let places = owners.map_or(0, |owners| held.len() * owners.most());
        Self {
            grads,
            wanted: wanted.collect(),
            owners,
            seen: HashSet::new(),
            values: vec![0.0; places],
            segments: Vec::new(),
        }
    }

    /// Where a parameter of so many numbers belongs.
    fn place(&mut self, id: ParamId, length: usize) -> Range<usize> {
        let owned = self.owners.and_then(|owners| {
            let (owner, place) = owners.place(id)?;
            let first = owner * owners.most();
            Some(first + place.start..first + place.end)
        });
        owned.unwrap_or_else(|| {
            let start = self.values.len();
            self.values.resize(start + length, 0.0);
            start..start + length
        })
    }
}

impl ModuleVisitor for Flat<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let index = self.seen.len();
        if !self.seen.insert(param.id) || self.wanted.get(index) != Some(&true) {
            return;
        }
        let length = param.val().dims().iter().product();
        let range = self.place(param.id, length);
        if let Some(grad) = self.grads.remove::<D>(param.id) {
            fill(&mut self.values[range.clone()], &grad.into_data());
        }
        self.segments.push((index, range));
    }
}

/// Copies the numbers of a tensor; those of the usual kind at once.
pub(super) fn fill(values: &mut [f32], data: &TensorData) {
    match data.as_slice::<f32>() {
        Ok(own) => values.copy_from_slice(own),
        Err(_) => {
            let numbers = values.iter_mut().zip(data.iter::<f32>());
            numbers.for_each(|(value, number)| *value = number);
        }
    }
}

/// Makes gradients of the values again.
struct Rebuilt<'a> {
    /// Where the gradients of parameters begin, by their number in the order of visits.
    ranges: HashMap<usize, usize>,
    seen: HashSet<ParamId>,
    values: &'a [f32],
    grads: GradientsParams,
}

impl ModuleVisitor for Rebuilt<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let index = self.seen.len();
        if !self.seen.insert(param.id) {
            return;
        }
        let Some(start) = self.ranges.get(&index) else {
            return;
        };
        let (value, device) = (param.val(), param.val().device().inner());
        let dims = value.dims();
        let own = &self.values[*start..start + dims.iter().product::<usize>()];
        let grad = Tensor::<D>::from_data(TensorData::new(own.to_vec(), dims), &device);
        self.grads.register(param.id, grad);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Tree;
    use super::*;

    #[test]
    fn chunks_are_added_up_the_tree() {
        const LENGTH: usize = 5;
        let value = |i: usize| (i as f32 * 0.37).sin() * 10f32.powi(i as i32 % 5);
        let holders = [
            vec![true; 8],
            vec![false, true, true, false, false, false, true, true],
            vec![false, false, false, false, false, true, false, false],
        ];
        let segments: Vec<Segment> = [0..7, 7..8, 8..20].into_iter().zip(holders).collect();
        let chunks: Vec<f32> = (0..8 * LENGTH).map(value).collect();
        let mut sums = chunks.clone();
        add_up(&mut sums, 5..5 + LENGTH, &segments);
        for (at, sum) in sums.iter().take(LENGTH).enumerate() {
            let holds = |(range, _): &&Segment| range.contains(&(5 + at));
            let (_, holders) = segments.iter().find(holds).expect("one of them");
            let mut tree = Tree::new();
            for (rank, has) in holders.iter().enumerate() {
                let leaf = has.then(|| chunks[rank * LENGTH + at]);
                tree.push(leaf, |left, right| left + right);
            }
            assert_eq!(Some(*sum), tree.root(), "{at}");
        }
    }
}
