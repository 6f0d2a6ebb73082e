//! Files that lie, end early or are something else: an error that names the file, never a panic.

use std::fs;

use fireclay_data::{
    ImageData, ImageDataConfig, ImageFormat, ImagePreprocess, ImageSplit, OnDamaged, SplitConfig,
    TargetKind,
};
use proptest::prelude::*;

use crate::Files;
use crate::downloading::long_name;
use crate::images::{DIGITS, error, gzip, idx, path, picture, put, tar};

fn config(path: &str) -> ImageDataConfig {
    let split = SplitConfig {
        train: 1.0,
        valid: 0.0,
        test: 0.0,
        ..Default::default()
    };
    ImageDataConfig {
        split,
        ..ImageDataConfig::new(path)
    }
}

fn mnist(images: &[u8], labels: &[u8]) -> String {
    let files = Files::new();
    put(&files, "train-images-idx3-ubyte", images);
    put(&files, "train-labels-idx1-ubyte", labels);
    error(
        ImageFormat::Idx,
        &config(&path(&files, ".")),
        TargetKind::Class,
    )
}

#[test]
fn idx_headers_that_lie_are_refused() {
    let images = idx(0x803, &[3, 2, 2], &[7; 12]);
    let labels = idx(0x801, &[3], &[0, 1, 0]);
    for (images, labels, part) in [
        (
            idx(0x801, &[3], &[7; 3]),
            labels.clone(),
            "no IDX file of images",
        ),
        (images.clone(), images.clone(), "no IDX file of labels"),
        (b"\x00\x00\x08".to_vec(), labels.clone(), "cut short"),
        (
            images[..20].to_vec(),
            labels.clone(),
            "4 bytes... cut short",
        ),
        (
            idx(0x803, &[3, 2, 2], &[7; 13]),
            labels.clone(),
            "more data than the 12 bytes",
        ),
        (
            idx(0x803, &[u32::MAX, u32::MAX, u32::MAX], &[7; 12]),
            labels.clone(),
            "more than the 16 GiB",
        ),
        (
            idx(0x803, &[u32::MAX, 1000, 1000], &[7; 12]),
            labels.clone(),
            "more than the 16 GiB",
        ),
        (
            idx(0x803, &[3, 20_000, 20_000], &[7; 12]),
            labels.clone(),
            "20000 by 20000 pixels, more than max_pixels",
        ),
        // Before the images are unpacked, whose data is damaged here.
        (
            gzip(&images)[..26].to_vec(),
            idx(0x801, &[2], &[0, 1]),
            "2 labels for the 3 images",
        ),
        (
            images.clone(),
            idx(0x801, &[u32::MAX], &[0, 1]),
            "4294967295 labels for the 3 images",
        ),
        (
            idx(0x803, &[0, 2, 2], &[]),
            idx(0x801, &[0], &[]),
            "nothing to learn from",
        ),
        (
            images.clone(),
            idx(0x801, &[2], &[0, 1]),
            "2 labels for the 3 images",
        ),
        (gzip(&images)[..20].to_vec(), labels.clone(), "cut short"),
    ] {
        let message = mnist(&images, &labels);
        assert!(
            part.split("... ").all(|part| message.contains(part)),
            "{part:?} is not in {message:?}"
        );
        assert!(message.contains("-ubyte"), "{message}");
    }
    let mut flipped = gzip(&images);
    let middle = flipped.len() - 6;
    flipped[middle] ^= 0xff;
    assert!(mnist(&flipped, &labels).contains("damaged"));
}

#[test]
fn a_missing_half_of_an_idx_pair_is_named() {
    let files = Files::new();
    let message = error(
        ImageFormat::Idx,
        &config(&path(&files, ".")),
        TargetKind::Class,
    );
    assert!(message.contains("train-images-idx3-ubyte"), "{message}");
    put(
        &files,
        "train-images-idx3-ubyte",
        idx(0x803, &[1, 1, 1], &[0]),
    );
    let message = error(
        ImageFormat::Idx,
        &config(&path(&files, ".")),
        TargetKind::Class,
    );
    assert!(message.contains("train-labels-idx1-ubyte"), "{message}");
}

