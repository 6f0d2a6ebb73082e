use super::*;
use crate::check::{batch, check_model};
use crate::fixtures::{keys, table};
use crate::io::tensors::to_tensors;
use crate::reference::assert_drops;
use crate::tabular::TabularConfig;

fn shape(numeric: usize, categories: &[usize]) -> TabularShape {
    table(numeric, categories, 3)
}

fn small() -> MlpConfig {
    MlpConfig {
        hidden: vec![8, 8],
        ..MlpConfig::default()
    }
}

#[test]
fn every_activation() {
    for activation in Activation::ALL {
        let config = MlpConfig {
            activation,
            ..small()
        };
        check_model(TabularConfig::Mlp(config), shape(5, &[]));
    }
}

#[test]
fn every_norm_with_and_without_residual() {
    for norm in [NormKind::None, NormKind::Batch, NormKind::Layer] {
        for residual in [true, false] {
            let config = MlpConfig {
                norm,
                residual,
                dropout: 0.1,
                // Leaky, because a dead unit has no gradient and the check wants one everywhere.
                activation: Activation::LeakyRelu,
                ..small()
            };
            check_model(TabularConfig::Mlp(config), shape(5, &[]));
        }
    }
}

#[test]
fn every_kind_of_column() {
    for shape in [shape(2, &[4, 3]), shape(0, &[4, 3]), shape(0, &[6])] {
        check_model(TabularConfig::Mlp(small()), shape.clone());
        let config = MlpConfig {
            embedding_dim: Some(5),
            ..small()
        };
        check_model(TabularConfig::Mlp(config), shape);
    }
}

#[test]
fn counts_its_parameters() {
    let count = |config: &MlpConfig, shape: TabularShape| {
        config.init(&shape, 0, &Device::flex()).num_params()
    };
    let dense = |inputs: usize| (inputs + 1) * 8 + (8 + 1) * 8 + (8 + 1) * 3;
    assert_eq!(count(&small(), shape(5, &[])), dense(5));
    // Widths 50 (the cap), 4 and 1 of 200, 7 and 2 categories.
    let tables = 200 * 50 + 7 * 4 + 2;
    assert_eq!(
        count(&small(), shape(5, &[200, 7, 2])),
        tables + dense(5 + 55)
    );
    // Burn counts the two running statistics beside scale and shift.
    for (norm, vectors) in [(NormKind::Batch, 4), (NormKind::Layer, 2)] {
        let config = MlpConfig { norm, ..small() };
        assert_eq!(count(&config, shape(5, &[])), dense(5) + 2 * vectors * 8);
    }
}

#[test]
fn residual_adds_the_input_of_a_block_as_wide_as_the_one_before() {
    let device = Device::flex();
    let shape = shape(5, &[]);
    let config = MlpConfig {
        hidden: vec![8, 8, 4],
        ..small()
    };
    let plain = config.init(&shape, 1, &device);
    let residual = MlpConfig {
        residual: true,
        ..config
    }
    .init(&shape, 1, &device);
    let (numeric, _) = batch(&shape, &device);

    let mut x = numeric.clone();
    for (index, layer) in plain.layers[..3].iter().enumerate() {
        let y = layer.forward(x.clone()).clamp_min(0.0);
        x = if index == 1 { y + x } else { y };
    }
    let expected = plain.layers[3].forward(x).into_data();
    let categories = || Tensor::<2, Int>::zeros([6, 0], &device);
    assert_eq!(
        residual.forward(numeric.clone(), categories()).into_data(),
        expected
    );
    assert_ne!(plain.forward(numeric, categories()).into_data(), expected);
}

#[test]
fn same_seed_same_bits_whatever_the_dropout() {
    let device = Device::flex();
    let tensors = |dropout: f64, seed: u64| {
        let config = MlpConfig { dropout, ..small() };
        to_tensors(&config.init(&shape(5, &[4]), seed, &device))
    };
    assert_eq!(tensors(0.0, 1), tensors(0.0, 1));
    assert_eq!(tensors(0.0, 1), tensors(0.5, 1));
    assert_ne!(tensors(0.0, 1), tensors(0.0, 2));
}

#[test]
fn dropout_acts_in_training_alone() {
    let shape = shape(5, &[]);
    let config = MlpConfig {
        dropout: 0.5,
        ..small()
    };
    let run = |model: &Mlp, device: &Device| {
        let (numeric, categories) = batch(&shape, device);
        model.forward(numeric, categories).into_data()
    };
    assert_drops(|device| config.init(&shape, 1, device), run);
}

#[test]
fn all_impossible_values_are_reported() {
    let config = MlpConfig {
        hidden: vec![8, 0],
        dropout: 1.0,
        embedding_dim: Some(0),
        ..MlpConfig::default()
    };
    assert_eq!(
        keys(config.validate()),
        ["hidden", "dropout", "embedding_dim"]
    );
    let config = MlpConfig {
        hidden: vec![],
        dropout: f64::NAN,
        ..MlpConfig::default()
    };
    assert_eq!(config.validate().len(), 2);
    assert_eq!(MlpConfig::default().validate(), []);
}

#[test]
fn activations_and_norms_are_known_by_name() {
    let config = r#"{"activation": "leaky_relu", "norm": "batch"}"#;
    let config: MlpConfig = serde_json::from_str(config).unwrap();
    assert_eq!(config.activation, Activation::LeakyRelu);
    assert_eq!(config.norm, NormKind::Batch);
}
