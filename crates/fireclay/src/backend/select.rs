//! From the `[device]` table of a config to an open device.

use burn::tensor::Device;
use fireclay_train::loader::Share;

use super::{Adapter, Backend, BackendError, KNOWN, error::compiled_in, error::lines};

/// The device of a run.
#[derive(Clone, Debug)]
pub struct Selected {
    /// The backend that runs it.
    pub backend: &'static Backend,
    /// The device, without automatic differentiation.
    pub device: Device,
    /// One line for people, for example `vulkan on NVIDIA RTX A4000 (discrete, Vulkan, NVIDIA 550.54)`.
    pub description: String,
    /// Why this one: because it was asked for by name, or what `auto` went by.
    pub reason: String,
}

/// Which device of a backend is meant, from 0: of several processes on this machine the first has this one, the next ones
/// those that follow it. Those of the CPU share it.
#[derive(Clone, Copy, Debug)]
pub struct Which {
    /// `device.device_index`.
    pub index: usize,
    /// Which of the processes of this machine this is that have a device each.
    pub process: Share,
}

impl Which {
    /// Its index, if there are `count` of them.
    fn of(self, count: usize, backend: &Backend) -> Result<usize, usize> {
        let Self {
            index,
            process: Share { rank, world },
        } = self;
        match backend.is_processor() {
            true if index < count => Ok(index),
            false if index + world <= count => Ok(index + rank),
            _ => Err(index.max(count)),
        }
    }
}

/// Opens a device of the backend called `name`, or of the one that `auto` takes.
///
/// `auto` takes a real graphics card, by the first of CUDA, Metal, ROCm, Vulkan and wgpu that finds one, or else the CPU;
/// never a software driver. A named backend is used or it is an error.
///
/// # Errors
///
/// A [`BackendError`] that lists what there is: the name is unknown or not compiled in, there is no such device, it is
/// known not to work, or it does not open.
pub fn select(name: &str, which: Which) -> Result<Selected, BackendError> {
    if name == "auto" {
        let (backend, reason) = auto(&survey())?;
        return take(backend, which, reason, |adapter| {
            adapter.kind.is_real_gpu() || backend.is_processor()
        });
    }
    let backend = Backend::named(name)?;
    if !backend.compiled_in() {
        return Err(BackendError::NotCompiledIn(backend));
    }
    take(backend, which, "asked for by name".to_owned(), |_| true)
}

/// What every backend of this build finds, in the order in which `auto` prefers them.
pub(super) fn survey() -> Survey {
    let compiled_in = KNOWN.iter().filter(|backend| backend.compiled_in());
    compiled_in
        .map(|backend| (backend, backend.adapters()))
        .collect()
}

