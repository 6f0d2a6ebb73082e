//! A line of a file as tokens, each with what is known of it.

use super::config::TrainOn;
use super::message::Conversation;
use super::turns::{Rendered, Turn, Turns};
use crate::error::DataError;
use crate::text::marked::{FIRST, PARTLY, TURN_END, TURN_START, UNTRAINED};
use crate::tokenizer::{Span, Tally, Tokenizer};

/// Where a message has what others wrote.
const SAID: [&str; 3] = ["content", "reasoning_content", "tool_calls"];

/// What makes tokens of lines.
pub(super) struct Teacher<'a> {
    pub turns: Turns<'a>,
    pub tokenizer: &'a Tokenizer,
    /// The names of the special tokens.
    pub special: Vec<String>,
    /// Which tokens these are.
    pub is_special: Vec<bool>,
    pub field: Option<&'a str>,
}

/// The tokens of a conversation.
pub(super) struct Lesson {
    /// With their marks ([`crate::text::marked`]).
    pub tokens: Vec<u32>,
    pub tally: Tally,
}

impl Teacher<'_> {
    /// The tokens of a line.
    ///
    /// # Errors
    /// What is wrong with it, and what to do.
    pub fn lesson(&self, line: &str) -> Result<Lesson, String> {
        let conversation = Conversation::read(line, self.field)?;
        let Rendered { text, turns } = self.turns.of(&conversation)?;
        self.are_written(&text, &turns)?;
        let (mut tokens, offsets) = self
            .tokenizer
            .encode_with_offsets(&text)
            .map_err(|error: DataError| error.to_string())?;
        let tally = Tally {
            spelled: self.spelled(&conversation),
            ..self.tokenizer.tally(&text, &tokens)
        };
        let places = self.places(&tokens, &offsets);
        mark(
            &mut tokens,
            &places,
            &turns,
            self.turns.train_on == TrainOn::All,
        );
        match tokens.iter().skip(1).any(|token| token & UNTRAINED == 0) {
            true => Ok(Lesson { tokens, tally }),
            false => Err(
                "no token of it trains: what the assistant says has no token, or every weight is 0; leave the line out"
                    .into(),
            ),
        }
    }

    /// Refuses a template that writes nothing of an answer: its end alone would be learnt.
    fn are_written(&self, text: &str, turns: &[Turn]) -> Result<(), String> {
        let is_empty = |turn: &&Turn| {
            let said = text[turn.bytes.clone()].to_owned();
            let names = self.special.iter();
            let said = names.fold(said, |said, name| said.replace(name.as_str(), ""));
            said.trim().is_empty()
        };
        let mut whole = turns.iter().filter(|turn| turn.trains && turn.is_whole);
        match whole.find(is_empty) {
            None => Ok(()),
            Some(_) => Err(
                "the chat template writes nothing of a message of the assistant: it may not know calls of tools, or read \
                 `content` as a list of parts; give another template by data.chat_template, or leave the line out"
                    .into(),
            ),
        }
    }

    /// The bytes that each token stands for, see [`places`].
    fn places(&self, tokens: &[u32], offsets: &[Span]) -> Vec<std::ops::Range<usize>> {
        let is_special = |at: usize| self.is_special.get(tokens[at] as usize) == Some(&true);
        places(offsets, is_special)
    }

    /// How often what is said, thought or asked of a tool spells a special token, which is read as that token.
    fn spelled(&self, conversation: &Conversation) -> u64 {
        let count = |text: &str| {
            let names = self.special.iter();
            let names = names.map(|name| text.matches(name.as_str()).count() as u64);
            names.sum::<u64>()
        };
        let first = |text: &str| {
            let mut names = self.special.iter().filter_map(|name| name.get(..1));
            names.any(|start| text.contains(start))
        };
        let messages = conversation.messages.iter();
        let said =
            messages.flat_map(|message| SAID.iter().filter_map(|key| message.get_attr(key).ok()));
        let spelled = said.map(|said| {
            let text = said.as_str();
            let text = text.map_or_else(|| said.to_string(), str::to_owned);
            if first(&text) { count(&text) } else { 0 }
        });
        spelled.sum()
    }
}

