//! `report`: what a run says of itself, as files to look at.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf, absolute};

use fireclay_report::{RunFolder, card, plots, report};
use fireclay_run::config::ReportConfig;
use fireclay_train::files::create_folders;
use fireclay_train::run_folder::{io, write_beside};

use super::run_at;
use crate::failure::Failure;
use crate::text::{say, tell};

/// Write a page about a run: how good it is, whom it fails, what it cost
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run folder, such as runs/NAME/1; runs/NAME is the newest run of that name
    pub run: PathBuf,
    /// Where to write the page [default: report.html in the run folder]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Also write each chart as an SVG and a PNG file into this folder
    #[arg(long, value_name = "DIR")]
    pub plots: Option<PathBuf>,
    /// Also write a model card in Markdown [default: model-card.md in the run folder]
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    pub card: Option<Option<PathBuf>>,
    /// Add how far what was served is from the training: a saved answer of GET /drift/NAME of `fireclay serve`
    #[arg(long, value_name = "FILE")]
    pub drift: Option<PathBuf>,
}

/// The names of what is written into the run folder.
const PAGE: &str = "report.html";
const CARD: &str = "model-card.md";
const PLOTS: &str = "plots";

/// Writes the page of a run, and what else is asked for.
pub fn run(args: &Args) -> Result<(), Failure> {
    let run = RunFolder::open(&run_at(&args.run))?;
    let run = match &args.drift {
        Some(file) => run.with_drift(file)?,
        None => run,
    };
    let page = args.output.clone().unwrap_or(run.path.join(PAGE));
    say!("{}", write(&page, report(&run).as_bytes())?.display());
    if let Some(folder) = &args.plots {
        for path in write_plots(folder, &run)? {
            say!("{}", path.display());
        }
    }
    if let Some(path) = &args.card {
        let path = path.clone().unwrap_or(run.path.join(CARD));
        say!("{}", write(&path, card(&run).as_bytes())?.display());
    }
    Ok(())
}

/// Writes what a config asks for about a run into its folder; the files.
pub fn about(run: &Path, asked: &ReportConfig) -> Result<Vec<PathBuf>, Failure> {
    let run = RunFolder::open(run)?;
    let mut written = Vec::new();
    if asked.html {
        written.push(write(&run.path.join(PAGE), report(&run).as_bytes())?);
    }
    if asked.card {
        written.push(write(&run.path.join(CARD), card(&run).as_bytes())?);
    }
    if asked.plots {
        let folder = run.path.join(PLOTS);
        write_plots(&folder, &run)?;
        written.push(folder);
    }
    Ok(written)
}

fn write_plots(folder: &Path, run: &RunFolder) -> Result<Vec<PathBuf>, Failure> {
    let folder = absolute(folder).unwrap_or_else(|_| folder.to_path_buf());
    create_folders(&folder).map_err(|source| io("create", &folder, source))?;
    let plots = plots(run)?;
    if let Some(note) = plots.note {
        tell!("note: {note}");
    }
    let files = plots.charts.iter().flat_map(|chart| {
        let file = |end: &str| folder.join(format!("{}.{end}", chart.name));
        [
            (file("svg"), chart.svg.as_bytes()),
            (file("png"), chart.png.as_slice()),
        ]
    });
    files.map(|(path, bytes)| write(&path, bytes)).collect()
}

/// Writes a file as a whole; its path as it was given. What is no plain file, such as a pipe or a link, is
/// written to and not replaced.
///
/// # Errors
///
/// If the file is one that a run has made, or cannot be written.
pub fn write(path: &Path, bytes: &[u8]) -> Result<PathBuf, Failure> {
    let whole = absolute(path).unwrap_or_else(|_| path.to_path_buf());
    refuse_files_of_a_run(&whole)?;
    let is_plain = whole
        .symlink_metadata()
        .map_or(true, |found| found.is_file());
    match is_plain {
        true => write_beside(&whole, bytes)?,
        false => {
            let named = whole.clone();
            let opened = fireclay_guard::patiently(move || File::create(named));
            let written = opened.and_then(|mut file| file.write_all(bytes));
            written.map_err(|source| io("write", &whole, source))?;
        }
    }
    Ok(path.to_path_buf())
}

/// Refuses to write over a file that a run has made: in the folder of a run, only pages, cards, charts and tables are
/// written anew.
pub fn refuse_files_of_a_run(path: &Path) -> Result<(), Failure> {
    let is_there = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let folder = is_there.parent().unwrap_or(Path::new(""));
    let is_of_a_run = folder.join("run.lock").is_file() && is_there.exists();
    let ours = ["html", "md", "svg", "png", "csv"];
    let is_ours = is_there
        .extension()
        .is_some_and(|extension| ours.iter().any(|ours| extension == *ours));
    match is_of_a_run && !is_ours {
        true => Err(Failure::Usage(format!(
            "{} belongs to the run; name another file",
            path.display()
        ))),
        false => Ok(()),
    }
}
