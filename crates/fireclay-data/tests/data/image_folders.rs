//! Folders of images as they come: splits in every spelling, files in every state.

use std::fs;

use fireclay_data::ImageFormat::{ImageFolder, ImageParquet};
use fireclay_data::{
    Background, ImageData, ImageDataConfig, ImagePreprocess, ImageSplit, Images, OnDamaged,
    TargetKind, image_files,
};

use crate::images::{DIGITS, draw, path, picture, put, refuses};
use crate::{Files, all_train, messages, refused, with};

fn load(config: &ImageDataConfig) -> ImageData {
    ImageData::load(ImageFolder, config, 7, TargetKind::Class).unwrap()
}

fn counts(data: &ImageData) -> [usize; 3] {
    data.named().map(|(_, split)| split.len())
}

/// `n` pictures in each of these folders.
fn fill(files: &Files, folders: &str, n: u8) {
    for folder in folders.split(' ') {
        for i in 0..n {
            draw(files, &format!("{folder}/{i}.png"), i);
        }
    }
}

#[test]
#[cfg(unix)]
fn links_out_of_the_folder_are_told_of_and_pipes_are_left_out() {
    use std::os::unix::fs::symlink;

    let files = Files::new();
    for class in ["a", "b"] {
        draw(&files, &format!("root/{class}/0.png"), 1);
    }
    draw(&files, "elsewhere/1.png", 2);
    let root = files.path("root");
    symlink(root.join("a/0.png"), root.join("b/within.png")).unwrap();
    let said = || {
        let config = with(ImageDataConfig::new(path(&files, "root")), |config| {
            config.split = all_train();
        });
        let data = ImageData::load(ImageFolder, &config, 7, TargetKind::Class).unwrap();
        (data.train.len(), messages(&data.notes))
    };
    let (count, notes) = said();
    assert!(count == 3 && !notes.contains("leads out"), "{notes}");
    symlink(files.path("elsewhere/1.png"), root.join("a/1.png")).unwrap();
    symlink(files.path("elsewhere"), root.join("c")).unwrap();
    symlink("/dev/zero", root.join("b/zero.png")).unwrap();
    let pipe = std::process::Command::new("mkfifo")
        .arg(root.join("b/pipe.png"))
        .status();
    assert!(pipe.unwrap().success());
    let (count, notes) = said();
    assert_eq!(count, 5);
    assert!(
        notes.contains("3 files are links that lead out of the folder"),
        "{notes}"
    );
    assert!(notes.contains("2 files are no images"), "{notes}");
    let sparse = fs::File::create(root.join("b/sparse.png")).unwrap();
    sparse.set_len(1 << 40).unwrap();
    let mut config = ImageDataConfig::new(path(&files, "root"));
    config.split = all_train();
    refuses(ImageFolder, &config, &["sparse.png", "nothing but zeros"]);
}

#[test]
fn splits_are_found_in_every_spelling() {
    for (folders, valid) in [
        ("Train/a Train/b Test/a Test/b", 0),
        ("TRAINING/a TRAINING/b testing/a testing/b", 0),
        ("seg_train/a seg_train/b seg_test/a seg_test/b", 0),
        (
            "seg_train/seg_train/a seg_train/seg_train/b seg_test/seg_test/a seg_test/seg_test/b",
            0,
        ),
        ("train_set/a train_set/b test_set/a test_set/b", 0),
        ("x/y/train/a x/y/train/b x/y/test/a x/y/test/b", 0),
        (
            "train/images/a train/images/b test/images/a test/images/b",
            0,
        ),
        (
            "Train/a Train/b Test/a Test/b Validation/a Validation/b",
            10,
        ),
        ("trn/a trn/b tst/a tst/b dev/a dev/b", 10),
    ] {
        let files = Files::new();
        fill(
            &files,
            &folders
                .split(' ')
                .map(|folder| format!("d/{folder}"))
                .collect::<Vec<_>>()
                .join(" "),
            5,
        );
        let config = ImageDataConfig::new(path(&files, "d"));
        let data = load(&config);
        assert_eq!(data.preprocess.classes(), ["a", "b"], "{folders}");
        let [train, found, test] = counts(&data);
        assert_eq!(test, 10, "{folders}");
        match valid {
            0 => assert_eq!(train + found, 10, "{folders}"),
            _ => assert_eq!((train, found), (10, valid), "{folders}"),
        }
        let notes = messages(&data.notes);
        assert!(notes.contains("split_folders = false"), "{notes}");
        let images = Images::find(ImageFolder, &config, TargetKind::Class).unwrap();
        assert_eq!(images.held_out(), [valid > 0, true]);
    }
}

