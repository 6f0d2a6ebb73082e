//! A finished run, ready to answer: what every verb after training asks.

mod base;
mod error;
mod locate;
mod observed;
mod schema;
mod taken;

pub use base::{Base, On, TextWindows};
pub use error::RunError;
pub use locate::locate;
pub use observed::{Observations, Observed};
pub use schema::{InputColumn, InputKind, InputSchema};
pub use taken::{Part, Parts, Taken};

use std::collections::BTreeMap;
use std::path::Path;

use fireclay_data::arrow::array::RecordBatch;
use fireclay_data::{ReadOptions, TableFormat};
use fireclay_models::Quantize;

use crate::answer::{Answers, Meaning};
use crate::chat::Chat;
use crate::generate::Writer;
use crate::predictor::Differentiable;
use crate::task::Input;
use fireclay_metrics::Report;
use serde::{Deserialize, Serialize};

/// Metrics by split: `evaluation.json`.
pub type Evaluations = BTreeMap<String, Report>;

/// A finished run of any workload. [`open`](crate::open) gives it.
pub trait Run {
    /// Its configuration, its folder, and where its model is.
    fn base(&self) -> &Base;

    /// The columns that it reads: names and kinds.
    fn schema(&self) -> InputSchema;

    /// What the outputs of its model mean, if it answers for samples with labels.
    fn meaning(&self) -> Option<&dyn Meaning> {
        None
    }

