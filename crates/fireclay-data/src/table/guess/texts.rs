//! What a file of texts seems to hold: running text, texts with something to say of each, or pairs.

use std::path::Path;

use serde::Serialize;

use super::facts::{Facts, facts, target_kind};
use super::pairs::pair;
use super::sniff::{beginning, dialect, format};
use super::target::find_target;
use crate::column::{text, words};
use crate::error::DataError;
use crate::labels::TargetKind;
use crate::table::dialect::{Dialect, Sniffed};
use crate::table::{ColumnKind, ReadOptions, Table, TableFormat, Vocabulary};

/// What a file of texts seems to hold.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum TextGuess {
    /// Running text, to learn a language from; in JSON Lines, a field of it.
    Running {
        /// The field.
        field: Option<String>,
    },
    /// A table with a text and something to say of it in each row, and nothing else to learn from.
    Labelled(Box<LabelledGuess>),
    /// A table with two texts in each row, of which one follows from the other.
    Pairs {
        /// The column of the texts that are given.
        source: String,
        /// The column of the texts to write.
        target: String,
    },
}

/// A table of texts with something to say of each.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LabelledGuess {
    /// The column of the texts.
    pub text: String,
    /// The column to predict.
    pub target: String,
    /// What it holds.
    pub target_kind: TargetKind,
    /// Its classes in the order in which a model numbers them, where it holds classes.
    pub classes: Vec<String>,
    /// The column that names the row.
    pub id: Option<String>,
    /// Rows without a target.
    pub missing_target: usize,
    /// How the text of the file is written, where it is not the usual way.
    pub dialect: Dialect,
    /// What was decided and might be wrong, in sentences.
    pub notes: Vec<String>,
}

/// Extensions of running text.
const PLAIN: &str = "txt text md markdown rst log tex html htm";
/// Names of columns that hold texts even if they are short.
const NAMES: &str = "\
    text texts sentence sentences review reviews comment message tweet title headline body content \
    description question query utterance document abstract post article prompt email sms";
/// Cells of a column that are looked at.
const LOOK: usize = 1000;

/// What a file (or glob) of texts seems to hold; `None` if it is no file of texts. A known target is a column
/// of a table.
///
/// # Errors
/// What is wrong with the file.
pub fn guess_texts(path: &str, target: Option<&str>) -> Result<Option<TextGuess>, DataError> {
    let first = crate::files::expand(path)?.remove(0);
    if target.is_none() && is_running(&first)? {
        return Ok(Some(TextGuess::Running { field: None }));
    }
    let format = format(&first)?;
    let mut options = ReadOptions::new(format);
    let sniffed = dialect(&first, format)?;
    options.dialect = sniffed.dialect.clone();
    let table = Table::read(path, &options)?;
    of_table(&table, (format, sniffed), target)
}

/// Whether a file is no table but running text: no delimiter cuts its lines into cells.
fn is_running(path: &Path) -> Result<bool, DataError> {
    let plain = PLAIN.split(' ').any(|known| has_extension(path, known));
    if !plain && TableFormat::from_path(path).is_some() || is_packed_table(path) {
        return Ok(false);
    }
    let format = format(path)?;
    if !format.reads("delimiter") {
        return Ok(false);
    }
    let head = beginning(path, 1 << 18)?;
    let Some(delimiter) = dialect(path, format)?.delimiter else {
        return Ok(is_text(&head));
    };
    Ok(is_text(&head) && !has_header(&head, delimiter))
}

/// `table.csv.gz`, which says itself that it is a table.
fn is_packed_table(path: &Path) -> bool {
    path.file_stem()
        .is_some_and(|inner| TableFormat::from_path(Path::new(inner)).is_some())
}

fn has_extension(path: &Path, wanted: &str) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| extension.eq_ignore_ascii_case(wanted))
}

/// Whether the beginning of a file is UTF-8 without control characters of binary files.
fn is_text(head: &[u8]) -> bool {
    let valid = match std::str::from_utf8(head) {
        Ok(_) => true,
        // A letter may be cut off at the end.
        Err(error) => error.error_len().is_none(),
    };
    valid && !head.contains(&0)
}

