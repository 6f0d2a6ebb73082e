//! What is before the numbers of a file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;

use crate::error::GgufError;
use crate::kind::Kind;
use crate::source::Source;
use crate::value::Value;
use crate::{MAGIC, Tensor};

/// More than any model has.
const MOST_TENSORS: u64 = 1 << 17;
const MOST_ENTRIES: u64 = 1 << 16;
/// More axes than a tensor of ggml has.
const MOST_AXES: u32 = 4;
/// Items of all lists of the metadata together: a vocabulary of 260,000 with scores, kinds and 600,000 merges has some
/// million and a half.
const MOST_ITEMS: u64 = 1 << 23;
/// Lists within lists.
const DEEPEST: usize = 4;

type Header = (BTreeMap<String, Value>, Vec<Tensor>);

/// The metadata and the tensors of a file of so many bytes.
pub(crate) fn read(file: File, length: u64) -> Result<Header, GgufError> {
    let mut source = Source::new(file, length);
    check_start(&mut source)?;
    let tensors = source.u64("the number of tensors")?;
    let entries = source.u64("the number of entries")?;
    if tensors > MOST_TENSORS || entries > MOST_ENTRIES {
        return Err(GgufError::Damaged(format!(
            "it claims {tensors} tensors and {entries} entries of metadata, more than any file has"
        )));
    }
    let metadata = Entries::read(&mut source, entries)?;
    let mut tensors = (0..tensors)
        .map(|_| described(&mut source))
        .collect::<Result<Vec<_>, _>>()?;
    place(&mut tensors, &metadata, source.at, length)?;
    Ok((metadata, tensors))
}

fn check_start(source: &mut Source) -> Result<(), GgufError> {
    if source.array("its first bytes")? != MAGIC {
        return Err(GgufError::Damaged(
            "it does not begin as a GGUF does".into(),
        ));
    }
    match source.u32("its version")? {
        2 | 3 => Ok(()),
        version @ (0 | 1) => Err(GgufError::Unread(format!(
            "it is of version {version}, of before August 2023; convert the model anew"
        ))),
        version if matches!(version.swap_bytes(), 2 | 3) => Err(GgufError::Unread(
            "its numbers are in big-endian order; `gguf-convert-endian` of the package gguf turns them round".into(),
        )),
        version => Err(GgufError::Unread(format!(
            "it is of version {version}, and 2 and 3 are known"
        ))),
    }
}

/// A reader of the metadata, with what it may still hold.
struct Entries<'a> {
    source: &'a mut Source,
    items: u64,
}

impl<'a> Entries<'a> {
    fn read(source: &'a mut Source, count: u64) -> Result<BTreeMap<String, Value>, GgufError> {
        let mut entries = Self {
            source,
            items: MOST_ITEMS,
        };
        let mut found = BTreeMap::new();
        for _ in 0..count {
            let name = entries.source.text("the name of an entry")?;
            let kind = entries.source.u32(&name)?;
            let value = entries.value(&name, kind)?;
            if found.insert(name.clone(), value).is_some() {
                return Err(GgufError::Damaged(format!("{name} is there twice")));
            }
        }
        Ok(found)
    }

    fn value(&mut self, name: &str, kind: u32) -> Result<Value, GgufError> {
        let source = &mut *self.source;
        Ok(match kind {
            BOOL => Value::Truth(source.array::<1>(name)? != [0]),
            TEXT => Value::Text(source.text(name)?),
            LIST => self.list(name, 1)?,
            FLOAT32 => Value::Number(as_written(f32::from_le_bytes(source.array(name)?))),
            FLOAT64 => Value::Number(f64::from_le_bytes(source.array(name)?)),
            kind => Value::Integer(self.integer(name, kind)?),
        })
    }

