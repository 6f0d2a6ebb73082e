//! The fireclay program: the command line, and the only place that knows the backends.
#![warn(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "they panic where nobody reads; see `text`"
)]

mod backend;
mod beat;
mod commands;
mod failure;
mod memory;
mod progress;
mod signals;
mod text;

use std::process::ExitCode;

use clap::Parser;

use commands::Cli;
use failure::Failure;

/// Small tensors come and go at every step; the system's allocator is slow at that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let command = match Cli::try_parse() {
        Ok(cli) => cli.command,
        Err(error) if error.use_stderr() => error.exit(),
        Err(help) => {
            text::keep(help.print());
            return end(Ok(()));
        }
    };
    end(memory::guarded(|| command.run()))
}

/// Reports a failure. A success is one only if all that was printed has been written.
fn end(done: Result<(), Failure>) -> ExitCode {
    let lost = text::lost();
    let done = done.and_then(|()| lost.map_or(Ok(()), |error| Err(Failure::of_output(error))));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
