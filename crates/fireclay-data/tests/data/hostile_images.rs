//! Files that lie, end early or are something else: an error that names the file, never a panic.

use std::fs;

use fireclay_data::ImageFormat::{Cifar, Idx, ImageFolder, ImageParquet, ImageTable, Webdataset};
use fireclay_data::{
    ImageData, ImageDataConfig, ImagePreprocess, ImageSplit, OnDamaged, TargetKind,
};
use proptest::prelude::*;

use crate::downloading::long_name;
use crate::images::{DIGITS, draw, gzip, idx, path, picture, put, refuses, tar};
use crate::{Files, all_train, csv, messages, refused, with};

fn config(path: &str) -> ImageDataConfig {
    let split = all_train();
    with(ImageDataConfig::new(path), |config| config.split = split)
}

/// Fails unless this pair of files is refused.
#[track_caller]
fn refuses_mnist(images: &[u8], labels: &[u8], parts: &[&str]) {
    let files = Files::new();
    put(&files, "train-images-idx3-ubyte", images);
    put(&files, "train-labels-idx1-ubyte", labels);
    refuses(Idx, &config(&path(&files, ".")), parts);
}

#[test]
fn idx_headers_that_lie_are_refused() {
    let images = idx(0x803, &[3, 2, 2], &[7; 12]);
    let labels = idx(0x801, &[3], &[0, 1, 0]);
    let none = [0; 0];
    let lies = |header: [u32; 3], data: &[u8]| idx(0x803, &header, data);
    let cut = |bytes: &[u8], end: usize| bytes[..end].to_vec();
    for (images, part) in [
        (idx(0x801, &[3], &[7; 3]), "no IDX file of images"),
        (b"\x00\x00\x08".to_vec(), "cut short"),
        (cut(&images, 20), "4 bytes"),
        (cut(&images, 20), "cut short"),
        (cut(&gzip(&images), 20), "cut short"),
        (lies([3, 2, 2], &[7; 13]), "more data than the 12 bytes"),
        (lies([u32::MAX; 3], &[7; 12]), "more than the 16 GiB"),
        (
            lies([u32::MAX, 1000, 1000], &[7; 12]),
            "more than the 16 GiB",
        ),
        (
            lies([3, 20_000, 20_000], &[7; 12]),
            "20000 by 20000 pixels, more than max_pixels",
        ),
    ] {
        refuses_mnist(&images, &labels, &[part, "-ubyte"]);
    }
    for (images, labels, part) in [
        (&images, images.clone(), "no IDX file of labels"),
        (
            &images,
            idx(0x801, &[2], &[0, 1]),
            "2 labels for the 3 images",
        ),
        // Before the images are unpacked, whose data is damaged here.
        (
            &cut(&gzip(&images), 26),
            idx(0x801, &[2], &[0, 1]),
            "2 labels for the 3 images",
        ),
        (
            &images,
            idx(0x801, &[u32::MAX], &[0, 1]),
            "4294967295 labels for the 3 images",
        ),
        (
            &lies([0, 2, 2], &none),
            idx(0x801, &[0], &none),
            "nothing to learn from",
        ),
    ] {
        refuses_mnist(images, &labels, &[part, "-ubyte"]);
    }
    let mut flipped = gzip(&images);
    let middle = flipped.len() - 6;
    flipped[middle] ^= 0xff;
    refuses_mnist(&flipped, &labels, &["damaged"]);
}

#[test]
fn a_missing_half_of_an_idx_pair_is_named() {
    let files = Files::new();
    let config = config(&path(&files, "."));
    refuses(Idx, &config, &["train-images-idx3-ubyte"]);
    let images = idx(0x803, &[1, 1, 1], &[0]);
    put(&files, "train-images-idx3-ubyte", images);
    refuses(Idx, &config, &["train-labels-idx1-ubyte"]);
}

#[test]
fn cifar_files_that_lie_are_refused() {
    let files = Files::new();
    let config = config(&path(&files, "."));
    let refuses = |part: &str| refuses(Cifar, &config, &[part]);
    refuses("data_batch_1.bin");
    put(&files, "data_batch_1.bin", vec![0; 3073 * 2 - 1]);
    refuses("cut short");
    let mut records = vec![0; 3073 * 2];
    records[3073] = 10;
    put(&files, "data_batch_1.bin", records);
    refuses("record 2 has label 10, but there are 10 classes");
    put(&files, "batches.meta.txt", "cat\ndog\n");
    refuses("expected 10 different names");
}

