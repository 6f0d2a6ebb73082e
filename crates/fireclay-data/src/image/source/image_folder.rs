//! A folder for each class, below one root or below a folder for each split.

use std::ffi::OsStr;
use std::fs::FileType;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::files::Files;
use super::{Answers, ClassNames, Format, Found, Source};
use crate::error::{DataError, absolute};
use crate::image::config::ImageDataConfig;
use crate::note::Note;

pub(super) const FORMAT: Format = Format {
    open: |config, _| open(config),
    keys: &["valid_path", "test_path"],
    has_columns: false,
    is_folder: |_| true,
    usual: |_| None,
};

/// The folders that `path`, `valid_path` and `test_path` name, in this order.
fn open(config: &ImageDataConfig) -> Result<Found, DataError> {
    let mut walk = Walk::default();
    let folders = folders(config, &mut walk)?;
    let (mut files, mut classes) = (Files::default(), ClassNames::default());
    let mut ranges = [const { None }; 3];
    for (folder, range) in folders.iter().zip(&mut ranges) {
        let Some(folder) = folder else { continue };
        let start = files.len();
        files.begin(folder);
        read_classes(folder, &mut walk, &mut files, &mut classes)?;
        if files.len() == start {
            return Err(DataError::Unusable(format!(
                "{} has no images: image_folder expects a folder for each class with .png, .jpg, .jpeg, .webp, .bmp or .gif files in it",
                absolute(folder).display()
            )));
        }
        *range = Some(start..files.len());
    }
    let [_, valid, test] = ranges;
    Ok(Found {
        source: Arc::new(files),
        answers: Answers::Classes(classes),
        valid,
        test,
        table: None,
        notes: walk.notes(),
        files: Vec::new(),
    })
}

/// The folders with the classes of each split; the first is divided where others are missing.
fn folders(config: &ImageDataConfig, walk: &mut Walk) -> Result<[Option<PathBuf>; 3], DataError> {
    let root = PathBuf::from(&config.path);
    let mut folders = match split_folders(&root, walk)? {
        Some(folders) => folders,
        None => [Some(root), None, None],
    };
    let own = [
        None,
        config.valid_path.as_ref().map(|path| ("valid_path", path)),
        config.test_path.as_ref().map(|path| ("test_path", path)),
    ];
    for (folder, own) in folders.iter_mut().zip(own) {
        let Some((key, path)) = own else { continue };
        if let Some(folder) = folder {
            return Err(DataError::Split(format!(
                "{key} contradicts {}, which is in path: use one of them",
                absolute(folder).display()
            )));
        }
        *folder = Some(PathBuf::from(path));
    }
    Ok(folders)
}

/// The folders `train`, `valid` and `test`, if the root holds the first and one of the others, or
/// the first alone. (`train` among other folders may well be a class.)
///
/// # Errors
/// Where the splits have company: a folder with images, which would be neither split nor class.
fn split_folders(root: &Path, walk: &mut Walk) -> Result<Option<[Option<PathBuf>; 3]>, DataError> {
    let mut splits: [Option<PathBuf>; 3] = [const { None }; 3];
    let mut others = Vec::new();
    for folder in subfolders(root)? {
        let split = match folder.file_name().and_then(OsStr::to_str) {
            Some("train") => 0,
            Some("valid" | "val" | "validation") => 1,
            Some("test") => 2,
            _ => {
                others.push(folder);
                continue;
            }
        };
        if let Some(other) = splits[split].replace(folder.clone()) {
            return Err(DataError::Split(format!(
                "{} and {} both look like validation: keep one of them",
                absolute(&other).display(),
                absolute(&folder).display()
            )));
        }
    }
    match &splits {
        [None, ..] => Ok(None),
        [Some(_), None, None] if !others.is_empty() => Ok(None),
        [Some(train), ..] => {
            for other in others {
                if !Walk::default().images(&other)?.is_empty() {
                    return Err(beside_splits(&other, train));
                }
                walk.beside.push(other);
            }
            Ok(Some(splits))
        }
    }
}

fn beside_splits(other: &Path, train: &Path) -> DataError {
    DataError::Split(format!(
        "{} holds images, but is neither train, valid nor test, which are beside it: move it elsewhere; if all of them are classes, rename {}",
        absolute(other).display(),
        absolute(train).display()
    ))
}

fn read_classes(
    root: &Path,
    walk: &mut Walk,
    files: &mut Files,
    classes: &mut ClassNames,
) -> Result<(), DataError> {
    for folder in subfolders(root)? {
        let Some(name) = folder.file_name().and_then(OsStr::to_str) else {
            return Err(DataError::Unusable(format!(
                "the name of {} is not valid UTF-8, so it cannot name a class: rename it",
                absolute(&folder).display()
            )));
        };
        let images = walk.images(&folder)?;
        if images.is_empty() {
            walk.empty.push(name.to_owned());
        }
        for image in images {
            classes.push(name);
            files.push(image);
        }
    }
    walk.count_strays(root)
}

