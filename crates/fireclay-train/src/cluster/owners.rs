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

use super::sum::at_once;
use super::{Exchange, Lost};
use crate::loader::Share;

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
    /// Shares out the parameters of `model`: the largest first, each to the process that has the fewest numbers yet.
    pub fn new<M: Module>(model: &M, share: Share) -> Self {
        let mut sizes = Sizes(Vec::new());
        model.visit(&mut sizes);
        // Sorting keeps the order of visits among equals, so all processes find the same.
        sizes.0.sort_by_key(|(_, size)| Reverse(*size));
        let mut counts = vec![0; share.world];
        let mut places = HashMap::new();
        for (id, size) in sizes.0 {
            let fewest = (0..share.world).min_by_key(|rank| counts[*rank]);
            let owner = fewest.expect("there is a process");
            places.insert(id, (owner, counts[owner]..counts[owner] + size));
            counts[owner] += size;
        }
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

    /// The model as all processes have updated it, each its own parameters. The numbers pass through `room`.
    pub fn gathered<M: Module>(
        &self,
        exchange: &mut dyn Exchange,
        model: M,
        room: &mut Vec<f32>,
    ) -> Result<M, Lost> {
        let most = self.most();
        let mut own = Values {
            owners: self,
            values: vec![0.0; most],
        };
        model.visit(&mut own);
        let all = self.all(exchange, &own.values, room)?;
        Ok(model.map(&mut Others {
            owners: self,
            all,
            most,
        }))
    }

    /// The values of all processes one after another.
    fn all(
        &self,
        exchange: &mut dyn Exchange,
        own: &[f32],
        room: &mut Vec<f32>,
    ) -> Result<Vec<f32>, Lost> {
        let (world, most) = (self.share.world, own.len());
        let length = at_once(world);
        let mut all = vec![0.0; world * most];
        for (number, block) in own.chunks(length).enumerate() {
            room.resize(world * block.len(), 0.0);
            room[..block.len()].copy_from_slice(block);
            *room = exchange.all_gather(mem::take(room), block.len())?;
            for (rank, values) in room.chunks(block.len()).enumerate() {
                let start = rank * most + number * length;
                all[start..start + block.len()].copy_from_slice(values);
            }
        }
        Ok(all)
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

/// The numbers of all parameters of this process.
struct Values<'a> {
    owners: &'a Owners,
    values: Vec<f32>,
}

impl ModuleVisitor for Values<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some((owner, place)) = self.owners.places.get(&param.id) else {
            return;
        };
        if *owner == self.owners.share.rank {
            fill(&mut self.values[place.clone()], &param.val().into_data());
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

/// Puts the numbers of the other processes into the model.
struct Others<'a> {
    owners: &'a Owners,
    all: Vec<f32>,
    most: usize,
}

impl ModuleMapper for Others<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some((owner, place)) = self.owners.places.get(&param.id) else {
            return param;
        };
        if *owner == self.owners.share.rank {
            return param;
        }
        let values = &self.all[owner * self.most..][place.clone()];
        param.map(|before| {
            let data = TensorData::new(values.to_vec(), before.dims());
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

    use super::super::threads::threads;
    use super::*;
    use crate::optim::stable_ids;

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
                let gathered = owners
                    .gathered(&mut exchange, model, &mut Vec::new())
                    .expect("all are there");
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
