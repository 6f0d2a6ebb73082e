//! Where images are: each source gives the bytes or pixels of one image by its index.

mod answers;
mod files;
mod folder;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

pub(crate) use self::answers::{Answers, ClassNames};
use self::files::Files;
pub use self::folder::image_files;
use super::config::{ImageDataConfig, ImageFormat};
use super::pixels::Pixels;
use crate::config::TargetKind;
use crate::error::DataError;
use crate::schema::Note;
use crate::table::Table;

/// An image as it is stored.
#[derive(Debug)]
pub(crate) enum Raw<'a> {
    /// PNG, JPEG and so on.
    Encoded(Cow<'a, [u8]>),
    /// Already pixels.
    Pixels(Pixels),
}

/// Images by index.
#[derive(Debug)]
pub(crate) enum Source {
    /// A file each.
    Files(Files),
}

/// Everything that the places of a configuration hold.
pub(crate) struct Found {
    pub(crate) source: Source,
    /// What is known of each image.
    pub(crate) answers: Answers,
    /// The images that are for validation only.
    pub(crate) valid: Option<Range<usize>>,
    /// The images that are for the test only.
    pub(crate) test: Option<Range<usize>>,
    /// The table that the images come from, a row each.
    pub(crate) table: Option<Table>,
    pub(crate) notes: Vec<Note>,
    /// Files to hash besides those of the source.
    pub(crate) files: Vec<PathBuf>,
}

/// Finds all images and their labels, without decoding any.
pub(crate) fn open(
    format: ImageFormat,
    config: &ImageDataConfig,
    _target: TargetKind,
) -> Result<Found, DataError> {
    match format {
        ImageFormat::ImageFolder => folder::open(config),
        _ => Err(DataError::Unusable(format!("{} is not there yet", format.name()))),
    }
}

/// Whether a path names the images of an IDX pair rather than the folder they are in.
pub(crate) fn is_idx_images(path: &std::path::Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase());
    name.is_some_and(|name| name.contains("idx3") || name.ends_with(".gz"))
}

impl Source {
    /// The number of images.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Files(files) => files.len(),
        }
    }

    /// The image at this index, which must be below [`Source::len`].
    ///
    /// # Errors
    /// [`DataError::Read`] or [`DataError::Damaged`].
    pub(crate) fn read(&self, index: usize) -> Result<Raw<'_>, DataError> {
        match self {
            Self::Files(files) => files.read(index),
        }
    }

    /// What to call the image: its path, or the archive and the place in it.
    pub(crate) fn name(&self, index: usize) -> String {
        match self {
            Self::Files(files) => files.name(index),
        }
    }

    /// Hashes of what is not in [`Found::files`], by place.
    pub(crate) fn hashes(&self) -> Result<BTreeMap<String, String>, DataError> {
        match self {
            Self::Files(files) => files.hashes(),
        }
    }
}
