//! The IDX files of MNIST, Fashion-MNIST, EMNIST and others (<http://yann.lecun.com/exdb/mnist/>):
//! a file of images and a file of labels, compressed or not.

mod names;

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::MultiGzDecoder;

use self::names::{held_out, labels_of, pairs};
use super::{Answers, ClassNames, Format, Found, Raw, Source};
use crate::error::{DataError, absolute};
use crate::image::config::ImageDataConfig;
use crate::image::pixels::{Channels, Pixels};

pub(super) const FORMAT: Format = Format {
    open: |config, _| open(config),
    keys: &["transpose", "valid_path", "test_path"],
    has_columns: false,
    is_folder: |path| !is_images(path),
    usual: |_| Some((28, Channels::Gray, 10)),
};

/// Unsigned bytes with three dimensions: images, rows, columns.
const IMAGES: u32 = 0x0803;
/// Unsigned bytes with one dimension.
const LABELS: u32 = 0x0801;

/// No file may unpack to more, as they are held in memory. (All of EMNIST has 0.6 GiB.)
const MOST_BYTES: u64 = 16 << 30;

/// Files of images, in memory.
#[derive(Debug, Default)]
struct Idx {
    files: Vec<Images>,
    transpose: bool,
}

#[derive(Debug)]
struct Images {
    name: String,
    /// The index of the first image.
    start: usize,
    count: usize,
    height: usize,
    width: usize,
    data: Vec<u8>,
}

impl Source for Idx {
    fn len(&self) -> usize {
        self.files.last().map_or(0, |file| file.start + file.count)
    }

    fn read(&self, index: usize) -> Result<Raw<'_>, DataError> {
        let (file, image) = self.find(index);
        let (height, width) = (file.height, file.width);
        let size = height * width;
        let stored = &file.data[image * size..(image + 1) * size];
        if !self.transpose {
            return Ok(Raw::Pixels(Pixels {
                width,
                height,
                channels: 1,
                data: stored.to_vec(),
            }));
        }
        let turned = (0..width).flat_map(|x| (0..height).map(move |y| stored[y * width + x]));
        Ok(Raw::Pixels(Pixels {
            width: height,
            height: width,
            channels: 1,
            data: turned.collect(),
        }))
    }

    fn name(&self, index: usize) -> String {
        let (file, image) = self.find(index);
        format!("{}#{image}", file.name)
    }
}

impl Idx {
    fn find(&self, index: usize) -> (&Images, usize) {
        let file = self.files.partition_point(|file| file.start <= index) - 1;
        (&self.files[file], index - self.files[file].start)
    }
}

/// Whether a path names the images of a pair rather than the folder they are in.
fn is_images(path: &Path) -> bool {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().to_ascii_lowercase());
    name.is_some_and(|name| name.contains("idx3") || name.ends_with(".gz"))
}

fn open(config: &ImageDataConfig) -> Result<Found, DataError> {
    let (train, beside) = pairs(Path::new(&config.path))?;
    let own = |path: &Option<String>| {
        let path = path.as_ref().map(|path| held_out(Path::new(path)));
        path.transpose()
    };
    let test = match (beside, own(&config.test_path)?) {
        (Some(beside), Some(_)) => {
            return Err(DataError::Split(format!(
                "test_path contradicts {}, which is beside the training images: use one of them",
                absolute(&beside).display()
            )));
        }
        (beside, own) => own.or(beside),
    };
    let valid = own(&config.valid_path)?;
    let mut idx = Idx {
        files: Vec::new(),
        transpose: config.transpose,
    };
    let (mut classes, mut files) = (ClassNames::default(), Vec::new());
    let mut add = |images: PathBuf| {
        let start = idx.len();
        let labels = labels_of(&images)?;
        read_pair(&images, &labels, config.max_pixels, &mut idx, &mut classes)?;
        files.extend([images, labels]);
        Ok::<_, DataError>(start..idx.len())
    };
    add(train)?;
    let valid = valid.map(&mut add).transpose()?;
    let test = test.map(&mut add).transpose()?;
    Ok(Found {
        source: Arc::new(idx),
        answers: Answers::Classes(classes),
        valid,
        test,
        table: None,
        notes: Vec::new(),
        files,
    })
}

