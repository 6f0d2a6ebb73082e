//! Files of questions.

use std::mem::discriminant;

use serde_json::Value;

use super::row::Row;
use super::rows::Rows;
use super::{Asked, Question, QuestionFormat, Questions};
use crate::error::{DataError, absolute};
use crate::files::one_file;

/// The text of all questions, in bytes.
const MOST_BYTES: usize = 1 << 30;

impl Questions {
    /// Reads a file of lines of JSON, which may be packed by gzip or zstd, or one of Parquet.
    ///
    /// # Errors
    /// [`DataError::Json`] with the line of what is wrong, [`DataError::Empty`], or that the file cannot be read.
    pub fn load(path: &str, format: QuestionFormat) -> Result<Self, DataError> {
        let file = one_file(path)?;
        let mut rows = Rows::open(&file)?;
        let mut questions: Vec<Question> = Vec::new();
        let mut bytes = 0;
        while let Some((line, text)) = rows.next()? {
            bytes += text.len();
            let read = read(&text, line, format).and_then(|question| {
                fits(&question, questions.first())?;
                match bytes > MOST_BYTES {
                    true => Err(format!(
                        "is beyond {} MiB of questions: divide the file",
                        MOST_BYTES >> 20
                    )),
                    false => Ok(question),
                }
            });
            questions.push(read.map_err(|message| DataError::Json {
                path: absolute(&file),
                line,
                message,
            })?);
        }
        match questions.is_empty() {
            true => Err(DataError::empty(&file)),
            false => Ok(Self {
                path: file,
                format,
                questions,
            }),
        }
    }
}

fn read(text: &str, line: u64, format: QuestionFormat) -> Result<Question, String> {
    let value: Value = serde_json::from_str(text)
        .map_err(|error| format!("is no JSON, a question has to be a line: {error}"))?;
    let object = value.as_object();
    let row = Row(object.ok_or("is no object with the fields of a question")?);
    let made = format
        .made(&row)
        .map_err(|message| hinted(message, format, &row))?;
    check(&made.asked)?;
    Ok(Question {
        line,
        subject: made.subject,
        told: made.told,
        asked: made.asked,
    })
}

/// Names the format that a row seems to be of.
fn hinted(message: String, format: QuestionFormat, row: &Row<'_>) -> String {
    match QuestionFormat::seems(row).filter(|other| *other != format) {
        Some(other) => format!(
            "{message}; the row seems to be of --format {}",
            other.name()
        ),
        None => message,
    }
}

fn check(asked: &Asked) -> Result<(), String> {
    let Asked::Choices { choices, answer } = asked else {
        return Ok(());
    };
    let count = choices.len();
    if count < 2 {
        return Err(format!(
            "has {count} choices: a question needs two at least"
        ));
    }
    if *answer >= count {
        return Err(format!(
            "the answer is choice {answer}, counted from 0, but there are {count} choices"
        ));
    }
    let is_empty = |text: &String| text.trim().is_empty();
    match choices
        .iter()
        .position(|choice| is_empty(&choice.text) || is_empty(&choice.continuation))
    {
        Some(at) => Err(format!("choice {at}, counted from 0, is empty")),
        None => Ok(()),
    }
}

/// Refuses a question that is answered otherwise than the first one.
fn fits(question: &Question, first: Option<&Question>) -> Result<(), String> {
    let kind = |question: &Question| discriminant(&question.asked);
    match first.is_some_and(|first| kind(first) != kind(question)) {
        true => Err("is answered by a choice where others are written, or the other way round: give each a file".into()),
        false => Ok(()),
    }
}
