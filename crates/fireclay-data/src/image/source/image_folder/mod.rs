//! A folder for each class, below one root or below a folder for each split.

mod names;
mod splits;
mod walk;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::splits::Layout;
pub(in crate::image) use self::walk::{ENDINGS, is_image};
pub use self::walk::{FoundImages, image_files};
use self::walk::{Walk, own_images, subfolders};
use super::files::Files;
use super::{ClassNames, Format, Found, ImageLabels, Source};
use crate::error::{DataError, absolute};
use crate::image::config::ImageDataConfig;

pub(super) const FORMAT: Format = Format {
    open: |config, _| open(config),
    keys: &["valid_path", "test_path", "split_folders"],
    has_columns: false,
    is_folder: |_| true,
    usual: |_| None,
};

/// The folders that `path`, `valid_path` and `test_path` name, in this order.
fn open(config: &ImageDataConfig) -> Result<Found, DataError> {
    let mut walk = Walk::within(Path::new(&config.path));
    let layout = layout(config, &mut walk)?;
    let (mut files, mut classes) = (Files::default(), ClassNames::default());
    let mut ranges = [const { None }; 3];
    for (folder, range) in layout.splits.iter().zip(&mut ranges) {
        let Some(folder) = folder else { continue };
        let start = files.len();
        files.begin(folder);
        let left_out = &layout.left_out;
        read_classes((folder, left_out), &mut walk, &mut files, &mut classes)?;
        if files.len() == start {
            return Err(without_images(folder)?);
        }
        *range = Some(start..files.len());
    }
    let [_, valid, test] = ranges;
    Ok(Found {
        source: Arc::new(files),
        labels: ImageLabels::Classes(classes),
        valid,
        test,
        table: None,
        notes: walk.notes(),
        files: Vec::new(),
    })
}

fn without_images(folder: &Path) -> Result<DataError, DataError> {
    let has = match own_images(folder)?.len() {
        0 => "has no images".to_owned(),
        count => format!("has {count} images, but no folders with images"),
    };
    Ok(DataError::Unusable(format!(
        "{} {has}: image_folder expects a folder for each class with files in it that end in {ENDINGS}",
        absolute(folder).display()
    )))
}

/// The folders with the classes of each split; the first is divided where others are missing.
fn layout(config: &ImageDataConfig, walk: &mut Walk) -> Result<Layout, DataError> {
    let root = PathBuf::from(&config.path);
    let has_splits = config.split_folders != Some(false);
    let mut layout = match has_splits {
        true => splits::find(root, walk)?,
        false => splits::plain(root),
    };
    let own = [
        None,
        config.valid_path.as_ref().map(|path| ("valid_path", path)),
        config.test_path.as_ref().map(|path| ("test_path", path)),
    ];
    for (folder, own) in layout.splits.iter_mut().zip(own) {
        let Some((key, path)) = own else { continue };
        if let Some(folder) = folder {
            return Err(DataError::Split(format!(
                "{key} contradicts {}, which is in path: use one of them",
                absolute(folder).display()
            )));
        }
        let path = PathBuf::from(path);
        *folder = Some(match has_splits {
            true => splits::unwrapped(path)?,
            false => path,
        });
    }
    Ok(layout)
}

fn read_classes(
    (root, left_out): (&Path, &[PathBuf]),
    walk: &mut Walk,
    files: &mut Files,
    classes: &mut ClassNames,
) -> Result<(), DataError> {
    let folders = subfolders(root)?.into_iter();
    for folder in folders.filter(|folder| !left_out.contains(folder)) {
        let Some(name) = folder.file_name().and_then(OsStr::to_str) else {
            return Err(DataError::Unusable(format!(
                "the name of {} is not valid UTF-8, so it cannot name a class: rename it",
                absolute(&folder).display()
            )));
        };
        let images = walk.images(&folder)?;
        if splits::are_inside(&folder) {
            walk.split_classes.push(folder.clone());
        }
        if images.is_empty() {
            walk.empty.push(name.to_owned());
        }
        for image in images {
            classes.push(name);
            files.push(image);
        }
    }
    walk.leave_strays(root)
}
