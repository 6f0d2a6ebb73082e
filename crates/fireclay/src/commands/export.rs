//! `export`: what a run has learned, for other programs.

use fireclay_run::export::Export;
use fireclay_run::load_run;

use super::device;
use crate::cli::ExportArgs;
use crate::failure::Failure;
use crate::text::say;

/// Writes the results of a finished run into a folder of their own.
pub fn export(args: &ExportArgs) -> Result<(), Failure> {
    let config = load_run(&args.run)?.config;
    let device = match args.merge {
        true => Some(device(&config, args.backend.as_deref())?.device),
        false => None,
    };
    let export = Export {
        output: &args.output,
        merge_on: device.as_ref(),
    };
    let names = export.write(&args.run)?;
    let folder = args.output.display();
    names.iter().for_each(|name| say!("{folder}/{name}"));
    Ok(())
}
