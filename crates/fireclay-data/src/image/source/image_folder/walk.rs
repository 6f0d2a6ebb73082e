//! A walk through folders, and what it leaves out.

use std::ffi::OsStr;
use std::fs::{File, FileType};
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::{DataError, absolute};
use crate::image::decode::format_of;
use crate::note::Note;

/// How the names of images end.
pub(in crate::image) const ENDINGS: &str =
    ".png, .jpg, .jpeg, .jpe, .jfif, .webp, .bmp, .gif, .tif or .tiff";

const EXTENSIONS: [&str; 15] = [
    "png", "apng", "jpg", "jpeg", "jpe", "jfif", "jif", "pjpeg", "pjp", "webp", "bmp", "dib",
    "gif", "tif", "tiff",
];

/// Formats of images that are not read.
const UNREAD: [&str; 32] = [
    "heic", "heif", "avif", "svg", "psd", "ico", "tga", "exr", "hdr", "jp2", "j2k", "jpx", "jxl",
    "pnm", "ppm", "pgm", "pbm", "dcm", "dicom", "nii", "raw", "cr2", "cr3", "nef", "arw", "dng",
    "orf", "rw2", "raf", "eps", "xcf", "mpo",
];

/// How many of the files that are left out are named.
const NAMED: usize = 5;

/// The folders in a folder, sorted, without hidden ones.
pub(super) fn subfolders(root: &Path) -> Result<Vec<PathBuf>, DataError> {
    let folders = entries(root)?.into_iter();
    Ok(folders.filter(|path| path.is_dir()).collect())
}

/// The images that are directly in a folder, sorted.
pub(super) fn own_images(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let files = entries(folder)?.into_iter();
    Ok(files
        .filter(|path| path.is_file() && is_taken(path))
        .collect())
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
pub(super) struct Walk {
    /// Class folders without an image.
    pub(super) empty: Vec<String>,
    /// Class folders with folders that are named like splits.
    pub(super) split_classes: Vec<PathBuf>,
    /// Images beside the folders of the classes.
    loose: LeftOut,
    /// Images in formats that are not read.
    unread: LeftOut,
    /// Images by what is in them, but not by their names.
    misnamed: LeftOut,
    /// Files that are no images.
    others: LeftOut,
    /// Links to a folder that they are in.
    loops: Vec<PathBuf>,
    /// The folder that all images should be in, as the system knows it; links elsewhere are told of.
    root: Option<PathBuf>,
    /// Links to what is elsewhere.
    outside: LeftOut,
    /// What else there is to say.
    pub(super) said: Vec<String>,
}

/// Files that are left out for one reason: the first of them, and how many there are.
#[derive(Default)]
struct LeftOut {
    first: Vec<PathBuf>,
    count: usize,
}

impl LeftOut {
    fn push(&mut self, path: PathBuf) {
        if self.count < NAMED {
            self.first.push(path);
        }
        self.count += 1;
    }

    fn message(&self, one: &str, several: &str) -> Option<String> {
        let names = self.first.iter().map(|path| path.display().to_string());
        let names = names.collect::<Vec<_>>().join(", ");
        match self.count {
            0 => None,
            1 => Some(format!("1 file {one}: {names}")),
            count if count > NAMED => Some(format!("{count} files {several}, such as {names}")),
            count => Some(format!("{count} files {several}: {names}")),
        }
    }
}

impl Walk {
    /// A walk of which links that lead out of the folder `root` are told.
    pub(super) fn within(root: &Path) -> Self {
        Self {
            root: root.canonicalize().ok(),
            ..Self::default()
        }
    }

    /// The images in a folder and all folders below it, sorted.
    pub(super) fn images(&mut self, folder: &Path) -> Result<Vec<PathBuf>, DataError> {
        // The folder may be a link itself; what is in it cannot be told from what is outside then.
        let _ = self.kind(folder);
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
            let kind = self.kind(&path);
            if kind.as_ref().is_ok_and(FileType::is_dir) {
                self.descend(&path, above, images)?;
            } else if kind.as_ref().map_or(true, FileType::is_file) && is_taken(&path) {
                // A broken link is named when it is read; a pipe would never be read to its end.
                images.push(path);
            } else {
                self.leave_out(path);
            }
        }
        above.pop();
        Ok(())
    }

    /// What is at a path, or where a link there leads.
    fn kind(&mut self, path: &Path) -> std::io::Result<FileType> {
        let own = std::fs::symlink_metadata(path)?.file_type();
        if !own.is_symlink() {
            return Ok(own);
        }
        let (root, target) = (self.root.as_ref(), path.canonicalize());
        if root.is_some_and(|root| target.is_ok_and(|target| !target.starts_with(root))) {
            self.outside.push(path.to_owned());
        }
        std::fs::metadata(path).map(|found| found.file_type())
    }

    /// Leaves out the files that are beside the folders of the classes.
    pub(super) fn leave_strays(&mut self, root: &Path) -> Result<(), DataError> {
        for path in entries(root)?.into_iter().filter(|path| !path.is_dir()) {
            match path.is_file() && is_taken(&path) {
                true => self.loose.push(path),
                false => self.leave_out(path),
            }
        }
        Ok(())
    }

    fn leave_out(&mut self, path: PathBuf) {
        let left = if has_extension(&path, &UNREAD) {
            &mut self.unread
        } else if path.is_file() && holds_image(&path) {
            &mut self.misnamed
        } else {
            &mut self.others
        };
        left.push(path);
    }

    pub(super) fn notes(self) -> Vec<Note> {
        let mut messages = self.said;
        if let Some(first) = self.split_classes.first() {
            messages.push(format!(
                "folders that are named like splits inside of a class are not read as splits, such as those in {}: all of its images are taken together; for splits put the classes into train, valid and test",
                first.display()
            ));
        }
        messages.extend(self.loose.message(
            "is an image beside the folders of the classes and is left out",
            "are images beside the folders of the classes and are left out",
        ));
        messages.extend(self.unread.message(
            "is an image in a format that is not read and is left out; convert it to JPEG or PNG",
            "are images in formats that are not read and are left out; convert them to JPEG or PNG",
        ));
        messages.extend(self.misnamed.message(
            &format!("holds an image, but is left out because its name does not end in {ENDINGS}"),
            &format!("hold images, but are left out because their names do not end in {ENDINGS}"),
        ));
        messages.extend(self.others.message(
            "is no image and is left out",
            "are no images and are left out",
        ));
        let outside = self.outside.message(
            "is a link that leads out of the folder, and is followed",
            "are links that lead out of the folder, and are followed",
        );
        messages.extend(outside);
        for name in &self.empty {
            messages.push(format!(
                "the folder of class {name:?} has no images, so there is no such class"
            ));
        }
        for path in &self.loops {
            let path = path.display();
            messages.push(format!(
                "{path} leads back to a folder that it is in, and is not followed"
            ));
        }
        messages.into_iter().map(Note::general).collect()
    }
}

