//! Weights that are whole, or in blocks of few bits.

use burn::module::{
    Content, Devices, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor,
    Param, ParamId,
};
use burn::tensor::{DType, Device, Tensor};
use fireclay_kernels::{Packed, linear_packed};

use super::adapter::Adapter;

/// The matrix of a linear layer, `[inputs, outputs]`, or of a table, `[rows, width]`.
#[derive(Clone, Debug)]
pub enum Weight {
    /// A parameter like all others.
    Whole(Param<Tensor<2>>),
    /// Frozen, in few bits.
    Packed(Box<PackedWeight>),
}

/// A weight that stays as it is, in blocks of few bits on the host.
///
/// It is no parameter: whatever goes through the parameters of a model, such as optimizers, checkpoints and averages,
/// sees its adapter alone.
#[derive(Clone, Debug)]
pub struct PackedWeight {
    /// The parameter that it was, and is again when it is made whole.
    pub(crate) id: ParamId,
    /// What PyTorch calls it.
    pub(crate) name: String,
    /// `[outputs, inputs]`, or that of a table.
    pub(crate) matrix: Packed,
    pub(crate) is_table: bool,
    /// What is trained beside it.
    pub(crate) lora: Option<Adapter>,
    device: Device,
}

/// What adapters are called on the way through a model, as Burn calls those of whole weights.
const LORA: [&str; 2] = ["lora", "Reparameterization"];

impl Weight {
    /// The parameter that it is, or was.
    pub fn id(&self) -> ParamId {
        match self {
            Self::Whole(param) => param.id,
            Self::Packed(packed) => packed.id,
        }
    }

    /// Its numbers in full, with its adapter added.
    pub fn val(&self) -> Tensor<2> {
        match self {
            Self::Whole(param) => param.val(),
            Self::Packed(packed) => packed.val(),
        }
    }

    /// Rows and columns of [`val`](Self::val).
    pub fn dims(&self) -> [usize; 2] {
        match self {
            Self::Whole(param) => param.dims(),
            Self::Packed(packed) => packed.dims(),
        }
    }

    /// The kind of numbers of [`val`](Self::val).
    pub fn dtype(&self) -> DType {
        match self {
            Self::Whole(param) => param.dtype(),
            Self::Packed(_) => DType::F32,
        }
    }

    /// The blocks, if nothing is trained beside them.
    pub(crate) fn packed_alone(&self) -> Option<&Packed> {
        match self {
            Self::Packed(packed) if packed.lora.is_none() => Some(&packed.matrix),
            _ => None,
        }
    }

    /// Takes `matrix` in place of the parameter that PyTorch calls `name`; without its adapter, if it has one.
    pub(crate) fn pack(&mut self, name: &str, matrix: Packed, is_table: bool) {
        let device = match self {
            Self::Whole(param) => param.lazy_device(),
            Self::Packed(packed) => packed.device.clone(),
        };
        *self = Self::Packed(Box::new(PackedWeight {
            id: self.id(),
            name: name.to_owned(),
            matrix,
            is_table,
            lora: None,
            device,
        }));
    }
}

impl PackedWeight {
    fn dims(&self) -> [usize; 2] {
        let [rows, columns] = self.matrix.shape();
        match self.is_table {
            true => [rows, columns],
            false => [columns, rows],
        }
    }

    pub(crate) fn val(&self) -> Tensor<2> {
        match &self.lora {
            Some(lora) => lora.merged(self.plain()),
            None => self.plain(),
        }
    }

    /// Its numbers in full, without its adapter.
    pub(crate) fn plain(&self) -> Tensor<2> {
        self.plain_on(&self.device)
    }

    /// The same on a device, with the autodiff that it has.
    fn plain_on(&self, device: &Device) -> Tensor<2> {
        let turned = self.matrix.dense(device);
        match self.is_table {
            true => turned.transpose(),
            false => turned,
        }
    }

