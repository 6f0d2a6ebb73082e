//! The energy that the processor takes, by the counters of Intel and AMD that Linux hands out as "powercap".

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// Where Linux has the counters.
const POWERCAP: &str = "/sys/class/powercap";

/// The energy that something took.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Energy {
    /// In joules, where it is known.
    #[serde(rename = "energy_joules", skip_serializing_if = "Option::is_none")]
    pub joules: Option<f64>,
    /// What was measured.
    #[serde(rename = "energy_of", skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// Why it was not measured.
    #[serde(rename = "energy_unmeasured", skip_serializing_if = "Option::is_none")]
    pub unmeasured: Option<String>,
    /// The power that it is estimated from, in watts.
    #[serde(rename = "energy_watts", skip_serializing_if = "Option::is_none")]
    pub watts: Option<f64>,
}

impl Energy {
    fn unmeasured(reason: impl Into<String>) -> Self {
        Self {
            unmeasured: Some(reason.into()),
            ..Self::default()
        }
    }

    /// What part of a run has taken of which nothing is known.
    pub(crate) fn unknown() -> Self {
        Self::unmeasured("it was not measured in every process that trained the run")
    }

    /// Whether nothing is known of it, not even why.
    pub(crate) fn is_unsaid(&self) -> bool {
        *self == Self::default()
    }

    /// Of both, one after the other. An estimate is no measurement: it is made again from the time of both.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        if self.is_unsaid() {
            return other.clone();
        }
        if other.is_unsaid() {
            return self.clone();
        }
        match [self, other].map(Self::measured) {
            [Some(own), Some(others)] if self.of == other.of => Self {
                joules: Some(own + others),
                ..self.clone()
            },
            [None, None] if self.unmeasured == other.unmeasured => Self {
                joules: None,
                watts: None,
                ..self.clone()
            },
            _ => Self::unknown(),
        }
    }

    fn measured(&self) -> Option<f64> {
        self.joules.filter(|_| self.watts.is_none())
    }

    /// The power times the time, where nothing was measured.
    pub(crate) fn estimate(&mut self, watts: f64, seconds: f64) {
        if self.measured().is_none() {
            self.joules = Some(watts * seconds);
            self.watts = Some(watts);
        }
    }
}

/// Adds up what the packages of the processors have taken since it began.
#[derive(Debug)]
pub struct Meter {
    counters: Arc<Mutex<Counters>>,
    /// While it is there, a thread reads the counters.
    _alive: Sender<()>,
}

#[derive(Debug)]
struct Counters {
    packages: Result<Vec<Package>, String>,
    read: Instant,
}

/// A socket with all that is in it: cores, caches, graphics; not the memory beside it.
#[derive(Debug)]
struct Package {
    name: String,
    counter: PathBuf,
    /// The counter begins anew after so many microjoules.
    range: u64,
    last: u64,
    /// Microjoules up to the last reading.
    sum: u64,
}

/// The counters are read as often: they begin anew within minutes to hours.
const BETWEEN: Duration = Duration::from_secs(20);

/// No package takes more power, in watts: within the time in which it could go through the range of its counter it
/// has to be read.
const MOST_WATTS: f64 = 600.0;

impl Default for Meter {
    /// A meter that begins now, of this machine.
    fn default() -> Self {
        Self::new(Path::new(POWERCAP))
    }
}

impl Meter {
    /// A meter that begins now, with the counters below `root`.
    pub(crate) fn new(root: &Path) -> Self {
        let counters = Counters {
            packages: packages(root),
            read: Instant::now(),
        };
        let (alive, ended) = mpsc::channel::<()>();
        let is_there = counters.packages.is_ok();
        let counters = Arc::new(Mutex::new(counters));
        if is_there {
            let shared = counters.clone();
            let watch = move || {
                while ended.recv_timeout(BETWEEN) == Err(RecvTimeoutError::Timeout) {
                    lock(&shared).read();
                }
            };
            // Without the thread, what was not read for too long is found out and not believed.
            let _ = thread::Builder::new().name("energy".into()).spawn(watch);
        }
        Self {
            counters,
            _alive: alive,
        }
    }

