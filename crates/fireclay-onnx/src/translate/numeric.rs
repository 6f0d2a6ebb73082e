//! Operations on numbers, one by one or along an axis.

use burn_ir::{
    ClampOpIr, FloatOperationIr, NumericOperationIr, ReduceDimOpIr, ReduceOpIr, ScalarOpIr,
    SortOpIr, TensorIr, UnaryOpIr,
};

use super::base::number;
use super::{Rule, Translator, data_type};
use crate::proto::Attribute;

impl Translator<'_> {
    pub(super) fn numeric(&mut self, op: &NumericOperationIr) -> Rule {
        use NumericOperationIr as Op;
        match op {
            Op::Add(op) => self.binary("Add", &op.lhs, &op.rhs),
            Op::Sub(op) => self.binary("Sub", &op.lhs, &op.rhs),
            Op::Mul(op) => self.binary("Mul", &op.lhs, &op.rhs),
            Op::Div(op) => self.binary("Div", &op.lhs, &op.rhs),
            Op::Powi(op) => self.binary("Pow", &op.lhs, &op.rhs),
            Op::AddScalar(op) => self.compared("Add", op),
            Op::SubScalar(op) => self.compared("Sub", op),
            Op::MulScalar(op) => self.compared("Mul", op),
            Op::DivScalar(op) => self.compared("Div", op),
            Op::PowiScalar(op) => self.compared("Pow", op),
            Op::Greater(op) => self.binary("Greater", &op.lhs, &op.rhs),
            Op::GreaterEqual(op) => self.binary("GreaterOrEqual", &op.lhs, &op.rhs),
            Op::Lower(op) => self.binary("Less", &op.lhs, &op.rhs),
            Op::LowerEqual(op) => self.binary("LessOrEqual", &op.lhs, &op.rhs),
            Op::GreaterElem(op) => self.compared("Greater", op),
            Op::GreaterEqualElem(op) => self.compared("GreaterOrEqual", op),
            Op::LowerElem(op) => self.compared("Less", op),
            Op::LowerEqualElem(op) => self.compared("LessOrEqual", op),
            Op::ClampMin(op) => self.compared("Max", op),
            Op::ClampMax(op) => self.compared("Min", op),
            Op::Clamp(op) => self.clamp(op),
            Op::Abs(op) => self.unary("Abs", &op.input),
            Op::Neg(op) => self.unary("Neg", &op.input),
            Op::Sign(op) => self.unary("Sign", &op.input),
            Op::Full(op) => self.full(&op.out, number(op.value)),
            Op::MeanDim(op) => self.along_axis("ReduceMean", op),
            Op::MaxDim(op) => self.along_axis("ReduceMax", op),
            Op::MinDim(op) => self.along_axis("ReduceMin", op),
            Op::ArgSort(op) => self.places(op),
            Op::SumDim(op) => self.summed(&op.input, &[op.axis]),
            Op::SumDims(op) => self.summed(&op.input, &op.axes),
            Op::Sum(op) => self.reduced("ReduceSum", op),
            Op::Mean(op) => self.reduced("ReduceMean", op),
            Op::Max(op) => self.reduced("ReduceMax", op),
            Op::Min(op) => self.reduced("ReduceMin", op),
            _ => None,
        }
    }

    pub(super) fn float(&mut self, op: &FloatOperationIr) -> Rule {
        use FloatOperationIr as Op;
        match op {
            Op::Matmul(op) => self.binary("MatMul", &op.lhs, &op.rhs),
            Op::Exp(op) => self.unary("Exp", &op.input),
            Op::Log(op) => self.unary("Log", &op.input),
            Op::Log1p(op) => self.log1p(op),
            Op::Erf(op) => self.unary("Erf", &op.input),
            Op::Sqrt(op) => self.unary("Sqrt", &op.input),
            Op::Recip(op) => self.unary("Reciprocal", &op.input),
            Op::Cos(op) => self.unary("Cos", &op.input),
            Op::Sin(op) => self.unary("Sin", &op.input),
            Op::Tanh(op) => self.unary("Tanh", &op.input),
            Op::Floor(op) => self.unary("Floor", &op.input),
            Op::Ceil(op) => self.unary("Ceil", &op.input),
            Op::Powf(op) => self.binary("Pow", &op.lhs, &op.rhs),
            Op::PowfScalar(op) => self.power(op),
            _ => None,
        }
    }

    fn power(&mut self, op: &ScalarOpIr) -> Rule {
        self.with_scalar("Pow", &op.lhs, number(op.rhs))
    }

    fn log1p(&mut self, op: &UnaryOpIr) -> Rule {
        let more = self.with_scalar("Add", &op.input, 1.0)?;
        Some(self.graph.node("Log", &[&more], Vec::new()))
    }

    fn clamp(&mut self, op: &ClampOpIr) -> Rule {
        let kind = data_type(op.tensor.dtype)?;
        let bounds = [op.min, op.max].map(|bound| self.graph.scalar(kind, number(bound)));
        let (input, [least, most]) = (self.of(&op.tensor), bounds);
        Some(
            self.graph
                .node("Clip", &[&input, &least, &most], Vec::new()),
        )
    }

    /// Reductions that take their axes as attributes, and keep them with length one.
    fn along_axis(&mut self, op: &str, reduced: &ReduceDimOpIr) -> Rule {
        let input = self.of(&reduced.input);
        let axes = Attribute::ints("axes", [reduced.axis as i64]);
        let kept = Attribute::int("keepdims", 1);
        Some(self.graph.node(op, &[&input], vec![axes, kept]))
    }

    /// The places of all values in their order: of equal ones, ONNX takes the first first.
    fn places(&mut self, op: &SortOpIr) -> Rule {
        let count = self.dims(&op.input)[op.dim].clone();
        let (input, count) = (self.of(&op.input), self.shape(&[count]));
        let attributes = vec![
            Attribute::int("axis", op.dim as i64),
            Attribute::int("largest", i64::from(op.descending)),
            Attribute::int("sorted", 1),
        ];
        let operands = [&input, &count].map(String::as_str);
        self.graph.nodes("TopK", &operands, attributes, 2).pop()
    }

    /// `ReduceSum` takes its axes as an input.
    fn summed(&mut self, input: &TensorIr, axes: &[usize]) -> Rule {
        let axes: Vec<i64> = axes.iter().map(|axis| *axis as i64).collect();
        let (input, axes) = (self.of(input), self.graph.indices(&axes));
        let kept = Attribute::int("keepdims", 1);
        Some(self.graph.node("ReduceSum", &[&input, &axes], vec![kept]))
    }

    /// One number of all.
    fn reduced(&mut self, op: &str, reduced: &ReduceOpIr) -> Rule {
        let input = self.of(&reduced.input);
        let all = self
            .graph
            .node(op, &[&input], vec![Attribute::int("keepdims", 0)]);
        let shape = self.shape(self.dims(&reduced.out));
        Some(self.graph.node("Reshape", &[&all, &shape], Vec::new()))
    }
}
