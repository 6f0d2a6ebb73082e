//! From the `[device]` table of a config to an open device.

use burn::tensor::Device;

use super::{Adapter, Backend, BackendError, adapter::adapters, error::compiled_in, error::lines};

/// The device of a run.
#[derive(Clone, Debug)]
pub struct Selected {
    /// The backend that runs it.
    pub backend: Backend,
    /// The device, without automatic differentiation.
    pub device: Device,
    /// One line for people, for example `vulkan on NVIDIA RTX A4000 (discrete, Vulkan, NVIDIA 550.54)`.
    pub description: String,
    /// Why this one: because it was asked for by name, or what `auto` went by.
    pub reason: String,
}

/// Opens the device `index` of the backend called `name`, or of the one that `auto` takes.
///
/// `auto` takes a real graphics card, by the first of CUDA, Metal, ROCm, Vulkan and wgpu that finds one, or else the CPU;
/// never a software driver. A named backend is used or it is an error.
///
/// # Errors
///
/// A [`BackendError`] that lists what there is: the name is unknown or not compiled in, there is no such device, it is
/// known not to work, or it does not open.
pub fn select(name: &str, index: usize) -> Result<Selected, BackendError> {
    if name == "auto" {
        let (backend, reason) = auto(&survey())?;
        return take(backend, index, reason, |adapter| {
            adapter.kind.is_real_gpu() || is_processor(backend)
        });
    }
    let backend: Backend = name.parse()?;
    if !backend.compiled_in() {
        return Err(BackendError::NotCompiledIn(backend));
    }
    take(backend, index, "asked for by name".to_owned(), |_| true)
}

/// What every backend of this build finds, in the order in which `auto` prefers them.
pub(super) fn survey() -> Vec<(Backend, Vec<Adapter>)> {
    const PREFERRED: [Backend; 7] = [
        Backend::Cuda,
        Backend::Metal,
        Backend::Rocm,
        Backend::Vulkan,
        Backend::Wgpu,
        Backend::Flex,
        Backend::NdArray,
    ];
    PREFERRED
        .into_iter()
        .filter(|backend| backend.compiled_in())
        .map(|backend| (backend, adapters(backend)))
        .collect()
}

/// What `auto` takes of a [`survey`], and why.
pub(super) fn auto(survey: &[(Backend, Vec<Adapter>)]) -> Result<(Backend, String), BackendError> {
    let usable = |adapter: &&Adapter| adapter.kind.is_real_gpu() && adapter.refused.is_none();
    for (backend, adapters) in survey {
        if let Some(card) = adapters.iter().find(usable) {
            return Ok((*backend, format!("auto: {backend} finds {}", card.name)));
        }
    }
    let looked = looked(survey);
    match survey.iter().find(|(backend, _)| is_processor(*backend)) {
        Some((backend, _)) => Ok((
            *backend,
            format!("auto: no graphics card found ({looked}), so the CPU"),
        )),
        None => Err(BackendError::NothingForAuto { looked }),
    }
}

fn take(
    backend: Backend,
    index: usize,
    reason: String,
    allowed: impl Fn(&Adapter) -> bool,
) -> Result<Selected, BackendError> {
    let adapters: Vec<Adapter> = adapters(backend).into_iter().filter(allowed).collect();
    let Some(adapter) = adapters.get(index) else {
        return Err(if adapters.is_empty() {
            no_device(backend)
        } else {
            BackendError::NoSuchIndex {
                backend,
                index,
                adapters,
            }
        });
    };
    let name = adapter.name.clone();
    if let Some(why) = adapter.refused {
        return Err(BackendError::Refused { backend, name, why });
    }
    let device = open(backend, adapter.index).map_err(|why| BackendError::CannotOpen {
        backend,
        name,
        why,
    })?;
    Ok(Selected {
        backend,
        device,
        description: format!("{backend} on {adapter}"),
        reason,
    })
}

/// Opens a device that [`adapters`] lists.
fn open(backend: Backend, index: usize) -> Result<Device, String> {
    match backend {
        #[cfg(feature = "flex")]
        Backend::Flex => Ok(Device::flex()),
        #[cfg(feature = "ndarray")]
        #[expect(
            deprecated,
            reason = "Burn would rather have flex used; the config asks for ndarray"
        )]
        Backend::NdArray => Ok(Device::ndarray()),
        #[cfg(feature = "wgpu")]
        Backend::Wgpu | Backend::Vulkan | Backend::Metal => super::graphics::open(backend, index),
        #[cfg(feature = "cuda")]
        Backend::Cuda => Ok(Device::cuda(index)),
        #[cfg(feature = "rocm")]
        Backend::Rocm => Ok(Device::rocm(index)),
        #[cfg(not(all(
            feature = "flex",
            feature = "ndarray",
            feature = "wgpu",
            feature = "cuda",
            feature = "rocm"
        )))]
        _ => Err(format!("device {index} of {backend} is not in this build")),
    }
}