    /// The energy since the meter began.
    pub fn energy(&self) -> Energy {
        let mut counters = lock(&self.counters);
        counters.read();
        match &counters.packages {
            Err(reason) => Energy::unmeasured(reason),
            Ok(packages) => {
                let names = packages.iter().map(|package| package.name.as_str());
                let sum: u64 = packages.iter().map(|package| package.sum).sum();
                Energy {
                    joules: Some(sum as f64 / 1e6),
                    of: Some(names.collect::<Vec<_>>().join(", ")),
                    ..Energy::default()
                }
            }
        }
    }
}

/// A counter is whole whoever panicked while it was read.
fn lock(counters: &Mutex<Counters>) -> MutexGuard<'_, Counters> {
    counters.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Counters {
    fn read(&mut self) {
        let since = std::mem::replace(&mut self.read, Instant::now()).elapsed();
        if let Ok(packages) = &mut self.packages {
            let mut each = packages.iter_mut();
            if let Err(reason) = each.try_for_each(|package| package.read(since)) {
                self.packages = Err(reason);
            }
        }
    }
}

impl Package {
    fn open(folder: &Path) -> Result<Option<Self>, String> {
        let name = text(&folder.join("name"))?;
        if !name.starts_with("package") {
            return Ok(None);
        }
        let counter = folder.join("energy_uj");
        Ok(Some(Self {
            name,
            last: number(&counter)?,
            range: number(&folder.join("max_energy_range_uj"))?,
            counter,
            sum: 0,
        }))
    }

    /// Adds what was taken in the time since the last reading.
    fn read(&mut self, since: Duration) -> Result<(), String> {
        let now = number(&self.counter)?;
        if MOST_WATTS * since.as_secs_f64() > self.range as f64 / 1e6 {
            return Err(format!(
                "the counter of {} may have begun anew unseen: nothing read it for {:.0} s",
                self.name,
                since.as_secs_f64()
            ));
        }
        self.sum += match now.checked_sub(self.last) {
            Some(more) => more,
            // It has begun anew, from 0.
            None => (self.range.saturating_sub(self.last)).saturating_add(now),
        };
        self.last = now;
        Ok(())
    }
}

/// The packages that have a counter. Each has a zone `intel-rapl:N`, on AMD too; zones with another beginning count the
/// same packages by other registers, and zones within zones count parts of them.
fn packages(root: &Path) -> Result<Vec<Package>, String> {
    let entries = fs::read_dir(root).map_err(|error| match cfg!(target_os = "linux") {
        true => format!("{}: {error}", root.display()),
        false => "only on Linux are the counters of the processor read".to_owned(),
    })?;
    let names = entries.flatten().map(|entry| entry.file_name());
    let is_zone = |name: &std::ffi::OsString| {
        let number = name
            .to_str()
            .and_then(|name| name.strip_prefix("intel-rapl:"));
        number.is_some_and(|number| number.parse::<u32>().is_ok())
    };
    let mut zones: Vec<_> = names.filter(is_zone).collect();
    zones.sort();
    let mut packages = Vec::new();
    for zone in zones {
        packages.extend(Package::open(&root.join(zone))?);
    }
    match packages.is_empty() {
        true => Err(format!("{} has no counter of a processor", root.display())),
        false => Ok(packages),
    }
}

fn text(path: &Path) -> Result<String, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(text.trim().to_owned())
}

