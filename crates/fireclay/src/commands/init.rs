//! `init`: a commented starter config for data that nobody has described.

use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::path::{Path, PathBuf};

use fireclay_data::{
    CategoricalEncoding, ColumnKind, Guess, GuessedColumn, TableFormat, TargetKind, guess,
    guess_for, guess_texts, holds_conversations, holds_preferences,
};

use super::report::write;
use super::{init_images, init_text, paths, remarks};
use crate::failure::Failure;
use crate::text::{one_line, prose, say};
use fireclay_train::run_folder::typed;

/// Write a starter config for your data, and say what was guessed
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A table (CSV, JSON Lines or Parquet), a folder with a folder of images for each class, or a text; two
    /// texts if each line of the second is the translation of the same line of the first
    #[arg(required = true, num_args = 1..=2, value_name = "DATA", value_parser = paths::path())]
    pub data: Vec<PathBuf>,
    /// The column to predict, where the guess is wrong
    #[arg(long)]
    pub target: Option<String>,
    /// Where to write the config [default: its name with .toml, in the working directory]
    #[arg(short, long, value_parser = paths::path())]
    pub output: Option<PathBuf>,
    /// Take each folder of images for a class, one that is called like a split too
    #[arg(long)]
    pub no_split_folders: bool,
    /// Replace an existing config
    #[arg(long)]
    pub force: bool,
}

/// Guesses a config, writes it, and prints the guesses.
pub fn run(args: &Args) -> Result<(), Failure> {
    let [data, rest @ ..] = args.data.as_slice() else {
        unreachable!("clap wants one at least");
    };
    if (data.is_dir() || !rest.is_empty()) && args.target.is_some() {
        let message = "--target is for one table: folders of images and texts have no columns";
        return Err(Failure::Usage(message.into()));
    }
    if args.no_split_folders && !data.is_dir() {
        let message = "--no-split-folders is for a folder of images";
        return Err(Failure::Usage(message.into()));
    }
    let output = match &args.output {
        Some(output) => output.clone(),
        None => default_output(data)?,
    };
    if output.exists() && !args.force {
        let output = output.display();
        return Err(Failure::Usage(format!(
            "{output} exists already; name another file with -o, or replace it with --force"
        )));
    }
    let text = match rest {
        [other] => init_text::parallel([data, other], &output)?,
        _ => one(args, data, &output)?,
    };
    write(&output, text.as_bytes())?;
    say!("wrote    {}; read it, then:\n", output.display());
    let output = typed(&output);
    say!("  fireclay check {output}\n  fireclay train {output}");
    Ok(())
}

/// The config for one file, folder or pattern.
fn one(args: &Args, data: &Path, output: &Path) -> Result<String, Failure> {
    if data.is_dir() {
        return match init_text::folder(data, output)? {
            Some(text) => Ok(text),
            None => init_images::config(data, output, args.no_split_folders),
        };
    }
    let table = data.display().to_string();
    if holds_conversations(&table)? {
        return Err(init_text::conversations(&table));
    }
    if holds_preferences(&table)? {
        return Err(init_text::preferences(&table));
    }
    let target = args.target.as_deref();
    if let Some(texts) = guess_texts(&table, target)? {
        return Ok(init_text::config(&table, &texts, output));
    }
    let guessed = match target {
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
    say!("target   {} ({})", one_line(&guess.target), task(guess));
    for column in &guess.columns {
        prose!(9, "column   {}: {}", one_line(&column.name), column.reason);
    }
    guess
        .notes
        .iter()
        .for_each(|note| prose!(9, "note     {note}"));
    if guess.target_kind == TargetKind::Class {
        say_positive(&guess.classes);
    }
}

/// Says which of two classes is taken for the positive one, and how to choose the other.
pub(super) fn say_positive(classes: &[String]) {
    if let [_, positive] = classes {
        prose!(9, "note     {}", remarks::positive(positive, classes));
    }
}

fn task(guess: &Guess) -> &'static str {
    match guess.target_kind {
        TargetKind::Class => "classification",
        TargetKind::Set => "multilabel",
        TargetKind::Number => "regression",
    }
}

