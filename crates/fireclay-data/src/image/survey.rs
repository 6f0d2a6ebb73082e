//! How images are stored, as far as some were looked at, and which of them are damaged.

use super::config::Background;
use super::decode::{Decoding, Traits, examine, has_more_frames};
use super::pixels::Pixels;
use super::preprocess::ImagePreprocess;
use super::shape::{in_parallel, spaced};
use super::source::{Raw, Source};
use super::split::threads;
use crate::error::DataError;
use crate::note::Note;

/// How many damaged images a note names.
pub const NAMED: usize = 20;

/// What was found in images that were decoded.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// Images that could be decoded, without those of formats that store plain pixels.
    looked: usize,
    turned: usize,
    transparent: usize,
    deep: usize,
    more: usize,
    /// Rows of the source, each with the reason why its image cannot be decoded.
    pub(super) damaged: Vec<(usize, DataError)>,
}

impl Survey {
    /// Decodes one image; none where it is damaged, which is noted.
    ///
    /// # Errors
    /// [`DataError::Read`].
    pub(super) fn look(
        &mut self,
        source: &dyn Source,
        row: usize,
        how: &Decoding,
    ) -> Result<Option<Pixels>, DataError> {
        let error = match source.read(row) {
            Ok(Raw::Pixels(pixels)) => return Ok(Some(pixels.into_channels(how.channels))),
            Ok(Raw::Encoded(bytes)) => match examine(&bytes, how) {
                Ok(decoded) => {
                    self.count(decoded.traits, has_more_frames(&bytes));
                    return Ok(Some(decoded.pixels));
                }
                Err(message) => {
                    let name = source.name(row);
                    DataError::Image { name, message }
                }
            },
            Err(error @ DataError::Damaged { .. }) => error,
            Err(other) => return Err(other),
        };
        self.damaged.push((row, error));
        Ok(None)
    }

    /// Decodes images at evenly spaced rows, at most `most` of them.
    ///
    /// # Errors
    /// [`DataError::Read`].
    pub(super) fn of(
        source: &dyn Source,
        rows: &[usize],
        most: usize,
        how: &Decoding,
    ) -> Result<Self, DataError> {
        let rows: Vec<usize> = spaced(rows, most).collect();
        let look = |rows: &[usize]| {
            let mut survey = Self::default();
            for &row in rows {
                survey.look(source, row, how)?;
            }
            Ok::<_, DataError>(survey)
        };
        let mut all = Self::default();
        for part in in_parallel(source, &rows, threads(), look) {
            all.add(part?);
        }
        Ok(all)
    }

    fn count(&mut self, traits: Traits, more: bool) {
        self.looked += 1;
        self.turned += usize::from(traits.turned);
        self.transparent += usize::from(traits.transparent);
        self.deep += usize::from(traits.deep);
        self.more += usize::from(more);
    }

    /// Whether so many images could be decoded.
    pub(super) fn has_seen(&self, count: usize) -> bool {
        self.damaged.is_empty() && self.looked >= count
    }

    /// Adds what was found in other images.
    pub(super) fn add(&mut self, other: Self) {
        self.looked += other.looked;
        self.turned += other.turned;
        self.transparent += other.transparent;
        self.deep += other.deep;
        self.more += other.more;
        self.damaged.extend(other.damaged);
    }

    /// What there is to say of images for a run that reads them in this way.
    pub(super) fn notes_for_run(&self, preprocess: &ImagePreprocess) -> Vec<Note> {
        if !preprocess.reads_as_stored() {
            return self.notes(&preprocess.decoding());
        }
        let note = as_stored(self.turned + self.transparent);
        note.map(Note::general).into_iter().collect()
    }

    /// What is guessed or lost when the images are read in this way, with the key that says otherwise.
    pub(super) fn notes(&self, how: &Decoding) -> Vec<Note> {
        let turned = match how.exif_orientation {
            true => {
                "are stored turned and are turned upright as their EXIF data says (exif_orientation = false leaves them)"
            }
            false => {
                "are stored turned and are left so (exif_orientation = true turns them upright)"
            }
        };
        let transparent = match how.background {
            Background::White => {
                "have transparent pixels, seen as white (background = \"black\" or \"none\")"
            }
            Background::Black => "have transparent pixels, seen as black (background)",
            Background::None => {
                "have transparent pixels, seen in the colour that they store (background = \"white\" or \"black\")"
            }
        };
        let found = [
            (self.turned, turned),
            (self.transparent, transparent),
            (
                self.deep,
                "have more than 8 bits for a value and are scaled to 8",
            ),
            (
                self.more,
                "are animations or have several pages; the first image of each is taken",
            ),
        ];
        let found = found.into_iter().filter(|(count, _)| *count > 0);
        let note = |(count, what)| format!("{count} of {} images looked at {what}", self.looked);
        found.map(note).map(Note::general).collect()
    }
}

/// What is said where a run from before there were keys for it reads images that are turned or
/// transparent.
pub fn as_stored(count: usize) -> Option<String> {
    let message = format!(
        "{count} images are stored turned or have transparent pixels, and are read as they are stored, as this run was trained (it is older than exif_orientation and background)"
    );
    (count > 0).then_some(message)
}

/// Names some of the damaged images, with the reasons, and how many more there are.
pub(super) fn named(damaged: &[String], most: usize, between: &str) -> String {
    let mut names = damaged[..damaged.len().min(most)].join(between);
    if damaged.len() > most {
        names += &format!("{between}and {} more", damaged.len() - most);
    }
    names
}

/// What is said of damaged images that are left out.
pub(super) fn left_out(damaged: &[String]) -> Option<Note> {
    let (count, names) = (damaged.len(), named(damaged, NAMED, "; "));
    let message = format!("{count} damaged images are left out (on_damaged): {names}");
    (count > 0).then(|| Note::general(message))
}

/// The error that these damaged images are, with all of their names.
pub(super) fn refusal(damaged: &[String]) -> DataError {
    let (count, names) = (damaged.len(), named(damaged, 1000, "\n  "));
    let (images, them) = match count {
        1 => ("image", "it"),
        _ => ("images", "them"),
    };
    DataError::Unusable(format!(
        "{count} {images} cannot be decoded:\n  {names}\nmend or remove {them}, or set on_damaged = \"skip\" in [data] to leave {them} out"
    ))
}