/// Whether the first line is made of short words, as names of columns are, and two more lines follow.
fn has_header(head: &[u8], delimiter: u8) -> bool {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.lines();
    let Some(first) = lines.next() else {
        return false;
    };
    let cells: Vec<&str> = first.split(char::from(delimiter)).map(str::trim).collect();
    let is_name = |cell: &&str| !cell.is_empty() && cell.split_whitespace().count() <= 3;
    cells.iter().all(is_name) && lines.filter(|line| !line.trim().is_empty()).count() >= 2
}

fn of_table(
    table: &Table,
    (format, sniffed): (TableFormat, Sniffed),
    target: Option<&str>,
) -> Result<Option<TextGuess>, DataError> {
    let facts = facts(table)?;
    let texts: Vec<&Facts<'_>> = facts.iter().filter(|fact| is_text_column(fact)).collect();
    // A table of pairs is read in the usual way of its name.
    let is_usual = sniffed.dialect == Dialect::default();
    if let (None, true, Some([source, target])) = (target, is_usual, pair(&facts, &texts)) {
        return Ok(Some(TextGuess::Pairs {
            source: source.name.clone(),
            target: target.name.clone(),
        }));
    }
    let wanted = match target {
        Some(name) => facts.iter().find(|fact| fact.name == name),
        None => find_target(&facts).ok().map(|(fact, _)| fact),
    };
    let Some(wanted) = wanted.filter(|wanted| !is_in(&texts, wanted)) else {
        let [only] = texts.as_slice() else {
            return Ok(None);
        };
        let is_running = format.format().is_running && target.is_none();
        let field = Some(only.name.clone());
        return Ok(is_running.then_some(TextGuess::Running { field }));
    };
    let is_other = |fact: &Facts<'_>| {
        let is_read = fact.useless.is_none() && !fact.is_id && !fact.is_index;
        fact.name != wanted.name && !is_in(&texts, fact) && is_read
    };
    let text = texts.iter().max_by_key(|fact| letters(fact));
    let alone = text.filter(|_| !facts.iter().any(is_other));
    let found = alone.map(|text| labelled((&facts, &texts), (text, wanted), sniffed));
    Ok(found
        .transpose()?
        .map(|found| TextGuess::Labelled(found.into())))
}

fn labelled(
    (facts, texts): (&[Facts<'_>], &[&Facts<'_>]),
    (text, target): (&Facts<'_>, &Facts<'_>),
    sniffed: Sniffed,
) -> Result<LabelledGuess, DataError> {
    let mut notes = sniffed.notes;
    for other in texts.iter().filter(|other| other.name != text.name) {
        notes.push(format!(
            "{:?} holds texts too and is not read: a model reads one column of texts",
            other.name
        ));
    }
    if target.missing > 0 {
        notes.push(format!(
            "the target is missing in {} of {} rows, which are left out",
            target.missing, target.rows
        ));
    }
    let kind = target_kind(target);
    Ok(LabelledGuess {
        text: text.name.clone(),
        target: target.name.clone(),
        target_kind: kind,
        classes: match kind {
            TargetKind::Number => Vec::new(),
            TargetKind::Class | TargetKind::Set => classes(target)?,
        },
        id: facts
            .iter()
            .find(|fact| fact.is_id)
            .map(|fact| fact.name.clone()),
        missing_target: target.missing,
        dialect: sniffed.dialect,
        notes,
    })
}

fn classes(target: &Facts<'_>) -> Result<Vec<String>, DataError> {
    let cells = text(&target.name, target.array)?;
    let (classes, _) = Vocabulary::fit(cells.iter().flatten(), usize::MAX);
    Ok(classes.names().to_vec())
}

