//! An ONNX graph in the making.

use std::collections::HashMap;

use crate::proto::{Attribute, BOOL, DOUBLE, FLOAT, GraphProto, INT64, NodeProto, TensorProto};

/// Nodes and constants, and the names that they have.
#[derive(Default)]
pub(crate) struct Graph {
    nodes: Vec<NodeProto>,
    initializers: Vec<TensorProto>,
    /// The names of constants that are there already, by what they hold.
    known: HashMap<(i32, Vec<i64>, Vec<u8>), String>,
    /// How many names were given.
    count: usize,
    /// What they begin with.
    prefix: &'static str,
}

impl Graph {
    /// A graph that becomes part of another, whose names begin with this.
    pub fn part(prefix: &'static str) -> Self {
        Self {
            prefix,
            ..Self::default()
        }
    }

    /// The result of an operation.
    pub fn node(&mut self, op: &str, inputs: &[&str], attributes: Vec<Attribute>) -> String {
        let mut names = self.nodes(op, inputs, attributes, 1);
        names.pop().expect("one was asked for")
    }

    /// So many results of an operation.
    pub fn nodes(
        &mut self,
        op: &str,
        inputs: &[&str],
        attribute: Vec<Attribute>,
        results: usize,
    ) -> Vec<String> {
        let name = self.name(op);
        let output: Vec<String> = match results {
            1 => vec![name.clone()],
            _ => (0..results).map(|part| format!("{name}.{part}")).collect(),
        };
        self.nodes.push(NodeProto {
            input: inputs.iter().map(|name| (*name).to_owned()).collect(),
            output: output.clone(),
            name,
            op_type: op.to_owned(),
            attribute,
        });
        output
    }

    /// Gives a result the name of an output.
    pub fn output(&mut self, from: &str, to: &str) {
        let makes = |node: &NodeProto| node.output.iter().any(|output| output == from);
        if !self.nodes.iter().any(makes) {
            // It is an input or a constant, which keeps its name.
            let copy = self.node("Identity", &[from], Vec::new());
            return self.output(&copy, to);
        }
        let name = |name: &mut String| {
            if name == from {
                to.clone_into(name);
            }
        };
        for node in &mut self.nodes {
            node.input.iter_mut().for_each(name);
            node.output.iter_mut().for_each(name);
        }
    }

    /// A weight.
    pub fn weight(&mut self, tensor: TensorProto) {
        self.initializers.push(tensor);
    }

    /// A constant, made once.
    pub fn constant(&mut self, data_type: i32, dims: Vec<i64>, bytes: Vec<u8>) -> String {
        let key = (data_type, dims, bytes);
        if let Some(name) = self.known.get(&key) {
            return name.clone();
        }
        let name = self.name("constant");
        self.known.insert(key.clone(), name.clone());
        let (data_type, dims, bytes) = key;
        self.initializers.push(TensorProto {
            name: name.clone(),
            ..tensor(data_type, dims, bytes)
        });
        name
    }

    /// A list of whole numbers.
    pub fn indices(&mut self, values: &[i64]) -> String {
        let bytes = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        self.constant(INT64, vec![values.len() as i64], bytes)
    }

    /// A list of numbers of 64 bits.
    pub fn doubles(&mut self, values: &[f64]) -> String {
        let bytes = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        self.constant(DOUBLE, vec![values.len() as i64], bytes)
    }

    /// A number, of one of the kinds that there are here.
    pub fn scalar(&mut self, data_type: i32, value: f64) -> String {
        let bytes = scalar_bytes(data_type, value);
        self.constant(data_type, Vec::new(), bytes)
    }

    /// The whole graph, without inputs and outputs.
    pub fn finish(self) -> GraphProto {
        GraphProto {
            node: self.nodes,
            initializer: self.initializers,
            name: "fireclay".into(),
            ..GraphProto::default()
        }
    }

    fn name(&mut self, of: &str) -> String {
        self.count += 1;
        format!("{}{}_{}", self.prefix, of.to_lowercase(), self.count)
    }
}

/// A constant without a name.
pub(crate) fn tensor(data_type: i32, dims: Vec<i64>, bytes: Vec<u8>) -> TensorProto {
    TensorProto {
        dims,
        data_type,
        raw_data: Some(bytes),
        ..TensorProto::default()
    }
}

/// The bytes of a number.
pub(crate) fn scalar_bytes(data_type: i32, value: f64) -> Vec<u8> {
    match data_type {
        FLOAT => (value as f32).to_le_bytes().to_vec(),
        DOUBLE => value.to_le_bytes().to_vec(),
        BOOL => vec![u8::from(value != 0.0)],
        _ => (value as i64).to_le_bytes().to_vec(),
    }
}
