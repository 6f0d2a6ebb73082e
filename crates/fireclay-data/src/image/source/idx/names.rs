//! Which files belong together, by their names.

use std::path::{Path, PathBuf};

use crate::error::{DataError, absolute};

/// The file of the training images and that of the test images, if there is one.
pub(super) fn pairs(path: &Path) -> Result<(PathBuf, Option<PathBuf>), DataError> {
    if !path.is_dir() {
        return Ok((path.to_owned(), test_of(path)));
    }
    let images = images_in(path)?;
    let train: Vec<&PathBuf> = images.iter().filter(|image| !is_test(image)).collect();
    let train = match train[..] {
        [only] => only.clone(),
        [] => return Err(none_in(path)),
        [first, second, ..] => {
            return Err(DataError::Unusable(format!(
                "{} and {} both hold training images: name one of them in path instead of the folder",
                absolute(first).display(),
                absolute(second).display()
            )));
        }
    };
    let test = test_of(&train);
    Ok((train, test))
}

/// The images for validation or test in a file, or the only ones in a folder.
pub(super) fn held_out(path: &Path) -> Result<PathBuf, DataError> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let images = images_in(path)?;
    let tests: Vec<&PathBuf> = images.iter().filter(|image| is_test(image)).collect();
    match (&tests[..], &images[..]) {
        ([only], _) => Ok((*only).clone()),
        (_, [only]) => Ok(only.clone()),
        (_, []) => Err(none_in(path)),
        _ => Err(DataError::Unusable(format!(
            "{} holds several files of images: name one of them",
            absolute(path).display()
        ))),
    }
}

fn none_in(folder: &Path) -> DataError {
    DataError::Unusable(format!(
        "{} holds no IDX images: expected train-images-idx3-ubyte or train-images-idx3-ubyte.gz",
        absolute(folder).display()
    ))
}

/// The files of images in a folder, sorted; where one is there with and without `.gz`, the latter.
fn images_in(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let fail = |source| DataError::read(folder, source);
    let mut images = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        let name = file_name(&path);
        if name.contains("images") && name.contains("idx3") && ends_well(name) {
            images.push(path);
        }
    }
    images.sort();
    let all = images.clone();
    images.retain(|image| {
        image.extension().is_none_or(|end| end != "gz") || !all.contains(&image.with_extension(""))
    });
    Ok(images)
}

fn ends_well(name: &str) -> bool {
    let mut ends = ["ubyte", "idx3", "ubyte.gz", "idx3.gz", "idx"].iter();
    ends.any(|end| name.ends_with(end))
}

fn file_name(path: &Path) -> &str {
    let name = path.file_name().and_then(|name| name.to_str());
    name.unwrap_or_default()
}

fn is_test(images: &Path) -> bool {
    let name = file_name(images);
    name.contains("t10k") || name.contains("test")
}

/// The test images beside these training images.
fn test_of(train: &Path) -> Option<PathBuf> {
    let name = file_name(train);
    let names = ["t10k", "test"].map(|test| name.replacen("train", test, 1));
    let others = names.into_iter().filter(|other| other != name);
    let mut paths = others
        .flat_map(spellings)
        .map(|other| train.with_file_name(other));
    paths.find(|path| path.is_file())
}

pub(super) fn labels_of(images: &Path) -> Result<PathBuf, DataError> {
    let name = file_name(images).replacen("images", "labels", 1);
    let name = name.replacen("idx3", "idx1", 1);
    let is_other = name != file_name(images);
    let mut paths = spellings(name.clone()).map(|name| images.with_file_name(name));
    match paths.find(|path| is_other && path.is_file()) {
        Some(path) => Ok(path),
        None => Err(DataError::Unusable(format!(
            "{} has no labels: there is no {}",
            absolute(images).display(),
            absolute(&images.with_file_name(name)).display()
        ))),
    }
}

/// A name as it is, then with and without `.gz`, then with `-idx` for `.idx` and the reverse.
fn spellings(name: String) -> impl Iterator<Item = String> {
    let plain = name.trim_end_matches(".gz").to_owned();
    let dotted = [
        plain.clone(),
        plain.replace("-idx", ".idx"),
        plain.replace(".idx", "-idx"),
    ];
    let zipped = dotted.clone().map(|name| name + ".gz");
    std::iter::once(name).chain(dotted).chain(zipped)
}