#[test]
fn shards_that_lie_are_refused() {
    let picture = picture("a.png", 4, 1);
    let whole = tar(&[
        ("1.png", &picture),
        ("1.cls", b"0"),
        ("2.png", &picture),
        ("2.cls", b"1"),
    ]);
    for (bytes, part) in [
        (whole[..700].to_vec(), "cut short"),
        (whole[..2048].to_vec(), "cut short"),
        (gzip(&whole), "compressed ones"),
        (b"no archive at all".to_vec(), ""),
        (tar(&[("1.png", &picture)]), "has no 1.cls"),
        (tar(&[("1.cls", b"0")]), "has no image"),
        (
            tar(&[("1.png", &picture), ("1.jpg", &picture), ("1.cls", b"0")]),
            "two images",
        ),
        (tar(&[("1.png", &picture), ("1.cls", b"\xff\xfe")]), "UTF-8"),
        (tar(&[("1.png", &picture), ("1.cls", b" ")]), "is empty"),
        (tar(&[("readme", b"x")]), "holds no samples"),
        (Vec::new(), "is empty"),
        (long_name(2 << 20), "headers of a member are too long"),
    ] {
        let files = Files::new();
        let shard = put(&files, "0.tar", bytes);
        refuses(Webdataset, &config(&shard), &[part, "0.tar"]);
    }
}

#[test]
fn an_image_of_another_size_is_found_among_many() {
    let files = Files::new();
    for i in 0..1500 {
        let name = format!("p/{}/{i:04}.png", ["a", "b"][i % 2]);
        draw(&files, &name, 1);
    }
    let root = path(&files, "p");
    let load =
        |config: &ImageDataConfig| ImageData::load(ImageFolder, config, 7, TargetKind::Class);
    load(&config(&root)).unwrap();
    // The third image is not among a thousand that are evenly spaced.
    put(&files, "p/a/0004.png", picture("a.png", 5, 1));
    refused(load(&config(&root)), &["0004.png", "set image_size"]);
    // A header far from the start is found nevertheless.
    let plain = picture("a.jpg", 4, 1);
    let comment = [&[0xff, 0xfe, 0xff, 0xff][..], &[0; 0xfffd]].concat();
    let long = [&plain[..2], &comment, &comment, &plain[2..]].concat();
    put(&files, "p/a/0004.png", long);
    load(&config(&root)).unwrap();
    // Images that are not trained on have to fit as well.
    put(&files, "held-out/a/0.png", picture("a.png", 5, 1));
    let with_test = with(config(&root), |config| {
        config.test_path = Some(path(&files, "held-out"))
    });
    refused(load(&with_test), &["differ in size"]);
}

#[test]
fn parquet_files_without_images_are_refused() {
    let files = Files::new();
    let whole = fs::read(DIGITS).unwrap();
    let cut = put(&files, "cut.parquet", &whole[..whole.len() / 2]);
    refuses(ImageParquet, &config(&cut), &["cut.parquet"]);
    let refuses = |change: fn(&mut ImageDataConfig), part: &str| {
        refuses(ImageParquet, &with(config(DIGITS), change), &[part]);
    };
    let picture = |config: &mut ImageDataConfig| config.image_column = Some("picture".into());
    refuses(picture, "no column \"picture\"");
    refuses(
        |config| config.target = Some("digit".into()),
        "no column \"digit\"",
    );
    refuses(|config| config.image_column = Some("label".into()), "Int64");
}

#[test]
fn a_damaged_image_is_named_or_skipped() {
    let files = Files::new();
    for (class, level) in [("a", 1), ("b", 2)] {
        for i in 0..5 {
            let name = format!("p/{class}/{i}.png");
            draw(&files, &name, level);
        }
    }
    let bad = put(&files, "p/a/3.png", "this is no image");
    let root = path(&files, "p");
    refuses(ImageFolder, &config(&root), &[&bad]);
    let skip = with(config(&root), |config| config.on_damaged = OnDamaged::Skip);
    let data = ImageData::load(ImageFolder, &skip, 7, TargetKind::Class).unwrap();
    assert_eq!(data.train.len(), 9);
    let notes = messages(&data.notes);
    assert!(notes.contains("1 damaged"), "{notes}");
    put(&files, "p/a/2.png", "nor is this");
    let one = with(skip, |config| config.max_damaged = Some(1));
    refuses(ImageFolder, &one, &["2 images are damaged"]);
}

