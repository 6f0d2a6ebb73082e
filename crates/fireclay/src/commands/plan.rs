//! `plan`: what a run will take, before it starts.

mod show;

use std::path::PathBuf;

use fireclay_plan::{
    Assumptions, Estimate, Estimator, Hardware, Hardwares, Measured, Network, Prediction, SHIPPED,
    measure,
};
use serde_json::json;

use super::{config, device, paths};
use crate::failure::Failure;
use crate::text::{prose, say};

/// Estimate parameters, operations, memory, time and money of a run
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The config
    #[arg(value_parser = paths::path())]
    pub config: PathBuf,
    /// Override a key, as in `--set train.batch_size=64`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// Do not read the data; assume what the config leaves open, and say so
    #[arg(long)]
    pub no_data: bool,
    /// Assume a number for data that is not read: samples, classes, vocabulary or length (tokens of a
    /// text, pixels of a side, columns)
    #[arg(long, value_name = "KEY=N")]
    pub assume: Vec<String>,
    /// Predict for this hardware alone, such as h100
    #[arg(long, value_name = "NAME")]
    pub on: Option<String>,
    /// Spread the run over N devices, in as many whole copies of the model as fit; with cluster.parts in the config, memory is
    /// that of each of N processes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub devices: Option<u64>,
    /// Count the exchange of gradients between devices by this rate of each, such as 100Gbit or 12.5GB, and the time of
    /// a message [default: 20us], as in 100Gbit,5us; without it the exchange takes no time
    #[arg(long, value_name = "RATE[,TIME]", requires = "devices")]
    pub network: Option<Network>,
    /// A table of hardware instead of the one that comes with fireclay
    #[arg(long, value_name = "FILE", value_parser = paths::path())]
    pub hardware: Option<PathBuf>,
    /// Also train for three steps, and say what they took
    #[arg(long)]
    pub measure: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// A plan of a run, with predictions for hardware and measurements.
struct Plan {
    estimate: Estimate,
    table: Hardwares,
    predictions: Vec<Prediction>,
    measured: Option<Measured>,
    network: Option<Network>,
}

/// Prints what a run will take.
pub fn run(args: &Args) -> Result<(), Failure> {
    let loaded = config::load(&args.config, &args.sets)?;
    let table = table(args)?;
    let chosen = match &args.on {
        Some(name) => vec![table.named(name).map_err(usage)?],
        None => table.hardware.iter().collect(),
    };
    let assumptions = assumptions(&args.assume)?;
    let estimator = Estimator::new(&loaded, &assumptions, !args.no_data)?;
    let devices = usize::try_from(args.devices.unwrap_or(1)).unwrap_or(usize::MAX);
    let refused = |why| Failure::Usage(format!("--devices: {why}"));
    let estimator = estimator.among(devices).map_err(refused)?;
    let estimate = estimator.estimate();
    let predict = |hardware: &Hardware| {
        hardware.predict(&estimate, table.assumptions, args.devices, args.network)
    };
    let predictions = chosen.into_iter().map(predict).collect();
    let measured = match args.measure {
        true => {
            let device = device(&loaded.config, None)?;
            Some(measure(loaded, estimator, &device)?)
        }
        false => None,
    };
    let plan = Plan {
        estimate,
        table,
        predictions,
        measured,
        network: args.network,
    };
    match args.json {
        true => say!("{:#}", plan.json()),
        false => prose!(2, "{}", plan.show().trim_end()),
    }
    Ok(())
}

impl Plan {
    fn json(&self) -> serde_json::Value {
        json!({
            "plan": self.estimate,
            "assumptions": self.table.assumptions,
            "hardware": self.predictions,
            "network": self.network,
            "measured": self.measured,
        })
    }
}

/// The bytes of a table of hardware.
const MOST_BYTES: u64 = 16 << 20;

/// The table of hardware that ships with the program, or another one.
fn table(args: &Args) -> Result<Hardwares, Failure> {
    let Some(path) = &args.hardware else {
        return Hardwares::parse(SHIPPED).map_err(usage);
    };
    let shown = std::path::absolute(path).unwrap_or_else(|_| path.clone());
    let refused = |error: &dyn std::fmt::Display| {
        Failure::Usage(format!("{} cannot be used: {error}", shown.display()))
    };
    let text = fireclay_guard::given_text(path, MOST_BYTES).map_err(|error| refused(&error))?;
    Hardwares::parse(&text).map_err(|error| refused(&error))
}

/// What `--assume KEY=N` says.
fn assumptions(given: &[String]) -> Result<Assumptions, Failure> {
    let mut assumptions = Assumptions::default();
    for text in given {
        let wrong = |what: &str| Failure::Usage(format!("--assume {text}: {what}"));
        let (key, value) = text
            .split_once('=')
            .ok_or_else(|| wrong("must be KEY=N, such as classes=10"))?;
        let number = match key.trim() {
            "samples" => &mut assumptions.samples,
            "classes" => &mut assumptions.classes,
            "vocabulary" => &mut assumptions.vocabulary,
            "length" => &mut assumptions.length,
            _ => {
                return Err(wrong(
                    "the keys are samples, classes, vocabulary and length",
                ));
            }
        };
        if number.is_some() {
            return Err(wrong("is given twice"));
        }
        let given = value.trim().replace('_', "").parse();
        let given = given.ok().filter(|given| (1..=MOST).contains(given));
        *number = Some(given.ok_or_else(|| wrong("must be a whole number from 1 to 10^12"))?);
    }
    Ok(assumptions)
}

/// The largest number that can be assumed.
const MOST: usize = 1_000_000_000_000;

fn usage(error: impl std::fmt::Display) -> Failure {
    Failure::Usage(error.to_string())
}
