//! Where images are: each source gives the bytes or pixels of one image by its index.

mod answers;
mod columns;
mod files;
mod places;

mod cifar;
mod folder;
mod idx;
mod parquet;
mod table;
mod webdataset;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

pub(crate) use self::answers::{Answers, ClassNames};
use self::cifar::Cifar;
use self::files::Files;
pub use self::folder::image_files;
use self::idx::Idx;
use self::parquet::ParquetImages;
use self::webdataset::Shards;
use super::config::{ImageDataConfig, ImageFormat};
use super::pixels::Pixels;
use crate::config::TargetKind;
use crate::error::{DataError, absolute};
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
    /// Files of gray pixels.
    Idx(Idx),
    /// Files of records.
    Cifar(Cifar),
    /// Members of archives.
    Shards(Shards),
    /// Cells of a column.
    Parquet(ParquetImages),
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
    target: TargetKind,
) -> Result<Found, DataError> {
    let found = match format {
        ImageFormat::ImageFolder => folder::open(config),
        ImageFormat::ImageTable => table::open(config, target),
        ImageFormat::Idx => idx::open(config),
        ImageFormat::Cifar => cifar::open(config),
        ImageFormat::Webdataset => webdataset::open(config, target),
        ImageFormat::ImageParquet => parquet::open(config, target),
    }?;
    debug_assert_eq!(found.answers.len(), found.source.len());
    Ok(found)
}

/// Whether a path names the images of an IDX pair rather than the folder they are in.
pub(crate) fn is_idx_images(path: &Path) -> bool {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().to_ascii_lowercase());
    name.is_some_and(|name| name.contains("idx3") || name.ends_with(".gz"))
}

impl Source {
    /// The number of images.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Files(files) => files.len(),
            Self::Idx(idx) => idx.len(),
            Self::Cifar(cifar) => cifar.len(),
            Self::Shards(shards) => shards.len(),
            Self::Parquet(parquet) => parquet.len(),
        }
    }

    /// The image at this index, which must be below [`Source::len`].
    ///
    /// # Errors
    /// [`DataError::Read`] or [`DataError::Damaged`].
    pub(crate) fn read(&self, index: usize) -> Result<Raw<'_>, DataError> {
        match self {
            Self::Files(files) => files.read(index),
            Self::Idx(idx) => Ok(idx.read(index)),
            Self::Cifar(cifar) => cifar.read(index),
            Self::Shards(shards) => shards.read(index),
            Self::Parquet(parquet) => parquet.read(index),
        }
    }

    /// What to call the image: its path, or the archive and the place in it.
    pub(crate) fn name(&self, index: usize) -> String {
        match self {
            Self::Files(files) => files.name(index),
            Self::Idx(idx) => idx.name(index),
            Self::Cifar(cifar) => cifar.name(index),
            Self::Shards(shards) => shards.name(index),
            Self::Parquet(parquet) => parquet.name(index),
        }
    }

    /// The name from `folder` on, which is the same however the folder is written: relative,
    /// absolute, with `./` before it.
    pub(crate) fn name_in(&self, folder: &Path, index: usize) -> String {
        let name = PathBuf::from(self.name(index));
        let inner = name.strip_prefix(folder).map(Path::to_owned);
        let inner = inner.or_else(|_| {
            let name = absolute(&name);
            name.strip_prefix(absolute(folder)).map(Path::to_owned)
        });
        let parts = inner.as_ref().unwrap_or(&name).components();
        let parts: Vec<_> = parts
            .map(|part| part.as_os_str().to_string_lossy())
            .collect();
        parts.join("/")
    }

    /// Hashes of what is not in [`Found::files`], by place.
    pub(crate) fn hashes(&self) -> Result<BTreeMap<String, String>, DataError> {
        match self {
            Self::Files(files) => files.hashes(),
            Self::Idx(_) | Self::Cifar(_) | Self::Shards(_) | Self::Parquet(_) => {
                Ok(BTreeMap::new())
            }
        }
    }
}
