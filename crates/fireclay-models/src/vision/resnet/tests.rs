use burn::module::{Flag, ModuleMapper, Param};
use burn::tensor::{Device, TensorData};

use super::*;
use crate::check::check_model;
use crate::family::{Architecture, Family};
use crate::fixtures::{images, keys, resnet_basic, resnet_bottleneck};
use crate::io::tensors::to_tensors;
use crate::reference::{self, assert_close, generator, read};
use crate::vision::tests::assert_takes;
use crate::vision::{ImageConfig, ImageModel};

/// Both networks with the weights of their files, and the names of the files.
fn references(device: &Device) -> Vec<(&'static str, ImageConfig, ResNet)> {
    let configs = [
        ("resnet-tiny-basic", resnet_basic(), 10),
        ("resnet-tiny-bottleneck", resnet_bottleneck(), 7),
    ];
    let load = |(name, config, outputs): (&'static str, ImageConfig, usize)| {
        let shape = images(3, 64, 64, outputs);
        let ImageModel::Resnet(model) = config.init(&shape, 0, device) else {
            panic!("a residual network");
        };
        let model = reference::fill(model, read(&format!("{name}/model")), str::to_string);
        (name, config, model)
    };
    configs.map(load).into()
}

/// Stops the norms from using the batch's statistics on a device with gradients.
struct Evaluation;

impl ModuleMapper for Evaluation {
    fn map_flag(&mut self, flag: Param<Flag>) -> Param<Flag> {
        flag.with_value(false)
    }
}

#[test]
fn evaluation_agrees_with_torchvision() {
    let device = Device::flex();
    for (case, _, model) in references(&device) {
        let io = read(&format!("{case}/io"));
        let close = |found: TensorData, name: &str| {
            assert_close(&found, &io[name], 1e-5, &format!("{case} {name}"));
        };
        let pixels = reference::images(&io, &device);
        let mut x = model.stem(pixels.clone());
        close(x.to_data(), "stem");
        for (index, stage) in model.stages().into_iter().enumerate() {
            x = stage.iter().fold(x, |x, block| block.forward(x));
            let mean = global_average(x.clone()).into_data();
            close(mean, &format!("layer{}_mean", index + 1));
        }
        close(model.forward(pixels).into_data(), "logits");
        let odd = Tensor::from_data(io["odd_pixel_values"].clone(), &device);
        close(model.forward(odd).into_data(), "odd_logits");
    }
}

#[test]
fn gradients_in_evaluation_agree_with_torchvision() {
    let device = Device::flex().autodiff();
    for (case, _, model) in references(&device) {
        let model = model.map(&mut Evaluation);
        let io = read(&format!("{case}/io"));
        let logits = model.forward(reference::images(&io, &device));
        let loss = reference::loss(logits, &io);
        assert_close(&loss.clone().into_data(), &io["loss"], 1e-5, case);
        let found = reference::gradients(&model, &loss.backward(), str::to_string);
        reference::assert_gradients(&found, &read(&format!("{case}/grads")), 1e-4);
    }
}

#[test]
fn training_agrees_with_torchvision() {
    let device = Device::flex().autodiff();
    for (case, config, model) in references(&device) {
        let io = read(&format!("{case}/io"));
        let train = read(&format!("{case}/train_io"));
        let logits = model.forward(reference::images(&io, &device));
        assert_close(&logits.clone().into_data(), &train["logits"], 1e-5, case);
        let loss = reference::loss(logits, &io);
        assert_close(&loss.clone().into_data(), &train["loss"], 1e-5, case);

        let found = reference::gradients(&model, &loss.backward(), str::to_string);
        let gradients = train.iter().filter_map(|(name, data)| {
            let name = name.strip_prefix("grad.")?;
            Some((name.to_string(), data.clone()))
        });
        let gradients: reference::Tensors = gradients.collect();
        assert_eq!(gradients.len(), 5);
        let kept = found
            .into_iter()
            .filter(|(name, _)| gradients.contains_key(name));
        reference::assert_gradients(&kept.collect(), &gradients, 1e-4);

        let model = ImageModel::Resnet(model);
        let names = crate::io::weights::shapes(&config, &model).into_iter();
        let after: Vec<_> = names
            .zip(to_tensors(&model))
            .filter(|((name, _), _)| name.contains("running_"))
            .collect();
        assert!(after.len() >= 20);
        for ((name, _), (_, data)) in after {
            assert_close(&data, &train[&format!("after.{name}")], 1e-5, &name);
        }
    }
}

