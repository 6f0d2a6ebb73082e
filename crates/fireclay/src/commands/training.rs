//! What `train` and `resume` say before and after a training.

mod metrics;

use std::path::{Path, PathBuf};
use std::time::Duration;

use burn::train::Interrupter;
use fireclay_plan::PLANNER;
use fireclay_run::config::{Loaded, ReportConfig, RunConfig};
use fireclay_run::workload::WorkloadWords;
use fireclay_run::{At, Hooks, Outcome, Prepared, RunDevice};
use fireclay_track::Tracker;
use fireclay_train::observer::{Observer, Step};
use fireclay_train::run_folder::typed;
use fireclay_train::{RunFolder, StopReason};
use fireclay_watch::Control;
use serde_json::json;

use super::report::about;
use super::spent::{epochs, spent, whose};
use super::watch::serve;
use super::{device, fairness};
use crate::beat::{Beat, Doing};
use crate::cluster::Processes;
use crate::failure::Failure;
use crate::few::few;
use crate::progress::{ShowArgs, watch};
use crate::signals::stop_on_signal;
use crate::text::{number, prose, say, tell};

/// What is done before a training, in words.
pub const READING: &str = "reading the data";

/// Who watches a training of these processes; `beat` speaks for it where there is no bar.
pub fn hooks(
    processes: &Processes,
    config: &RunConfig,
    show: ShowArgs,
    beat: Beat,
) -> Result<Hooks, Failure> {
    beat.now(Doing::Work("preparing the training"));
    let interrupter = Interrupter::new();
    let stages = stop_on_signal(&interrupter);
    let (observer, renderer) = watch(show, config.task.facts().headline, &interrupter, beat)?;
    let mut observers = vec![observer, stages];
    let trackers = page(show, &interrupter, &mut observers)?;
    Ok(Hooks {
        observers,
        trackers,
        renderer,
        interrupter,
        profile: show.profile,
        exchange: processes.exchange(config),
    })
}

/// The page that shows the training, if it is asked for.
fn page(
    show: ShowArgs,
    interrupter: &Interrupter,
    observers: &mut Vec<Box<dyn Observer>>,
) -> Result<Vec<Box<dyn Tracker>>, Failure> {
    let Some(port) = show.watch else {
        return Ok(Vec::new());
    };
    let control = show.control.then(|| {
        let interrupter = interrupter.clone();
        Control::new(move || interrupter.stop(Some("the page")))
    });
    observers.extend(
        control
            .clone()
            .map(|control| -> Box<dyn Observer> { Box::new(Waits(control, interrupter.clone())) }),
    );
    let watch = serve(port, control)?;
    Ok(vec![Box::new(watch)])
}

/// Waits after a step for as long as a page has paused the training.
struct Waits(Control, Interrupter);

