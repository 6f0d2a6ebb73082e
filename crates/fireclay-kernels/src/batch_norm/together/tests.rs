use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use burn::tensor::{Device, Tolerance};

use super::*;
use crate::test::wave;
use crate::together::{Join, Together, in_part};
use crate::{batch_norm, batch_norm_relu};

const EPSILON: f64 = 1e-5;

/// Two parts of one batch.
#[derive(Debug, Default)]
struct Pair {
    brought: Mutex<Vec<(u64, usize, Vec<f64>)>>,
    changed: Condvar,
}

#[derive(Debug)]
struct Half(usize, Arc<Pair>);

impl Together for Half {
    fn leads(&self) -> bool {
        self.0 == 0
    }

    fn joined(&self, place: u64, own: Vec<f64>, join: Join) -> Vec<f64> {
        let Self(number, pair) = self;
        let mut brought = pair.brought.lock().expect("no panic");
        brought.push((place, *number, own));
        pair.changed.notify_all();
        loop {
            let mut here: Vec<_> = brought.iter().filter(|(at, ..)| *at == place).collect();
            if let [_, _] = here[..] {
                here.sort_by_key(|(_, number, _)| *number);
                let mut left = here[0].2.clone();
                join(&mut left, &here[1].2);
                return left;
            }
            brought = pair.changed.wait(brought).expect("no panic");
        }
    }
}

type Body = fn(&Part, Tensor<4>, Tensor<1>, Tensor<1>, f64) -> NormOfAll<4>;

/// Output, mean, variance, and the gradients of x, gamma and beta, one after another.
fn found(
    x: Tensor<4>,
    norm: impl Fn(Tensor<4>, [Tensor<1>; 2]) -> [Tensor<4>; 3],
    rows: std::ops::Range<usize>,
) -> Vec<Vec<f32>> {
    let device = x.device();
    let [gamma, beta] = [1, 2].map(|seed| {
        let scale = Tensor::<2>::from_data(wave([1, x.dims()[1]], 1.0, seed), &device);
        scale.flatten::<1>(0, 1).require_grad()
    });
    let x = x.slice([rows.clone()]).detach().require_grad();
    let [output, mean, variance] = norm(x.clone(), [gamma.clone(), beta.clone()]);
    // A loss that every number of the output has another share in.
    let dims = output.dims();
    let share = wave([8, dims.iter().skip(1).product()], 1.0, 5);
    let share = Tensor::<2>::from_data(share, &device)
        .slice([rows])
        .reshape(dims);
    let gradients = (output.clone() * share).sum().backward();
    let scales = [gamma, beta].map(|scale| numbers(scale.grad(&gradients).expect("a gradient")));
    let [gamma, beta] = scales;
    let to_x = numbers(x.grad(&gradients).expect("a gradient"));
    let [output, mean, variance] = [output, mean, variance].map(numbers);
    vec![output, to_x, mean, variance, gamma, beta]
}

fn input(shape: [usize; 4], device: &Device) -> Tensor<4> {
    let [images, rest @ ..] = shape;
    let x = wave([images, rest.iter().product()], 3.0, 0);
    Tensor::<2>::from_data(x, device).reshape(shape)
}

fn halves(shape: [usize; 4], device: &Device, body: Body) -> [Vec<Vec<f32>>; 2] {
    let pair = Arc::new(Pair::default());
    // Unequal ones.
    let halves = [0..3, 3..8].into_iter().enumerate().map(|(number, rows)| {
        let (pair, device) = (pair.clone(), device.clone());
        thread::spawn(move || {
            let half = Arc::new(Half(number, pair));
            in_part(half, || {
                let part = Part::of_layer().expect("this thread computes a part");
                let norm = |x: Tensor<4>, [gamma, beta]: [Tensor<1>; 2]| {
                    let normed = body(&part, x, gamma, beta, EPSILON);
                    let positions: usize = shape[2..].iter().product();
                    assert_eq!(normed.count, shape[0] * positions);
                    [
                        normed.output,
                        by_channel(normed.mean),
                        by_channel(normed.variance),
                    ]
                };
                found(input(shape, &device), norm, rows)
            })
        })
    });
    let halves: Vec<_> = halves.collect();
    let mut halves = halves
        .into_iter()
        .map(|half| half.join().expect("no panic"));
    std::array::from_fn(|_| halves.next().expect("two of them"))
}

#[test]
fn two_parts_find_what_one_batch_does() {
    type Whole =
        fn(Tensor<4>, Tensor<1>, Tensor<1>, f64) -> burn::tensor::module::BatchNormTrainOutput<4>;
    let bodies = [
        (Part::batch_norm as Body, batch_norm as Whole),
        (Part::batch_norm_relu as Body, batch_norm_relu as Whole),
    ];
    let devices: Vec<_> = crate::test::devices()
        .into_iter()
        .map(Device::autodiff)
        .collect();
    for (device, (parts, whole)) in devices
        .iter()
        .flat_map(|device| bodies.map(|b| (device, b)))
    {
        for shape in [[8, 3, 1, 1], [8, 5, 3, 4], [8, 70, 7, 7]] {
            let norm = |x: Tensor<4>, [gamma, beta]: [Tensor<1>; 2]| {
                let normed = whole(x, gamma, beta, EPSILON);
                [
                    normed.output,
                    by_channel(normed.mean),
                    by_channel(normed.variance),
                ]
            };
            let expected = found(input(shape, device), norm, 0..8);
            let [first, second] = halves(shape, device, parts);
            let joined = first
                .iter()
                .zip(&second)
                .enumerate()
                .map(|(index, (first, second))| match index {
                    0 | 1 => [first.as_slice(), second].concat(),
                    2 | 3 => {
                        assert_eq!(first, second, "both have the same statistics");
                        first.clone()
                    }
                    _ => first.iter().zip(second).map(|(a, b)| a + b).collect(),
                });
            for (found, expected) in joined.zip(&expected) {
                let [found, expected] = [found.as_slice(), expected]
                    .map(|numbers| TensorData::new(numbers.to_vec(), [numbers.len()]));
                found.assert_approx_eq::<f32>(&expected, Tolerance::absolute(2e-4));
            }
        }
    }
}

#[test]
fn a_thread_without_a_part_computes_whole_batches() {
    assert!(Part::of_layer().is_none());
    let half = Arc::new(Half(0, Arc::default()));
    in_part(half, || {
        assert!(Part::of_layer().is_some_and(|part| part.leads()))
    });
    assert!(Part::of_layer().is_none());
}
