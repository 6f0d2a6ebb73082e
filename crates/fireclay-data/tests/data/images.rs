//! Every image format read as its makers write it.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;

use fireclay_data::ImageFormat::{
    self, Cifar, Idx, ImageFolder, ImageParquet, ImageTable, Webdataset,
};
use fireclay_data::{
    Channels, DataError, ImageData, ImageDataConfig, ImageSize, ImageSplit, LabelLevel, Labels,
    SplitConfig, Statistic, StatisticWord, TargetKind, image_files,
};
use image::{GrayImage, ImageFormat as Encoding, Luma};
use proptest::prelude::*;

use crate::{Files, all_train, csv, fractions, messages, refused, with};

pub const DIGITS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../datasets/digits/data.parquet"
);

/// A gray image of one level, encoded by its extension.
pub fn picture(name: &str, side: u32, level: u8) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let format = Encoding::from_path(name.to_lowercase()).unwrap();
    let picture = GrayImage::from_pixel(side, side, Luma([level]));
    if format == Encoding::WebP || format == Encoding::Gif {
        image::DynamicImage::ImageLuma8(picture)
            .to_rgba8()
            .write_to(&mut bytes, format)
            .unwrap();
    } else {
        picture.write_to(&mut bytes, format).unwrap();
    }
    bytes.into_inner()
}

pub fn put(files: &Files, name: &str, content: impl AsRef<[u8]>) -> String {
    fs::create_dir_all(files.path(name).parent().unwrap()).unwrap();
    files.write(name, content)
}

pub fn path(files: &Files, name: &str) -> String {
    files.path(name).to_str().unwrap().to_owned()
}

/// A small gray image of one level.
pub fn draw(files: &Files, name: &str, level: u8) -> String {
    put(files, name, picture("a.png", 4, level))
}

/// `n` pictures for each class, named `class/i.png`, of level `10 * class + i`.
fn folder(files: &Files, root: &str, classes: &[&str], n: usize) -> String {
    for (position, class) in classes.iter().enumerate() {
        for i in 0..n {
            let level = (10 * position + i) as u8;
            draw(files, &format!("{root}/{class}/{i}.png"), level);
        }
    }
    path(files, root)
}

/// Pixels as stored, without normalising.
fn plain(path: &str) -> ImageDataConfig {
    ImageDataConfig {
        mean: Statistic::Word(StatisticWord::None),
        std: Statistic::Word(StatisticWord::None),
        ..ImageDataConfig::new(path)
    }
}

/// All of them train.
fn whole(path: &str) -> ImageDataConfig {
    with(plain(path), |config| config.split = all_train())
}

pub fn load(format: ImageFormat, config: &ImageDataConfig) -> ImageData {
    ImageData::load(format, config, 7, TargetKind::Class).unwrap()
}

/// Fails unless classes cannot be learned from these images, for a reason that has all `parts`.
#[track_caller]
pub fn refuses(format: ImageFormat, config: &ImageDataConfig, parts: &[&str]) {
    refused(ImageData::load(format, config, 7, TargetKind::Class), parts);
}

pub fn classes(split: &ImageSplit) -> Vec<u32> {
    match split.labels() {
        Labels::Classes(classes) => classes.clone(),
        other => panic!("{other:?}"),
    }
}

/// The level of the first pixel of each image, from 0 to 255.
pub fn levels(split: &ImageSplit) -> Vec<u8> {
    let indices: Vec<u32> = (0..split.len() as u32).collect();
    let batch = split.without_augmentation().batch(0, &indices).unwrap();
    let size = batch.dims[1] * batch.dims[2] * batch.dims[3];
    batch
        .pixels
        .chunks(size)
        .map(|image| (image[0] * 255.0).round() as u8)
        .collect()
}

fn names(split: &ImageSplit) -> Vec<String> {
    (0..split.len()).map(|index| split.name(index)).collect()
}

