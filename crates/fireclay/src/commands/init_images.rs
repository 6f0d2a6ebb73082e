//! `init` on a folder of images.

use std::path::Path;

use fireclay_data::{DataError, ImageData, ImageDataConfig, ImageFormat, TargetKind};

use super::init::{opening, training};
use crate::failure::Failure;
use crate::text::say;

/// The side that images are resized to where they have no size in common.
const SIDE: usize = 64;

/// Reads a folder with a folder of images for each class, prints what was found, and returns the text of
/// a config.
pub fn config(folder: &Path, output: &Path) -> Result<String, Failure> {
    let path = folder.display().to_string();
    let (data, size) = look(&path)?;
    let classes = data.preprocess.classes();
    let images: usize = data.named().iter().map(|(_, split)| split.len()).sum();
    let (height, width) = data.preprocess.size();
    say!("images   {images}, of {} classes", classes.len());
    say!(
        "size     {height}x{width}{}",
        size.map_or("", |_| ", resized")
    );
    data.notes.iter().for_each(|note| say!("note     {note}"));
    let size = match size {
        Some(side) => format!("image_size = {side}   # larger is slower and often better\n"),
        None => String::new(),
    };
    Ok(format!(
        "{}\
         [data]\n\
         type = \"image_folder\"\n\
         path = {path:?}\n\
         {size}\
         cache = \"memory\"   # keep decoded images, up to 2 GiB\n\
         {}\
         # augment = {{ horizontal_flip = 0.5 }}   # if left and right mean nothing\n\n\
         {}\
         [task]\n\
         type = \"classification\"\n\
         label_smoothing = 0.1\n\n\
         {}\
         [checkpoint]\n\
         monitor = \"valid/accuracy\"\n",
        opening(&format!("the images in {path:?}"), output),
        split(folder),
        model(height.min(width)),
        training(0.05, 20),
    ))
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

/// Loads the images as they are, or else with all of them resized to one side.
fn look(path: &str) -> Result<(ImageData, Option<usize>), DataError> {
    let load = |side: Option<usize>| {
        let mut config = ImageDataConfig::new(path);
        config.image_size = side.map(fireclay_data::ImageSize::Square);
        ImageData::load(ImageFormat::ImageFolder, &config, 42, TargetKind::Class)
    };
    match load(None) {
        Ok(data) => Ok((data, None)),
        Err(_) => Ok((load(Some(SIDE))?, Some(SIDE))),
    }
}

/// Folders `train`, `valid` and `test` are the splits; otherwise each split gets a share of each class.
fn split(folder: &Path) -> &'static str {
    match folder.join("train").is_dir() {
        true => "",
        false => "split = { train = 0.7, valid = 0.15, test = 0.15, stratify = true }\n",
    }
}
