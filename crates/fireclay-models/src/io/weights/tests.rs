use safetensors::tensor::{Dtype, TensorView};

use super::*;
use crate::io::tensors::to_tensors;
use crate::layers::activation::Activation;
use crate::layers::norm::NormKind;
use crate::shape::TabularShape;
use crate::tabular::{MlpConfig, Tabular, TabularConfig};

fn description() -> ModelDescription<TabularConfig> {
    let config = MlpConfig {
        hidden: vec![4],
        activation: Activation::Gelu,
        norm: NormKind::Batch,
        ..MlpConfig::default()
    };
    let shape = TabularShape {
        numeric: 2,
        categories: vec![3],
        outputs: 2,
    };
    ModelDescription {
        config: TabularConfig::Mlp(config),
        shape,
    }
}

fn model(seed: u64) -> Tabular {
    let ModelDescription { config, shape } = description();
    config.init(&shape, seed, &Device::flex())
}

/// The tensors of a file as (name, shape, values), to be changed and written again.
type Raw = Vec<(String, Vec<usize>, Vec<f32>)>;

fn raw(bytes: &[u8]) -> Raw {
    let file = SafeTensors::deserialize(bytes).unwrap();
    let values = |bytes: &[u8]| {
        let number = |chunk: &[u8]| f32::from_le_bytes(chunk.try_into().unwrap());
        bytes.chunks(4).map(number).collect()
    };
    let mut raw: Raw = file
        .iter()
        .map(|(name, view)| (name.to_string(), view.shape().to_vec(), values(view.data())))
        .collect();
    raw.sort_by(|a, b| a.0.cmp(&b.0));
    raw
}

fn write(raw: &Raw, metadata: Option<(&str, &str)>) -> Vec<u8> {
    let numbers = |values: &[f32]| {
        values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect()
    };
    let bytes: Vec<Vec<u8>> = raw.iter().map(|(_, _, values)| numbers(values)).collect();
    let views = raw.iter().zip(&bytes).map(|((name, shape, _), bytes)| {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap();
        (name.as_str(), view)
    });
    let metadata = metadata.map(|(key, json)| HashMap::from([(key.to_string(), json.to_string())]));
    safetensors::serialize(views, metadata).unwrap()
}

/// The error for a file whose tensors were changed by `change`.
fn error_after(change: impl FnOnce(&mut Raw)) -> String {
    let mut raw = raw(&encode(&model(0), &description()).unwrap());
    change(&mut raw);
    let json = serde_json::to_string(&description()).unwrap();
    let bytes = write(&raw, Some((METADATA_KEY, &json)));
    decode::<TabularConfig>(&bytes, &Device::flex())
        .unwrap_err()
        .to_string()
}

/// The error for whole tensors under the given metadata.
fn error_under(metadata: Option<(&str, &str)>) -> String {
    let raw = raw(&encode(&model(0), &description()).unwrap());
    decode::<TabularConfig>(&write(&raw, metadata), &Device::flex())
        .unwrap_err()
        .to_string()
}

#[test]
fn names_and_shapes_are_pytorchs() {
    let raw = raw(&encode(&model(0), &description()).unwrap());
    let found: Vec<_> = raw
        .iter()
        .map(|(name, shape, _)| (name.as_str(), shape.as_slice()))
        .collect();
    let expected: [(&str, &[usize]); 9] = [
        ("embeddings.0.weight", &[3, 2]),
        ("layers.0.bias", &[4]),
        ("layers.0.weight", &[4, 4]),
        ("layers.1.bias", &[2]),
        ("layers.1.weight", &[2, 4]),
        ("norms.0.bias", &[4]),
        ("norms.0.running_mean", &[4]),
        ("norms.0.running_var", &[4]),
        ("norms.0.weight", &[4]),
    ];
    assert_eq!(found, expected);
}

#[test]
fn linear_weights_are_transposed() {
    let model = model(0);
    let file = raw(&encode(&model, &description()).unwrap());
    let ours: Vec<f32> = to_tensors(&model)
        .into_iter()
        .find(|(path, _)| path == "Mlp.layers.1.weight")
        .map(|(_, data)| data.try_to_vec().unwrap())
        .unwrap(); // [4, 2]
    let theirs = &file[4].2; // [2, 4]
    for input in 0..4 {
        for output in 0..2 {
            assert_eq!(ours[input * 2 + output], theirs[output * 4 + input]);
        }
    }
}

#[test]
fn a_file_gives_back_the_model_and_the_same_file() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("a"), folder.path().join("b"));
    save(&model(3), &description(), &first).unwrap();
    let (loaded, found) = load::<TabularConfig>(&first, &Device::flex()).unwrap();
    assert_eq!(found, description());
    assert_eq!(to_tensors(&loaded), to_tensors(&model(3)));
    save(&loaded, &found, &second).unwrap();
    assert_eq!(fs::read(&first).unwrap(), fs::read(&second).unwrap());
    assert_ne!(
        fs::read(&first).unwrap(),
        encode(&model(4), &found).unwrap()
    );
}

