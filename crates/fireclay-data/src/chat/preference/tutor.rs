//! A line of a file as the tokens of its two answers, each after the prompt.

use std::sync::atomic::{AtomicU64, Ordering};

use minijinja::Value;

use super::super::lesson::{Lesson, Teacher, mark, places};
use super::super::message::{Conversation, Message};
use super::super::turns::Turn;
use super::config::PreferenceDataConfig;
use super::pair::Pair;
use crate::error::DataError;
use crate::text::marked::{FIRST, PARTLY, UNTRAINED};
use crate::tokenizer::{Tally, Tokenizer};

/// What makes tokens of pairs.
pub(super) struct Tutor<'a> {
    pub config: &'a PreferenceDataConfig,
    pub tokenizer: &'a Tokenizer,
    /// What writes messages; or why nothing does.
    pub teacher: Result<Teacher<'a>, String>,
    /// How many prompts were what both answers begin with, where these are texts.
    pub implicit: AtomicU64,
    /// How many prompts and answers were texts.
    pub texts: AtomicU64,
}

/// What stands for an answer of a pair that is left out because one says nothing: a token that nothing is learnt from.
pub(super) const EMPTY: u32 = FIRST | UNTRAINED;
/// The same where both answers say the same.
pub(super) const EQUAL: u32 = FIRST | UNTRAINED | PARTLY;

impl Tutor<'_> {
    /// The tokens of the better answer and of the other one, each after the prompt, one after another.
    ///
    /// # Errors
    /// What is wrong with the line, and what to do.
    pub fn lesson(&self, line: &str) -> Result<Lesson, String> {
        match Pair::read(line, self.config)? {
            Pair::Empty => Ok(left_out(EMPTY)),
            Pair::Equal => Ok(left_out(EQUAL)),
            Pair::Text {
                prompt,
                answers,
                is_implicit,
            } => {
                self.texts.fetch_add(1, Ordering::Relaxed);
                self.implicit
                    .fetch_add(is_implicit.into(), Ordering::Relaxed);
                both(answers.map(|answer| self.of_text(&prompt, &answer)))
            }
            Pair::Talk {
                prompt,
                answers,
                tools,
            } => {
                let said = (&prompt[..], &tools);
                both(answers.map(|answer| self.of_talk(said, &answer)))
            }
        }
    }

    /// A text goes on with an answer, and ends.
    fn of_text(&self, prompt: &str, answer: &str) -> Result<Lesson, String> {
        let tokenizer = self.tokenizer;
        let text = [prompt, answer].concat();
        let (read, mut offsets) = tokenizer
            .encode_with_offsets(&text)
            .map_err(|error: DataError| error.to_string())?;
        let tally = tokenizer.tally(&text, &read);
        let (start, end) = (tokenizer.start(), tokenizer.end_of_text());
        if prompt.is_empty() && start.is_empty() {
            return Err(
                "the prompt is empty, and no token begins a text, so that the first token of an answer would not count; \
                 leave the line out"
                    .into(),
            );
        }
        // Some write them themselves.
        let start = match read.starts_with(start) {
            true => &[][..],
            false => start,
        };
        let end = end.filter(|end| read.last() != Some(end));
        offsets.splice(0..0, start.iter().map(|_| (0, 0)));
        offsets.extend(end.map(|_| (text.len(), text.len() + 1)));
        let mut tokens: Vec<u32> = start.iter().copied().chain(read).chain(end).collect();
        let turn = Turn {
            bytes: prompt.len()..text.len() + 1,
            trains: true,
            is_whole: true,
        };
        mark(&mut tokens, &places(&offsets, |_| false), &[turn], false);
        match tokens.iter().skip(1).any(|token| token & UNTRAINED == 0) {
            true => Ok(Lesson { tokens, tally }),
            false => Err("no token of an answer counts; leave the line out".into()),
        }
    }

    /// A conversation goes on with an answer.
    fn of_talk(
        &self,
        (prompt, tools): (&[Message], &Option<Value>),
        answer: &[Message],
    ) -> Result<Lesson, String> {
        let teacher = self.teacher.as_ref().map_err(Clone::clone)?;
        let all = || prompt.iter().chain(answer);
        let spoken = all().enumerate();
        let spoken = spoken.filter(|(_, message)| message.role == "assistant");
        let answers = spoken.map(|(at, message)| (at, at >= prompt.len() && message.trains));
        // What a template does not mark is told apart message by message, of which those of the prompt need not be.
        let is_signed = teacher.turns.rendering.is_signed(tools.as_ref());
        let is_asked = |(at, _): &(usize, bool)| is_signed || *at >= prompt.len();
        teacher.of(&Conversation {
            messages: all().map(|message| message.value.clone()).collect(),
            tools: tools.clone(),
            answers: answers.filter(is_asked).collect(),
        })
    }
}

fn left_out(token: u32) -> Lesson {
    Lesson {
        tokens: vec![token; 2],
        tally: Tally::default(),
    }
}

fn both([chosen, rejected]: [Result<Lesson, String>; 2]) -> Result<Lesson, String> {
    let (chosen, rejected) = (chosen?, rejected?);
    let mut tally = chosen.tally;
    tally += rejected.tally;
    if chosen.tokens == rejected.tokens {
        // A template may leave out in what they differ.
        return Ok(left_out(EQUAL));
    }
    Ok(Lesson {
        tokens: [chosen.tokens, rejected.tokens].concat(),
        tally,
    })
}
