//! The gradients of all processes, added up the tree.

use std::collections::{HashMap, HashSet};
use std::mem;
use std::ops::Range;

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Tensor, TensorData};

use super::{Exchange, Lost, Owners};
use crate::gradients::scale;
use crate::loader::Share;

/// Numbers that each process adds up at once: half a MiB, so that caches hold what is on its way between a few processes.
const EACH: usize = 1 << 17;
/// The most that are on their way at once: 64 MiB, far below the 2³¹ that MPI counts to.
const MOST: usize = 1 << 24;

/// Numbers of each of so many processes that are on their way at once.
pub(super) fn at_once(world: usize) -> usize {
    EACH.min(MOST / world).max(1)
}

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
/// have `owners`, each process gets the gradients of its own ones. `room` is what the numbers pass through: whoever keeps
/// it from step to step saves the system from clearing it each time.
pub(crate) fn sum<M: Module>(
    exchange: &mut dyn Exchange,
    (model, grads): (&M, GradientsParams),
    held: &[Vec<bool>],
    factor: f64,
    owners: Option<&Owners>,
    room: &mut Vec<f32>,
) -> Result<GradientsParams, Lost> {
    let share = exchange.share();
    if share.world == 1 {
        return Ok(scale(model, grads, factor));
    }
    let mut all = Numbers::new(model, grads, held, (owners, share));
    let length = at_once(share.world);
    for start in (0..all.each).step_by(length) {
        let block = start..(start + length).min(all.each);
        *room = all.sum_up(exchange, &block, factor as f32, mem::take(room))?;
    }
    Ok(rebuilt(model, all.given()))
}

/// The gradient of a parameter.
struct Gradient {
    /// The number of the parameter in the order of visits.
    index: usize,
    /// Where its numbers are among all.
    range: Range<usize>,
    /// Which processes have it.
    holders: Vec<bool>,
    /// Those of this process, and then the sums; zeros where it has none.
    values: TensorData,
}

/// The gradients that any process has, as one row of numbers. Each process adds up a share of it.
struct Numbers {
    /// In the order of their ranges.
    gradients: Vec<Gradient>,
    /// How many numbers each process adds up.
    each: usize,
    share: Share,
    /// Whether a process keeps the sums of its share, and gets no others.
    are_owned: bool,
}

impl Numbers {
    fn new<M: Module>(
        model: &M,
        grads: GradientsParams,
        held: &[Vec<bool>],
        (owners, share): (Option<&Owners>, Share),
    ) -> Self {
        let mut taken = Taken {
            grads,
            held,
            owners,
            seen: HashSet::new(),
            gradients: Vec::new(),
            count: 0,
        };
        model.visit(&mut taken);
        let (mut gradients, count) = (taken.gradients, taken.count);
        gradients.sort_unstable_by_key(|gradient| (gradient.range.start, gradient.range.end));
        Self {
            gradients,
            each: owners.map_or(count.div_ceil(share.world), Owners::most),
            share,
            are_owned: owners.is_some(),
        }
    }

    /// Puts the sums times `factor` of the numbers `block` of the share of each process in their place. Gives back the
    /// room.
    fn sum_up(
        &mut self,
        exchange: &mut dyn Exchange,
        block: &Range<usize>,
        factor: f32,
        mut room: Vec<f32>,
    ) -> Result<Vec<f32>, Lost> {
        self.put(block, &mut room);
        let mut chunks = exchange.all_to_all(room)?;
        let own = self.part(self.share.rank, block);
        add_up(&mut chunks, own, &self.gradients);
        let own = &mut chunks[..block.len()];
        own.iter_mut().for_each(|sum| *sum *= factor);
        if self.are_owned {
            self.take(self.share.rank, block, own);
            return Ok(chunks);
        }
        let sums = exchange.all_gather(chunks, block.len())?;
        for (rank, sums) in sums.chunks(block.len()).enumerate() {
            self.take(rank, block, sums);
        }
        Ok(sums)
    }

    /// The gradients of which this process has the sums.
    fn given(self) -> impl Iterator<Item = Gradient> {
        let own = self.part(self.share.rank, &(0..self.each));
        let is_own = move |range: &Range<usize>| own.start <= range.start && range.end <= own.end;
        let gradients = self.gradients.into_iter();
        gradients.filter(move |gradient| !self.are_owned || is_own(&gradient.range))
    }

