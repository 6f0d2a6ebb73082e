//! Which parameter gets which update: groups of parameter ids, never of path strings.

use burn::module::{Module, ModuleVisitor, Param, ParamGroup, ParamId};
use burn::optim::{ModuleOptimizer, Optimizer};
use burn::tensor::Tensor;

/// The parameters of a model by the update that they get.
#[derive(Default)]
pub(super) struct Groups {
    /// Parameters of rank 0 and 1 (biases, norms) and embeddings: weight decay leaves them out.
    undecayed: Vec<ParamId>,
    /// All others.
    weights: Vec<ParamId>,
    /// Field and type of the modules around the current parameter, outermost first.
    around: Vec<(String, String)>,
}

impl Groups {
    pub fn of<M: Module>(model: &M) -> Self {
        let mut groups = Self::default();
        model.visit(&mut groups);
        groups
    }

    /// The hidden weights that Muon updates: all but the last one in visiting order, which is the
    /// output head.
    pub fn hidden(&self) -> &[ParamId] {
        self.weights.split_last().map_or(&[], |(_, hidden)| hidden)
    }

    /// A whole-model optimizer that decays only what should decay, or with `decay_all` everything;
    /// `rule` builds the update rule with a given weight decay.
    pub fn optimizer<O: Optimizer>(
        &self,
        decay_all: bool,
        weight_decay: f64,
        rule: impl Fn(f64) -> O,
    ) -> ModuleOptimizer {
        let optimizer = ModuleOptimizer::from(rule(weight_decay));
        if decay_all {
            return optimizer;
        }
        let undecayed = ParamGroup::from_ids(self.undecayed.clone());
        optimizer.with_group(undecayed, rule(0.0), None)
    }
}

/// The hidden weights that Muon updates: every parameter of rank 2 or more outside embeddings,
/// except the last one in visiting order, which is the output head.
pub fn hidden_weights<M: Module>(model: &M) -> Vec<ParamId> {
    Groups::of(model).hidden().to_vec()
}

impl ModuleVisitor for Groups {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.around
            .push((name.to_lowercase(), container_type.to_lowercase()));
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.around.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        // The innermost pair is the parameter's own field and the struct it is a field of: either
        // an embedding layer, or a bare table such as `position_embedding: Param<Tensor<2>>`.
        let is_embedding = self.around.last().is_some_and(|(field, container)| {
            field.contains("embedding") || container.contains("embedding")
        });
        let is_weight = D >= 2 && !is_embedding;
        let group = if is_weight {
            &mut self.weights
        } else {
            &mut self.undecayed
        };
        group.push(param.id);
    }
}
