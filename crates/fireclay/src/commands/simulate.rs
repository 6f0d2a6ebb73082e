//! `simulate`: data for the examples whose real data is not free, or too large to ship.

use std::path::PathBuf;

use fireclay_simulate::{SimulateError, arm, signs};

use crate::failure::Failure;
use crate::text::{count, number, prose, say};

/// Write simulated data for the examples: the readings of a robot arm, or pictures of traffic signs
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to simulate
    pub what: What,
    /// Where to write it: a CSV file for the arm, a folder for the signs. It must not be there yet
    #[arg(short, long, value_name = "PATH")]
    pub output: PathBuf,
    /// What all that is random is drawn from: the same seed gives the same bytes on every machine
    #[arg(long, default_value_t = 42)]
    pub seed: u64,
    /// How much: motions of the arm with 100 readings each [default: 100], or pictures of signs [default: 2400]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub count: Option<u32>,
}

/// What can be simulated.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum What {
    /// Angles, velocities, accelerations and torques of a two-link arm, by its equations of motion
    Arm,
    /// Pictures of twelve classes of traffic signs, drawn by a program
    Signs,
}

/// Simulates, and says that it is no measurement.
pub fn run(args: &Args) -> Result<(), Failure> {
    match args.what {
        What::Arm => arm(args, args.count.unwrap_or(100)),
        What::Signs => signs(args, args.count.unwrap_or(2400)),
    }
}

fn arm(args: &Args, motions: u32) -> Result<(), Failure> {
    let written = arm::write(&args.output, args.seed, motions)?;
    let (output, seed) = (args.output.display(), args.seed);
    let readings = count(written.rows);
    say!("wrote      {output}: {readings} readings of {motions} motions, seed {seed}");
    prose!(
        11,
        "simulated  no robot was measured: the torques follow from the equations of a two-link arm, and the sensors add \
         noise to all that they read"
    );
    let explained = 1.0 - (written.limit / written.spread).powi(2);
    prose!(
        11,
        "limit      the equations themselves, given the same noisy readings, miss torque_1 by {} N·m (root mean square; \
         R² {}): do not expect more of a model",
        number(written.limit),
        number(explained)
    );
    Ok(())
}

fn signs(args: &Args, pictures: u32) -> Result<(), Failure> {
    signs::write(&args.output, args.seed, pictures)?;
    let (output, seed) = (args.output.display(), args.seed);
    let (pictures, classes) = (count(u64::from(pictures)), signs::classes());
    let side = signs::SIDE;
    say!(
        "wrote      {output}: {pictures} pictures of {side}x{side} pixels in {} classes, seed {seed}",
        classes.len()
    );
    prose!(11, "classes    {}", classes.join(", "));
    prose!(
        11,
        "simulated  no picture shows a street: a program drew the signs, and what is before and behind them"
    );
    Ok(())
}

impl From<SimulateError> for Failure {
    fn from(error: SimulateError) -> Self {
        let message = error.to_string();
        match error {
            SimulateError::Io { .. } => Self::Failed(message),
            _ => Self::Usage(message),
        }
    }
}
