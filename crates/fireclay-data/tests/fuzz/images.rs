use std::io::Cursor;
use std::path::Path;

use fireclay_data::ImageFormat::{self, Cifar, Idx, ImageFolder, ImageParquet, Webdataset};
use fireclay_data::{
    Background, Channels, Decoding, ImageData, ImageDataConfig, ImagePreprocess, TargetKind, decode,
};
use fireclay_fuzz::{fuzz, fuzz_with, memory};
use image::{DynamicImage, GrayImage, ImageFormat as Encoding, Luma};

use crate::{gzip, text};

const HOW: Decoding = Decoding {
    channels: Channels::Rgb,
    max_pixels: 1 << 28,
    exif_orientation: true,
    background: Background::White,
};

fn picture(format: Encoding) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let shade = |x, y| Luma([(x * 16 + y) as u8]);
    let gray = DynamicImage::ImageLuma8(GrayImage::from_fn(12, 9, shade));
    let picture = match format {
        Encoding::WebP | Encoding::Gif => DynamicImage::ImageRgba8(gray.to_rgba8()),
        Encoding::Tiff => DynamicImage::ImageRgb16(gray.to_rgb16()),
        _ => gray,
    };
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A chunk of a PNG file, with the checksum that goes with it.
fn chunk(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let mut crc = flate2::Crc::new();
    crc.update(name);
    crc.update(content);
    let length = (content.len() as u32).to_be_bytes();
    [&length, &name[..], content, &crc.sum().to_be_bytes()].concat()
}

/// A PNG file with a packed profile of colours, of so many bytes, and packed text in it.
fn with_profile(bytes: usize) -> Vec<u8> {
    let zip = |content: &[u8]| {
        let mut zip = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        std::io::Write::write_all(&mut zip, content).unwrap();
        zip.finish().unwrap()
    };
    let plain = picture(Encoding::Png);
    let profile = chunk(b"iCCP", &[b"x\0\0", &zip(&vec![0; bytes])[..]].concat());
    let words = chunk(
        b"zTXt",
        &[b"XML:com.adobe.xmp\0\0", &zip(&[b'x'; 4000])[..]].concat(),
    );
    // The header is the first chunk, after eight bytes that say what the file is.
    let (header, rest) = plain.split_at(8 + 25);
    [header, &profile, &words, rest].concat()
}

fn load(format: ImageFormat, path: &Path) {
    let mut config = ImageDataConfig::new(text(path));
    (config.split.train, config.split.valid, config.split.test) = (1.0, 0.0, 0.0);
    if let Ok(data) = ImageData::load(format, &config, 1, TargetKind::Class)
        && !data.train.is_empty()
    {
        let _ = data.train.batch(0, &[0, data.train.len() as u32 - 1]);
    }
}

#[test]
fn pictures() {
    let formats = [
        Encoding::Png,
        Encoding::Jpeg,
        Encoding::Gif,
        Encoding::Tiff,
        Encoding::WebP,
        Encoding::Bmp,
    ];
    let mut seeds = formats.map(picture).to_vec();
    seeds.push(with_profile(4000));
    fuzz("picture", &seeds, |path| {
        let _ = decode(&std::fs::read(path).unwrap(), &HOW);
    });
}

/// A profile that unpacks to 200 MiB is left out of an image of a hundred pixels.
#[test]
fn a_profile_takes_no_more_memory_than_its_image() {
    let bomb = with_profile(200 << 20);
    let taken = memory(|| {
        decode(&bomb, &HOW).unwrap();
    });
    assert!(taken < 64 << 20, "{} MiB", taken >> 20);
}

#[test]
fn folders() {
    let seeds = [picture(Encoding::Png), picture(Encoding::Jpeg)];
    let prepare = |folder: &Path| {
        for class in ["a", "b"] {
            let folder = folder.join("all").join(class);
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join("0.png"), picture(Encoding::Png)).unwrap();
        }
    };
    fuzz_with("picture", &seeds, prepare, |path| {
        let folder = path.parent().unwrap().join("all");
        std::fs::copy(path, folder.join("a/1.png")).unwrap();
        load(ImageFolder, &folder);
    });
}

fn idx(kind: u32, sizes: &[u32], data: &[u8]) -> Vec<u8> {
    let sizes = sizes.iter().flat_map(|size| size.to_be_bytes());
    let header = kind.to_be_bytes().into_iter().chain(sizes);
    header.chain(data.iter().copied()).collect()
}

#[test]
fn idx_images() {
    let images = idx(0x803, &[6, 4, 4], &[7; 96]);
    let prepare = |folder: &Path| {
        let labels = idx(0x801, &[6], &[0, 1, 0, 1, 0, 1]);
        std::fs::write(folder.join("train-labels-idx1-ubyte"), labels).unwrap();
    };
    let seeds = [images.clone(), gzip(&images)];
    fuzz_with("train-images-idx3-ubyte", &seeds, prepare, |path| {
        load(Idx, path.parent().unwrap());
    });
}

#[test]
fn idx_labels() {
    let prepare = |folder: &Path| {
        let images = idx(0x803, &[6, 4, 4], &[7; 96]);
        std::fs::write(folder.join("train-images-idx3-ubyte"), images).unwrap();
    };
    let seeds = [idx(0x801, &[6], &[0, 1, 0, 1, 0, 1])];
    fuzz_with("train-labels-idx1-ubyte", &seeds, prepare, |path| {
        load(Idx, path.parent().unwrap());
    });
}

#[test]
fn cifar() {
    let record = |label: u8| [vec![label], vec![label * 20; 3072]].concat();
    let seeds = [(0..4).flat_map(record).collect()];
    fuzz("data_batch_1.bin", &seeds, |path| {
        load(Cifar, path.parent().unwrap());
    });
}

#[test]
fn webdataset() {
    let mut archive = tar::Builder::new(Vec::new());
    for number in 0..3_u8 {
        for (ending, content) in [
            ("png", picture(Encoding::Png)),
            ("cls", vec![b'0' + number % 2]),
        ] {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            let name = format!("{number}.{ending}");
            archive
                .append_data(&mut header, name, &content[..])
                .unwrap();
        }
    }
    let seeds = [archive.into_inner().unwrap()];
    fuzz("0.tar", &seeds, |path| load(Webdataset, path));
}

#[test]
fn image_parquet() {
    let digits = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../datasets/digits/data.parquet"
    );
    let seeds = [std::fs::read(digits).unwrap()];
    fuzz("images.parquet", &seeds, |path| load(ImageParquet, path));
}

#[test]
fn image_preprocessing() {
    let digits = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../datasets/digits/data.parquet"
    );
    let config = ImageDataConfig::new(digits);
    let data = ImageData::load(ImageParquet, &config, 1, TargetKind::Class).unwrap();
    let seeds = [data.preprocess.to_json().into_bytes()];
    fuzz("preprocess.json", &seeds, |path| {
        let _ = ImagePreprocess::load(path);
    });
}