/// The folders in a folder, sorted, without hidden ones.
fn subfolders(root: &Path) -> Result<Vec<PathBuf>, DataError> {
    let folders = entries(root)?.into_iter();
    Ok(folders.filter(|path| path.is_dir()).collect())
}

/// What a folder holds, sorted, without hidden entries and those that macOS adds to archives.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let fail = |source| DataError::read(folder, source);
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let name = entry.file_name();
        if !name.as_encoded_bytes().starts_with(b".") && name != "__MACOSX" {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

/// A walk through folders and what it left out.
#[derive(Default)]
struct Walk {
    /// Class folders without an image.
    empty: Vec<String>,
    /// Files that are no images, and the first of them.
    others: usize,
    other: Option<PathBuf>,
    /// Folders without an image beside those of the splits.
    beside: Vec<PathBuf>,
    /// Links to a folder that they are in.
    loops: Vec<PathBuf>,
}

impl Walk {
    /// The images in a folder and all folders below it, sorted.
    fn images(&mut self, folder: &Path) -> Result<Vec<PathBuf>, DataError> {
        let mut images = Vec::new();
        self.descend(folder, &mut Vec::new(), &mut images)?;
        images.sort();
        Ok(images)
    }

    fn descend(
        &mut self,
        folder: &Path,
        above: &mut Vec<PathBuf>,
        images: &mut Vec<PathBuf>,
    ) -> Result<(), DataError> {
        let real = folder.canonicalize();
        let real = real.map_err(|source| DataError::read(folder, source))?;
        if above.contains(&real) {
            self.loops.push(folder.to_owned());
            return Ok(());
        }
        above.push(real);
        for path in entries(folder)? {
            let kind = std::fs::metadata(&path).map(|metadata| metadata.file_type());
            if kind.as_ref().is_ok_and(FileType::is_dir) {
                self.descend(&path, above, images)?;
            } else if is_image(&path) && kind.as_ref().map_or(true, FileType::is_file) {
                // A broken link is named when it is read; a pipe would never be read to its end.
                images.push(path);
            } else {
                self.leave_out(path);
            }
        }
        above.pop();
        Ok(())
    }

    fn count_strays(&mut self, root: &Path) -> Result<(), DataError> {
        let strays = entries(root)?.into_iter().filter(|path| !path.is_dir());
        strays.for_each(|path| self.leave_out(path));
        Ok(())
    }

    fn leave_out(&mut self, path: PathBuf) {
        self.others += 1;
        self.other.get_or_insert(path);
    }

    fn notes(self) -> Vec<Note> {
        let mut messages = Vec::new();
        if let Some(path) = &self.other {
            let (count, path) = (self.others, path.display());
            messages.push(format!(
                "{count} files are no images of a class and are left out, such as {path}"
            ));
        }
        for name in &self.empty {
            messages.push(format!(
                "the folder of class {name:?} has no images, so there is no such class"
            ));
        }
        for (paths, problem) in [
            (
                self.beside,
                "is no split and has no images, and is left out",
            ),
            (
                self.loops,
                "leads back to a folder that it is in, and is not followed",
            ),
        ] {
            messages.extend(
                paths
                    .iter()
                    .map(|path| format!("{} {problem}", path.display())),
            );
        }
        messages.into_iter().map(Note::general).collect()
    }
}

/// Whether the extension is that of an image, in capitals or not.
pub(super) fn is_image(path: &Path) -> bool {
    const EXTENSIONS: [&str; 6] = ["png", "jpg", "jpeg", "webp", "bmp", "gif"];
    let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default();
    let mut known = EXTENSIONS.iter();
    known.any(|known| extension.eq_ignore_ascii_case(known))
}

/// Unlabelled images to answer for: a file, a folder (with all folders below it, sorted) or a glob.
///
/// # Errors
/// What [`expand`](crate::expand) says of a path; a folder without images.
pub fn image_files(input: &str) -> Result<Vec<PathBuf>, DataError> {
    let folder = Path::new(input);
    if !folder.is_dir() {
        return crate::files::expand(input);
    }
    let images = Walk::default().images(folder)?;
    if images.is_empty() {
        return Err(DataError::Unusable(format!(
            "{} has no images: none of its files ends in .png, .jpg, .jpeg, .webp, .bmp or .gif",
            absolute(folder).display()
        )));
    }
    Ok(images)
}
