//! Questions to a language model: choices are judged by their likelihood, as lm-evaluation-harness judges them (Gao et al.
//! 2021, [doi:10.5281/zenodo.5371628](https://doi.org/10.5281/zenodo.5371628)), and texts that it writes by the words that
//! they share with an answer.

mod grade;
mod prompts;
mod pupil;
mod python;
mod shots;

pub use grade::{Answer, Graded, Judged, Judgement, Marks};

use std::path::{Path, PathBuf};

use fireclay_data::{QuestionFormat, Questions};
use fireclay_train::run_folder;

use crate::generate::Limits;
use crate::predict::whole;
use crate::run::{Run, RunError};
use grade::Notes;
use pupil::Pupil;
use shots::Shots;

/// Questions, and how they are asked.
#[derive(Clone, Debug)]
pub struct Exam<'a> {
    /// The file of the questions.
    pub questions: &'a str,
    /// How it is written, and the examples too.
    pub format: QuestionFormat,
    /// Examples before each question.
    pub shots: usize,
    /// The file of the examples; there where there are some.
    pub examples: Option<&'a str>,
    /// Which examples are drawn.
    pub seed: u64,
    /// Whether the chat template of the model is applied: all is said by a user, and the answer is the assistant's.
    pub chat: bool,
    /// When a text that the model writes is at its end.
    pub limits: Limits,
}

/// Asks all questions, and tells `progress` how many of how many are answered.
///
/// # Errors
///
/// If the run writes no text or has no chat template, a file cannot be read, or a question cannot be asked.
pub fn examine(
    run: &dyn Run,
    exam: &Exam<'_>,
    mut progress: impl FnMut(usize, usize),
) -> Result<Graded, RunError> {
    let mut pupil = Pupil::new(run, exam)?;
    let questions = Questions::load(exam.questions, exam.format)?;
    let mut shots = Shots::new(exam, &questions)?;
    let all = questions.questions.len();
    let mut answers = Vec::with_capacity(all);
    for question in &questions.questions {
        let before = shots.before(question)?;
        answers.push(pupil.answer(question, &before, &questions.path)?);
        progress(answers.len(), all);
    }
    let notes = Notes {
        overlap: shots.overlaps().then_some(exam.examples).flatten(),
        ..pupil.notes(&questions)
    };
    Ok(Graded::new(exam.format, answers, notes.lines()))
}

/// Writes the answers to a file, a line of JSON each, in the order of the questions.
///
/// # Errors
///
/// If the file is one of those that were read or of the run, or cannot be written.
pub fn write_answers(
    run: &dyn Run,
    exam: &Exam<'_>,
    graded: &Graded,
    output: &Path,
) -> Result<(), RunError> {
    use std::io::Write;

    let read = [Some(exam.questions), exam.examples];
    let read: Vec<PathBuf> = read.into_iter().flatten().map(PathBuf::from).collect();
    whole(output, &read, &run.base().protected(), |file| {
        let mut file = std::io::BufWriter::new(file);
        let mut write = || {
            for answer in &graded.answers {
                writeln!(file, "{}", serde_json::json!(answer))?;
            }
            file.flush()
        };
        write().map_err(|source| run_folder::io("write", output, source).into())
    })
}
