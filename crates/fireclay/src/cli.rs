//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Shape a model in TOML, fire it on any hardware.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 failure, 2 the config or the command line is wrong, 3 training diverged, \
4 interrupted and resumable";

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a starter config for a table or a folder of images, and say what was guessed
    Init(InitArgs),
    /// Check a config and its data without training, and print the config with every default
    Check(CheckArgs),
    /// Say what a run will take, without training: parameters, operations, memory, time, money
    Plan(PlanArgs),
    /// Train a model as a config says
    Train(TrainArgs),
    /// Go on with an interrupted run from its newest whole checkpoint
    Resume(ResumeArgs),
    /// Compute the metrics of a finished run over a whole split, or over other data
    Evaluate(EvaluateArgs),
    /// Answer for the rows of a table, or for images; translate the lines of a text
    Predict(PredictArgs),
    /// Go on from a prompt with a language model
    Generate(GenerateArgs),
    /// Write what a finished run has learned into a folder that other programs load
    Export(ExportArgs),
    /// List backends, the hardware that each finds, and which one `auto` takes
    Devices(ListArgs),
    /// List the models that a config can name
    Models(ListArgs),
    /// List the kinds of data that a config can name, and the data sets that come with fireclay
    Datasets(ListArgs),
    /// Print the JSON Schema of configs, for editors
    Schema,
    /// Print shell completions
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// Arguments of `init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// The table (CSV, JSON Lines or Parquet), or a folder with a folder of images for each class
    pub table: PathBuf,
    /// The column to predict, where the guess is wrong
    #[arg(long)]
    pub target: Option<String>,
    /// Where to write the config [default: its name with .toml, in the working directory]
    #[arg(short, long)]
    pub output: Option<PathBuf>,
    /// Replace a config that is there
    #[arg(long)]
    pub force: bool,
}

/// Arguments of `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The config
    pub config: PathBuf,
    /// Override a key, as in `--set train.epochs=5`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// Look at the config alone, not at its data
    #[arg(long)]
    pub no_data: bool,
    /// Print the config and the report on the data as JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// The config
    pub config: PathBuf,
    /// Override a key, as in `--set train.batch_size=64`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// Do not read the data; what the config leaves open is assumed, and said
    #[arg(long)]
    pub no_data: bool,
    /// Assume this of data that is not read: samples, classes, vocabulary or length (tokens of a
    /// text, pixels of a side, columns)
    #[arg(long, value_name = "KEY=N")]
    pub assume: Vec<String>,
    /// Predict for this hardware alone, such as h100
    #[arg(long, value_name = "NAME")]
    pub on: Option<String>,
    /// Spread the run over so many devices, as far as whole copies of the model go into them
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub devices: Option<u64>,
    /// A table of hardware in place of the one that comes with fireclay
    #[arg(long, value_name = "FILE")]
    pub hardware: Option<PathBuf>,
    /// Train for three steps too, and say what they took
    #[arg(long)]
    pub measure: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `train`.
#[derive(Debug, Args)]
pub struct TrainArgs {
    /// The config
    pub config: PathBuf,
    /// Override a key, as in `--set device.backend=wgpu`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    #[command(flatten)]
    pub show: ShowArgs,
}

/// How a training is shown.
#[derive(Clone, Copy, Debug, Args)]
pub struct ShowArgs {
    /// Show Burn's full-screen dashboard instead of a progress bar (on a terminal)
    #[arg(long)]
    pub dashboard: bool,
    /// Show nothing while training
    #[arg(short, long, conflicts_with = "dashboard")]
    pub quiet: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
    /// Write what each step spends its time on to trace.json in the run folder, for Perfetto
    #[arg(long)]
    pub profile: bool,
}

/// Arguments of `resume`.
#[derive(Debug, Args)]
pub struct ResumeArgs {
    /// The run folder, such as runs/breast-cancer/1
    pub run: PathBuf,
    /// Go on with other hardware than the config names
    #[arg(long, value_name = "NAME")]
    pub backend: Option<String>,
    #[command(flatten)]
    pub show: ShowArgs,
}

