//! What Pillow and torchvision make of a small image, for the tests of this module.

use serde_json::Value;

use super::pixels::Pixels;

/// The file that `tests/reference/images.py` writes.
pub(super) fn reference() -> Value {
    serde_json::from_str(include_str!("../../tests/reference/images.json")).unwrap()
}

/// The file that `tests/reference/pictures.py` writes.
pub(super) fn pictures() -> Value {
    serde_json::from_str(include_str!("../../tests/reference/pictures.json")).unwrap()
}

/// An image in one of them.
pub(super) fn image(value: &Value) -> Pixels {
    let number = |key: &str| value[key].as_u64().unwrap() as usize;
    Pixels {
        width: number("width"),
        height: number("height"),
        channels: number("channels"),
        data: bytes(value["data"].as_str().unwrap()),
    }
}

/// Bytes written as hexadecimal digits.
pub(super) fn bytes(hex: &str) -> Vec<u8> {
    let pairs = hex.as_bytes().chunks_exact(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// Fails unless the images have one size and no value differs by more than `most`.
pub(super) fn assert_close(found: &Pixels, expected: &Pixels, most: u8, what: &str) {
    let shape = |pixels: &Pixels| (pixels.width, pixels.height, pixels.channels);
    assert_eq!(shape(found), shape(expected), "{what}");
    let pairs = found.data.iter().zip(&expected.data);
    let differences = pairs.map(|(a, b)| a.abs_diff(*b));
    let worst = differences.max().unwrap();
    assert!(worst <= most, "{what}: {worst} levels apart");
}