/// The bytes that each token stands for: from the end of those before it, since some tokenizers count the blank before
/// a word to no token. A special token has no such blank.
fn places(offsets: &[Span], is_special: impl Fn(usize) -> bool) -> Vec<std::ops::Range<usize>> {
    let mut reached = 0;
    let place = |(at, &(start, end)): (usize, &Span)| {
        let begin = match is_special(at) {
            true => start,
            false => start.min(reached),
        };
        reached = reached.max(end);
        begin..end
    };
    offsets.iter().enumerate().map(place).collect()
}

/// Marks the tokens of a conversation. As in `transformers`, a token that is of a turn in part is of the turn.
fn mark(tokens: &mut [u32], places: &[std::ops::Range<usize>], turns: &[Turn], all_train: bool) {
    if !all_train {
        tokens.iter_mut().for_each(|token| *token |= UNTRAINED);
    }
    for Turn { bytes, trains, .. } in turns {
        let mut last = None;
        for (at, place) in places.iter().enumerate() {
            if place.start >= bytes.end || place.end <= bytes.start {
                continue;
            }
            if last.replace(at).is_none() {
                tokens[at] |= TURN_START;
            }
            if *trains {
                tokens[at] &= !UNTRAINED;
            }
            if place.start < bytes.start || place.end > bytes.end {
                tokens[at] |= PARTLY;
            }
        }
        if let Some(last) = last {
            tokens[last] |= TURN_END;
        }
    }
    if let Some(first) = tokens.first_mut() {
        *first |= FIRST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::marked::id;

    fn marked(offsets: &[Span], turns: &[(std::ops::Range<usize>, bool)]) -> Vec<String> {
        let turns = turns.iter().map(|(bytes, trains)| Turn {
            bytes: bytes.clone(),
            trains: *trains,
            is_whole: true,
        });
        let mut tokens = vec![7; offsets.len()];
        let turns: Vec<Turn> = turns.collect();
        mark(&mut tokens, &places(offsets, |_| false), &turns, false);
        let name = |token: u32| {
            assert_eq!(id(token), 7);
            let marks = [(FIRST, 'f'), (TURN_END, 'e'), (PARTLY, 'p')];
            let marks = marks.iter().filter(|(mark, _)| token & mark != 0);
            let trains = (token & UNTRAINED == 0).then_some('t');
            trains
                .into_iter()
                .chain(marks.map(|(_, name)| *name))
                .collect()
        };
        tokens.into_iter().map(name).collect()
    }

    #[test]
    fn tokens_of_a_turn_train() {
        let found = marked(&[(0, 3), (3, 5), (5, 6), (6, 9)], &[(3..6, true)]);
        assert_eq!(found, ["f", "t", "te", ""]);
        let found = marked(
            &[(0, 3), (3, 5), (5, 6), (6, 9)],
            &[(0..3, false), (5..9, true)],
        );
        assert_eq!(found, ["fe", "", "t", "te"]);
    }

    #[test]
    fn a_token_that_is_of_a_turn_in_part_is_of_it_and_is_known() {
        assert_eq!(
            marked(&[(0, 3), (3, 6), (6, 9)], &[(4..8, true)]),
            ["f", "tp", "tep"]
        );
        // The tokenizer counts blanks to no token: the first token of the turn has the last of the prompt.
        assert_eq!(marked(&[(0, 3), (4, 6)], &[(4..6, true)]), ["f", "tep"]);
        assert_eq!(marked(&[(0, 3), (4, 6)], &[(3..6, true)]), ["f", "te"]);
    }

    #[test]
    fn a_blank_that_no_token_has_is_of_the_next_one_unless_that_is_special() {
        let offsets = [(0, 3), (4, 6)];
        assert_eq!(places(&offsets, |_| false), [0..3, 3..6]);
        assert_eq!(places(&offsets, |at| at == 1), [0..3, 4..6]);
    }

    #[test]
    fn tokens_that_share_a_character_are_together() {
        assert_eq!(
            marked(&[(0, 1), (1, 5), (1, 5), (1, 5), (5, 6)], &[(1..5, true)]),
            ["f", "t", "t", "te", ""]
        );
    }
}
