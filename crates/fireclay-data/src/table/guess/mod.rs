//! A starting configuration for a file that nobody has described.

mod indices;
mod sniff;
mod target;

use std::collections::HashSet;
use std::path::Path;

use arrow::array::{ArrayRef, AsArray};
use serde::Serialize;

use self::sniff::{dialect, format};
use self::target::find_target;
use crate::column::{date_order, text};
use crate::error::DataError;
use crate::labels::TargetKind;
use crate::table::config::default_max_categories;
use crate::table::report::{Goal, is_identifier, is_leak, is_pandas_index, is_whole, thinned};
use crate::table::schema::{missing, useless};
use crate::table::{ColumnKind, Dialect, ReadOptions, Table, TableConfig, TableFormat, infer_kind};

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
    /// All columns in the order of the file.
    pub columns: Vec<GuessedColumn>,
    /// The column that names the row.
    pub id: Option<String>,
    /// Columns that the model should not see.
    pub ignore: Vec<String>,
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
    if format == TableFormat::Jsonl && raw.rows() == 1 {
        return Err(one_object(&first));
    }
    let (table, mut guess) = interpreted(raw, rules(path, &options), format, &choose)?;
    guess.note_readings(&table);
    if format == TableFormat::Parquet {
        guess.ignore_indices(&first)?;
    }
    guess.keep_something(&table);
    guess.dialect = options.dialect;
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

fn one_object(path: &Path) -> DataError {
    DataError::damaged(
        path,
        "holds one JSON object, which is one row; write an object for each row, as pandas does with orient=\"records\", or take the rows out of it, for example with `jq -c '.data[]'`",
    )
}

fn from_table(
    table: &Table,
    format: TableFormat,
    choose: impl for<'a> Fn(&'a [Facts<'a>]) -> Choice<'a>,
) -> Result<Guess, DataError> {
    let facts = facts(table)?;
    let (target, why) = choose(&facts)?;
    let target_kind = target_kind(target);
    let goal = Goal::of(&thinned(target.array)?, target_kind);
    let mut guess = Guess {
        format,
        dialect: Dialect::default(),
        target: target.name.clone(),
        target_kind,
        columns: Vec::new(),
        id: None,
        ignore: Vec::new(),
        missing_target: target.missing,
        stratify: target_kind == TargetKind::Class,
        notes: vec![format!(
            "the target is taken to be {:?}: {why}",
            target.name
        )],
    };
    for fact in &facts {
        let column = guess.column(fact, target, goal.as_ref());
        guess.columns.push(column);
    }
    guess.note_target(target);
    Ok(guess)
}

/// The column to predict, and why.
type Choice<'a> = Result<(&'a Facts<'a>, &'static str), DataError>;

/// What can be said about a column without knowing the target.
pub(super) struct Facts<'a> {
    pub(super) name: String,
    array: &'a ArrayRef,
    pub(super) kind: ColumnKind,
    rows: usize,
    missing: usize,
    distinct: usize,
    is_whole: bool,
    pub(super) is_id: bool,
    pub(super) is_index: bool,
    pub(super) useless: Option<String>,
}

fn facts(table: &Table) -> Result<Vec<Facts<'_>>, DataError> {
    table
        .columns()
        .into_iter()
        .enumerate()
        .map(|(position, name)| fact(table, position, name))
        .collect()
}

fn fact(table: &Table, position: usize, name: String) -> Result<Facts<'_>, DataError> {
    let array = table.column(&name)?;
    let kind = infer_kind(array);
    let missing = missing(array);
    let distinct = if kind == ColumnKind::Ignore {
        0
    } else {
        distinct(&name, array, kind)?
    };
    let is_whole = kind == ColumnKind::Numeric && is_whole(array);
    let is_distinct =
        missing == 0 && distinct == table.rows() && (is_whole || kind == ColumnKind::Categorical);
    let is_counter =
        is_distinct && is_whole && is_identifier(array) && (position == 0 || names_index(&name));
    let is_index = is_counter || is_whole && is_pandas_index(&name);
    Ok(Facts {
        kind,
        rows: table.rows(),
        missing,
        distinct,
        is_whole,
        is_id: is_distinct && names_id(&name) && !names_index(&name),
        is_index,
        useless: useless(&name, array, kind)?,
        array,
        name,
    })
}

/// The number of different values; `1` and `1.0` are the same number.
fn distinct(name: &str, array: &ArrayRef, kind: ColumnKind) -> Result<usize, DataError> {
    let cells = match array.as_string_opt::<i32>() {
        Some(cells) => cells.clone(),
        None => text(name, array)?,
    };
    // A real does not tell longer numbers apart.
    let is_short = |cell: &&str| kind == ColumnKind::Numeric && cell.len() <= 15;
    let number = |cell: &str| (cell.parse::<f64>().unwrap_or(f64::NAN) + 0.0).to_bits();
    let (short, long): (Vec<&str>, Vec<&str>) = cells.iter().flatten().partition(is_short);
    let numbers: HashSet<u64> = short.into_iter().map(number).collect();
    Ok(numbers.len() + long.into_iter().collect::<HashSet<_>>().len())
}

