//! The IDX files of MNIST, Fashion-MNIST, EMNIST and others (<http://yann.lecun.com/exdb/mnist/>):
//! a file of images and a file of labels, compressed or not.

mod names;

use std::cmp::Ordering;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::MultiGzDecoder;

use self::names::{held_out, labels_of, pairs};
use super::{ClassNames, Format, Found, ImageLabels, Raw, Source};
use crate::error::{DataError, absolute};
use crate::files::unpacking;
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
        let turned = || (0..width).flat_map(|x| (0..height).map(move |y| stored[y * width + x]));
        let (width, height, data) = match self.transpose {
            true => (height, width, turned().collect()),
            false => (width, height, stored.to_vec()),
        };
        Ok(Raw::Pixels(Pixels {
            width,
            height,
            channels: 1,
            data,
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
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.to_ascii_lowercase();
    name.contains("idx3") || name.ends_with(".gz")
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
        let (start, labels) = (idx.len(), labels_of(&images)?);
        read_pair(&images, &labels, config.max_pixels, &mut idx, &mut classes)?;
        files.extend([images, labels]);
        Ok::<_, DataError>(start..idx.len())
    };
    add(train)?;
    let valid = valid.map(&mut add).transpose()?;
    let test = test.map(&mut add).transpose()?;
    Ok(Found {
        source: Arc::new(idx),
        labels: ImageLabels::Classes(classes),
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
        let (images, counted) = (
            absolute(images),
            format!("{labelled} labels for the {count}"),
        );
        let message = format!("{counted} images of {}", images.display());
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
        let fail = |source| DataError::read(path, source);
        let mut file = BufReader::new(File::open(path).map_err(fail)?);
        let start = file.fill_buf().map_err(fail)?;
        let mut rest: Box<dyn Read> = match start.starts_with(&[0x1f, 0x8b]) {
            true => {
                Box::new(unpacking(file, |packed| Ok(MultiGzDecoder::new(packed))).map_err(fail)?)
            }
            false => Box::new(file),
        };
        let found = read_u32(path, &mut rest)?;
        if found != magic {
            let what = if magic == IMAGES { "images" } else { "labels" };
            let message = format!(
                "no IDX file of {what}: it begins with {found:#010x} instead of {magic:#010x}"
            );
            return Err(DataError::damaged(path, message));
        }
        let mut sizes = [0; N];
        for size in &mut sizes {
            *size = read_u32(path, &mut rest)? as usize;
        }
        let multiply = |total: u64, size: &usize| total.checked_mul(*size as u64);
        let total = sizes.iter().try_fold(1, multiply);
        let Some(total) = total.filter(|total| *total <= MOST_BYTES) else {
            let message = "bytes, more than the 16 GiB that are read";
            let message = format!("the header claims {sizes:?} {message}");
            return Err(DataError::damaged(path, message));
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
        let bytes = data.len() as u64;
        let message = match bytes.cmp(&total) {
            Ordering::Equal => return Ok(data),
            Ordering::Less => format!(
                "{bytes} bytes of data where the header claims {total}: the file is cut short"
            ),
            Ordering::Greater => {
                format!("more data than the {total} bytes that the header claims")
            }
        };
        Err(DataError::damaged(path, message))
    }
}

fn read_u32(path: &Path, reader: &mut dyn Read) -> Result<u32, DataError> {
    let mut bytes = [0; 4];
    let read = reader.read_exact(&mut bytes);
    read.map_err(|source| short(path, source))?;
    Ok(u32::from_be_bytes(bytes))
}

fn short(path: &Path, source: std::io::Error) -> DataError {
    match source.kind() {
        ErrorKind::UnexpectedEof => DataError::damaged(path, "the file is cut short"),
        ErrorKind::InvalidInput | ErrorKind::InvalidData => {
            DataError::damaged(path, format!("the compressed data is damaged: {source}"))
        }
        _ => DataError::read(path, source),
    }
}
