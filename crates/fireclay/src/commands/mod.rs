//! What the verbs do, one file each.

mod check;
mod evaluate;
mod export;
mod generate;
mod init;
mod init_images;
mod lists;
mod plan;
mod predict;
mod schema;
mod train;

pub use check::check;
pub use evaluate::evaluate;
pub use export::export;
pub use generate::generate;
pub use init::init;
pub use lists::{datasets, devices, models};
pub use plan::plan;
pub use predict::predict;
pub use schema::{completions, schema};
pub use train::{resume, train};

use fireclay_run::RunDevice;
use fireclay_run::config::RunConfig;

use crate::backend;
use crate::failure::Failure;

/// The device that a config names, or the one that the command line names instead.
fn device(config: &RunConfig, backend: Option<&str>) -> Result<RunDevice, Failure> {
    let configured = config.device.backend.name();
    let selected = backend::select(backend.unwrap_or(configured), config.device.device_index)?;
    Ok(RunDevice {
        device: selected.device,
        backend: selected.backend.name().to_owned(),
        description: format!("{}; {}", selected.description, selected.reason),
    })
}
