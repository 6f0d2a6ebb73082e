//! What the run cost.

use serde_json::Value;

use crate::chart::{Axis, Bar, Chart, Plane, Words, bars};
use crate::folder::RunFolder;
use crate::section::{Block, Section};
use crate::table::{Cell, Table};
use crate::text::{count, duration, number, percent, plural, with_unit};

/// The phases as `run.lock` names them, and in words; those of the steps come first. One process exchanges nothing.
const PHASES: [(&str, &str); 6] = [
    ("data_seconds", "data"),
    ("compute_seconds", "forward and backward"),
    ("exchange_seconds", "exchange"),
    ("optimizer_seconds", "optimizer"),
    ("evaluation_seconds", "evaluation"),
    ("checkpoint_seconds", "checkpoints"),
];

/// What is known of the cost: of a run that has ended that of the seal, or else of the last line of timing.jsonl.
pub(crate) struct Cost<'a> {
    locked: Option<&'a toml::Value>,
    timed: Option<&'a Value>,
}

impl<'a> Cost<'a> {
    /// That of a run; `None` if nothing is known.
    pub fn of(run: &'a RunFolder) -> Option<Self> {
        let timed = run.timing.iter().rev().find_map(|line| line.get("cost"));
        // That of an end after which the run went on is out of date.
        let is_current = run.is_finished() || timed.is_none();
        let locked = run.locked("cost").filter(|_| is_current);
        (locked.is_some() || timed.is_some()).then_some(Self { locked, timed })
    }

    /// A number of it by name.
    pub fn get(&self, name: &str) -> Option<f64> {
        match self.locked {
            Some(locked) => {
                let found = locked.get(name)?;
                found
                    .as_float()
                    .or(found.as_integer().map(|number| number as f64))
            }
            None => self.timed?.get(name)?.as_f64(),
        }
    }

    /// Words of it by name.
    fn words(&self, name: &str) -> Option<&str> {
        match self.locked {
            Some(locked) => locked.get(name)?.as_str(),
            None => self.timed?.get(name)?.as_str(),
        }
    }

    /// The cost in a sentence; `None` where the time is not known.
    pub fn in_short(&self, run: &RunFolder) -> Option<String> {
        let time = duration(self.get("seconds")?);
        let steps = self.get("steps");
        let steps = steps.map(|steps| format!(" for {}", plural(steps as usize, "update")));
        let device = run.locked("backend").and_then(toml::Value::as_str);
        let device = device.map(|device| format!(" on {device}"));
        let memory = self.get("peak_memory_bytes");
        let memory =
            memory.map(|bytes| format!(", {} of main memory at most", with_unit(bytes, "B")));
        let estimate = match self.get("energy_watts") {
            Some(_) => " by an estimate",
            None => "",
        };
        let energy = match self.get("energy_joules") {
            Some(joules) => format!("{}{estimate}", energy(joules)),
            None => "energy not measured".into(),
        };
        let parts = [steps, device, memory]
            .map(Option::unwrap_or_default)
            .concat();
        Some(format!("What it cost: {time}{parts}, {energy}."))
    }

    fn speed(&self, name: &str) -> Option<f64> {
        self.locked?.get("speed")?.get(name)?.as_float()
    }
}

pub(super) fn section(run: &RunFolder) -> Option<Section> {
    let cost = Cost::of(run)?;
    let charts = [phases(&cost), memory(run)].into_iter().flatten().collect();
    let mut blocks = vec![Block::Table(table(run, &cost)), Block::Charts(charts)];
    if let Some(words) = whose(run, &cost) {
        blocks.insert(0, Block::Words(words.into()));
    }
    Section::of("cost", "Cost", blocks)
}

