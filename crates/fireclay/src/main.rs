//! The fireclay program: the command line, and the only place that knows the backends.

mod backend;
mod cli;
mod commands;
mod failure;
mod memory;
mod progress;
mod signals;
mod text;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};

/// Small tensors come and go at every step; the system's allocator is slow at that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let command = Cli::parse().command;
    let done = memory::guarded(|| match command {
        Command::Init(args) => commands::init(&args),
        Command::Check(args) => commands::check(&args),
        Command::Plan(args) => commands::plan(&args),
        Command::Train(args) => commands::train(&args),
        Command::Resume(args) => commands::resume(&args),
        Command::Evaluate(args) => commands::evaluate(&args),
        Command::Predict(args) => commands::predict(&args),
        Command::Generate(args) => commands::generate(&args),
        Command::Export(args) => commands::export(&args),
        Command::Devices(args) => commands::devices(&args),
        Command::Models(args) => commands::models(&args),
        Command::Datasets(args) => commands::datasets(&args),
        Command::Schema => commands::schema(),
        Command::Completions { shell } => commands::completions(shell),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
