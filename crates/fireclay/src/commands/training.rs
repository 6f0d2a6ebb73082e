//! What `train` and `resume` say before and after a training.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::train::Interrupter;
use fireclay_metrics::{Baseline, Report as Evaluation};
use fireclay_plan::PLANNER;
use fireclay_run::config::{Loaded, ReportConfig, RunConfig};
use fireclay_run::workload::WorkloadWords;
use fireclay_run::{At, Hooks, Outcome, Prepared, RunDevice};
use fireclay_train::cost::{Cost, Phase};
use fireclay_train::{RunFolder, StopReason};
use serde_json::json;

use super::remarks::remarks;
use super::report::about;
use super::{device, fairness};
use crate::beat::{Beat, Doing};
use crate::failure::Failure;
use crate::progress::{ShowArgs, watch};
use crate::screen::Screen;
use crate::signals::stop_on_signal;
use crate::text::{number, prose, say};

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
    words: WorkloadWords,
    rows: Vec<(&'static str, usize)>,
    device: String,
    show: ShowArgs,
}

impl Report {
    pub fn new(prepared: &Prepared, device: &RunDevice, show: ShowArgs) -> Self {
        if !show.json && !show.quiet {
            prose!(8, "device  {}", device.description);
            let notes = prepared.data().dataset().notes();
            notes.iter().for_each(|note| prose!(8, "note    {note}"));
            let notes = prepared.notes().iter();
            notes.for_each(|note| prose!(8, "note    {note}"));
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

    pub fn end(&self, outcome: &Outcome) -> Result<(), Failure> {
        let folder = short(&outcome.folder);
        if !self.show.json && !self.show.quiet {
            let notes = outcome.notes.iter();
            notes.for_each(|note| prose!(8, "note    {note}"));
        }
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
        let (step, epoch) = (outcome.state.step, outcome.state.epoch);
        prose!(
            2,
            "{}{why} after {step} steps ({epoch} epochs) in {:.1} s; {} parameters",
            if lines.is_empty() { "" } else { "\n" },
            outcome.cost.seconds,
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
            say!("{verb:8} fireclay {}", next.replace("{}", folder));
        }
    }

    /// One row for each split and one for the baseline, one column for each metric.
    fn metrics(&self, outcome: &Outcome) -> String {
        let reports = outcome.evaluation.values();
        let has = |name: &&str| reports.clone().any(|r| r.metrics.contains_key(*name));
        let headline = self.config.task.facts().headline.iter();
        let names: Vec<&str> = headline.copied().filter(has).collect();
        let mut rows = vec![vec![String::new(), self.words.samples.into()]];
        rows[0].extend(names.iter().map(|name| (*name).to_owned()));
        let values = |metrics: &BTreeMap<String, f64>| -> Vec<String> {
            let value = |name: &&str| {
                metrics
                    .get(*name)
                    .map_or("-".into(), |value| number(*value))
            };
            names.iter().map(value).collect()
        };
        for (split, count) in &self.rows {
            let mut row = vec![(*split).to_owned(), count.to_string()];
            let report = outcome.evaluation.get(*split);
            row.extend(
                report
                    .map(|report| values(&report.metrics))
                    .unwrap_or_default(),
            );
            rows.push(row);
        }
        if let Some((_, baseline)) = self.baseline(outcome) {
            let mut row = vec!["baseline".to_owned(), String::new()];
            row.extend(values(&baseline.metrics));
            rows.push(row);
        }
        Screen::out().table(&rows)
    }

    /// What is to be said of the table.
    fn remarks(&self, outcome: &Outcome) -> Vec<String> {
        let baseline = self.baseline(outcome).map(|(split, baseline)| {
            format!("baseline: {}; on the {split} split", baseline.answer)
        });
        let reports = self.rows.iter().filter_map(|(split, _)| {
            let report = outcome.evaluation.get(*split)?;
            Some((*split, report))
        });
        let reports: Vec<_> = reports.collect();
        baseline.into_iter().chain(remarks(&reports)).collect()
    }

    /// The last split that was evaluated.
    fn last<'a>(&self, outcome: &'a Outcome) -> Option<(&'static str, &'a Evaluation)> {
        let splits = self.rows.iter().rev();
        let mut found =
            splits.filter_map(|(split, _)| Some((*split, outcome.evaluation.get(*split)?)));
        found.next()
    }

    /// The baseline of the last split that has one, and the split.
    fn baseline<'a>(&self, outcome: &'a Outcome) -> Option<(&'static str, &'a Baseline)> {
        self.rows.iter().rev().find_map(|(split, _)| {
            let report = outcome.evaluation.get(*split)?;
            Some((*split, report.baseline.as_ref()?))
        })
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
