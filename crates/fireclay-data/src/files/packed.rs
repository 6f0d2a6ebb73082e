//! Files that hold text, unpacked where they are compressed.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::Path;

use flate2::CrcReader;
use flate2::read::{DeflateDecoder, MultiGzDecoder};
use zip::read::ZipFileEntry;
use zip::{CompressionMethod, ZipArchive};

use super::bounded::unpacking;
use super::check_plain;
use crate::error::DataError;

/// The bytes of a text, whatever they came from.
pub(crate) type Text = Box<dyn BufRead + Send>;

/// The endings of files that are read unpacked.
pub(crate) const PACKED: [&str; 4] = ["gz", "zst", "zstd", "zip"];

/// The bytes that tell what a file is.
const HEAD: u64 = 64;

/// What starts like this is no text, and what to do with it.
const OTHERS: &[(&[u8], &str)] = &[
    (
        b"BZh91AY&SY",
        "is packed with bzip2: unpack it with `bunzip2`, or pack it with gzip",
    ),
    (
        b"\xfd7zXZ\0",
        "is packed with xz: unpack it with `unxz`, or pack it with gzip",
    ),
    (b"7z\xbc\xaf\x27\x1c", "is a 7z archive: unpack it"),
    (b"Rar!\x1a", "is a RAR archive: unpack it"),
    (
        b"\xd0\xcf\x11\xe0",
        "is an Excel workbook: save its sheet as CSV",
    ),
    (
        b"ARROW1\0\0",
        "is a Feather (Arrow) file: write it as Parquet",
    ),
    (b"Obj\x01", "is an Avro file: write it as Parquet"),
    (b"\x93NUMPY", "is a NumPy array: write it as CSV or Parquet"),
    (b"\x89HDF\r\n", "is an HDF5 file: write it as Parquet"),
    (
        b"SQLite format 3\0",
        "is an SQLite database: export its table as CSV",
    ),
    (b"%PDF-", "is a PDF: write its table as CSV"),
    (
        b"version https://git-lfs",
        "is a pointer of Git LFS, not the file itself: fetch it with `git lfs pull`",
    ),
    (
        &[0; HEAD as usize],
        "begins with zeros alone, as what was lost or never written does: fetch or write it again",
    ),
];

/// The text in a file: plain, or packed by gzip, Zstandard or zip. The bytes decide, not the name.
///
/// # Errors
/// [`DataError::Read`], also for a pipe or a device; [`DataError::Damaged`] for an archive of several files and for what
/// is no text.
pub(crate) fn unpacked(path: &Path) -> Result<Text, DataError> {
    check_plain(path)?;
    let fail = |source| DataError::read(path, source);
    let mut file = File::open(path).map_err(fail)?;
    let head = head(&mut file, HEAD).map_err(fail)?;
    if let Some((_, what)) = OTHERS.iter().find(|(start, _)| head.starts_with(start)) {
        return Err(DataError::damaged(path, *what));
    }
    if head.starts_with(b"PK\x03\x04") {
        return member(path, file);
    }
    let (is_gzip, is_zstd) = (
        head.starts_with(b"\x1f\x8b"),
        head.starts_with(b"\x28\xb5\x2f\xfd"),
    );
    // What was read of it is put back in front: a pipe cannot go back.
    let whole = buffered(Cursor::new(head).chain(file));
    Ok(match (is_gzip, is_zstd) {
        (true, _) => {
            buffered(unpacking(whole, |packed| Ok(MultiGzDecoder::new(packed))).map_err(fail)?)
        }
        (_, true) => buffered(unpacking(whole, zstd::Decoder::with_buffer).map_err(fail)?),
        _ => whole,
    })
}

/// At most `most` bytes of what comes next.
pub(crate) fn head(reader: &mut impl Read, most: u64) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    reader.take(most).read_to_end(&mut head)?;
    Ok(head)
}

pub(super) fn buffered(reader: impl Read + Send + 'static) -> Text {
    Box::new(BufReader::with_capacity(1 << 20, reader))
}

/// The one file in a zip archive.
fn member(path: &Path, mut file: File) -> Result<Text, DataError> {
    let damaged = |message: String| DataError::damaged(path, message);
    let broken = |error: zip::result::ZipError| damaged(error.to_string());
    let mut archive = ZipArchive::new(&mut file).map_err(broken)?;
    let index = only(&mut archive).map_err(damaged)?;
    let entry = archive.by_index_data(index).map_err(broken)?;
    let (method, size, crc) = (entry.compression(), entry.compressed_size(), entry.crc32());
    if entry.encrypted() {
        return Err(damaged("is protected by a password: unpack it".into()));
    }
    // The kind of a file is in the upper bits of the mode, where the archive gives one.
    if ![0, 0o100_000].contains(&entry.unix_mode().map_or(0, |mode| mode & 0o170_000)) {
        return Err(damaged(
            "holds a link, a device or the like instead of a file".into(),
        ));
    }
    let start = archive.by_index_raw(index).map_err(broken)?.data_start();
    let start = start.ok_or_else(|| damaged("its file cannot be found in it".into()))?;
    let fail = |source| DataError::read(path, source);
    file.seek(SeekFrom::Start(start)).map_err(fail)?;
    let packed = file.take(size);
    match method {
        CompressionMethod::Stored => Ok(buffered(Checked::new(packed, crc))),
        CompressionMethod::Deflated => {
            let unpacked = unpacking(packed, |packed| Ok(DeflateDecoder::new(packed)));
            Ok(buffered(Checked::new(unpacked.map_err(fail)?, crc)))
        }
        other => Err(damaged(format!("is packed by {other}: unpack it"))),
    }
}

/// The position of the one file that is no folder and nothing that an operating system added.
fn only(archive: &mut ZipArchive<&mut File>) -> Result<usize, String> {
    let name = |entry: ZipFileEntry<'_>| String::from_utf8_lossy(entry.name_raw()).into_owned();
    let names = (0..archive.len())
        .filter_map(|index| Some((index, name(archive.by_index_data(index).ok()?))));
    let is_file = |name: &str| {
        let last = name.rsplit('/').next().unwrap_or_default();
        !last.is_empty() && !last.starts_with('.') && !name.starts_with("__MACOSX/")
    };
    let files: Vec<(usize, String)> = names.filter(|(_, name)| is_file(name)).collect();
    match files.as_slice() {
        [(index, _)] => Ok(*index),
        [] => Err("is a zip archive without a file in it".into()),
        files if files.iter().any(|(_, name)| name == "[Content_Types].xml") => {
            Err("is an Excel workbook: save its sheet as CSV".into())
        }
        [(_, first), (_, second), ..] => Err(format!(
            "is a zip archive of {} files, such as {first} and {second}: unpack it, and name one of them or a glob",
            files.len()
        )),
    }
}

/// A file of a zip archive, whose checksum is compared at its end.
struct Checked<R> {
    reader: CrcReader<R>,
    crc: u32,
}

impl<R: Read> Checked<R> {
    fn new(reader: R, crc: u32) -> Self {
        let reader = CrcReader::new(reader);
        Self { reader, crc }
    }
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        match read == 0 && !buffer.is_empty() && self.reader.crc().sum() != self.crc {
            true => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the archive is damaged: its checksum differs",
            )),
            false => Ok(read),
        }
    }
}
