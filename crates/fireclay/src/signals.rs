//! Interruption: the first signal asks, the second ends.

use std::io::Result;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use burn::train::Interrupter;
use fireclay_data::busy;
use fireclay_train::StopReason;
use fireclay_train::observer::{Observer, Start};
use fireclay_train::run_folder::typed;

use crate::hang_up;
use crate::text::tell;

/// Exit code of a process that a second signal ended.
const KILLED: i32 = 130;
/// Exit code of a run that can be resumed.
const RESUMABLE: i32 = 4;
/// Two signals so soon after each other are one: `timeout` and some schedulers signal the process and then its group.
const MOMENT: Duration = Duration::from_millis(500);
/// A file that takes so long to read is told of.
const LONG: Duration = Duration::from_secs(8);
/// A step that waits for such a file does not end any more, for whoever has asked it to.
const STUCK: Duration = Duration::from_secs(6);
const POLL: Duration = Duration::from_millis(500);

/// What the program is at, as far as a signal goes.
static AT: Mutex<At> = Mutex::new(At {
    asked: None,
    stage: Stage::Elsewhere,
});

struct At {
    /// When the first signal came.
    asked: Option<Instant>,
    stage: Stage,
}

/// `run` is the folder as it is typed.
enum Stage {
    /// There is nothing to finish.
    Elsewhere,
    /// The training begins as soon as its data is ready.
    Preparing(Interrupter),
    Training {
        interrupter: Interrupter,
        run: String,
    },
    /// Every step is made and saved.
    Concluding { run: String },
}

fn at() -> MutexGuard<'static, At> {
    AT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// On the first SIGINT, SIGTERM or SIGHUP, lets training finish its step and save; on the second, exits at
/// once. A signal that the process was started to ignore, as by `nohup` or behind `&` in a script, stays ignored.
/// Where there is no step to finish, the first one ends the program: before the first step, in the evaluation after
/// the last one, and where a file that the step waits for does not come.
///
/// The observer has to watch the training.
pub fn stop_on_signal(interrupter: &Interrupter) -> Box<dyn Observer> {
    static HEARS: Once = Once::new();
    *at() = At {
        asked: None,
        stage: Stage::Preparing(interrupter.clone()),
    };
    HEARS.call_once(|| {
        if let Err(error) = on_signal(heard).and_then(|()| watch()) {
            tell!("warning: an interruption will not be saved: {error}");
        }
    });
    Box::new(Stages)
}

/// Tells what a signal finds.
struct Stages;

impl Observer for Stages {
    fn started(&mut self, start: &Start) {
        let run = typed(&start.run);
        let mut at = at();
        if let Stage::Preparing(interrupter) = &at.stage {
            let interrupter = interrupter.clone();
            at.stage = Stage::Training { interrupter, run };
        }
    }

    fn ended(&mut self, reason: StopReason) {
        if hang_up::is_gone() {
            exit(RESUMABLE, "the terminal is gone; every step is saved");
        }
        let mut at = at();
        match &mut at.stage {
            Stage::Training { run, .. } if reason != StopReason::Interrupted => {
                let run = std::mem::take(run);
                at.stage = Stage::Concluding { run };
            }
            _ => {}
        }
    }
}

/// A signal has come.
fn heard() {
    let mut at = at();
    match at.asked {
        Some(since) if since.elapsed() > MOMENT => std::process::exit(KILLED),
        Some(_) => return,
        None => at.asked = Some(Instant::now()),
    }
    match &at.stage {
        Stage::Training { interrupter, .. } => {
            interrupter.stop(Some("a signal"));
            tell!("\nfinishing the step and saving; once more to exit at once");
        }
        Stage::Concluding { run } => exit(
            RESUMABLE,
            &format!(
                "interrupted after the last step, which is saved; `fireclay resume {run}` evaluates the model"
            ),
        ),
        Stage::Preparing(_) | Stage::Elsewhere => {
            exit(
                KILLED,
                "interrupted before the first step; nothing was trained",
            );
        }
    }
}

/// Whether a signal has asked the program to end.
#[cfg(feature = "mpi")]
pub fn is_asked() -> bool {
    at().asked.is_some()
}

fn exit(code: i32, message: &str) {
    tell!("\n{message}");
    std::process::exit(code);
}

