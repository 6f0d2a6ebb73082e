//! `models`: the architectures that there are.

use fireclay_models::{
    EncoderConfig, ImageConfig, LanguageConfig, TabularConfig, TranslationConfig,
};

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
    list(
        &args.list,
        &[
            ("model for tables", TabularConfig::TYPES),
            ("model for images", ImageConfig::TYPES),
            ("model for text", LanguageConfig::TYPES),
            ("model for translation", TranslationConfig::TYPES),
            ("model for text", EncoderConfig::TYPES),
        ],
    )
}