pub(super) fn is_in(texts: &[&Facts<'_>], fact: &Facts<'_>) -> bool {
    texts.iter().any(|text| text.name == fact.name)
}

/// Whether a column holds texts that are hardly ever the same.
pub(super) fn is_varied(fact: &Facts<'_>) -> bool {
    let present = fact.rows - fact.missing;
    words(fact.array).is_some()
        && fact.kind == ColumnKind::Categorical
        && present > 1
        && 2 * fact.distinct > present
}

/// Whether a column holds sentences.
fn is_text_column(fact: &Facts<'_>) -> bool {
    let name = fact.name.to_lowercase();
    let named = NAMES.split(' ').any(|known| name == known);
    let least = if named { 2.0 } else { 4.0 };
    is_varied(fact) && !fact.is_id && mean(fact, |cell| cell.split_whitespace().count()) >= least
}

fn letters(fact: &Facts<'_>) -> usize {
    mean(fact, |cell| cell.chars().count()) as usize
}

/// The mean of a number over the cells of a column of text.
fn mean(fact: &Facts<'_>, of: impl Fn(&str) -> usize) -> f64 {
    let Some(cells) = words(fact.array) else {
        return 0.0;
    };
    let numbers: Vec<usize> = cells.iter().flatten().take(LOOK).map(of).collect();
    numbers.iter().sum::<usize>() as f64 / numbers.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guessed(name: &str, text: &str) -> Option<TextGuess> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        guess_texts(&path.display().to_string(), None).expect("readable")
    }

    fn rows(header: &str, row: impl Fn(usize) -> String) -> String {
        let rows: Vec<String> = (0..30).map(row).collect();
        format!("{header}\n{}\n", rows.join("\n"))
    }

    #[test]
    fn texts_with_labels_are_no_features() {
        let text = rows("id,review,label", |row| {
            format!(
                "R{row},\"film {row} was a fine, long one\",{}",
                ["good", "bad"][row % 2]
            )
        });
        let Some(TextGuess::Labelled(found)) = guessed("reviews.csv", &text) else {
            panic!("{:?}", guessed("reviews.csv", &text));
        };
        assert_eq!(
            (found.text.as_str(), found.target.as_str()),
            ("review", "label")
        );
        assert_eq!(found.target_kind, TargetKind::Class);
        assert_eq!(found.classes, ["bad", "good"]);
        assert_eq!(found.id.as_deref(), Some("id"));
    }

    #[test]
    fn a_text_beside_numbers_is_a_table() {
        let text = rows("price,title,sold", |row| {
            format!("{}.5,a chair number {row} of oak,{}", row * 3, row % 2)
        });
        assert_eq!(guessed("chairs.csv", &text), None);
        let names = rows("name,age,survived", |row| {
            format!("\"Smith, Mr. John {row} Junior\",{},{}", row % 7, row % 2)
        });
        assert_eq!(guessed("titanic.csv", &names), None);
    }

    #[test]
    fn running_text_is_no_table() {
        let running = Some(TextGuess::Running { field: None });
        let poem = "one potter turns the wheel,\ntwo potters shape the clay,\n\
                    three potters light the kiln,\nfour potters wait all day.\n\n";
        assert_eq!(guessed("poem.txt", &poem.repeat(9)), running);
        assert_eq!(guessed("one.txt", "Just a line without an end"), running);
        assert_eq!(guessed("notes.md", "# Notes\n\n- a\n- b\n"), running);
        let table = rows("a\tb\tc", |row| format!("{row}\t{}\t{}", row * 2, row % 2));
        assert_eq!(guessed("table.txt", &table), None);
        let lines = (0..30).map(|row| format!("{{\"text\":\"one more line, number {row}\"}}\n"));
        let field = Some("text".to_owned());
        let found = guessed("corpus.jsonl", &lines.collect::<String>());
        assert_eq!(found, Some(TextGuess::Running { field }));
    }

    #[test]
    fn pairs_are_told_by_their_columns() {
        let row = |row: usize| format!("ein Haus mit {row} Zimmern,a house with {row} rooms");
        for header in ["source,target", "de,en", "question,answer", "a,b"] {
            let Some(TextGuess::Pairs { source, target }) = guessed("p.csv", &rows(header, row))
            else {
                panic!("{header}");
            };
            assert_eq!(format!("{source},{target}"), header);
        }
    }
}
