//! What a model does in evaluation, written down instead of done, as a plan records it: on Burn's capture
//! device, whose tensors have shapes and no numbers. The numbers of its weights are looked up afterwards.

use std::collections::{BTreeMap, HashMap};

use burn::backend::Capture;
use burn::module::{Module, ModuleMapper, Param, ParamId};
use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use burn_ir::{OperationIr, TensorId};

/// A length that inputs choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Symbol {
    /// Its name in the graph.
    pub name: &'static str,
    /// The longest that the model takes, if there is one.
    pub most: Option<usize>,
}

/// The length of an axis of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Axis {
    /// Always the same.
    Fixed(usize),
    /// That of the symbol of this number.
    Symbol(usize),
}

/// What an input or an output holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Numbers of 32 bits.
    Numbers,
    /// Whole numbers of 64 bits.
    Indices,
    /// Whole numbers of 64 bits: zero where the model has false, and one where it has true.
    Mask,
}

/// An input or an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Port {
    pub name: &'static str,
    pub kind: Kind,
    pub id: TensorId,
}

/// What a forward pass is recorded on.
pub(crate) struct Tape<'a> {
    device: &'a Device,
    /// The length of each symbol.
    sizes: &'a [usize],
    inputs: Vec<Port>,
    outputs: Vec<Port>,
}

/// A forward pass with inputs of some size.
pub(crate) struct Recording {
    /// In their order.
    pub operations: Vec<OperationIr>,
    /// The tensors whose numbers the model made itself.
    pub values: BTreeMap<TensorId, TensorData>,
    /// The tensors that stand for weights.
    pub weights: HashMap<TensorId, ParamId>,
    pub inputs: Vec<Port>,
    pub outputs: Vec<Port>,
}

impl Recording {
    /// What `forward` does with a model like `model`, with symbols of these `sizes`.
    pub fn of<M: Module>(model: &M, sizes: &[usize], forward: impl Fn(&M, &mut Tape)) -> Self {
        let device = Device::capture();
        let mut tape = Tape {
            device: &device,
            sizes,
            inputs: Vec::new(),
            outputs: Vec::new(),
        };
        let mut weights = HashMap::new();
        let captured = device.capture_scope(|scope| {
            let mut blank = Blank {
                device: &device,
                weights: HashMap::new(),
            };
            // Clones share running statistics; `valid` copies them.
            let model = model.valid().map(&mut blank);
            weights = blank.weights;
            forward(&model, &mut tape);
            scope.complete([], [])
        });
        let captured = captured.expect("the device is new, and every tensor was made on it");
        Self {
            operations: captured.graph.operations,
            values: captured.values,
            weights,
            inputs: tape.inputs,
            outputs: tape.outputs,
        }
    }
}

impl Tape<'_> {
    /// An input of numbers.
    pub fn numbers<const D: usize>(&mut self, name: &'static str, axes: [Axis; D]) -> Tensor<D> {
        // An operation and not data: a model that reads the numbers of its input fails here, where a graph
        // would otherwise hold what it made of zeros.
        let tensor = Tensor::<D>::empty(self.lengths(axes), self.device);
        let kind = Kind::Numbers;
        let id = id(&tensor);
        self.inputs.push(Port { name, kind, id });
        tensor
    }

    /// An input of tokens or categories.
    pub fn indices(&mut self, name: &'static str, axes: [Axis; 2]) -> Tensor<2, Int> {
        let tensor = Tensor::<2, Int>::empty(self.lengths(axes), self.device);
        let id = tensor.clone().try_into_primitive::<Capture>();
        let id = id.expect(CAPTURED).id();
        let kind = Kind::Indices;
        self.inputs.push(Port { name, kind, id });
        tensor
    }

    /// An input that says where there is something.
    pub fn mask(&mut self, name: &'static str, axes: [Axis; 2]) -> Tensor<2, Bool> {
        let tensor = Tensor::<2, Bool>::empty(self.lengths(axes), self.device);
        let id = tensor.clone().try_into_primitive::<Capture>();
        let id = id.expect(CAPTURED).id();
        let kind = Kind::Mask;
        self.inputs.push(Port { name, kind, id });
        tensor
    }

    /// Numbers of no column, which no model reads.
    pub fn nothing(&self) -> Tensor<2> {
        Tensor::empty([self.sizes[0], 0], self.device)
    }

    /// Whole numbers of no column, which no model reads.
    pub fn nothing_whole(&self) -> Tensor<2, Int> {
        Tensor::empty([self.sizes[0], 0], self.device)
    }

    /// Gives numbers as an output.
    pub fn output<const D: usize>(&mut self, name: &'static str, tensor: &Tensor<D>) {
        let (kind, id) = (Kind::Numbers, id(tensor));
        self.outputs.push(Port { name, kind, id });
    }

    fn lengths<const D: usize>(&self, axes: [Axis; D]) -> [usize; D] {
        axes.map(|axis| match axis {
            Axis::Fixed(length) => length,
            Axis::Symbol(symbol) => self.sizes[symbol],
        })
    }
}

fn id<const D: usize>(tensor: &Tensor<D>) -> TensorId {
    let tensor = tensor.clone().try_into_primitive::<Capture>();
    tensor.expect(CAPTURED).id()
}

const CAPTURED: &str = "a forward pass stays on its device";

/// Puts an empty tensor in the place of each weight.
struct Blank<'a> {
    device: &'a Device,
    weights: HashMap<TensorId, ParamId>,
}

impl ModuleMapper for Blank<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let empty = Tensor::<D>::empty(param.val().dims(), self.device);
        self.weights.insert(id(&empty), param.id);
        Param::initialized(param.id, empty)
    }
}
