use burn::tensor::{Device, FloatDType, Int};

use super::nf4::tests::{COUNT, numbers};
use super::*;
use crate::each_row_alone;
use crate::test::{check_own, close, same_on_any_threads, wave};

const FORMATS: [Packing; 11] = [
    Packing::Nf4,
    Packing::Q8_0,
    Packing::Q4_0,
    Packing::Q4_1,
    Packing::Q5_0,
    Packing::Q5_1,
    Packing::Q4K,
    Packing::Q5K,
    Packing::F16,
    Packing::BF16,
    Packing::Q6K,
];

/// Some matrix: of what is not rounded to here, blocks of any bytes with scales that are finite.
fn matrix(format: Packing, shape: [usize; 2]) -> Packed {
    if [Packing::Nf4, Packing::Q8_0].contains(&format) {
        let data = wave(shape, 0.1, 7);
        let numbers: Vec<f32> = data.iter().collect();
        return Packed::round(format, shape, &numbers).expect("it takes these rows");
    }
    let bytes = (0..format.bytes(shape)).map(|at| (at * at * 31 + at * 7) as u8 & 0xbf);
    Packed::of_bytes(format, shape, bytes.collect()).expect("as many bytes")
}

/// Rows, outputs and inputs of products: also with inputs that are no whole groups, where the format takes them.
fn sizes(format: Packing) -> Vec<[usize; 3]> {
    let mut sizes = vec![[1, 3, 256], [8, 70, 512], [40, 300, 256]];
    sizes.extend([[1, 5, 37], [3, 5, 37], [20, 5, 37]]);
    sizes.retain(|[_, _, inputs]| format.takes(*inputs));
    sizes
}

#[test]
fn products_are_those_of_the_dense_matrix() {
    for format in FORMATS {
        for [count, outputs, inputs] in sizes(format) {
            let weight = matrix(format, [outputs, inputs]);
            let dense = weight.dense(&Device::flex()).into_data();
            let size = dense
                .iter::<f32>()
                .fold(0.0, |most: f32, x| most.max(x.abs()));
            let x = wave([count, inputs], 1.0 / size, 1);
            let plain = |x: Tensor<2>| {
                let dense = weight.dense(&x.device());
                x.matmul(dense)
            };
            let packed = |[x]: [Tensor<2>; 1]| linear_packed(x, &weight);
            // Few rows are rounded to 16 bits: each of up to 512 products errs by 1.5e-5 at most, some up and some down.
            let is_rounded = format.is_whole() && count <= 8;
            let bound = if is_rounded { 5e-4 } else { 1e-5 };
            check_own([x], packed, |[x]| plain(x), bound);
        }
    }
}

#[test]
fn a_row_alone_has_the_bits_that_it_has_in_company() {
    for format in FORMATS {
        for inputs in [256, 37].into_iter().filter(|inputs| format.takes(*inputs)) {
            let weight = matrix(format, [300, inputs]);
            let x = Tensor::<2>::from_data(wave([20, inputs], 1.0, 0), &Device::flex());
            let all = each_row_alone(|| linear_packed(x.clone(), &weight));
            for count in [1, 2, 9] {
                let some = each_row_alone(|| linear_packed(x.clone().narrow(0, 3, count), &weight));
                let same = all.clone().narrow(0, 3, count);
                assert_eq!(some.into_data(), same.into_data(), "{count} rows");
            }
            same_on_any_threads(|| {
                let one = linear_packed(x.clone().narrow(0, 0, 1), &weight);
                [one, linear_packed(x.clone(), &weight)].map(Tensor::into_data)
            });
        }
    }
}