    /// The metrics over a whole split, or over other data.
    ///
    /// # Errors
    ///
    /// If the data cannot be read, has changed since the training, or is empty.
    fn evaluate(&self, on: On<'_>) -> Result<Evaluated, RunError>;

    /// How well it predicts the tokens of a text, in windows of a chosen length.
    ///
    /// # Errors
    ///
    /// If it is no model that writes, the text cannot be read, or the windows cannot be made.
    fn evaluate_text(&self, _text: &TextWindows<'_>) -> Result<Evaluated, RunError> {
        let message = "--context and --stride are for models that go on with a text";
        Err(RunError::Usage(message.into()))
    }

    /// How a conversation becomes a prompt, if it writes and its tokenizer says that.
    ///
    /// # Errors
    ///
    /// If the template cannot be understood.
    fn chat(&self) -> Result<Option<Chat>, RunError> {
        Ok(None)
    }

    /// Answers for some rows of the columns that [`schema`](Self::schema) names.
    ///
    /// # Errors
    ///
    /// If a column is missing, a cell does not fit its column, or the run answers no rows.
    fn answers(&self, rows: &RecordBatch) -> Result<Answered, RunError>;

    /// Answers for rows of cells of several requests at once. Every row has the same bits whatever other rows there are, and
    /// a mistake is that of its request alone. Also what the first `seen` of the rows that are answered are like.
    ///
    /// # Errors
    ///
    /// If the run answers for no rows of cells.
    fn answers_together(
        &self,
        _requests: &[&RecordBatch],
        _seen: usize,
    ) -> Result<(Vec<Result<Told, RunError>>, Observed), RunError> {
        let message = "requests are answered together where they are rows of cells";
        Err(RunError::Usage(message.into()))
    }

    /// As [`answers`](Self::answers) for images and texts with labels, each of which goes through the model by itself:
    /// an answer has the same bits whatever other rows there are. Also what the first `seen` of them are like.
    ///
    /// # Errors
    ///
    /// As [`answers`](Self::answers), and if the run answers for neither.
    fn answers_apart(
        &self,
        _rows: &RecordBatch,
        _seen: usize,
    ) -> Result<(Answered, Observed), RunError> {
        let message = "rows are answered apart where they are images or texts with labels";
        Err(RunError::Usage(message.into()))
    }

    /// What some training samples are like, at most so many, drawn by the seed of the run.
    ///
    /// # Errors
    ///
    /// As [`take`](Self::take).
    fn observe(&self, most: usize) -> Result<Observed, RunError> {
        Observed::of_table(self.take(On::Split(0), most)?)
    }

    /// What is to be said of these rows beside their answers: of cells that training did not have, of texts that are cut.
    ///
    /// # Errors
    ///
    /// As [`answers`](Self::answers).
    fn notes(&self, _rows: &RecordBatch) -> Result<Vec<String>, RunError> {
        Ok(Vec::new())
    }

    /// How `predict` reads tables, if it does: in this format, or in that of the training.
    fn reading(&self, _format: Option<TableFormat>) -> Option<Reading> {
        None
    }

    /// Reads a file, a folder or a pattern piece by piece, in bounded memory, and writes the answers to a
    /// file. Without a file it returns the answers, where they are few. The file appears only when it is
    /// whole.
    ///
    /// # Errors
    ///
    /// As [`answers`](Self::answers), and if a file cannot be read or written.
    fn predict(&self, job: &PredictJob<'_>) -> Result<Predicted, RunError>;

    /// As [`predict`](Self::predict) for the texts of a table, of which it writes the vectors that its encoder makes
    /// of them.
    ///
    /// # Errors
    ///
    /// As [`predict`](Self::predict), and if its model is no encoder of texts.
    fn embed(&self, _job: &PredictJob<'_>) -> Result<Predicted, RunError> {
        let run = self.base().run.display();
        Err(RunError::Usage(format!(
            "{run} is no encoder of texts, which alone makes vectors of them"
        )))
    }

    /// Answers for a whole split of its own data, with the truth beside each.
    ///
    /// # Errors
    ///
    /// As [`evaluate`](Self::evaluate), and if the model predicts tokens.
    fn answers_on(&self, _on: On<'_>) -> Result<OnSplit, RunError> {
        let run = self.base().run.display();
        Err(RunError::Usage(format!(
            "{run} predicts tokens and has no answers for the samples of a split; use evaluate"
        )))
    }

    /// The writer that continues a prompt.
    ///
    /// # Errors
    ///
    /// If the run writes no text.
    fn writer(&self) -> Result<Writer<'_>, RunError> {
        let run = self.base().run.display();
        Err(RunError::Usage(format!(
            "{run} is no model that writes; use predict or evaluate"
        )))
    }

    /// What the model is given for these rows.
    ///
    /// # Errors
    ///
    /// As [`answers`](Self::answers), and if the model predicts tokens.
    fn input(&self, _rows: &RecordBatch) -> Result<Input, RunError> {
        let message = "a model that predicts tokens is no function of numbers";
        Err(RunError::Usage(message.into()))
    }

    /// Samples of a split, or the first ones of other data: at most so many. Those of a split are drawn by the
    /// seed of the run and keep their order.
    ///
    /// # Errors
    ///
    /// As [`evaluate`](Self::evaluate) and [`input`](Self::input).
    fn take(&self, _on: On<'_>, _most: usize) -> Result<Taken, RunError> {
        let message = "a model that predicts tokens is no function of numbers";
        Err(RunError::Usage(message.into()))
    }

    /// These rows, which have no targets.
    ///
    /// # Errors
    ///
    /// As [`input`](Self::input).
    fn take_rows(&self, _rows: &RecordBatch) -> Result<Taken, RunError> {
        let message = "a model that predicts tokens is no function of numbers";
        Err(RunError::Usage(message.into()))
    }

    /// The model as a function of [`Input`], with gradients with respect to its values; none where it
    /// predicts tokens.
    fn differentiable(&self) -> Option<&dyn Differentiable> {
        None
    }

    /// Keeps the weights of a language model in few bits from now on, head and table of tokens included; what there is to
    /// know of it. It answers faster, and a little differently.
    ///
    /// # Errors
    ///
    /// If it is no language model, on a device where that would not be faster, or none of its weights can be kept so.
    fn quantize(&mut self, _quantize: Quantize) -> Result<String, RunError> {
        Err(RunError::Usage(
            "--quantize is for language models, whose weights are read for each token".into(),
        ))
    }

    /// The same run with the adapters in a folder beside its weights, which both share: those of a run, or of PEFT. Also
    /// what there is to know of them.
    ///
    /// # Errors
    ///
    /// If it is no model that writes, or the adapters do not go with it.
    fn adapted(&self, _adapters: &Path) -> Result<(Box<dyn Run>, Vec<String>), RunError> {
        let run = self.base().run.display();
        Err(RunError::Usage(format!(
            "{run} takes no --adapter: that is for a run on text, a folder of the hub or a GGUF that goes on with a text; \
             a run on pairs of answers is one once it is exported"
        )))
    }

    /// The files that hold its model, with adapters merged into the weights.
    ///
    /// # Errors
    ///
    /// If the weights cannot be read or written.
    fn merged(&self) -> Result<Vec<(&'static str, Vec<u8>)>, RunError>;

    /// How a model that was not trained here makes its inputs and what its outputs mean, in the files that a run has for
    /// this; none of a run, whose folder has them.
    fn companions(&self) -> Vec<(&'static str, Vec<u8>)> {
        Vec::new()
    }
}

/// The splits, by number.
pub const SPLITS: [&str; 3] = ["train", "valid", "test"];

/// How a run did.
#[derive(Clone, Debug)]
pub struct Evaluated {
    /// The name of the split, or the path of the data.
    pub name: String,
    /// The metrics.
    pub report: Report,
    /// What the user should know about the data.
    pub notes: Vec<String>,
}

/// Answers for some rows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Answered {
    /// The answers, row by row.
    pub answers: Answers,
    /// The number of rows whose text is longer than the model reads.
    pub cut: usize,
}

/// Answers for the rows of one request.
#[derive(Clone, Debug)]
pub struct Told {
    /// The answers, row by row.
    pub answers: Answers,
    /// What is to be said of them, as [`notes_on`](trait.Run.html#method.notes_on) does.
    pub notes: Vec<String>,
}

/// How a run reads a table of rows to answer for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// How it is stored, and how its cells are read.
    pub options: ReadOptions,
    /// The column that names a row, if the run has one.
    pub id: Option<String>,
}

