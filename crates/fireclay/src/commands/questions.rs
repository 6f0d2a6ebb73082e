//! `evaluate --questions`: what a language model answers to questions.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use fireclay_data::QuestionFormat;
use fireclay_run::Run;
use fireclay_run::generate::Limits;
use fireclay_run::questions::{Exam, Graded, Marks, examine, write_answers};
use serde_json::{Map, Value, json};

use super::paths;
use crate::failure::Failure;
use crate::screen::Screen;
use crate::text::{number, prose, say, tell};

/// Questions for a language model.
#[derive(Clone, Debug, clap::Args)]
pub struct QuestionArgs {
    /// Ask a language model the questions of a file, a JSON object on each line or a row of Parquet: `question` or `context` with `choices`
    /// and `answer` (an index from 0, or a letter), judged by likelihood as lm-evaluation-harness does it; or `prompt`
    /// with `answers`, judged by exact match and F1 of what the model writes
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["split", "data", "target_data", "context", "stride"],
        value_parser = paths::place()
    )]
    pub questions: Option<String>,
    /// The questions, and the examples, are rows of a published set: arc, boolq, hellaswag, lambada, mmlu, openbookqa, piqa
    /// or winogrande [default: plain]
    #[arg(long, value_name = "NAME", requires = "questions", value_parser = format)]
    pub format: Option<QuestionFormat>,
    /// Put K examples with their answers before each question
    #[arg(long, value_name = "K", requires = "examples")]
    pub shots: Option<usize>,
    /// The file that examples are drawn from, written as the questions; of mmlu the first ones about the same subject
    #[arg(long, value_name = "FILE", requires_all = ["questions", "shots"], value_parser = paths::place())]
    pub examples: Option<String>,
    /// Draw examples by this seed, as lm-evaluation-harness draws them [default: 1234]
    #[arg(long, value_name = "N", requires = "examples")]
    pub seed: Option<u64>,
    /// Apply the chat template of the model: a user asks, with the examples, and the assistant answers
    #[arg(long, requires = "questions")]
    pub chat: bool,
    /// Of answers that the model writes: write at most N tokens [default: 64]
    #[arg(long, value_name = "N", requires = "questions")]
    pub max_tokens: Option<usize>,
    /// Of answers that the model writes: stop before this text; may be given several times [default: the end of a line;
    /// with --chat nothing but the token that ends a text]
    #[arg(long, value_name = "TEXT", requires = "questions")]
    pub stop: Vec<String>,
    /// Write what was answered to each question to a file, a JSON object on each line
    #[arg(short, long, value_name = "FILE", requires = "questions", value_parser = paths::path())]
    pub output: Option<PathBuf>,
}

/// The format of this name.
fn format(name: &str) -> Result<QuestionFormat, String> {
    let names = QuestionFormat::ALL.map(QuestionFormat::name).join(", ");
    QuestionFormat::from_name(name).ok_or_else(|| format!("known are {names}"))
}

/// Which examples lm-evaluation-harness draws.
const SEED: u64 = 1234;

/// Tokens of an answer that the model writes.
const MAX_TOKENS: usize = 64;

/// After so long it is said how many questions are answered.
const SILENCE: Duration = Duration::from_secs(9);

impl QuestionArgs {
    fn exam<'a>(&'a self, questions: &'a str) -> Result<Exam<'a>, Failure> {
        if self.shots == Some(0) {
            let message =
                "--shots must be 1 or more; without --shots and --examples there are none";
            return Err(Failure::Usage(message.into()));
        }
        if self.max_tokens == Some(0) || self.stop.iter().any(String::is_empty) {
            let message = "--max-tokens must be 1 or more, and --stop not be empty";
            return Err(Failure::Usage(message.into()));
        }
        let stop = match self.stop.is_empty() && !self.chat {
            true => vec!["\n".to_owned()],
            false => self.stop.clone(),
        };
        Ok(Exam {
            questions,
            format: self.format.unwrap_or(QuestionFormat::Plain),
            shots: self.shots.unwrap_or(0),
            examples: self.examples.as_deref(),
            seed: self.seed.unwrap_or(SEED),
            chat: self.chat,
            limits: Limits {
                max_tokens: self.max_tokens.unwrap_or(MAX_TOKENS),
                stop,
            },
        })
    }

