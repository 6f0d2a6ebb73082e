//! Operations that move numbers.

use burn_ir::{
    BaseOperationIr, BoolOperationIr, CastOpIr, CatOpIr, IntOperationIr, MaskFillOpIr,
    MaskWhereOpIr, RepeatDimOpIr, ScalarIr, ScalarOpIr, SliceOpIr, TensorIr,
};

use super::{Rule, Translator, data_type};
use crate::align::Range;
use crate::dims::Dim;
use crate::graph::{scalar_bytes, tensor};
use crate::proto::Attribute;
use crate::seen::OPEN;

impl Translator<'_> {
    pub(super) fn base(&mut self, op: &BaseOperationIr, ranges: &[Range]) -> Rule {
        use BaseOperationIr as Op;
        match op {
            Op::Reshape(op) => self.reshape(&op.input, &op.out),
            Op::SwapDims(op) => {
                let mut axes: Vec<usize> = (0..self.dims(&op.input).len()).collect();
                axes.swap(op.dim1, op.dim2);
                self.transpose(&op.input, &axes)
            }
            Op::Permute(op) => self.transpose(&op.input, &op.axes),
            Op::Expand(op) => self.expand(&op.input, &op.out),
            Op::Slice(op) => self.slice(op, ranges),
            Op::Select(op) => self.along("Gather", &op.tensor, &op.indices, op.dim),
            Op::Gather(op) => self.along("GatherElements", &op.tensor, &op.indices, op.dim),
            Op::MaskWhere(op) => self.mask_where(op),
            Op::MaskFill(op) => self.mask_fill(op),
            Op::Equal(op) => self.binary("Equal", &op.lhs, &op.rhs),
            Op::EqualElem(op) => self.compared("Equal", op),
            Op::NotEqual(op) => {
                let equal = self.binary("Equal", &op.lhs, &op.rhs)?;
                Some(self.graph.node("Not", &[&equal], Vec::new()))
            }
            Op::NotEqualElem(op) => {
                let equal = self.compared("Equal", op)?;
                Some(self.graph.node("Not", &[&equal], Vec::new()))
            }
            Op::RepeatDim(op) => self.repeat(op),
            Op::Cat(op) => self.cat(op),
            Op::Cast(op) => self.cast(op),
            Op::Zeros(op) => self.full(&op.out, 0.0),
            Op::Ones(op) => self.full(&op.out, 1.0),
            _ => None,
        }
    }

    pub(super) fn int(&mut self, op: &IntOperationIr) -> Rule {
        match op {
            IntOperationIr::IntoFloat(op) => self.cast(op),
            IntOperationIr::Matmul(op) => self.binary("MatMul", &op.lhs, &op.rhs),
            _ => None,
        }
    }

    pub(super) fn bool(&mut self, op: &BoolOperationIr) -> Rule {
        use BoolOperationIr as Op;
        match op {
            Op::IntoFloat(op) | Op::IntoInt(op) => self.cast(op),
            Op::Not(op) => self.unary("Not", &op.input),
            Op::And(op) => self.binary("And", &op.lhs, &op.rhs),
            Op::Or(op) => self.binary("Or", &op.lhs, &op.rhs),
            Op::Xor(op) => self.binary("Xor", &op.lhs, &op.rhs),
        }
    }

    pub(super) fn reshape(&mut self, input: &TensorIr, out: &TensorIr) -> Rule {
        let shape = self.new_shape(self.dims(input), self.dims(out));
        let input = self.of(input);
        Some(self.graph.node("Reshape", &[&input, &shape], Vec::new()))
    }

    fn transpose(&mut self, input: &TensorIr, axes: &[usize]) -> Rule {
        let axes = axes.iter().map(|axis| *axis as i64);
        let (input, axes) = (self.of(input), Attribute::ints("perm", axes));
        Some(self.graph.node("Transpose", &[&input], vec![axes]))
    }

    /// Axes that keep their length are left to broadcasting.
    fn expand(&mut self, input: &TensorIr, out: &TensorIr) -> Rule {
        let (from, to) = (self.dims(input), self.dims(out));
        let missing = to.len().checked_sub(from.len())?;
        let one = Dim::fixed(1, self.symbols.len());
        let asked = |(axis, dim): (usize, &Dim)| {
            let known = axis.checked_sub(missing).map(|axis| &from[axis]);
            if known == Some(dim) {
                one.clone()
            } else {
                dim.clone()
            }
        };
        let shape: Vec<Dim> = to.iter().enumerate().map(asked).collect();
        let (input, shape) = (self.of(input), self.shape(&shape));
        Some(self.graph.node("Expand", &[&input, &shape], Vec::new()))
    }

    fn slice(&mut self, op: &SliceOpIr, ranges: &[Range]) -> Rule {
        let counted_from_behind =
            |slice: &burn::tensor::Slice| slice.start < 0 || slice.end.is_some_and(|end| end < 0);
        if op.ranges.iter().any(counted_from_behind) {
            return None;
        }
        let sides = self.dims(&op.tensor);
        let (mut starts, mut ends, mut axes, mut steps) = (vec![], vec![], vec![], vec![]);
        for (axis, (range, side)) in ranges.iter().zip(sides).enumerate() {
            let is_open = range.end == *side || range.end.number() == Some(OPEN as i64);
            let begins = range.start.number() == Some(0);
            if range.step < 1 {
                return None;
            }
            if is_open && begins && range.step == 1 {
                continue;
            }
            let last = Dim::fixed(i64::MAX as usize, self.symbols.len());
            starts.push(range.start.clone());
            ends.push(if is_open { last } else { range.end.clone() });
            axes.push(axis as i64);
            steps.push(range.step as i64);
        }
        let input = self.of(&op.tensor);
        if axes.is_empty() {
            return Some(input);
        }
        let [starts, ends] = [starts, ends].map(|dims| self.shape(&dims));
        let [axes, steps] = [axes, steps].map(|numbers| self.graph.indices(&numbers));
        let inputs = [&input, &starts, &ends, &axes, &steps].map(String::as_str);
        Some(self.graph.node("Slice", &inputs, Vec::new()))
    }

    fn along(&mut self, op: &str, from: &TensorIr, indices: &TensorIr, axis: usize) -> Rule {
        let [from, indices] = [from, indices].map(|tensor| self.of(tensor));
        let axis = Attribute::int("axis", axis as i64);
        Some(self.graph.node(op, &[&from, &indices], vec![axis]))
    }

    fn mask_where(&mut self, op: &MaskWhereOpIr) -> Rule {
        let operands = [&op.mask, &op.value, &op.tensor].map(|tensor| self.of(tensor));
        let operands = operands.each_ref().map(String::as_str);
        Some(self.graph.node("Where", &operands, Vec::new()))
    }

    fn mask_fill(&mut self, op: &MaskFillOpIr) -> Rule {
        let value = self
            .graph
            .scalar(data_type(op.tensor.dtype)?, number(op.value));
        let [mask, tensor] = [&op.mask, &op.tensor].map(|tensor| self.of(tensor));
        Some(
            self.graph
                .node("Where", &[&mask, &value, &tensor], Vec::new()),
        )
    }

    pub(super) fn compared(&mut self, op: &str, compared: &ScalarOpIr) -> Rule {
        self.with_scalar(op, &compared.lhs, number(compared.rhs))
    }

    fn repeat(&mut self, op: &RepeatDimOpIr) -> Rule {
        let (from, to) = (self.dims(&op.tensor), self.dims(&op.out));
        let times: Option<Vec<Dim>> = from
            .iter()
            .zip(to)
            .map(|(from, to)| to.over(from))
            .collect();
        let (input, times) = (self.of(&op.tensor), self.shape(&times?));
        Some(self.graph.node("Tile", &[&input, &times], Vec::new()))
    }

    fn cat(&mut self, op: &CatOpIr) -> Rule {
        let parts: Vec<String> = op.tensors.iter().map(|part| self.of(part)).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let axis = Attribute::int("axis", op.dim as i64);
        Some(self.graph.node("Concat", &parts, vec![axis]))
    }

    fn cast(&mut self, op: &CastOpIr) -> Rule {
        let (input, to) = (self.of(&op.input), data_type(op.out.dtype)?);
        let to = Attribute::int("to", i64::from(to));
        Some(self.graph.node("Cast", &[&input], vec![to]))
    }

    /// The same number everywhere.
    pub(super) fn full(&mut self, out: &TensorIr, value: f64) -> Rule {
        let kind = data_type(out.dtype)?;
        let shape = self.shape(self.dims(out));
        let value = tensor(kind, vec![1], scalar_bytes(kind, value));
        let value = Attribute::tensor("value", value);
        Some(self.graph.node("ConstantOfShape", &[&shape], vec![value]))
    }
}

/// A number of an operation.
pub(super) fn number(scalar: ScalarIr) -> f64 {
    match scalar {
        ScalarIr::Float(value) => value,
        ScalarIr::Int(value) => value as f64,
        ScalarIr::UInt(value) => value as f64,
        ScalarIr::Bool(value) => f64::from(u8::from(value)),
    }
}
