//! The processes that train one model together, where there are several.

mod launched;
#[cfg(feature = "mpi")]
mod mpi;

use std::any::Any;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::sync::OnceLock;
#[cfg(feature = "mpi")]
use std::time::Duration;

use fireclay_data::sha256_file;
use fireclay_run::config::RunConfig;
use fireclay_train::checkpoint::Fingerprints;
use fireclay_train::cluster::{Alone, Exchange, Lost, Unlike, in_company, program, same};
use fireclay_train::loader::Share;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::failure::Failure;
use crate::progress::ShowArgs;
use crate::text::mute;

pub use launched::refuse_many;

/// Which of the processes of this machine this is, once it has joined the others.
static HERE: OnceLock<Share> = OnceLock::new();

/// Which of the processes of this machine this is, and of how many.
pub fn on_this_machine() -> Share {
    HERE.get().copied().unwrap_or(Share::WHOLE)
}

/// The processes, of which this is one.
pub struct Processes {
    #[cfg(feature = "mpi")]
    mpi: Option<mpi::Process>,
}

/// Joins the other processes, if this one was started with others, and does `work` with them. A process that
/// fails ends all; what has failed in all of them is said once.
pub fn together(work: impl FnOnce(&Processes) -> Result<(), Failure>) -> Result<(), Failure> {
    let processes = Processes::join()?;
    if !processes.leads() {
        mute();
    }
    let work = || in_company(processes.started(), || work(&processes));
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => processes.end(done),
        Err(panic) => processes.panicked(panic),
    }
}

#[cfg(not(feature = "mpi"))]
#[expect(
    clippy::unused_self,
    reason = "with the feature `mpi` there are several"
)]
impl Processes {
    fn join() -> Result<Self, Failure> {
        launched::refuse_without_mpi()?;
        Ok(Self {})
    }

    fn end(self, done: Result<(), Failure>) -> Result<(), Failure> {
        done
    }

    fn panicked(self, panic: Box<dyn Any + Send>) -> Result<(), Failure> {
        resume_unwind(panic)
    }

    /// Whether this process says and writes what is to be said and written: it is alone, or the first.
    pub fn leads(&self) -> bool {
        true
    }

    fn world(&self) -> usize {
        1
    }

    /// How this process talks to the others.
    pub fn exchange(&self, _config: &RunConfig) -> Box<dyn Exchange> {
        Box::new(Alone)
    }

    fn started(&self) -> Box<dyn Exchange> {
        Box::new(Alone)
    }
}

#[cfg(feature = "mpi")]
impl Processes {
    fn join() -> Result<Self, Failure> {
        let mpi = match launched::by_mpi() {
            true => Some(mpi::Process::join().map_err(Failure::Failed)?),
            false => None,
        };
        if let Some(mpi) = &mpi {
            HERE.get_or_init(|| mpi.here());
        }
        let processes = Self { mpi };
        launched::refuse_a_world_of(processes.world())?;
        Ok(processes)
    }

    fn end(self, done: Result<(), Failure>) -> Result<(), Failure> {
        match self.mpi {
            Some(mpi) => mpi.end(done),
            None => done,
        }
    }

    fn panicked(self, panic: Box<dyn Any + Send>) -> Result<(), Failure> {
        use crate::memory::said;

        match self.mpi {
            Some(mpi) if mpi.share().world > 1 => {
                mpi.panicked(said(&*panic).unwrap_or("no reason"))
            }
            _ => resume_unwind(panic),
        }
    }

    /// Whether this process says and writes what is to be said and written: it is alone, or the first.
    pub fn leads(&self) -> bool {
        self.mpi.as_ref().is_none_or(|mpi| mpi.share().rank == 0)
    }

    fn world(&self) -> usize {
        self.mpi.as_ref().map_or(1, |mpi| mpi.share().world)
    }

    /// How this process talks to the others.
    pub fn exchange(&self, config: &RunConfig) -> Box<dyn Exchange> {
        let Some(mpi) = &self.mpi else {
            return Box::new(Alone);
        };
        if let Some(cluster) = &config.cluster {
            mpi.wait_at_most(Duration::from_secs(cluster.timeout));
        }
        Box::new(mpi.clone())
    }

    fn started(&self) -> Box<dyn Exchange> {
        match &self.mpi {
            Some(mpi) => Box::new(mpi.clone()),
            None => Box::new(Alone),
        }
    }
}

impl Processes {
    /// What the first process decides.
    ///
    /// # Errors
    ///
    /// If a process has ended.
    pub fn decide<T: Serialize + DeserializeOwned>(
        &self,
        decide: impl FnOnce() -> T,
    ) -> Result<T, Failure> {
        if self.world() == 1 {
            return Ok(decide());
        }
        let own = match self.leads() {
            true => serde_json::to_vec(&decide()).expect("plain data"),
            false => Vec::new(),
        };
        let lost = |error: Lost| Failure::Failed(error.0);
        let bytes = self.started().broadcast(own).map_err(lost)?;
        serde_json::from_slice(&bytes).map_err(|error| Failure::Failed(error.to_string()))
    }

    /// Refuses processes that would not answer alike: other programs, runs or arguments than the first has. Those that
    /// do not answer are waited for as long as the run says.
    ///
    /// # Errors
    ///
    /// If they are not alike, or one has ended.
    pub fn agree(&self, config: &RunConfig, run: &Path, args: &impl Debug) -> Result<(), Failure> {
        if self.world() == 1 {
            return Ok(());
        }
        let mut exchange = self.exchange(config);
        let lock = sha256_file(&run.join("run.lock")).unwrap_or_default();
        let parts = [
            ("program", program()),
            ("run.lock, sha256", lock),
            ("arguments", format!("{args:?}")),
        ];
        let parts = parts.map(|(name, part)| (name.to_owned(), json!(part)));
        let alike = same(&mut *exchange, Fingerprints::from(parts));
        alike.map_err(|error| match error {
            Unlike::Parts(_) => Failure::Usage(error.to_string()),
            Unlike::Lost(error) => Failure::Failed(error.0),
        })
    }

    /// Refuses what only one process can do.
    ///
    /// # Errors
    ///
    /// If there are several.
    pub fn refuse_several(&self, what: &str) -> Result<(), Failure> {
        match self.world() {
            1 => Ok(()),
            world => Err(Failure::Usage(format!(
                "{world} processes were started, and {what} is for one; start it without mpirun or srun"
            ))),
        }
    }

    /// Refuses a training of several processes of which this one knows nothing.
    ///
    /// # Errors
    ///
    /// If a scheduler has more processes for it than MPI has found.
    pub fn check(&self, config: &RunConfig) -> Result<(), Failure> {
        match (&config.cluster, self.world()) {
            (Some(_), 1) => launched::refuse_alone_under_slurm(),
            (None, 1) => {
                launched::note_alone_under_slurm();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// What this process shows: the first alone shows what is asked for.
    pub fn shown(&self, show: ShowArgs) -> ShowArgs {
        match self.leads() {
            true => show,
            false => ShowArgs {
                dashboard: false,
                quiet: true,
                watch: None,
                control: false,
                report: false,
                profile: false,
                ..show
            },
        }
    }
}
