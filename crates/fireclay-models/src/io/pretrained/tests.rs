mod folder;
mod language;
mod pth;

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use burn::tensor::DType;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::positions::resize_positions;
use super::*;
use crate::family::Family;
use crate::fixtures::{images, resnet_basic, resnet_bottleneck, vit_timm};
use crate::io::tensors::to_tensors;
use crate::io::weights::shapes;
use crate::reference::{self, Tensors, assert_close, read};
use crate::shape::ImageShape;
use crate::vision::{ImageConfig, ImageModel, ImageNetwork};

const SHAPE: ImageShape = ImageShape {
    channels: 3,
    height: 64,
    width: 64,
    outputs: 10,
};

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name)
}

fn strict() -> PretrainedOptions {
    PretrainedOptions::default()
}

fn allow(missing: &[&str], unexpected: &[&str]) -> PretrainedOptions {
    let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect();
    PretrainedOptions {
        allow_missing: owned(missing),
        allow_unexpected: owned(unexpected),
        ..PretrainedOptions::default()
    }
}

type Loaded = Result<(ImageModel, PretrainedReport), WeightsError>;

fn load(path: &Path, shape: &ImageShape, options: &PretrainedOptions) -> Loaded {
    let config = resnet_basic();
    let model = config.init(shape, 1, &Device::flex());
    load_pretrained(&config, shape, model, path, options)
}

fn numbers(model: &ImageModel) -> HashMap<String, TensorData> {
    to_tensors(model).into_iter().collect()
}

/// Writes tensors in the given type and loads them into the basic network.
fn load_tensors(tensors: &Tensors, dtype: DType, options: &PretrainedOptions) -> Loaded {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights");
    fs::write(&path, serialize(tensors, dtype)).unwrap();
    load(&path, &SHAPE, options)
}

fn serialize(tensors: &Tensors, dtype: DType) -> Vec<u8> {
    let stored = match dtype {
        DType::F64 => Dtype::F64,
        DType::F16 => Dtype::F16,
        DType::BF16 => Dtype::BF16,
        DType::I64 => Dtype::I64,
        _ => Dtype::F32,
    };
    let converted: Vec<_> = tensors
        .iter()
        .map(|(name, data)| (name, data.clone().convert_dtype(dtype)))
        .collect();
    let views = converted.iter().map(|(name, data)| {
        let view = TensorView::new(stored, data.shape().to_vec(), data.as_bytes()).unwrap();
        (name.as_str(), view)
    });
    safetensors::serialize(views, None).unwrap()
}

fn model_tensors() -> Tensors {
    let mut tensors = read("resnet-tiny-basic/model");
    tensors.retain(|name, _| !name.ends_with("num_batches_tracked"));
    tensors
}

fn error(result: Loaded) -> String {
    result.unwrap_err().to_string()
}

fn assert_error(result: Loaded, part: &str) {
    let found = error(result);
    assert!(found.contains(part), "{found}");
}

fn assert_damaged(result: Loaded) {
    let error = result.unwrap_err();
    assert!(matches!(error, WeightsError::Damaged(_)), "{error}");
}

#[test]
fn pth_and_safetensors_give_the_same_model() {
    let load = |name| load(&path(name), &SHAPE, &strict()).unwrap();
    let (first, report) = load("resnet-tiny-basic/model.safetensors");
    let (second, same) = load("resnet-tiny-basic/model.pth");
    assert_eq!(to_tensors(&first), to_tensors(&second));
    assert_eq!(report, same);
    let names = shapes(&resnet_basic(), &first)
        .into_iter()
        .map(|(name, _)| name);
    assert_eq!(report.loaded, names.collect::<Vec<_>>());
    assert!(report.fresh_head.is_empty() && report.missing.is_empty());

    let io = read("resnet-tiny-basic/io");
    let logits = first.forward(reference::images(&io, &Device::flex()));
    assert_close(&logits.into_data(), &io["logits"], 1e-5, "logits");
}

#[test]
fn names_and_shapes_are_those_of_the_file() {
    let shape = |outputs| ImageShape { outputs, ..SHAPE };
    let file = |case: &str| read(&format!("resnet-tiny-{case}/model"));
    reference::assert_names(&resnet_basic(), &shape(10), file("basic"));
    reference::assert_names(&resnet_bottleneck(), &shape(7), file("bottleneck"));
}

#[test]
fn a_head_for_other_classes_stays_fresh() {
    let shape = ImageShape {
        outputs: 4,
        ..SHAPE
    };
    let fresh = resnet_basic().init(&shape, 1, &Device::flex());
    let file = path("resnet-tiny-basic/model.pth");
    let (model, report) = load(&file, &shape, &strict()).unwrap();
    assert_eq!(report.fresh_head, ["fc.weight", "fc.bias"]);
    let (fresh, found) = (numbers(&fresh), numbers(&model));
    for (name, data) in found {
        // The shift of a norm and the like are zero before and random in the file.
        assert_eq!(data == fresh[&name], name.contains(".fc."), "{name}");
    }
}

