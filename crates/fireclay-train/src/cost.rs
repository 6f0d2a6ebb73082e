//! What a training cost: time by phase, work done, memory, energy.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use fireclay_guard::{LARGEST, text};
use serde::{Deserialize, Serialize};

use crate::energy::{Energy, Meter};
use crate::run_folder::FolderError;

mod trace;

pub(crate) use trace::Trace;

/// What a training spends its time on. Work that is queued, as on a graphics card, counts where its
/// result is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Waiting for training batches and handing them to the device.
    Data,
    /// Forward and backward, with the norm of the gradients.
    Compute,
    /// Waiting for other processes, and adding up what they have computed.
    Exchange,
    /// The update of the weights and of their average.
    Optimizer,
    /// The validation and test splits.
    Evaluation,
    /// Writing checkpoints.
    Checkpoint,
}

impl Phase {
    const ALL: [Self; 6] = [
        Self::Data,
        Self::Compute,
        Self::Exchange,
        Self::Optimizer,
        Self::Evaluation,
        Self::Checkpoint,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Compute => "forward and backward",
            Self::Exchange => "exchange",
            Self::Optimizer => "optimizer",
            Self::Evaluation => "evaluation",
            Self::Checkpoint => "checkpoint",
        }
    }
}

/// What the steps of a training came to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Speed {
    /// Floating point operations of the training by its plan.
    pub flops: f64,
    /// Those a second of its steps.
    pub flops_per_second: f64,
    /// What share that is of what the device can do: on flex, of what the product of two large
    /// matrices reaches there; else of the peak in the shipped table of hardware, if the device is in
    /// it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub utilisation: Option<f64>,
}

/// What a training cost, in all the processes that it took; times in seconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cost {
    /// Wall-clock time, from the start of the training to the last evaluation, without the time between two
    /// processes.
    pub seconds: f64,
    /// See [`Phase::Data`].
    pub data_seconds: f64,
    /// See [`Phase::Compute`].
    pub compute_seconds: f64,
    /// See [`Phase::Exchange`].
    #[serde(skip_serializing_if = "is_zero")]
    pub exchange_seconds: f64,
    /// See [`Phase::Optimizer`].
    pub optimizer_seconds: f64,
    /// See [`Phase::Evaluation`].
    pub evaluation_seconds: f64,
    /// See [`Phase::Checkpoint`].
    pub checkpoint_seconds: f64,
    /// Updates.
    pub steps: u64,
    /// Training samples.
    pub samples: u64,
    /// Training tokens that were predicted, for tasks that count them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// The most memory that a process had, where the system says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_memory_bytes: Option<u64>,
    /// What energy it took, and what of it was measured.
    #[serde(flatten)]
    pub energy: Energy,
    /// How fast it computed, once it has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed: Option<Speed>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_zero(seconds: &f64) -> bool {
    *seconds == 0.0
}

impl Cost {
    /// Seconds in `phase`.
    pub fn of(&self, phase: Phase) -> f64 {
        match phase {
            Phase::Data => self.data_seconds,
            Phase::Compute => self.compute_seconds,
            Phase::Exchange => self.exchange_seconds,
            Phase::Optimizer => self.optimizer_seconds,
            Phase::Evaluation => self.evaluation_seconds,
            Phase::Checkpoint => self.checkpoint_seconds,
        }
    }

    /// Samples for each second of the steps themselves, and what they are called: tokens where they
    /// are counted.
    pub fn throughput(&self) -> (f64, &'static str) {
        let (count, unit) = match self.tokens {
            Some(tokens) => (tokens, "tokens"),
            None => (self.samples, "samples"),
        };
        (count as f64 / self.step_seconds(), unit)
    }

    /// Seconds of the steps themselves.
    pub fn step_seconds(&self) -> f64 {
        let computing = self.compute_seconds + self.exchange_seconds;
        let steps = self.data_seconds + computing + self.optimizer_seconds;
        steps.max(f64::MIN_POSITIVE)
    }

    /// Of both, one after the other; how fast they were together is not known.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            seconds: self.seconds + other.seconds,
            data_seconds: self.data_seconds + other.data_seconds,
            compute_seconds: self.compute_seconds + other.compute_seconds,
            exchange_seconds: self.exchange_seconds + other.exchange_seconds,
            optimizer_seconds: self.optimizer_seconds + other.optimizer_seconds,
            evaluation_seconds: self.evaluation_seconds + other.evaluation_seconds,
            checkpoint_seconds: self.checkpoint_seconds + other.checkpoint_seconds,
            steps: self.steps + other.steps,
            samples: self.samples + other.samples,
            tokens: self
                .tokens
                .or(other.tokens)
                .map(|_| self.tokens.unwrap_or(0) + other.tokens.unwrap_or(0)),
            peak_memory_bytes: self.peak_memory_bytes.max(other.peak_memory_bytes),
            energy: self.known_energy().plus(&other.known_energy()),
            speed: None,
        }
    }

    /// The energy; older versions have not said whether it was measured.
    fn known_energy(&self) -> Energy {
        match self.seconds > 0.0 && self.energy.is_unsaid() {
            true => Energy::unknown(),
            false => self.energy.clone(),
        }
    }

    /// With an evaluation after the training, of so many seconds and with that energy.
    pub fn evaluated(&mut self, seconds: f64, energy: &Energy) {
        self.evaluation_seconds += seconds;
        self.seconds += seconds;
        self.energy = self.energy.plus(energy);
        self.peak_memory_bytes = self.peak_memory_bytes.max(peak_memory());
    }

    /// Estimates the energy from a power in watts, where it was not measured.
    pub fn estimate_energy(&mut self, watts: f64) {
        self.energy.estimate(watts, self.seconds);
    }
}

