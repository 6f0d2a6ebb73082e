//! What a run is asked.

use std::sync::Arc;
use std::time::Instant;

use fireclay_data::arrow::array::RecordBatch;
use fireclay_run::generate::{Ended, Limits, Prompt, Sampling};
use tokio::sync::{mpsc, oneshot};

use crate::body::Taken;
use crate::error::Refusal;

/// Something to do for the thread that holds a run.
#[derive(Debug)]
pub enum Job {
    Rows(Rows),
    Text(Text),
}

/// Rows to answer for.
#[derive(Debug)]
pub struct Rows {
    pub rows: RecordBatch,
    pub style: Style,
    /// The room of what the rows were read from is taken until they are answered.
    pub _taken: Taken,
    pub until: Instant,
    pub reply: oneshot::Sender<Result<Answer, Refusal>>,
}

/// How answers are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// With the probability of each class.
    ByClass,
    /// With so many most probable classes, best first, as `predict` answers for images.
    Best(usize),
}

/// Answers for the rows of one request.
#[derive(Debug)]
pub struct Answer {
    /// Columns as `predict` writes them, without the name of the row.
    pub columns: RecordBatch,
    /// What is to be said of the rows.
    pub notes: Vec<String>,
}

/// A text to write.
#[derive(Debug)]
pub struct Text {
    /// What the model is given to go on from, which texts of one prompt share.
    pub prompt: Arc<Prompt>,
    pub sampling: Sampling,
    /// How long; none for as long as the context is.
    pub most: Option<usize>,
    pub stop: Vec<String>,
    /// When it must have begun.
    pub until: Instant,
    /// Unbounded, so that no slow client holds up the others; a text has an end.
    pub reply: mpsc::UnboundedSender<Result<Event, Refusal>>,
}

impl Text {
    pub fn limits(&self, usual: usize) -> Limits {
        Limits {
            max_tokens: self.most.unwrap_or(usual),
            stop: self.stop.clone(),
        }
    }
}

/// What becomes of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It begins, after a prompt of so many tokens.
    Begun { prompt: usize, notes: Vec<String> },
    /// It goes on.
    Piece(String),
    /// It is at its end, after so many tokens.
    Ended { ended: Ended, tokens: usize },
}
