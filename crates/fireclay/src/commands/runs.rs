//! `runs`: the runs below a folder.

use std::path::PathBuf;

use fireclay_report::{Filter, Listed, Sort, State, list};

use crate::failure::Failure;
use crate::screen::Screen;
use crate::text::{number, say, tell};

/// List the runs below a folder: state, result, time and device
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder
    #[arg(default_value = "runs")]
    pub dir: PathBuf,
    /// Order by a column, a metric or a key of the config, as in `--sort -accuracy`: the largest first
    #[arg(long, value_name = "KEY", allow_hyphen_values = true)]
    pub sort: Option<Sort>,
    /// Only runs of which this is true, as in `--filter state=finished`, `--filter 'rmse<60'`,
    /// `--filter 'name=iris/*'` or `--filter model.type=mlp`; given several times, all of them
    #[arg(long, value_name = "KEY=VALUE")]
    pub filter: Vec<Filter>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Lists runs.
pub fn run(args: &Args) -> Result<(), Failure> {
    let runs = list(&args.dir, &args.filter, args.sort.as_ref())?;
    for run in &runs {
        if let Some(problem) = &run.problem {
            tell!("note: {problem}");
        }
    }
    match args.json {
        true => say!("{:#}", serde_json::json!(runs)),
        false if runs.is_empty() => say!("{}", none(args)?),
        false => print(&runs),
    }
    Ok(())
}

/// That there is no run, or none that passes the filters.
fn none(args: &Args) -> Result<String, Failure> {
    let dir = args.dir.display();
    Ok(match list(&args.dir, &[], None)?.len() {
        0 => format!("no run below {dir}"),
        1 => format!("the one run below {dir} does not pass the filter"),
        all => format!("none of the {all} runs below {dir} passes the filter"),
    })
}

fn print(runs: &[Listed]) {
    let head = [
        "run", "state", "task", "model", "result", "", "steps", "seconds", "device",
    ];
    let mut rows = vec![head.map(String::from).to_vec()];
    rows.extend(runs.iter().map(row));
    say!("{}", Screen::out().table(&rows).trim_end());
}

/// The state, and of a run that diverged the step.
fn state(run: &Listed) -> String {
    match run.diverged_at.filter(|_| run.state == State::Diverged) {
        Some(step) => format!("{} at step {step}", run.state.word()),
        None => run.state.word().to_owned(),
    }
}

fn row(run: &Listed) -> Vec<String> {
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".into());
    let metric = run.split.as_ref().zip(run.metric.as_ref());
    vec![
        run.name.clone(),
        state(run),
        run.task.clone(),
        run.model.clone(),
        or_none(metric.map(|(split, metric)| format!("{split}/{metric}"))),
        or_none(run.value.map(number)),
        or_none(run.steps.map(|steps| steps.to_string())),
        or_none(run.seconds.map(number)),
        run.device.clone(),
    ]
}
