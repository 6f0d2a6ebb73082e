//! Fetched archives in a folder that does not grow beyond a size. Several processes may share it.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use super::Fetched;
use super::OpenFile;
use crate::download::fetch;
use crate::error::DataError;
use crate::hash::sha256_file;
use crate::image::config::ImageDataConfig;
use crate::kept;

/// What the folder may hold where the configuration does not say.
const DEFAULT_BYTES: u64 = 20 << 30;

/// Archives that are open at once, at most.
const OPEN: usize = 32;

#[derive(Debug)]
pub(in crate::image::source) struct ShardCache {
    folder: PathBuf,
    /// The most bytes in the folder.
    most: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Open archives by their hash, the one last used last.
    open: Vec<(String, Arc<OpenFile>)>,
    /// Whose bytes this process knows to have their hash.
    verified: HashSet<String>,
}

impl ShardCache {
    /// # Errors
    /// [`DataError::Write`] if the folder cannot be made.
    pub(in crate::image::source) fn new(config: &ImageDataConfig) -> Result<Self, DataError> {
        let folder = match &config.shard_cache_dir {
            Some(folder) => PathBuf::from(folder),
            None => kept::folder(None).with_file_name("shards"),
        };
        fs::create_dir_all(&folder).map_err(|source| DataError::write(&folder, source))?;
        Ok(Self {
            folder,
            most: config.shard_cache_bytes.unwrap_or(DEFAULT_BYTES),
            state: Mutex::default(),
        })
    }

    /// The most bytes that it holds.
    pub(in crate::image::source) fn most(&self) -> u64 {
        self.most
    }

    /// A small file that is made of an archive and kept beside it; it does not count.
    pub(in crate::image::source) fn beside(&self, fetched: &Fetched, ending: &str) -> PathBuf {
        self.folder.join(format!("{}.{ending}", fetched.sha256))
    }

    /// An archive, which is fetched unless it is there.
    ///
    /// # Errors
    /// [`DataError::Download`], [`DataError::Read`] and [`DataError::Write`].
    pub(in crate::image::source) fn open(
        &self,
        fetched: &Fetched,
    ) -> Result<Arc<OpenFile>, DataError> {
        // One is fetched at a time: there is room for one more than is kept.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let place = state
            .open
            .iter()
            .position(|(hash, _)| *hash == fetched.sha256);
        let (hash, file) = match place {
            Some(place) => state.open.remove(place),
            None => {
                // A file that is thrown out takes room as long as it is open.
                if !self.path(fetched).exists() {
                    state.open.clear();
                }
                let is_known = state.verified.contains(&fetched.sha256);
                let file = self.found_or_fetched(fetched, is_known)?;
                state.verified.insert(fetched.sha256.clone());
                (fetched.sha256.clone(), Arc::new(file))
            }
        };
        if state.open.len() == OPEN {
            state.open.remove(0);
        }
        state.open.push((hash, Arc::clone(&file)));
        Ok(file)
    }

    fn path(&self, fetched: &Fetched) -> PathBuf {
        self.folder.join(format!("{}.tar", fetched.sha256))
    }

    fn found_or_fetched(&self, fetched: &Fetched, is_known: bool) -> Result<OpenFile, DataError> {
        let path = self.path(fetched);
        let find = || {
            let file = OpenFile::open(&path).ok()?;
            let is_whole = is_known || sha256_file(&path).is_ok_and(|hash| hash == fetched.sha256);
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
            self.make_room(&path)?;
            fetch(&fetched.url, &fetched.sha256, &path, self.most / 2)
                .map_err(|error| self.explained(error))?;
            OpenFile::open(&path)
        })
    }

    /// Removes the archives that were not used for longest until half of the room is free, and what was begun and is
    /// not this one.
    fn make_room(&self, wanted: &Path) -> Result<(), DataError> {
        let fail = |source| DataError::write(&self.folder, source);
        let part = kept::part(wanted);
        let mut archives = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(fail)? {
            let path = entry.map_err(fail)?.path();
            // Another process may have removed it in between.
            let Ok(metadata) = path.metadata() else {
                continue;
            };
            // Whatever else is in the folder is somebody's own.
            if is_named_by_hash(&path, ".tar.part") && path != part {
                fs::remove_file(&path).map_err(fail)?;
            } else if is_named_by_hash(&path, ".tar") {
                let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                archives.push((used, metadata.len(), path));
            }
        }
        archives.sort();
        let mut bytes: u64 = archives.iter().map(|(_, bytes, _)| bytes).sum();
        for (_, length, path) in archives {
            if bytes <= self.most / 2 {
                break;
            }
            fs::remove_file(&path).map_err(fail)?;
            bytes -= length;
        }
        Ok(())
    }

    /// The limit that a download ran into is that of this folder.
    fn explained(&self, error: DataError) -> DataError {
        match error {
            DataError::Download { url, message } if message.contains("max_unpacked_bytes") => {
                DataError::Download {
                    url,
                    message: format!(
                        "it has more than {} bytes, half of data.shard_cache_bytes; raise that, or make smaller archives",
                        self.most / 2
                    ),
                }
            }
            other => other,
        }
    }
}

/// Whether a file has the name that this cache gives: the hash of what is in it, and this ending.
fn is_named_by_hash(path: &Path, ending: &str) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    let hash = name.and_then(|name| name.strip_suffix(ending));
    hash.is_some_and(|hash| hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
}