#[test]
fn the_digits_that_ship_are_1797_images_of_ten_classes() {
    let config = ImageDataConfig::new(DIGITS);
    let config = with(config, |config| config.split.stratify = true);
    let data = load(ImageParquet, &config);
    let counts = data.named().map(|(_, split)| split.len());
    assert_eq!(counts.iter().sum::<usize>(), 1797);
    let names: Vec<String> = (0..10).map(|digit| digit.to_string()).collect();
    assert_eq!(data.preprocess.classes(), names);
    assert_eq!(
        (data.preprocess.size(), data.preprocess.channels()),
        ((8, 8), 1)
    );
    let batch = data.train.batch(0, &[0, 1]).unwrap();
    assert_eq!(batch.dims, [2, 1, 8, 8]);
    // scikit-learn gives a mean of 4.884 and a deviation of 6.017 for all images, on a scale of 16.
    assert!((data.preprocess.mean()[0] - 4.884 / 16.0).abs() < 0.005);
    assert!((data.preprocess.std()[0] - 6.017 / 16.0).abs() < 0.005);
    let json = data.preprocess.to_json();
    assert_eq!(
        fireclay_data::ImagePreprocess::from_json(&json).unwrap(),
        data.preprocess
    );
}

#[test]
fn the_first_digits_are_those_of_the_source() {
    let data = load(ImageParquet, &whole(DIGITS));
    assert_eq!(
        classes(&data.train)[..12],
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]
    );
    let batch = data.train.batch(0, &[0]).unwrap();
    let levels = |row: usize| -> Vec<u8> {
        batch.pixels[8 * row..8 * row + 8]
            .iter()
            .map(|level| (level * 16.0).round() as u8)
            .collect()
    };
    assert_eq!(levels(0), [0, 0, 5, 13, 9, 1, 0, 0]);
    assert_eq!(levels(1), [0, 0, 13, 15, 10, 15, 5, 0]);
}

#[test]
fn a_folder_names_the_classes() {
    let files = Files::new();
    let root = folder(&files, "pets", &["cat", "dog"], 3);
    for name in [
        "cat/LOUD.PNG",
        "cat/b.jpg",
        "cat/deep/c.JPEG",
        "dog/d.webp",
        "dog/e.bmp",
        "dog/f.gif",
    ] {
        put(&files, &format!("pets/{name}"), picture(name, 4, 200));
    }
    put(&files, "pets/cat/notes.txt", "not an image");
    put(&files, "pets/.hidden/a.png", "never looked at");
    fs::create_dir(files.path("pets/emu")).unwrap();
    let config = ImageDataConfig {
        split: all_train(),
        channels: Some(Channels::Gray),
        ..plain(&root)
    };
    let data = load(ImageFolder, &config);
    assert_eq!(data.preprocess.classes(), ["cat", "dog"]);
    assert_eq!(classes(&data.train), [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1]);
    assert_eq!(levels(&data.train)[..3], [0, 1, 2]);
    assert!(names(&data.train).is_sorted());
    let notes = messages(&data.notes);
    assert!(
        notes.contains("1 file ") && notes.contains("notes.txt") && notes.contains("\"emu\""),
        "{notes}"
    );
}

#[test]
fn a_folder_for_each_split_is_kept() {
    let files = Files::new();
    let root = folder(&files, "data/train", &["a", "b"], 4).replace("/train", "");
    folder(&files, "data/val", &["a", "b"], 2);
    folder(&files, "data/test", &["b"], 3);
    let data = load(ImageFolder, &plain(&root));
    assert_eq!(data.named().map(|(_, split)| split.len()), [8, 4, 3]);
    assert_eq!(classes(&data.test), [1, 1, 1]);
    let hashes = data.hashes().unwrap();
    assert_eq!(hashes.len(), 3);
    assert_eq!(load(ImageFolder, &plain(&root)).hashes().unwrap(), hashes);
    draw(&files, "data/test/b/0.png", 99);
    let changed = load(ImageFolder, &plain(&root)).hashes().unwrap();
    let differs = |file: &&String| changed[*file] != hashes[*file];
    assert_eq!(hashes.keys().filter(differs).count(), 1);

    folder(&files, "data/test", &["c"], 1);
    let parts = ["class \"c\" is in the test split", "0.png"];
    refuses(ImageFolder, &plain(&root), &parts);
    let config = with(plain(&root), |config| config.test_path = Some(root.clone()));
    refuses(ImageFolder, &config, &["test_path contradicts"]);
}

