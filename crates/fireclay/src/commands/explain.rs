//! `explain`: why a finished run answers what it answers.

mod show;
mod write;

use std::path::{Path, PathBuf};

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use fireclay_explain::{Baseline, Method, Request, explain};
use fireclay_run::{On, is_run, load_model};
use fireclay_train::run_folder::find;

use super::evaluate::SplitName;
use super::{OpenArgs, paths, run_at};
use crate::failure::Failure;
use crate::few::few;
use crate::text::{say, tell};

/// Explain which columns, pixels or tokens the answers of a finished run come from
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run folder, such as runs/NAME/1; runs/NAME is the newest run of that name. Or a classifier of images that was
    /// not trained here, in the folder that it came in
    #[arg(value_parser = paths::path())]
    pub run: PathBuf,
    /// Samples to explain one by one: a table (file, glob, or `-` for standard input) or images (file,
    /// folder or glob); without it, a split of the run's own data is explained as a whole
    #[arg(conflicts_with = "split", value_parser = paths::place())]
    pub input: Option<String>,
    /// How to explain; may be given several times [default: what people expect of such data]
    #[arg(long, value_name = "NAME", value_parser = method())]
    pub method: Vec<Method>,
    /// The split to explain [default: test, or valid where there is no test split]
    #[arg(long, value_enum)]
    pub split: Option<SplitName>,
    /// How many samples, at most [default: 10 of INPUT; of a split 200 rows, 16 images or 50 texts]
    #[arg(long, value_name = "N")]
    pub rows: Option<usize>,
    /// How many of them to show one by one [default: all of INPUT, 3 of a split]
    #[arg(long, value_name = "N")]
    pub samples: Option<usize>,
    /// The class to explain [default: the positive one of two, else the one that is answered]
    #[arg(long, value_name = "CLASS")]
    pub target: Option<String>,
    /// What attributions compare with [default: mean for tables, else zero]
    #[arg(long, value_name = "WORD", value_enum)]
    pub baseline: Option<Word>,
    /// Rows to compare with, a table [default: 100 training rows]
    #[arg(long, value_name = "FILE", value_parser = paths::place())]
    pub background: Option<String>,
    /// The metric that permutation importance takes away from [default: the task's first]
    #[arg(long, value_name = "NAME")]
    pub metric: Option<String>,
    /// The columns of partial dependence; may be given several times [default: all]
    #[arg(long, value_name = "NAME")]
    pub column: Vec<String>,
    /// Nodes of integrated gradients on the way from the baseline [default: 64, doubled up to 512 until the
    /// attributions add up to a hundredth]
    #[arg(long, value_name = "N")]
    pub steps: Option<usize>,
    /// Compare with a model whose weights are shuffled: an explanation that stays the same says nothing
    /// about the model
    #[arg(long)]
    pub randomised: bool,
    /// Write explanations.json, pictures and pages to this folder instead of the run's
    #[arg(short, long, value_name = "FOLDER", value_parser = paths::path())]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub open: OpenArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// The methods that there are, by name.
fn method() -> impl TypedValueParser<Value = Method> {
    let names = Method::ALL.map(|method| PossibleValue::new(method.name()).help(method.summary()));
    PossibleValuesParser::new(names)
        .map(|name| Method::from_name(&name).expect("one of the possible values"))
}

/// A baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Word {
    /// Training means and no category; the mean colour; no embedding.
    Zero,
    /// The mean of the rows to compare with.
    Mean,
    /// A black image.
    Black,
    /// A white image.
    White,
}

impl From<Word> for Baseline {
    fn from(word: Word) -> Self {
        match word {
            Word::Zero => Self::Zero,
            Word::Mean => Self::Mean,
            Word::Black => Self::Black,
            Word::White => Self::White,
        }
    }
}

impl Args {
    fn request(&self, seed: u64) -> Request<'_> {
        let split = self.split;
        let on = match &self.input {
            Some(path) => On::File { path, targets: &[] },
            None => split.map_or(On::HeldOut, |split| On::Split(split as usize)),
        };
        Request {
            rows: self.rows,
            shown: self.samples,
            methods: self.method.clone(),
            target: self.target.as_deref(),
            baseline: self.baseline.map(Baseline::from),
            background: self.background.as_deref(),
            metric: self.metric.as_deref(),
            columns: self.column.clone(),
            randomised: self.randomised,
            steps: self.steps,
            seed,
            ..Request::new(on)
        }
    }
}

impl Args {
    /// Where the files go, if they go anywhere; it can take them.
    fn folder(&self, run: &Path) -> Result<Option<PathBuf>, Failure> {
        let is_of_run = self.open.weights.checkpoint.is_none() && is_run(run)?;
        let folder = match &self.output {
            Some(folder) => folder.clone(),
            None if is_of_run => find(run)?,
            None => return Ok(None),
        };
        write::check(&folder)?;
        Ok(Some(folder))
    }
}

/// Explains samples, shows what was found and writes it.
pub fn run(args: &Args) -> Result<(), Failure> {
    let at = run_at(&args.run);
    let config = load_model(&at)?.config;
    // Before the work: it may take minutes.
    let folder = args.folder(&at)?;
    let run = args.open.open(&at, &config)?;
    let explained = explain(&*run, &args.request(config.seed))?;
    let notes = few(&explained.notes);
    notes.iter().for_each(|note| tell!("note: {note}"));
    match args.json {
        true => say!("{:#}", serde_json::json!(explained.explanations)),
        false => show::all(&explained.explanations),
    }
    let Some(folder) = folder else {
        let what = match is_run(&at)? {
            true => "a checkpoint, which has not the weights of its run,",
            false => "a model that was not trained here",
        };
        tell!("note: explanations of {what} are written with -o FOLDER only");
        return Ok(());
    };
    write::all(&folder, &explained)?;
    let path = folder.join(write::FILE);
    match args.json {
        true => tell!("written to {}", path.display()),
        false => say!("\nwritten to {}", path.display()),
    }
    Ok(())
}