#[test]
fn a_key_makes_every_folder_a_class() {
    let files = Files::new();
    fill(&files, "d/Train d/Test d/Valid", 5);
    let config = with(ImageDataConfig::new(path(&files, "d")), |config| {
        config.split = all_train();
        config.split_folders = Some(false);
    });
    let data = load(&config);
    assert_eq!(data.preprocess.classes(), ["Test", "Train", "Valid"]);
    // Otherwise they would be splits without classes.
    let guessed = with(config, |config| config.split_folders = None);
    refuses(
        ImageFolder,
        &guessed,
        &["Train", "no folder for each class", "split_folders"],
    );
}

#[test]
fn images_without_classes_are_no_class_and_no_split() {
    for (folders, unlabelled) in [
        ("cat dog test", "test"),
        ("cat dog Testing", "Testing"),
        ("train/cat train/dog test", "test"),
        ("train/cat train/dog test/test", "test/test"),
        ("seg_train/cat seg_train/dog seg_pred", "seg_pred"),
        ("cat dog unlabeled", "unlabeled"),
    ] {
        let files = Files::new();
        fill(
            &files,
            &folders
                .split(' ')
                .map(|folder| format!("d/{folder}"))
                .collect::<Vec<_>>()
                .join(" "),
            9,
        );
        let config = with(ImageDataConfig::new(path(&files, "d")), |config| {
            config.split.stratify = true;
        });
        let data = load(&config);
        assert_eq!(data.preprocess.classes(), ["cat", "dog"], "{folders}");
        assert_eq!(counts(&data).iter().sum::<usize>(), 18, "{folders}");
        let notes = messages(&data.notes);
        let expected = format!(
            "{} holds images without classes",
            path(&files, &format!("d/{unlabelled}"))
        );
        assert!(notes.contains(&expected), "{folders}: {notes}");
    }
}

#[test]
fn names_that_only_look_like_splits_are_classes() {
    for folders in [
        "invalid valid",
        "test_tube train_station",
        "control test",
        "car train",
    ] {
        let files = Files::new();
        fill(
            &files,
            &folders
                .split(' ')
                .map(|folder| format!("d/{folder}"))
                .collect::<Vec<_>>()
                .join(" "),
            5,
        );
        let config = with(ImageDataConfig::new(path(&files, "d")), |config| {
            config.split = all_train()
        });
        let data = load(&config);
        assert_eq!(data.preprocess.classes().join(" "), folders);
    }
}

#[test]
fn a_test_folder_beside_the_classes_holds_their_test() {
    let files = Files::new();
    fill(&files, "d/a d/b d/test/a d/test/b", 10);
    let data = load(&ImageDataConfig::new(path(&files, "d")));
    assert_eq!(data.preprocess.classes(), ["a", "b"]);
    assert_eq!(data.test.len(), 20);
    assert!(messages(&data.notes).contains("(test)"));
}

#[test]
fn splits_inside_of_classes_are_told() {
    let files = Files::new();
    fill(&files, "d/a/train d/a/test d/b/train d/b/test", 5);
    let config = with(ImageDataConfig::new(path(&files, "d")), |config| {
        config.split = all_train();
    });
    let data = load(&config);
    assert_eq!(data.preprocess.classes(), ["a", "b"]);
    assert_eq!(data.train.len(), 20);
    let notes = messages(&data.notes);
    assert!(
        notes.contains("named like splits inside of a class"),
        "{notes}"
    );
}

#[test]
fn a_test_alone_is_not_trained_on() {
    for folders in [
        "test/a test/b",
        "test",
        "Testing/a Testing/b valid/a valid/b",
    ] {
        let files = Files::new();
        let all = folders.split(' ').map(|folder| format!("d/{folder}"));
        fill(&files, &all.collect::<Vec<_>>().join(" "), 5);
        let config = ImageDataConfig::new(path(&files, "d"));
        let words = ["no training images", "split_folders = false"];
        refuses(ImageFolder, &config, &words);
    }
    // Named itself, it is what is trained on.
    let files = Files::new();
    fill(&files, "test/a test/b", 5);
    let config = with(ImageDataConfig::new(path(&files, "test")), |config| {
        config.split = all_train();
    });
    assert_eq!(load(&config).preprocess.classes(), ["a", "b"]);
}

#[test]
fn one_split_twice_is_refused() {
    let files = Files::new();
    fill(&files, "d/train/a d/train/b d/val/a d/dev/b", 3);
    let config = ImageDataConfig::new(path(&files, "d"));
    refuses(
        ImageFolder,
        &config,
        &["both look like validation", "split_folders"],
    );
}