/// Whether the extension is that of an image, in capitals or not.
pub(in crate::image) fn is_image(path: &Path) -> bool {
    has_extension(path, &EXTENSIONS)
}

/// Whether a file is taken for an image: by the end of its name, or where that has none by its content.
fn is_taken(path: &Path) -> bool {
    is_image(path) || path.extension().is_none() && holds_image(path)
}

fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default();
    let mut known = extensions.iter();
    known.any(|known| extension.eq_ignore_ascii_case(known))
}

/// Whether a file begins as an image does.
fn holds_image(path: &Path) -> bool {
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(16).read_to_end(&mut start));
    read.is_ok() && format_of(&start).is_some()
}

/// Images to predict for, and what there is to say of files that are left out.
#[derive(Clone, Debug)]
pub struct FoundImages {
    /// The images, sorted.
    pub files: Vec<PathBuf>,
    /// What the user should know.
    pub notes: Vec<Note>,
}

/// Unlabelled images to answer for: a file, a folder (with all folders below it, sorted) or a glob.
///
/// # Errors
/// What [`expand`](crate::expand) says of a path; a folder without images.
pub fn image_files(input: &str) -> Result<FoundImages, DataError> {
    let folder = Path::new(input);
    if !folder.is_dir() {
        let (files, notes) = (crate::files::expand(input)?, Vec::new());
        return Ok(FoundImages { files, notes });
    }
    let mut walk = Walk::within(folder);
    let files = walk.images(folder)?;
    let notes = walk.notes();
    if files.is_empty() {
        let notes = notes.iter().map(|note| format!("; {note}"));
        return Err(DataError::Unusable(format!(
            "{} has no images: none of its files ends in {ENDINGS}{}",
            absolute(folder).display(),
            notes.collect::<String>()
        )));
    }
    Ok(FoundImages { files, notes })
}
