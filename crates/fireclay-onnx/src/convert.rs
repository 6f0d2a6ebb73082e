//! A model of any family as an ONNX model.

use std::collections::HashMap;

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{Tensor, TensorData};
use burn_ir::TensorId;

use crate::align::Aligned;
use crate::dims::{Dim, Sizes};
use crate::error::Fault;
use crate::graph::tensor;
use crate::models::Graphed;
use crate::proto::{
    Attribute, BOOL, DimProto, FLOAT, GraphProto, INT64, ModelProto, OperatorSetId, ValueInfo,
};
use crate::tape::{Kind, Port, Recording, Symbol};
use crate::translate::{Translator, bytes};

/// The version of ONNX's operations: the first that has layer norm.
const OPSET: i64 = 17;
/// The version of its messages that came with them.
const IR: i64 = 8;

/// The model as ONNX, without metadata. `names` are those of its weights.
///
/// # Errors
///
/// If there is no rule for an operation, or inputs of other sizes take other operations.
pub(crate) fn convert<M: Graphed>(
    model: &M,
    shape: &M::Shape,
    context: usize,
    names: &[(ParamId, String)],
) -> Result<ModelProto, Fault> {
    let symbols = M::symbols(context);
    let record =
        |sizes: &[usize]| Recording::of(model, sizes, |model, tape| model.run(shape, tape));
    let sizes = sizes(&symbols)?;
    let recordings: Vec<Recording> = sizes.iter().map(|sizes| record(sizes)).collect();
    let aligned = Aligned::of(&recordings, &sizes)?;
    let first = &recordings[0];
    let mut written = Written {
        translator: Translator::new(
            &aligned,
            HashMap::new(),
            places(first, &aligned, symbols.len()),
        ),
        aligned: &aligned,
    };
    written.inputs(&first.inputs);
    written.weights(model, first, names);
    let longest = || {
        let sizes = symbols.iter().zip(&sizes[0]);
        let sizes = sizes.map(|(symbol, size)| symbol.most.unwrap_or(*size));
        record(&sizes.collect::<Vec<usize>>())
    };
    written.constants(first, longest)?;
    written.translator.all()?;
    Ok(written.finish(first, &symbols))
}

/// The sizes to record; see [`Sizes`].
fn sizes(symbols: &[Symbol]) -> Result<Sizes, Fault> {
    let at = |symbol: &Symbol, wanted: [usize; 3]| {
        let most = symbol.most.unwrap_or(usize::MAX);
        let [first, other, last] = match most {
            0..4 => return Err(Fault::Varies(format!("its context is {most} tokens"))),
            4..11 => [3, most, 2],
            _ => wanted,
        };
        Ok([first, other, last])
    };
    // Primes, so that no length is another's multiple by chance.
    let wanted = [[2, 3, 5], [5, 7, 11], [7, 5, 3]];
    let lengths = symbols
        .iter()
        .zip(wanted)
        .map(|(symbol, wanted)| at(symbol, wanted));
    let lengths: Vec<[usize; 3]> = lengths.collect::<Result<_, _>>()?;
    let base: Vec<usize> = lengths.iter().map(|lengths| lengths[0]).collect();
    let mut sizes = vec![base.clone()];
    for (symbol, lengths) in lengths.iter().enumerate() {
        let mut one = base.clone();
        one[symbol] = lengths[1];
        sizes.push(one);
    }
    sizes.push(lengths.iter().map(|lengths| lengths[2]).collect());
    Ok(sizes)
}

/// Where the length of each symbol can be read.
fn places(recording: &Recording, aligned: &Aligned, symbols: usize) -> Vec<(String, i64)> {
    let of = |symbol| {
        recording.inputs.iter().find_map(|port| {
            let dims = aligned.shapes.get(&port.id)?;
            let axis = dims.iter().position(|dim| dim.symbol() == Some(symbol))?;
            Some((port.name.to_owned(), axis as i64))
        })
    };
    (0..symbols)
        .map(|symbol| of(symbol).unwrap_or_default())
        .collect()
}

struct Written<'a> {
    translator: Translator<'a>,
    aligned: &'a Aligned,
}