#[test]
fn folders_named_train_among_others_are_classes() {
    let files = Files::new();
    let root = folder(&files, "vehicles", &["car", "train"], 4);
    let data = load(ImageFolder, &whole(&root));
    assert_eq!(data.preprocess.classes(), ["car", "train"]);
}

#[test]
fn splits_keep_no_company() {
    let files = Files::new();
    folder(&files, "data/train", &["a", "b"], 4);
    folder(&files, "data/test", &["a", "b"], 2);
    draw(&files, "data/__MACOSX/train/a/0.png", 1);
    put(&files, "data/docs/readme.txt", "nothing to see");
    draw(&files, "data/train/__MACOSX/0.png", 1);
    let root = path(&files, "data");
    let data = load(ImageFolder, &plain(&root));
    assert_eq!(data.preprocess.classes(), ["a", "b"]);
    assert_eq!(
        (data.train.len() + data.valid.len(), data.test.len()),
        (8, 4)
    );
    let notes = messages(&data.notes);
    assert!(notes.contains("docs is no split"), "{notes}");
    assert!(!notes.contains("__MACOSX"), "{notes}");
    draw(&files, "data/extra/deep/0.png", 1);
    let extra = path(&files, "data/extra");
    refuses(ImageFolder, &plain(&root), &[&extra, "neither train"]);
}

#[test]
fn several_tables_in_one_folder_have_all_their_images_hashed() {
    let files = Files::new();
    folder(&files, ".", &["p"], 6);
    let table = |name: &str, first: usize| {
        let row = |i| format!("p/{}.png,{}", first + i, ["no", "yes"][i % 2]);
        put(&files, name, csv("image,label", 2, row))
    };
    let config = ImageDataConfig {
        valid_path: Some(table("valid.csv", 2)),
        test_path: Some(table("test.csv", 4)),
        ..plain(&table("train.csv", 0))
    };
    let hashes = || load(ImageTable, &config).hashes().unwrap();
    let before = hashes();
    assert_eq!(before.len(), 4, "three tables and a folder");
    for i in 0..6 {
        draw(&files, &format!("p/{i}.png"), 90 + i);
        assert_ne!(hashes(), before, "image {i}");
        draw(&files, &format!("p/{i}.png"), i);
        assert_eq!(hashes(), before);
    }
}

#[test]
fn a_stable_split_does_not_depend_on_how_the_path_is_written() {
    let files = Files::new();
    let root = folder(&files, "flat", &["a", "b"], 40);
    let train = |root: &str| -> Vec<String> {
        let config = with(plain(root), |config| config.split.stable = true);
        let data = load(ImageFolder, &config);
        let names = names(&data.train);
        assert!(names.iter().all(|name| name.starts_with(root)));
        names
            .iter()
            .map(|name| name[root.len()..].trim_matches('/').to_owned())
            .collect()
    };
    let expected = train(&root);
    // From here up to the root and down again: another way to write the same folder.
    let here = std::env::current_dir().unwrap();
    let up = "../".repeat(here.components().count() - 1);
    let relative = format!("{up}{}", root.trim_start_matches('/'));
    for other in [&relative, &format!("./{relative}"), &format!("{root}/")] {
        assert_eq!(train(other), expected, "{other}");
    }
    fs::rename(files.path("flat"), files.path("moved")).unwrap();
    assert_eq!(train(&path(&files, "moved")), expected);
}

#[test]
fn a_test_split_is_not_taken_from_data_that_comes_with_validation() {
    let files = Files::new();
    folder(&files, "data/train", &["a", "b"], 10);
    folder(&files, "data/val", &["a", "b"], 2);
    let root = path(&files, "data");
    let counts = |split: SplitConfig| {
        let config = with(plain(&root), |config| config.split = split);
        let data = load(ImageFolder, &config);
        let counts = data.named().map(|(_, split)| split.len());
        (
            counts,
            messages(&data.notes).contains("the test split is empty"),
        )
    };
    assert_eq!(counts(SplitConfig::default()), ([20, 4, 0], true));
    let asked = fractions(0.8, 0.0, 0.2);
    assert_eq!(counts(asked), ([16, 4, 4], false));
    // Validation is taken from the training images where the data has a test only.
    fs::rename(files.path("data/val"), files.path("data/test")).unwrap();
    assert_eq!(counts(SplitConfig::default()), ([16, 4, 4], false));
}