fn tiny() -> ResNetConfig {
    ResNetConfig {
        layers: Some(vec![1, 2]),
        width: Some(4),
        // The convolutions before a zero scale have no gradient, and the check wants one.
        zero_init_residual: false,
        ..ResNetConfig::default()
    }
}

/// Burn counts the two running statistics of each norm; this does not.
fn trainable(depth: usize, shape: &ImageShape) -> usize {
    let config = ImageConfig::Resnet(ResNetConfig {
        depth,
        ..ResNetConfig::default()
    });
    crate::io::weights::shapes(&config, &config.init(shape, 0, &Device::flex()))
        .into_iter()
        .filter(|(name, _)| !name.contains("running_"))
        .map(|(_, shape)| shape.iter().product::<usize>())
        .sum()
}

#[test]
fn every_block_stem_and_shortcut() {
    for block in [BlockKind::Basic, BlockKind::Bottleneck] {
        for stem in [Stem::Imagenet, Stem::Cifar] {
            for shortcut in [Shortcut::Pad, Shortcut::Projection] {
                let config = ResNetConfig {
                    block: Some(block),
                    stem: Some(stem),
                    shortcut: Some(shortcut),
                    dropout: 0.1,
                    ..tiny()
                };
                check_model(ImageConfig::Resnet(config), images(2, 21, 18, 3));
            }
        }
    }
}

#[test]
fn counts_the_parameters_of_the_published_networks() {
    // torchvision's own counts for 1000 classes.
    let photographs = [
        (18, 11_689_512),
        (34, 21_797_672),
        (50, 25_557_032),
        (101, 44_549_160),
        (152, 60_192_808),
    ];
    for (depth, expected) in photographs {
        assert_eq!(trainable(depth, &images(3, 224, 224, 1000)), expected);
    }
    // Table 6 of the paper: 0.27, 0.46, 0.66, 0.85 and 1.7 million.
    let small = [(20, 0.27), (32, 0.46), (44, 0.66), (56, 0.85), (110, 1.7)];
    for (depth, millions) in small {
        let count = trainable(depth, &images(3, 32, 32, 10)) as f64 / 1e6;
        assert!((count - millions).abs() < 0.04, "{depth}: {count}");
    }
}

#[test]
fn a_zero_scale_makes_every_block_the_identity() {
    let config = ResNetConfig {
        zero_init_residual: true,
        layers: Some(vec![3]),
        ..tiny()
    };
    let _alone = generator();
    let device = Device::flex();
    let model = config.init(&images(3, 16, 16, 2), 0, &device);
    let images = Tensor::<4>::random([2, 3, 16, 16], burn::tensor::Distribution::Default, &device);
    let stem = model.stem(images);
    let after = model
        .layer1
        .iter()
        .fold(stem.clone(), |x, block| block.forward(x));
    assert_eq!(after.into_data(), stem.into_data());
}

#[test]
fn the_shortcut_without_weights_takes_every_other_pixel_and_pads_channels() {
    let config = ResNetConfig {
        shortcut: Some(Shortcut::Pad),
        zero_init_residual: true,
        ..tiny()
    };
    let device = Device::flex();
    let model = config.init(&images(3, 16, 16, 2), 0, &device);
    // Positive, so that the rectifier at the end changes nothing.
    let input: Vec<f32> = (0..4 * 9).map(|index| index as f32 + 1.0).collect();
    let data = TensorData::new(input.clone(), [1, 4, 3, 3]);
    let output = model.layer2[0].forward(Tensor::from_data(data, &device));
    assert_eq!(output.dims(), [1, 8, 2, 2]);
    let output: Vec<f32> = output.into_data().iter().collect();
    for channel in 0..8 {
        for (row, column) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let expected = match channel {
                2..6 => input[(channel - 2) * 9 + row * 6 + column * 2],
                _ => 0.0,
            };
            assert_eq!(output[channel * 4 + row * 2 + column], expected);
        }
    }
}

