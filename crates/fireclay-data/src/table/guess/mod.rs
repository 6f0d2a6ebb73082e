//! A starting configuration for a file that nobody has described.

mod columns;
mod facts;
mod indices;
mod pairs;
mod sets;
mod sniff;
mod target;
mod texts;

pub use texts::{LabelledGuess, TextGuess, guess_texts};

use serde::Serialize;

use self::facts::{Facts, facts, target_kind};
use self::sniff::{dialect, format};
use self::target::find_target;
use crate::error::DataError;
use crate::labels::TargetKind;
use crate::table::report::{Goal, thinned};
use crate::table::{
    ColumnKind, Dialect, MissingTarget, Preprocess, ReadOptions, Table, TableConfig, TableFormat,
    split,
};

/// What a file seems to hold.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Guess {
    /// How it is stored.
    pub format: TableFormat,
    /// How its text is written, where that is not the usual way.
    pub dialect: Dialect,
    /// The column to predict.
    pub target: String,
    /// What it holds.
    pub target_kind: TargetKind,
    /// Its classes, or its labels, in the order in which a model numbers them.
    pub classes: Vec<String>,
    /// What stands between the labels in a cell of the target, where there are several.
    pub label_separator: Option<String>,
    /// All columns in the order of the file.
    pub columns: Vec<GuessedColumn>,
    /// The column that names the row.
    pub id: Option<String>,
    /// Columns that the model should not see.
    pub ignore: Vec<String>,
    /// Columns of texts whose words become features.
    pub text: Vec<String>,
    /// Rows without a target.
    pub missing_target: usize,
    /// Whether to keep the proportions of the classes in every split.
    pub stratify: bool,
    /// What was decided and might be wrong, in sentences.
    pub notes: Vec<String>,
}

/// What a column seems to hold.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GuessedColumn {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: ColumnKind,
    /// Why this is believed.
    pub reason: String,
}

/// Looks at a whole file (or glob) and guesses how to learn from it.
///
/// # Errors
/// What is wrong with the file; [`DataError::Unusable`] if no column can be a target.
pub fn guess(path: &str) -> Result<Guess, DataError> {
    guess_with(path, find_target)
}

/// The same for a target that is known.
///
/// # Errors
/// What is wrong with the file; [`DataError::MissingColumn`] if it has no such column.
pub fn guess_for(path: &str, target: &str) -> Result<Guess, DataError> {
    guess_with(path, |facts| {
        match facts.iter().find(|fact| fact.name == target) {
            Some(found) => Ok((found, "it was named")),
            None => Err(DataError::MissingColumn {
                column: target.into(),
                known: facts.iter().map(|fact| fact.name.clone()).collect(),
                file: Some(crate::error::absolute(path.as_ref())),
            }),
        }
    })
}

