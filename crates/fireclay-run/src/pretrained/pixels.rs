//! What the folder of a model for images says of how images become pixels: `preprocessor_config.json`.

use std::io::ErrorKind;

use fireclay_config::Document;
use fireclay_data::ImageFormat;
use fireclay_guard::text;
use serde_json::{Map, Value, json};

use super::Weights;
use super::complete::lay_beneath;

const FILE: &str = "preprocessor_config.json";

/// The largest file that is read; real ones have some hundred bytes.
const LARGEST: u64 = 1 << 20;

/// The keys of `[data]` that the file gives.
const KEYS: [&str; 6] = [
    "image_size",
    "mean",
    "std",
    "interpolation",
    "crop_ratio",
    "resize",
];

/// Gives the keys of `[data]` that are not written the values of the file, if the data is images and there is one.
/// Returns what the user should know.
pub(super) fn pixels(document: &mut Document, weights: Weights<'_>) -> Option<String> {
    let data = document.text("data.type")?.to_owned();
    if !ImageFormat::TYPES.iter().any(|(name, _)| *name == data) {
        return None;
    }
    let path = weights.folder()?.join(FILE);
    let read = match text(&path, LARGEST) {
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        read => read.map_err(|error| error.to_string()),
    };
    let parse = |text: String| serde_json::from_str(&text).map_err(|error| error.to_string());
    let known = read.and_then(parse).and_then(|json| Pixels::of(&json));
    let mut keys = match known {
        Ok(Pixels(keys)) => keys,
        Err(error) => {
            let message = format!("cannot be used: {}: {error}", path.display());
            document.refuse("model.pretrained", &message);
            return None;
        }
    };
    keys.retain(|key, _| !document.is_written(&format!("data.{key}")));
    let listed: Vec<String> = KEYS
        .iter()
        .filter_map(|key| Some(format!("data.{key} = {}", keys.get(*key)?)))
        .collect();
    lay_beneath(document, weights, json!({ "data": keys }));
    (!listed.is_empty()).then(|| format!("{} says {}", path.display(), listed.join(", ")))
}

/// Keys of `[data]`.
struct Pixels(Map<String, Value>);

impl Pixels {
    fn of(json: &Map<String, Value>) -> Result<Self, String> {
        let mut keys = Map::new();
        let is_on = |key: &str| json.get(key).and_then(Value::as_bool).unwrap_or(true);
        let rescales = json.get("rescale_factor").and_then(Value::as_f64);
        let usual = rescales.is_none_or(|factor| (factor * 255.0 - 1.0).abs() < 1e-6);
        if !is_on("do_rescale") || !usual {
            return Err("its pixels do not range from 0 to 1, as they do here".into());
        }
        for (key, theirs, none) in [("mean", "image_mean", 0.0), ("std", "image_std", 1.0)] {
            let value = match (is_on("do_normalize"), json.get(theirs)) {
                (false, _) => json!([none]),
                (true, Some(value)) => value.clone(),
                (true, None) => continue,
            };
            keys.insert(key.into(), numbers(theirs, value)?);
        }
        if is_on("do_resize") {
            keys.extend(interpolation(json)?);
            keys.extend(size(json)?);
        }
        Ok(Self(keys))
    }
}

/// Numbers of the channels, of which a single one stands for all.
fn numbers(key: &str, value: Value) -> Result<Value, String> {
    match value {
        Value::Number(_) => Ok(json!([value])),
        Value::Array(values) if values.iter().all(Value::is_number) => Ok(json!(values)),
        other => Err(format!("{key} is {other}, which is no list of numbers")),
    }
}

/// How images are resized, which the file says as Pillow does.
fn interpolation(json: &Map<String, Value>) -> Result<Option<(String, Value)>, String> {
    const KNOWN: [(u64, &str); 4] = [
        (0, "nearest"),
        (1, "lanczos"),
        (2, "bilinear"),
        (3, "bicubic"),
    ];
    let Some(found) = json.get("resample").filter(|found| !found.is_null()) else {
        return Ok(None);
    };
    let known = KNOWN.iter().find(|(number, _)| *found == *number);
    let (_, name) = known.ok_or_else(|| format!("resample is {found}, which is not known"))?;
    Ok(Some(("interpolation".into(), json!(name))))
}

/// Classes for which a size that is one number is that of the shorter side; for others it is that of both sides.
const BY_THE_SHORTER_SIDE: [&str; 3] = ["Bit", "CLIP", "ConvNext"];

/// Whether an image is squashed to its size: where that has a height and a width, the classes of `transformers` do so,
/// whether or not the middle is cut out then.
fn squashes(json: &Map<String, Value>, size: &Value) -> bool {
    let named = ["image_processor_type", "feature_extractor_type"];
    let class = named.iter().find_map(|key| json.get(*key)?.as_str());
    let is_one = |class: &str| BY_THE_SHORTER_SIDE.iter().any(|of| class.starts_with(of));
    match size {
        Value::Object(sides) => !sides.contains_key("shortest_edge"),
        _ => !class.is_some_and(is_one) && !json.contains_key("crop_pct"),
    }
}