#[test]
fn separate_paths_leave_the_rest_to_the_split() {
    let files = Files::new();
    let root = folder(&files, "a", &["x", "y"], 10);
    let test = folder(&files, "b", &["y", "x"], 3);
    let config = with(plain(&root), |config| config.test_path = Some(test));
    let data = load(ImageFolder, &config);
    assert_eq!(data.test.len(), 6);
    assert_eq!(data.train.len() + data.valid.len(), 20);
    assert!(names(&data.test).iter().all(|name| name.contains("/b/")));
}

#[cfg(unix)]
#[test]
fn links_in_a_circle_are_not_followed() {
    let files = Files::new();
    let root = folder(&files, "pets", &["cat", "dog"], 2);
    std::os::unix::fs::symlink(files.path("pets/cat"), files.path("pets/cat/again")).unwrap();
    let data = load(ImageFolder, &whole(&root));
    assert_eq!(data.train.len(), 4);
    assert!(messages(&data.notes).contains("not followed"));
}

#[test]
fn a_folder_that_cannot_be_learned_from_says_why() {
    let files = Files::new();
    let refuses = |path: &str, parts: &[&str]| refuses(ImageFolder, &whole(path), parts);
    let root = folder(&files, "one", &["only"], 9);
    refuses(&root, &["every training image is of class \"only\""]);
    fs::create_dir(files.path("none")).unwrap();
    refuses(&path(&files, "none"), &["has no images"]);
    refuses(&path(&files, "absent"), &["absent"]);
    let root = folder(&files, "sizes", &["a", "b"], 9);
    put(&files, "sizes/b/0.png", picture("a.png", 5, 0));
    refuses(&root, &["differ in size", "set image_size"]);
    let size = Some(ImageSize::Sides([6, 3]));
    let config = with(whole(&root), |config| config.image_size = size);
    let train = load(ImageFolder, &config).train;
    assert_eq!(train.batch(0, &[0]).unwrap().dims, [1, 1, 6, 3]);
    let numbers = ImageData::load(ImageFolder, &plain(&root), 7, TargetKind::Number);
    refused(numbers, &["image_table"]);
}

#[test]
fn a_table_names_images_and_classes() {
    let files = Files::new();
    folder(&files, "pictures", &["p"], 6);
    let row = |i| format!("p/{i}.png,{},g{}", ["no", "yes"][i % 2], i / 2);
    let rows = csv("image,label,patient", 6, row);
    let table = put(&files, "tables/list.csv", rows);
    let root = Some(path(&files, "pictures"));
    let config = with(whole(&table), |config| config.root = root);
    let data = load(ImageTable, &config);
    assert_eq!(data.preprocess.classes(), ["no", "yes"]);
    assert_eq!(classes(&data.train), [0, 1, 0, 1, 0, 1]);
    assert_eq!(levels(&data.train), [0, 1, 2, 3, 4, 5]);
    assert_eq!(data.hashes().unwrap().len(), 2);

    let patients = Some("patient".into());
    let split = with(fractions(0.4, 0.3, 0.3), |split| split.group = patients);
    let parted = with(config.clone(), |config| config.split = split);
    let data = load(ImageTable, &parted);
    for (_, split) in data.named() {
        let levels = levels(split);
        assert_eq!(levels.len(), 2);
        assert_eq!(levels[0] / 2, levels[1] / 2, "a patient is in two splits");
    }

    fs::remove_file(files.path("pictures/p/4.png")).unwrap();
    let missing = path(&files, "pictures/p/4.png");
    refuses(ImageTable, &config, &["row 5", &missing]);
    let config = with(config, |config| config.image_column = Some("file".into()));
    refuses(ImageTable, &config, &["no column \"file\"", "\"patient\""]);
}

