//! Which process remembers what the optimizer keeps of a parameter (Rajbhandari et al. 2020, *ZeRO*, arXiv:1910.02054,
//! stage 1).
//!
//! Every update rule goes from parameter to parameter, so a process that is given the gradients of some parameters
//! updates those, and keeps a state of no other. Whole parameters have owners: rules that look at a matrix as one, as
//! Muon and Adafactor do, compute what they compute alone.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::mem;
use std::ops::Range;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{Tensor, TensorData};

use super::blocks::{blocks, common};
use super::{Exchange, Lost};
use crate::loader::Share;

/// Shares out parameters of these sizes: the largest first, each to the process that has the fewest numbers yet. Gives each
/// its owner and its place among what that has, and tells how many numbers each process owns.
fn share_out<T>(
    mut sizes: Vec<(T, usize)>,
    world: usize,
    mut give: impl FnMut(T, usize, Range<usize>),
) -> Vec<usize> {
    // Sorting keeps the order among equals, so all processes find the same.
    sizes.sort_by_key(|(_, size)| Reverse(*size));
    let mut counts = vec![0; world];
    for (parameter, size) in sizes {
        let fewest = (0..world).min_by_key(|rank| counts[*rank]);
        let owner = fewest.expect("there is a process");
        give(parameter, owner, counts[owner]..counts[owner] + size);
        counts[owner] += size;
    }
    counts
}

/// The most numbers that one of so many processes owns of parameters of these sizes, where they share out what the
/// optimizer remembers.
///
/// # Panics
///
/// If there is no process.
pub fn most_owned(sizes: impl Iterator<Item = u64>, world: usize) -> u64 {
    let sizes = sizes.map(|size| ((), size as usize)).collect();
    let counts = share_out(sizes, world, |(), _, _| {});
    counts.into_iter().max().unwrap_or(0) as u64
}

/// The owners of the parameters that are trained.
#[derive(Debug)]
pub(crate) struct Owners {
    share: Share,
    /// The owner of each, and where it is among all that its owner has, one after another.
    places: HashMap<ParamId, (usize, Range<usize>)>,
    /// How many numbers each process owns.
    counts: Vec<usize>,
}

impl Owners {
    /// Shares out the parameters of `model`.
    pub fn new<M: Module>(model: &M, share: Share) -> Self {
        let mut sizes = Sizes(Vec::new());
        model.visit(&mut sizes);
        let mut places = HashMap::new();
        let counts = share_out(sizes.0, share.world, |id, owner, place| {
            places.insert(id, (owner, place));
        });
        Self {
            share,
            places,
            counts,
        }
    }

    /// Whether this process updates the parameter.
    pub fn is_own(&self, id: ParamId) -> bool {
        let place = self.places.get(&id);
        place.is_none_or(|(owner, _)| *owner == self.share.rank)
    }

    /// The most numbers that a process owns: so many places there are for each.
    pub fn most(&self) -> usize {
        self.counts.iter().copied().max().unwrap_or(0)
    }

    /// Where a parameter that is trained begins among the places of all processes.
    ///
    /// # Panics
    ///
    /// If it is not trained.
    pub fn start(&self, id: ParamId) -> usize {
        let (owner, place) = self.places.get(&id).expect("what is trained has an owner");
        owner * self.most() + place.start
    }

    /// The weights that the other processes have updated, each its own parameters. Blocks of all weights pass through `room`.
    pub fn gathered<M: Module>(
        &self,
        exchange: &mut dyn Exchange,
        model: &M,
        room: &mut Vec<f32>,
    ) -> Result<Gathered, Lost> {
        let mut weights = Weights {
            owners: self,
            own: Vec::new(),
            others: HashMap::new(),
        };
        model.visit(&mut weights);
        for block in blocks(self.most(), self.share.world) {
            room.resize(self.share.world * block.len(), 0.0);
            weights.put(&block, room);
            *room = exchange.all_gather(mem::take(room), block.len())?;
            weights.take(&block, room);
        }
        Ok(Gathered(weights.others))
    }
}

/// The trained parameters in the order of visits, with how many numbers they have.
struct Sizes(Vec<(ParamId, usize)>);

impl ModuleVisitor for Sizes {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        if value.is_require_grad() && self.0.iter().all(|(id, _)| *id != param.id) {
            self.0.push((param.id, value.dims().iter().product()));
        }
    }
}

/// The parameters of all processes while blocks of them go round.
struct Weights<'a> {
    owners: &'a Owners,
    /// Where those of this process are among all that it has, and their numbers in a row. Each block is read when it goes.
    own: Vec<(&'a Range<usize>, Tensor<1>)>,
    /// What came of the others.
    others: HashMap<ParamId, Vec<f32>>,
}