#[test]
fn cifar_files_that_lie_are_refused() {
    let files = Files::new();
    let message = || {
        error(
            ImageFormat::Cifar,
            &config(&path(&files, ".")),
            TargetKind::Class,
        )
    };
    assert!(message().contains("data_batch_1.bin"));
    put(&files, "data_batch_1.bin", vec![0; 3073 * 2 - 1]);
    assert!(message().contains("cut short"));
    let mut records = vec![0; 3073 * 2];
    records[3073] = 10;
    put(&files, "data_batch_1.bin", records);
    assert!(message().contains("record 2 has label 10, but there are 10 classes"));
    put(&files, "batches.meta.txt", "cat\ndog\n");
    assert!(message().contains("expected 10 different names"));
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
        let message = error(ImageFormat::Webdataset, &config(&shard), TargetKind::Class);
        assert!(
            message.contains(part) && message.contains("0.tar"),
            "{part:?} is not in {message:?}"
        );
    }
}

#[test]
fn an_image_of_another_size_is_found_among_many() {
    let files = Files::new();
    for i in 0..1500 {
        put(
            &files,
            &format!("p/{}/{i:04}.png", ["a", "b"][i % 2]),
            picture("a.png", 4, 1),
        );
    }
    let root = path(&files, "p");
    let load = |config: &ImageDataConfig| {
        ImageData::load(ImageFormat::ImageFolder, config, 7, TargetKind::Class)
    };
    load(&config(&root)).unwrap();
    // The image in the third place is not among a thousand that are evenly spaced.
    put(&files, "p/a/0004.png", picture("a.png", 5, 1));
    let message = load(&config(&root)).unwrap_err().to_string();
    assert!(
        message.contains("0004.png") && message.contains("set image_size"),
        "{message}"
    );
    // A header far from the start is found nevertheless.
    let plain = picture("a.jpg", 4, 1);
    let comment = [&[0xff, 0xfe, 0xff, 0xff][..], &[0; 0xfffd]].concat();
    let long = [&plain[..2], &comment, &comment, &plain[2..]].concat();
    put(&files, "p/a/0004.png", long);
    load(&config(&root)).unwrap();
    // Images that are not trained on have to fit as well.
    put(&files, "held-out/a/0.png", picture("a.png", 5, 1));
    let with_test = ImageDataConfig {
        test_path: Some(path(&files, "held-out")),
        ..config(&root)
    };
    let message = load(&with_test).unwrap_err().to_string();
    assert!(message.contains("differ in size"), "{message}");
}

#[test]
fn parquet_files_without_images_are_refused() {
    let files = Files::new();
    let whole = fs::read(DIGITS).unwrap();
    let cut = put(&files, "cut.parquet", &whole[..whole.len() / 2]);
    assert!(
        error(ImageFormat::ImageParquet, &config(&cut), TargetKind::Class).contains("cut.parquet")
    );
    let message = |change: &dyn Fn(&mut ImageDataConfig)| {
        let mut config = config(DIGITS);
        change(&mut config);
        error(ImageFormat::ImageParquet, &config, TargetKind::Class)
    };
    assert!(
        message(&|config| config.image_column = Some("picture".into()))
            .contains("no column \"picture\"")
    );
    assert!(
        message(&|config| config.target = Some("digit".into())).contains("no column \"digit\"")
    );
    assert!(message(&|config| config.image_column = Some("label".into())).contains("Int64"));
}

#[test]
fn a_damaged_image_is_named_or_skipped() {
    let files = Files::new();
    for (class, level) in [("a", 1), ("b", 2)] {
        for i in 0..5 {
            put(
                &files,
                &format!("p/{class}/{i}.png"),
                picture("a.png", 4, level),
            );
        }
    }
    let bad = put(&files, "p/a/3.png", "this is no image");
    let root = path(&files, "p");
    let message = error(ImageFormat::ImageFolder, &config(&root), TargetKind::Class);
    assert!(message.contains(&bad), "{message}");
    let skip = ImageDataConfig {
        on_damaged: OnDamaged::Skip,
        ..config(&root)
    };
    let data = ImageData::load(ImageFormat::ImageFolder, &skip, 7, TargetKind::Class).unwrap();
    assert_eq!(data.train.len(), 9);
    assert!(
        data.notes
            .iter()
            .any(|note| note.message.contains("1 damaged")),
        "{:?}",
        data.notes
    );
    put(&files, "p/a/2.png", "nor is this");
    let one = ImageDataConfig {
        max_damaged: Some(1),
        ..skip
    };
    assert!(
        error(ImageFormat::ImageFolder, &one, TargetKind::Class).contains("2 images are damaged")
    );
}

