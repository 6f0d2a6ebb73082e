//! What `train` and `resume` say before and after a training.

use std::path::Path;

use burn::train::Interrupter;
use fireclay_plan::PLANNER;
use fireclay_run::config::{Loaded, RunConfig};
use fireclay_run::workload::Words;
use fireclay_run::{At, Hooks, Outcome, Prepared, RunDevice};
use fireclay_train::cost::{Cost, Phase};
use fireclay_train::{RunFolder, StopReason};
use serde_json::json;

use super::device;
use crate::beat::{Beat, Doing};
use crate::failure::Failure;
use crate::progress::{ShowArgs, watch};
use crate::signals::stop_on_signal;
use crate::text::{number, say, table};

/// What is done before a training, in words.
pub const READING: &str = "reading the data";

/// Who watches a training; `beat` speaks for it where there is no bar.
pub fn hooks(config: &RunConfig, show: ShowArgs, beat: Beat) -> Result<Hooks, Failure> {
    beat.now(Doing::Work("preparing the training"));
    let interrupter = Interrupter::new();
    stop_on_signal(&interrupter);
    let (observer, renderer) = watch(show, config.task.facts().headline, &interrupter, beat)?;
    Ok(Hooks {
        observers: vec![observer],
        renderer,
        interrupter,
        profile: show.profile,
    })
}

/// Goes on with the run at `run`, as `loaded` says, from its newest checkpoint or from another one.
pub fn resumed(
    run: &Path,
    loaded: Loaded,
    checkpoint: Option<At>,
    backend: Option<&str>,
    show: ShowArgs,
) -> Result<(), Failure> {
    let folder = RunFolder::open(run)?;
    let device = device(&loaded.config, backend)?;
    let beat = show.beat(READING);
    let planner = PLANNER.forced(show.force);
    let mut prepared = Prepared::again(loaded, folder.path(), planner)?;
    if let Some(at) = checkpoint {
        prepared = prepared.back_to(folder.path(), at)?;
    }
    let report = Report::new(&prepared, &device, show);
    let outcome = prepared.resume(&folder, &device, hooks(report.config(), show, beat)?)?;
    report.end(&outcome)
}

/// The report to the user before and after a training.
pub struct Report {
    config: RunConfig,
    words: Words,
    rows: Vec<(&'static str, usize)>,
    device: String,
    show: ShowArgs,
}

impl Report {
    pub fn new(prepared: &Prepared, device: &RunDevice, show: ShowArgs) -> Self {
        if !show.json && !show.quiet {
            say!("device  {}", device.description);
            let notes = prepared.data().dataset().notes();
            notes.iter().for_each(|note| say!("note    {note}"));
            prepared
                .notes()
                .iter()
                .for_each(|note| say!("note    {note}"));
        }
        Self {
            config: prepared.config().clone(),
            words: Words::of(prepared.config()),
            rows: prepared.data().dataset().sizes().to_vec(),
            device: device.backend.clone(),
            show,
        }
    }

    pub fn config(&self) -> &RunConfig {
        &self.config
    }

    pub fn end(&self, outcome: &Outcome) -> Result<(), Failure> {
        let folder = short(&outcome.folder);
        if outcome.reason == StopReason::Interrupted {
            let step = outcome.state.step;
            return Err(Failure::Interrupted(format!(
                "interrupted after step {step} and saved; go on with `fireclay resume {folder}`"
            )));
        }
        if self.show.json {
            self.print_json(outcome);
        } else {
            self.print(outcome, &folder);
        }
        Ok(())
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
        let why = match outcome.reason {
            StopReason::EarlyStopped => "stopped early",
            _ => "completed",
        };
        let (step, epoch) = (outcome.state.step, outcome.state.epoch);
        say!(
            "{why} after {step} steps ({epoch} epochs) in {:.1} s; {} parameters",
            outcome.cost.seconds,
            outcome.parameters
        );
        say!("{}", spent(&outcome.cost));
        let keep_best = self.config.checkpoint.keep_best;
        if let Some(best) = outcome.state.best.filter(|_| keep_best) {
            let monitor = &self.config.checkpoint.monitor;
            say!(
                "weights of step {}, the best {monitor}: {}",
                best.step,
                number(best.value)
            );
        }
        say!("run      {folder}");
        if let Some(next) = self.words.next {
            let verb = next.split(' ').next().unwrap_or_default();
            say!("{verb:8} fireclay {}", next.replace("{}", folder));
        }
    }

    /// One row for each split, one column for each metric.
    fn metrics(&self, outcome: &Outcome) -> String {
        let reports = outcome.evaluation.values();
        let has = |name: &&str| reports.clone().any(|r| r.metrics.contains_key(*name));
        let headline = self.config.task.facts().headline.iter();
        let names: Vec<&str> = headline.copied().filter(has).collect();
        let mut rows = vec![vec![String::new(), self.words.samples.into()]];
        rows[0].extend(names.iter().map(|name| (*name).to_owned()));
        for (split, count) in &self.rows {
            let mut row = vec![(*split).to_owned(), count.to_string()];
            if let Some(report) = outcome.evaluation.get(*split) {
                row.extend(names.iter().map(|name| {
                    report
                        .metrics
                        .get(*name)
                        .map_or("-".into(), |value| number(*value))
                }));
                if let Some(interval) = &report.interval {
                    let (low, high) = (number(interval.low), number(interval.high));
                    row.push(format!("{} 95 %: {low} to {high}", interval.metric));
                }
            }
            rows.push(row);
        }
        table(&rows)
    }
}

/// Where the time went, and how much memory it took.
fn spent(cost: &Cost) -> String {
    let share = |phase| 100.0 * cost.of(phase) / cost.seconds.max(f64::MIN_POSITIVE);
    let (rate, unit) = cost.throughput();
    let mut line = format!(
        "spent on data {:.0} %, forward and backward {:.0} %, optimizer {:.0} %, evaluation {:.0} %, \
         checkpoints {:.0} %; {rate:.0} {unit} a second",
        share(Phase::Data),
        share(Phase::Compute),
        share(Phase::Optimizer),
        share(Phase::Evaluation),
        share(Phase::Checkpoint),
    );
    if let Some(speed) = cost.speed {
        line += &format!(", {:.3} GFLOP/s", speed.flops_per_second / 1e9);
        if let Some(utilisation) = speed.utilisation {
            line += &format!(", {:.0} % of what the device can do", 100.0 * utilisation);
        }
    }
    if let Some(bytes) = cost.peak_memory_bytes {
        line += &format!("; peak memory {} MB", bytes / 1_000_000);
    }
    line
}

/// The path as the user would type it.
pub fn short(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here)
        .unwrap_or(path)
        .display()
        .to_string()
}
