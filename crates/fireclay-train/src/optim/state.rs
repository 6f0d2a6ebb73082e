//! What an optimizer remembers about one parameter.

use std::mem;

use burn::optim::{StateSink, StateSource};
use burn::tensor::{Device, Tensor, TensorData};

/// One tensor of an optimizer's state.
///
/// A state that was read back stays in host memory until the next step asks for it on the device
/// of its parameter, in the precision it was saved in. Burn would restore it on the default device
/// of the build, and merely creating a tensor there fails on a machine without that hardware.
#[derive(Clone, Default)]
pub enum Slot<const D: usize> {
    /// Nothing yet, or not used with this configuration.
    #[default]
    Empty,
    /// Read from a record, not used since.
    Host(TensorData),
    /// In use.
    Device(Tensor<D>),
}

impl<const D: usize> Slot<D> {
    /// Takes the tensor out, to `device`; there is none before the first update.
    pub fn take_on(&mut self, device: &Device) -> Option<Tensor<D>> {
        match mem::take(self) {
            Self::Empty => None,
            Self::Host(data) => {
                let dtype = data.dtype();
                Some(Tensor::from_data(data, (device, dtype)))
            }
            Self::Device(tensor) => Some(tensor),
        }
    }

    /// Takes the tensor out, to the device of `like`, or zeros of its shape before the first update.
    pub fn take_or_zeros(&mut self, like: &Tensor<D>) -> Tensor<D> {
        let tensor = self.take_on(&like.device());
        tensor.unwrap_or_else(|| like.zeros_like())
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    /// The same slot, on `device` if it is on a device at all.
    pub(super) fn moved_to(self, device: &Device) -> Self {
        match self {
            Self::Device(tensor) => Self::Device(tensor.to_device(device)),
            other => other,
        }
    }

    pub(super) fn flatten(&self, prefix: &str, leaf: &str, out: &mut StateSink) {
        match self {
            Self::Empty => {}
            Self::Host(data) => out.push_tensor(prefix, leaf, data.clone()),
            Self::Device(tensor) => out.push_tensor(prefix, leaf, tensor.to_data()),
        }
    }

    pub(super) fn unflatten(prefix: &str, leaf: &str, src: &mut StateSource) -> Self {
        src.take_tensor(prefix, leaf)
            .map_or(Self::Empty, Self::Host)
    }
}

impl<const D: usize> From<Tensor<D>> for Slot<D> {
    fn from(tensor: Tensor<D>) -> Self {
        Self::Device(tensor)
    }
}

/// `tensor` after decoupled weight decay, which takes this share of it.
pub(super) fn shrunk<const D: usize>(tensor: Tensor<D>, share: f64) -> Tensor<D> {
    match share {
        0.0 => tensor,
        share => tensor.mul_scalar(1.0 - share),
    }
}

/// Defines the state of an optimizer, the number of updates and named [`Slot`]s, and makes an
/// [`Optimizer`](burn::optim::Optimizer) of its rule, which says in
/// `update(&self, lr, tensor, grad, &mut state)` what becomes of a parameter. The state counts this update
/// already; one without a tensor is not kept.
///
/// Burn's own derive names items by `crate::`, so that it works inside Burn only.
macro_rules! optimizer_state {
    ($(#[$meta:meta])* $name:ident of $rule:ty { $($(#[$slot_meta:meta])* $slot:ident),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Default)]
        pub struct $name<const D: usize> {
            /// Updates made so far.
            pub step: u64,
            $($(#[$slot_meta])* pub $slot: $crate::optim::state::Slot<D>,)+
        }

        impl burn::optim::Optimizer for $rule {
            type State<const D: usize> = $name<D>;

            fn step<const D: usize>(
                &self,
                lr: f64,
                tensor: Tensor<D>,
                grad: Tensor<D>,
                state: Option<$name<D>>,
            ) -> (Tensor<D>, Option<$name<D>>) {
                let mut state = state.unwrap_or_default();
                state.step += 1;
                let tensor = self.update(lr, tensor, grad, &mut state);
                let is_empty = $(state.$slot.is_empty())&&+;
                (tensor, (!is_empty).then_some(state))
            }

            fn to_device<const D: usize>(
                state: $name<D>,
                device: &burn::tensor::Device,
            ) -> $name<D> {
                $name { step: state.step, $($slot: state.$slot.moved_to(device)),+ }
            }
        }

        impl<const D: usize> burn::optim::RecordState for $name<D> {
            fn state_flatten(&self, prefix: &str, out: &mut burn::optim::StateSink) {
                out.push_scalar(prefix, "step", self.step.into());
                $(self.$slot.flatten(prefix, stringify!($slot), out);)+
            }

            fn state_unflatten(
                prefix: &str,
                src: &mut burn::optim::StateSource,
                _device: &burn::tensor::Device,
            ) -> Option<Self> {
                let step = u64::try_from(src.take_scalar(prefix, "step")?).ok()?;
                Some(Self {
                    step,
                    $($slot: $crate::optim::state::Slot::unflatten(prefix, stringify!($slot), src),)+
                })
            }
        }
    };
}
pub(super) use optimizer_state;
