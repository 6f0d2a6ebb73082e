use burn::module::Module;
use burn::tensor::Device;

use super::*;
use crate::family::tests::defaults;
use crate::family::{Family, Pretrainable};

#[test]
fn every_layer_holds_a_tensor_and_the_head_is_last() {
    let shape = ImageShape {
        channels: 3,
        height: 32,
        width: 32,
        outputs: 5,
    };
    for config in defaults::<ImageConfig>() {
        let model = config.init(&shape, 0, &Device::flex());
        let names = crate::io::weights::parameter_names(&config, &model);
        let mut seen = vec![false; config.layers()];
        for (_, name) in names {
            let layer = config.layer_of(&name);
            seen[layer] = true;
            // The last norm or the layer before the head may be there too.
            if name.starts_with(&format!("{}.", config.head())) {
                assert_eq!(layer + 1, config.layers(), "{name}");
            }
        }
        assert!(seen.iter().all(|&seen| seen), "{config:?} {seen:?}");
        let order = format!("{}.weight", config.head());
        assert_eq!(config.layer_of(&order), config.layers() - 1);
    }
}

#[test]
fn least_weights_is_a_close_lower_bound() {
    let shape = ImageShape {
        channels: 3,
        height: 32,
        width: 32,
        outputs: 5,
    };
    for config in defaults::<ImageConfig>() {
        let weights = config.init(&shape, 0, &Device::flex()).num_params();
        let least = config.least_weights(&shape);
        assert!(
            least <= weights && least > 1,
            "{config:?} {least} {weights}"
        );
    }
}

#[test]
fn a_shape_of_nothing_is_refused() {
    let shape = ImageShape {
        channels: 0,
        height: 0,
        width: 0,
        outputs: 0,
    };
    for config in defaults::<ImageConfig>() {
        assert_eq!(config.validate_for(&shape).len(), 4);
    }
}
