//! `devices`: the hardware that there is.

use super::lists::ListArgs;
use crate::backend;
use crate::failure::Failure;
use crate::text::say;

/// List backends, the hardware that each finds, and which one `auto` takes
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
        say!("{}", backend::render_devices().trim_end());
    }
    Ok(())
}
