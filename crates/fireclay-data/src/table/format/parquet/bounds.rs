//! What a Parquet file claims, judged before the library is asked to read it: its reader descends once for each
//! level of the schema, and takes memory for the rows that are declared.
//!
//! The footer is Thrift in its compact protocol
//! (<https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>).

use std::fs::File;
use std::path::Path;

use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};

use crate::error::DataError;
use crate::files::read_exact_at;

/// Levels of a schema. Nobody nests a table so deeply.
const MOST_LEVELS: usize = 100;

/// Rows for each byte of a file, once there are more than [`FREE_ROWS`]. A column of random truths has 8; one of a
/// single value has any number, and nothing is learned from a table of such columns.
const ROWS_FOR_A_BYTE: u64 = 64;
const FREE_ROWS: u64 = 1 << 23;

/// What a part of a column may be larger than what it was packed into, once it has more than [`FREE`] bytes.
const MOST_RATIO: i64 = 1000;
const FREE: i64 = 256 << 20;

/// The longest footer; that of 200,000 columns has some tens of MiB.
const LONGEST_FOOTER: u64 = 512 << 20;

/// The magic bytes at the end of a file, and the length of its footer before them.
const END: u64 = 8;
const MAGIC: &[u8; 4] = b"PAR1";

/// Refuses a schema that is too deep. What is no Parquet file at all is left to the library to name.
///
/// # Errors
/// [`DataError::Damaged`], [`DataError::Read`].
pub(super) fn check(path: &Path, file: &File) -> Result<(), DataError> {
    let footer = footer(file).map_err(|source| DataError::read(path, source))?;
    let Some(footer) = footer else {
        return Ok(());
    };
    match levels(&footer) {
        None => Err(DataError::damaged(
            path,
            "cannot be read: the description at its end is damaged",
        )),
        Some(levels) if levels > MOST_LEVELS => {
            let message = format!("its columns are nested more than {MOST_LEVELS} levels deep");
            Err(DataError::damaged(path, message))
        }
        Some(_) => Ok(()),
    }
}

/// Refuses numbers of rows that cannot be, below zero or far more than the file has bytes for, and columns that
/// unpack to a thousand times their size.
///
/// # Errors
/// [`DataError::Damaged`].
pub(super) fn check_rows(
    path: &Path,
    file: u64,
    metadata: &ParquetMetaData,
) -> Result<(), DataError> {
    let groups = metadata.row_groups().iter().map(|group| group.num_rows());
    let declared = groups.chain([metadata.file_metadata().num_rows()]);
    let most = FREE_ROWS.saturating_add(file.saturating_mul(ROWS_FOR_A_BYTE));
    for rows in declared {
        if u64::try_from(rows).map_or(true, |rows| rows > most) {
            let message = format!("it declares {rows} rows, which its {file} bytes cannot hold");
            return Err(DataError::damaged(path, message));
        }
    }
    // Over all columns: one that is the same in all rows may be in a table that is sound.
    for group in metadata.row_groups() {
        let sum = |size: fn(&ColumnChunkMetaData) -> i64| {
            let sizes = group.columns().iter().map(size);
            sizes.fold(0, i64::saturating_add)
        };
        let packed = sum(ColumnChunkMetaData::compressed_size);
        let unpacked = sum(ColumnChunkMetaData::uncompressed_size);
        if unpacked > FREE && unpacked / MOST_RATIO > packed {
            let message = format!("{packed} bytes of its columns would unpack to {unpacked}");
            return Err(DataError::damaged(path, message));
        }
    }
    Ok(())
}

/// The description at the end of a file, if it ends as a Parquet file does.
fn footer(file: &File) -> std::io::Result<Option<Vec<u8>>> {
    let length = file.metadata()?.len();
    let mut end = [0; END as usize];
    let Some(start) = length.checked_sub(END) else {
        return Ok(None);
    };
    read_exact_at(file, &mut end, start)?;
    let [size @ .., _, _, _, _] = end;
    let size = u64::from(u32::from_le_bytes(size));
    let Some(start) = start.checked_sub(size).filter(|_| end.ends_with(MAGIC)) else {
        return Ok(None);
    };
    if size > LONGEST_FOOTER {
        let message = format!("the description at its end has {size} bytes, too many");
        return Err(std::io::Error::other(message));
    }
    let mut footer = vec![0; size as usize];
    read_exact_at(file, &mut footer, start)?;
    Ok(Some(footer))
}

/// The levels of the schema, which is a list of its nodes, each before its children.
fn levels(footer: &[u8]) -> Option<usize> {
    const SCHEMA: i16 = 2;
    const CHILDREN: i16 = 5;
    let mut thrift = Thrift(footer);
    let mut field = 0;
    while let Some(kind) = thrift.field(&mut field)? {
        if field != SCHEMA || kind != LIST {
            thrift.skip(kind, 0)?;
            continue;
        }
        let (count, _) = thrift.list()?;
        let (mut open, mut deepest) = (Vec::<u64>::new(), 0);
        for _ in 0..count {
            let (mut field, mut children) = (0, 0);
            while let Some(kind) = thrift.field(&mut field)? {
                match field == CHILDREN && kind == I32 {
                    true => children = thrift.number()?,
                    false => thrift.skip(kind, 0)?,
                }
            }
            while open.last() == Some(&0) {
                open.pop();
            }
            if let Some(left) = open.last_mut() {
                *left -= 1;
            }
            // One below zero is refused by the library.
            open.push(u64::try_from(children).unwrap_or(0));
            deepest = deepest.max(open.len());
        }
        return Some(deepest);
    }
    // Without a schema there is nothing to descend into.
    Some(0)
}

