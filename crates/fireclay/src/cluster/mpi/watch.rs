//! What this process did last, and whether it waits in vain where it cannot look itself.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::text::{aloud, tell};

struct State {
    did: String,
    /// Since when it waits inside of MPI, and how long that may take.
    waits: Option<(Instant, Duration)>,
}

static STATE: Mutex<State> = Mutex::new(State {
    did: String::new(),
    waits: None,
});

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Remembers what this process did last.
pub fn did(what: &str) {
    what.clone_into(&mut state().did);
}

/// What this process did last.
pub fn last() -> String {
    match state().did.as_str() {
        "" => "been started".into(),
        did => did.into(),
    }
}

/// Does `work`, which calls MPI and waits for the others. If it takes longer than `most`, all end.
pub fn within<T>(most: Duration, work: impl FnOnce() -> T) -> T {
    state().waits = Some((Instant::now(), most));
    let done = work();
    state().waits = None;
    done
}

/// Looks after what [`within`] does, for the process at `place`.
///
/// # Errors
///
/// If the system gives no thread.
pub fn start(place: String) -> std::io::Result<()> {
    let look = move || loop {
        thread::sleep(Duration::from_millis(500));
        let waits = state().waits;
        if let Some((since, most)) = waits
            && since.elapsed() > most
        {
            aloud();
            let did = last();
            tell!(
                "error: {place} has waited {} s for an exchange that all processes had begun: one of them, or the \
                 network, has stopped. It had {did}; all end. The last checkpoint is whole",
                since.elapsed().as_secs()
            );
            std::process::exit(1);
        }
    };
    thread::Builder::new()
        .name("mpi watch".into())
        .spawn(look)?;
    Ok(())
}