/// What a run had cost after `step` updates, by the last line of its `timing.jsonl` up to there; nothing where
/// no line says it. Lines of a process that was killed may follow, of steps that are made again.
pub(crate) fn recorded(path: &Path, step: u64) -> Cost {
    #[derive(Deserialize)]
    struct Line {
        step: u64,
        cost: Cost,
    }

    let text = text(path, LARGEST).unwrap_or_default();
    let lines = text.lines().rev();
    let mut lines = lines.filter_map(|line| serde_json::from_str::<Line>(line).ok());
    let found = lines.find(|line| line.step <= step);
    found.map_or_else(Cost::default, |line| line.cost)
}

/// Measures the phases of a training, one after the other.
pub(crate) struct Clock {
    began: Instant,
    phases: [Duration; Phase::ALL.len()],
    meter: Meter,
    trace: Option<Trace>,
}

impl Clock {
    /// A clock that starts now.
    pub fn new(trace: Option<Trace>) -> Self {
        Self {
            began: Instant::now(),
            phases: [Duration::ZERO; Phase::ALL.len()],
            meter: Meter::default(),
            trace,
        }
    }

    /// Since the clock started.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Counts the time since `start` as `phase`, of update number `step`.
    pub fn spent(&mut self, phase: Phase, start: Instant, step: u64) {
        let took = start.elapsed();
        self.phases[phase as usize] += took;
        if let Some(trace) = &mut self.trace {
            trace.span(phase, (start.duration_since(self.began), took), step);
        }
    }

    /// The time and the energy so far, and the most memory; the counts are the caller's.
    pub fn cost(&self) -> Cost {
        let [data, compute, exchange, optimizer, evaluation, checkpoint] =
            self.phases.map(|time| time.as_secs_f64());
        Cost {
            seconds: self.elapsed().as_secs_f64(),
            data_seconds: data,
            compute_seconds: compute,
            exchange_seconds: exchange,
            optimizer_seconds: optimizer,
            evaluation_seconds: evaluation,
            checkpoint_seconds: checkpoint,
            peak_memory_bytes: peak_memory(),
            energy: self.meter.energy(),
            ..Cost::default()
        }
    }

    /// Ends the trace, if there is one.
    ///
    /// # Errors
    ///
    /// If it could not be written.
    pub fn finish(&mut self) -> Result<(), FolderError> {
        self.trace.take().map_or(Ok(()), Trace::finish)
    }
}

/// The most memory that this process has had in RAM, in bytes, as Linux counts it.
fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn phases_add_up() {
        let mut clock = Clock::new(None);
        let start = Instant::now();
        std::thread::sleep(Duration::from_millis(3));
        clock.spent(Phase::Data, start, 1);
        clock.spent(Phase::Data, start, 2);
        let mut cost = clock.cost();
        assert!(cost.data_seconds >= 0.006 && cost.seconds >= 0.003);
        assert_eq!(cost.compute_seconds, 0.0);
        cost.evaluated(2.0, &Energy::default());
        assert_eq!(cost.of(Phase::Evaluation), 2.0);
    }

    #[test]
    fn a_run_has_cost_what_was_recorded_up_to_its_checkpoint() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let path = root.path().join("timing.jsonl");
        let line = |step: u64, seconds: f64| {
            let cost = Cost {
                seconds,
                steps: step,
                tokens: Some(2 * step),
                ..Cost::default()
            };
            format!("{}\n", json!({"step": step, "epoch": 1, "cost": cost}))
        };
        // A process was killed after step 30, and another went on from step 20.
        let lines = [(10, 1.0), (20, 2.0), (30, 3.5), (30, 3.0)].map(|(a, b)| line(a, b));
        fs::write(&path, lines.concat() + "{\"step\":4").expect("written");
        let found = [5, 20, 25, 31].map(|step| recorded(&path, step).seconds);
        assert_eq!(found, [0.0, 2.0, 2.0, 3.0]);
        let both = recorded(&path, 20).plus(&recorded(&path, 10));
        assert_eq!((both.seconds, both.steps, both.tokens), (3.0, 30, Some(60)));
        assert_eq!(recorded(&root.path().join("none"), 9), Cost::default());
    }

    #[test]
    fn what_older_versions_did_not_measure_is_not_left_out_in_silence() {
        let measured = Cost {
            seconds: 2.0,
            energy: Energy {
                joules: Some(30.0),
                of: Some("package-0".into()),
                ..Energy::default()
            },
            ..Cost::default()
        };
        assert_eq!(Cost::default().plus(&measured).energy, measured.energy);
        let twice = measured.plus(&measured);
        assert_eq!(twice.energy.joules, Some(60.0));
        let older = Cost {
            seconds: 5.0,
            ..Cost::default()
        };
        let mut both = older.plus(&measured);
        assert_eq!(both.energy, Energy::unknown());
        both.estimate_energy(10.0);
        assert_eq!(both.energy.joules, Some(70.0));
        let written = json!(both);
        assert_eq!(
            (&written["energy_joules"], &written["energy_watts"]),
            (&json!(70.0), &json!(10.0))
        );
        assert_eq!(serde_json::from_value::<Cost>(written).expect("read"), both);
    }

    #[test]
    fn tokens_are_what_counts_where_they_are_counted() {
        let mut cost = Cost {
            compute_seconds: 2.0,
            samples: 10,
            ..Cost::default()
        };
        assert_eq!(cost.throughput(), (5.0, "samples"));
        cost.tokens = Some(640);
        assert_eq!(cost.throughput(), (320.0, "tokens"));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn linux_knows_the_most_memory() {
        assert!(peak_memory().is_some_and(|bytes| bytes > 1 << 20));
    }
}
