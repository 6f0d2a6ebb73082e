//! The fireclay program: the command line, and the only place that knows the backends.
#![warn(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "they panic where nobody reads; see `text`"
)]

mod allocator;
mod backend;
mod beat;
mod cluster;
mod commands;
mod failure;
mod few;
mod flags;
mod hang_up;
mod memory;
mod plain;
mod progress;
mod screen;
mod signals;
mod text;
mod threads;

use std::process::ExitCode;

use clap::Parser;

use commands::Cli;
use failure::Failure;

#[global_allocator]
static ALLOCATOR: allocator::Allocator = allocator::Allocator;

fn main() -> ExitCode {
    threads::with_stack(program)
}

fn program() -> ExitCode {
    signals::fail_at_limits();
    let command = match Cli::try_parse() {
        Ok(cli) => cli.command,
        Err(error) if error.use_stderr() => {
            let arguments: Vec<_> = std::env::args_os().collect();
            let arguments = arguments
                .iter()
                .map(|word| word.to_string_lossy().into_owned());
            match flags::explain(&error, &arguments.collect::<Vec<_>>()) {
                Some(failure) => return failure.report(),
                None => flags::without_false_tips(error).exit(),
            }
        }
        Err(help) => {
            text::keep(help.print());
            return end(Ok(()));
        }
    };
    let run = || {
        threads::make()?;
        command.run()
    };
    end(memory::guarded(run))
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
