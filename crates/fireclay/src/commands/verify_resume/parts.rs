//! The processes that train a part of a run each.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use burn::train::Interrupter;
use fireclay_plan::PLANNER;
use fireclay_run::{Hooks, Prepared, load_run_with};
use fireclay_train::RunFolder;
use fireclay_train::cluster::Alone;
use fireclay_train::observer::{Observer, Step};

use super::{Args, run_in};
use crate::commands::{config, device};
use crate::failure::Failure;
use crate::signals::note_signals;

/// What the run is called.
pub(super) const NAME: &str = "run";

/// Starts the processes; a signal ends them.
pub(super) struct Parts<'a> {
    args: &'a Args,
    stops: Arc<AtomicBool>,
}

impl<'a> Parts<'a> {
    pub(super) fn new(args: &'a Args) -> Result<Self, Failure> {
        let stops = Arc::<AtomicBool>::default();
        note_signals(&stops).map_err(|error| Failure::Failed(format!("no signals: {error}")))?;
        Ok(Self { args, stops })
    }

    /// Trains in `folder` up to a step, in a process of its own.
    pub(super) fn process(&self, folder: &Path, steps: u64) -> Result<(), Failure> {
        let failed =
            |error: std::io::Error| Failure::Failed(format!("cannot start a process: {error}"));
        let mut command = Command::new(std::env::current_exe().map_err(failed)?);
        command.arg("verify-resume").arg(&self.args.config);
        for set in &self.args.sets {
            command.args(["--set", set]);
        }
        if self.args.force {
            command.arg("--force");
        }
        command.args(["--steps", &steps.to_string()]);
        command.arg("--held").arg("--part").arg(folder);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        self.ended(command.spawn().map_err(failed)?)
    }

    /// Waits for a process.
    fn ended(&self, mut child: Child) -> Result<(), Failure> {
        let mut errors = child.stderr.take();
        let listen = move || {
            let mut said = String::new();
            if let Some(errors) = &mut errors {
                // What cannot be read is not shown.
                let _ = std::io::Read::read_to_string(errors, &mut said);
            }
            said
        };
        let said = match thread::Builder::new().name("child".into()).spawn(listen) {
            Ok(said) => said,
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(Failure::Failed(format!(
                    "the system gives no thread: {error}"
                )));
            }
        };
        let ended = loop {
            if self.stops.load(Ordering::Relaxed) {
                // It has ended itself, if the signal was for both.
                let _ = child.kill();
                let _ = child.wait();
                let message = "interrupted; nothing was compared, and nothing is left";
                return Err(Failure::Failed(message.into()));
            }
            match child.try_wait() {
                Ok(Some(ended)) => break ended,
                Ok(None) => thread::sleep(Duration::from_millis(20)),
                Err(error) => return Err(Failure::Failed(error.to_string())),
            }
        };
        let said = said.join().unwrap_or_default();
        let said = said.trim().trim_start_matches("error: ").to_owned();
        match ended.code() {
            Some(0) => Ok(()),
            Some(2) => Err(Failure::Usage(said)),
            Some(3) => Err(Failure::Diverged(said)),
            _ => Err(Failure::Failed(format!(
                "a training ended with {ended}: {said}"
            ))),
        }
    }
}

/// Ends this process when the one that has started it is gone: that alone holds the other end of standard input, and
/// writes nothing.
fn end_with_parent() -> Result<(), Failure> {
    let wait = || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(1);
    };
    let thread = thread::Builder::new().name("parent".into()).spawn(wait);
    let thread = thread.map_err(|error| Failure::Failed(format!("no thread: {error}")))?;
    drop(thread);
    Ok(())
}

/// Trains in `folder` up to a step, from the beginning or from where a process before this one has stopped.
pub(super) fn train(args: &Args, folder: &Path) -> Result<(), Failure> {
    if args.held {
        end_with_parent()?;
    }
    let run = run_in(folder);
    let interrupter = Interrupter::new();
    let hooks = Hooks {
        observers: vec![Box::new(Until(args.steps, interrupter.clone()))],
        trackers: Vec::new(),
        renderer: None,
        interrupter,
        profile: false,
        exchange: Box::new(Alone),
    };
    let planner = PLANNER.forced(args.force);
    if run.exists() {
        let loaded = load_run_with(&run, &[])?;
        let device = device(&loaded.config, None)?;
        let held = RunFolder::open(&run)?;
        Prepared::again(loaded, held.path(), planner)?.resume(&held, &device, hooks)?;
        return Ok(());
    }
    let mut loaded = config::load(&args.config, &args.sets)?;
    loaded.name = NAME.into();
    loaded.config.output_dir = folder.display().to_string();
    // Nobody else is to hear of these runs.
    let logging = &mut loaded.config.logging;
    (logging.csv, logging.tensorboard, logging.mlflow) = (false, false, None);
    let device = device(&loaded.config, None)?;
    Prepared::new(loaded, planner)?.train(&device, hooks)?;
    Ok(())
}

/// Stops a training after a step.
struct Until(u64, Interrupter);

impl Observer for Until {
    fn stepped(&mut self, step: &Step) {
        if step.step >= self.0 {
            self.1.stop(Some("so many steps were asked for"));
        }
    }
}