fn guess_with(
    path: &str,
    choose: impl for<'a> Fn(&'a [Facts<'a>]) -> Choice<'a>,
) -> Result<Guess, DataError> {
    let first = crate::files::expand(path)?.remove(0);
    let format = format(&first)?;
    let sniffed = dialect(&first, format)?;
    let mut options = ReadOptions::new(format);
    options.dialect = sniffed.dialect;
    let raw = Table::read(path, &options)?;
    if let Some(advice) = format.format().advice_on_one_row
        && raw.rows() == 1
    {
        return Err(DataError::damaged(&first, advice));
    }
    let (table, mut guess) = interpreted(raw.clone(), rules(path, &options), format, &choose)?;
    guess.note_readings(&table);
    guess.ignore_indices((format.format().indices)(&first)?);
    guess.keep_something(&table);
    guess.dialect = options.dialect;
    guess.classes = guess.check(raw, path)?;
    guess
        .notes
        .splice(0..0, sniffed.notes.into_iter().chain(table.notes));
    Ok(guess)
}

/// The configuration of a table of which nothing is known but how its text is written.
fn rules(path: &str, options: &ReadOptions) -> TableConfig {
    let mut rules = TableConfig::new(path, "");
    rules.delimiter.clone_from(&options.dialect.delimiter);
    rules
}

/// The table with its columns read, and what is guessed of it.
fn interpreted(
    raw: Table,
    mut rules: TableConfig,
    format: TableFormat,
    choose: impl for<'a> Fn(&'a [Facts<'a>]) -> Choice<'a>,
) -> Result<(Table, Guess), DataError> {
    let mut table = raw.clone();
    table.interpret(&rules)?;
    let guess = from_table(&table, format, &choose)?;
    // What is missing in a feature may be a class of the target.
    rules.target.clone_from(&guess.target);
    rules.label_separator.clone_from(&guess.label_separator);
    let mut again = raw.clone();
    again.interpret_target(&rules)?;
    if again.readings.of(&guess.target) == table.readings.of(&guess.target) {
        return Ok((table, guess));
    }
    table = raw;
    table.interpret(&rules)?;
    let guess = from_table(&table, format, &choose)?;
    Ok((table, guess))
}

fn from_table(
    table: &Table,
    format: TableFormat,
    choose: impl for<'a> Fn(&'a [Facts<'a>]) -> Choice<'a>,
) -> Result<Guess, DataError> {
    let facts = facts(table)?;
    let (target, why) = choose(&facts)?;
    // Read as numbers or the like, sets of labels are lost.
    let cells = table.readings.raw(&target.name).unwrap_or(target.array);
    let separator = sets::separator(&target.name, cells);
    let target_kind = match separator {
        Some(_) => TargetKind::Set,
        None => target_kind(target),
    };
    let goal = Goal::of(&thinned(target.array)?, target_kind);
    let mut guess = Guess::of_target(format, target, (target_kind, separator), why);
    for fact in &facts {
        let column = guess.column(fact, target, goal.as_ref());
        guess.columns.push(column);
    }
    guess.note_target(target);
    guess.note_groups(&facts, target);
    Ok(guess)
}

/// The column to predict, and why.
type Choice<'a> = Result<(&'a Facts<'a>, &'static str), DataError>;

impl Guess {
    /// What is known once the target is.
    fn of_target(
        format: TableFormat,
        target: &Facts<'_>,
        (target_kind, separator): (TargetKind, Option<&str>),
        why: &str,
    ) -> Self {
        let name = &target.name;
        Self {
            format,
            dialect: Dialect::default(),
            target: name.clone(),
            target_kind,
            classes: Vec::new(),
            label_separator: separator.map(String::from),
            columns: Vec::new(),
            id: None,
            ignore: Vec::new(),
            text: Vec::new(),
            // An empty cell is a row without labels where a cell holds a set of them.
            missing_target: match target_kind {
                TargetKind::Set => 0,
                TargetKind::Class | TargetKind::Number => target.missing,
            },
            stratify: target_kind == TargetKind::Class,
            notes: vec![format!("the target is taken to be {name:?}: {why}")],
        }
    }

    /// The table of a configuration that says what was guessed.
    fn config(&self, path: &str) -> TableConfig {
        let config = TableConfig::new(path, &self.target);
        let mut config = config.with_dialect(self.dialect.clone());
        config.label_separator.clone_from(&self.label_separator);
        config.id.clone_from(&self.id);
        config.ignore.clone_from(&self.ignore);
        config.text.clone_from(&self.text);
        config.split.stratify = self.stratify;
        if self.missing_target > 0 {
            config.missing_target = MissingTarget::Drop;
        }
        config
    }

    /// The classes of the target. Refuses what nothing can be learned from: a configuration is for training.
    ///
    /// # Errors
    /// [`DataError::Unusable`] with what training would say.
    fn check(&self, mut raw: Table, path: &str) -> Result<Vec<String>, DataError> {
        const SEED: u64 = 42;
        let config = self.config(path);
        let rows = raw.rows();
        let mut fits = || {
            raw.interpret(&config)?;
            let splits = split(&raw, &config, SEED, self.target_kind)?;
            let splits = raw.with_target(splits, &config)?;
            let (fitted, _) = Preprocess::fit(&raw, &splits.train, &config, self.target_kind)?;
            Ok(fitted.classes().to_vec())
        };
        fits().map_err(|error: DataError| {
            let message = format!(
                "this table of {rows} rows cannot be learned from, so no config is written: {error}"
            );
            DataError::Unusable(message)
        })
    }
}
