//! The images of one step, as host arrays.

use std::path::{Path, PathBuf};

use super::augment::Mix;
use super::decode::{Decoded, examine, header};
use super::preprocess::ImagePreprocess;
use super::source::read_encoded;
use super::transform;
use crate::error::{DataError, absolute};
use crate::labels::Labels;

/// Images with their labels.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageBatch {
    /// Normalised values, `[images, channels, height, width]`.
    pub pixels: Vec<f32>,
    /// Images, channels, height, width.
    pub dims: [usize; 4],
    /// The label of each image; of its own part, where images were mixed.
    pub labels: Labels,
    /// How the images were mixed, if they were.
    pub mix: Option<Mix>,
}

/// Images of which some could not be read.
#[derive(Clone, Debug)]
pub struct ReadImages {
    /// Those that could.
    pub pixels: ImagePixels,
    /// Their positions among the paths.
    pub read: Vec<usize>,
    /// What is wrong with each of the others.
    pub failed: Vec<String>,
    /// How many are stored turned or transparent and are read as they are stored, because the
    /// preprocessing is older than the keys for it.
    pub as_stored: usize,
}

/// Images without labels.
#[derive(Clone, Debug, PartialEq)]
pub struct ImagePixels {
    /// Normalised values, `[images, channels, height, width]`.
    pub pixels: Vec<f32>,
    /// Images, channels, height, width.
    pub dims: [usize; 4],
}

impl ImagePreprocess {
    /// Reads images as the model is to see them.
    ///
    /// # Errors
    /// [`DataError::Read`] or [`DataError::Image`], about the first file that cannot be used.
    pub fn read_batch(&self, paths: &[PathBuf]) -> Result<ImagePixels, DataError> {
        let dims = self.dims(paths.len());
        let pixels = assemble(dims, paths, |path, image| {
            transform::normalise(&self.seen(path)?.pixels, self, image);
            Ok(())
        })?;
        Ok(ImagePixels { pixels, dims })
    }

    /// Height and width of an image as it is stored, upright if the run turns images upright.
    ///
    /// # Errors
    /// As [`read_batch`](Self::read_batch), as far as the header tells.
    pub fn stored_size(&self, path: &Path) -> Result<[usize; 2], DataError> {
        let bytes = read_encoded(path)?;
        self.stored_size_in(&bytes, || absolute(path).display().to_string())
    }

    /// The same of the bytes of a file, which errors call so.
    ///
    /// # Errors
    /// [`DataError::Image`], as far as the header tells.
    pub fn stored_size_in(
        &self,
        bytes: &[u8],
        name: impl Fn() -> String,
    ) -> Result<[usize; 2], DataError> {
        let found = header(bytes, &self.decoding()).map_err(|message| DataError::Image {
            name: name(),
            message,
        })?;
        Ok([found.height, found.width])
    }

    /// Reads images as the model is to see them, and says which ones cannot be read.
    pub fn read_each(&self, paths: &[PathBuf]) -> ReadImages {
        let (mut read, mut failed, mut as_stored) = (Vec::new(), Vec::new(), 0);
        let mut pixels = Vec::new();
        let length: usize = self.dims(1).iter().product();
        for (position, path) in paths.iter().enumerate() {
            match self.seen(path) {
                Ok(seen) => {
                    let start = pixels.len();
                    pixels.resize(start + length, 0.0);
                    transform::normalise(&seen.pixels, self, &mut pixels[start..]);
                    read.push(position);
                    as_stored += usize::from(self.is_as_stored(&seen));
                }
                Err(error) => failed.push(error.to_string()),
            }
        }
        let dims = self.dims(read.len());
        ReadImages {
            pixels: ImagePixels { pixels, dims },
            read,
            failed,
            as_stored,
        }
    }

    /// How many images, each the bytes of a file, [`ReadImages::as_stored`] counts. What cannot be read is not counted.
    pub fn count_as_stored<'a>(&self, images: impl Iterator<Item = &'a [u8]>) -> usize {
        let decoded = images.filter_map(|bytes| examine(bytes, &self.decoding()).ok());
        decoded.filter(|image| self.is_as_stored(image)).count()
    }

    fn is_as_stored(&self, image: &Decoded) -> bool {
        self.reads_as_stored() && (image.traits.turned || image.traits.transparent)
    }

    /// Reads images that are in memory, each the bytes of a file, as the model is to see them. Errors call the first of
    /// them image `before + 1`.
    ///
    /// # Errors
    /// [`DataError::Image`], about the first that cannot be used.
    pub fn read_bytes(&self, images: &[&[u8]], before: usize) -> Result<ImagePixels, DataError> {
        let dims = self.dims(images.len());
        let numbered: Vec<_> = (before + 1..).zip(images).collect();
        let pixels = assemble(dims, &numbered, |(number, bytes), image| {
            let seen = self.seen_in(bytes, || format!("image {number}"))?;
            transform::normalise(&seen.pixels, self, image);
            Ok(())
        })?;
        Ok(ImagePixels { pixels, dims })
    }

    /// The part of an image that the model sees.
    fn seen(&self, path: &Path) -> Result<Decoded, DataError> {
        let bytes = read_encoded(path)?;
        self.seen_in(&bytes, || absolute(path).display().to_string())
    }

    fn seen_in(&self, bytes: &[u8], name: impl Fn() -> String) -> Result<Decoded, DataError> {
        let decoded = examine(bytes, &self.decoding()).map_err(|message| DataError::Image {
            name: name(),
            message,
        })?;
        Ok(Decoded {
            pixels: transform::evaluation(decoded.pixels, self),
            ..decoded
        })
    }

    /// The shape of so many images.
    pub(crate) fn dims(&self, images: usize) -> [usize; 4] {
        [images, self.channels.count(), self.height, self.width]
    }
}

/// An array of this shape, of which `write` fills the part of each item in its position.
pub(crate) fn assemble<T>(
    dims: [usize; 4],
    items: &[T],
    mut write: impl FnMut(&T, &mut [f32]) -> Result<(), DataError>,
) -> Result<Vec<f32>, DataError> {
    let length = dims[1] * dims[2] * dims[3];
    let mut pixels = vec![0.0; dims[0] * length];
    for (item, image) in items.iter().zip(pixels.chunks_exact_mut(length)) {
        write(item, image)?;
    }
    Ok(pixels)
}
