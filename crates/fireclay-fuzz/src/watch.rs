//! Time and memory of a reader.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// No file takes longer.
const LONGEST: Duration = Duration::from_secs(10);

/// No file takes more memory, in bytes, above what the process had before.
const MOST_BYTES: u64 = 1 << 30;

/// One target at a time: the memory is that of the whole process.
static TURN: Mutex<()> = Mutex::new(());

/// Watches over a reader.
pub(crate) struct Watch {
    started: Arc<Mutex<Option<Instant>>>,
    before: u64,
    peak: Cell<u64>,
    _turn: MutexGuard<'static, ()>,
}

impl Watch {
    /// A thread ends the process where a file takes too long; nothing else can end a loop.
    pub fn new(name: &str, path: &Path) -> Self {
        let turn = TURN.lock().unwrap_or_else(|failed| failed.into_inner());
        let started = Arc::new(Mutex::new(None));
        let (seen, name, path) = (Arc::downgrade(&started), name.to_owned(), path.to_owned());
        std::thread::spawn(move || {
            while let Some(started) = seen.upgrade() {
                let since: Option<Instant> = *started.lock().expect("nobody panics with it");
                if since.is_some_and(|since| since.elapsed() > LONGEST) {
                    end(&name, &path);
                }
                drop(started);
                std::thread::sleep(Duration::from_millis(200));
            }
        });
        let is_reset = std::fs::write("/proc/self/clear_refs", "5").is_ok();
        Self {
            started,
            // A mark that stays says nothing of what comes.
            before: status(if is_reset { "VmRSS:" } else { "VmHWM:" }).unwrap_or(0),
            peak: Cell::new(0),
            _turn: turn,
        }
    }

    /// # Panics
    /// If `read` panics, or takes too much memory.
    pub fn over(&self, read: impl FnOnce()) {
        *self.started.lock().expect("nobody panics with it") = Some(Instant::now());
        read();
        *self.started.lock().expect("nobody panics with it") = None;
        let peak = status("VmHWM:").unwrap_or(0).saturating_sub(self.before);
        self.peak.set(self.peak.get().max(peak));
        assert!(peak <= MOST_BYTES, "it takes {} MiB of memory", peak >> 20);
    }

    /// The most memory above that of the start, in bytes.
    pub fn peak(&self) -> u64 {
        self.peak.get()
    }
}

fn end(name: &str, path: &Path) -> ! {
    let kept: PathBuf = std::env::temp_dir().join(format!("fuzz-{name}"));
    let _ = std::fs::copy(path, &kept);
    eprintln!(
        "fuzz {name}: a file took more than {LONGEST:?}; it is kept as {}",
        kept.display()
    );
    std::process::abort()
}

/// A number of bytes in what Linux says of this process.
fn status(key: &str) -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kibibytes << 10)
}