/// The text of the config.
fn config(table: &str, guess: &Guess, output: &Path) -> String {
    let task = match guess.target_kind {
        TargetKind::Set => {
            "type = \"multilabel\"\n\
             threshold = 0.5   # the probability from which a label applies"
        }
        TargetKind::Class => &format!(
            "type = \"classification\"\n\
             # class_weights = \"balanced\"   # if rare classes matter as much as common ones\n{}",
            of_two(&guess.classes)
        ),
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
        opening(&quoted(table), output),
        data(table, guess),
        training(0.01, 100),
    )
}

/// What can be said of the classes if there are two.
fn of_two(classes: &[String]) -> String {
    let [other, positive] = classes else {
        return String::new();
    };
    format!(
        "# positive = {}   # in place of {}: the class that precision, recall and F1 are of\n\
         # threshold = \"tune\"   # choose it on the validation split",
        quoted(other),
        quoted(positive)
    )
}

/// What stands behind a split that is drawn.
pub(super) const DRAWN: &str =
    "   # drawn by `seed` above; add seed = 1 here to keep the split when you change that";

/// How the config begins, up to its data.
pub(super) fn opening(subject: &str, output: &Path) -> String {
    format!(
        "# A first model for {subject}. Change what is wrong, then:\n\
         #   fireclay check {0}\n#   fireclay train {0}\n\n\
         seed = 42\n\n\
         [device]\n\
         backend = \"auto\"   # a GPU if there is one, else the CPU; `fireclay devices` lists them\n\n",
        typed(output)
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
    if let Some(separator) = &guess.label_separator {
        let separator = quoted(separator);
        line(format!(
            "label_separator = {separator}   # between the labels of a row"
        ));
    }
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
        line(format!("ignore = {}", list(&guess.ignore)));
    }
    if !guess.text.is_empty() {
        let columns = list(&guess.text);
        line(format!(
            "text = {columns}   # their words and pairs of words become features"
        ));
    }
    if guess.missing_target > 0 {
        line("missing_target = \"drop\"   # leave out rows without a target".into());
    }
    let stratify = match guess.stratify {
        true => ", stratify = true",
        false => "",
    };
    line(format!(
        "split = {{ train = 0.7, valid = 0.15, test = 0.15{stratify} }}{DRAWN}"
    ));
    text + &columns(guess) + "\n"
}

/// The kinds of all features, as comments to change where a guess is wrong.
fn columns(guess: &Guess) -> String {
    let mut text =
        String::from("# Columns as they were read; uncomment a line to read one otherwise.\n");
    let is_told = |column: &&GuessedColumn| {
        let is_read = !matches!(column.kind, ColumnKind::Ignore | ColumnKind::Text);
        is_read && column.name != guess.target
    };
    for column in guess.columns.iter().filter(is_told) {
        let (name, kind) = (quoted(&column.name), serde_json::json!(column.kind));
        let _ = writeln!(text, "# columns.{name} = {{ kind = {kind} }}");
    }
    let others = [
        CategoricalEncoding::Onehot,
        CategoricalEncoding::Target,
        CategoricalEncoding::Embedding,
    ];
    let [onehot, target, embedding] = others.map(|encoding| serde_json::json!(encoding));
    let usual = serde_json::json!(CategoricalEncoding::Auto);
    let _ = writeln!(
        text,
        "# categorical = {onehot}   # or {target}, {embedding}, in place of {usual}"
    );
    text
}

/// A TOML list of strings.
fn list(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| quoted(name)).collect();
    format!("[{}]", names.join(", "))
}

/// A TOML string: one of JSON, but for a character that TOML wants escaped.
pub(super) fn quoted(text: &str) -> String {
    let text = serde_json::json!(text).to_string();
    text.replace('\u{7f}', "\\u007f")
}