/// The size of what the model sees, the share of each side that is kept, and what becomes of the shape.
fn size(json: &Map<String, Value>) -> Result<Vec<(String, Value)>, String> {
    let Some(size) = json.get("size").filter(|size| !size.is_null()) else {
        return Ok(Vec::new());
    };
    let wrong = || format!("size is {size}, which is not known");
    let resized = Sides::of(size).ok_or_else(wrong)?;
    let crops = json.get("do_center_crop").and_then(Value::as_bool) == Some(true);
    let crop = json.get("crop_size").filter(|_| crops).and_then(Sides::of);
    let share = json.get("crop_pct").and_then(Value::as_f64);
    let squashes = squashes(json, size);
    let (seen, share, squashes) = match (crop, share) {
        (Some(seen), _) => (seen, seen.0[0] as f64 / resized.0[0] as f64, squashes),
        // The class of ConvNeXt crops below this size, and squashes from it on.
        (None, Some(share)) if resized.0[0] < 384 => (resized, share, squashes),
        (None, Some(_)) => (resized, 1.0, true),
        (None, None) => (resized, 1.0, squashes),
    };
    let [height, width] = seen.0;
    let seen = match height == width {
        true => json!(height),
        false => json!([height, width]),
    };
    match share > 0.0 && share <= 1.0 {
        true => {
            let resize = if squashes { "squash" } else { "cover" };
            Ok(vec![
                ("image_size".into(), seen),
                ("crop_ratio".into(), json!(share)),
                ("resize".into(), json!(resize)),
            ])
        }
        false => Err(format!("its crop is {share} of what is resized")),
    }
}

/// Height and width.
#[derive(Clone, Copy)]
struct Sides([u64; 2]);

impl Sides {
    fn of(value: &Value) -> Option<Self> {
        let number = |key: &str| value.get(key).and_then(Value::as_u64);
        let both = || Some([number("height")?, number("width")?]);
        let one = value.as_u64().or_else(|| number("shortest_edge"));
        let found = one.map(|side| [side; 2]).or_else(both)?;
        found.iter().all(|side| *side > 0).then_some(Self(found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(json: Value) -> Result<Value, String> {
        Pixels::of(json.as_object().unwrap()).map(|pixels| pixels.0.into())
    }

    #[test]
    fn what_classes_of_transformers_write_is_read() {
        let vit = json!({
            "do_normalize": true, "do_rescale": true, "do_resize": true, "image_mean": [0.5, 0.5, 0.5],
            "image_std": [0.5, 0.5, 0.5], "resample": 2, "rescale_factor": 0.00392156862745098,
            "size": {"height": 224, "width": 224}
        });
        let expected = json!({
            "image_size": 224, "crop_ratio": 1.0, "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5],
            "interpolation": "bilinear", "resize": "squash"
        });
        assert_eq!(found(vit), Ok(expected));
        let convnext = json!({"crop_pct": 0.875, "size": {"shortest_edge": 224}, "resample": 3});
        let expected = json!({
            "image_size": 224, "crop_ratio": 0.875, "interpolation": "bicubic", "resize": "cover"
        });
        assert_eq!(found(convnext), Ok(expected));
        let large = json!({"crop_pct": 0.875, "size": {"shortest_edge": 384}});
        let expected = json!({"image_size": 384, "crop_ratio": 1.0, "resize": "squash"});
        assert_eq!(found(large), Ok(expected));
        let cropped = |class: &str| {
            let json = json!({
                "image_processor_type": class, "do_center_crop": true, "crop_size": 224, "size": 256
            });
            found(json).unwrap()
        };
        for (class, resize) in [
            ("DeiTImageProcessor", "squash"),
            ("BitImageProcessor", "cover"),
        ] {
            let expected = json!({"image_size": 224, "crop_ratio": 0.875, "resize": resize});
            assert_eq!(cropped(class), expected);
        }
        let plain = json!({"do_normalize": false, "do_resize": false});
        assert_eq!(found(plain), Ok(json!({"mean": [0.0], "std": [1.0]})));
    }

    #[test]
    fn what_cannot_be_done_is_refused() {
        for (json, words) in [
            (json!({"do_rescale": false}), "0 to 1"),
            (json!({"rescale_factor": 0.5}), "0 to 1"),
            (json!({"image_mean": "imagenet"}), "image_mean"),
            (json!({"resample": 5}), "resample"),
            (json!({"size": {"longest_edge": 3}}), "size"),
            (json!({"size": 0}), "size"),
            (
                json!({"size": 200, "do_center_crop": true, "crop_size": 224}),
                "crop",
            ),
        ] {
            let error = found(json).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
