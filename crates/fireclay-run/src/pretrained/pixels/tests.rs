//! Tests of what folders say of pixels.

use fireclay_data::ImagePreprocess;

use super::*;

fn found(json: Value) -> Result<Value, String> {
    Pixels::of(json.as_object().unwrap()).map(|pixels| pixels.keys.into())
}

fn of_timm(images: Value) -> Result<Pixels, String> {
    let json = json!({ "pretrained_cfg": images });
    let found = Pixels::of_timm(json.as_object().unwrap());
    found.map(|pixels| pixels.expect("it is timm's"))
}

#[test]
fn what_timm_writes_is_read() {
    let whole = json!({
        "input_size": [3, 240, 320], "interpolation": "bilinear", "crop_pct": 0.9, "crop_mode": "squash",
        "mean": [0.5, 0.4, 0.3], "std": [0.1, 0.2, 0.3], "pool_size": null
    });
    let found = of_timm(whole).unwrap();
    let expected = json!({
        "image_size": [240, 320], "crop_ratio": 0.9, "mean": [0.5, 0.4, 0.3], "std": [0.1, 0.2, 0.3],
        "interpolation": "bilinear", "resize": "squash"
    });
    assert_eq!((Value::from(found.keys), found.note), (expected, None));
    let border = of_timm(json!({"crop_mode": "border"})).unwrap();
    assert!(border.note.unwrap().contains("border"));
    let found = of_timm(json!({"crop_mode": "center"})).unwrap();
    let expected = json!({
        "image_size": 224, "crop_ratio": 0.875, "mean": "imagenet", "std": "imagenet", "interpolation": "bicubic"
    });
    assert_eq!((Value::from(found.keys), found.note), (expected, None));
    let other = json!({"model_type": "vit"});
    let other = Pixels::of_timm(other.as_object().unwrap());
    assert!(matches!(other, Ok(None)));
    for (key, value) in [
        ("interpolation", json!("random")),
        ("input_size", json!([3, 224])),
        ("input_size", json!([3, 0, 224])),
        ("mean", json!("grey")),
        ("crop_pct", json!(1.5)),
    ] {
        let error = of_timm(json!({ key: value })).err().unwrap();
        assert!(error.contains(key.split('_').next().unwrap()), "{error}");
    }
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
    let plain = Pixels::of(plain.as_object().unwrap()).unwrap();
    assert_eq!(
        Value::from(plain.keys),
        json!({"mean": [0.0], "std": [1.0]})
    );
    assert!(plain.note.unwrap().contains("do_resize is false"));
}

/// Of an image that is no square, by `tests/data/timm/make.py` with timm 1.0.31: to a level of the 256.
#[test]
fn images_become_timms_pixels() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/timm");
    let image = std::fs::read(data.join("image.png")).unwrap();
    for name in ["square", "wide"] {
        let (_, found) = said(&data.join(name)).unwrap();
        let mut keys = found.unwrap().keys;
        let size = keys.remove("image_size").unwrap();
        let side = |at: usize| size.get(at).unwrap_or(&size).clone();
        let more = json!({
            "version": 1, "kind": "image", "height": side(0), "width": side(1), "channels": "rgb",
            "max_pixels": 100_000, "target": {"kind": "class", "classes": ["one", "other"]}
        });
        keys.extend(more.as_object().unwrap().clone());
        let text = Value::from(keys.clone()).to_string();
        let preprocess = ImagePreprocess::from_json(&text).unwrap();
        let found = preprocess.read_bytes(&[&image], 0).unwrap().pixels;
        let text = std::fs::read_to_string(data.join(name).join("pixels.json")).unwrap();
        let expected: Vec<f32> = serde_json::from_str(&text).unwrap();
        assert_eq!(found.len(), expected.len(), "{name}");
        let differences = found.iter().zip(&expected).map(|(a, b)| (a - b).abs());
        let worst = differences.clone().fold(0.0, f32::max);
        let mean = differences.sum::<f32>() / found.len() as f32;
        println!("{name}: {worst:.1e} at most, {mean:.1e} in the mean");
        assert!(worst < 1.01 / 255.0 / 0.2, "{name}: {worst}");
    }
}

#[test]
fn what_cannot_be_done_is_refused() {
    for (json, words) in [
        (json!({"do_rescale": false}), "0 to 1"),
        (json!({"rescale_factor": 0.5}), "0 to 1"),
        (json!({"image_mean": "imagenet"}), "image_mean"),
        (json!({"image_std": [0.5, 0.5, 0.5, 0.5]}), "image_std"),
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