    /// The products of rows with a linear layer's matrix, and with its adapter beside it.
    ///
    /// # Shapes
    ///
    /// - `x`: `[.., inputs]`
    /// - result: `[.., outputs]`
    pub(crate) fn product<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        match &self.lora {
            None => linear_packed(x, &self.matrix),
            Some(lora) => {
                // Gradient checkpointing may be on there, and not where the matrix was made.
                let device = x.device();
                lora.forward(
                    x,
                    |x| linear_packed(x, &self.matrix),
                    || self.plain_on(&device),
                )
            }
        }
    }

    fn map_lora(self, map: impl FnOnce(Adapter) -> Adapter) -> Self {
        Self {
            lora: self.lora.map(map),
            ..self
        }
    }

    fn on(self, device: Device) -> Self {
        Self { device, ..self }
    }

    /// The parameter again, with its adapter added to it.
    fn whole(self) -> Param<Tensor<2>> {
        Param::initialized(self.id, self.val().detach())
    }
}

impl Module for Weight {
    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        let [name, kind] = LORA;
        match self {
            Self::Whole(param) => param.visit(visitor),
            Self::Packed(packed) => {
                visitor.enter_module(name, kind);
                packed.lora.visit(visitor);
                visitor.exit_module(name, kind);
            }
        }
    }

    fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        let [name, kind] = LORA;
        match self {
            Self::Whole(param) => Self::Whole(Module::map(param, mapper)),
            Self::Packed(packed) => {
                mapper.enter_module(name, kind);
                let packed = packed.map_lora(|lora| lora.map(mapper));
                mapper.exit_module(name, kind);
                Self::Packed(Box::new(packed))
            }
        }
    }

    fn collect_devices(&self, devices: Devices) -> Devices {
        match self {
            Self::Whole(param) => param.collect_devices(devices),
            // It is on the host, and goes wherever what it is multiplied with is.
            Self::Packed(packed) => packed.lora.collect_devices(devices),
        }
    }

    fn to_device(self, device: &Device) -> Self {
        match self {
            Self::Whole(param) => Self::Whole(param.to_device(device)),
            Self::Packed(packed) => {
                let packed = packed.map_lora(|lora| lora.to_device(device));
                Self::Packed(Box::new(packed.on(device.clone())))
            }
        }
    }

    fn fork(self, device: &Device) -> Self {
        match self {
            Self::Whole(param) => Self::Whole(param.fork(device)),
            Self::Packed(packed) => {
                let packed = packed.map_lora(|lora| lora.fork(device));
                Self::Packed(Box::new(packed.on(device.clone())))
            }
        }
    }

    fn valid(&self) -> Self {
        match self {
            Self::Whole(param) => Self::Whole(param.valid()),
            Self::Packed(packed) => {
                let device = packed.device.clone().without_autodiff();
                let packed = packed.clone().map_lora(|lora| lora.valid());
                Self::Packed(Box::new(packed.on(device)))
            }
        }
    }

    fn train(self) -> Self {
        match self {
            Self::Whole(param) => Self::Whole(param.train()),
            Self::Packed(packed) => {
                let device = packed.device.clone().autodiff();
                Self::Packed(Box::new(packed.map_lora(Module::train).on(device)))
            }
        }
    }

    /// A packed weight is whole then: the numbers that its blocks stand for, with its adapter added.
    fn materialize(self) -> Self {
        Self::Whole(match self {
            Self::Whole(param) => param.materialize(),
            Self::Packed(packed) => packed.whole(),
        })
    }
}

impl ModuleDisplayDefault for Weight {
    fn content(&self, content: Content) -> Option<Content> {
        match self {
            Self::Whole(param) => param.content(content),
            Self::Packed(packed) => content
                .add_formatted(&format!("{:?}", packed.matrix))
                .optional(),
        }
    }
}

impl ModuleDisplay for Weight {}

#[cfg(test)]
mod tests;
