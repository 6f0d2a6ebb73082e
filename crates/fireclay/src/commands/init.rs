//! `init`: a commented starter config for a table or a folder of images.

use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use fireclay_data::{
    CategoricalEncoding, ColumnKind, Guess, TableFormat, TargetKind, guess, guess_for,
};

use super::init_images;
use crate::failure::Failure;
use crate::text::say;

/// Write a starter config for a table or a folder of images, and say what was guessed
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The table (CSV, JSON Lines or Parquet), or a folder with a folder of images for each class
    pub table: PathBuf,
    /// The column to predict, where the guess is wrong
    #[arg(long)]
    pub target: Option<String>,
    /// Where to write the config [default: its name with .toml, in the working directory]
    #[arg(short, long)]
    pub output: Option<PathBuf>,
    /// Replace an existing config
    #[arg(long)]
    pub force: bool,
}

/// Guesses a config, writes it, and prints the guesses.
pub fn run(args: &Args) -> Result<(), Failure> {
    if args.table.is_dir() && args.target.is_some() {
        let message = "--target is for tables: the folders of images are their classes";
        return Err(Failure::Usage(message.into()));
    }
    let output = match &args.output {
        Some(output) => output.clone(),
        None => default_output(&args.table)?,
    };
    if output.exists() && !args.force {
        let output = output.display();
        return Err(Failure::Usage(format!(
            "{output} exists already; name another file with -o, or replace it with --force"
        )));
    }
    let text = match args.table.is_dir() {
        true => init_images::config(&args.table, &output)?,
        false => rows(args, &output)?,
    };
    fs::write(&output, text)
        .map_err(|error| Failure::Failed(format!("cannot write {}: {error}", output.display())))?;
    let output = output.display();
    say!("wrote    {output}; read it, then:\n");
    say!("  fireclay check {output}\n  fireclay train {output}");
    Ok(())
}

fn rows(args: &Args, output: &Path) -> Result<String, Failure> {
    let table = args.table.display().to_string();
    let guessed = match &args.target {
        Some(target) => guess_for(&table, target)?,
        None => guess(&table)?,
    };
    report(&guessed);
    Ok(config(&table, &guessed, output))
}

/// `data/table.csv` becomes `table.toml` in the working directory.
fn default_output(table: &Path) -> Result<PathBuf, Failure> {
    // The folder `.` has a name too, and one with a dot in it is a folder all the same.
    let name = match table.canonicalize() {
        Ok(folder) if folder.is_dir() => folder.file_name().map(OsStr::to_os_string),
        _ => plain_stem(table),
    };
    let name = name.unwrap_or_default().to_string_lossy().into_owned();
    if name.contains(['*', '?', '[']) {
        return Err(Failure::Usage(
            "several tables have no one name; give the config one with -o".into(),
        ));
    }
    Ok(PathBuf::from(name + ".toml"))
}

/// The name of a file without its extension, and without that of what packs it: `table` of `table.csv.gz`.
fn plain_stem(table: &Path) -> Option<OsString> {
    let stem = table.file_stem()?;
    let inner = Path::new(stem)
        .file_stem()
        .filter(|_| TableFormat::from_path(table).is_some());
    let is_packed = TableFormat::to_write(table).is_none();
    Some(inner.filter(|_| is_packed).unwrap_or(stem).to_owned())
}

fn report(guess: &Guess) {
    say!("target   {} ({})", guess.target, task(guess));
    for column in &guess.columns {
        say!("column   {}: {}", column.name, column.reason);
    }
    guess.notes.iter().for_each(|note| say!("note     {note}"));
}

fn task(guess: &Guess) -> &'static str {
    match guess.target_kind {
        TargetKind::Class | TargetKind::Set => "classification",
        TargetKind::Number => "regression",
    }
}

