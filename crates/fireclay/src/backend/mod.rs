//! Which hardware a run uses: the one place that knows which of Burn's backends are compiled in.
//!
//! Hardware is listed before anything is opened, because opening a device that is not there panics inside Burn, and
//! because what a driver finds on its own is not always what was meant. Nothing here falls back in silence: what is named
//! is used, or it is an error that says what there is.

mod adapter;
mod error;
#[cfg(feature = "wgpu")]
mod graphics;
mod known;
mod list;
mod select;

pub use error::BackendError;
pub use list::{devices_json, render_devices};
pub use select::{Which, select};

use std::fmt;

use burn::tensor::Device;
use fireclay_run::config::BackendName;

use adapter::{Adapter, AdapterKind};
use known::KNOWN;

/// One of Burn's backends, compiled in or not.
pub struct Backend {
    word: BackendName,
    driver: Option<Driver>,
    /// The name of an opened card, where it is not known before.
    name_on_opening: Option<fn(&Device) -> Option<String>>,
    /// What is likely to be missing where it finds nothing.
    missing: fn() -> String,
}

/// How the devices of a backend are reached.
struct Driver {
    /// The devices that it finds on this machine, the best first. Asks without opening a device, so it is
    /// quick and takes no memory on a card.
    find: fn() -> Vec<Adapter>,
    /// Opens a device by its index.
    open: fn(usize) -> Result<Device, String>,
}

impl Backend {
    /// Every backend, in the order in which they are shown.
    fn all() -> impl Iterator<Item = &'static Self> {
        let find = |word| KNOWN.iter().find(|backend| backend.word == word);
        BackendName::ALL.iter().copied().filter_map(find)
    }

    /// The backend of this name.
    fn named(name: &str) -> Result<&'static Self, BackendError> {
        let found = KNOWN.iter().find(|backend| backend.name() == name);
        found.ok_or_else(|| BackendError::Unknown(name.to_owned()))
    }

    /// The name in a config file, which is also the name of the cargo feature.
    pub fn name(&self) -> &'static str {
        self.word.name()
    }

    /// Whether this build of the program contains the backend.
    fn compiled_in(&self) -> bool {
        self.driver.is_some()
    }

    /// Whether it computes on the CPU.
    fn is_processor(&self) -> bool {
        self.word.is_host()
    }

    /// The devices that it finds on this machine, the best first; none if it is not compiled in.
    fn adapters(&self) -> Vec<Adapter> {
        let driver = self.driver.as_ref();
        driver.map_or_else(Vec::new, |driver| (driver.find)())
    }

    /// Opens a device that it finds.
    fn open(&self, index: usize) -> Result<Device, String> {
        match &self.driver {
            Some(driver) => (driver.open)(index),
            None => Err(format!("device {index} of {self} is not in this build")),
        }
    }
}

impl PartialEq for Backend {
    fn eq(&self, other: &Self) -> bool {
        self.word == other.word
    }
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_a_config_has_its_backend() {
        for word in BackendName::ALL
            .iter()
            .filter(|word| **word != BackendName::Auto)
        {
            let found = Backend::named(word.name()).expect("every word has a backend");
            assert_eq!(found.word, *word);
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let message = Backend::named("opengl")
            .expect_err("no such backend")
            .to_string();
        assert!(message.contains("`opengl`"), "{message}");
        for backend in Backend::all() {
            assert!(message.contains(backend.name()), "{message}");
        }
    }
}