fn number(path: &Path) -> Result<u64, String> {
    let text = text(path)?;
    text.parse()
        .map_err(|_| format!("{} holds no number, but {text:?}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Made(tempfile::TempDir);

    impl Made {
        fn new(zones: &[(&str, &str, u64)]) -> Self {
            let made = Self(tempfile::tempdir().expect("a temporary folder"));
            for (zone, name, counter) in zones {
                fs::create_dir(made.0.path().join(zone)).expect("a folder");
                made.write(zone, "name", name);
                made.write(zone, "max_energy_range_uj", "262143328850");
                made.count(zone, *counter);
            }
            made
        }

        fn write(&self, zone: &str, file: &str, text: &str) {
            let path = self.0.path().join(zone).join(file);
            fs::write(path, format!("{text}\n")).expect("written");
        }

        fn count(&self, zone: &str, counter: u64) {
            self.write(zone, "energy_uj", &counter.to_string());
        }

        fn meter(&self) -> Meter {
            Meter::new(self.0.path())
        }
    }

    #[test]
    fn packages_are_added_up_and_nothing_is_counted_twice() {
        let made = Made::new(&[
            ("intel-rapl:0", "package-0", 5_000_000),
            ("intel-rapl:1", "package-1", 1_000_000),
            ("intel-rapl:2", "psys", 0),
            ("intel-rapl:0:0", "core", 0),
            ("intel-rapl-mmio:0", "package-0", 0),
            ("dtpm", "package-9", 0),
        ]);
        let meter = made.meter();
        assert_eq!(meter.energy().joules, Some(0.0));
        for zone in ["intel-rapl:2", "intel-rapl:0:0", "intel-rapl-mmio:0"] {
            made.count(zone, 77_000_000);
        }
        made.count("intel-rapl:0", 8_500_000);
        made.count("intel-rapl:1", 1_250_000);
        let found = meter.energy();
        assert_eq!(found.joules, Some(3.75));
        assert_eq!(found.of.as_deref(), Some("package-0, package-1"));
        assert_eq!((found.unmeasured, found.watts), (None, None));
    }

    #[test]
    fn a_counter_that_begins_anew_goes_on() {
        let made = Made::new(&[("intel-rapl:0", "package-0", 262_143_328_850 - 2_000_000)]);
        let meter = made.meter();
        made.count("intel-rapl:0", 3_000_000);
        assert_eq!(meter.energy().joules, Some(5.0));
        made.count("intel-rapl:0", 4_000_000);
        assert_eq!(meter.energy().joules, Some(6.0));
    }

    #[test]
    fn a_counter_that_was_not_read_for_long_is_not_believed() {
        let made = Made::new(&[("intel-rapl:0", "package-0", 0)]);
        let meter = made.meter();
        let hour = Duration::from_secs(3600);
        let before = Instant::now().checked_sub(hour);
        lock(&meter.counters).read = before.expect("a machine that has been on for an hour");
        let found = meter.energy();
        let reason = found.unmeasured.expect("why not");
        assert!(reason.contains("begun anew unseen"), "{reason}");
        assert_eq!(found.joules, None);
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        let made = Made::new(&[("intel-rapl:0", "package-0", 0)]);
        let why = |meter: &Meter| meter.energy().unmeasured.expect("why not");
        let meter = made.meter();
        made.write("intel-rapl:0", "energy_uj", "none");
        assert!(why(&meter).contains("energy_uj holds no number"));
        fs::remove_file(made.0.path().join("intel-rapl:0/energy_uj")).expect("removed");
        assert!(why(&made.meter()).contains("energy_uj"));
        let none = Made::new(&[("intel-rapl:0", "psys", 0)]);
        assert!(why(&none.meter()).contains("no counter"));
        let nowhere = none.0.path().join("nowhere");
        assert!(why(&Meter::new(&nowhere)).contains("nowhere"));
    }

    #[test]
    fn a_sum_is_measured_only_where_both_parts_are() {
        let of = |joules: f64| Energy {
            joules: Some(joules),
            of: Some("package-0".into()),
            ..Energy::default()
        };
        assert_eq!(of(1.5).plus(&of(2.0)), of(3.5));
        assert_eq!(Energy::default().plus(&of(2.0)), of(2.0));
        assert_eq!(of(2.0).plus(&Energy::default()), of(2.0));
        let unmeasured = Energy::unmeasured("no right to read it");
        assert_eq!(of(2.0).plus(&unmeasured), Energy::unknown());
        assert_eq!(unmeasured.plus(&unmeasured), unmeasured);
        let mut estimate = unmeasured.clone();
        estimate.estimate(50.0, 3.0);
        assert_eq!((estimate.joules, estimate.watts), (Some(150.0), Some(50.0)));
        assert_eq!(estimate.plus(&unmeasured), unmeasured);
        let mut measured = of(2.0);
        measured.estimate(50.0, 3.0);
        assert_eq!(measured, of(2.0));
    }
}
