//! What a training does on its device, written down instead of done.
//!
//! The model, its loss and the backward pass are the very ones that train. They run on Burn's
//! capture device, on which tensors have shapes but no numbers: a model of any size takes
//! milliseconds and no memory, and nothing that is known of an architecture is written twice.

use std::collections::HashSet;

use burn::backend::autodiff::checkpoint::strategy::BalancedCheckpointing;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, AutodiffBackend, Capture};
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use burn_ir::{OperationIr, TensorId};
use fireclay_kernels::is_half;
use fireclay_models::halved;

use fireclay_train::TrainerConfig;
use fireclay_train::gradients::{global_norm, scale};
use fireclay_train::parameters::Rates;

/// Operations in their order, and the tensors among their operands that are the model's weights.
pub(crate) struct Recording {
    pub operations: Vec<OperationIr>,
    pub weights: HashSet<TensorId>,
    /// The bytes of the copy of them that has half their precision, if there is one.
    pub halves: u64,
}

/// Runs `work` on a device without numbers; what it gave back, and every operation in order.
pub(crate) fn record<T>(work: impl FnOnce(&Device) -> T) -> (T, Vec<OperationIr>) {
    let device = Device::capture();
    let mut given = None;
    let captured = device.capture_scope(|scope| {
        given = Some(work(&device));
        scope.complete([], [])
    });
    let captured = captured.expect("the device is new, and every tensor was made on it");
    let given = given.expect("the scope ran");
    (given, captured.graph.operations)
}

/// What leads to an update with a single batch, as `strategy::step` makes it on `device`: forward,
/// backward, norm and clipping; with gradient checkpointing if it `recomputes`. `model` builds the model,
/// `loss` gives its loss of the batch; the result are the tensors of the weights, and the bytes of their
/// copy in half precision.
pub(crate) fn training<M: Module>(
    model: impl Fn(&Device) -> M,
    loss: impl Fn(&M, &Device) -> Tensor<1>,
    (config, rates): (&TrainerConfig, &[f64]),
    (device, recomputes): (&Device, bool),
) -> (HashSet<TensorId>, u64) {
    let device = match recomputes {
        true => device.clone().autodiff().gradient_checkpointing(),
        false => device.clone().autodiff(),
    };
    let mut model = hollow(model(&device), &device);
    if !rates.is_empty() {
        model = Rates::new(&model, rates).freeze(model);
    }
    let (gradients, halves) = match config.precision.half() {
        None => (backward(&model, loss(&model, &device)), 0),
        Some(dtype) => {
            let half = halved(model.clone(), dtype);
            let gradients = backward(&half, loss(&half, &device));
            (scale(&model, gradients, 1.0), bytes_of_halves(&half))
        }
    };
    global_norm(&model, &gradients);
    if config.train.max_grad_norm.is_some() {
        // Any factor but 1, which would record no product.
        scale(&model, gradients, 0.5);
    }
    (weight_tensors(&model), halves)
}

/// The tensors of the model's weights.
pub(crate) fn weight_tensors<M: Module>(model: &M) -> HashSet<TensorId> {
    struct Weights(HashSet<TensorId>);

    impl ModuleVisitor for Weights {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            // Without gradients in an evaluation, with them in a training.
            let tensor: FloatTensor<Capture> = match param.val().try_into_primitive::<Capture>() {
                Ok(tensor) => tensor,
                Err(_) => recorded(param.val()).into_primitive(),
            };
            self.0.insert(tensor.id());
        }
    }

    let mut weights = Weights(HashSet::new());
    model.visit(&mut weights);
    weights.0
}

fn bytes_of_halves<M: Module>(model: &M) -> u64 {
    struct Halves(u64);

    impl ModuleVisitor for Halves {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if is_half(param.dtype()) {
                self.0 += 2 * param.shape().num_elements() as u64;
            }
        }
    }

    let mut halves = Halves(0);
    model.visit(&mut halves);
    halves.0
}

/// The model with zeros for the weights that were not drawn yet: on this device they take no
/// memory, and drawing would.
pub(crate) fn hollow<M: Module>(model: M, device: &Device) -> M {
    struct Zeros<'a>(&'a Device);

    impl ModuleMapper for Zeros<'_> {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            if param.is_initialized() {
                return param;
            }
            let zeros = Tensor::zeros(param.lazy_shape(), self.0);
            let zeros = zeros.set_require_grad(self.0.is_autodiff());
            Param::initialized(param.id, zeros)
        }
    }

    model.map(&mut Zeros(device))
}

/// What `Tensor::backward` does, which does not know this device.
fn backward<M: Module>(model: &M, loss: Tensor<1>) -> GradientsParams {
    struct Taken {
        from: <Recorded as AutodiffBackend>::Gradients,
        gradients: GradientsParams,
    }

    impl ModuleVisitor for Taken {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if !param.is_require_grad() {
                return;
            }
            let tensor = recorded(param.val());
            if let Some(gradient) = Recorded::grad_remove(&tensor, &mut self.from) {
                let gradient = Tensor::<D>::from_primitive::<Capture>(gradient);
                self.gradients.register(param.id, gradient);
            }
        }
    }

    let mut taken = Taken {
        from: Recorded::backward(recorded(loss)),
        gradients: GradientsParams::new(),
    };
    model.visit(&mut taken);
    taken.gradients
}

type Recorded = Autodiff<Capture>;

/// What stands for a tensor in the graph of operations, on a device that remembers results or not.
fn recorded<const D: usize>(tensor: Tensor<D>) -> FloatTensor<Recorded> {
    let remembered = tensor.clone().try_into_primitive::<Recorded>();
    let tensor = remembered
        .or_else(|_| tensor.try_into_primitive::<Autodiff<Capture, BalancedCheckpointing>>());
    tensor.expect("parameters and loss are on the device that they were made for")
}