#[test]
fn later_blocks_are_left_out_more_often() {
    let config = ResNetConfig {
        drop_path_rate: 0.4,
        layers: Some(vec![2, 2]),
        ..tiny()
    };
    let model = config.init(&images(3, 16, 16, 2), 0, &Device::flex());
    let found: Vec<f64> = model
        .stages()
        .into_iter()
        .flatten()
        .map(|block| (block.drop_path.prob * 1e6).round() / 1e6)
        .collect();
    assert_eq!(found, [0.1, 0.2, 0.3, 0.4]);
}

#[test]
fn options_without_weights_leave_the_first_weights_alone() {
    let tensors =
        |config: &ResNetConfig| to_tensors(&config.init(&images(3, 16, 16, 2), 5, &Device::flex()));
    let dropped = ResNetConfig {
        dropout: 0.5,
        drop_path_rate: 0.5,
        ..tiny()
    };
    assert_eq!(tensors(&tiny()), tensors(&dropped));
}

#[test]
fn the_smallest_image_passes() {
    for stem in [Stem::Imagenet, Stem::Cifar] {
        for depth in [18, 50, 20] {
            let config = ResNetConfig {
                depth,
                width: Some(4),
                stem: Some(stem),
                ..ResNetConfig::default()
            };
            assert_takes(&config, &images(1, 1, 1, 2));
        }
    }
}

#[test]
fn all_impossible_values_are_reported() {
    let config = ResNetConfig {
        depth: 19,
        layers: Some(vec![1, 0, 1, 1, 1 << 40]),
        width: Some(usize::MAX),
        drop_path_rate: 1.0,
        dropout: -0.1,
        ..ResNetConfig::default()
    };
    let expected = [
        "depth",
        "layers",
        "layers",
        "layers",
        "width",
        "drop_path_rate",
        "dropout",
    ];
    assert_eq!(keys(config.validate()), expected);
    assert_eq!(ResNetConfig::default().validate(), []);
}

#[test]
fn kinds_are_known_by_name() {
    let config = r#"{"depth": 50, "stem": "cifar", "block": "bottleneck", "shortcut": "pad"}"#;
    assert!(serde_json::from_str::<ResNetConfig>(config).is_ok());
}

/// Depths and widths that no file here has: a file written and read back is the same network.
#[test]
fn other_depths_and_widths_survive_a_file() {
    let folder = tempfile::tempdir().unwrap();
    for (block, layers, width) in [
        (BlockKind::Basic, vec![1, 3, 2], 5),
        (BlockKind::Bottleneck, vec![2, 1], 3),
        (BlockKind::Bottleneck, vec![1, 1, 1, 2], 7),
    ] {
        let config = ImageConfig::Resnet(ResNetConfig {
            block: Some(block),
            layers: Some(layers),
            width: Some(width),
            ..ResNetConfig::default()
        });
        let shape = images(3, 40, 33, 4);
        let model = config.init(&shape, 3, &Device::flex());
        let path = folder.path().join("model.safetensors");
        let description = crate::ModelDescription {
            config: config.clone(),
            shape,
        };
        crate::io::weights::save(&model, &description, &path).unwrap();
        let fresh = config.init(&shape, 4, &Device::flex());
        let options = crate::PretrainedOptions::default();
        let (loaded, _) = crate::load_pretrained(&config, &shape, fresh, &path, &options).unwrap();
        assert_eq!(to_tensors(&loaded), to_tensors(&model));
    }
}