impl Observer for Waits {
    fn stepped(&mut self, _step: &Step) {
        while self.0.is_paused() && !self.1.should_stop() {
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// Goes on with the run at `run`, as `loaded` says, from its newest checkpoint or from another one, to an end that the
/// report has still to tell.
pub fn resumed(
    processes: &Processes,
    run: &Path,
    loaded: Loaded,
    checkpoint: Option<At>,
    backend: Option<&str>,
    show: ShowArgs,
) -> Result<(Report, Outcome), Failure> {
    processes.check(&loaded.config)?;
    let folder = match processes.leads() {
        true => RunFolder::open(run)?,
        false => RunFolder::beside(run)?,
    };
    let device = device(&loaded.config, backend)?;
    let beat = show.beat(READING);
    let planner = PLANNER.forced(show.force);
    let mut prepared = Prepared::again(loaded, folder.path(), planner)?;
    if let Some(at) = checkpoint {
        prepared = prepared.back_to(folder.path(), at)?;
    }
    let report = Report::new(&prepared, &device, show);
    let outcome = prepared.resume(
        &folder,
        &device,
        hooks(processes, report.config(), show, beat)?,
    )?;
    Ok((report, outcome))
}

/// The report to the user before and after a training.
pub struct Report {
    config: RunConfig,
    words: WorkloadWords,
    rows: Vec<(&'static str, usize)>,
    device: String,
    show: ShowArgs,
}

impl Report {
    pub fn new(prepared: &Prepared, device: &RunDevice, show: ShowArgs) -> Self {
        Self::beyond(&mut Vec::new(), prepared, device, show)
    }

    /// The same without the notes that were told before, and those of this one are told then.
    pub fn beyond(
        told: &mut Vec<String>,
        prepared: &Prepared,
        device: &RunDevice,
        show: ShowArgs,
    ) -> Self {
        let of_data = prepared.data().dataset().notes().iter();
        let of_data = of_data.map(ToString::to_string);
        let notes = few(of_data.chain(prepared.notes().iter().cloned())).into_iter();
        let notes: Vec<_> = notes.filter(|note| !told.contains(note)).collect();
        told.extend(notes.iter().cloned());
        let notes = notes.iter();
        match show.json || show.quiet {
            // What was guessed is said however little is asked for.
            true => notes.for_each(|note| tell!("note: {note}")),
            false => {
                prose!(8, "device  {}", device.description);
                notes.for_each(|note| prose!(8, "note    {note}"));
            }
        }
        Self {
            config: prepared.config().clone(),
            words: WorkloadWords::of(prepared.config()),
            rows: prepared.data().dataset().sizes().to_vec(),
            device: device.backend.clone(),
            show,
        }
    }

    pub fn config(&self) -> &RunConfig {
        &self.config
    }

    /// Says how the training has ended, if this process is the one that does.
    pub fn end(&self, outcome: &Outcome, processes: &Processes) -> Result<(), Failure> {
        if !processes.leads() {
            return unless_interrupted(outcome);
        }
        let folder = short(&outcome.folder);
        let notes = few(&outcome.notes);
        let notes = notes.iter();
        match self.show.json || self.show.quiet {
            true => notes.for_each(|note| tell!("note: {note}")),
            false => notes.for_each(|note| prose!(8, "note    {note}")),
        }
        unless_interrupted(outcome)?;
        if self.show.json {
            self.print_json(outcome);
        } else {
            self.print(outcome, &folder);
        }
        // Last: the result is told even where no report can be written.
        for path in self.write(&outcome.folder)? {
            if !self.show.json {
                say!("report   {}", short(&path));
            }
        }
        Ok(())
    }

    /// Writes what is asked for about the run that has ended.
    pub fn write(&self, run: &Path) -> Result<Vec<PathBuf>, Failure> {
        let flag = self.show.report;
        let asked = match self.config.report.clone() {
            Some(configured) => ReportConfig {
                html: configured.html || flag,
                ..configured
            },
            None if flag => ReportConfig::default(),
            None => return Ok(Vec::new()),
        };
        about(run, &asked)
    }

    fn print_json(&self, outcome: &Outcome) {
        say!(
            "{:#}",
            json!({
                "run": outcome.folder,
                "reason": outcome.reason,
                "step": outcome.state.step,
                "cost": outcome.cost,
                "parameters": outcome.parameters,
                "backend": self.device,
                "evaluation": outcome.evaluation,
            })
        );
    }

    fn print(&self, outcome: &Outcome, folder: &str) {
        say!("\n{}", self.metrics(outcome));
        let lines = self.remarks(outcome);
        lines.iter().for_each(|line| prose!(2, "{line}"));
        if let Some((split, report)) = self.last(outcome) {
            fairness::print(split, self.config.fairness.as_ref(), report);
        }
        let why = match outcome.reason {
            StopReason::EarlyStopped => "stopped early",
            _ => "completed",
        };
        prose!(
            2,
            "{}{why} after {} steps ({}) in {:.1} s{}; {} parameters",
            if lines.is_empty() { "" } else { "\n" },
            outcome.state.step,
            epochs(outcome.state.epoch, outcome.state.batch),
            outcome.cost.seconds,
            whose(outcome),
            outcome.parameters
        );
        prose!(2, "{}", spent(&outcome.cost));
        let keep_best = self.config.checkpoint.keep_best;
        if let Some(best) = outcome.state.best.filter(|_| keep_best) {
            let monitor = &self.config.checkpoint.monitor;
            prose!(
                2,
                "weights of step {}, the best {monitor}: {}",
                best.step,
                number(best.value)
            );
        }
        say!("run      {folder}");
        if let Some(next) = self.words.next {
            let verb = next.split(' ').next().unwrap_or_default();
            let folder = typed(&outcome.folder);
            say!("{verb:8} fireclay {}", next.replace("{}", &folder));
        }
    }
}

/// Fails where a training was interrupted.
pub fn unless_interrupted(outcome: &Outcome) -> Result<(), Failure> {
    match outcome.reason {
        StopReason::Interrupted => Err(Failure::Interrupted(format!(
            "interrupted after step {} and saved; go on with `fireclay resume {}`",
            outcome.state.step,
            typed(&outcome.folder)
        ))),
        _ => Ok(()),
    }
}

/// The path as the user would type it.
pub fn short(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here)
        .unwrap_or(path)
        .display()
        .to_string()
}
