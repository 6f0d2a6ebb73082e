//! Which part of a rendered conversation the assistant has said.
//!
//! A template may mark it, by `{% generation %}` as `transformers` reads it for `return_assistant_tokens_mask`. Of
//! another template a turn is what the conversation up to it has more than the prompt for it. Both have to be where
//! the whole conversation begins: a template that writes a turn in another way once more follows tells no turns apart.

use std::ops::Range;

use minijinja::Value;

use super::config::TrainOn;
use super::message::Conversation;
use super::template::Rendering;
use super::words::SIGNS;

/// A conversation as its template writes it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rendered {
    pub text: String,
    /// The turns of the assistant that are told apart, in bytes of the text.
    pub turns: Vec<Turn>,
}

/// A turn of the assistant.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Turn {
    pub bytes: Range<usize>,
    pub trains: bool,
    /// Whether it is all that a message says, and no part of it.
    pub is_whole: bool,
}

/// A template that tells turns apart.
pub(super) struct Turns<'a> {
    pub rendering: Rendering<'a>,
    pub train_on: TrainOn,
}

impl Turns<'_> {
    /// The text of a conversation, and its turns.
    ///
    /// # Errors
    /// If the template objects or does not tell the turns apart that train.
    pub fn of(&self, conversation: &Conversation) -> Result<Rendered, String> {
        let mut rendered = match self.rendering.is_signed(conversation.tools.as_ref()) {
            true => self.signed(conversation)?,
            false => self.compared(conversation)?,
        };
        if self.train_on == TrainOn::Last
            && let Some((_, before)) = rendered.turns.split_last_mut()
        {
            before.iter_mut().for_each(|turn| turn.trains = false);
        }
        Ok(rendered)
    }

    fn write(
        &self,
        conversation: &Conversation,
        count: usize,
        prompt: bool,
    ) -> Result<String, String> {
        let messages: Value = conversation.messages[..count].iter().cloned().collect();
        let text = self
            .rendering
            .write(messages, conversation.tools.clone(), prompt);
        let whole = conversation.messages.len();
        text.map_err(|problem| match count == whole {
            true => problem,
            false => format!("{problem} (of the first {count} messages alone; {ADVICE})"),
        })
    }

    /// By the signs in the text.
    fn signed(&self, conversation: &Conversation) -> Result<Rendered, String> {
        let text = self.write(conversation, conversation.messages.len(), false)?;
        let (text, found) = without_signs(&text)?;
        let trains: Vec<bool> = conversation.answers.iter().map(|(_, on)| *on).collect();
        let is_each = found.len() == trains.len();
        if !is_each && self.train_on == TrainOn::Last {
            return Err(format!(
                "the template marks {} parts with {{% generation %}} for {} messages of the assistant, so that it is not \
                 known where the last one begins; leave data.train_on out, or mark each message once",
                found.len(),
                trains.len()
            ));
        }
        if !is_each && trains.contains(&false) {
            return Err(format!(
                "has weights, but the template marks {} parts with {{% generation %}} for {} messages of the \
                 assistant, so that it is not known which part is whose; leave the weights out",
                found.len(),
                trains.len()
            ));
        }
        if found.iter().all(Range::is_empty) {
            let message = "the chat template marks nothing with {% generation %}: what the assistant says is not in it";
            return Err(message.into());
        }
        let trains = |index: usize| !is_each || trains[index];
        let turns = found.into_iter().enumerate().map(|(index, bytes)| Turn {
            bytes,
            trains: trains(index),
            is_whole: is_each,
        });
        let turns = turns.collect();
        Ok(Rendered { text, turns })
    }

    /// By what the text begins with.
    fn compared(&self, conversation: &Conversation) -> Result<Rendered, String> {
        let text = self.write(conversation, conversation.messages.len(), false)?;
        let mut turns = Vec::new();
        let answers = &conversation.answers;
        let asked = match self.train_on {
            TrainOn::Last => &answers[answers.len() - 1..],
            TrainOn::Assistant | TrainOn::All => answers,
        };
        for (at, trains) in asked {
            match self.turn(conversation, *at, &text) {
                Ok(bytes) => turns.push(Turn {
                    bytes,
                    trains: *trains,
                    is_whole: true,
                }),
                // Only where the turns end is of use then.
                Err(_) if self.train_on == TrainOn::All => {}
                Err(problem) => return Err(problem),
            }
        }
        Ok(Rendered { text, turns })
    }

    fn turn(
        &self,
        conversation: &Conversation,
        at: usize,
        text: &str,
    ) -> Result<Range<usize>, String> {
        let prompt = self.write(conversation, at, true)?;
        if !text.starts_with(&prompt) {
            return Err(self.apart(at, &prompt, text));
        }
        let so_far = self.write(conversation, at + 1, false)?;
        // Some templates end a conversation with the token that ends a text.
        let ended = so_far.strip_suffix(self.rendering.end());
        let ended = ended.filter(|_| !text.starts_with(&so_far));
        let so_far = ended.unwrap_or(&so_far);
        match text.starts_with(so_far) && so_far.len() >= prompt.len() {
            true => Ok(prompt.len()..so_far.len()),
            false => Err(self.apart(at, so_far, text)),
        }
    }

    /// Where a part of a conversation and the whole are written in different ways.
    fn apart(&self, at: usize, part: &str, whole: &str) -> String {
        let same = part.chars().zip(whole.chars());
        let same = same.take_while(|(a, b)| a == b);
        let same = same.map(|(letter, _)| letter.len_utf8()).sum::<usize>();
        let around = |text: &str| text[same..].chars().take(24).collect::<String>();
        let last = match self.train_on {
            TrainOn::Last => "",
            _ => "train on the last turn of each alone (data.train_on = \"last\"), or ",
        };
        format!(
            "the chat template does not tell what the assistant says in message {} apart: up to there it writes {:?} \
             where the whole conversation has {:?}; {last}{ADVICE}",
            at + 1,
            around(part),
            around(whole),
        )
    }
}

