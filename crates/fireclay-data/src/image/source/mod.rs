//! Where images are: each source gives the bytes or pixels of one image by its index. A format is a
//! file here, its `mod` and a line in the list below.

mod columns;
mod files;
mod image_labels;
mod steady;

mod cifar;
mod idx;
mod image_folder;
mod image_parquet;
mod image_table;
mod webdataset;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(super) use self::files::read_encoded;
pub use self::image_folder::{FoundImages, image_files};
pub(crate) use self::image_labels::{ClassNames, ImageLabels};
use self::steady::Steady;
use super::config::ImageDataConfig;
use super::pixels::{Channels, Pixels};
use crate::error::{DataError, absolute};
use crate::labels::TargetKind;
use crate::note::Note;
use crate::shards::Room;
use crate::stop::Stop;
use crate::table::Table;
use crate::words::formats;

formats! {
    /// How images and their labels are stored: the `type` of `[data]`.
    pub enum ImageFormat: Format {
        /// A folder for each class.
        ImageFolder = "image_folder" => image_folder,
        /// A CSV, JSON Lines or Parquet table with a column of paths.
        ImageTable = "image_table" => image_table,
        /// The IDX files of MNIST and its relatives, compressed or not.
        Idx = "idx" => idx,
        /// The binary files of CIFAR-10 and CIFAR-100.
        Cifar = "cifar" => cifar,
        /// Tar archives whose members are grouped into samples by name.
        Webdataset = "webdataset" => webdataset,
        /// Parquet files with the bytes of the images inside, as Hugging Face writes them.
        ImageParquet = "image_parquet" => image_parquet,
    }
}

/// What a format says of itself.
pub(crate) struct Format {
    /// Finds all images and their labels, without decoding any.
    open: fn(&ImageDataConfig, TargetKind) -> Result<Found, DataError>,
    /// The keys of `[data]` that it reads beside those that every format reads. Without `target`
    /// each image has one class.
    pub(crate) keys: &'static [&'static str],
    /// Whether images are rows of a table, whose columns can decide about splits.
    pub(crate) has_columns: bool,
    /// Whether this `path` is the folder that the images are in.
    pub(crate) is_folder: fn(&Path) -> bool,
    /// The side in pixels, the channels and the number of classes that data in this format usually
    /// has; `None` if it can have any.
    usual: fn(&ImageDataConfig) -> Option<(usize, Channels, usize)>,
}

impl ImageFormat {
    /// The side in pixels, the channels and the number of classes that data in this format usually
    /// has; `None` if it can have any.
    pub fn usual(self, config: &ImageDataConfig) -> Option<(usize, Channels, usize)> {
        (self.format().usual)(config)
    }
}

/// An image as it is stored.
#[derive(Debug)]
pub(crate) enum Raw<'a> {
    /// PNG, JPEG and so on.
    Encoded(Cow<'a, [u8]>),
    /// Already pixels.
    Pixels(Pixels),
}

/// Images by index; an index must be below the length.
pub(crate) trait Source: Debug + Send + Sync {
    /// The number of images.
    fn len(&self) -> usize;

    /// One image.
    ///
    /// # Errors
    /// [`DataError::Read`] or [`DataError::Damaged`].
    fn read(&self, index: usize) -> Result<Raw<'_>, DataError>;

    /// What to call an image: its path, or the archive and the position in it.
    fn name(&self, index: usize) -> String;

    /// Whether each image has a file of its own.
    fn has_files(&self) -> bool {
        false
    }

    /// The first bytes of an image, at most `most`, where they are quicker to read than all.
    ///
    /// # Errors
    /// [`DataError::Read`].
    fn read_start(&self, _index: usize, _most: u64) -> Result<Option<Vec<u8>>, DataError> {
        Ok(None)
    }

    /// How the images of an epoch are put in order, where only a few archives are at hand at a time.
    fn shuffled(&self) -> Option<Shuffled<'_>> {
        None
    }

    /// The archive that has to be fetched for an image, and its bytes; none where it stays where it is.
    fn wants(&self, _index: usize) -> Option<(usize, u64)> {
        None
    }

    /// Has an archive fetched ahead of time.
    fn prepare(&self, _archive: usize, _stop: &Stop) {}

    /// Hashes of what is not in [`Found::files`], by name.
    ///
    /// # Errors
    /// [`DataError::Read`].
    fn hashes(&self) -> Result<BTreeMap<String, String>, DataError> {
        Ok(BTreeMap::new())
    }
}

/// Images of archives of which only a few are at hand at a time.
pub(crate) struct Shuffled<'a> {
    /// How many archives there are.
    pub(crate) archives: usize,
    /// How many of them are mixed, and what there is room for.
    pub(crate) room: Room,
    /// The archive of an image.
    pub(crate) archive: Box<dyn Fn(usize) -> usize + 'a>,
}

/// Everything that the paths of a configuration hold.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) source: Arc<dyn Source>,
    /// What is known of each image.
    pub(crate) labels: ImageLabels,
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
    let found = (format.format().open)(config, target)?;
    debug_assert_eq!(found.labels.len(), found.source.len());
    Ok(Found {
        source: Arc::new(Steady::new(found.source)),
        ..found
    })
}

/// The name of an image from `folder` on, which is the same however the folder is written:
/// relative, absolute, with `./` before it.
pub(crate) fn name_in(source: &dyn Source, folder: &Path, index: usize) -> String {
    let name = PathBuf::from(source.name(index));
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
