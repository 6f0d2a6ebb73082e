//! What is computed of parameters once, as long as they stay as they are.

use std::sync::{Arc, OnceLock};

use burn::module::{
    Content, Devices, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor,
};
use burn::tensor::{Device, Tensor};

/// A value that follows from the parameters of the module that this is a field of, and that clones share. Whatever may
/// change these, or moves them, goes through the module, and forgets it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept(Arc<OnceLock<Tensor<1>>>);

impl Kept {
    /// The value, which `compute` gives where it is not known.
    pub fn or(&self, compute: impl FnOnce() -> Tensor<1>) -> Tensor<1> {
        self.0.get_or_init(compute).clone()
    }
}

impl Module for Kept {
    fn visit<V: ModuleVisitor>(&self, _visitor: &mut V) {}

    fn map<M: ModuleMapper>(self, _mapper: &mut M) -> Self {
        Self::default()
    }

    fn collect_devices(&self, devices: Devices) -> Devices {
        devices
    }

    fn to_device(self, _device: &Device) -> Self {
        Self::default()
    }

    fn fork(self, _device: &Device) -> Self {
        Self::default()
    }

    fn valid(&self) -> Self {
        Self::default()
    }

    fn train(self) -> Self {
        Self::default()
    }

    fn materialize(self) -> Self {
        self
    }
}

impl ModuleDisplayDefault for Kept {
    fn content(&self, content: Content) -> Option<Content> {
        Some(content)
    }
}

impl ModuleDisplay for Kept {}