#[test]
fn a_head_that_differs_in_more_than_its_outputs_is_an_error() {
    let mut tensors = model_tensors();
    let weight = TensorData::new(vec![0.5f32; 20], [5, 4]);
    tensors.insert("fc.weight".into(), weight);
    assert_error(
        load_tensors(&tensors, DType::F32, &strict()),
        "fc.weight has shape [5, 4], but the model needs [10, 48]",
    );
    // A bias for another number of outputs than the weight.
    let mut tensors = model_tensors();
    tensors.insert("fc.bias".into(), TensorData::new(vec![0.5f32; 5], [5]));
    assert_error(
        load_tensors(&tensors, DType::F32, &strict()),
        "fc.bias has shape [5], but the model needs [10]",
    );
}

#[test]
fn every_tensor_that_does_not_fit_is_listed_unless_allowed() {
    let mut tensors = model_tensors();
    let bias = tensors.remove("bn1.bias").unwrap();
    tensors.insert("bn1.offset".into(), bias);
    tensors.remove("layer3.0.bn1.weight");
    let weight = TensorData::new(vec![0.5f32; 6], [6]);
    tensors.insert("layer1.0.conv1.weight".into(), weight);
    let load = |options| load_tensors(&tensors, DType::F32, &options);
    let expected = "the tensors do not fit the model: bn1.bias is missing; \
                    layer1.0.conv1.weight has shape [6], but the model needs [6, 6, 3, 3]; \
                    layer3.0.bn1.weight is missing; bn1.offset is not part of the model";
    assert_eq!(error(load(PretrainedOptions::default())), expected);
    let found = error(load(allow(&["bn1.*", "*.bn1.weight"], &["bn1.off*"])));
    let expected = "the tensors do not fit the model: layer1.0.conv1.weight has shape [6], but \
                    the model needs [6, 6, 3, 3]";
    assert_eq!(found, expected);
}

#[test]
fn what_is_allowed_is_reported() {
    let mut tensors = model_tensors();
    let bias = tensors.remove("bn1.bias").unwrap();
    tensors.insert("bn1.offset".into(), bias);
    let options = allow(&["bn1.bias"], &["*.offset"]);
    let (_, report) = load_tensors(&tensors, DType::F32, &options).unwrap();
    assert_eq!(report.missing, ["bn1.bias"]);
    assert_eq!(report.unexpected, ["bn1.offset"]);
}

#[test]
fn prefixes_are_taken_away() {
    for prefix in ["module.", "model.", "module._orig_mod."] {
        let tensors = model_tensors();
        let renamed = tensors
            .iter()
            .map(|(name, data)| (format!("{prefix}{name}"), data.clone()));
        let loaded = load_tensors(&renamed.collect(), DType::F32, &strict());
        let plain = load_tensors(&tensors, DType::F32, &strict());
        assert_eq!(
            to_tensors(&loaded.unwrap().0),
            to_tensors(&plain.unwrap().0)
        );
    }
}

#[test]
fn other_floats_are_converted_and_other_numbers_refused() {
    let load = |dtype| load_tensors(&model_tensors(), dtype, &strict());
    let expected = numbers(&load(DType::F32).unwrap().0);
    // Half the distance between neighbours, relative: 11 and 8 bits of precision.
    for (dtype, precision) in [
        (DType::F64, 0.0),
        (DType::F16, 0.0005),
        (DType::BF16, 0.004),
    ] {
        for (name, data) in numbers(&load(dtype).unwrap().0) {
            assert_eq!(data.dtype(), DType::F32);
            for (found, expected) in data.iter::<f64>().zip(expected[&name].iter::<f64>()) {
                let most = precision * expected.abs() + 1e-7 * f64::from(precision > 0.0);
                assert!((found - expected).abs() <= most, "{name}");
            }
        }
    }
    assert_error(
        load(DType::I64),
        "bn1.weight holds I64, but the model needs floats",
    );
}

#[test]
fn weights_that_are_not_finite_are_refused() {
    let mut tensors = model_tensors();
    tensors.insert("bn1.bias".into(), TensorData::new(vec![f32::NAN; 6], [6]));
    let bias = TensorData::new(vec![f32::INFINITY; 10], [10]);
    tensors.insert("fc.bias".into(), bias);
    let found = error(load_tensors(&tensors, DType::F32, &strict()));
    let expected = "the tensors do not fit the model: bn1.bias holds values that are not finite; \
                    fc.bias holds values that are not finite";
    assert_eq!(found, expected);
    // Finite in the file, but not in the model.
    let mut doubles = Tensors::new();
    for (name, data) in model_tensors() {
        doubles.insert(name, data.convert_dtype(DType::F64));
    }
    doubles.insert("bn1.bias".into(), TensorData::new(vec![1e300f64; 6], [6]));
    assert_error(
        load_tensors(&doubles, DType::F64, &strict()),
        "bn1.bias holds values that are not finite",
    );
}

