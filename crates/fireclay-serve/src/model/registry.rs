//! The runs by their names.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock, TryLockError};

use axum::http::StatusCode;

use super::worker::Model;
use crate::Open;
use crate::error::{Refusal, ServeError};
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
    model: RwLock<Arc<Model>>,
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
        let mut entries = BTreeMap::new();
        for source in sources {
            if entries.contains_key(&source.name) {
                return Err(ServeError::Twice(source.name));
            }
            let model = Model::open(&source, &open, limits, metrics).map_err(ServeError::Run)?;
            let entry = Entry {
                model: RwLock::new(model),
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

    /// All runs, by name.
    pub fn models(&self) -> Vec<Arc<Model>> {
        self.entries.values().map(Entry::model).collect()
    }

    /// The run of this name.
    ///
    /// # Errors
    ///
    /// If there is none, with the names that there are.
    pub fn model(&self, name: &str) -> Result<Arc<Model>, Refusal> {
        Ok(self.entry(name)?.model())
    }

    fn entry(&self, name: &str) -> Result<&Entry, Refusal> {
        self.entries.get(name).ok_or_else(|| {
            let names: Vec<&str> = self.entries.keys().map(String::as_str).collect();
            let names = names.join(", ");
            let message = format!("there is no model {name:?}; there are {names}");
            Refusal::new(StatusCode::NOT_FOUND, message)
        })
    }

    /// Loads the run of this name anew: the newest of its folder, if it has several. Requests go on being answered by
    /// the run of before until the new one is ready, and those that wait for it then are still answered by it.
    ///
    /// # Errors
    ///
    /// If there is none, or it cannot be opened; then the run of before stays.
    pub fn reload(&self, name: &str) -> Result<Arc<Model>, Refusal> {
        let entry = self.entry(name)?;
        let _loading = match entry.loading.try_lock() {
            Ok(loading) => loading,
            Err(TryLockError::Poisoned(error)) => error.into_inner(),
            Err(TryLockError::WouldBlock) => {
                let message = format!("{name} is being loaded already");
                return Err(Refusal::new(StatusCode::CONFLICT, message));
            }
        };
        let opened = Model::open(&entry.source, &self.open, &self.limits, &self.metrics);
        let model = opened.map_err(|error| {
            let before = entry.model();
            let hidden = before.facts.hidden.clone();
            let folder = entry.source.path.parent().unwrap_or(&entry.source.path);
            let hidden = hidden.and(&entry.source.path, name).and(folder, name);
            let message = format!("{error}; the previous run goes on answering");
            Refusal::new(StatusCode::CONFLICT, message).without(&hidden)
        })?;
        *entry.model.write().unwrap_or_else(PoisonError::into_inner) = model.clone();
        Ok(model)
    }

    /// The names, in their order.
    pub fn names(&self) -> Vec<String> {
        self.entries.keys().cloned().collect()
    }
}

impl Entry {
    fn model(&self) -> Arc<Model> {
        let model = self.model.read().unwrap_or_else(PoisonError::into_inner);
        model.clone()
    }
}
