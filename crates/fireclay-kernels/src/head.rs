//! The cross-entropy of the tokens of a large vocabulary, whose logits are never whole in memory.

#[cfg(feature = "flex")]
mod flex;

use burn::tensor::{Int, Tensor};

use crate::cross_entropy::CrossEntropy;
use crate::half::{widely, widen};
use crate::linear;
use crate::operation::{Operation, apply};

/// The cross-entropy of each row in nats, as [`cross_entropy`](crate::cross_entropy) of `x` W, of which so many `rows` are
/// in memory at once. They are made a second time for the gradients (Wijmans et al. 2024, *Cut Your Losses in Large-Vocabulary Language Models*,
/// [arXiv:2411.09009](https://arxiv.org/abs/2411.09009), section 4, in pieces of rows alone). A `cap` holds logits
/// below it by the hyperbolic tangent.
///
/// # Shapes
///
/// - `x`: `[tokens, width]`
/// - `weight`: `[width, classes]`; one that is a transposed view is read as it lies
/// - `targets`: `[tokens]`
/// - result: `[tokens]`
///
/// # Panics
///
/// If a target is no class, on the CPU; a GPU may give any numbers for it. If `rows` is 0.
pub fn head_cross_entropy(
    x: Tensor<2>,
    weight: Tensor<2>,
    targets: Tensor<1, Int>,
    (rows, cap): (usize, Option<f64>),
) -> Tensor<1> {
    assert!(rows > 0, "some rows at once");
    let targets = targets.without_autodiff();
    let operation = HeadLosses { targets, rows, cap };
    apply(operation, [x, weight]).flatten(0, 1)
}

/// Takes rows, `[tokens, width]`, and a weight, `[width, classes]`, and gives losses, `[tokens, 1]`.
#[derive(Clone, Debug)]
struct HeadLosses {
    targets: Tensor<1, Int>,
    rows: usize,
    cap: Option<f64>,
}

impl HeadLosses {
    /// Where each piece begins, and its rows.
    fn pieces(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let (all, rows) = (self.targets.dims()[0], self.rows);
        (0..all)
            .step_by(rows)
            .map(move |start| (start, rows.min(all - start)))
    }

    fn loss(&self, (start, rows): (usize, usize)) -> CrossEntropy {
        CrossEntropy {
            targets: self.targets.clone().narrow(0, start, rows),
            smoothing: 0.0,
        }
    }

    fn logits(&self, x: Tensor<2>, weight: Tensor<2>) -> Tensor<2> {
        let logits = linear(x, weight, None);
        match self.cap {
            Some(cap) => widely(logits, |logits| (logits / cap).tanh() * cap),
            None => logits,
        }
    }

    /// The gradient of what is capped to logits, from that of these.
    fn before_cap(&self, logits: Option<Tensor<2>>, gradient: Tensor<2>) -> Tensor<2> {
        match self.cap.zip(logits) {
            Some((cap, logits)) => {
                gradient * widely(logits, |logits| (logits / cap).square().neg() + 1.0)
            }
            None => gradient,
        }
    }

    fn gradients(
        &self,
        [x, weight]: [Tensor<2>; 2],
        gradient: Tensor<2>,
        [of_x, of_weight]: [bool; 2],
    ) -> [Option<Tensor<2>>; 2] {
        let mut sums = of_weight.then(|| Sums::new(&weight));
        let mut parts = Vec::new();
        for (start, rows) in self.pieces() {
            let part = x.clone().narrow(0, start, rows);
            let logits = self.logits(part.clone(), weight.clone());
            let kept = self.cap.map(|_| logits.clone());
            let own = gradient.clone().narrow(0, start, rows);
            let [found] = self.loss((start, rows)).backward([logits], (), own);
            let found = self.before_cap(kept, found);
            if of_x {
                let back = weight.clone().transpose();
                parts.push(linear(found.clone(), back, None));
            }
            if let Some(sums) = &mut sums {
                sums.add(part, found);
            }
        }
        let of_x = of_x.then(|| match parts.is_empty() {
            true => x.zeros_like(),
            false => Tensor::cat(parts, 0),
        });
        [of_x, sums.map(|sums| sums.finish(&weight))]
    }
}

impl Operation<2, 2, 2> for HeadLosses {
    const CHEAP: bool = false;

    type Kept = ();

    fn forward(&self, [x, weight]: [Tensor<2>; 2]) -> (Tensor<2>, ()) {
        let losses = self.pieces().map(|piece| {
            let (start, rows) = piece;
            let logits = self.logits(x.clone().narrow(0, start, rows), weight.clone());
            self.loss(piece).forward([logits]).0
        });
        (Tensor::cat(losses.collect(), 0), ())
    }

    fn backward(&self, inputs: [Tensor<2>; 2], kept: (), gradient: Tensor<2>) -> [Tensor<2>; 2] {
        let found = self.backward_of(inputs, kept, gradient, [true; 2]);
        found.map(|found| found.expect("both are wanted"))
    }

    fn backward_of(
        &self,
        inputs: [Tensor<2>; 2],
        _: (),
        gradient: Tensor<2>,
        wanted: [bool; 2],
    ) -> [Option<Tensor<2>>; 2] {
        self.gradients(inputs, gradient, wanted)
    }
}

