//! `schema`: the JSON Schema of configs, for editors.

use crate::failure::Failure;
use crate::text::say;

/// Print the JSON Schema of configs, for editors
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Prints the JSON Schema of configs.
pub fn run(_: &Args) -> Result<(), Failure> {
    say!("{:#}", fireclay_run::schema());
    Ok(())
}