/// Arguments of `evaluate`.
#[derive(Debug, Args)]
pub struct EvaluateArgs {
    /// The run folder
    pub run: PathBuf,
    /// The split to evaluate
    #[arg(long, value_enum, default_value_t = SplitName::Test, conflicts_with = "data")]
    pub split: SplitName,
    /// Other data with targets: a table as a file or a glob, or images as the config's data.path
    #[arg(long, value_name = "PATH")]
    pub data: Option<String>,
    /// The translations of the texts in `--data`, line by line (pairs of texts)
    #[arg(long, value_name = "PATH", requires = "data")]
    pub target_data: Option<String>,
    /// Compute on other hardware than the config names
    #[arg(long, value_name = "NAME")]
    pub backend: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// One of the splits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SplitName {
    /// The rows that the model was trained on.
    Train,
    /// The rows that steered the training.
    Valid,
    /// The rows for the final figures.
    Test,
}

/// Arguments of `predict`.
#[derive(Debug, Args)]
pub struct PredictArgs {
    /// The run folder
    pub run: PathBuf,
    /// The table to answer for, as a file or a glob; images, as a file, a folder or a glob; or a text
    /// with a line to translate each
    pub input: String,
    /// The file to write: .csv, .jsonl or .parquet, or a text; answers for images and translations
    /// are shown without it
    #[arg(short, long)]
    pub output: Option<PathBuf>,
    /// How many classes an answer for an image names [default: 5]
    #[arg(long)]
    pub top: Option<usize>,
    /// Compute on other hardware than the config names
    #[arg(long, value_name = "NAME")]
    pub backend: Option<String>,
}

/// Arguments of `generate`.
#[derive(Debug, Args)]
pub struct GenerateArgs {
    /// The run folder
    pub run: PathBuf,
    /// The text to go on from
    #[arg(short, long, required_unless_present = "prompts")]
    pub prompt: Option<String>,
    /// A file with a prompt on each line; every answer is then one line of JSON
    #[arg(long, value_name = "FILE", conflicts_with = "prompt")]
    pub prompts: Option<PathBuf>,
    /// How many tokens to write at most
    #[arg(short = 'n', long, value_name = "N", default_value_t = 256)]
    pub max_tokens: usize,
    /// What logits are divided by: below 1 for safer text, above for wilder; 0 always takes the
    /// most probable token
    #[arg(
        short,
        long,
        value_name = "T",
        default_value_t = 1.0,
        allow_negative_numbers = true
    )]
    pub temperature: f64,
    /// Choose among the K most probable tokens only
    #[arg(long, value_name = "K")]
    pub top_k: Option<usize>,
    /// Choose among the fewest tokens that together have this probability
    #[arg(
        long,
        value_name = "P",
        default_value_t = 1.0,
        allow_negative_numbers = true
    )]
    pub top_p: f64,
    /// Make tokens that were there before less probable, as 1.2 does
    #[arg(
        long,
        value_name = "R",
        default_value_t = 1.0,
        allow_negative_numbers = true
    )]
    pub repetition_penalty: f64,
    /// End before this text; may be given several times
    #[arg(long, value_name = "TEXT")]
    pub stop: Vec<String>,
    /// The seed of every choice
    #[arg(long, default_value_t = 42)]
    pub seed: u64,
    /// Compute on other hardware than the config names
    #[arg(long, value_name = "NAME")]
    pub backend: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The run folder
    pub run: PathBuf,
    /// The folder to write, new or empty
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
    /// Make adapters part of the weights beside which they were trained: a whole model, which needs
    /// nothing else
    #[arg(long)]
    pub merge: bool,
    /// Compute on other hardware than the config names
    #[arg(long, value_name = "NAME", requires = "merge")]
    pub backend: Option<String>,
}

/// Arguments of the commands that list things.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