    /// Where the numbers `block` of the share of a process are among all.
    fn part(&self, rank: usize, block: &Range<usize>) -> Range<usize> {
        rank * self.each + block.start..rank * self.each + block.end
    }

    /// Writes the numbers `block` of the share of each process into `room`. Nobody reads what is left between gradients.
    fn put(&self, block: &Range<usize>, room: &mut Vec<f32>) {
        room.resize(self.share.world * block.len(), 0.0);
        for (rank, room) in room.chunks_mut(block.len()).enumerate() {
            let part = self.part(rank, block);
            let which = among(&self.gradients, &part);
            for gradient in &self.gradients[which] {
                let (there, here) = common(gradient, &part);
                let values = gradient.values.as_slice::<f32>().expect(NUMBERS);
                room[here].copy_from_slice(&values[there]);
            }
        }
    }

    /// Takes the sums of the numbers `block` of the share of a process.
    fn take(&mut self, rank: usize, block: &Range<usize>, sums: &[f32]) {
        let part = self.part(rank, block);
        let which = among(&self.gradients, &part);
        for gradient in &mut self.gradients[which] {
            let (there, here) = common(gradient, &part);
            let values = gradient.values.as_mut_slice::<f32>().expect(NUMBERS);
            values[there].copy_from_slice(&sums[here]);
        }
    }
}

const NUMBERS: &str = "gradients are of the kind that they were turned to";

/// Which of the gradients have numbers in `part`.
fn among(gradients: &[Gradient], part: &Range<usize>) -> Range<usize> {
    let first = gradients.partition_point(|gradient| gradient.range.end <= part.start);
    let end = gradients.partition_point(|gradient| gradient.range.start < part.end);
    first..end.max(first)
}

/// What a gradient has in `part`: where in the gradient, and where in the part.
fn common(gradient: &Gradient, part: &Range<usize>) -> (Range<usize>, Range<usize>) {
    let start = gradient.range.start.max(part.start);
    let end = gradient.range.end.min(part.end).max(start);
    let since = |from: usize| start - from..end - from;
    (since(gradient.range.start), since(part.start))
}

/// Adds up the chunks of all processes, each of which has `part` of the numbers, into the first.
fn add_up(chunks: &mut [f32], part: Range<usize>, gradients: &[Gradient]) {
    let length = part.len();
    for gradient in &gradients[among(gradients, &part)] {
        let (_, here) = common(gradient, &part);
        let within = |rank: usize| rank * length + here.start..rank * length + here.end;
        let holders = gradient.holders.iter().enumerate();
        let leaves = holders.map(|(rank, has)| has.then_some(rank));
        let root = folded(leaves.collect(), |left, right| {
            let (before, after) = chunks.split_at_mut(right * length);
            let left = &mut before[within(left)];
            let right = &after[here.clone()];
            left.iter_mut().zip(right).for_each(|(a, b)| *a += b);
        });
        if let Some(root) = root.filter(|root| *root > 0) {
            chunks.copy_within(within(root), here.start);
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

/// Takes the gradients out of `grads`.
struct Taken<'a> {
    grads: GradientsParams,
    held: &'a [Vec<bool>],
    owners: Option<&'a Owners>,
    seen: HashSet<ParamId>,
    gradients: Vec<Gradient>,
    /// The numbers of all gradients so far.
    count: usize,
}

impl ModuleVisitor for Taken<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let index = self.seen.len();
        if !self.seen.insert(param.id) {
            return;
        }
        let has = |held: &Vec<bool>| held.get(index) == Some(&true);
        let holders: Vec<_> = self.held.iter().map(has).collect();
        if !holders.contains(&true) {
            return;
        }
        let dims = param.val().dims();
        let start = match self.owners {
            Some(owners) => owners.start(param.id),
            None => self.count,
        };
        let length: usize = dims.iter().product();
        self.count += length;
        let values = match self.grads.remove::<D>(param.id) {
            Some(grad) => grad.into_data().try_cast_as::<f32>().expect(NUMBERS),
            None => TensorData::zeros::<f32, _>(dims),
        };
        self.gradients.push(Gradient {
            index,
            range: start..start + length,
            holders,
            values,
        });
    }
}