fn read_pair(
    images: &Path,
    labels: &Path,
    max_pixels: u64,
    idx: &mut Idx,
    classes: &mut ClassNames,
) -> Result<(), DataError> {
    // What the headers claim is judged before anything is read, let alone unpacked.
    let pixels = Contents::<3>::open(images, IMAGES)?;
    let names = Contents::<1>::open(labels, LABELS)?;
    check_sizes(&pixels, &names, max_pixels)?;
    let [count, height, width] = pixels.sizes;
    let (data, named) = (pixels.read()?, names.read()?);
    for label in named {
        classes.push(&label.to_string());
    }
    let (name, start) = (images.display().to_string(), idx.len());
    idx.files.push(Images {
        name,
        start,
        count,
        height,
        width,
        data,
    });
    Ok(())
}

fn check_sizes(
    pixels: &Contents<'_, 3>,
    names: &Contents<'_, 1>,
    max_pixels: u64,
) -> Result<(), DataError> {
    let ([count, height, width], [labelled]) = (pixels.sizes, names.sizes);
    let (images, labels) = (pixels.path, names.path);
    if count != labelled {
        let images = absolute(images);
        let message = format!(
            "{labelled} labels for the {count} images of {}",
            images.display()
        );
        return Err(DataError::damaged(labels, message));
    }
    if height == 0 || width == 0 || count == 0 {
        let message =
            format!("{count} images of {height} by {width} pixels are nothing to learn from");
        return Err(DataError::damaged(images, message));
    }
    // Sides have 32 bits each.
    if height as u64 * width as u64 > max_pixels {
        let message = format!(
            "the images have {width} by {height} pixels, more than max_pixels = {max_pixels}"
        );
        return Err(DataError::damaged(images, message));
    }
    Ok(())
}

/// A file whose header has been read.
struct Contents<'a, const N: usize> {
    path: &'a Path,
    sizes: [usize; N],
    /// The product of the sizes.
    total: u64,
    rest: Box<dyn Read>,
}

impl<'a, const N: usize> Contents<'a, N> {
    fn open(path: &'a Path, magic: u32) -> Result<Self, DataError> {
        let file = File::open(path).map_err(|source| DataError::read(path, source))?;
        let mut file = BufReader::new(file);
        let start = file
            .fill_buf()
            .map_err(|source| DataError::read(path, source))?;
        let is_gzip = start.starts_with(&[0x1f, 0x8b]);
        let mut rest: Box<dyn Read> = if is_gzip {
            Box::new(MultiGzDecoder::new(file))
        } else {
            Box::new(file)
        };
        let found = read_u32(path, &mut rest)?;
        if found != magic {
            let what = if magic == IMAGES { "images" } else { "labels" };
            return Err(DataError::damaged(
                path,
                format!(
                    "no IDX file of {what}: it begins with {found:#010x} instead of {magic:#010x}"
                ),
            ));
        }
        let mut sizes = [0; N];
        for size in &mut sizes {
            *size = read_u32(path, &mut rest)? as usize;
        }
        let total = sizes
            .iter()
            .try_fold(1u64, |total, &size| total.checked_mul(size as u64));
        let Some(total) = total.filter(|total| *total <= MOST_BYTES) else {
            return Err(DataError::damaged(
                path,
                format!("the header claims {sizes:?} bytes, more than the 16 GiB that are read"),
            ));
        };
        Ok(Self {
            path,
            sizes,
            total,
            rest,
        })
    }

    /// The bytes, which must be as many as the header claims.
    fn read(self) -> Result<Vec<u8>, DataError> {
        let Self { path, total, .. } = self;
        // The claim decides how much is read, never how much memory is taken: that grows with the
        // data.
        let mut data = Vec::new();
        let read = self.rest.take(total + 1).read_to_end(&mut data);
        read.map_err(|source| short(path, source))?;
        match (data.len() as u64).cmp(&total) {
            std::cmp::Ordering::Equal => Ok(data),
            std::cmp::Ordering::Less => Err(DataError::damaged(
                path,
                format!(
                    "{} bytes of data where the header claims {total}: the file is cut short",
                    data.len()
                ),
            )),
            std::cmp::Ordering::Greater => Err(DataError::damaged(
                path,
                format!("more data than the {total} bytes that the header claims"),
            )),
        }
    }
}

fn read_u32(path: &Path, reader: &mut dyn Read) -> Result<u32, DataError> {
    let mut bytes = [0; 4];
    reader
        .read_exact(&mut bytes)
        .map_err(|source| short(path, source))?;
    Ok(u32::from_be_bytes(bytes))
}

fn short(path: &Path, source: std::io::Error) -> DataError {
    match source.kind() {
        std::io::ErrorKind::UnexpectedEof => DataError::damaged(path, "the file is cut short"),
        std::io::ErrorKind::InvalidInput | std::io::ErrorKind::InvalidData => {
            DataError::damaged(path, format!("the compressed data is damaged: {source}"))
        }
        _ => DataError::read(path, source),
    }
}
