//! Graphics cards by way of wgpu: Vulkan, Direct3D 12 and Metal.
//!
//! Burn numbers the adapters of each kind apart, on whichever interface it settles on by itself, OpenGL included. Here
//! every adapter is listed with the interface that reaches it, and opened on that one and no other.

use std::{
    pin::pin,
    sync::Mutex,
    task::{Context, Poll, Waker},
};

use burn::tensor::{
    Device, DeviceKind,
    wgpu::{WgpuBackend, wgpu},
};

use super::{Adapter, AdapterKind};

const LLVMPIPE: &str = "it is Mesa's software driver, and crashes on Burn's kernels; use `flex` to compute on the CPU, \
                        or SwiftShader to try this backend without a graphics card (see CONTRIBUTING.md)";
const SECOND_SOFTWARE: &str = "Burn opens only the first software driver of a machine, which is another one; \
                               let the variable VK_DRIVER_FILES name this driver alone";
const SPIRV: &str = "this build compiles kernels to SPIR-V, with which software drivers compute matrix products wrong; \
                     build without the feature `spirv`, or use `flex`";
const NO_KIND: &str = "its driver does not say what it is, so Burn cannot open it by name";

/// Vulkan and nothing else.
pub const VULKAN: &[wgpu::Backend] = &[wgpu::Backend::Vulkan];
/// Metal and nothing else.
pub const METAL: &[wgpu::Backend] = &[wgpu::Backend::Metal];
/// What the system offers.
pub const NATIVE: &[wgpu::Backend] = if cfg!(target_os = "macos") {
    METAL
} else if cfg!(windows) {
    &[wgpu::Backend::Vulkan, wgpu::Backend::Dx12]
} else {
    VULKAN
};

/// Lists the adapters that these interfaces reach, the best first.
pub fn adapters(interfaces: &[wgpu::Backend]) -> Vec<Adapter> {
    let describe = |(index, found): (usize, Found)| Adapter {
        index,
        kind: found.kind(),
        detail: found.detail(),
        refused: found.refused(),
        name: found.info.name,
    };
    found(interfaces)
        .into_iter()
        .enumerate()
        .map(describe)
        .collect()
}

/// Opens an adapter of [`adapters`] by its index. Opening it again gives the same device.
///
/// # Errors
///
/// What the driver said, or that another adapter than the listed one answered.
pub fn open(interfaces: &[wgpu::Backend], index: usize) -> Result<Device, String> {
    let found = found(interfaces)
        .into_iter()
        .nth(index)
        .ok_or("it is gone since it was listed")?;
    let (api, kind) = found.address().ok_or(NO_KIND)?;

    let mut drivers = drivers();
    let opened = |(a, k, _): &&(WgpuBackend, DeviceKind, Device)| *a == api && *k == kind;
    if let Some((_, _, device)) = drivers.opened.iter().find(opened) {
        return Ok(device.clone());
    }
    let (device, setup) = Device::wgpu_options()
        .graphics_api(api)
        .device_kind(kind.clone())
        .init_with_setup()
        .map_err(|error| error.to_string())?;
    let name = setup.adapter.get_info().name;
    if name != found.info.name {
        return Err(format!("{name} answered instead of it"));
    }
    drivers.opened.push((api, kind, device.clone()));
    Ok(device)
}

/// The names of adapters that only OpenGL reaches: it is not used, because compiling one kernel there can take minutes.
pub fn only_on_opengl() -> Vec<String> {
    probe(wgpu::Backend::Gl)
        .into_iter()
        .map(|info| info.name)
        .collect()
}

/// An adapter, and its number among those of its kind on its interface.
struct Found {
    info: wgpu::AdapterInfo,
    nth: usize,
}

impl Found {
    fn kind(&self) -> AdapterKind {
        match self.info.device_type {
            wgpu::DeviceType::DiscreteGpu => AdapterKind::Discrete,
            wgpu::DeviceType::IntegratedGpu => AdapterKind::Integrated,
            wgpu::DeviceType::VirtualGpu => AdapterKind::Virtual,
            wgpu::DeviceType::Cpu => AdapterKind::Software,
            wgpu::DeviceType::Other => AdapterKind::Unknown,
        }
    }

