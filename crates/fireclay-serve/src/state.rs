//! What every answer may need.

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::http::HeaderMap;
use tempfile::TempDir;

use crate::Log;
use crate::body::{Room, Whole};
use crate::error::{Hidden, Refusal};
use crate::metrics::Metrics;
use crate::model::Registry;
use crate::settings::Settings;

/// What every answer may need. Clones share it.
#[derive(Clone)]
pub struct State(Arc<Shared>);

pub struct Shared {
    pub registry: Registry,
    /// For the bodies of all requests.
    pub room: Room,
    pub settings: Settings,
    pub metrics: Arc<Metrics>,
    pub log: Log,
    /// For bodies while they are read.
    pub scratch: TempDir,
    pub address: SocketAddr,
}

impl Deref for State {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl State {
    pub fn new(
        registry: Registry,
        settings: Settings,
        (metrics, log): (Arc<Metrics>, Log),
        (scratch, address): (TempDir, SocketAddr),
    ) -> Self {
        Self(Arc::new(Shared {
            room: Room::new(&settings.limits),
            registry,
            settings,
            metrics,
            log,
            scratch,
            address,
        }))
    }

    /// Loads every run anew; those that cannot be opened stay as they are.
    pub fn reload_all(&self) {
        for name in self.registry.names() {
            let said = match self.registry.reload(&name) {
                Ok(model) => format!("loaded {}", model.facts.line()),
                Err(refusal) => format!("{name} is not loaded anew: {}", refusal.message),
            };
            (self.log)(&said);
        }
    }

    /// When a request that is read now must be answered.
    pub fn until(&self) -> Instant {
        Instant::now() + self.settings.limits.deadline
    }

    /// Reads the body of a request.
    ///
    /// # Errors
    ///
    /// If it is too large or too slow, or there is no room for it.
    pub async fn read(&self, headers: &HeaderMap, body: Body) -> Result<Whole, Refusal> {
        self.room.read(headers, body, &self.settings.limits).await
    }

    /// What a client is told instead of the folder in which bodies are read.
    pub fn hidden(&self) -> Hidden {
        Hidden::default().and_files_of(self.scratch.path())
    }
}
