//! `models`: the architectures that there are.

use fireclay_run::config::ModelConfig;

use super::lists::{ListArgs, list};
use crate::failure::Failure;

/// List the models that a config can name
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    list: ListArgs,
}

/// Lists models.
pub fn run(args: &Args) -> Result<(), Failure> {
    let families = ModelConfig::types().into_iter();
    let families = families.map(|(looks_at, types)| (format!("model for {looks_at}"), types));
    let families: Vec<_> = families.collect();
    let groups = families.iter().map(|(kind, types)| (kind.as_str(), *types));
    list(&args.list, &groups.collect::<Vec<_>>())
}
