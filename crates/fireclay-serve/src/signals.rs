//! What the system tells the process.

use std::future::Future;

use crate::state::State;

/// Ends when the process is asked to end.
pub fn stop() -> impl Future<Output = ()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut signals: Vec<_> = [SignalKind::interrupt(), SignalKind::terminate()]
            .into_iter()
            .filter_map(|kind| signal(kind).ok())
            .collect();
        async move {
            if signals.is_empty() {
                // Nothing can ask the process to end but its death.
                return std::future::pending().await;
            }
            let heard = signals.iter_mut().map(|signal| Box::pin(signal.recv()));
            futures_util::future::select_all(heard).await;
        }
    }
    #[cfg(not(unix))]
    async {
        // Without it nothing can ask the process to end but its death.
        let _ = tokio::signal::ctrl_c().await;
    }
}

/// Loads all runs anew on each SIGHUP.
pub fn reload_on_hangup(state: &State) {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
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
