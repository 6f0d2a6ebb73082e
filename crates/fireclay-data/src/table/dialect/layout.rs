//! Where in a text the table is, given the characters that have a meaning.

use std::collections::{HashMap, HashSet};

use super::ExtraField;
use super::header::{Verdict, judge, number};
use super::marks::{Marks, cells, reader};

/// Records that are looked at.
const RECORDS: usize = 1000;

/// A record and the line on which it starts, from 1.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub line: u64,
    pub fields: Vec<String>,
}

/// A reading of a text as a table.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub marks: Marks,
    /// Fields in a row.
    pub width: usize,
    /// Records before the table, such as a title.
    pub before: usize,
    /// The line on which the table starts, from 1.
    pub line: u64,
    /// Records that do not have as many fields as the others, of all in the table.
    pub odd: usize,
    pub extra: Option<ExtraField>,
    /// What the first record of the table is.
    pub first: Verdict,
    /// The fields of that record.
    pub names: Vec<String>,
    /// Whether the record below it could be the names as well.
    pub has_two_headers: bool,
}

impl Layout {
    /// The table in a text; none where the records are too unequal to be one.
    pub fn find(text: &str, marks: Marks) -> Option<Self> {
        let records = records(text, marks);
        let width = usual_width(&records).filter(|width| *width >= 2)?;
        let is_usual = |record: &Record| record.fields.len() == width;
        let start = records.iter().position(is_usual)?;
        let titled = is_title(&records[start..]) && records[..start].iter().all(is_one);
        let start = start + usize::from(titled);
        let (above, body) = records.split_at(start);
        let odd = body.iter().filter(|record| !is_usual(record)).count();
        let verdict = judge(body);
        let short = above.last().filter(|last| !is_one(last) && !titled);
        let layout = |before: usize, extra, first| Self {
            has_two_headers: first == Verdict::Header && has_two_headers(&records[before..]),
            marks,
            width,
            before,
            line: records[before].line,
            odd,
            extra,
            first,
            names: records[before].fields.clone(),
        };
        match short {
            _ if 10 * odd > body.len() => None,
            None => Some(layout(start, None, verdict)),
            Some(_) if verdict == Verdict::Header => Some(layout(start, None, verdict)),
            Some(last) if last.fields.len() + 1 == width && odd == 0 => {
                Some(layout(start - 1, Some(extra(body)), Verdict::Header))
            }
            // A header that does not fit its rows is no title: reading will say so.
            Some(_) => None,
        }
    }

    /// Whether nothing stands before the table and all records have the same number of fields.
    pub fn is_clean(&self) -> bool {
        self.before == 0 && self.odd == 0
    }
}

fn records(text: &str, marks: Marks) -> Vec<Record> {
    let mut reader = reader(text.as_bytes(), marks);
    let records = reader.byte_records().take(RECORDS).flatten();
    let record = |record: csv::ByteRecord| Record {
        line: record.position().map_or(1, |position| position.line()),
        fields: cells(&record)
            .map(|cell| String::from_utf8_lossy(cell).into_owned())
            .collect(),
    };
    records.map(record).collect()
}

/// The number of fields that most records have; of two such numbers the larger.
fn usual_width(records: &[Record]) -> Option<usize> {
    let mut counts = HashMap::new();
    for record in records {
        *counts.entry(record.fields.len()).or_insert(0_usize) += 1;
    }
    let most = counts
        .into_iter()
        .max_by_key(|(width, count)| (*count, *width));
    most.map(|(width, _)| width)
}

fn is_one(record: &Record) -> bool {
    record.fields.len() == 1
}

/// Whether the first record is a title that has as many fields as the table below it by chance: it is no row of
/// names, and the next one is.
fn is_title(body: &[Record]) -> bool {
    let [first, second, _, _, ..] = body else {
        return false;
    };
    !are_names(first) && are_names(second) && judge(&body[1..]) == Verdict::Header
}

/// Whether the first two records both name columns.
fn has_two_headers(body: &[Record]) -> bool {
    let [first, second, _, _, ..] = body else {
        return false;
    };
    are_names(first) && are_names(second) && judge(&body[1..]) == Verdict::Header
}

/// Whether the fields can be names of columns: different short texts that are no numbers, in no comment.
fn are_names(record: &Record) -> bool {
    const WORDS: usize = 4;
    let mut seen = HashSet::new();
    let is_name = |field: &String| {
        !field.is_empty() && number(field).is_none() && field.split_whitespace().count() <= WORDS
    };
    let is_comment = record.fields[0].starts_with(['#', '%']) || record.fields[0].starts_with("//");
    !is_comment
        && record
            .fields
            .iter()
            .all(|field| is_name(field) && seen.insert(field))
}

fn extra(body: &[Record]) -> ExtraField {
    let ends_empty = |record: &Record| record.fields.last().is_some_and(String::is_empty);
    match body.iter().all(ends_empty) {
        true => ExtraField::Last,
        false => ExtraField::First,
    }
}