/// Puts the gradients where the optimizer finds them.
fn rebuilt<M: Module>(model: &M, gradients: impl Iterator<Item = Gradient>) -> GradientsParams {
    struct Rebuilt {
        /// By the number of the parameter in the order of visits.
        values: HashMap<usize, TensorData>,
        seen: HashSet<ParamId>,
        grads: GradientsParams,
    }

    impl ModuleVisitor for Rebuilt {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let index = self.seen.len();
            if self.seen.insert(param.id)
                && let Some(values) = self.values.remove(&index)
            {
                let device = param.val().device().inner();
                let grad = Tensor::<D>::from_data(values, &device);
                self.grads.register(param.id, grad);
            }
        }
    }

    let mut rebuilt = Rebuilt {
        values: gradients.map(|one| (one.index, one.values)).collect(),
        seen: HashSet::new(),
        grads: GradientsParams::new(),
    };
    model.visit(&mut rebuilt);
    rebuilt.grads
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::super::Tree;
    use super::super::threads::{Thread, threads};
    use super::*;

    #[test]
    fn blocks_are_summed_wherever_they_cut_gradients() {
        const WORLD: usize = 2;
        let value = |rank: usize, i: usize| ((7 * rank + i) as f32 * 0.37).sin();
        let process = move |mut exchange: Thread, block: usize, are_owned: bool| {
            let share = exchange.share();
            let gradient = |range: Range<usize>| Gradient {
                index: range.start,
                holders: vec![true, range.start != 7],
                values: TensorData::new(
                    range.clone().map(|i| value(share.rank, i)).collect(),
                    [range.len()],
                ),
                range,
            };
            let mut all = Numbers {
                gradients: [0..7, 7..8, 8..10, 10..19].map(gradient).into(),
                each: 10,
                share,
                are_owned,
            };
            let mut room = vec![f32::NAN; 3];
            for start in (0..all.each).step_by(block) {
                let block = start..(start + block).min(all.each);
                let summed = all.sum_up(&mut exchange, &block, 0.5, room);
                room = summed.expect("all are there");
            }
            for Gradient { range, values, .. } in all.given() {
                let values = values.as_slice::<f32>().expect(NUMBERS);
                for (i, found) in range.zip(values) {
                    let others = if i == 7 { 0.0 } else { value(1, i) };
                    assert_eq!(*found, (value(0, i) + others) * 0.5, "{i}");
                }
            }
        };
        for (block, are_owned) in [(1, false), (3, false), (10, false), (4, true)] {
            let start = |exchange| thread::spawn(move || process(exchange, block, are_owned));
            let processes: Vec<_> = threads(WORLD).into_iter().map(start).collect();
            for process in processes {
                process.join().expect("no panic");
            }
        }
    }

    #[test]
    fn chunks_are_added_up_the_tree() {
        const LENGTH: usize = 5;
        let value = |i: usize| (i as f32 * 0.37).sin() * 10f32.powi(i as i32 % 5);
        let holders = [
            vec![true; 8],
            vec![false, true, true, false, false, false, true, true],
            vec![false, false, false, false, false, true, false, false],
        ];
        let gradients = [0..7, 7..8, 8..20].into_iter().zip(holders);
        let gradient = |(range, holders): (Range<usize>, _)| Gradient {
            index: 0,
            values: TensorData::zeros::<f32, _>([range.len()]),
            range,
            holders,
        };
        let gradients: Vec<_> = gradients.map(gradient).collect();
        let chunks: Vec<f32> = (0..8 * LENGTH).map(value).collect();
        let mut sums = chunks.clone();
        add_up(&mut sums, 5..5 + LENGTH, &gradients);
        for (at, sum) in sums.iter().take(LENGTH).enumerate() {
            let holds = |gradient: &&Gradient| gradient.range.contains(&(5 + at));
            let holders = &gradients.iter().find(holds).expect("one of them").holders;
            let mut tree = Tree::new();
            for (rank, has) in holders.iter().enumerate() {
                let leaf = has.then(|| chunks[rank * LENGTH + at]);
                tree.push(leaf, |left, right| left + right);
            }
            assert_eq!(Some(*sum), tree.root(), "{at}");
        }
    }
}