fn is_processor(backend: Backend) -> bool {
    matches!(backend, Backend::Flex | Backend::NdArray)
}

/// What the graphics backends found that `auto` does not take.
fn looked(survey: &[(Backend, Vec<Adapter>)]) -> String {
    let found: Vec<String> = survey
        .iter()
        .filter(|(backend, _)| !is_processor(*backend))
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

fn no_device(backend: Backend) -> BackendError {
    let found: Vec<String> = compiled_in()
        .filter(|other| *other != backend)
        .map(|other| match adapters(other) {
            none if none.is_empty() => format!("{other} finds none"),
            some => format!("{other} finds\n{}", lines(&some)),
        })
        .collect();
    BackendError::NoDevice {
        backend,
        why: missing(backend),
        found: found.join("\n"),
    }
}

/// What is likely to be missing where a backend finds nothing.
fn missing(backend: Backend) -> String {
    match backend {
        Backend::Cuda => "NVIDIA's driver is not installed, or sees no card".to_owned(),
        Backend::Rocm => "AMD's ROCm is not installed, or sees no card".to_owned(),
        Backend::Metal => "Metal exists on Apple's machines only".to_owned(),
        #[cfg(feature = "wgpu")]
        _ => match super::graphics::only_on_opengl().as_slice() {
            [] => "no Vulkan driver is installed, or it sees no card".to_owned(),
            names => format!(
                "no Vulkan driver is installed, or it sees no card; {} answers by OpenGL, which is not used, \
                 because compiling one kernel there can take minutes",
                names.join(", ")
            ),
        },
        #[cfg(not(feature = "wgpu"))]
        _ => "this backend is not in this build".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::adapter::AdapterKind;

    fn adapter(name: &str, kind: AdapterKind) -> Adapter {
        Adapter {
            index: 0,
            name: name.to_owned(),
            kind,
            detail: String::new(),
            refused: None,
        }
    }

    fn flex() -> (Backend, Vec<Adapter>) {
        (Backend::Flex, vec![adapter("CPU", AdapterKind::Cpu)])
    }

    #[test]
    fn auto_takes_the_first_real_card() {
        let survey = [
            (Backend::Cuda, vec![]),
            (
                Backend::Vulkan,
                vec![adapter("Radeon", AdapterKind::Integrated)],
            ),
            (
                Backend::Wgpu,
                vec![adapter("Radeon", AdapterKind::Integrated)],
            ),
            flex(),
        ];
        let (backend, reason) = auto(&survey).expect("there is a card");
        assert_eq!(backend, Backend::Vulkan);
        assert!(reason.contains("Radeon"), "{reason}");
    }

    #[test]
    fn auto_never_takes_a_software_driver() {
        let survey = [
            (
                Backend::Wgpu,
                vec![adapter("SwiftShader", AdapterKind::Software)],
            ),
            flex(),
        ];
        let (backend, reason) = auto(&survey).expect("there is a CPU");
        assert_eq!(backend, Backend::Flex);
        assert!(reason.contains("SwiftShader, software"), "{reason}");
    }

    #[test]
    fn auto_never_takes_a_refused_card() {
        let mut broken = adapter("broken", AdapterKind::Discrete);
        broken.refused = Some("it is broken");
        let survey = [(Backend::Wgpu, vec![broken]), flex()];
        assert_eq!(auto(&survey).expect("there is a CPU").0, Backend::Flex);
    }

    #[test]
    fn auto_without_card_and_cpu_backend_is_an_error() {
        let message = auto(&[(Backend::Cuda, vec![])])
            .expect_err("nothing to take")
            .to_string();
        assert!(message.contains("cuda: none"), "{message}");
    }

    #[test]
    #[cfg(feature = "flex")]
    fn an_index_out_of_range_lists_what_there_is() {
        let message = select("flex", 1).expect_err("there is one CPU").to_string();
        assert!(
            message.contains("no device 1") && message.contains("0  CPU"),
            "{message}"
        );
    }

    #[test]
    fn every_backend_of_this_build_opens_or_explains_itself() {
        for backend in Backend::ALL {
            match select(backend.name(), 0) {
                Ok(selected) => assert_eq!(selected.backend, backend),
                Err(error) => assert!(error.to_string().contains(backend.name()), "{error}"),
            }
        }
    }
}