/// What helps where turns are not told apart.
const ADVICE: &str =
    "give a template with {% generation %} around what the assistant says by data.chat_template";

/// A text without its signs, and what was between them, in bytes of that.
fn without_signs(signed: &str) -> Result<(String, Vec<Range<usize>>), String> {
    let [begin, end] = SIGNS;
    let (mut text, mut found) = (String::with_capacity(signed.len()), Vec::new());
    let mut open = None;
    for letter in signed.chars() {
        match (letter == begin, letter == end, open) {
            (true, _, None) => open = Some(text.len()),
            (_, true, Some(start)) => {
                found.push(start..text.len());
                open = None;
            }
            (false, false, _) => text.push(letter),
            _ => return Err(NESTED.into()),
        }
    }
    match open {
        None => Ok((text, found)),
        Some(_) => Err(NESTED.into()),
    }
}

const NESTED: &str =
    "the chat template does not write {% generation %} and {% endgeneration %} in turns";

#[cfg(test)]
mod tests {
    use super::super::sources::Sources;
    use super::super::template::{Chat, environment};
    use super::*;

    fn turns(template: &str, train_on: TrainOn, line: &str) -> Result<Vec<(String, bool)>, String> {
        let chat = Chat {
            template: template.to_owned(),
            for_tools: None,
            begin: "<s>".into(),
            end: "</s>".into(),
        };
        let (environment, sources) = (environment(None), Sources::signed(&chat));
        let turns = Turns {
            rendering: Rendering::new(&chat, &environment, &sources).expect("a template"),
            train_on,
        };
        let conversation = Conversation::read(line, None).expect("a conversation");
        let Rendered { text, turns } = turns.of(&conversation)?;
        let turns = turns
            .into_iter()
            .map(|turn| (text[turn.bytes].to_owned(), turn.trains));
        Ok(turns.collect())
    }

