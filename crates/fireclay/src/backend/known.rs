//! The backends: all that the program knows of each, in the order in which `auto` prefers them. A backend is
//! an entry here, a feature of the same name in Cargo.toml and a word of `BackendName`.

use burn::tensor::Device;
use fireclay_run::config::BackendName;

#[cfg(feature = "wgpu")]
use super::graphics;
#[cfg(any(
    feature = "flex",
    feature = "ndarray",
    feature = "cuda",
    feature = "rocm"
))]
use super::{Adapter, AdapterKind};
use super::{Backend, Driver};

/// A driver, if the feature of this name is on.
macro_rules! driver {
    ($feature:literal, $find:expr, $open:expr) => {{
        #[cfg(feature = $feature)]
        let driver = Some(Driver {
            find: $find,
            open: $open,
        });
        #[cfg(not(feature = $feature))]
        let driver = None;
        driver
    }};
}

/// Every backend, compiled in or not.
pub static KNOWN: &[Backend] = &[
    Backend {
        word: BackendName::Cuda,
        driver: driver!(
            "cuda",
            || cards(burn::tensor::DeviceType::Cuda, "CUDA"),
            |index| Ok(Device::cuda(index))
        ),
        name_on_opening: IDENTITY,
        missing: || "NVIDIA's driver is not installed, or sees no card".to_owned(),
    },
    Backend {
        word: BackendName::Metal,
        driver: driver!("metal", || graphics::adapters(graphics::METAL), |index| {
            graphics::open(graphics::METAL, index)
        }),
        name_on_opening: None,
        missing: || "Metal exists on Apple's machines only".to_owned(),
    },
    Backend {
        word: BackendName::Rocm,
        driver: driver!(
            "rocm",
            || cards(burn::tensor::DeviceType::Rocm, "ROCm"),
            |index| Ok(Device::rocm(index))
        ),
        name_on_opening: IDENTITY,
        missing: || "AMD's ROCm is not installed, or sees no card".to_owned(),
    },
    Backend {
        word: BackendName::Vulkan,
        driver: driver!("vulkan", || graphics::adapters(graphics::VULKAN), |index| {
            graphics::open(graphics::VULKAN, index)
        }),
        name_on_opening: None,
        missing: no_card,
    },
    Backend {
        word: BackendName::Wgpu,
        driver: driver!("wgpu", || graphics::adapters(graphics::NATIVE), |index| {
            graphics::open(graphics::NATIVE, index)
        }),
        name_on_opening: None,
        missing: no_card,
    },
    Backend {
        word: BackendName::Flex,
        driver: driver!("flex", processor, |_| Ok(Device::flex())),
        name_on_opening: None,
        missing: String::new,
    },
    Backend {
        word: BackendName::Ndarray,
        driver: driver!("ndarray", processor, |_| Ok(ndarray())),
        name_on_opening: None,
        missing: String::new,
    },
];

/// What a card is called.
#[cfg(any(feature = "cuda", feature = "rocm"))]
const IDENTITY: Option<fn(&Device) -> Option<String>> =
    Some(|device| device.identity().map(|identity| identity.name));
#[cfg(not(any(feature = "cuda", feature = "rocm")))]
const IDENTITY: Option<fn(&Device) -> Option<String>> = None;

#[cfg(feature = "ndarray")]
#[expect(
    deprecated,
    reason = "Burn would rather have flex used; the config asks for ndarray"
)]
fn ndarray() -> Device {
    Device::ndarray()
}

/// The CPU.
#[cfg(any(feature = "flex", feature = "ndarray"))]
fn processor() -> Vec<Adapter> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    vec![Adapter {
        index: 0,
        name: "CPU".to_owned(),
        kind: AdapterKind::Cpu,
        detail: match threads {
            1 => format!("{}, 1 thread", std::env::consts::ARCH),
            _ => format!("{}, {threads} threads", std::env::consts::ARCH),
        },
        refused: None,
    }]
}

/// These drivers give a number of cards; a card's name is known only once it is opened.
#[cfg(any(feature = "cuda", feature = "rocm"))]
fn cards(devices: burn::tensor::DeviceType, driver: &str) -> Vec<Adapter> {
    (0..Device::enumerate(devices).len())
        .map(|index| Adapter {
            index,
            name: format!("{driver} device {index}"),
            kind: AdapterKind::Discrete,
            detail: driver.to_owned(),
            refused: None,
        })
        .collect()
}

/// What is likely to be missing where no graphics card is found.
#[cfg(feature = "wgpu")]
fn no_card() -> String {
    match graphics::only_on_opengl().as_slice() {
        [] => "no Vulkan driver is installed, or it sees no card".to_owned(),
        names => format!(
            "no Vulkan driver is installed, or it sees no card; {} answers by OpenGL, which is not used, \
             because compiling one kernel there can take minutes",
            names.join(", ")
        ),
    }
}

#[cfg(not(feature = "wgpu"))]
fn no_card() -> String {
    "this backend is not in this build".to_owned()
}
