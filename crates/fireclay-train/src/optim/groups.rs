//! Which parameter gets which update: groups of parameter ids, never of path strings.

use burn::module::{Module, ModuleVisitor, Param, ParamGroup, ParamId};
use burn::optim::{ModuleOptimizer, Optimizer};
use burn::tensor::Tensor;

/// A whole-model optimizer that decays only what should decay: `plain` serves the parameters of
/// rank 0 and 1 and the embeddings, `decayed` the others (and all of them with `decay_all`).
pub(super) fn with_decay<M: Module, O: Optimizer>(
    model: &M,
    decay_all: bool,
    decayed: O,
    plain: O,
) -> ModuleOptimizer {
    let optimizer = ModuleOptimizer::from(decayed);
    if decay_all {
        return optimizer;
    }
    let ids = ids(model, |parameter| parameter.rank < 2 || parameter.embedding);
    optimizer.with_group(ParamGroup::from_ids(ids), plain, None)
}

/// The hidden weights that Muon updates: every parameter of rank 2 or more outside embeddings,
/// except the last one in visiting order, which is the output head.
pub fn hidden_weights<M: Module>(model: &M) -> Vec<ParamId> {
    let mut ids = ids(model, |parameter| {
        parameter.rank >= 2 && !parameter.embedding
    });
    ids.pop();
    ids
}

struct Parameter {
    id: ParamId,
    rank: usize,
    embedding: bool,
}

fn ids<M: Module>(model: &M, wanted: impl Fn(&Parameter) -> bool) -> Vec<ParamId> {
    let mut collector = Collector::default();
    model.visit(&mut collector);
    let wanted = collector.parameters.iter().filter(|p| wanted(p));
    wanted.map(|parameter| parameter.id).collect()
}

#[derive(Default)]
struct Collector {
    /// Field and type of the modules around the current parameter, outermost first.
    around: Vec<(String, String)>,
    parameters: Vec<Parameter>,
}

impl ModuleVisitor for Collector {
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
        let embedding = self.around.last().is_some_and(|(field, container)| {
            field.contains("embedding") || container.contains("embedding")
        });
        self.parameters.push(Parameter {
            id: param.id,
            rank: D,
            embedding,
        });
    }
}
