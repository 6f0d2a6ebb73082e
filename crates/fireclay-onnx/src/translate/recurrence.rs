//! Steps through time, as an LSTM has them: one `Scan` for any number of them.

use burn_ir::CustomOpIr;
use fireclay_kernels::RECURRENCE_BEGINS;

use super::{Rule, Translator};
use crate::dims::Dim;
use crate::graph::{scalar_bytes, tensor};
use crate::proto::{Attribute, DimProto, FLOAT, GraphProto, NodeProto, ValueInfo};

impl Translator<'_> {
    /// Takes gates `[time, directions, batch, 4 hidden]` without the part of the states, and weights
    /// `[directions, hidden, 4 hidden]`; gives states `[time, directions, batch, hidden]`.
    pub(super) fn recurrence(&mut self, op: &CustomOpIr) -> Rule {
        let [gates, weights] = op.inputs.as_slice() else {
            return None;
        };
        let [states] = op.outputs.as_slice() else {
            return None;
        };
        if op.id != RECURRENCE_BEGINS {
            return None;
        }
        let state: Vec<Dim> = self.dims(states)[1..].to_vec();
        let shape = self.shape(&state);
        let zero = Attribute::tensor("value", tensor(FLOAT, vec![1], scalar_bytes(FLOAT, 0.0)));
        let zeros = self.graph.node("ConstantOfShape", &[&shape], vec![zero]);
        let (gates, weights) = (self.of(gates), self.of(weights));
        let attributes = vec![
            Attribute::int("num_scan_inputs", 1),
            Attribute::graph("body", body(&weights)),
        ];
        let inputs = [zeros.as_str(), &zeros, &gates];
        let mut results = self.graph.nodes("Scan", &inputs, attributes, 3);
        results.pop()
    }
}

/// One step: the gates of input, forgetting, the cell and output, in this order (Hochreiter & Schmidhuber
/// 1997). The weights are those of the graph around it.
fn body(weights: &str) -> GraphProto {
    let nodes: [(&str, &[&str], &[&str]); 13] = [
        ("MatMul", &["lstm_state", weights], &["lstm_from_state"]),
        ("Add", &["lstm_gates", "lstm_from_state"], &["lstm_all"]),
        (
            "Split",
            &["lstm_all"],
            &["lstm_i", "lstm_f", "lstm_n", "lstm_o"],
        ),
        ("Sigmoid", &["lstm_i"], &["lstm_in"]),
        ("Sigmoid", &["lstm_f"], &["lstm_forget"]),
        ("Tanh", &["lstm_n"], &["lstm_new"]),
        ("Sigmoid", &["lstm_o"], &["lstm_out"]),
        ("Mul", &["lstm_forget", "lstm_cell"], &["lstm_kept"]),
        ("Mul", &["lstm_in", "lstm_new"], &["lstm_added"]),
        ("Add", &["lstm_kept", "lstm_added"], &["lstm_next_cell"]),
        ("Tanh", &["lstm_next_cell"], &["lstm_shown"]),
        ("Mul", &["lstm_out", "lstm_shown"], &["lstm_next_state"]),
        ("Identity", &["lstm_next_state"], &["lstm_states"]),
    ];
    let value = |name: &&str| ValueInfo::tensor(name, FLOAT, vec![DimProto::default(); 3]);
    GraphProto {
        node: nodes.into_iter().map(node).collect(),
        name: "step".into(),
        input: ["lstm_state", "lstm_cell", "lstm_gates"]
            .iter()
            .map(value)
            .collect(),
        output: ["lstm_next_state", "lstm_next_cell", "lstm_states"]
            .iter()
            .map(value)
            .collect(),
        ..GraphProto::default()
    }
}

fn node((op, input, output): (&str, &[&str], &[&str])) -> NodeProto {
    NodeProto {
        input: input.iter().map(|name| (*name).to_owned()).collect(),
        output: output.iter().map(|name| (*name).to_owned()).collect(),
        name: output[0].to_owned(),
        op_type: op.to_owned(),
        attribute: match op {
            "Split" => vec![Attribute::int("axis", -1)],
            _ => Vec::new(),
        },
    }
}