fn names_id(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let mut words = "id ids uuid guid key code no nr number rowid".split(' ');
    let is_word = words.any(|word| word == lower);
    let ends = ["_id", " id", "-id", ".id", "_no", "_key", "_uuid"]
        .iter()
        .any(|end| lower.ends_with(end));
    // PassengerId and CustomerID, but not paid or valid.
    is_word
        || ends
        || names_index(name)
        || name.len() > 2 && (name.ends_with("Id") || name.ends_with("ID"))
}

fn names_index(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let mut names = "index idx row rownames row_number rownum x1 #".split(' ');
    lower.starts_with("unnamed:") || names.any(|name| name == lower)
}

/// Words and truth values are classes, and so are few whole numbers.
fn target_kind(target: &Facts<'_>) -> TargetKind {
    let present = target.rows - target.missing;
    let is_few = target.is_whole
        && target.distinct <= 20
        && (target.distinct <= 2 || 10 * target.distinct <= present);
    if target.kind != ColumnKind::Numeric || is_few {
        TargetKind::Class
    } else {
        TargetKind::Number
    }
}

impl Guess {
    fn column(
        &mut self,
        fact: &Facts<'_>,
        target: &Facts<'_>,
        goal: Option<&Goal>,
    ) -> GuessedColumn {
        let (kind, reason) = self.judge(fact, target, goal);
        GuessedColumn {
            name: fact.name.clone(),
            kind,
            reason,
        }
    }

    fn judge(
        &mut self,
        fact: &Facts<'_>,
        target: &Facts<'_>,
        goal: Option<&Goal>,
    ) -> (ColumnKind, String) {
        let ignored = |reason: String| (ColumnKind::Ignore, reason);
        if fact.name == self.target {
            return (
                fact.kind,
                format!("the target, {}", self.describe_target(fact)),
            );
        }
        if fact.is_id && self.id.is_none() {
            self.id = Some(fact.name.clone());
            return ignored("names the row: a different value in each".into());
        }
        if fact.is_id || fact.is_index {
            self.ignore.push(fact.name.clone());
            return ignored("numbers the rows".into());
        }
        if let Some(reason) = &fact.useless {
            if fact.kind == ColumnKind::Categorical && fact.distinct > 1 {
                self.ignore.push(fact.name.clone());
            }
            // Nothing is split yet, so what is said of the training rows holds for all.
            let reason = reason
                .replace("left out: ", "")
                .replace("training row", "row");
            return ignored(reason.split(" (set ").next().unwrap_or_default().to_owned());
        }
        if is_leak(fact.array, target.array, self.target_kind) {
            self.ignore.push(fact.name.clone());
            self.notes.push(format!("{:?} tells the target by itself and is ignored; take it out of ignore if it is known before the target is", fact.name));
            return ignored("tells the target by itself".into());
        }
        if let Some(told) = goal.and_then(|goal| goal.told_by(&thinned(fact.array).ok()?)) {
            self.notes.push(format!(
                "{:?} {told}; add it to ignore if it is known only after the target",
                fact.name
            ));
        }
        let most = default_max_categories();
        if fact.kind == ColumnKind::Categorical && fact.distinct > most {
            self.notes.push(format!("{:?} has {} different texts, more than max_categories = {most}, so target statistics stand for them; columns.{:?}.encoding chooses another way", fact.name, fact.distinct, fact.name));
        }
        let can_name = fact.is_whole || fact.kind == ColumnKind::Categorical;
        if names_id(&fact.name) && can_name && fact.distinct > 20 {
            self.notes.push(format!("{:?} looks like an identifier that repeats: if rows with the same value belong together, set split.group to it", fact.name));
        }
        (fact.kind, describe(fact))
    }

    fn describe_target(&self, fact: &Facts<'_>) -> String {
        match self.target_kind {
            TargetKind::Class => format!("{} classes", fact.distinct),
            TargetKind::Number => "a number".into(),
            TargetKind::Set => "several labels".into(),
        }
    }

    fn note_target(&mut self, target: &Facts<'_>) {
        if target.missing > 0 {
            self.notes.push(format!(
                "the target is missing in {} of {} rows, which are left out",
                target.missing, target.rows
            ));
        }
        if self.target_kind == TargetKind::Class && target.is_whole && target.distinct > 2 {
            self.notes.push(format!("{:?} holds {} different whole numbers and is taken for classes; for a quantity use a regression task", target.name, target.distinct));
        }
    }
}

fn describe(fact: &Facts<'_>) -> String {
    let what = match fact.kind {
        ColumnKind::Numeric if fact.is_whole => {
            format!("whole numbers, {} different", fact.distinct)
        }
        ColumnKind::Numeric => "numbers".into(),
        ColumnKind::Boolean => "true or false".into(),
        ColumnKind::Date => match date_order(fact.array) {
            Some((order, _)) if fact.array.as_string_opt::<i32>().is_some() => {
                format!("dates written {}", order.words())
            }
            _ => "dates".into(),
        },
        ColumnKind::Categorical => format!("{} different texts", fact.distinct),
        ColumnKind::Ignore => "not used".into(),
    };
    match fact.missing {
        0 => what,
        missing => format!("{what}, missing in {missing} of {} rows", fact.rows),
    }
}
