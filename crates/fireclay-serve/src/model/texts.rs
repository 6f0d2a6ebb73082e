//! Texts of a language model, several at a time: each in turn gets a token.
//!
//! The texts do not share a pass of the model, so a text is the same whoever else is served, and several of them take
//! as long as one after the other; but none waits for the whole of another.

use std::sync::mpsc::TryRecvError;
use std::time::Instant;

use fireclay_run::InputKind;
use fireclay_run::generate::{Ended, Writing};

use super::job::{Event, Job, Text};
use super::rows::guarded;
use super::worker::Work;
use crate::error::Refusal;

/// A text that is being written, and who reads it.
struct Active<'a> {
    writing: Writing<'a>,
    text: Text,
    tokens: usize,
}

/// Writes until nobody can ask any more.
pub fn work(work: &Work<'_>) {
    let mut active: Vec<Active<'_>> = Vec::new();
    loop {
        while active.len() < work.limits.streams.max(1) {
            let job = match active.is_empty() {
                true => match work.queue.recv() {
                    Ok(job) => job,
                    Err(_) => return,
                },
                false => match work.queue.try_recv() {
                    Ok(job) => job,
                    Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
                },
            };
            work.metrics.waiting.dec();
            if let Job::Text(text) = job {
                active.extend(begin(text, work));
            }
        }
        work.metrics.batch.observe(active.len() as f64);
        let start = Instant::now();
        active.retain_mut(|active| advance(active, work));
        work.metrics
            .computing
            .observe(start.elapsed().as_secs_f64());
    }
}

/// Begins a text, if somebody still waits for it.
fn begin<'a>(text: Text, work: &Work<'a>) -> Option<Active<'a>> {
    if text.reply.is_closed() {
        work.metrics.left.inc();
        return None;
    }
    let begun = match text.until <= Instant::now() {
        true => Err(Refusal::late()),
        false => started(&text, work),
    };
    match begun {
        Ok((writing, event)) => {
            // Who has left is found at the first token.
            let _ = text.reply.send(Ok(event));
            let tokens = 0;
            Some(Active {
                writing,
                text,
                tokens,
            })
        }
        Err(refusal) => {
            let _ = text.reply.send(Err(refusal.without(&work.facts.hidden)));
            None
        }
    }
}

fn started<'a>(text: &Text, work: &Work<'a>) -> Result<(Writing<'a>, Event), Refusal> {
    let (writer, prompt) = guarded(|| {
        let writer = work.run.writer()?;
        let prompt = writer.prompt(&text.prompt)?;
        Ok((writer, prompt))
    })?;
    let context = context(work);
    let count = prompt.tokens.len();
    let usual = context
        .saturating_sub(count)
        .clamp(1, work.limits.tokens.max(1));
    work.metrics.prompt_tokens.inc_by(count as u64);
    let event = Event::Begun {
        prompt: count,
        notes: prompt.notes,
    };
    let (sampling, limits) = (text.sampling.clone(), text.limits(usual));
    let writing = guarded(|| Ok(writer.begin(prompt.tokens, sampling, limits)?))?;
    Ok((writing, event))
}

/// The tokens that the model reads.
fn context(work: &Work<'_>) -> usize {
    let mut columns = work.facts.schema.columns.iter();
    let most = columns.find_map(|column| match column.kind {
        InputKind::Text { most } => Some(most),
        _ => None,
    });
    most.unwrap_or(usize::MAX)
}

/// Writes a token; false at the end of the text, or where nobody reads it any more.
fn advance(active: &mut Active<'_>, work: &Work<'_>) -> bool {
    if active.text.reply.is_closed() {
        work.metrics.left.inc();
        return false;
    }
    let step = match guarded(|| Ok(active.writing.step()?)) {
        Ok(step) => step,
        Err(refusal) => {
            // Who has left needs no reason.
            let _ = active
                .text
                .reply
                .send(Err(refusal.without(&work.facts.hidden)));
            return false;
        }
    };
    if !matches!(step.ended, Some(Ended::Length)) {
        active.tokens += 1;
        work.metrics.tokens.inc();
    }
    let tokens = active.tokens;
    let piece = (!step.text.is_empty()).then_some(Event::Piece(step.text));
    let ended = step.ended.map(|ended| Event::Ended { ended, tokens });
    let is_over = ended.is_some();
    for event in piece.into_iter().chain(ended) {
        // The next token finds who has left.
        let _ = active.text.reply.send(Ok(event));
    }
    !is_over
}
