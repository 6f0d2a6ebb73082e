//! Answers from finished runs over HTTP: one process, several runs, each with its schema.
//!
//! Every run has a thread of its own, which alone holds its model; requests wait for it in a queue of bounded
//! length. What is asked, and how, is in `api`; what a connection may do is in `http`.
//!
//! ```no_run
//! use std::path::Path;
//! use std::sync::Arc;
//!
//! use fireclay_serve::{Server, Settings, Source};
//!
//! # fn open(_: &Path) -> Result<Box<dyn fireclay_run::Run>, String> { Err(String::new()) }
//! let runs = vec![Source::of("runs/iris")?];
//! let server = Server::start(runs, Arc::new(open), Settings::default(), Arc::new(|_: &str| ()))?;
//! println!("{}", server.url());
//! server.run()?;
//! # Ok::<(), fireclay_serve::ServeError>(())
//! ```

mod api;
mod body;
mod drift;
mod error;
mod http;
mod metrics;
mod model;
mod settings;
mod signals;
mod state;

use std::io::Error;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;

use fireclay_run::Run;
use tokio::runtime::{Builder, Runtime};

pub use error::ServeError;
pub use settings::{Limits, Settings, Source, Tls};

use http::Connections;
use metrics::Metrics;
use model::Registry;
use signals::Stop;
use state::State;

/// Opens the run at a path on the hardware that is chosen for it, or says why it cannot.
pub type Open = Arc<dyn Fn(&Path) -> Result<Box<dyn Run>, String> + Send + Sync>;
/// Where lines for the operator go: a line of JSON for each request, and what happens to runs.
pub type Log = Arc<dyn Fn(&str) + Send + Sync>;

/// Bodies that are taken apart at the same time: each may take far more memory than it has bytes.
const READERS: usize = 8;

/// Runs that are open, and an address that is taken.
pub struct Server {
    state: State,
    connections: Connections,
    runtime: Runtime,
    stop: Stop,
}

impl Server {
    /// Opens all runs and takes the address.
    ///
    /// # Errors
    ///
    /// If a run cannot be opened or answers nothing, the address is taken, or a file of the settings cannot be used.
    pub fn start(
        runs: Vec<Source>,
        open: Open,
        settings: Settings,
        log: Log,
    ) -> Result<Self, ServeError> {
        let taken = |source| ServeError::Listen {
            address: settings.listen,
            source,
        };
        let listener = TcpListener::bind(settings.listen).map_err(taken)?;
        let address = listener.local_addr().map_err(taken)?;
        let tls = settings.tls.as_ref().map(http::acceptor).transpose()?;
        let metrics = Arc::new(Metrics::default());
        let scratch = tempfile::tempdir().map_err(ServeError::Scratch)?;
        let registry = Registry::open(runs, open, &settings.limits, &metrics)?;
        let connections = Connections {
            listener,
            address,
            tls,
            limits: settings.limits.clone(),
        };
        let state = State::new(registry, settings, (metrics, log), (scratch, address));
        // tokio panics where there is no thread or no descriptor left.
        let build = || {
            let mut builder = Builder::new_multi_thread();
            builder.max_blocking_threads(READERS).enable_all().build()
        };
        let built = fireclay_guard::caught(build).unwrap_or_else(|said| Err(Error::other(said)));
        let runtime = built.map_err(ServeError::Runtime)?;
        // Signals are heard before anybody is told that the server is there.
        let stop = runtime.block_on(async {
            signals::reload_on_hangup(&state);
            Stop::new()
        });
        Ok(Self {
            state,
            connections,
            runtime,
            stop,
        })
    }

    /// Where it is, such as `http://127.0.0.1:8080`.
    pub fn url(&self) -> String {
        let scheme = match self.connections.tls {
            Some(_) => "https",
            None => "http",
        };
        format!("{scheme}://{}", self.connections.address)
    }

    /// What each run answers, a line each.
    pub fn runs(&self) -> Vec<String> {
        let models = self.state.registry.models();
        models.iter().map(|model| model.facts.line()).collect()
    }

    /// Serves until the process is asked to end, and then answers what is in flight.
    ///
    /// # Errors
    ///
    /// If the system gives no more connections.
    pub fn run(self) -> Result<(), ServeError> {
        let router = api::routes(self.state.clone());
        let served = self.connections.serve(router, self.stop);
        let served = self.runtime.block_on(served);
        // A request that is still being read holds up the end no longer, nor keeps its folder.
        self.runtime.shutdown_background();
        let _ = std::fs::remove_dir_all(self.state.scratch.path());
        served
    }
}