#[test]
fn the_metadata_says_what_older_readers_demand_and_files_without_it_are_read() {
    let bytes = encode(&model(3), &description()).unwrap();
    let (length, header) = SafeTensors::read_metadata(&bytes).unwrap();
    assert!(length.is_multiple_of(8));
    let metadata = header.metadata().as_ref().unwrap();
    assert_eq!(metadata["format"], "pt");
    assert_eq!(metadata.len(), 2);

    let older = write(&raw(&bytes), Some((METADATA_KEY, &metadata[METADATA_KEY])));
    assert!(older.len() < bytes.len());
    let (loaded, found) = decode::<TabularConfig>(&older, &Device::flex()).unwrap();
    assert_eq!(found, description());
    assert_eq!(to_tensors(&loaded), to_tensors(&model(3)));
}

#[test]
fn parameter_ids_are_those_of_a_fresh_model() {
    let bytes = encode(&model(3), &description()).unwrap();
    let (loaded, _) = decode::<TabularConfig>(&bytes, &Device::flex()).unwrap();
    let ids = burn::module::list_param_ids::<Tabular>;
    assert_eq!(ids(&loaded), ids(&model(3)));
}

#[test]
fn every_tensor_that_does_not_fit_is_listed() {
    let error = error_after(|raw| {
        raw[0].0 = "embeddings.9.weight".to_string();
        raw[4].1 = vec![4, 2];
    });
    let expected = "the tensors do not fit the model: embeddings.0.weight is missing; \
                    layers.1.weight has shape [4, 2], but the model needs [2, 4]; \
                    embeddings.9.weight is not part of the model";
    assert_eq!(error, expected);
}

#[test]
fn values_that_are_not_finite_are_refused_both_ways() {
    let expected = "the tensors do not fit the model: layers.0.bias holds values that are not \
                    finite; norms.0.weight holds values that are not finite";
    let error = error_after(|raw| {
        raw[1].2[0] = f32::NAN;
        raw[8].2[3] = f32::NEG_INFINITY;
    });
    assert_eq!(error, expected);

    let mut tensors = to_tensors(&model(0));
    let bias = tensors
        .iter_mut()
        .find(|(path, _)| path == "Mlp.layers.0.bias")
        .unwrap();
    bias.1 = TensorData::new(vec![f32::INFINITY; 4], [4]);
    let broken = crate::io::tensors::from_tensors(model(0), tensors).unwrap();
    let error = encode(&broken, &description()).unwrap_err().to_string();
    assert!(
        error.ends_with("layers.0.bias holds values that are not finite"),
        "{error}"
    );
}

#[test]
fn a_file_without_or_with_a_wrong_description_is_refused() {
    let missing = WeightsError::NoDescription.to_string();
    assert_eq!(error_under(None), missing);
    assert_eq!(error_under(Some(("format", "pt"))), missing);
    let error = error_under(Some((METADATA_KEY, "{}")));
    assert!(error.contains("missing field `config`"), "{error}");

    let mut changed = description();
    changed.shape.outputs = 0;
    let json = serde_json::to_string(&changed).unwrap();
    let error = error_under(Some((METADATA_KEY, &json)));
    assert!(error.ends_with("outputs: must be at least 1"), "{error}");
}

#[test]
fn a_description_too_large_for_the_file_asks_for_no_memory() {
    let huge = [
        (usize::MAX / 2, vec![], 2),
        (2, vec![1 << 40], 2),
        (2, vec![], 1 << 50),
    ];
    for (numeric, categories, outputs) in huge {
        let mut changed = description();
        changed.shape = TabularShape {
            numeric,
            categories,
            outputs,
        };
        let json = serde_json::to_string(&changed).unwrap();
        let error = error_under(Some((METADATA_KEY, &json)));
        assert!(
            error.ends_with("shape: it is larger than the file"),
            "{error}"
        );
    }
}

#[test]
fn damage_is_an_error_never_a_panic() {
    let device = Device::flex();
    let bytes = encode(&model(0), &description()).unwrap();
    for length in 0..bytes.len() {
        assert!(
            decode::<TabularConfig>(&bytes[..length], &device).is_err(),
            "{length} bytes"
        );
    }
    // Flipping a bit of the header must not panic; a value that stays finite may load.
    for position in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[position] ^= 0x10;
        let _ = decode::<TabularConfig>(&damaged, &device);
    }
    let error = decode::<TabularConfig>(b"not a model", &device).unwrap_err();
    assert!(matches!(error, WeightsError::Damaged(_)));
}

#[test]
fn a_missing_file_is_named() {
    let error = load::<TabularConfig>("nowhere/model.safetensors", &Device::flex()).unwrap_err();
    let path = std::path::absolute("nowhere/model.safetensors").unwrap();
    let expected = format!("cannot access the weights in {}: ", path.display());
    assert!(error.to_string().starts_with(&expected), "{error}");
}
