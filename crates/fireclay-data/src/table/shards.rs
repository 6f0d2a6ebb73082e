//! The files of a table, some of which are fetched when it is their turn.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};

use super::format::{Batches, check_same};
use super::stream::ReadOptions;
use crate::error::DataError;
use crate::files::expand;
use crate::shards::{Fetched, Finder, Local, Named};

/// The files of a table that are still to be read, and their columns.
pub(super) struct Shards {
    left: VecDeque<Named>,
    pub(super) columns: Vec<String>,
    /// A file with these columns.
    first: PathBuf,
}

/// What a table was read from, beside files that a path or a glob names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listed {
    /// The manifests that name files.
    manifests: Vec<PathBuf>,
    /// The hashes of what was fetched, by its address.
    hashes: BTreeMap<String, String>,
}

/// A file that is being read.
pub(super) struct Reading {
    /// Its path, or its address.
    pub(super) name: PathBuf,
    fetched: Option<Fetched>,
    pub(super) batches: Batches,
}

impl Shards {
    /// The files that a path or a glob names, or a manifest where the format takes one. The columns of files that are here
    /// are compared at once, those of others when they are read.
    ///
    /// # Errors
    /// What is wrong with the path, the manifest, or the first lines of a file.
    pub(super) fn find(path: &str, options: &ReadOptions) -> Result<(Self, Listed), DataError> {
        let format = options.format.format();
        let mut finder = Finder::new(options.shard_cache_dir.as_ref(), options.shard_cache_bytes);
        let (left, manifests) = match format.takes_manifests {
            true => finder.named(path)?,
            false => (local(path)?, Vec::new()),
        };
        let (columns, first) = columns(&left, options)?;
        let listed = Listed::new(&left, manifests);
        let shards = Self {
            left: left.into(),
            columns,
            first,
        };
        Ok((shards, listed))
    }

    /// The next file, opened.
    ///
    /// # Errors
    /// A file that cannot be fetched, that has another hash than its manifest says, or other columns than the first.
    pub(super) fn next(&mut self, options: &ReadOptions) -> Result<Option<Reading>, DataError> {
        let Some(named) = self.left.pop_front() else {
            return Ok(None);
        };
        let format = options.format.format();
        let fetched = match named {
            Named::There(fetched) => fetched,
            Named::Here(local) => {
                local.verify()?;
                return Ok(Some(Reading {
                    batches: (format.rows)(&local.path, &self.columns, options)?,
                    name: local.path,
                    fetched: None,
                }));
            }
        };
        let name = PathBuf::from(&fetched.url);
        let file = fetched.open()?;
        let own = (format.columns)(std::slice::from_ref(&file.path), options);
        let own = own.map_err(|error| fetched.named(error))?;
        check_same(&name, &own, &self.first, &self.columns)?;
        let batches = (format.rows)(&file.path, &self.columns, options);
        Ok(Some(Reading {
            batches: batches.map_err(|error| fetched.named(error))?,
            name,
            fetched: Some(fetched),
        }))
    }

    /// Leaves out what was not read yet.
    pub(super) fn clear(&mut self) {
        self.left.clear();
    }
}

impl Reading {
    /// An error in the file, with its address in the place of where it was put.
    pub(super) fn named(&self, error: DataError) -> DataError {
        match &self.fetched {
            Some(fetched) => fetched.named(error),
            None => error,
        }
    }
}

impl Listed {
    fn new(files: &[Named], manifests: Vec<PathBuf>) -> Self {
        let fetched = files.iter().filter_map(|named| match named {
            Named::There(fetched) => Some((fetched.url.clone(), fetched.sha256.clone())),
            Named::Here(_) => None,
        });
        Self {
            hashes: fetched.collect(),
            manifests,
        }
    }

    pub(super) fn extend(&mut self, other: Self) {
        self.manifests.extend(other.manifests);
        self.hashes.extend(other.hashes);
    }

    /// Of the `files` of a table those to be hashed, with the manifests, and the hashes of the others by their addresses.
    pub(super) fn sources(&self, files: &[PathBuf]) -> (Vec<PathBuf>, BTreeMap<String, String>) {
        let is_fetched = |file: &Path| {
            let name = file.to_str();
            name.is_some_and(|name| self.hashes.contains_key(name))
        };
        let here = files.iter().filter(|file| !is_fetched(file));
        let here = here.chain(&self.manifests).cloned().collect();
        (here, self.hashes.clone())
    }
}

/// The files of a path or a glob.
fn local(path: &str) -> Result<Vec<Named>, DataError> {
    let files = expand(path)?.into_iter();
    let named = files.map(|path| Named::Here(Local { path, listed: None }));
    Ok(named.collect())
}

/// The columns of the files that are here, or else of the first that is fetched, and a file that has them.
fn columns(files: &[Named], options: &ReadOptions) -> Result<(Vec<String>, PathBuf), DataError> {
    let read = options.format.format().columns;
    let here = files.iter().filter_map(|named| match named {
        Named::Here(local) => Some(local.path.clone()),
        Named::There(_) => None,
    });
    let here: Vec<PathBuf> = here.collect();
    match (here.first(), files.first()) {
        (None, Some(Named::There(fetched))) => {
            let found = read(std::slice::from_ref(&fetched.open()?.path), options);
            let found = found.map_err(|error| fetched.named(error))?;
            Ok((found, PathBuf::from(&fetched.url)))
        }
        (first, _) => {
            let first = first.cloned().unwrap_or_default();
            Ok((read(&here, options)?, first))
        }
    }
}
