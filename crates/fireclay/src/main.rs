//! The fireclay program: the command line, and the only place that knows the backends.

mod backend;
mod commands;
mod failure;
mod memory;
mod progress;
mod screen;
mod signals;
mod text;

use std::process::ExitCode;

use clap::Parser;

use commands::Cli;

/// Small tensors come and go at every step; the system's allocator is slow at that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let command = Cli::parse().command;
    let done = memory::guarded(|| command.run());
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