    fn integer(&mut self, name: &str, kind: u32) -> Result<i128, GgufError> {
        let source = &mut *self.source;
        Ok(match kind {
            0 => u8::from_le_bytes(source.array(name)?).into(),
            1 => i8::from_le_bytes(source.array(name)?).into(),
            2 => u16::from_le_bytes(source.array(name)?).into(),
            3 => i16::from_le_bytes(source.array(name)?).into(),
            4 => u32::from_le_bytes(source.array(name)?).into(),
            5 => i32::from_le_bytes(source.array(name)?).into(),
            10 => u64::from_le_bytes(source.array(name)?).into(),
            11 => i64::from_le_bytes(source.array(name)?).into(),
            kind => {
                let message = format!("{name} is of the unknown kind {kind}");
                return Err(GgufError::Damaged(message));
            }
        })
    }

    fn list(&mut self, name: &str, depth: usize) -> Result<Value, GgufError> {
        let kind = self.source.u32(name)?;
        let count = self.source.u64(name)?;
        self.source.check(count, least_bytes(kind), name)?;
        self.items = self.items.checked_sub(count).ok_or_else(|| {
            GgufError::Damaged(format!("its lists have more than {MOST_ITEMS} items"))
        })?;
        match kind {
            BOOL | LIST => self.others(name, (kind, count), depth),
            _ => self.items(name, kind, count),
        }
    }

    /// A list of what models have.
    fn items(&mut self, name: &str, kind: u32, count: u64) -> Result<Value, GgufError> {
        let items = 0..count;
        match kind {
            TEXT => {
                let texts = items.map(|_| self.source.text(name));
                texts.collect::<Result<_, _>>().map(Value::Texts)
            }
            FLOAT32 => {
                let numbers = items.map(|_| self.source.array(name).map(f32::from_le_bytes));
                let numbers = numbers.map(|number| number.map(f64::from));
                numbers.collect::<Result<_, _>>().map(Value::Numbers)
            }
            FLOAT64 => {
                let numbers = items.map(|_| self.source.array(name).map(f64::from_le_bytes));
                numbers.collect::<Result<_, _>>().map(Value::Numbers)
            }
            kind => {
                let too_large =
                    |_| GgufError::Damaged(format!("{name} has numbers that are too large"));
                let integers = items.map(|_| {
                    let integer = self.integer(name, kind)?;
                    i64::try_from(integer).map_err(too_large)
                });
                integers.collect::<Result<_, _>>().map(Value::Integers)
            }
        }
    }

    /// A list of truths or of lists, which is passed over.
    fn others(
        &mut self,
        name: &str,
        (kind, count): (u32, u64),
        depth: usize,
    ) -> Result<Value, GgufError> {
        if kind == LIST && depth >= DEEPEST {
            let message = format!("{name} has lists within lists within lists");
            return Err(GgufError::Damaged(message));
        }
        for _ in 0..count {
            match kind {
                LIST => {
                    self.list(name, depth + 1)?;
                }
                _ => {
                    self.source.array::<1>(name)?;
                }
            }
        }
        Ok(Value::Others(count))
    }
}

const FLOAT32: u32 = 6;
const BOOL: u32 = 7;
const TEXT: u32 = 8;
const LIST: u32 = 9;
const FLOAT64: u32 = 12;

/// The bytes that a value of this kind has at least.
fn least_bytes(kind: u32) -> u64 {
    match kind {
        2 | 3 => 2,
        4..=6 => 4,
        // A text has its length before it, and a list its kind and its length.
        TEXT | 10..=12 => 8,
        LIST => 12,
        _ => 1,
    }
}

/// 1e-5 in single precision is some other number in double precision, but is meant.
fn as_written(number: f32) -> f64 {
    number.to_string().parse().unwrap_or_else(|_| number.into())
}

