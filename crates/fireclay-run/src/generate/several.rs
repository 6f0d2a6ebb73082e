//! Several texts at once, in one pass of the model for a token of each.
//!
//! Texts come and go between any two steps (Yu et al. 2022, *Orca: A Distributed Serving System for
//! Transformer-Based Generative Models*, section 3.1). Each is what it would be alone, bit by bit: a prompt is read by
//! itself, in pieces that end at the same tokens whoever else is there, and a step computes each text as if it were
//! the only one.

use std::num::NonZero;
use std::thread;

use burn::tensor::{Int, Tensor, TensorData};
use fireclay_guard::side_by_side;
use fireclay_kernels::in_pool;
use fireclay_models::{KeyValueCache, LanguageNetwork, ReadText};

use super::draft::{Draft, Step};
use super::{GenerateError, Limits, Sampling, Writer, read};

/// Tokens of a prompt that are read in one step, so that those who write do not wait for a long one.
const PIECE: usize = 64;
/// Logits of one step from which on it pays to choose tokens on several threads.
const MANY: usize = 1 << 15;

/// Texts that are written side by side.
#[derive(Debug)]
pub struct Several<'a> {
    writer: Writer<'a>,
    slots: Vec<Option<Slot>>,
    /// How often a text began to be read, or to be read again: who has read for longest reads first.
    begun: u64,
}

#[derive(Debug)]
struct Slot {
    draft: Draft,
    memory: Memory,
    /// The number of its reading among all.
    number: u64,
}

/// What the model has read of a text.
#[derive(Debug)]
enum Memory {
    /// Some of the last so many tokens: the prompt, or what is read again.
    Part(KeyValueCache, usize),
    /// All but the last token.
    Whole(ReadText),
}

/// What a step does to the text in a slot. After an end or an error it is there no longer.
pub type Written = (usize, Result<Step, GenerateError>);

impl<'a> Writer<'a> {
    /// Room for so many texts at once.
    pub fn several(self, slots: usize) -> Several<'a> {
        Several {
            writer: self,
            slots: (0..slots.max(1)).map(|_| None).collect(),
            begun: 0,
        }
    }
}

