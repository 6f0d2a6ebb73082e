//! The images of one step, as host arrays.

use std::path::PathBuf;

use super::augment::Mix;
use super::pixels::decode;
use super::preprocess::ImagePreprocess;
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
            let bytes = std::fs::read(path).map_err(|source| DataError::read(path, source))?;
            let decoded = decode(&bytes, self.channels, self.max_pixels).map_err(|message| {
                DataError::Image {
                    name: absolute(path).display().to_string(),
                    message,
                }
            })?;
            transform::normalise(&transform::evaluation(decoded, self), self, image);
            Ok(())
        })?;
        Ok(ImagePixels { pixels, dims })
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
