//! Layers and activation functions.

use std::f64::consts::FRAC_1_SQRT_2;

use burn_ir::{
    ActivationOperationIr, AdaptiveAvgPool2dOpIr, AvgPool2dOpIr, BatchNormOpIr, Conv2dOpIr,
    DimOpIr, HardSigmoidOpIr, LayerNormOpIr, LinearOpIr, MaxPool2dOpIr, ModuleOperationIr,
    TensorIr,
};

use super::base::number;
use super::{Rule, Translator};
use crate::proto::Attribute;

impl Translator<'_> {
    pub(super) fn module(&mut self, op: &ModuleOperationIr) -> Rule {
        use ModuleOperationIr as Op;
        match op {
            Op::BatchNorm(op) => self.batch_norm(op),
            Op::Embedding(op) => {
                let [table, indices] = [&op.weights, &op.indices].map(|tensor| self.of(tensor));
                Some(self.graph.node("Gather", &[&table, &indices], Vec::new()))
            }
            Op::Linear(op) => self.linear(op),
            Op::Conv2d(op) => self.conv2d(op),
            Op::AvgPool2d(op) => self.avg_pool2d(op),
            Op::MaxPool2d(op) => self.max_pool2d(op),
            Op::AdaptiveAvgPool2d(op) => self.global_pool(op),
            Op::LayerNorm(op) => self.layer_norm(op),
            _ => None,
        }
    }

    pub(super) fn activation(&mut self, op: &ActivationOperationIr) -> Rule {
        use ActivationOperationIr as Op;
        match op {
            Op::Relu(op) => self.unary("Relu", &op.input),
            Op::LeakyRelu(op) => {
                let slope = Attribute::float("alpha", number(op.rhs));
                let input = self.of(&op.lhs);
                Some(self.graph.node("LeakyRelu", &[&input], vec![slope]))
            }
            Op::PRelu(op) => self.binary("PRelu", &op.lhs, &op.rhs),
            Op::Gelu(op) => self.gelu(&op.input),
            Op::Sigmoid(op) => self.unary("Sigmoid", &op.input),
            Op::HardSigmoid(op) => self.hard_sigmoid(op),
            Op::Softmax(op) => self.softmax("Softmax", op),
            Op::LogSoftmax(op) => self.softmax("LogSoftmax", op),
            _ => None,
        }
    }

    fn linear(&mut self, op: &LinearOpIr) -> Rule {
        let [x, weight] = [&op.x, &op.weight].map(|tensor| self.of(tensor));
        let product = self.graph.node("MatMul", &[&x, &weight], Vec::new());
        Some(match &op.bias {
            Some(bias) => {
                let bias = self.of(bias);
                self.graph.node("Add", &[&product, &bias], Vec::new())
            }
            None => product,
        })
    }

    fn conv2d(&mut self, op: &Conv2dOpIr) -> Rule {
        let mut operands = vec![self.of(&op.x), self.of(&op.weight)];
        operands.extend(op.bias.as_ref().map(|bias| self.of(bias)));
        let operands: Vec<&str> = operands.iter().map(String::as_str).collect();
        let [top, left] = op.options.padding.map(|(before, _)| before);
        let [bottom, right] = op.options.padding.map(|(_, after)| after);
        let attributes = vec![
            sides("strides", op.options.stride),
            sides("dilations", op.options.dilation),
            sides("pads", [top, left, bottom, right]),
            Attribute::int("group", op.options.groups as i64),
        ];
        Some(self.graph.node("Conv", &operands, attributes))
    }

    fn max_pool2d(&mut self, op: &MaxPool2dOpIr) -> Rule {
        let [high, wide] = op.padding;
        let attributes = vec![
            sides("kernel_shape", op.kernel_size),
            sides("strides", op.stride),
            sides("dilations", op.dilation),
            sides("pads", [high, wide, high, wide]),
            Attribute::int("ceil_mode", i64::from(op.ceil_mode)),
        ];
        let x = self.of(&op.x);
        Some(self.graph.node("MaxPool", &[&x], attributes))
    }

    /// Rounding up is no rule: programs divide by other numbers at the rim.
    fn avg_pool2d(&mut self, op: &AvgPool2dOpIr) -> Rule {
        if op.ceil_mode {
            return None;
        }
        let [high, wide] = op.padding;
        let attributes = vec![
            sides("kernel_shape", op.kernel_size),
            sides("strides", op.stride),
            sides("pads", [high, wide, high, wide]),
            Attribute::int("count_include_pad", i64::from(op.count_include_pad)),
        ];
        let x = self.of(&op.x);
        Some(self.graph.node("AveragePool", &[&x], attributes))
    }

    /// A mean of the whole map alone.
    fn global_pool(&mut self, op: &AdaptiveAvgPool2dOpIr) -> Rule {
        match op.output_size {
            [1, 1] => self.unary("GlobalAveragePool", &op.x),
            _ => None,
        }
    }

    fn batch_norm(&mut self, op: &BatchNormOpIr) -> Rule {
        let operands = [&op.x, &op.gamma, &op.beta, &op.mean, &op.variance];
        let operands = operands.map(|tensor| self.of(tensor));
        let operands = operands.each_ref().map(String::as_str);
        let epsilon = Attribute::float("epsilon", number(op.epsilon));
        Some(
            self.graph
                .node("BatchNormalization", &operands, vec![epsilon]),
        )
    }

    fn layer_norm(&mut self, op: &LayerNormOpIr) -> Rule {
        let mut operands = vec![self.of(&op.input), self.of(&op.gamma)];
        operands.extend(op.beta.as_ref().map(|beta| self.of(beta)));
        let operands: Vec<&str> = operands.iter().map(String::as_str).collect();
        let attributes = vec![
            Attribute::int("axis", -1),
            Attribute::float("epsilon", number(op.epsilon)),
        ];
        Some(self.graph.node("LayerNormalization", &operands, attributes))
    }

    /// x Φ(x), by the error function: ONNX has the operation itself from version 20 on.
    fn gelu(&mut self, input: &TensorIr) -> Rule {
        let scaled = self.with_scalar("Mul", input, FRAC_1_SQRT_2)?;
        let erf = self.graph.node("Erf", &[&scaled], Vec::new());
        let one = self.graph.scalar(crate::proto::FLOAT, 1.0);
        let half = self.with_scalar("Mul", input, 0.5)?;
        let sum = self.graph.node("Add", &[&erf, &one], Vec::new());
        Some(self.graph.node("Mul", &[&half, &sum], Vec::new()))
    }

    fn hard_sigmoid(&mut self, op: &HardSigmoidOpIr) -> Rule {
        let attributes = vec![
            Attribute::float("alpha", number(op.alpha)),
            Attribute::float("beta", number(op.beta)),
        ];
        let input = self.of(&op.tensor);
        Some(self.graph.node("HardSigmoid", &[&input], attributes))
    }

    fn softmax(&mut self, op: &str, of: &DimOpIr) -> Rule {
        let (input, axis) = (self.of(&of.input), Attribute::int("axis", of.axis as i64));
        Some(self.graph.node(op, &[&input], vec![axis]))
    }
}

fn sides<const N: usize>(name: &str, sides: [usize; N]) -> Attribute {
    Attribute::ints(name, sides.map(|side| side as i64))
}
