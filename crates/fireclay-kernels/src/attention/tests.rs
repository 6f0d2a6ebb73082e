use burn::tensor::{Device, FloatDType, Int, TensorData, Tolerance};

use super::*;
use crate::operation::Operation;
use crate::test::{HALVES, autodiff_devices, close, same_on_any_threads, wave};

/// `[batch, heads, key heads, new, time, width]`: whole strips and tiles, rests of both, keys that
/// several heads share, more than a block.
const SIZES: [[usize; 6]; 7] = [
    [2, 3, 3, 32, 32, 16],
    [2, 2, 2, 9, 9, 5],
    [1, 4, 2, 8, 13, 1],
    [2, 6, 2, 41, 41, 33],
    [1, 2, 1, 70, 70, 8],
    [2, 1, 1, 11, 3, 24],
    [1, 2, 2, 130, 200, 17],
];

fn plain(
    parts: [Tensor<4>; 3],
    mask: Option<Tensor<4, Bool>>,
    factors: Option<Tensor<4>>,
) -> Tensor<4> {
    Attention::new(mask, factors).forward(parts).0
}

type Body<'a> = dyn Fn([Tensor<4>; 3]) -> Tensor<4> + 'a;
type Make<'a> = dyn Fn(&Device) -> Tensor<4, Bool> + 'a;

/// The result and the gradients of queries, keys and values.
fn differentiate(data: &[TensorData; 3], body: &Body<'_>, device: &Device) -> Vec<TensorData> {
    let device = device.clone().autodiff();
    let parts = data.clone().map(|data| {
        let dtype = data.dtype();
        Tensor::<4>::from_data(data, (&device, dtype)).require_grad()
    });
    let found = body(parts.clone());
    let weights = Tensor::<4>::from_data(wave(found.dims(), 1.0, 5), &device).cast(found.dtype());
    let gradients = (found.clone() * weights).sum().backward();
    let mut results = vec![found.into_data()];
    results.extend(parts.map(|part| part.grad(&gradients).expect("a gradient").into_data()));
    results
}

fn check(data: &[TensorData; 3], body: &Body<'_>, plain: &Body<'_>) {
    let expected = differentiate(data, plain, &Device::flex());
    for device in autodiff_devices() {
        for (found, expected) in differentiate(data, body, &device).iter().zip(&expected) {
            let greatest = expected.iter::<f64>().map(f64::abs).fold(1.0, f64::max);
            // Backends round exponentials each in their own way.
            found.assert_approx_eq::<f32>(expected, Tolerance::absolute(1e-5 * greatest));
        }
    }
}

fn data([batch, heads, key_heads, new, time, width]: [usize; 6]) -> [TensorData; 3] {
    let keys = [batch, key_heads, time, width];
    [
        wave([batch, heads, new, width], 2.0, 0),
        wave(keys, 2.0, 1),
        wave(keys, 2.0, 2),
    ]
}

/// What is after a row is masked, where there are more columns than rows from the end on.
fn causal(new: usize, time: usize, device: &Device) -> Tensor<4, Bool> {
    let seen = time as i64 - new as i64;
    Tensor::<2, Bool>::tril_mask([new, time], seen, device).unsqueeze()
}

/// The second batch has a part of its columns.
fn padding(batch: usize, time: usize, device: &Device) -> Tensor<4, Bool> {
    let position = Tensor::<1, Int>::arange(0..(batch * time) as i64, device);
    position
        .greater_equal_elem((batch * time - time / 2) as i64)
        .reshape([batch, 1, 1, time])
}

/// Positions here and there, at the ends too; the third row sees nothing.
fn holes(batch: usize, new: usize, time: usize, device: &Device) -> Tensor<4, Bool> {
    let position = Tensor::<1, Int>::arange(0..(batch * new * time) as i64, device);
    let mask = position.clone().remainder_scalar(7).lower_elem(3);
    let third = position.div_scalar(time as i64).equal_elem(2);
    mask.bool_or(third).reshape([batch, 1, new, time])
}

/// What weights depend on, other than queries and keys.
type Terms = (Option<Tensor<4, Bool>>, Option<Tensor<4>>);