#[test]
fn images_to_evaluate_on_are_checked_and_not_split() {
    let files = Files::new();
    for i in 0..6 {
        put(&files, &format!("p/{i}.png"), picture("a.png", 4, i));
    }
    let rows = |range: std::ops::Range<u8>| -> String {
        range
            .map(|i| format!("p/{i}.png,{}", i % 2))
            .collect::<Vec<_>>()
            .join("\n")
    };
    let grouped: String = rows(0..6).lines().map(|row| format!("{row},g\n")).collect();
    let table = put(&files, "all.csv", format!("image,label,patient\n{grouped}"));
    let config = ImageDataConfig {
        split: SplitConfig {
            group: Some("patient".into()),
            ..config(&table).split
        },
        ..config(&table)
    };
    let data = ImageData::load(ImageFormat::ImageTable, &config, 7, TargetKind::Class).unwrap();
    // Without the column of groups.
    let others = put(
        &files,
        "others.csv",
        format!("image,label\n{}\n", rows(0..6)),
    );
    let load = |config: &ImageDataConfig| {
        ImageSplit::load(&others, ImageFormat::ImageTable, config, &data.preprocess)
    };
    let (split, notes) = load(&config).unwrap();
    assert_eq!((split.len(), notes.len()), (6, 0));

    put(&files, "p/2.png", "this is no image");
    let skip = ImageDataConfig {
        on_damaged: OnDamaged::Skip,
        ..config.clone()
    };
    let (split, notes) = load(&skip).unwrap();
    assert_eq!(split.len(), 5);
    assert!(notes[0].message.contains("1 damaged"), "{notes:?}");
    split.batch(0, &[0, 1, 2, 3, 4]).unwrap();
    put(&files, "p/3.png", "nor is this");
    let one = ImageDataConfig {
        max_damaged: Some(1),
        ..skip
    };
    let message = load(&one).unwrap_err().to_string();
    assert!(message.contains("2 images are damaged"), "{message}");
    let (split, _) = load(&config).unwrap();
    assert!(split.batch(0, &[2]).is_err(), "found where it is needed");
}

#[test]
fn a_configuration_that_cannot_be_meant_is_refused() {
    let files = Files::new();
    for (class, level) in [("a", 1), ("b", 2)] {
        put(
            &files,
            &format!("p/{class}/0.png"),
            picture("a.png", 4, level),
        );
    }
    let tiny = ImageDataConfig {
        crop_ratio: 1e-20,
        ..config(&path(&files, "p"))
    };
    let message = error(ImageFormat::ImageFolder, &tiny, TargetKind::Class);
    assert_eq!(
        message,
        "data.crop_ratio must be from 0.01 to 1, but is 0.00000000000000000001"
    );
    let small = ImageDataConfig {
        crop_ratio: 0.01,
        ..tiny
    };
    let data = ImageData::load(ImageFormat::ImageFolder, &small, 7, TargetKind::Class).unwrap();
    data.train.batch(0, &[0, 1]).unwrap();
    let edited = data.preprocess.to_json().replace("0.01", "1e-20");
    let message = ImagePreprocess::from_json(&edited).unwrap_err().to_string();
    assert!(message.contains("crop_ratio"), "{message}");
}

#[test]
fn a_header_of_a_giant_is_refused() {
    let files = Files::new();
    let mut giant = picture("a.png", 4, 1);
    giant[16..24].copy_from_slice(&[0, 0, 0xc3, 0x50, 0, 0, 0xc3, 0x50]);
    let crc = crc32(&giant[12..29]);
    giant[29..33].copy_from_slice(&crc.to_be_bytes());
    put(&files, "p/a/0.png", &giant);
    put(&files, "p/b/0.png", picture("a.png", 4, 1));
    let message = error(
        ImageFormat::ImageFolder,
        &config(&path(&files, "p")),
        TargetKind::Class,
    );
    assert!(
        message.contains("50000") && message.contains("max_pixels"),
        "{message}"
    );
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
        let _ = ImageData::load(ImageFormat::ImageParquet, &config(&flipped), 7, TargetKind::Class);
        bytes.truncate(cut);
        let short = put(&files, "b.parquet", &bytes);
        prop_assert!(ImageData::load(ImageFormat::ImageParquet, &config(&short), 7, TargetKind::Class).is_err());
    }

    #[test]
    fn damaged_shards_never_panic(at in 0usize..4096, flip in 1u8.., cut in 0usize..4096) {
        let picture = picture("a.png", 4, 1);
        let mut bytes = tar(&[("1.png", &picture), ("1.cls", b"0"), ("2.png", &picture), ("2.cls", b"1")]);
        let length = bytes.len();
        bytes[at % length] ^= flip;
        let files = Files::new();
        let shard = put(&files, "0.tar", &bytes[..length - cut % length]);
        let _ = ImageData::load(ImageFormat::Webdataset, &config(&shard), 7, TargetKind::Class);
    }
}
