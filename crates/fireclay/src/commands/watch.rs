//! `watch`: the curves of a run in a browser.

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use fireclay_report::check_record;
use fireclay_run::load_run;
use fireclay_track::Tracking;
use fireclay_watch::{Control, Watch};

use super::run_at;
use crate::failure::Failure;
use crate::text::tell;

/// Show the curves of a run in a browser while it trains, or afterwards
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run folder, such as runs/NAME/1; runs/NAME is the newest run of that name
    pub run: PathBuf,
    /// The port of this machine that the page is on; any that is free unless given
    #[arg(
        long,
        value_name = "PORT",
        default_value = "0",
        hide_default_value = true
    )]
    pub port: u16,
}

/// Serves the page until the program is interrupted.
pub fn run(args: &Args) -> Result<(), Failure> {
    let run = run_at(&args.run);
    load_run(&run)?;
    check_record(&run)?;
    let watch = serve(args.port, None)?;
    let tracking = Tracking::start(&run, vec![Box::new(watch)]);
    let tracking = tracking.map_err(|error| Failure::Failed(error.to_string()))?;
    tell!("Ctrl-C ends it");
    loop {
        thread::sleep(Duration::from_secs(1));
        for note in tracking.notes() {
            tell!("note: {note}");
        }
    }
}

/// Starts the server, and says where the page is.
pub fn serve(port: u16, control: Option<Control>) -> Result<Watch, Failure> {
    let watch = Watch::start(port, control);
    let watch = watch.map_err(|error| {
        Failure::Failed(format!(
            "cannot listen on port {port} of 127.0.0.1: {error}"
        ))
    })?;
    tell!("the curves are at {}", watch.url());
    Ok(watch)
}
