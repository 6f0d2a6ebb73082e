//! What PyTorch calls the tensors of a Burn module, and how it lays them out.

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{Bool, Int, Shape, Tensor, TensorData};

use crate::family::Family;

/// One tensor of a module.
pub struct Name {
    /// The identity of the parameter.
    pub id: ParamId,
    /// Its path in Burn.
    pub path: String,
    /// Its name in PyTorch.
    pub torch: String,
    /// Whether PyTorch keeps its two axes the other way round.
    pub swapped: bool,
    /// Its shape in PyTorch.
    pub shape: Vec<usize>,
    /// Inputs and outputs, if it is the weight of a linear layer.
    pub linear: Option<[usize; 2]>,
}

/// Every tensor of `module` in visiting order, without touching a value.
pub fn names<F: Family>(config: &F, module: &F::Model) -> Vec<Name> {
    let named = |name: Name| Name {
        torch: config.torch_name(name.torch),
        ..name
    };
    plain_names(module).into_iter().map(named).collect()
}

/// As [`names`], before the family has its say.
pub fn plain_names<M: Module>(module: &M) -> Vec<Name> {
    let mut namer = Namer::default();
    module.visit(&mut namer);
    namer.names
}

/// Transposes a matrix.
pub fn swap_axes(data: TensorData) -> TensorData {
    let [rows, columns] = data.shape().dims();
    let size = data.dtype().size();
    let dtype = data.dtype();
    let source = data.as_bytes();
    let mut bytes = Vec::with_capacity(source.len());
    for column in 0..columns {
        for row in 0..rows {
            let start = (row * columns + column) * size;
            bytes.extend_from_slice(&source[start..start + size]);
        }
    }
    TensorData::from_bytes_vec(bytes, [columns, rows], dtype)
}

#[derive(Default)]
struct Namer {
    /// The name of each module on the way down, and the type that holds it.
    path: Vec<(String, String)>,
    names: Vec<Name>,
}

impl Namer {
    fn push(&mut self, id: ParamId, shape: Shape) {
        let (field, holder) = self.path.last().map_or(("", ""), |(a, b)| (a, b));
        let swapped = holder == "Struct:Linear" && field == "weight";
        let mut shape = shape.to_vec();
        let linear = match (holder, field, shape.as_slice()) {
            // GPT-2's linear layers are called so; a convolution's weight has three axes.
            ("Struct:Linear" | "Struct:Conv1d", "weight", &[inputs, outputs]) => {
                Some([inputs, outputs])
            }
            _ => None,
        };
        if swapped {
            shape.reverse();
        }
        self.names.push(Name {
            id,
            path: self.join(|name, _| Some(name)),
            torch: self.join(torch_name),
            swapped,
            shape,
            linear,
        });
    }

    fn join<'a>(&'a self, name: impl Fn(&'a str, &'a str) -> Option<&'a str>) -> String {
        let parts = self
            .path
            .iter()
            .filter_map(|(field, holder)| name(field, holder));
        parts.collect::<Vec<_>>().join(".")
    }
}

/// An enum's variant is no part of the name; the scale and shift of norms are `weight` and `bias`.
fn torch_name<'a>(field: &'a str, holder: &str) -> Option<&'a str> {
    let norm = holder.starts_with("Struct:") && holder.ends_with("Norm");
    match field {
        _ if holder.starts_with("Enum:") => None,
        "gamma" if norm => Some("weight"),
        "beta" if norm => Some("bias"),
        _ => Some(field),
    }
}

impl ModuleVisitor for Namer {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path
            .push((name.to_string(), container_type.to_string()));
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.push(param.id, param.lazy_shape());
    }

    fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
        self.push(param.id, param.lazy_shape());
    }

    fn visit_bool<const D: usize>(&mut self, param: &Param<Tensor<D, Bool>>) {
        self.push(param.id, param.lazy_shape());
    }
}