#[test]
fn images_to_evaluate_on_are_checked_and_not_split() {
    let files = Files::new();
    for i in 0..6 {
        draw(&files, &format!("p/{i}.png"), i);
    }
    let row = |i| format!("p/{i}.png,{}", i % 2);
    let grouped = csv("image,label,patient", 6, |i| row(i) + ",g");
    let table = put(&files, "all.csv", grouped);
    let patients = Some("patient".into());
    let config = with(config(&table), |config| config.split.group = patients);
    let data = ImageData::load(ImageTable, &config, 7, TargetKind::Class).unwrap();
    // Without the column of groups.
    let others = put(&files, "others.csv", csv("image,label", 6, row));
    let load =
        |config: &ImageDataConfig| ImageSplit::load(&others, ImageTable, config, &data.preprocess);
    let (split, notes) = load(&config).unwrap();
    assert_eq!((split.len(), notes.len()), (6, 0));

    put(&files, "p/2.png", "this is no image");
    let skip = with(config.clone(), |config| config.on_damaged = OnDamaged::Skip);
    let (split, notes) = load(&skip).unwrap();
    assert_eq!(split.len(), 5);
    assert!(notes[0].message.contains("1 damaged"), "{notes:?}");
    split.batch(0, &[0, 1, 2, 3, 4]).unwrap();
    put(&files, "p/3.png", "nor is this");
    let one = with(skip, |config| config.max_damaged = Some(1));
    refused(load(&one), &["2 images are damaged"]);
    let (split, _) = load(&config).unwrap();
    assert!(split.batch(0, &[2]).is_err(), "found where it is needed");
}

#[test]
fn a_configuration_that_cannot_be_meant_is_refused() {
    let files = Files::new();
    for (class, level) in [("a", 1), ("b", 2)] {
        let name = format!("p/{class}/0.png");
        draw(&files, &name, level);
    }
    let root = path(&files, "p");
    let tiny = with(config(&root), |config| config.crop_ratio = 1e-20);
    let message = "data.crop_ratio must be from 0.01 to 1, but is 0.00000000000000000001";
    refuses(ImageFolder, &tiny, &[message]);
    let small = with(tiny, |config| config.crop_ratio = 0.01);
    let data = ImageData::load(ImageFolder, &small, 7, TargetKind::Class).unwrap();
    data.train.batch(0, &[0, 1]).unwrap();
    let edited = data.preprocess.to_json().replace("0.01", "1e-20");
    refused(ImagePreprocess::from_json(&edited), &["crop_ratio"]);
}

#[test]
fn a_header_of_a_giant_is_refused() {
    let files = Files::new();
    let mut giant = picture("a.png", 4, 1);
    giant[16..24].copy_from_slice(&[0, 0, 0xc3, 0x50, 0, 0, 0xc3, 0x50]);
    let crc = crc32(&giant[12..29]);
    giant[29..33].copy_from_slice(&crc.to_be_bytes());
    put(&files, "p/a/0.png", &giant);
    draw(&files, "p/b/0.png", 1);
    let config = config(&path(&files, "p"));
    refuses(ImageFolder, &config, &["50000", "max_pixels"]);
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn damaged_bytes_never_panic(at in 0usize..125_000, flip in 1u8.., cut in 0usize..125_000) {
        let files = Files::new();
        let mut bytes = fs::read(DIGITS).unwrap();
        bytes[at] ^= flip;
        let flipped = put(&files, "a.parquet", &bytes);
        let _ = ImageData::load(ImageParquet, &config(&flipped), 7, TargetKind::Class);
        bytes.truncate(cut);
        let short = put(&files, "b.parquet", &bytes);
        prop_assert!(ImageData::load(ImageParquet, &config(&short), 7, TargetKind::Class).is_err());
    }

    #[test]
    fn damaged_shards_never_panic(at in 0usize..4096, flip in 1u8.., cut in 0usize..4096) {
        let picture = picture("a.png", 4, 1);
        let mut bytes = tar(&[("1.png", &picture), ("1.cls", b"0"), ("2.png", &picture), ("2.cls", b"1")]);
        let length = bytes.len();
        bytes[at % length] ^= flip;
        let files = Files::new();
        let shard = put(&files, "0.tar", &bytes[..length - cut % length]);
        let _ = ImageData::load(Webdataset, &config(&shard), 7, TargetKind::Class);
    }
}
