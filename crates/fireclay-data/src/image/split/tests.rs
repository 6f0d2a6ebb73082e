use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::image::augment::{
    AffineConfig, ColorJitterConfig, RandAugmentConfig, RandomCropConfig, RandomErasingConfig,
    RandomResizedCropConfig,
};
use crate::image::pixels::Channels;
use crate::image::preprocess::ImageTarget;
use crate::image::reference::{bytes, reference};
use crate::image::source::open;
use crate::image::{ImageDataConfig, ImageFormat};
use crate::labels::TargetKind;
use crate::prefetch::prefetch;
use crate::testing::{refused, with};

const IMAGES: usize = 12;

/// A folder of two classes of images of different kinds.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let reference = reference();
    for (index, (name, file)) in reference["files"].as_object().unwrap().iter().enumerate() {
        let class = folder.path().join(["a", "b"][index % 2]);
        fs::create_dir_all(&class).unwrap();
        let encoded = bytes(file["hex"].as_str().unwrap());
        let extension = name.split(' ').next().unwrap();
        fs::write(class.join(format!("{index:02}.{extension}")), encoded).unwrap();
    }
    folder
}

fn split(folder: &Path, cache: Cache) -> ImageSplit {
    let config = ImageDataConfig::new(folder.to_str().unwrap());
    let found = open(ImageFormat::ImageFolder, &config, TargetKind::Class).unwrap();
    let count = found.source.len() as u32;
    let target = ImageTarget::Class {
        classes: vec!["a".into(), "b".into()],
    };
    let preprocess = ImagePreprocess::new((10, 11), Channels::Rgb, target);
    let labels = Labels::Classes((0..count).collect());
    ImageSplit::new(
        found.source,
        (0..count).collect(),
        labels,
        Arc::new(preprocess),
        cache,
    )
}

/// Everything but mixing.
fn everything() -> AugmentConfig {
    AugmentConfig {
        random_resized_crop: Some(RandomResizedCropConfig::default()),
        horizontal_flip: 0.5,
        vertical_flip: 0.5,
        affine: Some(AffineConfig {
            degrees: 20.0,
            shear: 3.0,
            ..AffineConfig::default()
        }),
        randaugment: Some(RandAugmentConfig {
            operations: 3,
            magnitude: 12,
        }),
        color_jitter: Some(ColorJitterConfig {
            brightness: 0.3,
            contrast: 0.3,
            saturation: 0.3,
            hue: 0.1,
        }),
        random_erasing: Some(RandomErasingConfig::default()),
        ..AugmentConfig::default()
    }
}

fn configs() -> [AugmentConfig; 4] {
    let random_crop = Some(RandomCropConfig { padding: 2 });
    [
        AugmentConfig::default(),
        with(AugmentConfig::default(), |augment| {
            augment.random_crop = random_crop
        }),
        everything(),
        AugmentConfig {
            mixup: 0.5,
            cutmix: 0.5,
            horizontal_flip: 0.5,
            ..AugmentConfig::default()
        },
    ]
}

#[test]
fn an_image_does_not_depend_on_its_batch() {
    let folder = folder();
    let split = split(folder.path(), Cache::None).augmented(everything(), 7);
    let all: Vec<u32> = (0..IMAGES as u32).collect();
    let whole = split.batch(3, &all).unwrap();
    assert_eq!(whole.dims, [IMAGES, 3, 10, 11]);
    for &index in all.iter().rev() {
        let one = split.batch(3, &[index]).unwrap();
        let length = one.pixels.len();
        let same = &whole.pixels[index as usize * length..][..length];
        assert_eq!(one.pixels, same);
        assert_eq!(one.labels, Labels::Classes(vec![index]));
    }
    assert_ne!(split.batch(4, &all).unwrap().pixels, whole.pixels);
    let other = split.clone().augmented(everything(), 8);
    assert_ne!(other.batch(3, &all).unwrap().pixels, whole.pixels);
}

#[test]
fn threads_and_caches_change_nothing() {
    let folder = folder();
    let kept = tempfile::tempdir().unwrap();
    for config in configs() {
        let run = |cache: Cache, threads| {
            let split = split(folder.path(), cache).augmented(config.clone(), 7);
            // Every batch three times: from the second on, out of the cache.
            let items = prefetch(0..9, threads, 4, move |batch| {
                split.batch(1, &[0, 1, 2, 3].map(|position| (batch % 3) * 4 + position))
            });
            items.map(|batch| batch.unwrap()).collect::<Vec<_>>()
        };
        let plain = run(Cache::None, 0);
        assert_eq!(plain[0], plain[3]);
        for threads in [0, 1, 3] {
            assert_eq!(run(Cache::None, threads), plain);
            assert_eq!(run(Cache::memory(1 << 20), threads), plain);
            let few = Cache::memory(3000);
            assert_eq!(run(few, threads), plain, "room for a few only");
            let disk = Cache::disk(kept.path().to_str().unwrap()).unwrap();
            assert_eq!(run(disk, threads), plain);
        }
    }
}