#[test]
fn a_table_gives_several_labels_or_a_number() {
    let files = Files::new();
    folder(&files, ".", &["p"], 4);
    let table = put(
        &files,
        "list.csv",
        "image,tags,red,blue,size\n\
        p/0.png,red; blue,1,1,1.5\np/1.png,blue,0,1,2.5\np/2.png,,0,0,3.5\np/3.png,red;red,1,0,4.5\n",
    );
    let base = whole(&table);
    let load = |config: &ImageDataConfig, target| ImageData::load(ImageTable, config, 7, target);
    let target = |name: &str| with(base.clone(), |config| config.target = Some(name.into()));
    let targets = |names: &[&str]| {
        let names = names.iter().map(ToString::to_string).collect();
        with(base.clone(), |config| config.targets = names)
    };
    let separator = Some(";".to_owned());
    let tagged = with(target("tags"), |config| config.label_separator = separator);
    let data = load(&tagged, TargetKind::Set).unwrap();
    assert_eq!(data.preprocess.classes(), ["blue", "red"]);
    let sets = Labels::Sets(vec![vec![0, 1], vec![0], vec![], vec![1]]);
    assert_eq!(*data.train.labels(), sets);
    assert_eq!(data.preprocess.target_kind(), TargetKind::Set);
    let data = load(&targets(&["red", "blue"]), TargetKind::Set).unwrap();
    assert_eq!(data.preprocess.classes(), ["red", "blue"]);
    let sets = Labels::Sets(vec![vec![0, 1], vec![1], vec![], vec![0]]);
    assert_eq!(*data.train.labels(), sets);
    let batch = data.train.batch(0, &[3, 1]).unwrap();
    assert_eq!(batch.labels, Labels::Sets(vec![vec![0], vec![1]]));
    let data = load(&target("size"), TargetKind::Number).unwrap();
    let numbers = Labels::Numbers(vec![1.5, 2.5, 3.5, 4.5]);
    assert_eq!(*data.train.labels(), numbers);
    let (mean, std) = data.preprocess.target_mean_std().unwrap();
    assert!((mean - 3.0).abs() < 1e-12 && (std - 1.25f64.sqrt()).abs() < 1e-12);

    let flags = load(&targets(&["size"]), TargetKind::Set);
    refused(flags, &["\"1.5\" is neither"]);
    let tags = load(&target("tags"), TargetKind::Set);
    refused(tags, &["set label_separator"]);
    refuses(ImageTable, &tagged, &["label_separator is for multi-label"]);
}

/// An IDX file of bytes.
pub fn idx(magic: u32, sizes: &[u32], data: &[u8]) -> Vec<u8> {
    let mut bytes = magic.to_be_bytes().to_vec();
    sizes
        .iter()
        .for_each(|size| bytes.extend(size.to_be_bytes()));
    bytes.extend(data);
    bytes
}

pub fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn idx_files_are_read_compressed_or_not() {
    let images: Vec<u8> = (0..10 * 6).collect();
    let labels: Vec<u8> = (0..10).map(|i| i % 2 + 1).collect();
    for (dash, zipped) in [("-", false), (".", false), ("-", true)] {
        let files = Files::new();
        let write = |name: &str, bytes: Vec<u8>| {
            let end = if zipped { ".gz" } else { "" };
            let bytes = if zipped { gzip(&bytes) } else { bytes };
            let name = name.replace("-idx", &format!("{dash}idx"));
            put(&files, &format!("mnist/{name}{end}"), bytes);
        };
        write("train-images-idx3-ubyte", idx(0x803, &[10, 2, 3], &images));
        write("train-labels-idx1-ubyte", idx(0x801, &[10], &labels));
        let test = idx(0x803, &[2, 2, 3], &images[..12]);
        write("t10k-images-idx3-ubyte", test);
        write("t10k-labels-idx1-ubyte", idx(0x801, &[2], &labels[..2]));
        let split = fractions(0.7, 0.3, 0.0);
        let config = with(plain(&path(&files, "mnist")), |config| config.split = split);
        let data = load(Idx, &config);
        assert_eq!(data.named().map(|(_, split)| split.len()), [7, 3, 2]);
        assert_eq!(
            (data.preprocess.size(), data.preprocess.channels()),
            ((2, 3), 1)
        );
        assert_eq!(data.preprocess.classes(), ["1", "2"]);
        assert_eq!(classes(&data.test), [0, 1]);
        assert_eq!(levels(&data.test), [0, 6]);
        assert_eq!(data.hashes().unwrap().len(), 4);
        let turned = load(Idx, &with(config, |config| config.transpose = true));
        assert_eq!(turned.preprocess.size(), (3, 2));
        let pixels = turned.test.batch(0, &[0]).unwrap().pixels;
        assert_eq!(
            pixels
                .iter()
                .map(|level| (level * 255.0).round() as u8)
                .collect::<Vec<_>>(),
            [0, 3, 1, 4, 2, 5]
        );
    }
}

