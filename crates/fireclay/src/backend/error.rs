//! What can be wrong with the hardware that a config names.

use super::{Adapter, Backend};

/// Why a run cannot have the device that it asked for.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// No backend has this name.
    #[error("there is no backend called `{0}`: use auto, {names}", names = names(Backend::all()))]
    Unknown(String),

    /// The backend exists, and this build of the program does not contain it.
    #[error(
        "this build has no `{0}` backend, only {compiled}: add it with `cargo build --release --features {0}`, \
         or name one of those",
        compiled = names(compiled_in())
    )]
    NotCompiledIn(&'static Backend),

    /// `auto` found no graphics card, and no CPU backend is compiled in.
    #[error(
        "found no graphics card ({looked}), and this build has no CPU backend, only {compiled}: \
         build with `--features flex`",
        compiled = names(compiled_in())
    )]
    NothingForAuto {
        /// Where it looked, and what was there.
        looked: String,
    },

    /// The backend finds no device on this machine.
    #[error("backend `{backend}` finds no device on this machine: {why}\n{found}")]
    NoDevice {
        /// The backend that was asked for.
        backend: &'static Backend,
        /// What is likely to be missing.
        why: String,
        /// What the other backends find, a line each.
        found: String,
    },

    /// The backend finds fewer devices than the index asks for.
    #[error(
        "backend `{backend}` has no device {index}{}; it finds:\n{}",
        for_each(*processes),
        lines(adapters)
    )]
    NoSuchIndex {
        /// The backend that was asked for, or that `auto` took.
        backend: &'static Backend,
        /// The index that was asked for.
        index: usize,
        /// How many processes of this machine would each have one.
        processes: usize,
        /// The devices that there are.
        adapters: Vec<Adapter>,
    },

    /// The device is there, and is known not to work.
    #[error("backend `{backend}` would run on {name}, which is refused: {why}")]
    Refused {
        /// The backend that was asked for.
        backend: &'static Backend,
        /// The device's name.
        name: String,
        /// Why it is refused, and what to use instead.
        why: &'static str,
    },

    /// The device is there, and could not be opened.
    #[error("backend `{backend}` finds {name}, but cannot open it: {why}")]
    CannotOpen {
        /// The backend that was asked for.
        backend: &'static Backend,
        /// The device's name.
        name: String,
        /// What the driver said.
        why: String,
    },
}

/// Why there should be more devices.
fn for_each(processes: usize) -> String {
    match processes {
        1 => String::new(),
        _ => format!(
            ": each of {processes} processes on this machine would have one of its own (cluster.device_per_process = false \
             lets all share the one of device.device_index)"
        ),
    }
}

/// The backends of this build.
pub(super) fn compiled_in() -> impl Iterator<Item = &'static Backend> {
    Backend::all().filter(|backend| backend.compiled_in())
}

/// `a, b or c`.
fn names(backends: impl IntoIterator<Item = &'static Backend>) -> String {
    let names: Vec<&str> = backends.into_iter().map(Backend::name).collect();
    match names.split_last() {
        None => "none".to_owned(),
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}

/// Devices as they are listed inside a message.
pub(super) fn lines(adapters: &[Adapter]) -> String {
    let lines: Vec<String> = adapters
        .iter()
        .map(|adapter| format!("  {}  {adapter}", adapter.index))
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_joined_as_in_a_sentence() {
        assert_eq!(names([]), "none");
        assert_eq!(names(Backend::all().take(1)), "flex");
        assert_eq!(names(Backend::all().take(3)), "flex, ndarray or wgpu");
    }

    #[test]
    fn a_missing_backend_names_its_cargo_feature() {
        let rocm = Backend::named("rocm").expect("a known backend");
        let message = BackendError::NotCompiledIn(rocm).to_string();
        assert!(message.contains("--features rocm"), "{message}");
    }
}
