//! Channels as pieces of work.

use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;

use crate::flex::PIECE;

/// Neighbouring channels: what they have in each image, and what comes of it.
pub(super) type Maps<'a> = Vec<(&'a [f32], &'a mut [f32])>;

/// All channels, as pieces of work.
pub(super) struct Pieces<'a> {
    /// Channels in a piece.
    pub(super) channels: usize,
    /// Numbers of a channel side by side.
    pub(super) positions: usize,
    pub(super) maps: Vec<Maps<'a>>,
}

impl<'a> Pieces<'a> {
    pub(super) fn of(x: &'a FlexTensor, y: &'a mut [f32]) -> Self {
        let (shape, x) = (x.shape(), x.storage());
        let (images, all) = (shape[0], shape[1]);
        let positions: usize = shape[2..].iter().product();
        let channels = (PIECE / (images * positions)).max(1);
        let piece = || Vec::with_capacity(images);
        let mut maps: Vec<Maps> = (0..all.div_ceil(channels)).map(|_| piece()).collect();
        let image = all * positions;
        for (x, y) in x.chunks(image).zip(y.chunks_mut(image)) {
            let (x, y) = (
                x.chunks(channels * positions),
                y.chunks_mut(channels * positions),
            );
            for (maps, map) in maps.iter_mut().zip(x.zip(y)) {
                maps.push(map);
            }
        }
        Self {
            channels,
            positions,
            maps,
        }
    }
}
