//! `completions`: completions of the command line, for shells.

use clap::CommandFactory;

use super::Cli;
use crate::failure::Failure;
use crate::text::say;

/// Print shell completions
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The shell.
    shell: clap_complete::Shell,
}

/// Prints completions for a shell.
pub fn run(args: &Args) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "fireclay", &mut script);
    say!("{}", String::from_utf8_lossy(&script).trim_end());
    Ok(())
}
