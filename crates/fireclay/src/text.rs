//! Plain text for people.

use std::fmt::{self, Arguments, Write as _};
use std::io::{ErrorKind, IsTerminal, Write, stderr, stdout};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

pub use fireclay_report::with_unit;

pub use crate::plain::{one_line, plain};

/// Prints a line to standard output. It never panics: what cannot be written is known at the end of the
/// program, by [`lost`].
macro_rules! say {
    ($($text:tt)*) => {
        $crate::text::put(format_args!("{}\n", format_args!($($text)*)))
    };
}
pub(crate) use say;

/// Prints prose to standard output: as `say!`, with breaks between words where the terminal is too narrow.
/// What goes on is indented by the first argument.
macro_rules! prose {
    ($hang:expr, $($text:tt)*) => {
        $crate::text::say!("{}", $crate::screen::Screen::out().prose($hang, &format!($($text)*)))
    };
}
pub(crate) use prose;

/// Prints prose to standard error, likewise. It may be closed: then nobody wants to read it.
macro_rules! tell {
    ($($text:tt)*) => {{
        let text = $crate::screen::Screen::err().prose(2, &format!($($text)*));
        $crate::text::put_aside(format_args!("{text}\n"))
    }};
}
pub(crate) use tell;

/// When something was printed last, in milliseconds since [`silent`] was first asked.
static SAID: AtomicU64 = AtomicU64::new(0);

fn now() -> u64 {
    static BEGAN: OnceLock<Instant> = OnceLock::new();
    BEGAN.get_or_init(Instant::now).elapsed().as_millis() as u64
}

/// How long nothing has been printed by this module.
pub fn silent() -> Duration {
    Duration::from_millis(now().saturating_sub(SAID.load(Ordering::Relaxed)))
}

/// Whether nothing is to be printed.
static MUTE: AtomicBool = AtomicBool::new(false);

/// From now on nothing is printed: another process says it.
pub fn mute() {
    MUTE.store(true, Ordering::Relaxed);
}

/// From now on it is again: this process knows what no other does.
#[cfg(feature = "mpi")]
pub fn aloud() {
    MUTE.store(false, Ordering::Relaxed);
}

fn is_mute() -> bool {
    MUTE.load(Ordering::Relaxed)
}

/// Why standard output could not be written for the first time.
static LOST: OnceLock<std::io::Error> = OnceLock::new();

/// Writes a text to standard output. Whatever data has put into it, it acts on no terminal.
pub fn put(text: Arguments<'_>) {
    if is_mute() {
        return;
    }
    SAID.store(now(), Ordering::Relaxed);
    keep(Plain::write(stdout().lock(), text));
}

/// Writes what a model says to standard output, where it is seen at once. Whoever reads it through a pipe gets
/// it as it is.
pub fn put_now(text: &str) {
    SAID.store(now(), Ordering::Relaxed);
    match stdout().is_terminal() {
        true => put(format_args!("{text}")),
        false => keep(stdout().write_all(text.as_bytes())),
    }
    keep(stdout().flush());
}

/// Writes a text to standard error, likewise.
pub fn put_aside(text: Arguments<'_>) {
    if is_mute() {
        return;
    }
    SAID.store(now(), Ordering::Relaxed);
    // There is no other place to say that this failed.
    let _ = Plain::write(stderr().lock(), text);
}

/// Writes a text in colours to standard error: nothing else in it may act.
pub fn put_painted(text: &str) {
    if !is_mute() {
        let _ = writeln!(stderr(), "{text}");
    }
}

/// What writes text that acts on no terminal.
struct Plain<W> {
    to: W,
    failed: Option<std::io::Error>,
}

impl<W: Write> Plain<W> {
    fn write(to: W, text: Arguments<'_>) -> std::io::Result<()> {
        let mut plain = Self { to, failed: None };
        match plain.write_fmt(text) {
            Ok(()) => Ok(()),
            Err(fmt::Error) => Err(plain
                .failed
                .unwrap_or_else(|| std::io::Error::other("it cannot be shown"))),
        }
    }
}

impl<W: Write> fmt::Write for Plain<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.to.write_all(plain(text).as_bytes()).map_err(|error| {
            self.failed = Some(error);
            fmt::Error
        })
    }
}

/// Remembers why standard output could not be written. A reader that stopped reading, as `| head` does,
/// has what it wanted.
pub fn keep(written: std::io::Result<()>) {
    if let Err(error) = written
        && error.kind() != ErrorKind::BrokenPipe
    {
        // The first reason is the one that counts.
        let _ = LOST.set(error);
    }
}

/// Why something that was printed is lost, if it is.
pub fn lost() -> Option<&'static std::io::Error> {
    keep(stdout().flush());
    LOST.get()
}

/// A number with four significant digits, or as many as a count has.
pub fn number(value: f64) -> String {
    let digits = value.abs().log10().floor();
    match digits {
        _ if !value.is_finite() || value == 0.0 => format!("{value}"),
        d if !(-4.0..15.0).contains(&d) => format!("{value:.3e}"),
        d if d >= 4.0 => format!("{value:.1}"),
        d if d >= 0.0 => format!("{value:.*}", (3 - d as usize).max(1)),
        _ => format!("{value:.4}"),
    }
}

/// A whole number with a comma after every three digits.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev();
    let groups = groups.map(|group| String::from_utf8_lossy(group));
    groups.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let shown = [0.97674, 0.000012, 0.0, 54.1234, 3012.77, 123456.0, -1e308].map(number);
        let wanted = [
            "0.9767",
            "1.200e-5",
            "0",
            "54.12",
            "3012.8",
            "123456.0",
            "-1.000e308",
        ];
        assert_eq!(shown, wanted);
    }

    #[test]
    fn what_is_printed_acts_on_no_terminal() {
        let mut written = Vec::new();
        let text = format_args!("a\u{1b}[2J\n\t{}", 1);
        Plain::write(&mut written, text).expect("memory takes it");
        assert_eq!(String::from_utf8_lossy(&written), "a\\u001b[2J\n\t1");
    }

    #[test]
    fn counts_have_commas() {
        let shown = [0, 999, 1000, 174_604_259_328].map(count);
        assert_eq!(shown, ["0", "999", "1,000", "174,604,259,328"]);
    }

    #[test]
    fn units_have_prefixes() {
        let values = [0.0, 999.0, 1000.0, 12_345.0, 999_600.0, 3.149e23];
        let shown = values.map(|value| with_unit(value, "B"));
        let wanted = ["0 B", "999 B", "1.00 kB", "12.3 kB", "1.00 MB", "315 ZB"];
        assert_eq!(shown, wanted);
    }
}
