//! From recorded operations to ONNX: a rule for each, in the file of its kind.

mod base;
mod constants;
mod lengths;
mod modules;
mod numeric;
mod recurrence;

use std::collections::{BTreeSet, HashMap};

use burn::tensor::DType;
use burn_ir::{OperationIr, TensorId, TensorIr};

pub(crate) use constants::bytes;

use crate::align::{Aligned, Step, name};
use crate::dims::Dim;
use crate::error::Fault;
use crate::graph::Graph;
use crate::proto::{BOOL, FLOAT, INT64};

/// What is known of the graph while its operations are translated.
pub(crate) struct Translator<'a> {
    pub graph: Graph,
    aligned: &'a Aligned,
    /// The name of each tensor.
    pub names: HashMap<TensorId, String>,
    /// Where the length of each symbol can be read: an input and its axis.
    pub symbols: Vec<(String, i64)>,
    /// The number of the operation at hand, if it depends on the inputs; gone when it is written.
    varying: Option<Dim>,
    /// The lengths that were computed.
    lengths: HashMap<Dim, String>,
}

/// The result of a rule; none if there is no rule.
type Rule = Option<String>;

impl<'a> Translator<'a> {
    /// A translator that knows the inputs' names.
    pub fn new(
        aligned: &'a Aligned,
        names: HashMap<TensorId, String>,
        symbols: Vec<(String, i64)>,
    ) -> Self {
        Self {
            graph: Graph::default(),
            aligned,
            names,
            symbols,
            varying: None,
            lengths: HashMap::new(),
        }
    }

    /// Translates all operations.
    ///
    /// # Errors
    ///
    /// If there is no rule for some of them: all are named.
    pub fn all(&mut self) -> Result<(), Fault> {
        let (mut missing, mut is_whole) = (BTreeSet::new(), true);
        for step in &self.aligned.steps {
            let out = step.operation.outputs().next().map(|out| out.id);
            let known = |tensor: &TensorIr| self.names.contains_key(&tensor.id);
            if !step.operation.inputs().all(known) {
                // It depends on one without a rule, which is named.
                is_whole = false;
                continue;
            }
            match (self.translate(step), out) {
                (Some(name), Some(out)) => drop(self.names.insert(out, name)),
                _ => drop(missing.insert(name(&step.operation))),
            }
        }
        match (missing.is_empty(), is_whole) {
            (true, true) => Ok(()),
            (true, false) => Err(Fault::Varies("an operand comes from nowhere".into())),
            (false, _) => Err(Fault::Unsupported(missing.into_iter().collect())),
        }
    }

    fn translate(&mut self, step: &Step) -> Rule {
        self.varying.clone_from(&step.scalar);
        let name = self.rule(step);
        name.filter(|_| self.varying.is_none())
    }

    fn rule(&mut self, step: &Step) -> Rule {
        use OperationIr as Op;
        match &step.operation {
            Op::BaseFloat(op) | Op::BaseInt(op) | Op::BaseBool(op) => self.base(op, &step.ranges),
            Op::NumericFloat(_, op) | Op::NumericInt(_, op) => self.numeric(op),
            Op::Float(_, op) => self.float(op),
            Op::Int(op) => self.int(op),
            Op::Bool(op) => self.bool(op),
            Op::Module(op) => self.module(op),
            Op::Activation(op) => self.activation(op),
            Op::Custom(op) => self.recurrence(op),
            Op::Init(_) | Op::Drop(_) | Op::Distributed(_) => None,
        }
    }

    /// The name of an operand.
    fn of(&self, tensor: &TensorIr) -> String {
        self.names[&tensor.id].clone()
    }

    /// The shape of an operand or a result.
    fn dims(&self, tensor: &TensorIr) -> &'a [Dim] {
        &self.aligned.shapes[&tensor.id]
    }

    /// An operation of one operand.
    fn unary(&mut self, op: &str, input: &TensorIr) -> Rule {
        let input = self.of(input);
        Some(self.graph.node(op, &[&input], Vec::new()))
    }

    /// An operation of two operands.
    fn binary(&mut self, op: &str, lhs: &TensorIr, rhs: &TensorIr) -> Rule {
        let [lhs, rhs] = [lhs, rhs].map(|tensor| self.of(tensor));
        Some(self.graph.node(op, &[&lhs, &rhs], Vec::new()))
    }

    /// An operation of an operand and a number of its kind.
    fn with_scalar(&mut self, op: &str, lhs: &TensorIr, rhs: f64) -> Rule {
        let kind = data_type(lhs.dtype)?;
        let rhs = match self.varying.take() {
            Some(dim) if kind == INT64 => self.length(&dim),
            Some(_) => return None,
            None => self.graph.scalar(kind, rhs),
        };
        let lhs = self.of(lhs);
        Some(self.graph.node(op, &[&lhs, &rhs], Vec::new()))
    }
}

/// The kind of numbers in ONNX; none if there is none for it here.
pub(crate) fn data_type(dtype: DType) -> Option<i32> {
    match dtype {
        DType::F32 => Some(FLOAT),
        DType::I64 => Some(INT64),
        DType::Bool(_) => Some(BOOL),
        _ => None,
    }
}
