//! Tar archives whose members are grouped into samples by name, as WebDataset writes them
//! (<https://github.com/webdataset/webdataset>): `0001.jpg` and `0001.cls` are one sample. The
//! archives are listed once and read at their offsets, never unpacked.

mod archive;
mod labels;

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use self::archive::Archive;
use self::labels::LabelReader;
use super::image_folder::{ENDINGS, is_image};
use super::{Format, Found, Raw, Shuffled, Source};
use crate::error::DataError;
use crate::files::OpenFile;
use crate::image::config::ImageDataConfig;
use crate::labels::TargetKind;
use crate::metered::{Allowance, MEMBER_HEADERS, Metered};
use crate::shards::{Fetched, Finder, MIXED, Room, check_room};
use crate::stop::Stop;

pub(super) const FORMAT: Format = Format {
    open,
    keys: &[
        "target",
        "label_separator",
        "valid_path",
        "test_path",
        "shard_cache_dir",
        "shard_cache_bytes",
        "shards_mixed",
    ],
    has_columns: false,
    is_folder: |_| false,
    usual: |_| None,
};

/// No label is longer; a member that is would only fill the memory.
const LONGEST_LABEL: u64 = 16 << 20;

/// Archives and where the images in them are.
#[derive(Debug, Default)]
struct Shards {
    files: Vec<Archive>,
    /// The bytes of each.
    lengths: Vec<u64>,
    samples: Vec<Sample>,
    /// What there is room for, where some archives are fetched.
    room: Option<Room>,
}

#[derive(Debug)]
struct Sample {
    file: u32,
    image: Member,
    /// The name of the image in the archive.
    name: String,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Member {
    offset: u64,
    length: u64,
}

impl Source for Shards {
    fn len(&self) -> usize {
        self.samples.len()
    }

    fn read(&self, index: usize) -> Result<Raw<'_>, DataError> {
        let Sample { file, image, .. } = &self.samples[index];
        let bytes = self.files[*file as usize].read(image.offset, image.length as usize)?;
        Ok(Raw::Encoded(bytes.into()))
    }

    fn name(&self, index: usize) -> String {
        let sample = &self.samples[index];
        let archive = self.files[sample.file as usize].name();
        format!("{archive}:{}", sample.name)
    }

    fn shuffled(&self) -> Option<Shuffled<'_>> {
        Some(Shuffled {
            archives: self.files.len(),
            room: self.room?,
            archive: Box::new(|index| self.samples[index].file as usize),
        })
    }

    fn wants(&self, index: usize) -> Option<(usize, u64)> {
        let archive = self.samples[index].file as usize;
        let is_fetched = matches!(self.files[archive], Archive::There(_));
        is_fetched.then(|| (archive, self.lengths[archive]))
    }

    fn prepare(&self, archive: usize, stop: &Stop) {
        if let Archive::There(fetched) = &self.files[archive] {
            fetched.prepare(stop);
        }
    }

    fn hashes(&self) -> Result<BTreeMap<String, String>, DataError> {
        let fetched = self.files.iter().filter_map(|archive| match archive {
            Archive::There(fetched) => Some((fetched.url.clone(), fetched.sha256.clone())),
            Archive::Here(_) => None,
        });
        Ok(fetched.collect())
    }
}

fn open(config: &ImageDataConfig, target: TargetKind) -> Result<Found, DataError> {
    let mut shards = Shards::default();
    let mut labels = LabelReader::new(config, target);
    let keys = (config.shard_cache_dir.as_ref(), config.shard_cache_bytes);
    let mut finder = Finder::new(keys.0, keys.1);
    let mut files = Vec::new();
    let mut add = |path: &String| {
        let start = shards.len();
        let (named, mut manifests) = finder.named(path)?;
        for named in named {
            let archive = Archive::open(named)?;
            files.extend(archive.file());
            add_shard(archive, &mut shards, &mut labels)?;
        }
        files.append(&mut manifests);
        if shards.len() == start {
            return Err(DataError::Unusable(format!("{path} holds no samples")));
        }
        Ok::<_, DataError>(start..shards.len())
    };
    add(&config.path)?;
    let valid = config.valid_path.as_ref().map(&mut add).transpose()?;
    let test = config.test_path.as_ref().map(&mut add).transpose()?;
    if let Some(cache) = finder.used() {
        let mixed = config.shards_mixed.unwrap_or(MIXED);
        shards.room = Some(check_room(shards.lengths.clone(), mixed, cache.most())?);
    }
    Ok(Found {
        source: Arc::new(shards),
        labels: labels.labels,
        valid,
        test,
        table: None,
        notes: Vec::new(),
        files,
    })
}

/// A sample of an archive.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    key: String,
    /// The name of the image in the archive.
    name: String,
    image: Member,
    /// What its label member holds.
    label: String,
}

/// What is kept of an archive that may have been thrown out.
#[derive(Debug, Serialize, Deserialize)]
struct Listing {
    length: u64,
    entries: Vec<Entry>,
}

/// The members of one sample.
#[derive(Default)]
struct Group {
    key: String,
    image: Option<(String, Member)>,
    /// The `.cls` or the `.json` member, whichever holds the label.
    label: Option<Member>,
}

/// Samples in the order of their first members.
#[derive(Default)]
struct Groups {
    list: Vec<Group>,
    positions: HashMap<String, usize>,
}