#[test]
fn products_with_several_matrices_are_those_with_each() {
    let rows = [70, 3, 300];
    for formats in [
        [Packing::Q8_0, Packing::Q4_0, Packing::Q6K],
        [Packing::Q4K, Packing::F16, Packing::Nf4],
    ] {
        let at = |at: usize| matrix(formats[at], [rows[at], 256]);
        let weights = [at(0), at(1), at(2)];
        for shape in [[1, 1, 256], [2, 3, 256], [4, 10, 256]] {
            let x = Tensor::<3>::from_data(wave(shape, 1.0, 0), &Device::flex());
            for x in [x.clone(), x.cast(FloatDType::F16)] {
                let found = linear_packed_each(x.clone(), [&weights[0], &weights[1], &weights[2]]);
                for (found, weight) in found.into_iter().zip(&weights) {
                    let one = linear_packed(x.clone(), weight);
                    assert_eq!(found.into_data(), one.into_data());
                }
                let each = || linear_packed_each(x.clone(), [&weights[0], &weights[1]]);
                for (found, weight) in each_row_alone(each).into_iter().zip(&weights) {
                    let one = each_row_alone(|| linear_packed(x.clone(), weight));
                    assert_eq!(found.into_data(), one.into_data());
                }
            }
        }
    }
}

#[test]
fn inputs_of_any_size_keep_their_digits() {
    let weight = matrix(Packing::Q8_0, [9, 64]);
    let product = |x: TensorData| {
        let x = Tensor::<2>::from_data(x, &Device::flex());
        linear_packed(x, &weight).into_data()
    };
    let one = product(wave([1, 64], 1.0, 0));
    for size in [1e-30, 1e-3, 1e30] {
        let found = product(wave([1, 64], size, 0));
        for (found, one) in found.iter::<f64>().zip(one.iter::<f64>()) {
            assert!((found / f64::from(size) - one).abs() <= 1e-5 * one.abs().max(1.0));
        }
    }
    let none = product(TensorData::from([[0.0f32; 64]]));
    assert!(none.iter::<f32>().all(|x| x == 0.0));
    let least = product(TensorData::from([[f32::from_bits(1); 64]]));
    assert!(least.iter::<f32>().all(|x| x.abs() < 1e-30));
    // What is no number is not lost on the way.
    for wrong in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut x = [[1.0f32; 64]];
        x[0][40] = wrong;
        let found = product(TensorData::from(x));
        assert!(found.iter::<f32>().all(|x| !x.is_finite()), "{wrong}");
    }
}

/// Of the largest codes and inputs no product is lost, nor its sign.
#[test]
fn the_largest_whole_numbers_fit() {
    let blocks = [[0x00, 0x3c].as_slice(), &[0x80; 32]].concat();
    let weight = Packed::of_bytes(Packing::Q8_0, [1, 32], blocks).expect("a block");
    let product = |x: [f32; 32]| {
        let x = Tensor::<2>::from_data([x], &Device::flex());
        linear_packed(x, &weight).into_scalar::<f32>()
    };
    let close = |found: f32, expected: f32| assert!((found - expected).abs() < 1e-2, "{found}");
    close(product([1.0; 32]), -4096.0);
    close(product([-3.0; 32]), 12288.0);
    close(product(std::array::from_fn(|at| [1.0, -1.0][at % 2])), 0.0);
}

/// Codes of -32, each with a scale of -128.
#[test]
fn whole_scales_and_codes_fit() {
    let codes = [0; 192];
    let blocks = [codes.as_slice(), &[0x80; 16], &[0x00, 0x3c]].concat();
    let weight = Packed::of_bytes(Packing::Q6K, [1, 256], blocks).expect("a block");
    let product = |x: [f32; 256]| {
        let x = Tensor::<2>::from_data([x], &Device::flex());
        linear_packed(x, &weight).into_scalar::<f32>()
    };
    let close = |found: f32, expected: f32| assert!((found - expected).abs() < 16.0, "{found}");
    close(product([1.0; 256]), 1_048_576.0);
    close(product([-3.0; 256]), -3_145_728.0);
    close(product(std::array::from_fn(|at| [1.0, -1.0][at % 2])), 0.0);
}