/// The text of the config.
fn config(table: &str, guess: &Guess, output: &Path) -> String {
    let task = match guess.target_kind {
        TargetKind::Class | TargetKind::Set => {
            "type = \"classification\"\n\
             # class_weights = \"balanced\"   # if rare classes matter as much as common ones\n\
             # threshold = \"tune\"           # with two classes: choose it on the validation split"
        }
        TargetKind::Number => {
            "type = \"regression\"\n\
             loss = \"mse\"       # or \"mae\", or \"huber\", which large errors move less"
        }
    };
    format!(
        "{}{}\
         [model]\n\
         type = \"mlp\"       # or \"linear\"; `fireclay models` lists them\n\
         hidden = [64, 32]\n\
         dropout = 0.1\n\n\
         [task]\n{task}\n\n\
         {}\
         [early_stopping]\n\
         monitor = \"valid/loss\"\n\
         patience = 10\n",
        opening(&format!("{table:?}"), output),
        data(table, guess),
        training(0.01, 100),
    )
}

/// How the config begins, up to its data.
pub(super) fn opening(subject: &str, output: &Path) -> String {
    format!(
        "# A first model for {subject}. Change what is wrong, then:\n\
         #   fireclay check {0}\n#   fireclay train {0}\n\n\
         seed = 42\n\n\
         [device]\n\
         backend = \"auto\"   # a GPU if there is one, else the CPU; `fireclay devices` lists them\n\n",
        output.display()
    )
}

/// The tables of the optimizer, its schedule and the training.
pub(super) fn training(weight_decay: f64, epochs: usize) -> String {
    format!(
        "[optimizer]\n\
         type = \"adamw\"\n\
         learning_rate = 1e-3\n\
         weight_decay = {weight_decay}\n\n\
         [lr_scheduler]\n\
         type = \"cosine\"\n\
         warmup_ratio = 0.05\n\n\
         [train]\n\
         epochs = {epochs}\n\
         batch_size = 32\n\n"
    )
}

fn data(table: &str, guess: &Guess) -> String {
    let mut text = String::from("[data]\n");
    let mut line = |line: String| text += &(line + "\n");
    line(format!("type = {}", quoted(guess.format.name())));
    line(format!("path = {}", quoted(table)));
    line(format!("target = {}", quoted(&guess.target)));
    for (key, value) in guess.dialect.keys() {
        line(format!("{key} = {value}"));
    }
    if let Some(id) = &guess.id {
        let id = quoted(id);
        line(format!(
            "id = {id}   # written next to predictions, never a feature"
        ));
    }
    if !guess.ignore.is_empty() {
        let columns: Vec<String> = guess.ignore.iter().map(|name| quoted(name)).collect();
        line(format!("ignore = [{}]", columns.join(", ")));
    }
    if guess.missing_target > 0 {
        line("missing_target = \"drop\"   # leave out rows without a target".into());
    }
    line(match guess.stratify {
        true => "split = { train = 0.7, valid = 0.15, test = 0.15, stratify = true }".into(),
        false => "split = { train = 0.7, valid = 0.15, test = 0.15 }".into(),
    });
    text + &columns(guess) + "\n"
}

/// The kinds of all features, as comments to change where a guess is wrong.
fn columns(guess: &Guess) -> String {
    let mut text =
        String::from("# Columns as they were read; uncomment a line to read one otherwise.\n");
    let columns = guess.columns.iter();
    for column in columns.filter(|column| column.kind != ColumnKind::Ignore) {
        let (name, kind) = (quoted(&column.name), serde_json::json!(column.kind));
        let _ = writeln!(text, "# columns.{name} = {{ kind = {kind} }}");
    }
    let encodings = serde_json::json!([
        CategoricalEncoding::Auto,
        CategoricalEncoding::Onehot,
        CategoricalEncoding::Target,
        CategoricalEncoding::Embedding
    ]);
    let _ = writeln!(text, "# categorical = one of {encodings}");
    text
}

/// A TOML string.
fn quoted(text: &str) -> String {
    serde_json::json!(text).to_string()
}