    const TWO: &str = r#"{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"},
        {"role": "user", "content": "c"}, {"role": "assistant", "content": "d"}]}"#;
    const PLAIN: &str = "{{ bos_token }}{% for m in messages %}<{{ m.role }}>{{ m.content }}</>{% endfor %}\
                         {% if add_generation_prompt %}<assistant>{% endif %}";

    fn owned(turns: &[(&str, bool)]) -> Vec<(String, bool)> {
        let turns = turns.iter();
        turns
            .map(|(text, trains)| ((*text).to_owned(), *trains))
            .collect()
    }

    #[test]
    fn a_turn_is_what_a_conversation_has_more_than_the_prompt() {
        let found = turns(PLAIN, TrainOn::Assistant, TWO);
        assert_eq!(found, Ok(owned(&[("b</>", true), ("d</>", true)])));
        let last = turns(PLAIN, TrainOn::Last, TWO);
        assert_eq!(last, Ok(owned(&[("d</>", true)])));
    }

    #[test]
    fn the_token_that_ends_a_conversation_is_of_the_last_turn() {
        let ends =
            format!("{PLAIN}{{% if not add_generation_prompt %}}{{{{ eos_token }}}}{{% endif %}}");
        let found = turns(&ends, TrainOn::Assistant, TWO);
        assert_eq!(found, Ok(owned(&[("b</>", true), ("d</></s>", true)])));
    }

    #[test]
    fn what_a_template_marks_is_a_turn() {
        let marked = "{% for m in messages %}\n<{{ m.role }}>\n  {%- if m.role == 'assistant' %}\n    \
                      {%- generation %}{{ m.content }}!{% endgeneration %}\n  {% else %}{{ m.content }}{% endif %}\n{% endfor %}";
        let found = turns(marked, TrainOn::Assistant, TWO);
        assert_eq!(found, Ok(owned(&[("b!", true), ("d!", true)])));
        let last = turns(marked, TrainOn::Last, TWO);
        assert_eq!(last, Ok(owned(&[("b!", false), ("d!", true)])));
        let weighed = TWO.replacen("\"content\": \"b\"", "\"content\": \"b\", \"weight\": 0", 1);
        let found = turns(marked, TrainOn::Assistant, &weighed);
        assert_eq!(found, Ok(owned(&[("b!", false), ("d!", true)])));
        let twice = marked.replace('!', "{% endgeneration %}{% generation %}!");
        let problem = turns(&twice, TrainOn::Assistant, &weighed).expect_err("four parts of two");
        assert!(problem.contains("leave the weights out"), "{problem}");
    }

    #[test]
    fn a_template_that_forgets_tells_no_turns_apart() {
        // As templates of models that think aloud: only the last answer is written as it was.
        let forgets = "{% for m in messages %}<{{ m.role }}>{% if m.role == 'assistant' and loop.last %}<think></think>\
                       {% endif %}{{ m.content }}</>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}";
        let problem = turns(forgets, TrainOn::Assistant, TWO).expect_err("another text");
        for words in [
            "message 2",
            "\"<think></think>b</>\"",
            "\"b</><user>c",
            "train_on = \"last\"",
        ] {
            assert!(problem.contains(words), "{problem}");
        }
        let last = turns(forgets, TrainOn::Last, TWO);
        assert_eq!(last, Ok(owned(&[("<think></think>d</>", true)])));
        // Where each turn ends is not known of the first.
        let all = turns(forgets, TrainOn::All, TWO);
        assert_eq!(all, Ok(owned(&[("<think></think>d</>", true)])));
        let opens = PLAIN.replace("<assistant>{%", "<assistant><think>{%");
        let problem = turns(&opens, TrainOn::Last, TWO).expect_err("another prompt");
        assert!(problem.contains("message 4"), "{problem}");
        assert!(!problem.contains("train_on"), "{problem}");
    }

    #[test]
    fn signs_that_do_not_go_together_are_an_error() {
        let [begin, end] = SIGNS;
        let text = format!("a{begin}b{end}c{begin}de{end}");
        let found = vec![1..2, 3..5];
        assert_eq!(without_signs(&text), Ok(("abcde".into(), found)));
        for text in [
            format!("{end}"),
            format!("{begin}a"),
            format!("{begin}{begin}{end}"),
        ] {
            assert!(without_signs(&text).is_err(), "{text:?}");
        }
    }
}