#[test]
fn half_precision_is_given_back() {
    let weight = matrix(Packing::Q8_0, [40, 64]);
    let x = Tensor::<3>::from_data(wave([2, 3, 64], 1.0, 0), &Device::flex());
    let single = linear_packed(x.clone(), &weight);
    let half = linear_packed(x.cast(FloatDType::F16), &weight);
    assert_eq!(half.dtype(), FloatDType::F16.into());
    close(half.into_data(), &single.into_data(), 2e-3);
}

#[test]
fn rows_of_a_table_are_looked_up() {
    for format in FORMATS {
        let table = matrix(format, [5, 256]);
        let device = Device::flex();
        let indices = Tensor::<2, Int>::from_data([[4, 0, 2], [2, 2, 1]], &device);
        let dense = table.dense(&device).transpose();
        let expected = burn::tensor::module::embedding(dense, indices.clone());
        let found = embedding_packed(&table, indices);
        assert_eq!(found.into_data(), expected.into_data());
    }
}

#[test]
#[should_panic(expected = "index 5 of a table of 5 rows")]
fn an_index_without_a_row_is_refused() {
    let indices = Tensor::<2, Int>::from_data([[5]], &Device::flex());
    embedding_packed(&matrix(Packing::Q8_0, [5, 32]), indices);
}

/// Halves of the distances between neighbours, of numbers of their own block.
#[test]
fn rounding_errs_by_no_more_than_the_format_allows() {
    let all = numbers();
    for (format, share) in [(Packing::Q8_0, 0.5 / 127.0 + 1e-3), (Packing::Nf4, 0.18)] {
        let packed = Packed::round(format, [COUNT / 64, 64], &all).unwrap();
        let dense = packed.dense(&Device::flex()).transpose().into_data();
        let found: Vec<f32> = dense.iter().collect();
        for (block, (found, all)) in found.chunks(32).zip(all.chunks(32)).enumerate() {
            let whole = &numbers()[block / 2 * 64..][..64];
            let most = whole.iter().fold(0.0, |most: f32, x| most.max(x.abs()));
            for (found, x) in found.iter().zip(all) {
                assert!(
                    (found - x).abs() <= share * most,
                    "{found}, not {x}, below {most}"
                );
            }
        }
        assert_eq!(packed.to_bytes().len(), format.bytes([COUNT / 64, 64]));
    }
}

#[test]
fn half_precision_is_read_as_it_is() {
    for bits in 0..=u16::MAX {
        let (found, expected) = (
            blocks::half(bits.to_le_bytes()),
            burn::tensor::f16::from_bits(bits),
        );
        match expected.is_finite() {
            true => assert_eq!(found.to_bits(), expected.to_f32().to_bits(), "{bits:x}"),
            false => assert!(found.is_infinite(), "{bits:x}"),
        }
    }
}

#[test]
fn what_is_no_matrix_is_refused() {
    let rows = Packed::round(Packing::Q8_0, [1, 33], &[0.0; 33]);
    let expected = "rows of 33 numbers are no whole blocks of 32";
    assert_eq!(rows.unwrap_err().to_string(), expected);
    let short = Packed::of_bytes(Packing::Q4_0, [2, 32], vec![0; 35]);
    let expected = "there are 35 bytes, and the matrix has 36";
    assert_eq!(short.unwrap_err().to_string(), expected);
    let infinite = Packed::of_bytes(Packing::Q4_0, [1, 32], vec![0x7c; 18]);
    assert_eq!(infinite.unwrap_err(), PackedError::NotFinite);
    let infinite = Packed::round(Packing::Nf4, [1, 1], &[f32::NAN]);
    assert_eq!(infinite.unwrap_err(), PackedError::NotFinite);
    // Beyond the range of half precision, which the scale has.
    let large = Packed::round(Packing::Q8_0, [1, 32], &[1e8; 32]);
    assert_eq!(large.unwrap_err(), PackedError::NotFinite);
}
