//! `devices`: the hardware that there is.

use super::lists::ListArgs;
use crate::backend;
use crate::failure::Failure;
use crate::text::{prose, say};

/// List backends, their hardware, and which one `auto` takes
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    list: ListArgs,
}

/// Lists backends and hardware.
pub fn run(args: &Args) -> Result<(), Failure> {
    if args.list.json {
        say!("{:#}", backend::devices_json());
    } else {
        prose!(20, "{}", backend::render_devices().trim_end());
    }
    Ok(())
}