fn cifar_record(labels: &[u8], level: u8) -> Vec<u8> {
    let planes = [level, level + 1, level + 2].map(|level| vec![level; 1024]);
    labels.iter().copied().chain(planes.concat()).collect()
}

#[test]
fn cifar_records_are_read() {
    let files = Files::new();
    for batch in 1..=2u8 {
        let records: Vec<u8> = (0..10)
            .flat_map(|label| cifar_record(&[label], 10 * batch + label))
            .collect();
        put(&files, &format!("c10/data_batch_{batch}.bin"), records);
    }
    put(&files, "c10/test_batch.bin", cifar_record(&[3], 100));
    let names: String = (0..10).map(|class| format!("class{class}\n")).collect();
    put(&files, "c10/batches.meta.txt", names + "\n");
    let split = fractions(0.9, 0.1, 0.0);
    let config = with(plain(&path(&files, "c10")), |config| config.split = split);
    let data = load(Cifar, &config);
    assert_eq!(data.named().map(|(_, split)| split.len()), [18, 2, 1]);
    assert_eq!(data.preprocess.classes()[3], "class3");
    let batch = data.test.batch(0, &[0]).unwrap();
    assert_eq!(batch.dims, [1, 3, 32, 32]);
    let level = |channel: usize| (batch.pixels[channel * 1024 + 17] * 255.0).round();
    assert_eq!([level(0), level(1), level(2)], [100.0, 101.0, 102.0]);
    assert!(data.test.name(0).ends_with("test_batch.bin#0"));

    let records: Vec<u8> = (0..100)
        .flat_map(|label| cifar_record(&[label / 5, label], label))
        .collect();
    put(&files, "c100/train.bin", &records);
    put(&files, "c100/test.bin", &records);
    let fine = ImageDataConfig {
        path: path(&files, "c100"),
        split: all_train(),
        ..config
    };
    let data = load(Cifar, &fine);
    assert_eq!(classes(&data.test), (0..100).collect::<Vec<_>>());
    let coarse = with(fine, |config| config.labels = Some(LabelLevel::Coarse));
    let data = load(Cifar, &coarse);
    assert_eq!(
        (data.preprocess.classes().len(), classes(&data.train)[99]),
        (20, 19)
    );
}

