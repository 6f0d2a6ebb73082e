//! The texts of one request, as they are written.

use std::sync::Arc;
use std::time::Instant;

use fireclay_run::generate::{Ended, Prompt};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout_at;

use super::request::Request;
use crate::error::Refusal;
use crate::model::{Event, Job, Model, Text};

/// Texts that have begun.
pub struct Choices {
    pub texts: Vec<Choice>,
    /// Tokens of all prompts, each counted once.
    pub prompt_tokens: usize,
    /// What is to be said of the prompts.
    pub notes: Vec<String>,
}

/// A text that has begun. Dropped, it is not written on.
pub struct Choice(UnboundedReceiver<Result<Event, Refusal>>);

/// What is new of a text.
pub enum News {
    Piece(String),
    Ended { reason: &'static str, tokens: usize },
}

impl Choices {
    /// Asks for the texts, and waits until all have begun: until then something can be refused.
    pub async fn ask(
        model: &Model,
        request: &Request,
        prompts: Vec<Arc<Prompt>>,
        until: Instant,
    ) -> Result<Self, Refusal> {
        let each = request.choices();
        let mut choices = Self {
            texts: Vec::new(),
            prompt_tokens: 0,
            notes: Vec::new(),
        };
        let asked = asked(model, request, prompts, until)?;
        for (number, mut choice) in asked.into_iter().enumerate() {
            let begun = timeout_at(until.into(), choice.0.recv()).await;
            let begun = begun.map_err(|_| Refusal::late())?;
            if let Event::Begun { prompt, notes } = begun.unwrap_or_else(stopped)?
                && number % each == 0
            {
                choices.prompt_tokens += prompt;
                choices.notes.extend(notes);
            }
            choices.texts.push(choice);
        }
        Ok(choices)
    }

    pub fn len(&self) -> usize {
        self.texts.len()
    }
}

/// Puts a question for each text into the queue of the model.
fn asked(
    model: &Model,
    request: &Request,
    prompts: Vec<Arc<Prompt>>,
    until: Instant,
) -> Result<Vec<Choice>, Refusal> {
    let texts = prompts
        .into_iter()
        .flat_map(|prompt| vec![prompt; request.choices()]);
    let ask = |(number, prompt)| {
        let (reply, events) = unbounded_channel();
        model.ask(Job::Text(Text {
            prompt,
            sampling: request.sampling(number),
            most: request.most,
            stop: request.stops(),
            until,
            reply,
        }))?;
        Ok(Choice(events))
    };
    texts.enumerate().map(ask).collect()
}

impl Choice {
    /// What is new, when it is; none after the end.
    pub async fn news(&mut self) -> Option<Result<News, Refusal>> {
        loop {
            return Some(match self.0.recv().await? {
                Ok(Event::Begun { .. }) => continue,
                Ok(Event::Piece(text)) => Ok(News::Piece(text)),
                Ok(Event::Ended { ended, tokens }) => Ok(News::Ended {
                    reason: match ended {
                        Ended::Length => "length",
                        Ended::EndOfText | Ended::Stop => "stop",
                    },
                    tokens,
                }),
                Err(refusal) => Err(refusal),
            });
        }
    }
}

pub fn stopped<T>() -> Result<T, Refusal> {
    Err(Refusal::internal("the model has stopped; load it again"))
}