    fn detail(&self) -> String {
        let api = match self.info.backend {
            wgpu::Backend::Vulkan => "Vulkan",
            wgpu::Backend::Metal => "Metal",
            wgpu::Backend::Dx12 => "Direct3D 12",
            other => other.to_str(),
        };
        match self.info.driver.as_str() {
            "" => api.to_owned(),
            driver => format!("{api}, {driver} {}", self.info.driver_info)
                .trim_end()
                .to_owned(),
        }
    }

    fn refused(&self) -> Option<&'static str> {
        let called = |word| {
            let says = |text: &str| text.to_lowercase().contains(word);
            says(&self.info.name) || says(&self.info.driver)
        };
        match self.kind() {
            _ if called("llvmpipe") || called("lavapipe") => Some(LLVMPIPE),
            AdapterKind::Software if cfg!(feature = "spirv") => Some(SPIRV),
            AdapterKind::Software if self.nth > 0 => Some(SECOND_SOFTWARE),
            AdapterKind::Unknown => Some(NO_KIND),
            _ => None,
        }
    }

    /// How Burn addresses it; none if it has no way to.
    fn address(&self) -> Option<(WgpuBackend, DeviceKind)> {
        let api = match self.info.backend {
            wgpu::Backend::Vulkan => WgpuBackend::Vulkan,
            wgpu::Backend::Metal => WgpuBackend::Metal,
            wgpu::Backend::Dx12 => WgpuBackend::Dx12,
            _ => return None,
        };
        let kind = match self.kind() {
            AdapterKind::Discrete => DeviceKind::DiscreteGpu(self.nth),
            AdapterKind::Integrated => DeviceKind::IntegratedGpu(self.nth),
            AdapterKind::Virtual => DeviceKind::VirtualGpu(self.nth),
            AdapterKind::Software => DeviceKind::Cpu,
            AdapterKind::Unknown | AdapterKind::Cpu => return None,
        };
        Some((api, kind))
    }
}

fn found(interfaces: &[wgpu::Backend]) -> Vec<Found> {
    let mut found: Vec<Found> = interfaces
        .iter()
        .flat_map(|&api| number(probe(api)))
        .collect();
    // A stable sort: among equals the driver's own order stays.
    found.sort_by_key(|found| (found.refused().is_some(), found.kind()));
    found
}

fn number(infos: Vec<wgpu::AdapterInfo>) -> Vec<Found> {
    let mut numbered: Vec<Found> = Vec::new();
    for info in infos {
        let same_kind = |other: &&Found| other.info.device_type == info.device_type;
        let nth = numbered.iter().filter(same_kind).count();
        numbered.push(Found { info, nth });
    }
    numbered
}

/// What has been asked of the drivers: the Vulkan loader crashes when it is opened and closed by several threads at once,
/// so everything goes through one lock, and each interface is asked once.
struct Drivers {
    probed: Vec<(wgpu::Instance, wgpu::Backend, Vec<wgpu::AdapterInfo>)>,
    opened: Vec<(WgpuBackend, DeviceKind, Device)>,
}

static DRIVERS: Mutex<Drivers> = Mutex::new(Drivers {
    probed: Vec::new(),
    opened: Vec::new(),
});

fn drivers() -> std::sync::MutexGuard<'static, Drivers> {
    // The lists are only ever appended to, so a panic elsewhere leaves them whole.
    DRIVERS
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn probe(api: wgpu::Backend) -> Vec<wgpu::AdapterInfo> {
    let mut drivers = drivers();
    if let Some((_, _, infos)) = drivers.probed.iter().find(|(_, probed, _)| *probed == api) {
        return infos.clone();
    }
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends: api.into(),
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
    let adapters = ready(instance.enumerate_adapters(api.into())).unwrap_or_default();
    let infos: Vec<_> = adapters.iter().map(wgpu::Adapter::get_info).collect();
    drivers.probed.push((instance, api, infos.clone()));
    infos
}

/// The value of a future that is ready at once, as wgpu's are everywhere but in a browser.
fn ready<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}
