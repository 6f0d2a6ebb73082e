//! Shards in a folder that does not grow beyond a size. Several processes may share it.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::opened::Opened;
use crate::error::DataError;
use crate::files::OpenFile;
use crate::kept;
use crate::stop::Stop;

/// What the folder may hold where the configuration does not say.
const DEFAULT_BYTES: u64 = 20 << 30;

/// What the name of a shard ends in, after a hash.
const ENDING: &str = ".shard";

/// And that of what is begun, and of what a shard is made of.
const BEGUN: [&str; 3] = [".shard.part", ".shard.raw", ".shard.raw.part"];

/// A shard that the folder can hold.
pub(crate) trait Entry {
    /// The hash by which it is kept, 64 hexadecimal digits.
    fn name(&self) -> &str;

    /// Whether what is at `path` is all of it. A process asks once.
    fn is_whole(&self, path: &Path) -> bool;

    /// Puts it at `path`, where it and whatever is beside it for the time being have at most `most` bytes. Where `stop` is
    /// told meanwhile nothing is left of it.
    ///
    /// # Errors
    /// What keeps it from being there.
    fn make(&self, path: &Path, most: u64, stop: &Stop) -> Result<(), DataError>;
}

/// The folder.
#[derive(Debug)]
pub(crate) struct ShardCache {
    folder: PathBuf,
    /// The most bytes in the folder.
    most: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Open shards by their hash.
    open: Opened<String, OpenFile>,
    /// Which this process knows to be whole.
    verified: HashSet<String>,
}

impl ShardCache {
    /// # Errors
    /// [`DataError::Write`] if the folder cannot be made.
    pub(super) fn new(folder: Option<&String>, most: Option<u64>) -> Result<Self, DataError> {
        let folder = match folder {
            Some(folder) => PathBuf::from(folder),
            None => kept::folder(None).with_file_name("shards"),
        };
        fs::create_dir_all(&folder).map_err(|source| DataError::write(&folder, source))?;
        Ok(Self {
            folder,
            most: most.unwrap_or(DEFAULT_BYTES),
            state: Mutex::default(),
        })
    }

    /// The most bytes that it holds.
    pub(crate) fn most(&self) -> u64 {
        self.most
    }

    /// What `find_out` finds out of a shard. It is kept beside it, in a small file that does not count and stays.
    ///
    /// # Errors
    /// Those of `find_out`; [`DataError::Write`].
    pub(crate) fn noted<T: Serialize + DeserializeOwned>(
        &self,
        name: &str,
        ending: &str,
        find_out: impl FnOnce() -> Result<T, DataError>,
    ) -> Result<T, DataError> {
        let path = self.folder.join(format!("{name}.{ending}.json"));
        let find = || serde_json::from_slice(&fs::read(&path).ok()?).ok();
        kept::once(&path, find, || {
            let found = find_out()?;
            let part = kept::part(&path);
            let bytes = serde_json::to_vec(&found).expect("plain data");
            let written = fs::write(&part, bytes).and_then(|()| fs::rename(&part, &path));
            written.map_err(|source| DataError::write(&path, source))?;
            Ok(found)
        })
    }

    /// A shard, which is made unless it is there.
    ///
    /// # Errors
    /// Those of [`Entry::make`]; [`DataError::Read`] and [`DataError::Write`].
    pub(crate) fn open(&self, entry: &impl Entry) -> Result<Arc<OpenFile>, DataError> {
        // One is made at a time: there is room for one more than is kept.
        let mut state = self.lock();
        let name = entry.name();
        self.close_before(name, &mut state);
        let State { open, verified } = &mut *state;
        open.or_open(name.to_owned(), || {
            let file = self.found_or_made(entry, verified.contains(name), &Stop::default())?;
            verified.insert(name.to_owned());
            Ok(file)
        })
    }

    /// Makes a shard that will be needed, unless it is there or `stop` is told. Those that are open can be read meanwhile.
    /// If it cannot be made, whoever opens it tries again and is told.
    pub(crate) fn prepare(&self, entry: &impl Entry, stop: &Stop) {
        let name = entry.name();
        let is_known = {
            let mut state = self.lock();
            self.close_before(name, &mut state);
            state.verified.contains(name)
        };
        if self.found_or_made(entry, is_known, stop).is_ok() {
            self.lock().verified.insert(name.to_owned());
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes all files before one is made: what is thrown out takes room as long as it is open.
    fn close_before(&self, name: &str, state: &mut State) {
        if !state.open.holds(name) && !self.path(name).exists() {
            state.open.clear();
        }
    }

    /// Why a shard of more than `most` bytes is refused.
    pub(crate) fn too_large(&self, most: u64) -> String {
        let all = self.most;
        format!(
            "it takes more than {most} bytes, half of data.shard_cache_bytes = {all}; raise that, or make smaller shards"
        )
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}{ENDING}"))
    }

    fn found_or_made(
        &self,
        entry: &impl Entry,
        is_known: bool,
        stop: &Stop,
    ) -> Result<OpenFile, DataError> {
        let path = self.path(entry.name());
        let find = || {
            let file = OpenFile::open(&path).ok()?;
            let is_whole = is_known || entry.is_whole(&path);
            // What was used last is thrown out last.
            let now = SystemTime::now();
            let _ = fs::File::options()
                .append(true)
                .open(&path)
                .and_then(|file| file.set_modified(now));
            is_whole.then_some(file)
        };
        if let Some(file) = find() {
            return Ok(file);
        }
        // Of all processes that share the folder one makes room at a time.
        kept::once(&self.folder.join("fetching"), find, || {
            // Whoever waited may have been told in between.
            stop.check()?;
            self.make_room(&path)?;
            entry.make(&path, self.most / 2, stop)?;
            OpenFile::open(&path)
        })
    }

    /// Removes the shards that were not used for longest until half of the room is free, and what was begun and is
    /// not this one.
    fn make_room(&self, wanted: &Path) -> Result<(), DataError> {
        let fail = |source| DataError::write(&self.folder, source);
        let wanted = wanted.as_os_str().as_encoded_bytes();
        let mut shards = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(fail)? {
            let path = entry.map_err(fail)?.path();
            // Another process may have removed it in between.
            let Ok(metadata) = path.metadata() else {
                continue;
            };
            let is_wanted = path.as_os_str().as_encoded_bytes().starts_with(wanted);
            // Whatever else is in the folder is somebody's own.
            if !is_wanted && BEGUN.iter().any(|ending| is_named_by_hash(&path, ending)) {
                fs::remove_file(&path).map_err(fail)?;
            } else if is_named_by_hash(&path, ENDING) {
                let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                shards.push((used, metadata.len(), path));
            }
        }
        shards.sort();
        let mut bytes: u64 = shards.iter().map(|(_, bytes, _)| bytes).sum();
        for (_, length, path) in shards {
            if bytes <= self.most / 2 {
                break;
            }
            fs::remove_file(&path).map_err(fail)?;
            bytes -= length;
        }
        Ok(())
    }
}

/// Whether a file has the name that this cache gives: a hash, and this ending.
fn is_named_by_hash(path: &Path, ending: &str) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    let hash = name.and_then(|name| name.strip_suffix(ending));
    hash.is_some_and(|hash| hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
}
