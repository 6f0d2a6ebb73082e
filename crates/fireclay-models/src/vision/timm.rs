//! What the `config.json` of timm says of several architectures for images alike.
//!
//! timm describes a model by its name, under `architecture`. Its `pretrained_cfg` says which images the
//! weights were made for, and `model_args` what is other than the name says.

use serde::de::DeserializeOwned;
use serde_json::json;

use crate::hugging_face::{Reader, timm_name};
use crate::shape::ImageShape;
use crate::vision::hugging_face::counts;
use crate::vision::inverted_residual::ImagePadding;

/// What norms add to the variance, but where the weights were TensorFlow's.
const EPS: f64 = 1e-5;

/// The same in TensorFlow.
const TENSORFLOW_EPS: f64 = 1e-3;

/// Keys of `model_args` that change no logits, or that are said elsewhere too.
const HARMLESS: [&str; 7] = [
    "num_classes",
    "in_chans",
    "img_size",
    "global_pool",
    "drop_rate",
    "drop_path_rate",
    "proj_drop_rate",
];

/// The name of the model, without the name of its weights.
pub(super) fn name<'a>(reader: &Reader<'a>) -> &'a str {
    reader.get("architecture").map_or("", timm_name)
}

/// What norms add to the variance, and what is around an image, in a model of this name: weights of TensorFlow keep its
/// ways.
pub(super) fn eps_and_padding(name: &str) -> (f64, ImagePadding) {
    match name.starts_with("tf_") {
        true => (TENSORFLOW_EPS, ImagePadding::Same),
        false => (EPS, ImagePadding::Symmetric),
    }
}

/// The size that a part of a name says.
pub(super) fn read<S: DeserializeOwned + Default>(size: &str) -> S {
    serde_json::from_value(json!(size)).unwrap_or_default()
}

/// The images and the classes; refuses what makes another model of the one with this name. The head reads the
/// features by `pool`.
pub(super) fn shape(reader: &mut Reader, pool: &str) -> ImageShape {
    reader.require("global_pool", pool);
    for (key, found) in reader.section("model_args") {
        if !HARMLESS.contains(&key) {
            let message = format!("has {key} = {found}, which no model here reads");
            reader.problem("model_args", message);
        }
    }
    let usual = [3, 224, 224];
    let size = |reader: &mut Reader| counts(reader, "input_size", &usual);
    let size = reader.within("pretrained_cfg", size);
    let size = <[usize; 3]>::try_from(size.unwrap_or(usual.to_vec()));
    let [channels, height, width] = size.unwrap_or_else(|found| {
        let message = format!("has an input_size of {} numbers, not three", found.len());
        reader.problem("pretrained_cfg", message);
        usual
    });
    ImageShape {
        channels,
        height,
        width,
        // Without a head there are none; a model here has one.
        outputs: reader.count("num_classes", 1000).max(1),
    }
}
