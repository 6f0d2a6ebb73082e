//! The gradients of all processes, added up the tree.

use std::mem;
use std::ops::Range;

use burn::module::Module;
use burn::optim::GradientsParams;

use super::blocks::{blocks, common};
use super::row::{Gradient, NUMBERS, rebuilt, taken};
use super::{Exchange, Lost, Owners};
use crate::gradients::scale;
use crate::loader::Share;

/// `factor` times the sum of the gradients of all processes, of which each says what it has by [`held`](super::held).
/// Where parameters have `owners`, each process gets the gradients of its own ones. `room` is what the numbers pass
/// through: whoever keeps it from step to step saves the system from clearing it each time.
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
    for block in blocks(all.each, share.world) {
        *room = all.sum_up(exchange, &block, factor as f32, mem::take(room))?;
    }
    Ok(rebuilt(model, all.given()))
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
        let (mut gradients, count) = taken((model, grads), held, owners);
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
                let (there, here) = common(&gradient.range, &part);
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
            let (there, here) = common(&gradient.range, &part);
            let values = gradient.values.as_mut_slice::<f32>().expect(NUMBERS);
            values[there].copy_from_slice(&sums[here]);
        }
    }
}

/// Which of the gradients have numbers in `part`.
fn among(gradients: &[Gradient], part: &Range<usize>) -> Range<usize> {
    let first = gradients.partition_point(|gradient| gradient.range.end <= part.start);
    let end = gradients.partition_point(|gradient| gradient.range.start < part.end);
    first..end.max(first)
}

/// Adds up the chunks of all processes, each of which has `part` of the numbers, into the first.
fn add_up(chunks: &mut [f32], part: Range<usize>, gradients: &[Gradient]) {
    let length = part.len();
    for gradient in &gradients[among(gradients, &part)] {
        let (_, here) = common(&gradient.range, &part);
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

#[cfg(test)]
mod tests {
    use std::thread;

    use burn::tensor::TensorData;

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