#[test]
fn files_are_taken_by_every_ending_and_the_others_named() {
    let files = Files::new();
    let jpeg = picture("a.jpg", 4, 10);
    let tiff = picture("a.tif", 4, 10);
    for class in ["a", "b"] {
        for (name, content) in [
            ("1.jfif", &jpeg),
            ("2.JPE", &jpeg),
            ("3.JPEG", &jpeg),
            ("4.TIF", &tiff),
            ("5.tiff", &tiff),
            ("6.png", &jpeg),
            ("7", &jpeg),
        ] {
            put(&files, &format!("d/{class}/{name}"), content);
        }
    }
    put(&files, "d/a/8.heic", "a photo");
    put(&files, "d/a/9.jpg_large", &jpeg);
    put(&files, "d/a/10.txt", "words");
    put(&files, "d/a/README", "words");
    put(&files, "d/11.png", &jpeg);
    let config = with(ImageDataConfig::new(path(&files, "d")), |config| {
        config.split = all_train()
    });
    let data = load(&config);
    assert_eq!(data.train.len(), 14);
    let notes: Vec<&str> = data
        .notes
        .iter()
        .map(|note| note.message.as_str())
        .collect();
    for (name, part) in [
        ("8.heic", "format that is not read"),
        ("9.jpg_large", "holds an image"),
        ("10.txt", "2 files are no images"),
        ("README", "2 files are no images"),
        ("11.png", "beside the folders of the classes"),
    ] {
        let is_said = |note: &&&str| note.contains(name) && note.contains(part);
        assert_eq!(notes.iter().filter(is_said).count(), 1, "{name}: {notes:?}");
    }
    // For prediction there are no classes: the one beside their folders is as good as any.
    let found = image_files(&path(&files, "d")).unwrap();
    assert_eq!((found.files.len(), found.notes.len()), (15, 3));
}

/// A folder of twelve, of which two are damaged, one in each half.
fn damaged(files: &Files) -> ImageDataConfig {
    fill(
        files,
        "d/train/a d/train/b d/valid/a d/valid/b d/test/a d/test/b",
        3,
    );
    let whole = picture("a.jpg", 40, 200);
    put(files, "d/valid/a/cut.jpg", &whole[..whole.len() - 2]);
    put(files, "d/test/b/page.jpg", "<!DOCTYPE html>");
    with(ImageDataConfig::new(path(files, "d")), |config| {
        config.image_size = Some(fireclay_data::ImageSize::Square(4));
        config.channels = Some(fireclay_data::Channels::Rgb);
    })
}

#[test]
fn all_damaged_images_are_named_at_once() {
    let files = Files::new();
    let config = damaged(&files);
    let data = load(&config);
    assert!(
        data.verify(&[0]).unwrap().is_empty(),
        "those of train are whole"
    );
    let cut = ["valid/a/cut.jpg", "no end marker"];
    let page = ["test/b/page.jpg", "a web page"];
    refused(data.verify(&[1]), &cut);
    let both = [cut, page].concat();
    let all = [
        &both[..],
        &["2 images cannot be decoded", "on_damaged = \"skip\""],
    ]
    .concat();
    refused(data.verify(&[0, 1, 2]), &all);
    // One that is found while loading brings the others with it.
    put(&files, "d/train/a/empty.jpg", "");
    let all = [
        &both[..],
        &[
            "3 images cannot be decoded",
            "train/a/empty.jpg: the file is empty",
        ],
    ]
    .concat();
    refuses(ImageFolder, &config, &all);

    let skip = with(config, |config| config.on_damaged = OnDamaged::Skip);
    let data = load(&skip);
    assert_eq!(counts(&data), [6, 6, 6]);
    assert_eq!(data.damaged.len(), 3);
    assert!(data.verify(&[0, 1, 2]).unwrap().is_empty());
    let notes = messages(&data.notes);
    for part in both
        .iter()
        .chain(&["3 damaged images are left out", "empty.jpg"])
    {
        assert!(notes.contains(part), "{part}: {notes}");
    }
}

/// A PNG of 4 by 2 pixels, dark on the left, with this orientation in its EXIF data.
fn turned(orientation: u8) -> Vec<u8> {
    use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};
    let exif = [
        b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0",
        &[orientation, 0, 0, 0, 0, 0, 0][..],
    ]
    .concat();
    let mut bytes = Vec::new();
    let mut encoder = PngEncoder::new(&mut bytes);
    encoder.set_exif_metadata(exif).unwrap();
    let pixels = [0, 0, 255, 255, 0, 0, 255, 255];
    encoder
        .write_image(&pixels, 4, 2, ExtendedColorType::L8)
        .unwrap();
    bytes
}