/// Both bodies, and the plain one with its own gradient, are the same with these terms.
fn check_terms(size: [usize; 6], terms: &dyn Fn(&Device) -> Terms) {
    let data = data(size);
    let plain = |parts: [Tensor<4>; 3]| {
        let (mask, factors) = terms(&parts[0].device());
        plain(parts, mask, factors)
    };
    let fused = |[query, keys, values]: [Tensor<4>; 3]| {
        let (mask, factors) = terms(&query.device());
        attention(query, [keys, values], mask, factors)
    };
    let own = |parts: [Tensor<4>; 3]| {
        let (mask, factors) = terms(&parts[0].device());
        apply(Attention::new(mask, factors), parts)
    };
    check(&data, &fused, &plain);
    check(&data, &own, &plain);
}

#[test]
fn some_queries_at_a_time_find_the_same() {
    for size in SIZES {
        let [batch, _, _, new, time, _] = size;
        let masks: [&Make<'_>; 3] = [
            &|device| causal(new, time, device),
            &|device| padding(batch, time, device),
            &|device| holes(batch, new, time, device),
        ];
        for (rows, mask) in [1, 5, 64].into_iter().zip(masks) {
            let whole = |parts: [Tensor<4>; 3]| {
                let mask = mask(&parts[0].device());
                plain(parts, Some(mask), None)
            };
            let blocks = |parts: [Tensor<4>; 3]| {
                let attention = Attention::new(Some(mask(&parts[0].device())), None);
                apply(Blocks { attention, rows }, parts)
            };
            check(&data(size), &blocks, &whole);
        }
    }
}

#[test]
fn only_long_texts_are_read_so() {
    assert_eq!(blocks::rows([64, 32, 2048, 2048]), None);
    assert_eq!(blocks::rows([1, 2, 4096, 4096]), None);
    assert_eq!(blocks::rows([1, 16, 4096, 4096]), Some(1024));
    assert_eq!(blocks::rows([1, 16, 1, 1 << 30]), None);
}

#[test]
fn both_bodies_agree() {
    for size in SIZES {
        check_terms(size, &|_| (None, None));
    }
}

#[test]
fn masks_are_spread_over_batch_heads_and_rows() {
    for size in SIZES {
        let [batch, _, _, new, time, _] = size;
        let masks: [&Make<'_>; 4] = [
            &|device| causal(new, time, device),
            &|device| padding(batch, time, device),
            &|device| holes(batch, new, time, device),
            &|device| Tensor::<4>::ones([1, 1, 1, time], device).bool(),
        ];
        for mask in masks {
            check_terms(size, &|device| (Some(mask(device)), None));
        }
    }
}

#[test]
fn factors_of_the_weights_have_their_part() {
    for size in SIZES {
        let [batch, heads, _, new, time, _] = size;
        let factors = |device: &Device| {
            Tensor::<4>::from_data(wave([batch, heads, new, time], 1.0, 3), device).clamp_min(0.0)
        };
        let masks: [&Make<'_>; 2] = [&|device| causal(new, time, device), &|device| {
            holes(batch, new, time, device)
        }];
        for mask in masks {
            check_terms(size, &|device| (Some(mask(device)), Some(factors(device))));
        }
    }
}

/// As a linear layer leaves them: the heads of a row side by side, or the parts of one tensor.
#[test]
fn any_layout_is_read() {
    let size = [2, 3, 3, 20, 20, 6];
    let mask = |device: &Device| Some(causal(20, 20, device));
    let parts = [0, 1, 2].map(|seed| wave([2, 20, 3, 6], 2.0, seed));
    check(
        &parts,
        &|parts| {
            let [query, keys, values] = parts.map(|part| part.swap_dims(1, 2));
            let mask = mask(&query.device());
            attention(query, [keys, values], mask, None).swap_dims(1, 2)
        },
        &|parts| {
            let parts = parts.map(|part| part.swap_dims(1, 2));
            plain(parts.clone(), mask(&parts[0].device()), None).swap_dims(1, 2)
        },
    );
    check(
        &data(size),
        &|parts| {
            let mask = mask(&parts[0].device());
            self_attention(Tensor::cat(parts.to_vec(), 1), mask, None)
        },
        &|parts| plain(parts.clone(), mask(&parts[0].device()), None),
    );
    check(
        &[0, 1, 2].map(|seed| wave([2, 3, 6, 20], 2.0, seed)),
        &|parts| {
            let [query, keys, values] = parts.map(Tensor::transpose);
            attention(query, [keys, values], None, None)
        },
        &|parts| plain(parts.map(Tensor::transpose), None, None),
    );
}

