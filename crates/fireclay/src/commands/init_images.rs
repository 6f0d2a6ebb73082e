//! `init` on a folder of images.

use std::path::Path;

use fireclay_data::{
    DataError, ImageData, ImageDataConfig, ImageFormat, ImageSize, Images, NAMED_IMAGES, OnDamaged,
    TargetKind,
};

use super::init::{DRAWN, opening, say_positive, training};
use crate::failure::Failure;
use crate::text::say;

/// The side that images are resized to where they have no size in common.
const SIDE: usize = 64;

/// Decoding more images than this takes minutes.
const MANY: usize = 100_000;

/// Reads a folder with a folder of images for each class, prints what was found, and returns the text of
/// a config. Where it is `plain`, no folder is a split.
pub fn config(folder: &Path, output: &Path, plain: bool) -> Result<String, Failure> {
    let path = folder.display().to_string();
    let mut base = ImageDataConfig::new(&path);
    base.split_folders = plain.then_some(false);
    let images = Images::find(ImageFormat::ImageFolder, &base, TargetKind::Class);
    let images = images.map_err(advised)?;
    let (data, size) = look(&images, base)?;
    say_found(&data, size.is_some());
    let (height, width) = data.preprocess.size();
    let size = match size {
        Some(side) => format!("image_size = {side}   # larger is slower and often better\n"),
        None => String::new(),
    };
    Ok(format!(
        "{}\
         [data]\n\
         type = \"image_folder\"\n\
         path = {path:?}\n\
         {size}{}\
         cache = \"memory\"   # keep decoded images, up to 2 GiB\n\
         {}{}\
         # augment = {{ horizontal_flip = 0.5 }}   # if left and right mean nothing\n\n\
         {}\
         [task]\n\
         type = \"classification\"\n\
         label_smoothing = 0.1\n\n\
         {}\
         [checkpoint]\n\
         monitor = \"valid/accuracy\"\n",
        opening(&format!("the images in {path:?}"), output),
        if plain { "split_folders = false\n" } else { "" },
        on_damaged(data.damaged.len()),
        split(images.held_out()),
        model(height.min(width)),
        training(0.05, 20),
    ))
}

/// Says what was found.
fn say_found(data: &ImageData, is_resized: bool) {
    let classes = data.preprocess.classes();
    let count: usize = data.named().iter().map(|(_, split)| split.len()).sum();
    let (height, width) = data.preprocess.size();
    say!("images   {count}, of {} classes", classes.len());
    say!(
        "size     {height}x{width}{}",
        if is_resized { ", resized" } else { "" }
    );
    let notes = data.notes.iter();
    notes.for_each(|note| say!("note     {}", with_flag(&note.to_string())));
    say_positive(classes);
    let rest = data.damaged.iter().skip(NAMED_IMAGES);
    rest.for_each(|damaged| say!("damaged  {damaged}"));
}

/// The error with advice that `init` can follow: there is no config yet that could be changed.
fn advised(error: DataError) -> Failure {
    Failure::Failed(with_flag(&error.to_string()))
}

fn with_flag(message: &str) -> String {
    message
        .replace("set split_folders = false", "give --no-split-folders")
        .replace("split_folders = false", "--no-split-folders")
}

/// The model for images with this shorter side.
fn model(side: usize) -> &'static str {
    match side {
        0..32 => "[model]\ntype = \"cnn\"       # `fireclay models` lists the others\n\n",
        _ => {
            "[model]\n\
             type = \"resnet\"    # `fireclay models` lists the others\n\
             depth = 18\n\
             # pretrained = \"resnet18.pth\"   # torchvision's weights; they expect mean and std = \"imagenet\" in [data]\n\n"
        }
    }
}

/// Loads the images as they are, or else with all of them resized to one side. Damaged ones are left
/// out, however many there are; of very many images each is decoded only where some are damaged.
fn look(
    images: &Images,
    mut base: ImageDataConfig,
) -> Result<(ImageData, Option<usize>), DataError> {
    base.split.stratify = !images.held_out()[0];
    let ways = match images.len() > MANY {
        true => &[OnDamaged::Error, OnDamaged::Skip][..],
        false => &[OnDamaged::Skip],
    };
    let load = |on_damaged: OnDamaged, side: Option<usize>| {
        let mut config = base.clone();
        config.image_size = side.map(ImageSize::Square);
        config.on_damaged = on_damaged;
        config.max_damaged = (on_damaged == OnDamaged::Skip).then_some(usize::MAX);
        ImageData::load(ImageFormat::ImageFolder, &config, 42, TargetKind::Class)
    };
    for on_damaged in ways {
        if let Ok(data) = load(*on_damaged, None) {
            return Ok((data, None));
        }
        if let Ok(data) = load(*on_damaged, Some(SIDE)) {
            return Ok((data, Some(SIDE)));
        }
    }
    Ok((load(OnDamaged::Skip, Some(SIDE))?, Some(SIDE)))
}

/// Leaves out the damaged images that were found.
fn on_damaged(count: usize) -> String {
    let most = match count {
        0 => return String::new(),
        1..=100 => String::new(),
        more => format!("max_damaged = {more}\n"),
    };
    format!(
        "on_damaged = \"skip\"   # leave out images that cannot be decoded: {count} now\n{most}"
    )
}

/// Folders may be the splits; otherwise each split gets a share of each class.
fn split(held_out: [bool; 2]) -> String {
    let line = match held_out {
        [false, false] => "split = { train = 0.7, valid = 0.15, test = 0.15, stratify = true }",
        [false, true] => {
            "# Validation is taken from the training images.\nsplit = { stratify = true }"
        }
        [true, _] => return String::new(),
    };
    format!("{line}{DRAWN}\n")
}
