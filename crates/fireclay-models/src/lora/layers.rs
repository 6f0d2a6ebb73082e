//! The layers of a model that can be adapted.

use super::ALL_LINEAR;
use crate::family::Pretrainable;
use crate::io::weights::{Name, names};
use crate::layers::weight::Weight;

/// A layer that can be adapted.
pub(super) struct Layer {
    /// The path of its weight in Burn; of one in few bits, which has none, its name.
    pub path: String,
    /// Its name in PyTorch.
    pub name: String,
    pub inputs: usize,
    pub outputs: usize,
}

impl Layer {
    pub fn is_called(&self, target: &str) -> bool {
        let start = self.name.strip_suffix(target);
        target == ALL_LINEAR || start.is_some_and(|start| start.is_empty() || start.ends_with('.'))
    }

    /// The largest rank that a change of its weight can have.
    pub fn rank(&self) -> usize {
        self.inputs.min(self.outputs)
    }
}

pub(super) fn linear_layers<F: Pretrainable>(
    config: &F,
    model: &F::Model,
    whole: &[String],
) -> Vec<Layer> {
    let layer = |name: Name| {
        let [inputs, outputs] = name.linear?;
        let layer = name.torch.strip_suffix(".weight")?.to_owned();
        let learns = layer != config.head() && !whole.contains(&name.torch);
        learns.then_some(Layer {
            path: name.path,
            name: layer,
            inputs,
            outputs,
        })
    };
    names(config, model).into_iter().filter_map(layer).collect()
}

/// Those whose weights are kept in few bits.
pub(super) fn packed_layers<F: Pretrainable>(
    config: &F,
    model: &F::Model,
    whole: &[String],
) -> Vec<Layer> {
    let mut model = model.clone();
    let layer = |weight: &mut Weight| {
        let Weight::Packed(packed) = weight else {
            return None;
        };
        let [outputs, inputs] = packed.matrix.shape();
        let layer = packed.name.strip_suffix(".weight")?.to_owned();
        let learns = layer != config.head() && !whole.contains(&packed.name);
        (learns && !packed.is_table).then(|| Layer {
            path: packed.name.clone(),
            name: layer,
            inputs,
            outputs,
        })
    };
    F::weights(&mut model)
        .into_iter()
        .filter_map(layer)
        .collect()
}

/// The names of the layers from the number of their block on, each once.
pub(super) fn known_names(layers: &[Layer]) -> Vec<String> {
    let mut known: Vec<String> = Vec::new();
    for Layer { name, .. } in layers {
        let parts: Vec<&str> = name.split('.').collect();
        let number = parts.iter().position(|part| part.parse::<usize>().is_ok());
        let end = parts[number.map_or(0, |number| number + 1)..].join(".");
        if !end.is_empty() && !known.contains(&end) {
            known.push(end);
        }
    }
    known
}

pub(super) fn list(known: &[String]) -> String {
    match known.is_empty() {
        true => "the model has no linear layer but its head".to_owned(),
        false => format!("those of the model are {}", known.join(", ")),
    }
}