#[test]
fn a_few_queries_and_any_other_kind_of_number_are_left_to_the_plain_body() {
    let queries = |new| Tensor::<4>::zeros([1, 1, new, 4], &Device::flex());
    assert_eq!([7, 8].map(|new| pays(&queries(new))), [false, true]);
    let body = |dtype: FloatDType| {
        let parts = data([2, 2, 2, 12, 12, 4])
            .map(|data| Tensor::<4>::from_data(data, &Device::flex()).cast(dtype));
        let [query, keys, values] = parts.clone();
        let found = attention(query, [keys, values], None, None);
        assert_eq!(found.dtype(), dtype.into());
        assert_eq!(found.into_data(), plain(parts, None, None).into_data());
    };
    [FloatDType::F64, FloatDType::F16, FloatDType::BF16]
        .into_iter()
        .for_each(body);
}

#[test]
fn half_precision_is_near_single_precision_and_scores_do_not_overflow() {
    let mask = || Some(causal(9, 9, &Device::flex()));
    for (dtype, bound) in HALVES {
        let parts = |size| {
            [0, 1, 2].map(|seed| {
                let values = wave([2, 2, 9, 16], size, seed);
                Tensor::<4>::from_data(values, &Device::flex()).cast(dtype)
            })
        };
        let [query, keys, values] = parts(2.0);
        let found = attention(query, [keys, values], mask(), None);
        assert_eq!(found.dtype(), dtype.into());
        let single = parts(2.0).map(|part| part.cast(FloatDType::F32));
        let expected = plain(single, mask(), None).into_data();
        // Scores are rounded too, and the softmax enlarges that.
        close(found.into_data(), &expected, 4.0 * bound);
        // Before they are scaled, the products of these are up to 160,000.
        let [query, keys, values] = parts(100.0);
        let found = attention(query, [keys, values], mask(), None).into_data();
        assert!(found.iter::<f32>().all(f32::is_finite), "{dtype:?}");
    }
}

#[test]
fn the_plain_body_brings_the_gradient_of_all_parts_in_one() {
    let own = |parts: [Tensor<4>; 3]| {
        let mask = causal(20, 20, &parts[0].device());
        let all = Tensor::cat(parts.to_vec(), 1);
        apply(Attention::new(Some(mask), None), [all])
    };
    let spelt = |parts: [Tensor<4>; 3]| {
        plain(
            parts.clone(),
            Some(causal(20, 20, &parts[0].device())),
            None,
        )
    };
    check(&data([2, 3, 3, 20, 20, 6]), &own, &spelt);
    for (dtype, bound) in HALVES {
        let halves = data([2, 3, 3, 20, 20, 6]).map(|data| data.convert_dtype(dtype.into()));
        let single = |parts: [Tensor<4>; 3]| spelt(parts.map(|part| part.cast(FloatDType::F32)));
        let expected = differentiate(&halves, &single, &Device::flex());
        let found = differentiate(&halves, &own, &Device::flex());
        for (found, expected) in found.into_iter().zip(&expected) {
            // Scores and weights are rounded too.
            close(found, expected, 4.0 * bound);
        }
    }
}

#[test]
fn what_is_without_autodiff_is_a_constant() {
    let [query, keys, values] = data([2, 2, 2, 9, 9, 5]);
    let gradient = |body: &Body<'_>, device: &Device| {
        let query = Tensor::<4>::from_data(query.clone(), device).require_grad();
        let constant = device.clone().without_autodiff();
        let [keys, values] =
            [&keys, &values].map(|data| Tensor::<4>::from_data(data.clone(), &constant));
        let found = body([query.clone(), keys, values]);
        let gradients = found.square().sum().backward();
        query.grad(&gradients).expect("a gradient").into_data()
    };
    let own = |parts: [Tensor<4>; 3]| apply(Attention::new(None, None), parts);
    let fused =
        |[query, keys, values]: [Tensor<4>; 3]| attention(query, [keys, values], None, None);
    let expected = gradient(
        &|parts| plain(parts, None, None),
        &Device::flex().autodiff(),
    );
    for device in autodiff_devices() {
        close(gradient(&own, &device), &expected, 1e-5);
        close(gradient(&fused, &device), &expected, 1e-5);
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let results = || {
        let body = |parts: [Tensor<4>; 3]| {
            let mask = causal(70, 70, &parts[0].device());
            let [query, keys, values] = parts;
            attention(query, [keys, values], Some(mask), None)
        };
        differentiate(&data([3, 4, 2, 70, 70, 24]), &body, &Device::flex())
    };
    same_on_any_threads(results);
}
