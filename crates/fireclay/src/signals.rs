//! Interruption: the first signal asks, the second ends.

use std::io::Result;
use std::time::{Duration, Instant};

use burn::train::Interrupter;

use crate::text::tell;

/// Exit code of a process that a second signal ended.
const KILLED: i32 = 130;
/// Two signals so soon after each other are one: `timeout` and some schedulers signal the process and then its group.
const MOMENT: Duration = Duration::from_millis(500);

/// On the first SIGINT, SIGTERM or SIGHUP, lets training finish its step and save; on the second, exits at
/// once. A signal that the process was started to ignore, as by `nohup` or behind `&` in a script, stays ignored.
pub fn stop_on_signal(interrupter: &Interrupter) {
    let interrupter = interrupter.clone();
    let mut asked: Option<Instant> = None;
    let handle = move || {
        match asked {
            Some(since) if since.elapsed() > MOMENT => std::process::exit(KILLED),
            Some(_) => return,
            None => asked = Some(Instant::now()),
        }
        interrupter.stop(Some("a signal"));
        tell!("\nfinishing the step and saving; once more to exit at once");
    };
    if let Err(error) = on_signal(handle) {
        tell!("warning: an interruption will not be saved: {error}");
    }
}

#[cfg(unix)]
fn on_signal(mut handle: impl FnMut() + Send + 'static) -> Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;

    let heard = [SIGINT, SIGTERM, SIGHUP].into_iter();
    let mut signals = Signals::new(heard.filter(|signal| !is_ignored(*signal)))?;
    let wait = move || signals.forever().for_each(|_| handle());
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(wait)?;
    Ok(())
}

/// Lets a write beyond a limit on the size of files fail, as on a full disk, instead of ending the program without
/// a word.
pub fn fail_at_limits() {
    #[cfg(unix)]
    {
        use signal_hook::consts::SIGXFSZ;
        let is_over = std::sync::Arc::default();
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