/// A tensor, whose offset still counts from where the numbers begin.
fn described(source: &mut Source) -> Result<Tensor, GgufError> {
    let name = source.text("the name of a tensor")?;
    let mut shape = axes(source, &name)?;
    let number = source.u32(&name)?;
    let kind = Kind::of(number).map_err(|kind| {
        GgufError::Unread(format!(
            "the numbers of {name} are stored as {kind}; {}",
            Kind::list()
        ))
    })?;
    // The first axis is the one of which blocks are made.
    let row = shape.first().copied().unwrap_or(1);
    if !row.is_multiple_of(kind.block()) {
        return Err(GgufError::Damaged(format!(
            "{name} has rows of {row} numbers, which are no whole blocks of {}",
            kind.block()
        )));
    }
    let count = shape
        .iter()
        .try_fold(1_usize, |count, length| count.checked_mul(*length));
    let count = count.ok_or_else(|| too_large(&name))?;
    let bytes = (count / kind.block()).checked_mul(kind.block_bytes());
    shape.reverse();
    Ok(Tensor {
        offset: source.u64(&name)?,
        bytes: bytes.ok_or_else(|| too_large(&name))?,
        name,
        shape,
        kind,
    })
}

/// The lengths of the axes of a tensor, that of the rows first.
fn axes(source: &mut Source, name: &str) -> Result<Vec<usize>, GgufError> {
    let count = source.u32(name)?;
    if count > MOST_AXES {
        return Err(GgufError::Damaged(format!(
            "{name} has {count} axes, and none has more than {MOST_AXES}"
        )));
    }
    let lengths = (0..count).map(|_| {
        let length = usize::try_from(source.u64(name)?);
        length.map_err(|_| too_large(name))
    });
    lengths.collect()
}

fn too_large(name: &str) -> GgufError {
    GgufError::Damaged(format!("{name} claims more numbers than there can be"))
}

/// Lets offsets count from the start of the file, and refuses tensors that are not in it.
fn place(
    tensors: &mut [Tensor],
    metadata: &BTreeMap<String, Value>,
    header: u64,
    length: u64,
) -> Result<(), GgufError> {
    let alignment = match metadata.get("general.alignment") {
        None => 32,
        Some(Value::Integer(number)) if (8..=1 << 20).contains(number) && number % 8 == 0 => {
            *number as u64
        }
        Some(_) => {
            let message = "general.alignment is no multiple of 8 bytes up to 1048576";
            return Err(GgufError::Damaged(message.into()));
        }
    };
    let start = header.next_multiple_of(alignment);
    let mut names = BTreeSet::new();
    for tensor in &mut *tensors {
        let name = &tensor.name;
        if !names.insert(name.clone()) {
            return Err(GgufError::Damaged(format!("{name} is there twice")));
        }
        if !tensor.offset.is_multiple_of(alignment) {
            return Err(GgufError::Damaged(format!(
                "{name} is not where a tensor can be"
            )));
        }
        let offset = start.checked_add(tensor.offset);
        let end = offset.and_then(|offset| offset.checked_add(tensor.bytes as u64));
        let fits = end.is_some_and(|end| end <= length);
        tensor.offset = offset.filter(|_| fits).ok_or_else(|| {
            GgufError::Damaged(format!(
                "{name} should have {} bytes after its byte {start}, and the file has {length} in all: it is cut",
                tensor.bytes
            ))
        })?;
    }
    check_apart(tensors)
}

/// Refuses tensors that share bytes.
fn check_apart(tensors: &[Tensor]) -> Result<(), GgufError> {
    let filled = tensors.iter().filter(|tensor| tensor.bytes > 0);
    let mut sorted: Vec<&Tensor> = filled.collect();
    sorted.sort_by_key(|tensor| tensor.offset);
    let pairs = sorted.windows(2).filter_map(|pair| match pair {
        [first, second] => Some((first, second)),
        _ => None,
    });
    for (first, second) in pairs {
        if first.offset + first.bytes as u64 > second.offset {
            let (first, second) = (&first.name, &second.name);
            return Err(GgufError::Damaged(format!(
                "{first} and {second} lie in the same bytes"
            )));
        }
    }
    Ok(())
}
