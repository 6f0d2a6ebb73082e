//! What the folder of a model for images says of how images become pixels: `preprocessor_config.json` of transformers,
//! or `pretrained_cfg` in timm's `config.json`.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use fireclay_config::Document;
use fireclay_data::ImageFormat;
use fireclay_guard::text;
use serde_json::{Map, Value, json};

use super::Weights;
use super::complete::lay_beneath;

/// The files that may say it, and how they are read.
const FILES: [(&str, Reading); 2] = [
    ("preprocessor_config.json", |json| {
        Pixels::of(json).map(Some)
    }),
    ("config.json", Pixels::of_timm),
];

type Reading = fn(&Map<String, Value>) -> Result<Option<Pixels>, String>;

/// The largest file that is read; real ones have some hundred bytes, and with the names of classes some megabytes.
const LARGEST: u64 = 16 << 20;

/// The keys of `[data]` that the file gives.
const KEYS: [&str; 6] = [
    "image_size",
    "mean",
    "std",
    "interpolation",
    "crop_ratio",
    "resize",
];

/// Gives the keys of `[data]` that are not written the values of such a file, if the data is images and there is one.
/// Returns what the user should know.
pub(super) fn pixels(document: &mut Document, weights: Weights<'_>) -> Option<String> {
    let data = document.text("data.type")?.to_owned();
    if !ImageFormat::TYPES.iter().any(|(name, _)| *name == data) {
        return None;
    }
    let (path, said) = said(&weights.folder()?)?;
    let Pixels { mut keys, note } = match said {
        Ok(said) => said,
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
    let note = note.unwrap_or_default();
    (!listed.is_empty()).then(|| format!("{} says {}{note}", path.display(), listed.join(", ")))
}

/// Height and width of what the model sees, if such a file in the folder says them.
pub(super) fn seen(folder: &Path) -> Option<[u64; 2]> {
    let (_, said) = said(folder)?;
    let size = said.ok()?.keys.remove("image_size")?;
    let side = |at: usize| size.get(at).unwrap_or(&size).as_u64();
    Some([side(0)?, side(1)?])
}

/// The first file in the folder that says something, and what it says.
fn said(folder: &Path) -> Option<(PathBuf, Result<Pixels, String>)> {
    FILES.iter().find_map(|(name, reading)| {
        let path = folder.join(name);
        let read = match text(&path, LARGEST) {
            Err(error) if error.kind() == ErrorKind::NotFound => return None,
            read => read.map_err(|error| error.to_string()),
        };
        let parse = |text: String| serde_json::from_str(&text).map_err(|error| error.to_string());
        let said = read.and_then(parse).and_then(|json| reading(&json));
        Some((path, said.transpose()?))
    })
}

/// What a file says.
struct Pixels {
    /// Keys of `[data]`.
    keys: Map<String, Value>,
    /// What is done in another way here.
    note: Option<String>,
}

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
        let note = (!is_on("do_resize")).then(|| {
            "; its do_resize is false, but here each image is resized to what the model reads (data.image_size)".into()
        });
        Ok(Self { keys, note })
    }

    /// What timm says, if it does; what is missing is as timm has it.
    fn of_timm(json: &Map<String, Value>) -> Result<Option<Self>, String> {
        let Some(Value::Object(images)) = json.get("pretrained_cfg") else {
            return Ok(None);
        };
        let found = |key: &str| images.get(key).filter(|value| !value.is_null());
        let mut keys = Map::new();
        for key in ["mean", "std"] {
            let value = found(key).map(|value| numbers(key, value.clone()));
            keys.insert(key.into(), value.unwrap_or_else(|| Ok(json!("imagenet")))?);
        }
        let how = found("interpolation").cloned();
        let how = how.unwrap_or_else(|| json!("bicubic"));
        if !INTERPOLATIONS.iter().any(|(_, name)| how == *name) {
            return Err(format!("interpolation is {how}, which is not known"));
        }
        keys.insert("interpolation".into(), how);
        let size = found("input_size")
            .cloned()
            .unwrap_or_else(|| json!([3, 224, 224]));
        let seen = match size.as_array().map(Vec::as_slice) {
            Some([_, height, width]) => {
                Sides([height, width].map(|side| side.as_u64().unwrap_or(0)))
            }
            _ => Sides([0; 2]),
        };
        if seen.0.contains(&0) {
            return Err(format!("input_size is {size}, which is not known"));
        }
        let share = found("crop_pct").map_or(Some(0.875), Value::as_f64);
        keys.extend(cropped(seen, share.unwrap_or(0.0))?);
        let mode = found("crop_mode").filter(|mode| *mode != "center");
        let squashes = mode.is_some_and(|mode| mode == "squash");
        if squashes {
            keys.insert("resize".into(), json!("squash"));
        }
        let note = mode.filter(|_| !squashes).map(|mode| {
            format!("; its crop_mode is {mode}, but here the middle of an image is cut out, whatever its shape")
        });
        Ok(Some(Self { keys, note }))
    }
}

/// Numbers of the channels, of which a single one stands for all.
fn numbers(key: &str, value: Value) -> Result<Value, String> {
    match value {
        Value::Number(_) => Ok(json!([value])),
        Value::Array(values)
            if matches!(values.len(), 1 | 3) && values.iter().all(Value::is_number) =>
        {
            Ok(json!(values))
        }
        other => Err(format!(
            "{key} is {other}, which is no list of a number for each of 3 channels, or for 1"
        )),
    }
}

/// How images can be resized, by Pillow's number.
const INTERPOLATIONS: [(u64, &str); 4] = [
    (0, "nearest"),
    (1, "lanczos"),
    (2, "bilinear"),
    (3, "bicubic"),
];

/// How images are resized, which the file says as Pillow does.
fn interpolation(json: &Map<String, Value>) -> Result<Option<(String, Value)>, String> {
    let Some(found) = json.get("resample").filter(|found| !found.is_null()) else {
        return Ok(None);
    };
    let known = INTERPOLATIONS.iter().find(|(number, _)| *found == *number);
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
    let resize = if squashes { "squash" } else { "cover" };
    let mut keys = cropped(seen, share)?;
    keys.push(("resize".into(), json!(resize)));
    Ok(keys)
}

/// The keys of `[data]` for what the model sees, and the share of each side that is kept.
fn cropped(seen: Sides, share: f64) -> Result<Vec<(String, Value)>, String> {
    let [height, width] = seen.0;
    let seen = match height == width {
        true => json!(height),
        false => json!([height, width]),
    };
    match share > 0.0 && share <= 1.0 {
        true => Ok(vec![
            ("image_size".into(), seen),
            ("crop_ratio".into(), json!(share)),
        ]),
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
mod tests;
