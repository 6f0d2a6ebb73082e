//! The gradients of a model in a row, and back where the optimizer finds them.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Tensor, TensorData};

use super::Owners;

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

/// The gradient of a parameter.
pub(super) struct Gradient {
    /// The number of the parameter in the order of visits.
    pub index: usize,
    /// Where its numbers are among all.
    pub range: Range<usize>,
    /// Which processes have it.
    pub holders: Vec<bool>,
    /// Those of this process, and then the sums; zeros where it has none.
    pub values: TensorData,
}

pub(super) const NUMBERS: &str = "gradients are of the kind that they were turned to";

/// The gradients that any process has, out of `grads` or zeros, and how many numbers they have. Where parameters have
/// `owners`, the range of each is where its owner has it.
pub(super) fn taken<M: Module>(
    (model, grads): (&M, GradientsParams),
    held: &[Vec<bool>],
    owners: Option<&Owners>,
) -> (Vec<Gradient>, usize) {
    let mut taken = Taken {
        grads,
        held,
        owners,
        seen: HashSet::new(),
        gradients: Vec::new(),
        count: 0,
    };
    model.visit(&mut taken);
    (taken.gradients, taken.count)
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
pub(super) fn rebuilt<M: Module>(
    model: &M,
    gradients: impl Iterator<Item = Gradient>,
) -> GradientsParams {
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
