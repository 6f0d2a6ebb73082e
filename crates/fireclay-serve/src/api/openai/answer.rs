//! Answers in the shapes that OpenAI's clients read.

use std::collections::hash_map::RandomState;
use std::convert::Infallible;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::future::ready;
use futures_util::stream::{self, Stream, StreamExt};
use serde_json::{Value, json};

use super::choices::{Choice, Choices, News, stopped};
use super::request::Request;
use crate::error::Refusal;

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Text,
    Chat,
}

/// What all parts of an answer say.
#[derive(Clone)]
struct Head {
    shape: Shape,
    id: String,
    created: u64,
    model: String,
    seed: u64,
}

impl Head {
    fn new(request: &Request, shape: Shape) -> Self {
        let kind = match shape {
            Shape::Text => "cmpl",
            Shape::Chat => "chatcmpl",
        };
        let number = RandomState::new().hash_one(1);
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            shape,
            id: format!("{kind}-{number:016x}"),
            created: now.map_or(0, |since| since.as_secs()),
            model: request.model.clone(),
            seed: request.chosen_seed,
        }
    }

    fn object(&self, is_part: bool, choices: Vec<Value>) -> Value {
        let object = match (self.shape, is_part) {
            (Shape::Text, _) => "text_completion",
            (Shape::Chat, false) => "chat.completion",
            (Shape::Chat, true) => "chat.completion.chunk",
        };
        json!({
            "id": self.id,
            "object": object,
            "created": self.created,
            "model": self.model,
            "seed": self.seed,
            "choices": choices,
        })
    }

    /// A part of a stream.
    fn part(&self, index: usize, text: Option<&str>, reason: Option<&str>) -> Value {
        let choice = match (self.shape, text) {
            (Shape::Text, text) => json!({
                "index": index, "text": text.unwrap_or_default(), "logprobs": null, "finish_reason": reason,
            }),
            (Shape::Chat, Some(text)) => json!({
                "index": index, "delta": { "content": text }, "logprobs": null, "finish_reason": reason,
            }),
            (Shape::Chat, None) => json!({
                "index": index, "delta": {}, "logprobs": null, "finish_reason": reason,
            }),
        };
        self.object(true, vec![choice])
    }

    /// What a stream of a conversation begins with.
    fn opening(&self, index: usize) -> Value {
        let delta = json!({ "role": "assistant", "content": "" });
        let choice =
            json!({ "index": index, "delta": delta, "logprobs": null, "finish_reason": null });
        self.object(true, vec![choice])
    }
}

fn usage(prompt: usize, written: usize) -> Value {
    json!({
        "prompt_tokens": prompt,
        "completion_tokens": written,
        "total_tokens": prompt + written,
    })
}

/// The texts when all are at their end.
pub async fn whole(choices: Choices, request: &Request, shape: Shape) -> Result<Response, Refusal> {
    let head = Head::new(request, shape);
    let (mut written, mut told) = (0, Vec::new());
    for (index, choice) in choices.texts.into_iter().enumerate() {
        let (text, reason, tokens) = text_of(choice).await?;
        written += tokens;
        told.push(match shape {
            Shape::Text => json!({
                "index": index, "text": text, "logprobs": null, "finish_reason": reason,
            }),
            Shape::Chat => json!({
                "index": index,
                "message": { "role": "assistant", "content": text, "refusal": null },
                "logprobs": null,
                "finish_reason": reason,
            }),
        });
    }
    let mut answer = head.object(false, told);
    answer["usage"] = usage(choices.prompt_tokens, written);
    if !choices.notes.is_empty() {
        answer["notes"] = json!(choices.notes);
    }
    Ok(Json(answer).into_response())
}

async fn text_of(mut choice: Choice) -> Result<(String, &'static str, usize), Refusal> {
    let mut text = String::new();
    loop {
        match choice.news().await.unwrap_or_else(stopped)? {
            News::Piece(piece) => text.push_str(&piece),
            News::Ended { reason, tokens } => return Ok((text, reason, tokens)),
        }
    }
}

/// The texts as they are written, by server-sent events.
pub fn stream(choices: Choices, request: &Request, shape: Shape) -> Response {
    let head = Head::new(request, shape);
    let wants_usage = request.wants_usage();
    let prompt = choices.prompt_tokens;
    let openings: Vec<Value> = match shape {
        Shape::Text => Vec::new(),
        Shape::Chat => (0..choices.len())
            .map(|index| head.opening(index))
            .collect(),
    };
    let texts = choices.texts.into_iter().enumerate();
    let texts = texts.map(|(index, choice)| Box::pin(parts(head.clone(), index, choice)));
    let parts = stream::select_all(texts);
    let parts = stream::iter(openings.into_iter().map(|opening| (opening, 0))).chain(parts);
    let written = Arc::new(AtomicUsize::new(0));
    let count = written.clone();
    let parts = parts.map(move |(part, tokens)| {
        count.fetch_add(tokens, Ordering::Relaxed);
        part.to_string()
    });
    // Made when all before it has gone.
    let last = stream::once(async move {
        let mut last = head.object(true, Vec::new());
        last["usage"] = usage(prompt, written.load(Ordering::Relaxed));
        wants_usage.then(|| last.to_string())
    });
    let done = stream::iter(["[DONE]".to_owned()]);
    let events = parts.chain(last.filter_map(ready)).chain(done);
    let events = events.map(|text| Ok::<_, Infallible>(Event::default().data(text)));
    Sse::new(events).into_response()
}

/// The parts of one text, each with the tokens that it settles.
fn parts(head: Head, index: usize, choice: Choice) -> impl Stream<Item = (Value, usize)> {
    stream::unfold(Some(choice), move |choice| {
        let head = head.clone();
        async move {
            let mut choice = choice?;
            match choice.news().await.unwrap_or_else(stopped) {
                Ok(News::Piece(text)) => {
                    Some(((head.part(index, Some(&text), None), 0), Some(choice)))
                }
                Ok(News::Ended { reason, tokens }) => {
                    Some(((head.part(index, None, Some(reason)), tokens), None))
                }
                Err(refusal) => {
                    let error =
                        json!({ "error": { "message": refusal.message, "type": "server_error" } });
                    Some(((error, 0), None))
                }
            }
        }
    })
}