#[test]
fn a_file_of_this_program_is_as_good() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let model = resnet_basic().init(&SHAPE, 9, &Device::flex());
    let description = crate::ModelDescription {
        config: resnet_basic(),
        shape: SHAPE,
    };
    crate::io::weights::save(&model, &description, &path).unwrap();
    let (loaded, _) = load(&path, &SHAPE, &strict()).unwrap();
    assert_eq!(to_tensors(&loaded), to_tensors(&model));
}

#[test]
fn timms_vit_of_another_resolution_is_resampled() {
    let config = ImageConfig::Vit(vit_timm());
    let file = path("vit-timm/model.safetensors");
    let load = |shape: ImageShape| {
        let model = config.init(&shape, 0, &Device::flex());
        load_pretrained(&config, &shape, model, &file, &strict()).unwrap()
    };
    let (model, report) = load(images(3, 32, 32, 6));
    assert!(report.resized.is_empty());
    let io = read("vit-timm/io");
    let logits = model.forward(reference::images(&io, &Device::flex()));
    assert_close(&logits.into_data(), &io["logits"], 2e-5, "logits");
    let (model, report) = load(images(3, 48, 24, 3));
    assert_eq!(report.resized, ["encoder.pos_embedding"]);
    assert_eq!(report.fresh_head, ["heads.head.weight", "heads.head.bias"]);
    let pixels = Tensor::zeros([1, 3, 48, 24], &Device::flex());
    assert_eq!(model.forward(pixels).dims(), [1, 3]);
}

#[test]
fn damage_is_an_error_never_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["model.pth", "model.safetensors"] {
        let bytes = fs::read(path(&format!("resnet-tiny-basic/{name}"))).unwrap();
        let path = folder.path().join(name);
        let load = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            load(&path, &SHAPE, &strict())
        };
        for length in (0..bytes.len()).step_by(997) {
            assert!(load(&bytes[..length]).is_err(), "{name}: {length} bytes");
        }
        // The directory at the end of a zip, the pickle at its start, the header of the other.
        let positions = (0..12_000)
            .step_by(31)
            .chain((bytes.len() - 8000..bytes.len()).step_by(17));
        for position in positions {
            let mut damaged = bytes.clone();
            damaged[position] ^= 0xA5;
            let _ = load(&damaged);
        }
    }
    for bytes in [b"".as_slice(), b"PK\x03\x04", b"\x80\x02.", b"not weights"] {
        let path = folder.path().join("other.pt");
        fs::write(&path, bytes).unwrap();
        assert_damaged(load(&path, &SHAPE, &strict()));
    }
}

/// A pickle that would run a command where pickles are executed.
#[test]
fn a_pickle_is_not_executed() {
    let folder = tempfile::tempdir().unwrap();
    let (path, proof) = (folder.path().join("evil.pth"), folder.path().join("proof"));
    let command = format!("touch {}", proof.display());
    let mut bytes = b"\x80\x02cos\nsystem\n(X".to_vec();
    bytes.extend((command.len() as u32).to_le_bytes());
    bytes.extend(command.as_bytes());
    bytes.extend(b"tR.");
    fs::write(&path, bytes).unwrap();
    assert_damaged(load(&path, &SHAPE, &strict()));
    assert!(!proof.exists());
}

#[test]
fn a_missing_file_is_named() {
    let found = error(load(Path::new("nowhere/model.pth"), &SHAPE, &strict()));
    let path = std::path::absolute("nowhere/model.pth").unwrap();
    let expected = format!("cannot access the weights in {}: ", path.display());
    assert!(found.starts_with(&expected), "{found}");
}

#[test]
fn a_star_stands_for_anything() {
    for (pattern, name, expected) in [
        ("fc.*", "fc.weight", true),
        ("fc.*", "afc.weight", false),
        ("*.bn?.weight", "a.bn1.weight", false),
        ("*.weight", "layer1.0.weight", true),
        ("l*.*.w*t", "layer1.0.weight", true),
        ("fc", "fc.weight", false),
        ("*", "", true),
        ("", "", true),
        ("a*a", "a", false),
    ] {
        assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
    }
    assert!(!matches_any(&[], "fc"));
}

/// The header of a safetensors file claims gigabytes that are not there.
#[test]
fn a_claim_of_gigabytes_takes_no_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("big.safetensors");
    let header = r#"{"fc.weight":{"dtype":"F32","shape":[1048576,1048576],"data_offsets":[0,4398046511104]}}"#;
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    fs::write(&path, &bytes).unwrap();
    assert!(SafeTensors::deserialize(&bytes).is_err());
    assert_damaged(load(&path, &SHAPE, &strict()));
}

#[test]
fn positions_are_resized_as_in_timm() {
    let positions = &read("vit-timm/model")["pos_embed"];
    let expected = read("vit-timm/resized");
    let up = resize_positions(positions, [4, 4], [6, 5]);
    assert_close(&up, &expected["up_pos_embed"], 1e-6, "up");
    let down = resize_positions(positions, [4, 4], [2, 3]);
    assert_close(&down, &expected["down_pos_embed"], 1e-6, "down");
    assert_eq!(&resize_positions(positions, [4, 4], [4, 4]), positions);
}