impl ModuleVisitor for Weights<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some((owner, place)) = self.owners.places.get(&param.id) else {
            return;
        };
        if *owner == self.owners.share.rank {
            let row = param.val().without_autodiff().reshape([place.len()]);
            self.own.push((place, row));
        } else {
            self.others.insert(param.id, vec![0.0; place.len()]);
        }
    }
}

impl Weights<'_> {
    /// Writes what this process has in `block` to the start of `room`. Nobody reads what is left after it.
    fn put(&self, block: &Range<usize>, room: &mut [f32]) {
        for (place, row) in &self.own {
            let (there, here) = common(place, block);
            if !there.is_empty() {
                fill(&mut room[here], &row.clone().slice([there]).into_data());
            }
        }
    }

    /// Takes what the other processes have in `block`.
    fn take(&mut self, block: &Range<usize>, room: &[f32]) {
        for (id, values) in &mut self.others {
            let (owner, place) = &self.owners.places[id];
            let (there, here) = common(place, block);
            if !there.is_empty() {
                let block = &room[owner * block.len()..];
                values[there].copy_from_slice(&block[here]);
            }
        }
    }
}

/// Copies the numbers of a tensor; those of the usual kind at once.
fn fill(values: &mut [f32], data: &TensorData) {
    match data.as_slice::<f32>() {
        Ok(own) => values.copy_from_slice(own),
        Err(_) => {
            let numbers = values.iter_mut().zip(data.iter::<f32>());
            numbers.for_each(|(value, number)| *value = number);
        }
    }
}

/// The weights of the other processes.
pub(crate) struct Gathered(HashMap<ParamId, Vec<f32>>);

impl Gathered {
    /// The model with them.
    pub fn put_into<M: Module>(mut self, model: M) -> M {
        model.map(&mut self)
    }
}

impl ModuleMapper for Gathered {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(values) = self.0.remove(&param.id) else {
            return param;
        };
        param.map(|before| {
            let data = TensorData::new(values, before.dims());
            Tensor::from_data(data, &before.device()).require_grad()
        })
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use burn::tensor::Device;
    use fireclay_models::Init;
    use fireclay_models::layers::linear::Linear;
    use fireclay_models::tensors::to_tensors;

    use super::super::blocks::at_once;
    use super::super::threads::threads;
    use super::*;
    use crate::optim::stable_ids;

    #[test]
    fn a_large_parameter_stays_with_one() {
        let most = |world| most_owned([3, 10, 4, 2, 1].into_iter(), world);
        assert_eq!([1, 2, 3, 8].map(most), [20, 10, 10, 10]);
        assert_eq!(most_owned([5, 4, 3, 3].into_iter(), 2), 8);
    }

    fn model(seed: u64) -> (Linear, Linear, Linear) {
        let mut init = Init::new(seed, &Device::flex().autodiff());
        let layers = (
            init.linear(5, 7, true),
            // More than goes to the others at once.
            init.linear(700, 600, true),
            init.linear(6, 1, false),
        );

        stable_ids(layers)
    }

    fn values<M: Module>(model: &M) -> Vec<Vec<f32>> {
        let tensors = to_tensors(model).into_iter();
        tensors
            .map(|(_, data)| data.iter::<f32>().collect())
            .collect()
    }

    #[test]
    fn each_parameter_has_one_owner_and_comes_from_it() {
        let world = 3;
        let process = |mut exchange: super::super::threads::Thread| {
            thread::spawn(move || {
                let share = exchange.share();
                let model = model(share.rank as u64);
                let owners = Owners::new(&model, share);
                // Whatever is left in the room belongs to no parameter.
                let mut room = vec![f32::NAN; 3 * at_once(world)];
                let gathered = owners
                    .gathered(&mut exchange, &model, &mut room)
                    .expect("all are there")
                    .put_into(model);
                assert!(gathered.0.weight.val().is_require_grad());
                (values(&gathered), owners.counts)
            })
        };
        let processes: Vec<_> = threads(world).into_iter().map(process).collect();
        let found = processes
            .into_iter()
            .map(|process| process.join().expect("no panic"));
        let found: Vec<_> = found.collect();
        assert!(found.iter().all(|one| *one == found[0]));
        let (gathered, counts) = &found[0];
        assert_eq!(
            counts.iter().sum::<usize>(),
            5 * 7 + 7 + 700 * 600 + 600 + 6
        );
        assert!(counts[0] > at_once(world));
        // Weights, which are random, are those of one of the processes; not all are of the same.
        let all: Vec<_> = (0..world as u64).map(|seed| values(&model(seed))).collect();
        let owner = |index: usize| all.iter().position(|own| own[index] == gathered[index]);
        let owners: Vec<_> = (0..gathered.len()).map(owner).collect();
        assert!(owners.iter().all(Option::is_some), "{owners:?}");
        assert!(owners.iter().any(|owner| *owner != owners[0]), "{owners:?}");
    }
}
