//! Parameters that learn at a pace of their own, or not at all.

use std::collections::{HashMap, HashSet};

use burn::module::{Flag, Module, ModuleMapper, ModuleVisitor, Param, ParamGroup, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use fireclay_kernels::lerp;

/// How fast each parameter of a model moves, relative to the learning rate; 0 stands for frozen.
///
/// Every update rule is linear in the learning rate (PyTorch's optimizers are), so a parameter with
/// rate `r` goes the share `r` of the way that the optimizer proposes.
#[derive(Clone, Debug, Default)]
pub struct Rates(HashMap<ParamId, f64>);

impl Rates {
    /// Gives the float tensors of `model`, in visiting order, these rates.
    ///
    /// # Panics
    ///
    /// If there are not as many rates as tensors.
    pub fn new<M: Module>(model: &M, rates: &[f64]) -> Self {
        let mut ids = Ids::default();
        model.visit(&mut ids);
        assert_eq!(ids.floats.len(), rates.len(), "one rate for each tensor");
        let ids = ids.floats.into_iter().map(|(_, id)| id);
        Self(ids.zip(rates.iter().copied()).collect())
    }

    /// Stops gradients to the frozen parameters, and keeps norms whose parameters are frozen from
    /// moving their running statistics.
    pub fn freeze<M: Module>(&self, model: M) -> M {
        let mut ids = Ids::default();
        model.visit(&mut ids);
        let is_frozen = |id: &ParamId| self.0.get(id) == Some(&0.0);
        let frozen: Vec<_> = ids.floats.iter().filter(|(_, id)| is_frozen(id)).collect();
        let flags = ids
            .flags
            .iter()
            .filter(|(flag, _)| frozen.iter().any(|(path, _)| owner(path) == owner(flag)));
        let group: Vec<ParamId> = frozen
            .iter()
            .copied()
            .chain(flags)
            .map(|(_, id)| *id)
            .collect();
        match group.is_empty() {
            true => model,
            false => model.freeze_group(ParamGroup::from_ids(group)),
        }
    }

    /// The paths of what is not frozen.
    pub fn moving<M: Module>(&self, model: &M) -> HashSet<String> {
        let mut ids = Ids::default();
        model.visit(&mut ids);
        let moves = |id: &ParamId| self.0.get(id) != Some(&0.0);
        let moving = ids.floats.into_iter().filter(|(_, id)| moves(id));
        moving.map(|(path, _)| path).collect()
    }

    /// What the parameters of `model` that go at a pace of their own are before an update. Only
    /// these are held: all others can be updated where they are.
    pub fn before<M: Module>(&self, model: &M) -> Pace {
        let rates = self.0.iter();
        let rates = rates.filter(|(_, rate)| ![0.0, 1.0].contains(*rate));
        let mut pace = Pace {
            rates: rates.map(|(id, rate)| (*id, *rate)).collect(),
            values: GradientsParams::new(),
        };
        if !pace.rates.is_empty() {
            model.visit(&mut pace);
        }
        pace
    }
}

/// The ids of tensors and flags, with their paths.
#[derive(Default)]
struct Ids {
    path: Vec<String>,
    floats: Vec<(String, ParamId)>,
    flags: Vec<(String, ParamId)>,
}

/// The path of the module that a tensor or flag belongs to.
fn owner(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(owner, _)| owner)
}

impl ModuleVisitor for Ids {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.floats.push((self.path.join("."), param.id));
    }

    fn visit_flag(&mut self, flag: &Param<Flag>) {
        self.flags.push((self.path.join("."), flag.id));
    }
}

/// The rates that are neither 0 nor 1, and the values before an update that go with them.
pub struct Pace {
    rates: HashMap<ParamId, f64>,
    /// Parameters by their id; Burn's map of gradients is one of tensors of any rank.
    values: GradientsParams,
}

impl Pace {
    /// The model between what it was and `after`, each parameter at its own pace.
    pub fn apply<M: Module>(mut self, after: M) -> M {
        match self.rates.is_empty() {
            true => after,
            false => after.map(&mut self),
        }
    }
}

impl ModuleVisitor for Pace {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        // Running statistics are visited too; no optimizer moves them.
        if self.rates.contains_key(&param.id) && param.val().is_require_grad() {
            let value = param.val().without_autodiff();
            self.values.register(param.id, value);
        }
    }
}

impl ModuleMapper for Pace {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(before) = self.values.remove::<D>(param.id) else {
            return param;
        };
        let rate = self.rates[&param.id];
        param.map(|after| {
            let moved = lerp(before, after.without_autodiff(), rate);
            moved.autodiff().require_grad()
        })
    }
}

#[cfg(test)]
mod tests {
    use burn::module::list_param_ids;
    use burn::tensor::Device;
    use fireclay_models::layers::linear::Linear;
    use fireclay_models::{Init, tensors::to_tensors};

    use super::*;

    fn layers() -> (Linear, Linear) {
        let mut init = Init::new(1, &Device::flex().autodiff());
        (init.linear(2, 3, true), init.linear(3, 1, false))
    }

    fn values<M: Module>(model: &M) -> Vec<Vec<f32>> {
        let tensors = to_tensors(model).into_iter();
        tensors
            .map(|(_, data)| data.iter::<f32>().collect())
            .collect()
    }

    #[test]
    fn each_parameter_goes_its_share_of_the_way() {
        let before = layers();
        let rates = Rates::new(&before, &[0.5, 0.0, 1.0]);
        let after = rates.before(&before).apply(plus_one(before.clone()));
        let (old, new) = (values(&before), values(&after));
        let ways = old.iter().zip(&new).map(|(old, new)| new[0] - old[0]);
        let ways: Vec<f32> = ways.collect();
        // A frozen parameter is one that the optimizer leaves alone; it is not held back here.
        for (way, expected) in ways.iter().zip([0.5, 1.0, 1.0]) {
            assert!((way - expected).abs() < 1e-6, "{ways:?}");
        }
        assert_eq!(list_param_ids(&before), list_param_ids(&after));
        assert!(after.0.weight.val().is_require_grad());
    }

    #[test]
    fn frozen_parameters_get_no_gradient() {
        let model = layers();
        let rates = Rates::new(&model, &[0.0, 0.0, 0.3]);
        let model = rates.freeze(model);
        assert!(!model.0.weight.val().is_require_grad());
        assert!(model.1.weight.val().is_require_grad());
    }

    fn plus_one<M: Module>(model: M) -> M {
        struct PlusOne;
        impl ModuleMapper for PlusOne {
            fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
                param.map(|tensor| (tensor.without_autodiff() + 1.0).autodiff().require_grad())
            }
        }
        model.map(&mut PlusOne)
    }
}
