//! `train` on each of several folds.

use std::path::{Path, PathBuf};

use fireclay_run::config::{Loaded, RunConfig};
use fireclay_run::{Evaluations, Folds};
use serde_json::json;

use super::training::short;
use crate::failure::Failure;
use crate::screen::Screen;
use crate::text::{number, prose, say};

/// Refuses folds of data that is not split by samples: the keys of them are nowhere in such a config.
pub fn check(config: &RunConfig) -> Result<(), Failure> {
    let section = config.data.section();
    match section.located().split {
        Some(_) => Ok(()),
        None => Err(Failure::Usage(format!(
            "--folds is for tables, images and texts with labels, whose rows are drawn into folds: data of type \"{}\" is not \
             split so",
            section.name()
        ))),
    }
}

/// The number of folds that each are a run, if the config asks for them and for none of them alone.
pub fn asked(config: &RunConfig) -> Option<usize> {
    let split = config.data.section().located().split?;
    split.folds.filter(|_| split.fold.is_none())
}

/// Which fold a run is the run of, and how many there are.
pub fn of(config: &RunConfig) -> Option<(usize, usize)> {
    let split = config.data.section().located().split?;
    Some((split.fold?, split.folds?))
}

/// The folder of a finished run, and its evaluation.
pub type Trained = (PathBuf, Evaluations);

/// Trains a run for each fold; `train` says what of one, and prints it.
pub fn run(
    folds: usize,
    json: bool,
    mut train: impl FnMut(usize) -> Result<(Loaded, Trained), Failure>,
) -> Result<(), Failure> {
    let mut all = Vec::new();
    let mut order = Vec::new();
    for fold in 1..=folds {
        let trained = train(fold).map_err(|failure| match failure {
            Failure::Interrupted(message) => Failure::Interrupted(format!(
                "fold {fold} of {folds} was {message}, or with this fold and those after it by the same command and \
                 `--resume auto`"
            )),
            other => other,
        });
        let (loaded, trained) = trained?;
        let facts = loaded.config.task.facts();
        order = facts.metrics.iter().map(|metric| metric.name).collect();
        all.push(trained);
    }
    let found = Folds::of(&all);
    let (folder, notes) = found.write()?;
    if json {
        say!("{:#}", json!({"folder": folder, "folds": found}));
        return Ok(());
    }
    show(&found, &order, &folder, &notes);
    Ok(())
}

/// The metrics of all folds, and where they are.
fn show(found: &Folds, order: &[&str], folder: &Path, notes: &[String]) {
    let folds = found.runs.len();
    say!("\n{folds} folds, each tested on rows that its run did not see\n");
    say!("{}", Screen::out().table(&table(found, order)).trim_end());
    say!("");
    prose!(
        2,
        "std: the standard deviation over folds; the folds share training rows, so it says too little of the spread of other data"
    );
    notes.iter().for_each(|note| prose!(8, "note    {note}"));
    let rows = match notes.is_empty() {
        true => "; predictions.parquet, each row as predicted by the run that did not see it",
        false => "",
    };
    prose!(
        9,
        "folds    {} holds folds.json, the runs and the metrics of each fold{rows}",
        short(folder)
    );
}

/// A row for each metric, a column for each fold.
fn table(found: &Folds, order: &[&str]) -> Vec<Vec<String>> {
    let mut header = vec!["metric".to_owned(), "mean".into(), "std".into()];
    header.extend((1..=found.runs.len()).map(|fold| format!("fold {fold}")));
    let place = |name: &str| order.iter().position(|known| *known == name);
    let mut metrics: Vec<_> = found.metrics.iter().collect();
    metrics.sort_by_key(|(name, _)| place(name).map_or(0, |place| place + 1));
    let rows = metrics.into_iter().map(|(name, spread)| {
        let mut row = vec![name.clone(), number(spread.mean), number(spread.std)];
        row.extend(spread.by_fold.iter().map(|value| number(*value)));
        row
    });
    std::iter::once(header).chain(rows).collect()
}
