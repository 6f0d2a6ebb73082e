//! `datasets`: the kinds of data that there are, and the data sets that come with fireclay.

use fireclay_data::TokenizerKind;
use fireclay_run::config::DataConfig;

use super::lists::{ListArgs, list};
use crate::failure::Failure;

/// List the kinds of data that a config can name, and the data sets that come with fireclay
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    list: ListArgs,
}

/// The data sets in the folder `datasets` of a checkout.
const SHIPPED: &[(&str, &str)] = &[
    (
        "datasets/breast-cancer/data.csv",
        "Wisconsin diagnostic breast cancer: 569 rows, 2 classes",
    ),
    (
        "datasets/iris/data.csv",
        "iris flowers: 150 rows, 3 classes",
    ),
    (
        "datasets/diabetes/data.csv",
        "diabetes progression: 442 rows, regression",
    ),
    (
        "datasets/digits/data.parquet",
        "handwritten digits: 1797 images of 8x8 pixels, 10 classes",
    ),
];

/// Lists kinds of data, and data sets.
pub fn run(args: &Args) -> Result<(), Failure> {
    list(
        &args.list,
        &[
            ("data type", &DataConfig::types()),
            ("tokenizer", TokenizerKind::TYPES),
            ("shipped", SHIPPED),
        ],
    )
}