/// The gradient of a weight, of which each piece of rows adds a part, in single precision.
#[cfg_attr(
    feature = "flex",
    expect(clippy::large_enum_variant, reason = "there is one at a time")
)]
enum Sums {
    /// In tensors.
    Parts(Option<Tensor<2>>),
    /// Where products are added in place.
    #[cfg(feature = "flex")]
    Flex(flex::Sums),
}

impl Sums {
    fn new(weight: &Tensor<2>) -> Self {
        #[cfg(feature = "flex")]
        if crate::flex::takes(weight) {
            return Self::Flex(flex::Sums::new(weight));
        }
        let _ = weight;
        Self::Parts(None)
    }

    fn add(&mut self, x: Tensor<2>, gradient: Tensor<2>) {
        match self {
            Self::Parts(sums) => {
                let part = widen(x.transpose().matmul(gradient));
                *sums = Some(match sums.take() {
                    Some(sums) => sums + part,
                    None => part,
                });
            }
            #[cfg(feature = "flex")]
            Self::Flex(sums) => sums.add(x, gradient),
        }
    }

    /// The gradient, of the kind of the weight.
    fn finish(self, weight: &Tensor<2>) -> Tensor<2> {
        match self {
            Self::Parts(Some(sums)) => sums.cast(weight.dtype()),
            Self::Parts(None) => weight.zeros_like(),
            #[cfg(feature = "flex")]
            Self::Flex(sums) => sums.finish(),
        }
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::tensor::{Device, FloatDType};

    use super::*;
    use crate::cross_entropy;
    use crate::test::{check_own, close, same_on_any_threads, wave};

    fn targets(x: &Tensor<2>, classes: usize) -> Tensor<1, Int> {
        let numbers = Tensor::arange(0..x.dims()[0] as i64, &x.device());
        (numbers * 7).remainder_scalar(classes as i64)
    }

    /// What it stands for.
    fn plain(x: Tensor<2>, weight: Tensor<2>, cap: Option<f64>) -> Tensor<2> {
        let targets = targets(&x, weight.dims()[1]);
        let logits = linear(x, weight, None);
        let logits = match cap {
            Some(cap) => (logits / cap).tanh() * cap,
            None => logits,
        };
        cross_entropy(logits, targets, 0.0).unsqueeze()
    }

    fn chunked(x: Tensor<2>, weight: Tensor<2>, how: (usize, Option<f64>)) -> Tensor<2> {
        let targets = targets(&x, weight.dims()[1]);
        head_cross_entropy(x, weight, targets, how).unsqueeze()
    }

    #[test]
    fn pieces_of_any_size_give_the_losses_and_gradients_of_the_whole() {
        for (rows, cap) in [(1, None), (4, None), (10, None), (64, None), (3, Some(2.0))] {
            let data = || [wave([10, 6], 1.0, 0), wave([6, 17], 1.0, 1)];
            let own = |[x, weight]: [Tensor<2>; 2]| chunked(x, weight, (rows, cap));
            let whole = |[x, weight]: [Tensor<2>; 2]| plain(x, weight, cap);
            check_own(data(), own, whole, 1e-5);
            // As of the embedding of the tokens.
            let data = [wave([10, 6], 1.0, 0), wave([17, 6], 1.0, 1)];
            let own = |[x, weight]: [Tensor<2>; 2]| chunked(x, weight.transpose(), (rows, cap));
            let whole = |[x, weight]: [Tensor<2>; 2]| plain(x, weight.transpose(), cap);
            check_own(data, own, whole, 1e-5);
        }
    }

    #[test]
    fn half_precision_has_losses_in_single_and_gradients_of_its_own_kind() {
        let device = Device::flex().autodiff();
        let of = |shape: [usize; 2], seed: usize, dtype: FloatDType| {
            let x = Tensor::<2>::from_data(wave(shape, 1.0, seed), &device);
            x.cast(dtype).require_grad()
        };
        let found = |dtype: FloatDType, rows: usize| {
            let (x, weight) = (of([10, 6], 0, dtype), of([6, 17], 1, dtype));
            let losses = chunked(x.clone(), weight.clone(), (rows, None));
            assert_eq!(losses.dtype(), FloatDType::F32.into());
            let gradients = losses.clone().sum().backward();
            let own = [&x, &weight].map(|x| x.grad(&gradients).expect("a gradient"));
            own.iter()
                .for_each(|own| assert_eq!(own.dtype(), dtype.into()));
            [losses, own[0].clone(), own[1].clone()].map(Tensor::into_data)
        };
        let (half, single) = (found(FloatDType::BF16, 3), found(FloatDType::F32, 64));
        for (half, single) in half.into_iter().zip(&single) {
            close(half, single, 4.0 / 256.0);
        }
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bits() {
        same_on_any_threads(|| {
            let device = Device::flex().autodiff();
            let of = |shape: [usize; 2]| {
                Tensor::<2>::from_data(wave(shape, 1.0, shape[0]), &device).require_grad()
            };
            let (x, weight) = (of([300, 100]), of([100, 700]));
            let losses = chunked(x.clone(), weight.clone(), (128, None));
            let gradients = losses.clone().sum().backward();
            let [x, weight] = [x, weight].map(|x| x.grad(&gradients).expect("a gradient"));
            [losses, x, weight].map(Tensor::into_data)
        });
    }
}
