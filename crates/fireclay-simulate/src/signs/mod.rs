//! Pictures of traffic signs, drawn: twelve classes by the shapes, colours and symbols of the Convention on Road Signs and
//! Signals (Vienna 1968).
//!
//! A pinhole camera sees a flat sign at a random place, in a random size and turn. Every ray that it
//! sends is mapped back onto the sign, and the mean of the rays through a pixel is its colour. Background, light, haze, an
//! obstacle, blur and the noise of the sensor are random too.
//!
//! All of it is simulated: no picture shows a street. The text chunk of each PNG says so.

mod faces;
mod scene;
mod shape;

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::Path;

use self::faces::CLASSES;
use self::scene::Scene;
use crate::SimulateError;
use crate::output::whole;
use crate::random::{Purpose, Random};

/// Width and height of a picture, in pixels.
pub const SIDE: u32 = 48;

/// The names of the classes, sorted.
pub fn classes() -> [&'static str; CLASSES.len()] {
    CLASSES.map(|(name, _)| name)
}

/// Picture number `index` of a seed, of the class of number `index` modulo the classes: 8-bit RGB, row by row from the
/// top.
pub fn picture(seed: u64, index: u32) -> Vec<u8> {
    let random = &mut Random::new(seed, Purpose::Sign, u64::from(index));
    let (_, draw) = CLASSES[index as usize % CLASSES.len()];
    let pixels = Scene::random(random).picture(&draw(), random);
    let channels = pixels.as_flattened().iter();
    channels
        .map(|channel| (channel.clamp(0.0, 1.0) * 255.0).round() as u8)
        .collect()
}

/// Writes `count` pictures as PNG into a new folder, with a folder for each class.
///
/// # Errors
/// [`SimulateError`]: `path` looks like a file or is there already, a class would have no picture, or the system refuses.
pub fn write(path: &Path, seed: u64, count: u32) -> Result<(), SimulateError> {
    if path.extension().is_some_and(|end| !end.is_empty()) {
        return Err(SimulateError::NotFolder(path.to_path_buf()));
    }
    let classes = CLASSES.len();
    if (count as usize) < classes {
        return Err(SimulateError::TooFew { count, classes });
    }
    whole(path, |path| {
        for (name, _) in CLASSES {
            fs::create_dir_all(path.join(name))?;
        }
        (0..count).try_for_each(|index| {
            let (name, _) = CLASSES[index as usize % classes];
            let file = path.join(name).join(format!("{:05}.png", index + 1));
            write_png(&file, seed, &picture(seed, index))
        })
    })
}

fn write_png(path: &Path, seed: u64, pixels: &[u8]) -> io::Result<()> {
    let file = BufWriter::new(File::create(path)?);
    let mut encoder = png::Encoder::new(file, SIDE, SIDE);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let text = format!("Simulated: drawn by fireclay simulate signs, seed {seed}");
    let described = encoder.add_text_chunk("Description".into(), text);
    let mut writer = described.and_then(|()| encoder.write_header())?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn a_picture_depends_on_its_seed_and_number_alone() {
        assert_eq!(picture(42, 7), picture(42, 7));
        assert_ne!(picture(42, 7), picture(43, 7));
        assert_ne!(picture(42, 7), picture(42, 7 + CLASSES.len() as u32));
        assert_eq!(picture(42, 0).len(), (SIDE * SIDE * 3) as usize);
    }

    #[test]
    fn a_folder_has_its_classes_and_every_file_says_that_it_is_simulated() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("signs");
        write(&path, 42, 14).unwrap();
        let mut names: Vec<_> = fs::read_dir(&path)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, classes());
        assert_eq!(fs::read_dir(path.join("ahead_only")).unwrap().count(), 2);
        let file = io::BufReader::new(File::open(path.join("give_way/00002.png")).unwrap());
        let mut reader = png::Decoder::new(file).read_info().unwrap();
        let text = &reader.info().uncompressed_latin1_text[0].text;
        assert!(
            text.starts_with("Simulated") && text.contains("42"),
            "{text}"
        );
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        assert_eq!(pixels, picture(42, 1));
    }

    /// Fails where arithmetic or its order differ from what they were on another machine.
    #[test]
    fn the_pixels_are_the_same_on_every_machine() {
        let mut hash = Sha256::new();
        (0..24).for_each(|index| hash.update(picture(42, index)));
        let hash: String = hash
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(
            hash,
            "90b91d7acef7599d37ab3aceb19c3d8eb07a228b11683b61d67ae2bffca143d6"
        );
    }
}