impl Written<'_> {
    /// Names the inputs; masks become true and false.
    fn inputs(&mut self, ports: &[Port]) {
        for port in ports {
            let name = match port.kind {
                Kind::Mask => {
                    let to = Attribute::int("to", i64::from(BOOL));
                    self.translator.graph.node("Cast", &[port.name], vec![to])
                }
                Kind::Numbers | Kind::Indices => port.name.to_owned(),
            };
            self.translator.names.insert(port.id, name);
        }
    }

    /// The weights that are read, with their numbers.
    fn weights<M: Module>(&mut self, model: &M, first: &Recording, names: &[(ParamId, String)]) {
        let names: HashMap<ParamId, &str> = names
            .iter()
            .map(|(id, name)| (*id, name.as_str()))
            .collect();
        let read = first
            .weights
            .iter()
            .filter(|(tensor, _)| self.aligned.read.contains(tensor));
        let tensors: HashMap<ParamId, TensorId> =
            read.map(|(tensor, weight)| (*weight, *tensor)).collect();
        model.visit(&mut Numbers(|weight: ParamId, data: TensorData| {
            let Some(id) = tensors.get(&weight) else {
                return;
            };
            let name = match names.get(&weight) {
                Some(name) => (*name).to_owned(),
                None => format!("weight_{}", id.value()),
            };
            let dims = data.shape().iter().map(|side| *side as i64).collect();
            let mut weight = tensor(FLOAT, dims, bytes(&data));
            weight.name.clone_from(&name);
            self.translator.graph.weight(weight);
            self.translator.names.insert(*id, name);
        }));
    }

    /// The constants that the model makes itself. Only for tables that grow is the `longest` recorded.
    fn constants(
        &mut self,
        first: &Recording,
        longest: impl FnOnce() -> Recording,
    ) -> Result<(), Fault> {
        let tables: Vec<TensorId> = self
            .aligned
            .values
            .iter()
            .filter(|(id, seen)| self.translator.is_table(**id, seen))
            .map(|(id, _)| *id)
            .collect();
        let grown: HashMap<TensorId, TensorData> = match tables.is_empty() {
            true => HashMap::new(),
            false => same_places(first, longest())?,
        };
        for (id, seen) in &self.aligned.values {
            self.translator.constant(*id, seen, grown.get(id))?;
        }
        Ok(())
    }

    fn finish(mut self, first: &Recording, symbols: &[Symbol]) -> ModelProto {
        // An input that leads nowhere is none.
        let read = |port: &&Port| self.aligned.read.contains(&port.id);
        let input = first
            .inputs
            .iter()
            .filter(read)
            .map(|port| info(self.aligned, port, symbols))
            .collect();
        let output = first
            .outputs
            .iter()
            .map(|port| info(self.aligned, port, symbols))
            .collect();
        for port in &first.outputs {
            let name = self.translator.names[&port.id].clone();
            self.translator.graph.output(&name, port.name);
        }
        let graph = self.translator.graph.finish();
        ModelProto {
            ir_version: IR,
            opset_import: vec![OperatorSetId {
                domain: String::new(),
                version: OPSET,
            }],
            producer_name: "fireclay".into(),
            producer_version: env!("CARGO_PKG_VERSION").into(),
            graph: Some(GraphProto {
                input,
                output,
                ..graph
            }),
            metadata_props: Vec::new(),
        }
    }
}

/// What a model says of an input or an output.
fn info(aligned: &Aligned, port: &Port, symbols: &[Symbol]) -> ValueInfo {
    let dims = aligned.shapes.get(&port.id).map_or(&[][..], Vec::as_slice);
    let kind = match port.kind {
        Kind::Numbers => FLOAT,
        Kind::Indices | Kind::Mask => INT64,
    };
    let dims = dims.iter().map(|dim| axis(dim, symbols));
    ValueInfo::tensor(port.name, kind, dims.collect())
}

/// An axis of an input or an output. A product of lengths has no name.
fn axis(dim: &Dim, symbols: &[Symbol]) -> DimProto {
    match (dim.number(), dim.symbol()) {
        (Some(number), _) => DimProto {
            dim_value: Some(number),
            ..DimProto::default()
        },
        (None, symbol) => DimProto {
            dim_param: symbol.map(|symbol| symbols[symbol].name.to_owned()),
            ..DimProto::default()
        },
    }
}

/// What the model made itself in another recording of the same operations, by the tensors of the first.
fn same_places(
    first: &Recording,
    other: Recording,
) -> Result<HashMap<TensorId, TensorData>, Fault> {
    if first.values.len() != other.values.len() {
        let reason = "inputs of the greatest length take other constants";
        return Err(Fault::Varies(reason.into()));
    }
    // Tensors are made in the same order.
    let pairs = first.values.keys().zip(other.values.into_values());
    Ok(pairs.map(|(id, data)| (*id, data)).collect())
}

/// Hands on the numbers of each weight, one by one.
struct Numbers<F>(F);

impl<F: FnMut(ParamId, TensorData)> ModuleVisitor for Numbers<F> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        (self.0)(param.id, param.val().into_data());
    }
}
