//! The archives of images, fetched before they are needed.

use super::ImageSplit;
use crate::shards::{Ahead, Shelf, Upcoming};
use crate::stop::Stop;

impl ImageSplit {
    /// Fetches ahead of time the archives of these images, with their positions; none where all of them stay where they are.
    pub fn ahead(&self, images: Upcoming) -> Option<Ahead> {
        let room = self.source.shuffled()?.room;
        Ahead::new(self.clone(), images, room)
    }
}

impl Shelf for ImageSplit {
    fn wants(&self, image: u32) -> Option<(usize, u64)> {
        let kept = self.kept.get(image as usize);
        // What is in memory is not read again.
        match kept.is_some_and(|pixels| pixels.get().is_some()) {
            true => None,
            false => self.source.wants(self.row(image as usize)),
        }
    }

    fn prepare(&self, archive: usize, stop: &Stop) {
        self.source.prepare(archive, stop);
    }
}
