//! The runs by their names.

use std::collections::{BTreeMap, BTreeSet};
use std::iter::once;
use std::sync::{Arc, Mutex, PoisonError, RwLock, TryLockError};

use axum::http::StatusCode;

use super::worker::Model;
use crate::Open;
use crate::error::{Hidden, Refusal, ServeError};
use crate::metrics::Metrics;
use crate::settings::{Limits, Source};

/// All runs. Which names there are is settled at the start; what they stand for can be loaded anew.
pub struct Registry {
    entries: BTreeMap<String, Entry>,
    open: Open,
    limits: Limits,
    metrics: Arc<Metrics>,
}

struct Entry {
    source: Source,
    /// The run, and then with each of its adapters.
    models: RwLock<Vec<Arc<Model>>>,
    /// Held while the run is loaded anew, once at a time.
    loading: Mutex<()>,
}

impl Registry {
    /// Opens all runs.
    ///
    /// # Errors
    ///
    /// If two have one name, or one cannot be opened.
    pub fn open(
        sources: Vec<Source>,
        open: Open,
        limits: &Limits,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, ServeError> {
        let (mut entries, mut names) = (BTreeMap::new(), BTreeSet::new());
        for source in sources {
            for name in source.names() {
                if !names.insert(name.to_owned()) {
                    return Err(ServeError::Twice(name.to_owned()));
                }
            }
            let models = Model::open(&source, &open, limits, metrics).map_err(ServeError::Run)?;
            let entry = Entry {
                models: RwLock::new(models),
                loading: Mutex::default(),
                source: source.clone(),
            };
            entries.insert(source.name, entry);
        }
        Ok(Self {
            entries,
            open,
            limits: limits.clone(),
            metrics: metrics.clone(),
        })
    }

    /// All runs, by name, each followed by what it is with its adapters.
    pub fn models(&self) -> Vec<Arc<Model>> {
        self.entries.values().flat_map(Entry::models).collect()
    }

    /// The run of this name, or that with the adapters of this name.
    ///
    /// # Errors
    ///
    /// If there is none, with the names that there are.
    pub fn model(&self, name: &str) -> Result<Arc<Model>, Refusal> {
        let (entry, at) = self.entry(name)?;
        Ok(entry.models()[at].clone())
    }

    /// What has this name: a run, and the place of the name among its names.
    fn entry(&self, name: &str) -> Result<(&Entry, usize), Refusal> {
        let place = |entry: &Entry| entry.source.names().position(|known| known == name);
        let mut entries = self.entries.values();
        let found = entries.find_map(|entry| Some((entry, place(entry)?)));
        found.ok_or_else(|| {
            let entries = self.entries.values();
            let names: Vec<&str> = entries.flat_map(|entry| entry.source.names()).collect();
            let names = names.join(", ");
            let message = format!("there is no model {name:?}; there are {names}");
            Refusal::new(StatusCode::NOT_FOUND, message)
        })
    }

    /// Loads the run of this name anew, with all of its adapters: the newest of its folder, if it has several. Requests
    /// go on being answered by the run of before until the new one is ready, and those that wait for it then are still
    /// answered by it.
    ///
    /// # Errors
    ///
    /// If there is none, or it cannot be opened; then the run of before stays.
    pub fn reload(&self, name: &str) -> Result<Arc<Model>, Refusal> {
        let (entry, at) = self.entry(name)?;
        let _loading = match entry.loading.try_lock() {
            Ok(loading) => loading,
            Err(TryLockError::Poisoned(error)) => error.into_inner(),
            Err(TryLockError::WouldBlock) => {
                let message = format!("{name} is being loaded already");
                return Err(Refusal::new(StatusCode::CONFLICT, message));
            }
        };
        let opened = Model::open(&entry.source, &self.open, &self.limits, &self.metrics);
        let models = opened.map_err(|error| {
            let hidden = entry.hidden();
            let message = format!("{error}; the previous run goes on answering");
            Refusal::new(StatusCode::CONFLICT, message).without(&hidden)
        })?;
        *entry.models.write().unwrap_or_else(PoisonError::into_inner) = models.clone();
        Ok(models[at].clone())
    }

    /// The names of the runs, in their order.
    pub fn names(&self) -> Vec<String> {
        self.entries.keys().cloned().collect()
    }
}

impl Entry {
    fn models(&self) -> Vec<Arc<Model>> {
        let models = self.models.read().unwrap_or_else(PoisonError::into_inner);
        models.clone()
    }

    /// What a client is told instead of paths.
    fn hidden(&self) -> Hidden {
        let mut hidden = self.models()[0].facts.hidden.clone();
        for Source { name, path, .. } in once(&self.source).chain(&self.source.adapters) {
            let folder = path.parent().unwrap_or(path);
            hidden = hidden.and(path, name).and(folder, name);
        }
        hidden
    }
}