/// Backends with the devices that they find.
pub(super) type Survey = Vec<(&'static Backend, Vec<Adapter>)>;

/// What `auto` takes of a [`survey`], and why.
pub(super) fn auto(
    survey: &[(&'static Backend, Vec<Adapter>)],
) -> Result<(&'static Backend, String), BackendError> {
    let usable = |adapter: &&Adapter| adapter.kind.is_real_gpu() && adapter.refused.is_none();
    for (backend, adapters) in survey {
        if let Some(card) = adapters.iter().find(usable) {
            return Ok((*backend, format!("auto: {backend} finds {}", card.name)));
        }
    }
    let looked = looked(survey);
    match survey.iter().find(|(backend, _)| backend.is_processor()) {
        Some((backend, _)) => Ok((
            *backend,
            format!("auto: no graphics card found ({looked}), so the CPU"),
        )),
        None => Err(BackendError::NothingForAuto { looked }),
    }
}

fn take(
    backend: &'static Backend,
    which: Which,
    reason: String,
    allowed: impl Fn(&Adapter) -> bool,
) -> Result<Selected, BackendError> {
    let adapters: Vec<Adapter> = backend.adapters().into_iter().filter(allowed).collect();
    if adapters.is_empty() {
        return Err(no_device(backend));
    }
    let adapter = match which.of(adapters.len(), backend) {
        Ok(index) => &adapters[index],
        Err(index) => {
            return Err(BackendError::NoSuchIndex {
                backend,
                index,
                processes: which.process.world,
                adapters,
            });
        }
    };
    let name = adapter.name.clone();
    if let Some(why) = adapter.refused {
        return Err(BackendError::Refused { backend, name, why });
    }
    let device = backend
        .open(adapter.index)
        .map_err(|why| BackendError::CannotOpen { backend, name, why })?;
    Ok(Selected {
        backend,
        device,
        description: format!("{backend} on {adapter}"),
        reason,
    })
}

/// What the graphics backends found that `auto` does not take.
fn looked(survey: &[(&'static Backend, Vec<Adapter>)]) -> String {
    let found: Vec<String> = survey
        .iter()
        .filter(|(backend, _)| !backend.is_processor())
        .map(|(backend, adapters)| match adapters.first() {
            None => format!("{backend}: none"),
            Some(first) => format!("{backend}: only {}, {}", first.name, first.kind.name()),
        })
        .collect();
    if found.is_empty() {
        return "no backend for one is compiled in".to_owned();
    }
    found.join("; ")
}

fn no_device(backend: &'static Backend) -> BackendError {
    let found: Vec<String> = compiled_in()
        .filter(|other| *other != backend)
        .map(|other| match other.adapters() {
            none if none.is_empty() => format!("{other} finds none"),
            some => format!("{other} finds\n{}", lines(&some)),
        })
        .collect();
    BackendError::NoDevice {
        backend,
        why: (backend.missing)(),
        found: found.join("\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::adapter::AdapterKind;

    fn backend(name: &str) -> &'static Backend {
        Backend::named(name).expect("a known backend")
    }

    /// A backend with one device.
    fn with(backend_name: &str, name: &str, kind: AdapterKind) -> (&'static Backend, Vec<Adapter>) {
        let adapter = Adapter {
            index: 0,
            name: name.to_owned(),
            kind,
            detail: String::new(),
            refused: None,
        };
        (backend(backend_name), vec![adapter])
    }

    fn only(index: usize) -> Which {
        Which {
            index,
            process: Share::WHOLE,
        }
    }

    #[test]
    fn each_process_of_a_machine_has_a_device_of_its_own() {
        let of = |name, [index, rank, world]: [usize; 3], count| {
            let process = Share { rank, world };
            Which { index, process }.of(count, backend(name))
        };
        let eight = (0..8).map(|rank| of("cuda", [0, rank, 8], 8));
        assert!(eight.eq((0..8).map(Ok)));
        let last = (0..2).map(|rank| of("vulkan", [6, rank, 2], 8));
        assert!(last.eq([Ok(6), Ok(7)]));
        // All of them refuse, also those that would have one.
        let too_many = (0..4).map(|rank| of("cuda", [0, rank, 4], 3));
        assert!(too_many.eq([Err(3); 4]));
        assert_eq!(of("cuda", [9, 0, 1], 3), Err(9));
        assert_eq!(of("flex", [0, 3, 4], 1), Ok(0));
        assert_eq!(of("flex", [1, 0, 1], 1), Err(1));
    }

    fn flex() -> (&'static Backend, Vec<Adapter>) {
        with("flex", "CPU", AdapterKind::Cpu)
    }

    #[test]
    fn auto_takes_the_first_real_card() {
        let radeon = |backend| with(backend, "Radeon", AdapterKind::Integrated);
        let none = (backend("cuda"), vec![]);
        let survey = [none, radeon("vulkan"), radeon("wgpu"), flex()];
        let (taken, reason) = auto(&survey).expect("there is a card");
        assert_eq!(taken, backend("vulkan"));
        assert!(reason.contains("Radeon"), "{reason}");
    }

    #[test]
    fn auto_never_takes_a_software_driver() {
        let survey = [with("wgpu", "SwiftShader", AdapterKind::Software), flex()];
        let (taken, reason) = auto(&survey).expect("there is a CPU");
        assert_eq!(taken, backend("flex"));
        assert!(reason.contains("SwiftShader, software"), "{reason}");
    }

    #[test]
    fn auto_never_takes_a_refused_card() {
        let mut broken = with("wgpu", "broken", AdapterKind::Discrete);
        broken.1[0].refused = Some("it is broken");
        let survey = [broken, flex()];
        assert_eq!(auto(&survey).expect("there is a CPU").0, backend("flex"));
    }

    #[test]
    fn auto_without_card_and_cpu_backend_is_an_error() {
        let message = auto(&[(backend("cuda"), vec![])])
            .expect_err("nothing to take")
            .to_string();
        assert!(message.contains("cuda: none"), "{message}");
    }

    #[test]
    #[cfg(feature = "flex")]
    fn an_index_out_of_range_lists_what_there_is() {
        let message = select("flex", only(1))
            .expect_err("there is one CPU")
            .to_string();
        assert!(
            message.contains("no device 1") && message.contains("0  CPU"),
            "{message}"
        );
    }

    #[test]
    fn every_backend_of_this_build_opens_or_explains_itself() {
        for backend in Backend::all() {
            match select(backend.name(), only(0)) {
                Ok(selected) => assert_eq!(selected.backend, backend),
                Err(error) => assert!(error.to_string().contains(backend.name()), "{error}"),
            }
        }
    }
}