impl<'a> Several<'a> {
    /// Who reads prompts.
    pub fn writer(&self) -> &Writer<'a> {
        &self.writer
    }

    /// Whether there is room for one more text.
    pub fn has_room(&self) -> bool {
        self.slots.iter().any(Option::is_none)
    }

    /// Begins a text that goes on from the tokens of a [`prompt`](Writer::prompt), and gives its slot; none if there
    /// is no room. The next step begins to read it.
    ///
    /// # Errors
    ///
    /// If the tokens cannot be decoded.
    pub fn begin(
        &mut self,
        prompt: Vec<u32>,
        sampling: Sampling,
        limits: Limits,
    ) -> Result<Option<usize>, GenerateError> {
        let Some(slot) = self.slots.iter().position(Option::is_none) else {
            return Ok(None);
        };
        let unread = prompt.len().min(self.writer.model.context_length());
        self.begun += 1;
        self.slots[slot] = Some(Slot {
            draft: Draft::new(&self.writer, prompt, sampling, limits)?,
            memory: Memory::Part(self.writer.model.empty_cache(), unread),
            number: self.begun,
        });
        Ok(Some(slot))
    }

    /// Takes a text out that is not to be written on.
    pub fn leave(&mut self, slot: usize) {
        if let Some(slot) = self.slots.get_mut(slot) {
            *slot = None;
        }
    }

    /// Writes a token of each text that is read, and reads on in one that is not. A text whose prompt is still being
    /// read is not among the results.
    pub fn step(&mut self) -> Vec<Written> {
        let mut written = self.over();
        let ready = self.ready();
        let unread = self.longest_unread();
        written.extend(self.write_each(&ready));
        if let Some(slot) = unread {
            written.extend(self.read_on(slot).map(|step| (slot, step)));
        }
        for (slot, step) in &written {
            if !matches!(step, Ok(Step { ended: None, .. })) {
                self.slots[*slot] = None;
            }
        }
        written
    }

    /// Those that may have no further token.
    fn over(&mut self) -> Vec<Written> {
        let mut over = Vec::new();
        for (index, slot) in self.slots.iter_mut().enumerate() {
            if let Some(end) = slot.as_mut().and_then(|slot| slot.draft.over()) {
                over.push((index, Ok(end)));
                *slot = None;
            }
        }
        over
    }

    /// The slots whose next token can be written. Where the context is full, the end of the text is read again.
    fn ready(&mut self) -> Vec<usize> {
        let (context, again) = (self.writer.model.context_length(), self.writer.again());
        let mut ready = Vec::new();
        for (index, slot) in self.slots.iter_mut().enumerate() {
            let Some(Slot { memory, number, .. }) = slot else {
                continue;
            };
            match memory {
                Memory::Whole(read) if read.len() < context => ready.push(index),
                Memory::Whole(_) => {
                    *memory = Memory::Part(self.writer.model.empty_cache(), again);
                    // It waits from now on, after those that waited before.
                    self.begun += 1;
                    *number = self.begun;
                }
                Memory::Part(..) => {}
            }
        }
        ready
    }

    /// Of those that are still being read the one that has waited for longest.
    fn longest_unread(&self) -> Option<usize> {
        let unread = self.slots.iter().enumerate().filter_map(|(index, slot)| {
            let slot = slot.as_ref()?;
            matches!(slot.memory, Memory::Part(..)).then_some((slot.number, index))
        });
        unread.min().map(|(_, index)| index)
    }

    /// Reads a piece of a text; after the last one its next token is written.
    fn read_on(&mut self, slot: usize) -> Option<Result<Step, GenerateError>> {
        let Slot { draft, memory, .. } = self.slots.get_mut(slot)?.as_mut()?;
        let Memory::Part(cache, count) = memory else {
            return None;
        };
        let unread = &draft.tokens[draft.tokens.len() - *count + cache.len()..];
        let piece = &unread[..unread.len().min(PIECE)];
        let is_last = piece.len() == unread.len();
        let logits = read((self.writer.model, self.writer.device), cache, piece);
        if !is_last {
            return None;
        }
        let cache = std::mem::replace(cache, self.writer.model.empty_cache());
        *memory = Memory::Whole(cache.into_text().expect("it has read a text"));
        Some(draft.write(&logits))
    }

    /// Writes a token of each of these, in one pass.
    fn write_each(&mut self, ready: &[usize]) -> Vec<Written> {
        if ready.is_empty() {
            return Vec::new();
        }
        let most = self.slots.len();
        let (mut drafts, mut texts, mut last) = (Vec::new(), Vec::new(), Vec::new());
        for (index, slot) in self.slots.iter_mut().enumerate() {
            let Some(Slot {
                draft,
                memory: Memory::Whole(read),
                ..
            }) = slot
            else {
                continue;
            };
            if ready.contains(&index) {
                last.push(draft.tokens.last().copied().unwrap_or_default() as i32);
                drafts.push((index, draft));
                texts.push(read);
            }
        }
        let Writer { model, device, .. } = self.writer;
        let last = TensorData::from(&last[..]);
        let last = Tensor::<1, Int>::from_data(last, device);
        let logits = in_pool(device, || {
            model.forward_each(last, &mut texts, most).into_data()
        });
        let vocabulary = logits.shape()[1];
        let logits: Vec<f32> = logits.iter().collect();
        let rows: Vec<&[f32]> = logits.chunks_exact(vocabulary).collect();
        chosen(drafts, &rows)
    }
}

/// Chooses the next token of each text, on several threads where they are many: to put a vocabulary in order takes
/// long.
fn chosen(mut drafts: Vec<(usize, &mut Draft)>, logits: &[&[f32]]) -> Vec<Written> {
    let numbers: usize = logits.iter().map(|row| row.len()).sum();
    let threads = match numbers < MANY {
        true => 1,
        false => thread::available_parallelism().map_or(1, NonZero::get),
    };
    // Rows after those of the texts are padding.
    let share = drafts.len().div_ceil(threads).max(1);
    if share == drafts.len() {
        return written(&mut drafts, logits);
    }
    let shares = drafts.chunks_mut(share).zip(logits.chunks(share)).collect();
    let written = side_by_side(shares, |(drafts, logits)| written(drafts, logits));
    written.into_iter().flatten().collect()
}

fn written(drafts: &mut [(usize, &mut Draft)], logits: &[&[f32]]) -> Vec<Written> {
    let each = drafts.iter_mut().zip(logits);
    each.map(|((slot, draft), logits)| (*slot, draft.write(logits)))
        .collect()
}