#[test]
fn images_are_turned_upright_unless_the_key_says_otherwise() {
    let files = Files::new();
    for class in ["a", "b"] {
        put(&files, &format!("d/{class}/0.png"), turned(6));
    }
    let config = with(ImageDataConfig::new(path(&files, "d")), |config| {
        config.split = all_train()
    });
    let data = load(&config);
    assert_eq!(data.preprocess.size(), (4, 2), "as the header says, turned");
    let notes = messages(&data.notes);
    assert!(
        notes.contains("2 of 2 images looked at are stored turned"),
        "{notes}"
    );
    assert!(notes.contains("exif_orientation = false"), "{notes}");
    // A quarter turn clockwise: what was left is above.
    let pixels = data.train.batch(0, &[0]).unwrap().pixels;
    assert!(pixels[..4].iter().all(|level| *level < 0.0), "{pixels:?}");
    assert!(pixels[4..].iter().all(|level| *level > 0.0), "{pixels:?}");
    let image = path(&files, "d/a/0.png").into();
    let read = |preprocess: &ImagePreprocess| preprocess.read_each(std::slice::from_ref(&image));
    assert_eq!(read(&data.preprocess).pixels.pixels, pixels);
    let upright = data.preprocess;

    let stored = with(config.clone(), |config| {
        config.exif_orientation = Some(false)
    });
    let data = load(&stored);
    assert_eq!(data.preprocess.size(), (2, 4));
    assert!(messages(&data.notes).contains("exif_orientation = true"));

    // A run from before there was a key reads them as it was trained, and says so.
    let mut old = config;
    old.read_as_stored();
    let data = load(&old);
    assert_eq!(data.preprocess.size(), (2, 4));
    let json = data.preprocess.to_json();
    assert!(
        !json.contains("exif") && !json.contains("background"),
        "{json}"
    );
    let old = ImagePreprocess::from_json(&json).unwrap();
    assert_eq!(read(&old).as_stored, 1);
    let bytes = fs::read(&image).unwrap();
    let count = |of: &ImagePreprocess| of.count_as_stored([&bytes[..], b"no image"].into_iter());
    assert_eq!((count(&old), count(&upright)), (1, 0));
    let (_, notes) = ImageSplit::load(&path(&files, "d"), ImageFolder, &stored, &old).unwrap();
    assert!(
        messages(&notes).contains("as this run was trained"),
        "{notes:?}"
    );
}

#[test]
fn transparent_images_are_seen_on_white_and_told() {
    use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};
    let files = Files::new();
    for class in ["a", "b"] {
        let mut bytes = Vec::new();
        let pixels = [0u8, 0, 0, 0, 9, 9, 9, 255];
        let encoder = PngEncoder::new(&mut bytes);
        encoder
            .write_image(&pixels, 2, 1, ExtendedColorType::Rgba8)
            .unwrap();
        put(&files, &format!("d/{class}/0.png"), bytes);
    }
    let config = with(ImageDataConfig::new(path(&files, "d")), |config| {
        config.split = all_train()
    });
    for (background, first) in [
        (Background::White, 255),
        (Background::Black, 0),
        (Background::None, 0),
    ] {
        let config = with(config.clone(), |config| {
            config.background = Some(background)
        });
        let data = load(&config);
        let mean = (f64::from(first) + 9.0) / 2.0 / 255.0;
        assert!(
            (data.preprocess.mean()[0] - mean).abs() < 1e-9,
            "{background:?}"
        );
        let notes = messages(&data.notes);
        assert!(
            notes.contains("2 of 2 images looked at have transparent"),
            "{notes}"
        );
    }
}

#[test]
fn one_bad_image_costs_no_other_its_answer() {
    let files = Files::new();
    let good = draw(&files, "good.png", 7);
    let bad = put(&files, "bad.png", "not an image");
    let gone = path(&files, "gone.png");
    let data = ImageData::load(
        ImageParquet,
        &with(ImageDataConfig::new(DIGITS), |config| {
            config.split = all_train()
        }),
        7,
        TargetKind::Class,
    )
    .unwrap();
    let paths = [&bad, &good, &gone, &good].map(Into::into);
    let read = data.preprocess.read_each(&paths);
    assert_eq!((read.read, read.pixels.dims), (vec![1, 3], [2, 1, 8, 8]));
    assert_eq!(read.failed.len(), 2);
    assert!(read.failed[0].contains("bad.png") && read.failed[1].contains("gone.png"));
    let alone = data.preprocess.read_batch(&paths[1..2]).unwrap();
    assert_eq!(read.pixels.pixels[..64], alone.pixels);
}

#[test]
fn a_key_of_folders_is_for_folders() {
    let config = with(ImageDataConfig::new(DIGITS), |config| {
        config.split_folders = Some(true)
    });
    refuses(ImageParquet, &config, &["split_folders", "image_folder"]);
    assert!(fs::exists(DIGITS).unwrap());
}
