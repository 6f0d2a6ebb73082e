use serde_json::Value;

use super::*;
use crate::image::reference::{assert_close, bytes, image, pictures, reference};

/// As every image was read before there were keys for it.
const AS_STORED: Decoding = Decoding {
    channels: Channels::Rgb,
    max_pixels: 1 << 20,
    exif_orientation: false,
    background: Background::None,
};

fn gray() -> Decoding {
    Decoding {
        channels: Channels::Gray,
        ..AS_STORED
    }
}

fn at_most(max_pixels: u64) -> Decoding {
    Decoding {
        max_pixels,
        ..AS_STORED
    }
}

fn upright() -> Decoding {
    Decoding {
        exif_orientation: true,
        ..AS_STORED
    }
}

fn over(background: Background) -> Decoding {
    Decoding {
        background,
        ..AS_STORED
    }
}

/// The files of one kind, each with its name and its bytes.
fn files(kind: &Value) -> impl Iterator<Item = (&String, &Value, Vec<u8>)> {
    let files = kind.as_object().unwrap().iter();
    files.map(|(name, file)| (name, file, bytes(file["hex"].as_str().unwrap())))
}

fn check(kind: &str, most: u8) {
    for (name, file) in reference()[kind].as_object().unwrap() {
        let encoded = bytes(file["hex"].as_str().unwrap());
        let rgb = decode(&encoded, &AS_STORED).unwrap();
        assert_close(&rgb, &image(&file["rgb"]), most, name);
        let gray = decode(&encoded, &gray()).unwrap();
        assert_close(&gray, &image(&file["gray"]), most, name);
    }
}

#[test]
fn lossless_files_are_what_pillow_reads() {
    check("files", 0);
}

#[test]
fn lossy_files_are_nearly_what_pillow_reads_and_not_turned() {
    check("lossy", 4);
}

#[test]
fn a_file_that_is_cut_off_is_an_error_and_damage_no_panic() {
    for kind in ["files", "lossy"] {
        for (name, file) in reference()[kind].as_object().unwrap() {
            let encoded = bytes(file["hex"].as_str().unwrap());
            // Behind the first half may be what nothing needs: another frame of an animation.
            for length in (0..encoded.len() / 2).step_by(3) {
                let cut = decode(&encoded[..length], &AS_STORED);
                assert!(cut.is_err(), "{name}, {length} of {} bytes", encoded.len());
            }
            for position in (0..encoded.len()).step_by(7) {
                let mut damaged = encoded.clone();
                damaged[position] ^= 0x55;
                let _ = decode(&damaged, &AS_STORED);
            }
        }
    }
}

#[test]
fn too_many_pixels_are_refused_by_the_header() {
    let encoded = bytes(reference()["files"]["png rgb"]["hex"].as_str().unwrap());
    assert!(decode(&encoded, &at_most(23 * 17)).is_ok());
    let error = decode(&encoded, &at_most(23 * 17 - 1)).unwrap_err();
    let expected = "the image has 23 by 17 pixels, more than max_pixels = 390";
    assert_eq!(error, expected);
    // A bitmap of 2^30 pixels that has no more bytes than its header.
    let mut bomb = bytes(reference()["files"]["bmp"]["hex"].as_str().unwrap());
    bomb[18..26].copy_from_slice(&[0, 128, 0, 0, 0, 128, 0, 0]);
    let error = decode(&bomb, &at_most(100_000_000)).unwrap_err();
    assert!(error.contains("max_pixels"));
}

#[test]
fn what_is_no_image_is_named_so() {
    let error = decode(b"", &AS_STORED).unwrap_err();
    assert_eq!(error, "the file is empty");
    let error = decode(b"a,b\n1,2\n", &AS_STORED).unwrap_err();
    assert_eq!(error, "not a JPEG, PNG, WebP, BMP, GIF or TIFF image");
}

#[test]
fn turned_images_are_what_pillow_turns_upright() {
    let pictures = pictures();
    let mut turned = 0;
    for (name, file, encoded) in files(&pictures["turned"]) {
        let most = if name.contains("jpeg") { 4 } else { 0 };
        let found = examine(&encoded, &upright()).unwrap();
        assert_close(&found.pixels, &image(&file["upright"]), most, name);
        let stored = examine(&encoded, &AS_STORED).unwrap();
        assert_close(&stored.pixels, &image(&file["stored"]), most, name);
        let is_turned = file["upright"] != file["stored"];
        assert_eq!(
            (found.traits.turned, stored.traits.turned),
            (is_turned, is_turned),
            "{name}"
        );
        for (how, pixels) in [(upright(), &found.pixels), (AS_STORED, &stored.pixels)] {
            let header = header(&encoded, &how).unwrap();
            let sides = (header.height, header.width);
            assert_eq!(sides, (pixels.height, pixels.width), "{name}");
        }
        turned += usize::from(is_turned);
    }
    assert_eq!(turned, 4 * 7 + 3);
}

#[test]
fn what_is_transparent_shows_the_background() {
    let pictures = pictures();
    for (name, file, encoded) in files(&pictures["transparent"]) {
        for (word, background) in [
            ("white", Background::White),
            ("black", Background::Black),
            ("none", Background::None),
        ] {
            let found = examine(&encoded, &over(background)).unwrap();
            assert_close(
                &found.pixels,
                &image(&file[word]),
                1,
                &format!("{name}, {word}"),
            );
            assert!(found.traits.transparent, "{name}");
        }
    }
}

#[test]
fn other_kinds_of_files_are_what_pillow_reads() {
    let pictures = pictures();
    for (name, file, encoded) in files(&pictures["plain"]) {
        let most = if name.contains("jpeg") { 6 } else { 0 };
        let found = examine(&encoded, &over(Background::White)).unwrap();
        assert_close(&found.pixels, &image(&file["rgb"]), most, name);
        assert_eq!(found.traits, Traits::default(), "{name}");
        let several = file["several"].as_bool().unwrap();
        assert_eq!(has_more_frames(&encoded), several, "{name}");
        // Behind that may be what the first image does not need.
        let needed = encoded.len() / if several { 6 } else { 2 };
        for length in (0..needed).step_by(5) {
            let cut = decode(&encoded[..length], &AS_STORED);
            assert!(cut.is_err(), "{name}, {length} of {} bytes", encoded.len());
            has_more_frames(&encoded[..length]);
        }
    }
    let deep = &pictures["deep"];
    let encoded = bytes(deep["hex"].as_str().unwrap());
    let found = examine(&encoded, &AS_STORED).unwrap();
    assert_close(&found.pixels, &image(&deep["rgb"]), 0, "deep");
    assert!(found.traits.deep && !found.traits.transparent);
}

#[test]
fn what_a_file_is_instead_is_said() {
    for (bytes, part) in [
        (&b"<!DOCTYPE html><html>"[..], "a web page"),
        (b"\n <html lang=en>", "a web page"),
        (b"\0\0\0\x18ftypheic\0\0", "HEIC"),
        (b"%PDF-1.7", "a PDF file"),
        (&[0; 40], "nothing but zeros"),
    ] {
        let error = decode(bytes, &AS_STORED).unwrap_err();
        assert!(error.contains(part), "{error}");
    }
}
