//! Convolutions, built in the order in which the model asks for them.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::ops::ConvOptions;
use fireclay_kernels::conv2d;

use crate::init::{Init, Values};

/// A two-dimensional convolution with a square kernel, to be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv {
    /// Channels of the input.
    pub inputs: usize,
    /// Channels of the output.
    pub outputs: usize,
    /// Height and width of the kernel.
    pub kernel: usize,
    /// The step from one output to the next.
    pub stride: usize,
    /// Zeros on each side.
    pub padding: usize,
    /// How many parts the channels are divided into, each convolved alone.
    pub groups: usize,
    /// Whether each output channel has an offset.
    pub bias: bool,
}

impl Conv {
    /// A convolution with stride 1 and no bias, padded so that an odd kernel keeps the size.
    pub fn new(inputs: usize, outputs: usize, kernel: usize) -> Self {
        Self {
            inputs,
            outputs,
            kernel,
            stride: 1,
            padding: kernel.saturating_sub(1) / 2,
            groups: 1,
            bias: false,
        }
    }

    /// One linear map of each patch of `side` x `side` pixels; patches do not overlap.
    pub fn patches(inputs: usize, outputs: usize, side: usize) -> Self {
        Self {
            stride: side,
            padding: 0,
            bias: true,
            ..Self::new(inputs, outputs, side)
        }
    }

    /// The same with another stride.
    pub fn stride(self, stride: usize) -> Self {
        Self { stride, ..self }
    }

    /// The weights' shape: `[outputs, inputs / groups, kernel, kernel]`.
    pub fn shape(&self) -> [usize; 4] {
        let Self { kernel, groups, .. } = *self;
        [self.outputs, self.inputs / groups, kernel, kernel]
    }

    /// Builds it with He et al.'s normal weights for rectifiers, which keep the size of the
    /// gradients from layer to layer: variance 2 / (outputs · kernel²); the bias is zero.
    ///
    /// He, Zhang, Ren & Sun 2015, *Delving deep into rectifiers*,
    /// [arXiv:1502.01852](https://arxiv.org/abs/1502.01852), equation 14;
    /// `torch.nn.init.kaiming_normal_(mode="fan_out", nonlinearity="relu")`.
    pub fn he(self, init: &mut Init) -> Conv2d {
        let fan_out = self.outputs * self.kernel * self.kernel;
        let std = (2.0 / fan_out as f64).sqrt();
        self.build(init, Values::Normal { std }, Values::ZEROS)
    }

    /// Builds it with PyTorch's default: weight and bias uniform within the inverse root of the
    /// number of inputs of one output.
    pub fn uniform(self, init: &mut Init) -> Conv2d {
        let [_, inputs, height, width] = self.shape();
        let fan_in = (inputs * height * width).max(1);
        let values = Values::Uniform {
            bound: 1.0 / (fan_in as f64).sqrt(),
        };
        self.build(init, values, values)
    }

    /// Builds it with weights and bias drawn as asked.
    pub fn build(self, init: &mut Init, weight: Values, bias: Values) -> Conv2d {
        Conv2d {
            weight: init.param(self.shape(), weight),
            bias: self.bias.then(|| init.param([self.outputs], bias)),
            stride: self.stride,
            padding: self.padding,
            groups: self.groups,
        }
    }
}

/// A two-dimensional convolution, with the parameters of Burn's; [`Conv`] builds it.
#[derive(Module, Debug)]
pub struct Conv2d {
    /// `[outputs, inputs / groups, kernel, kernel]`
    pub weight: Param<Tensor<4>>,
    /// The offset of each output.
    pub bias: Option<Param<Tensor<1>>>,
    stride: usize,
    padding: usize,
    groups: usize,
}

impl Conv2d {
    /// Convolves `input`, in the precision of the weights.
    ///
    /// # Shapes
    ///
    /// - `input`: `[batch, inputs, height, width]`
    /// - result: `[batch, outputs, rows, columns]`, with
    ///   rows = (height + 2 · padding - kernel) / stride + 1, rounded down, and columns alike
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        self.padded(input, [(self.padding, self.padding); 2])
    }

    /// The same with other zeros around the image: as few as leave rows = height / stride, rounded up, and
    /// columns alike. Of an odd number of zeros the one more is below or on the right, as in
    /// TensorFlow's "SAME".
    pub fn forward_same(&self, input: Tensor<4>) -> Tensor<4> {
        let [_, _, rows, columns] = self.weight.val().dims();
        let [_, _, height, width] = input.dims();
        let zeros = |side: usize, kernel: usize| {
            let steps = side.div_ceil(self.stride).saturating_sub(1);
            let zeros = (steps * self.stride + kernel).saturating_sub(side);
            (zeros / 2, zeros - zeros / 2)
        };
        self.padded(input, [zeros(height, rows), zeros(width, columns)])
    }

    fn padded(&self, input: Tensor<4>, padding: [(usize, usize); 2]) -> Tensor<4> {
        let stride = [self.stride; 2];
        let options = ConvOptions::new_with_padding(stride, padding, [1; 2], self.groups);
        let bias = self.bias.as_ref().map(Param::val);
        let weight = self.weight.val();
        conv2d(input.cast(weight.dtype()), weight, bias, options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn deviation(conv: &Conv2d) -> f64 {
        let values: Vec<f64> = conv.weight.val().into_data().iter().collect();
        let squares: f64 = values.iter().map(|value| value * value).sum();
        (squares / values.len() as f64).sqrt()
    }

    #[test]
    fn he_keeps_the_gradients() {
        let mut init = Init::new(1, &Device::flex());
        let conv = Conv::new(64, 128, 3).he(&mut init);
        let expected = (2.0 / (128.0 * 9.0f64)).sqrt();
        assert!((deviation(&conv) / expected - 1.0).abs() < 0.01);
        assert!(conv.bias.is_none());
    }

    #[test]
    fn fewest_zeros_leave_the_sides_over_the_stride() {
        let device = Device::flex();
        let mut init = Init::new(1, &device);
        let one = Values::ONES;
        let conv = Conv::new(1, 1, 3).stride(2).build(&mut init, one, one);
        let sums = |width: usize| -> Vec<f32> {
            let row = Tensor::<4>::ones([1, 1, 1, width], &device);
            conv.forward_same(row).into_data().iter().collect()
        };
        // Of an even row the zero is on the right, of an odd one there is a zero on each side.
        assert_eq!(sums(6), [3.0, 3.0, 2.0]);
        assert_eq!(sums(5), [2.0, 3.0, 2.0]);
        assert_eq!(sums(1), [1.0]);
    }

    #[test]
    fn uniform_has_pytorchs_bound() {
        let mut init = Init::new(1, &Device::flex());
        let conv = Conv {
            groups: 4,
            bias: true,
            ..Conv::new(64, 128, 3)
        };
        let conv = conv.uniform(&mut init);
        assert_eq!(conv.weight.val().dims(), [128, 16, 3, 3]);
        let bound = 1.0 / (16.0 * 9.0f64).sqrt();
        assert!((deviation(&conv) * 3f64.sqrt() / bound - 1.0).abs() < 0.01);
        let bias: Vec<f64> = conv.bias.unwrap().val().into_data().iter().collect();
        assert!(bias.iter().all(|value| value.abs() <= bound));
    }
}