/// What of the run the numbers count, where that is to be said.
fn whose(run: &RunFolder, cost: &Cost<'_>) -> Option<&'static str> {
    let recorded = || run.timing.last()?.get("step")?.as_f64();
    let made = match run.is_finished() {
        true => run.history.end().map(|(_, step)| step as f64),
        false => recorded(),
    };
    if made > cost.get("steps") {
        return Some(
            "The numbers leave out what was not recorded of the processes that trained the run.",
        );
    }
    match run.is_finished() {
        false => Some("The run is not finished: the numbers are those up to here, in all."),
        true => run
            .locked("segment")
            .map(|_| "The run was continued: the numbers are those of all its processes."),
    }
}

fn table(run: &RunFolder, cost: &Cost<'_>) -> Table {
    let parts = [
        work(cost),
        rates(cost),
        means(cost),
        energy_facts(cost),
        place(run),
    ];
    let row = |(name, value): Fact| Some(vec![name.into(), Cell::Figure(value?)]);
    Table::new("What the run cost", &["cost", ""]).with(parts.into_iter().flatten().filter_map(row))
}

/// A name, and what is known under it.
type Fact = (&'static str, Option<String>);

/// What was done, and how long it took.
fn work(cost: &Cost<'_>) -> Vec<Fact> {
    let whole = |name: &str| cost.get(name).map(|number| count(number as u64));
    vec![
        ("time", cost.get("seconds").map(duration)),
        ("updates", whole("steps")),
        ("training samples seen", whole("samples")),
        ("training tokens predicted", whole("tokens")),
    ]
}

/// How fast the steps were, evaluations and checkpoints left out.
fn rates(cost: &Cost<'_>) -> Vec<Fact> {
    let steps: f64 = PHASES[..4]
        .iter()
        .filter_map(|(name, _)| cost.get(name))
        .sum();
    let rate = |name: &str| {
        cost.get(name)
            .filter(|_| steps > 0.0)
            .map(|number| format!("{:.0}", number / steps))
    };
    vec![
        ("samples a second of the steps", rate("samples")),
        ("tokens a second of the steps", rate("tokens")),
    ]
}

/// Memory and operations.
fn means(cost: &Cost<'_>) -> Vec<Fact> {
    let memory = cost.get("peak_memory_bytes");
    let (flops, rate) = (cost.speed("flops"), cost.speed("flops_per_second"));
    vec![
        (
            "most memory of the process",
            memory.map(|bytes| with_unit(bytes, "B")),
        ),
        (
            "operations of the training, by its plan",
            flops.map(|flops| with_unit(flops, "FLOP")),
        ),
        (
            "operations a second of the steps",
            rate.map(|flops| with_unit(flops, "FLOP/s")),
        ),
        (
            "share of what the device can do",
            cost.speed("utilisation").map(percent),
        ),
    ]
}

/// An energy in the unit that fits it.
pub(crate) fn energy(joules: f64) -> String {
    match joules < 3600.0 {
        true => with_unit(joules, "J"),
        false => with_unit(joules / 3600.0, "Wh"),
    }
}

/// The energy, what of it was measured, and why not.
fn energy_facts(cost: &Cost<'_>) -> Vec<Fact> {
    let joules = cost.get("energy_joules").map(energy);
    let said = match (joules, cost.get("energy_watts")) {
        (Some(joules), None) => joules,
        (Some(joules), Some(watts)) => {
            format!(
                "{joules}, an estimate: {} W all the time (device.watts)",
                number(watts)
            )
        }
        (None, _) => "not measured".into(),
    };
    let of = cost.words("energy_of").map(|of| {
        format!("{of} of the processor, with all that ran there; no memory, no graphics card")
    });
    vec![
        ("energy", Some(said)),
        ("what was measured", of),
        (
            "why it was not measured",
            cost.words("energy_unmeasured").map(str::to_owned),
        ),
    ]
}

/// Where it was done, and how exactly.
fn place(run: &RunFolder) -> Vec<Fact> {
    let locked = |name: &str| {
        let value = run.locked(name).and_then(toml::Value::as_str);
        value.map(str::to_owned)
    };
    vec![
        ("device", locked("device")),
        ("precision", locked("precision")),
    ]
}

fn phases(cost: &Cost<'_>) -> Option<Chart> {
    let known: Vec<(&str, f64)> = PHASES
        .iter()
        .filter_map(|(key, name)| Some((*name, cost.get(key)?)))
        .collect();
    let total = cost.get("seconds").filter(|seconds| *seconds > 0.0)?;
    let rest = (total - known.iter().map(|(_, seconds)| seconds).sum::<f64>()).max(0.0);
    let all: Vec<(&str, f64)> = known.into_iter().chain([("the rest", rest)]).collect();
    let bar = |(name, seconds): &(&str, f64)| Bar {
        name: (*name).to_owned(),
        value: *seconds,
        interval: None,
        note: percent(seconds / total),
    };
    let row = |(name, seconds): &(&str, f64)| {
        vec![
            (*name).into(),
            (*seconds).into(),
            Cell::Figure(percent(seconds / total)),
        ]
    };
    let list: Vec<Bar> = all.iter().map(bar).collect();
    Some(bars(
        &list,
        None,
        Words {
            id: "phases",
            title: "Time by phase",
            description: "In seconds.".into(),
            series: &["seconds"],
            table: Table::new("Time by phase", &["phase", "seconds", "share"])
                .with(all.iter().map(row)),
        },
    ))
}

fn memory(run: &RunFolder) -> Option<Chart> {
    let point = |line: &Value| {
        Some((
            line.get("step")?.as_f64()?,
            line.get("cost")?.get("peak_memory_bytes")?.as_f64()? / 1e6,
        ))
    };
    let points: Vec<(f64, f64)> = run.timing.iter().filter_map(point).collect();
    if points.len() < 2 {
        return None;
    }
    let last = points.last()?.0;
    let most = points.iter().map(|point| point.1).fold(0.0, f64::max);
    let rows = crate::chart::thinned(&points, 100)
        .into_iter()
        .map(|(step, bytes)| vec![Cell::Figure(format!("{step:.0}")), bytes.into()]);
    Some(
        Plane::new(
            Axis::between("step", 0.0, last),
            Axis::between("MB", 0.0, 1.1 * most),
        )
        .curve(&points)
        .chart(Words {
            id: "memory",
            title: "Memory",
            description: "The most that the process had in main memory so far, in megabytes."
                .into(),
            series: &["memory"],
            table: Table::new("Most memory so far, by step", &["step", "MB"]).with(rows),
        }),
    )
}