pub fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = ::tar::Builder::new(Vec::new());
    for (name, content) in members {
        let mut header = ::tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        // Written by hand, for the library refuses the names that an attacker would use.
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        builder.append(&header, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

#[test]
fn shards_are_read_without_unpacking() {
    let files = Files::new();
    let picture = |level| picture("a.png", 4, level);
    put(
        &files,
        "s/0.tar",
        tar(&[
            ("a/1.png", &picture(1)),
            ("a/1.cls", b"cat\n"),
            ("a/1.json", br#"{"y": 1.5, "tags": ["x", "z"]}"#),
        ]),
    );
    put(
        &files,
        "s/1.tar",
        tar(&[
            ("2.cls", b"dog"),
            ("2.json", br#"{"y": 2, "tags": []}"#),
            ("2.seg.png", b"another thing"),
            ("2.PNG", &picture(2)),
        ]),
    );
    let config = whole(&path(&files, "s/*.tar"));
    let data = load(Webdataset, &config);
    assert_eq!(data.preprocess.classes(), ["cat", "dog"]);
    assert_eq!(
        (classes(&data.train), levels(&data.train)),
        (vec![0, 1], vec![1, 2])
    );
    assert!(data.train.name(0).ends_with("0.tar:a/1.png"));
    assert_eq!(data.hashes().unwrap().len(), 2);
    let load = |field: &str, target| {
        let config = with(config.clone(), |config| config.target = Some(field.into()));
        ImageData::load(Webdataset, &config, 7, target).unwrap()
    };
    assert_eq!(
        *load("y", TargetKind::Number).train.labels(),
        Labels::Numbers(vec![1.5, 2.0])
    );
    assert_eq!(
        *load("tags", TargetKind::Set).train.labels(),
        Labels::Sets(vec![vec![0, 1], vec![]])
    );
    let config = with(config, |config| config.target = Some("absent".into()));
    refuses(Webdataset, &config, &["has no field \"absent\""]);
}

#[test]
fn images_to_predict_are_files_folders_and_globs() {
    let files = Files::new();
    let root = folder(&files, "pets", &["cat", "dog"], 2);
    put(&files, "pets/read.me", "");
    let found = image_files(&root).unwrap();
    assert!(
        messages(&found.notes).contains("read.me"),
        "{:?}",
        found.notes
    );
    let found = found.files;
    assert!(found.len() == 4 && found.is_sorted());
    assert_eq!(
        image_files(&format!("{root}/cat/*.png"))
            .unwrap()
            .files
            .len(),
        2
    );
    assert_eq!(
        image_files(found[0].to_str().unwrap()).unwrap().files,
        found[..1]
    );
    fs::create_dir(files.path("none")).unwrap();
    refused(image_files(&path(&files, "none")), &["no images"]);
    assert!(matches!(
        image_files(&path(&files, "gone.png")),
        Err(DataError::Read { .. })
    ));
    assert!(Path::new(&root).is_dir());
}

#[test]
fn statistics_are_computed_or_given() {
    let files = Files::new();
    let root = folder(&files, "p", &["a", "b"], 2);
    let computed = with(ImageDataConfig::new(&root), |config| {
        config.split = all_train()
    });
    let data = load(ImageFolder, &computed);
    // Levels 0, 1, 10 and 11: mean 5.5, variance 25.25.
    assert!((data.preprocess.mean()[0] - 5.5 / 255.0).abs() < 1e-12);
    assert!((data.preprocess.std()[0] - 25.25f64.sqrt() / 255.0).abs() < 1e-12);
    let word = || Statistic::Word(StatisticWord::Imagenet);
    let given = ImageDataConfig {
        mean: word(),
        std: word(),
        channels: Some(Channels::Rgb),
        ..computed.clone()
    };
    assert_eq!(
        load(ImageFolder, &given).preprocess.mean(),
        [0.485, 0.456, 0.406]
    );
    let three = with(computed, |config| {
        config.mean = Statistic::Values(vec![0.1, 0.2, 0.3])
    });
    refuses(
        ImageFolder,
        &three,
        &["has 3 numbers, but the images have 1"],
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn splits_are_disjoint_and_complete(seed: u64, train in 1u32..9, valid in 1u32..9, test in 1u32..9, stratify: bool) {
        let sum = f64::from(train + valid + test);
        let split = SplitConfig {
            train: f64::from(train) / sum,
            valid: f64::from(valid) / sum,
            test: f64::from(test) / sum,
            stratify,
            ..Default::default()
        };
        let config = ImageDataConfig { split, ..plain(DIGITS) };
        let load = || ImageData::load(ImageParquet, &config, seed, TargetKind::Class).unwrap();
        let data = load();
        let all: Vec<String> = data.named().into_iter().flat_map(|(_, split)| names(split)).collect();
        prop_assert_eq!(all.len(), 1797);
        prop_assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 1797);
        for (fraction, (_, split)) in [train, valid, test].into_iter().zip(data.named()) {
            prop_assert!((split.len() as f64 - 1797.0 * f64::from(fraction) / sum).abs() < 11.0);
        }
        prop_assert_eq!(names(&load().train), names(&data.train));
    }
}