#[test]
fn without_augmentation_is_what_evaluation_sees() {
    let folder = folder();
    let all: Vec<u32> = (0..IMAGES as u32).collect();
    let plain = split(folder.path(), Cache::None).batch(0, &all).unwrap();
    for config in configs() {
        let varied = split(folder.path(), Cache::memory(1 << 20)).augmented(config, 7);
        let _ = varied.batch(0, &all).unwrap();
        let bare = varied.without_augmentation().batch(5, &all).unwrap();
        let pairs = bare.pixels.iter().zip(&plain.pixels);
        let differences = pairs.map(|(a, b)| (a - b).abs());
        assert!(differences.fold(0.0, f32::max) <= 1.01 / 255.0);
        assert_eq!(bare.mix, None);
    }
}

#[test]
fn a_crop_of_nothing_is_the_image_moved_by_at_most_the_padding() {
    let folder = folder();
    let crop = with(AugmentConfig::default(), |augment| {
        augment.random_crop = Some(RandomCropConfig::default())
    });
    let split = split(folder.path(), Cache::None);
    // The images are wider than what is looked at, so that there is something to draw.
    let varied = split.clone().augmented(crop, 1);
    let seen = |epoch| varied.batch(epoch, &[0]).unwrap().pixels;
    assert!((1..20).any(|epoch| seen(epoch) != seen(0)));
}

#[test]
fn a_damaged_image_is_named_or_left_out() {
    let folder = folder();
    for name in ["a/00.png", "b/03.gif"] {
        let path = fs::read_dir(folder.path().join(&name[..1])).unwrap();
        let path = path.map(|entry| entry.unwrap().path()).min().unwrap();
        let encoded = fs::read(&path).unwrap();
        fs::write(path, &encoded[..encoded.len() / 2]).unwrap();
    }
    let split = split(folder.path(), Cache::None);
    let all: Vec<u32> = (0..IMAGES as u32).collect();
    let error = split.batch(0, &all).unwrap_err();
    assert!(
        matches!(&error, DataError::Image { name, .. } if *name == split.name(0)),
        "{error}"
    );
    let mut left = 1;
    let expected = "2 images are damaged, and max_damaged leaves room for 1";
    refused(split.clone().verify(&mut left, 2), &[expected]);
    for threads in [1, 2, 5] {
        let mut left = 3;
        let (whole, damaged) = split.clone().verify(&mut left, threads).unwrap();
        assert_eq!((whole.len(), left), (IMAGES - 2, 1));
        assert_eq!(damaged.len(), 2);
        assert!(damaged[0].starts_with(&split.name(0)), "{damaged:?}");
        let all: Vec<u32> = (0..whole.len() as u32).collect();
        let batch = whole.batch(0, &all).unwrap();
        assert_eq!(batch.labels, *whole.labels());
        let whole = (0..12).filter(|index| ![0, 6].contains(index));
        assert_eq!(batch.labels, Labels::Classes(whole.collect()));
    }
}

#[test]
fn a_damaged_file_of_the_cache_is_made_again() {
    let (folder, kept) = (folder(), tempfile::tempdir().unwrap());
    let cache = Cache::disk(kept.path().to_str().unwrap()).unwrap();
    let split = split(folder.path(), cache);
    let first = split.batch(0, &[1]).unwrap();
    let first_in = |folder: &Path| {
        let entry = fs::read_dir(folder).unwrap().next().unwrap();
        entry.unwrap().path()
    };
    let entry = first_in(&first_in(kept.path()));
    let whole = fs::read(&entry).unwrap();
    fs::write(&entry, &whole[..50]).unwrap();
    assert_eq!(split.batch(0, &[1]).unwrap(), first);
    assert_eq!(fs::read(&entry).unwrap(), whole);
    // It is really read: an entry that says something else is believed.
    let changed = Pixels::filled(11, 10, 3, 77);
    let encoded = fs::read(split.name(1)).unwrap();
    Entry::new(kept.path(), &encoded, &split.recipe())
        .write(&changed)
        .unwrap();
    assert_ne!(split.batch(0, &[1]).unwrap(), first);
}
