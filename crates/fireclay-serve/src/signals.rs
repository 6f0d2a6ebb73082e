//! What the system tells the process.

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::state::State;

/// Hears when the process is asked to end.
pub struct Stop {
    #[cfg(unix)]
    signals: Vec<Signal>,
}

impl Stop {
    /// From now on the signals do not end the process themselves. Inside of a runtime.
    pub fn new() -> Self {
        Self {
            #[cfg(unix)]
            signals: [SignalKind::interrupt(), SignalKind::terminate()]
                .into_iter()
                .filter_map(|kind| signal(kind).ok())
                .collect(),
        }
    }

    /// Ends when the process is asked to end, each time anew. Without signals nothing can ask it but its death.
    pub async fn heard(&mut self) {
        #[cfg(unix)]
        std::future::poll_fn(|context| {
            let mut signals = self.signals.iter_mut();
            match signals.any(|signal| signal.poll_recv(context).is_ready()) {
                true => std::task::Poll::Ready(()),
                false => std::task::Poll::Pending,
            }
        })
        .await;
        #[cfg(not(unix))]
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}

/// Loads all runs anew on each SIGHUP. Inside of a runtime.
pub fn reload_on_hangup(state: &State) {
    #[cfg(unix)]
    {
        let Ok(mut signals) = signal(SignalKind::hangup()) else {
            return;
        };
        let state = state.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                let state = state.clone();
                // A panic there would be one of the thread alone.
                let _ = tokio::task::spawn_blocking(move || state.reload_all()).await;
            }
        });
    }
    #[cfg(not(unix))]
    let _ = state;
}