/// Where predictions come from and go to.
#[derive(Clone, Copy, Debug)]
pub struct PredictJob<'a> {
    /// A file, a folder or a pattern; for tables also a pipe, and `-` for standard input.
    pub input: &'a str,
    /// The file to write, or `-` for standard output; none to be given the answers.
    pub output: Option<&'a Path>,
    /// How many of the most probable classes an answer for an image names.
    pub top: Option<usize>,
    /// How tables are stored whose names do not say it.
    pub format: Option<TableFormat>,
    /// What becomes of the others where one row, or one image, has no answer.
    pub on_error: OnError,
}

/// What to do where a row or an image cannot be answered for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnError {
    /// Name it and fail: of a table nothing is written, of images the other answers are.
    #[default]
    Stop,
    /// Leave it out, count it and name it, and answer for the others.
    Skip,
}

/// What was answered for.
#[derive(Clone, Debug)]
pub struct Predicted {
    /// How many inputs.
    pub count: u64,
    /// What an input is: rows, images, lines.
    pub unit: &'static str,
    /// What the user should know.
    pub notes: Vec<String>,
    /// What is wrong with each input that has no answer, where it was not asked to skip them: the others
    /// are answered, and yet it is an error.
    pub failed: Vec<String>,
    /// The answers, where they were not written.
    pub shown: Vec<RecordBatch>,
}

/// Answers for a split, with the truth.
#[derive(Clone, Debug)]
pub struct OnSplit {
    /// A row for each sample: `split`, what names it (`row` and `id`, or `image`), for translations `text`, then `truth`,
    /// `prediction`, the columns that [`answer_columns`](crate::answer_columns) has beside it, and
    /// `data.extra_columns`.
    pub table: RecordBatch,
    /// What a row is: rows, images, texts, pairs.
    pub unit: &'static str,
    /// What the user should know of the choice of the split.
    pub notes: Vec<String>,
}
