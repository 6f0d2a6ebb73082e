//! What `fireclay devices` shows.

use std::fmt::Write;

use serde_json::{Value, json};

use super::{
    Adapter, Backend,
    select::{auto, survey},
};

/// A backend, what it finds on this machine, and whether `auto` takes it.
#[derive(Clone, Debug)]
pub struct BackendStatus {
    /// The backend.
    pub backend: &'static Backend,
    /// Whether this build contains it.
    pub compiled_in: bool,
    /// The devices that it finds, the best first.
    pub adapters: Vec<Adapter>,
    /// On the one backend that `auto` takes: why.
    pub auto: Option<String>,
}

/// Every backend, compiled in or not, with the devices that it finds.
///
/// Opens the cards of CUDA and ROCm, whose names are not known before.
pub fn list() -> Vec<BackendStatus> {
    let survey = survey();
    let choice = auto(&survey).ok();
    let status = |backend: &'static Backend| BackendStatus {
        backend,
        compiled_in: backend.compiled_in(),
        adapters: survey
            .iter()
            .find(|(surveyed, _)| *surveyed == backend)
            .map_or_else(Vec::new, |(_, adapters)| named(backend, adapters.clone())),
        auto: choice
            .as_ref()
            .filter(|(taken, _)| *taken == backend)
            .map(|(_, reason)| reason.clone()),
    };
    Backend::all().map(status).collect()
}

/// The table of [`list`], as text.
pub fn render_devices() -> String {
    let statuses = list();
    let mut table = format!("{:<8}  {:<8}  device\n", "backend", "built in");
    for status in &statuses {
        let built = if status.compiled_in { "yes" } else { "no" };
        for (row, device) in devices(status).iter().enumerate() {
            let (backend, built) = if row == 0 {
                (status.backend.name(), built)
            } else {
                ("", "")
            };
            // Writing to a string does not fail.
            let _ = writeln!(table, "{backend:<8}  {built:<8}  {device}");
        }
    }
    match statuses
        .iter()
        .find_map(|status| Some((status.backend, status.auto.as_ref()?)))
    {
        Some((backend, reason)) => {
            table + &format!("\n`backend = \"auto\"` takes {backend} ({reason})\n")
        }
        None => table + "\n`backend = \"auto\"` finds nothing to take\n",
    }
}

/// [`list`], for programs.
pub fn devices_json() -> Value {
    let adapter = |adapter: &Adapter| {
        json!({
            "index": adapter.index,
            "name": adapter.name,
            "kind": adapter.kind.name(),
            "detail": adapter.detail,
            "refused": adapter.refused,
        })
    };
    let status = |status: &BackendStatus| {
        json!({
            "backend": status.backend.name(),
            "compiled_in": status.compiled_in,
            "auto": status.auto,
            "adapters": status.adapters.iter().map(adapter).collect::<Vec<_>>(),
        })
    };
    list().iter().map(status).collect()
}

/// The last column of a backend's rows.
fn devices(status: &BackendStatus) -> Vec<String> {
    if !status.compiled_in {
        return vec![format!("(build with --features {})", status.backend)];
    }
    if status.adapters.is_empty() {
        return vec!["none found".to_owned()];
    }
    let line = |adapter: &Adapter| match adapter.refused {
        None => format!("{}  {adapter}", adapter.index),
        Some(why) => format!("{}  {adapter}, refused: {why}", adapter.index),
    };
    status.adapters.iter().map(line).collect()
}

/// The devices by the names that they have once they are opened.
fn named(backend: &Backend, mut adapters: Vec<Adapter>) -> Vec<Adapter> {
    let Some(name) = backend.name_on_opening else {
        return adapters;
    };
    for adapter in &mut adapters {
        let device = backend.open(adapter.index).ok();
        if let Some(name) = device.as_ref().and_then(name) {
            adapter.name = name;
        }
    }
    adapters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_every_backend_and_says_what_auto_takes() {
        let table = render_devices();
        for backend in Backend::all() {
            assert!(table.contains(backend.name()), "{table}");
        }
        assert!(table.contains("`backend = \"auto\"`"), "{table}");
    }

    #[test]
    fn auto_takes_at_most_one_backend_and_one_that_is_compiled_in() {
        let mut taken = list();
        taken.retain(|status| status.auto.is_some());
        assert!(taken.len() <= 1);
        let is_usable = |status: &BackendStatus| status.compiled_in && !status.adapters.is_empty();
        assert!(taken.iter().all(is_usable));
    }

    #[test]
    fn json_has_one_object_for_each_backend() {
        let objects = devices_json().as_array().map(Vec::len);
        assert_eq!(objects, Some(Backend::all().count()));
    }
}
