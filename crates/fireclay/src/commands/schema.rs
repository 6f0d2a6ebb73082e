//! `schema` and `completions`: what editors and shells want to know.

use clap::CommandFactory;

use crate::cli::Cli;
use crate::failure::Failure;
use crate::text::say;

/// Prints the JSON Schema of configs.
pub fn schema() -> Result<(), Failure> {
    let schema = fireclay_run::schema();
    say!(
        "{}",
        serde_json::to_string_pretty(&schema).expect("a schema is plain data")
    );
    Ok(())
}

/// Prints completions for a shell.
#[expect(clippy::unnecessary_wraps, reason = "every verb has the same form")]
pub fn completions(shell: clap_complete::Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "fireclay", &mut script);
    say!("{}", String::from_utf8_lossy(&script).trim_end());
    Ok(())
}