impl Groups {
    /// Adds a member to its sample; that of a label has this ending. Other members are passed over.
    fn add(&mut self, name: &str, member: Member, ending: &str) -> Result<(), String> {
        let Some((key, extension)) = key_and_extension(name) else {
            return Ok(());
        };
        let next = self.list.len();
        let position = *self.positions.entry(key.to_owned()).or_insert(next);
        if position == next {
            self.list.push(Group {
                key: key.to_owned(),
                ..Group::default()
            });
        }
        let group = &mut self.list[position];
        let is_plain = !extension.contains('.');
        let is_twice = if is_plain && is_image(Path::new(&format!("_.{extension}"))) {
            group.image.replace((name.to_owned(), member)).is_some()
        } else {
            extension.eq_ignore_ascii_case(ending) && group.label.replace(member).is_some()
        };
        match is_twice {
            true => Err(format!(
                "sample {key:?} has two images or two labels; the second is {name:?}"
            )),
            false => Ok(()),
        }
    }
}

/// Adds an archive and its samples.
fn add_shard(
    archive: Archive,
    shards: &mut Shards,
    labels: &mut LabelReader<'_>,
) -> Result<(), DataError> {
    let listing = match &archive {
        Archive::Here(file) => listing(file, labels.ending())?,
        Archive::There(fetched) => known(fetched, labels.ending())?,
    };
    for entry in listing.entries {
        let key = entry.key;
        let pushed = labels.push(&entry.label);
        pushed
            .map_err(|problem| archive.damaged(format!("the label of sample {key:?} {problem}")))?;
        shards.samples.push(Sample {
            file: shards.files.len() as u32,
            image: entry.image,
            name: entry.name,
        });
    }
    shards.files.push(archive);
    shards.lengths.push(listing.length);
    Ok(())
}

/// The listing of an archive that is fetched, which is kept beside it.
fn known(fetched: &Fetched, ending: &str) -> Result<Listing, DataError> {
    let cache = &fetched.cache;
    cache.noted(&fetched.sha256, ending, || {
        listing(&*fetched.open()?, ending)
    })
}

fn listing(file: &OpenFile, ending: &str) -> Result<Listing, DataError> {
    let groups = groups(file, ending)?.into_iter();
    let entries = groups.map(|group| entry(file, group, ending));
    Ok(Listing {
        length: file.length,
        entries: entries.collect::<Result<_, _>>()?,
    })
}

fn entry(file: &OpenFile, group: Group, ending: &str) -> Result<Entry, DataError> {
    let key = group.key;
    let Some((name, image)) = group.image else {
        return Err(file.damaged(format!(
            "sample {key:?} has no image: none of its members ends in {ENDINGS}"
        )));
    };
    let label = group
        .label
        .ok_or_else(|| format!("sample {key:?} has no {key}.{ending}, which would hold its label"));
    let label = label.map_err(|problem| file.damaged(problem))?;
    let length = label.length;
    if length > LONGEST_LABEL {
        return Err(file.damaged(format!("the label of sample {key:?} has {length} bytes")));
    }
    let text = String::from_utf8(file.read(label.offset, length as usize)?);
    let label =
        text.map_err(|_| file.damaged(format!("the label of sample {key:?} is not valid UTF-8")))?;
    Ok(Entry {
        key,
        name,
        image,
        label,
    })
}

/// The samples of an archive in the order of their first members.
fn groups(file: &OpenFile, ending: &str) -> Result<Vec<Group>, DataError> {
    let damaged = |error: std::io::Error| {
        file.damaged(format!(
            "no tar archive that can be read (compressed ones have to be unpacked to .tar): {error}"
        ))
    };
    let reader = File::open(&file.path).map_err(damaged)?;
    let allowance = Allowance::default();
    let mut archive = tar::Archive::new(Metered::new(reader, allowance.clone()));
    let mut groups = Groups::default();
    let mut entries = archive.entries_with_seek().map_err(damaged)?;
    loop {
        // What is in the members is skipped, so only headers are read here.
        allowance.set(MEMBER_HEADERS);
        let Some(entry) = entries.next() else { break };
        let entry = entry.map_err(damaged)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let bytes = entry.path_bytes();
        let name = std::str::from_utf8(&bytes)
            .map_err(|_| file.damaged("the name of a member is not valid UTF-8"))?;
        let (offset, length) = (entry.raw_file_position(), entry.size());
        let end = offset.checked_add(length);
        if end.is_none_or(|end| end > file.length) {
            let message = "reaches beyond the end: the file is cut short";
            return Err(file.damaged(format!("member {name:?} {message}")));
        }
        let member = Member { offset, length };
        let added = groups.add(name, member, ending);
        added.map_err(|problem| file.damaged(problem))?;
    }
    check_end(file)?;
    Ok(groups.list)
}

/// A whole archive ends with blocks of zeros. Without them members may be missing.
fn check_end(file: &OpenFile) -> Result<(), DataError> {
    const BLOCK: u64 = 512;
    let is_whole = file.length.is_multiple_of(BLOCK) && file.length >= BLOCK;
    let is_zero = |last: Vec<u8>| last.iter().all(|byte| *byte == 0);
    if is_whole && is_zero(file.read(file.length - BLOCK, BLOCK as usize)?) {
        return Ok(());
    }
    Err(file.damaged("it does not end as a tar archive does: the file is cut short"))
}

/// `a/b.seg.png` is the member `seg.png` of sample `a/b`; hidden files belong to none.
fn key_and_extension(name: &str) -> Option<(&str, &str)> {
    let base = name.rfind('/').map_or(0, |slash| slash + 1);
    let dot = base + name[base..].find('.')?;
    (dot > base).then(|| (&name[..dot], &name[dot + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_ends_at_the_first_dot_of_the_name() {
        let found = key_and_extension("a.b/c.seg.png");
        assert_eq!(found, Some(("a.b/c", "seg.png")));
        assert_eq!(key_and_extension("1.cls"), Some(("1", "cls")));
        assert_eq!(key_and_extension("a/.hidden"), None);
        assert_eq!(key_and_extension("readme"), None);
    }
}
