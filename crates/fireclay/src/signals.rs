//! Interruption: the first signal asks, the second ends.

use std::sync::atomic::{AtomicBool, Ordering};

use burn::train::Interrupter;

/// Exit code of a process that a second signal ended.
const KILLED: i32 = 130;

/// On the first SIGINT or SIGTERM, lets training finish its step and save; on the second, exits
/// at once.
pub fn stop_on_signal(interrupter: &Interrupter) {
    let interrupter = interrupter.clone();
    let asked = AtomicBool::new(false);
    let handler = move || {
        if asked.swap(true, Ordering::SeqCst) {
            std::process::exit(KILLED);
        }
        eprintln!("\nfinishing the step and saving; once more to exit at once");
        interrupter.stop(Some("a signal"));
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        eprintln!("warning: an interruption will not be saved: {error}");
    }
}