/// Kinds of values.
const I32: u8 = 5;
const LIST: u8 = 9;

/// The rest of some bytes.
struct Thrift<'a>(&'a [u8]);

impl Thrift<'_> {
    /// The kind of the next field and, in `field`, its number; `None` inside at the end of a structure.
    fn field(&mut self, field: &mut i16) -> Option<Option<u8>> {
        let byte = self.byte()?;
        let kind = byte & 0xf;
        if kind == 0 {
            return Some(None);
        }
        *field = match byte >> 4 {
            0 => i16::try_from(self.number()?).ok()?,
            step => field.checked_add(i16::from(step))?,
        };
        Some(Some(kind))
    }

    /// The length of a list or a set, and the kind of what is in it.
    fn list(&mut self) -> Option<(u64, u8)> {
        let byte = self.byte()?;
        let count = match byte >> 4 {
            15 => self.varint()?,
            count => u64::from(count),
        };
        Some((count, byte & 0xf))
    }

    fn skip(&mut self, kind: u8, depth: usize) -> Option<()> {
        /// As deep as the library goes.
        const DEEPEST: usize = 64;
        if depth > DEEPEST {
            return None;
        }
        match kind {
            // The value of a truth is its kind.
            1 | 2 => Some(()),
            3 => self.take(1),
            4..=6 => self.varint().map(drop),
            7 => self.take(8),
            8 => {
                let length = self.varint()?;
                self.take(length)
            }
            9 | 10 => {
                let (count, kind) = self.list()?;
                (0..count).try_for_each(|_| self.skip_item(kind, depth))
            }
            11 => self.skip_map(depth),
            12 => {
                let mut field = 0;
                while let Some(kind) = self.field(&mut field)? {
                    self.skip(kind, depth + 1)?;
                }
                Some(())
            }
            13 => self.take(16),
            _ => None,
        }
    }

    /// In a list a truth has a byte of its own.
    fn skip_item(&mut self, kind: u8, depth: usize) -> Option<()> {
        match kind {
            1 | 2 => self.take(1),
            kind => self.skip(kind, depth + 1),
        }
    }

    fn skip_map(&mut self, depth: usize) -> Option<()> {
        let count = self.varint()?;
        if count == 0 {
            return Some(());
        }
        let kinds = self.byte()?;
        (0..count).try_for_each(|_| {
            self.skip_item(kinds >> 4, depth)?;
            self.skip_item(kinds & 0xf, depth)
        })
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn take(&mut self, bytes: u64) -> Option<()> {
        self.0 = self.0.get(usize::try_from(bytes).ok()?..)?;
        Some(())
    }

    fn varint(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    /// A number with a sign.
    fn number(&mut self) -> Option<i64> {
        let coded = self.varint()?;
        Some((coded >> 1) as i64 ^ -((coded & 1) as i64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A schema of nodes with so many children, in a footer without anything else.
    fn footer_of(children: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x29, 0xfc];
        let mut count = children.len();
        while count >= 0x80 {
            bytes.push(count as u8 | 0x80);
            count >>= 7;
        }
        bytes.push(count as u8);
        for count in children {
            // The name is field 4, the number of children field 5.
            bytes.extend([0x48, 1, b'a', 0x15, count * 2, 0]);
        }
        bytes.push(0);
        bytes
    }

    #[test]
    fn levels_are_counted_without_descending() {
        assert_eq!(levels(&footer_of(&[2, 0, 1, 0])), Some(3));
        assert_eq!(levels(&footer_of(&[3, 0, 0, 0])), Some(2));
        assert_eq!(levels(&footer_of(&[1; 100_000])), Some(100_000));
        assert_eq!(levels(&[0]), Some(0));
        assert_eq!(levels(&footer_of(&[2, 0, 1, 0])[..9]), None);
    }

    #[test]
    fn a_schema_without_a_bottom_is_refused_and_nothing_overflows() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deep.parquet");
        let footer = footer_of(&[1; 100_000]);
        let length = (footer.len() as u32).to_le_bytes();
        let bytes = [MAGIC, &footer[..], &length, MAGIC].concat();
        std::fs::write(&path, bytes).expect("written");
        let error = super::super::open(&path).expect_err("it is too deep");
        assert!(error.to_string().contains("100 levels"), "{error}");
    }

    #[test]
    fn a_real_file_has_two_levels() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../datasets/digits/data.parquet"
        );
        let file = File::open(path).expect("the digits are there");
        let footer = footer(&file).expect("read").expect("a footer");
        // The root, the structure of an image, and its bytes.
        assert_eq!(levels(&footer), Some(3));
        check(Path::new(path), &file).expect("it is sound");
    }
}
