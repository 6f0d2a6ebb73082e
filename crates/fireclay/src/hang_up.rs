//! A terminal that is closed while Burn's dashboard is on it. Where it cannot draw any more, the dashboard would panic
//! twice, which ends the program in the middle of a step.

use std::sync::atomic::{AtomicBool, Ordering};

static IS_GONE: AtomicBool = AtomicBool::new(false);

/// Whether the terminal is gone. Then the dashboard does not come to an end: it waits for keys.
pub fn is_gone() -> bool {
    IS_GONE.load(Ordering::Relaxed)
}

/// From the moment on at which the terminal is closed, what is shown goes nowhere. The training is asked to stop by the
/// signal that comes with it.
pub fn survive() {
    #[cfg(unix)]
    {
        // Without the thread the program ends as it would anyway.
        let _ = std::thread::Builder::new()
            .name("terminal".into())
            .spawn(watch);
    }
}

#[cfg(unix)]
fn watch() {
    use rustix::event::{PollFd, PollFlags, poll};
    use rustix::io::Errno;
    use rustix::stdio::{dup2_stderr, dup2_stdout};

    let shown = std::io::stdout();
    let mut terminal = [PollFd::new(&shown, PollFlags::empty())];
    let gone = PollFlags::HUP | PollFlags::ERR;
    loop {
        match poll(&mut terminal, None) {
            Err(Errno::INTR) => {}
            Ok(_) if terminal[0].revents().intersects(gone) => break,
            // A terminal that cannot be watched is not taken for closed.
            _ => return,
        }
    }
    IS_GONE.store(true, Ordering::Relaxed);
    let nowhere = std::fs::OpenOptions::new().write(true).open("/dev/null");
    if let Ok(nowhere) = nowhere {
        // One that stays as it is fails to write, as before.
        let _ = dup2_stdout(&nowhere).and_then(|()| dup2_stderr(&nowhere));
    }
}