    /// Asks the questions of a file, and shows how many answers are right.
    pub fn ask(&self, questions: &str, run: &dyn Run, as_json: bool) -> Result<(), Failure> {
        let exam = self.exam(questions)?;
        let mut said = Instant::now();
        let graded = examine(run, &exam, |done, all| {
            if said.elapsed() > SILENCE && done < all {
                tell!("{done} of {all} questions");
                said = Instant::now();
            }
        })?;
        let notes = graded.notes.iter();
        notes.for_each(|note| tell!("note: {note}"));
        if let Some(output) = &self.output {
            write_answers(run, &exam, &graded, output)?;
        }
        match as_json {
            true => say!("{:#}", json!({ questions: described(&exam, &graded) })),
            false => show(&exam, &graded),
        }
        Ok(())
    }
}

fn described(exam: &Exam<'_>, graded: &Graded) -> Value {
    let mut json = marks(&graded.all);
    json.insert("format".into(), exam.format.name().into());
    json.insert("chat".into(), exam.chat.into());
    json.insert("shots".into(), exam.shots.into());
    if exam.shots > 0 && !exam.format.has_fixed_examples() {
        json.insert("seed".into(), exam.seed.into());
    }
    let subjects = graded.subjects.iter();
    let subjects: Map<String, Value> = subjects
        .map(|(name, own)| (name.clone(), marks(own).into()))
        .collect();
    if !subjects.is_empty() {
        json.insert("subjects".into(), subjects.into());
    }
    json.into()
}

fn marks(marks: &Marks) -> Map<String, Value> {
    let (mut metrics, mut errors) = (Map::new(), Map::new());
    for (name, estimate) in &marks.metrics {
        metrics.insert((*name).into(), estimate.value.into());
        errors.insert((*name).into(), estimate.error.into());
    }
    let mut json = Map::new();
    json.insert("n".into(), marks.n.into());
    json.insert("metrics".into(), metrics.into());
    json.insert("stderr".into(), errors.into());
    json
}

fn show(exam: &Exam<'_>, graded: &Graded) {
    let examples = match exam.shots {
        0 => String::new(),
        shots => format!(" after {shots} examples each"),
    };
    say!("{}: {} questions{examples}\n", exam.questions, graded.all.n);
    let header = ["metric", "value", "standard error"].map(String::from);
    let row = |(name, estimate): &(&str, fireclay_metrics::Estimate)| {
        let error = estimate.error.map_or_else(String::new, number);
        vec![(*name).to_owned(), number(estimate.value), error]
    };
    let rows = graded.all.metrics.iter().map(row);
    let rows: Vec<_> = std::iter::once(header.to_vec()).chain(rows).collect();
    say!("{}", Screen::out().table(&rows).trim_end());
    if !graded.subjects.is_empty() {
        say!("\nby subject\n\n{}", by_subject(graded).trim_end());
    }
    if exam.format.has_lengths()
        && graded
            .all
            .metrics
            .iter()
            .any(|(name, _)| *name == "acc_norm")
    {
        prose!(
            2,
            "\nacc_norm divides the log-likelihood of a choice by its characters, acc_bytes by its bytes"
        );
    }
}

fn by_subject(graded: &Graded) -> String {
    let names = graded
        .all
        .metrics
        .iter()
        .map(|(name, _)| (*name).to_owned());
    let header: Vec<String> = ["".to_owned(), "n".to_owned()]
        .into_iter()
        .chain(names)
        .collect();
    let row = |(name, own): (&String, &Marks)| {
        let values = own
            .metrics
            .iter()
            .map(|(_, estimate)| number(estimate.value));
        [name.clone(), own.n.to_string()]
            .into_iter()
            .chain(values)
            .collect()
    };
    let rows = graded.subjects.iter().map(row);
    let rows: Vec<Vec<String>> = std::iter::once(header).chain(rows).collect();
    Screen::out().table(&rows)
}
