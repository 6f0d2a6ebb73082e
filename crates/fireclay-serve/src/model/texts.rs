//! Texts of a language model, several at a time: each pass of the model writes a token of all of them.
//!
//! A text is the same whoever else is served, and joins and leaves between any two passes. Texts with other adapters are
//! other passes, which are made in turn, so each text grows by a token in a round whatever its adapters are.

use std::sync::mpsc::Receiver;
use std::time::Instant;

use fireclay_run::generate::{Several, Step};
use fireclay_run::{InputKind, RunError};

use super::job::{Event, Job, Text};
use super::rows::guarded;
use super::worker::Work;
use crate::error::Refusal;

/// A text that is being written, and who reads it.
struct Active {
    slot: usize,
    text: Text,
    tokens: usize,
}

/// The texts of one name: with the same adapters, or with none.
struct Group<'a> {
    work: &'a Work<'a>,
    several: Several<'a>,
    active: Vec<Active>,
    /// The number of its newest text among those of all groups.
    newest: u64,
}

/// Writes until nobody can ask any more. Whoever asks rings the bell.
pub fn work(works: &[Work<'_>], bell: &Receiver<()>) {
    let groups = works.iter().map(Group::new);
    let mut groups = match groups.collect::<Result<Vec<_>, _>>() {
        Ok(groups) => groups,
        // A run that writes nothing is not served, so this is a bug.
        Err(refusal) => return refuse_all(&refusal, works, bell),
    };
    while fill(&mut groups, bell) {
        groups.iter_mut().for_each(Group::step);
    }
}

impl<'a> Group<'a> {
    fn new(work: &'a Work<'a>) -> Result<Self, Refusal> {
        let several = guarded(|| Ok(work.run.writer()?.several(work.limits.slots)))?;
        Ok(Self {
            work,
            several,
            active: Vec::new(),
            newest: 0,
        })
    }

    /// Writes a token of each of its texts, in one pass.
    fn step(&mut self) {
        let Self {
            work,
            several,
            active,
            ..
        } = self;
        active.retain(|active| is_read(active, several, work));
        if active.is_empty() {
            return;
        }
        work.metrics.batch.observe(active.len() as f64);
        let start = Instant::now();
        match guarded(|| Ok(several.step())) {
            Ok(written) => {
                for (slot, step) in written {
                    let step = step.map_err(|error| RunError::from(error).into());
                    tell(active, slot, step, work);
                }
            }
            Err(refusal) => {
                for Active { slot, text, .. } in active.drain(..) {
                    several.leave(slot);
                    let _ = text.reply.send(Err(refusal.clone()));
                }
            }
        }
        let seconds = start.elapsed().as_secs_f64();
        work.metrics.computing.observe(seconds);
    }
}

/// Tells everybody who asks why there is no answer.
fn refuse_all(refusal: &Refusal, works: &[Work<'_>], bell: &Receiver<()>) {
    while bell.recv().is_ok() {
        for work in works {
            while let Ok(job) = work.queue.try_recv() {
                work.metrics.waiting.dec();
                if let Job::Text(text) = job {
                    let refusal = refusal.clone().without(&work.facts.hidden);
                    // Who has left needs no reason.
                    let _ = text.reply.send(Err(refusal));
                }
            }
        }
    }
}

/// Begins texts while there is room for them, and waits for one where there is none to write; false when nobody can
/// ask any more.
fn fill(groups: &mut [Group<'_>], bell: &Receiver<()>) -> bool {
    let slots = groups.first().map_or(0, |group| group.work.limits.slots);
    loop {
        let active: usize = groups.iter().map(|group| group.active.len()).sum();
        if active >= slots.max(1) {
            return true;
        }
        match next(groups) {
            Some((group, Job::Text(text))) => {
                let Group { several, work, .. } = group;
                group.active.extend(begin(text, several, work));
            }
            Some(_) => {}
            None if active > 0 => return true,
            None if bell.recv().is_err() => return false,
            None => {}
        }
    }
}

/// The job that is to be begun next. Of the groups in which one waits it is that with the fewest texts, and of those
/// that of which a text was begun longest ago: so no group takes the room of another, however much it is asked.
fn next<'a, 'b>(groups: &'a mut [Group<'b>]) -> Option<(&'a mut Group<'b>, Job)> {
    let newest = groups.iter().map(|group| group.newest).max()?;
    let mut order: Vec<&mut Group<'b>> = groups.iter_mut().collect();
    order.sort_by_key(|group| (group.active.len(), group.newest));
    order.into_iter().find_map(|group| {
        let job = group.work.queue.try_recv().ok()?;
        group.work.metrics.waiting.dec();
        group.newest = newest + 1;
        Some((group, job))
    })
}

/// Begins a text, if somebody still waits for it.
fn begin(text: Text, several: &mut Several<'_>, work: &Work<'_>) -> Option<Active> {
    if text.reply.is_closed() {
        work.metrics.left.inc();
        return None;
    }
    let begun = match text.until <= Instant::now() {
        true => Err(Refusal::late()),
        false => started(&text, several, work),
    };
    match begun {
        Ok((slot, event)) => {
            // Who has left is found at the first token.
            let _ = text.reply.send(Ok(event));
            let tokens = 0;
            Some(Active { slot, text, tokens })
        }
        Err(refusal) => {
            let _ = text.reply.send(Err(refusal.without(&work.facts.hidden)));
            None
        }
    }
}

fn started(
    text: &Text,
    several: &mut Several<'_>,
    work: &Work<'_>,
) -> Result<(usize, Event), Refusal> {
    let prompt = &text.prompt;
    let count = prompt.tokens.len();
    let usual = context(work)
        .saturating_sub(count)
        .clamp(1, work.limits.tokens.max(1));
    work.metrics.prompt_tokens.inc_by(count as u64);
    let (sampling, limits) = (text.sampling.clone(), text.limits(usual));
    let slot = guarded(|| Ok(several.begin(prompt.tokens.clone(), sampling, limits)?))?;
    let slot = slot.ok_or_else(|| Refusal::internal("there is no room for a text"))?;
    let event = Event::Begun {
        prompt: count,
        notes: prompt.notes.clone(),
    };
    Ok((slot, event))
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

/// Whether somebody still reads a text; it is not written on where nobody does.
fn is_read(active: &Active, several: &mut Several<'_>, work: &Work<'_>) -> bool {
    let is_read = !active.text.reply.is_closed();
    if !is_read {
        work.metrics.left.inc();
        several.leave(active.slot);
    }
    is_read
}

/// Tells who reads the text in a slot what was written of it.
fn tell(active: &mut Vec<Active>, slot: usize, step: Result<Step, Refusal>, work: &Work<'_>) {
    let Some(at) = active.iter().position(|active| active.slot == slot) else {
        return;
    };
    let reader = &mut active[at];
    let step = match step {
        Ok(step) => step,
        Err(refusal) => {
            // Who has left needs no reason.
            let _ = reader
                .text
                .reply
                .send(Err(refusal.without(&work.facts.hidden)));
            active.swap_remove(at);
            return;
        }
    };
    // Where none was asked for, the end comes without one.
    if reader.text.most != Some(0) {
        reader.tokens += 1;
        work.metrics.tokens.inc();
    }
    let (tokens, is_over) = (reader.tokens, step.ended.is_some());
    let piece = (!step.text.is_empty()).then_some(Event::Piece(step.text));
    let ended = step.ended.map(|ended| Event::Ended { ended, tokens });
    for event in piece.into_iter().chain(ended) {
        // The next token finds who has left.
        let _ = reader.text.reply.send(Ok(event));
    }
    if is_over {
        active.swap_remove(at);
    }
}