/// Looks after the files that are read, on a thread of its own.
fn watch() -> Result<()> {
    let mut told = None;
    let look = move || loop {
        thread::sleep(POLL);
        let Some((work, taken)) = busy::longest() else {
            continue;
        };
        let at = at();
        // The file was waited for before the signal came: no step that was slow by chance.
        let waits = at.asked.map(|since| since.elapsed());
        let is_stuck = waits.is_some_and(|waits| waits > STUCK && taken > waits);
        if let Stage::Training { run, .. } = &at.stage
            && is_stuck
        {
            let seconds = taken.as_secs();
            exit(
                RESUMABLE,
                &format!(
                    "interrupted while the data did not come, {work} for {seconds} s; the checkpoints are whole: go on \
                     with `fireclay resume {run}`"
                ),
            );
        }
        drop(at);
        if taken > LONG && told.as_ref() != Some(&work) {
            tell!(
                "note: the data does not come: {work} for {} s; an interruption ends the program",
                taken.as_secs()
            );
            told = Some(work);
        }
    };
    thread::Builder::new()
        .name("loader watch".into())
        .spawn(look)?;
    Ok(())
}

/// Raises a flag at each signal that would end the program.
///
/// # Errors
///
/// If the system refuses.
pub fn note_signals(flag: &Arc<AtomicBool>) -> Result<()> {
    let flag = flag.clone();
    on_signal(move || flag.store(true, Ordering::Relaxed))
}

/// What an interruption stops: an answer, while one is written. At any other time, and once more, it ends the program.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicU8>);

// Nothing is written; an answer is written; it is to end.
const IDLE: u8 = 0;
const WRITING: u8 = 1;
const STOPPED: u8 = 2;

impl Stop {
    /// Hears interruptions from now on.
    ///
    /// # Errors
    ///
    /// If the system refuses.
    pub fn hear() -> Result<Self> {
        let stop = Self::default();
        let state = stop.0.clone();
        on_interrupt(move || {
            let was = state.compare_exchange(WRITING, STOPPED, Ordering::AcqRel, Ordering::Acquire);
            if was.is_err() {
                tell!("");
                std::process::exit(KILLED);
            }
        })?;
        Ok(stop)
    }

    /// An answer begins.
    pub fn begin(&self) {
        self.0.store(WRITING, Ordering::Release);
    }

    /// Whether it is to end.
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Acquire) == STOPPED
    }

    /// The answer has ended.
    pub fn end(&self) {
        self.0.store(IDLE, Ordering::Release);
    }
}

#[cfg(unix)]
fn on_signal(handle: impl FnMut() + Send + 'static) -> Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

    on_signals(&[SIGINT, SIGTERM, SIGHUP], handle)
}

#[cfg(unix)]
fn on_interrupt(handle: impl FnMut() + Send + 'static) -> Result<()> {
    on_signals(&[signal_hook::consts::SIGINT], handle)
}

#[cfg(unix)]
fn on_signals(heard: &[i32], mut handle: impl FnMut() + Send + 'static) -> Result<()> {
    use signal_hook::iterator::Signals;

    let heard = heard.iter().copied();
    let mut signals = Signals::new(heard.filter(|signal| !is_ignored(*signal)))?;
    let wait = move || signals.forever().for_each(|_| handle());
    thread::Builder::new().name("signals".into()).spawn(wait)?;
    Ok(())
}

/// Lets a write beyond a limit on the size of files fail, as on a full disk, instead of ending the program without
/// a word.
pub fn fail_at_limits() {
    #[cfg(unix)]
    {
        use signal_hook::consts::SIGXFSZ;
        let is_over = Arc::default();
        // Without it such a write is as it would be anyway.
        let _ = signal_hook::flag::register(SIGXFSZ, is_over);
    }
}

/// Whether this process ignores a signal. Linux says it in a file; other systems only to code that is not
/// safe, so that there the answer is no.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

#[cfg(not(unix))]
fn on_signal(handle: impl FnMut() + Send + 'static) -> Result<()> {
    ctrlc::set_handler(handle).map_err(std::io::Error::other)
}

#[cfg(not(unix))]
fn on_interrupt(handle: impl FnMut() + Send + 'static) -> Result<()> {
    on_signal(handle)
}
