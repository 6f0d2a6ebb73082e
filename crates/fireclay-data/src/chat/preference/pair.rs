//! Pairs of answers as they stand in files: as TRL has them, in texts or in messages, with a prompt of their own or one
//! that both answers begin with.

use minijinja::Value;
use minijinja::value::ValueKind;

use super::super::calls::tools;
use super::super::line::{held, items, no_field, object};
use super::super::message::{Message, read, system};
use super::config::{PlainText, PreferenceDataConfig};
use crate::error::DataError;
use crate::files::{Lines, expand};

/// A prompt with two answers: the better one first.
#[derive(Clone, Debug)]
pub(super) enum Pair {
    /// Texts.
    Text {
        prompt: String,
        answers: [String; 2],
        /// Whether the prompt is what both answers began with.
        is_implicit: bool,
    },
    /// Messages.
    Talk {
        prompt: Vec<Message>,
        answers: [Vec<Message>; 2],
        tools: Option<Value>,
    },
    /// An answer says nothing.
    Empty,
    /// Both answers say the same.
    Equal,
}

/// What stands in a field.
#[derive(Clone, Debug, PartialEq)]
enum Side {
    Text(String),
    Talk(Vec<Value>),
}

impl Pair {
    /// That of a line.
    ///
    /// # Errors
    /// What is wrong with it, and what to do.
    pub fn read(line: &str, config: &PreferenceDataConfig) -> Result<Self, String> {
        let object = object(line)?;
        let answers = [
            answer(&object, &config.chosen, "data.chosen")?,
            answer(&object, &config.rejected, "data.rejected")?,
        ];
        let prompt = prompt(&object, config.prompt.as_deref())?;
        if answers[0] == answers[1] {
            return Ok(Self::Equal);
        }
        if answers.iter().any(Side::is_blank) {
            return Ok(Self::Empty);
        }
        match (prompt, answers) {
            (None, [Side::Text(chosen), Side::Text(rejected)]) => {
                let (prompt, answers) = parted([chosen, rejected], config)?;
                texts(&object, config, (prompt, answers, true))
            }
            (Some(Side::Text(prompt)), [Side::Text(chosen), Side::Text(rejected)]) => {
                texts(&object, config, (prompt, [chosen, rejected], false))
            }
            (prompt, answers) => talk(&object, config, prompt, answers),
        }
    }
}

impl Side {
    /// Whether it says nothing, or begins with an answer that does.
    fn is_blank(&self) -> bool {
        match self {
            Self::Text(text) => text.trim().is_empty(),
            Self::Talk(messages) => messages.last().is_none_or(says_nothing),
        }
    }
}

fn says_nothing(message: &Value) -> bool {
    let said = held(message, "content").or_else(|| held(message, "value"));
    let is_blank = said.is_none_or(|text| text.as_str().is_some_and(|text| text.trim().is_empty()));
    is_blank && held(message, "tool_calls").is_none()
}

/// Whether the first line of a JSON file (or of the first that a pattern matches) is a pair of answers.
///
/// # Errors
/// If it cannot be read.
pub fn holds_preferences(path: &str) -> Result<bool, DataError> {
    let first = expand(path)?.remove(0);
    if !first.to_string_lossy().contains(".json") {
        return Ok(false);
    }
    let config = PreferenceDataConfig::new(path);
    let line = Lines::open(&first)?.next_line()?;
    Ok(line.is_some_and(|line| Pair::read(&line, &config).is_ok()))
}

fn answer(object: &Value, name: &str, key: &str) -> Result<Side, String> {
    let value = held(object, name);
    let lacks = || no_field(object, &format!("{name:?}"), &format!("{key} names it"));
    side(&value.ok_or_else(lacks)?, name)
}

/// The prompt; none where the line has no field for it and the configuration names none.
fn prompt(object: &Value, name: Option<&str>) -> Result<Option<Side>, String> {
    let found = held(object, name.unwrap_or("prompt"));
    match (found, name) {
        (Some(value), name) => side(&value, name.unwrap_or("prompt")).map(Some),
        (None, None) => Ok(None),
        (None, Some(name)) => Err(no_field(
            object,
            &format!("{name:?}"),
            "data.prompt names it; leave that out where the answers begin with the prompt",
        )),
    }
}

fn side(value: &Value, name: &str) -> Result<Side, String> {
    match (value.as_str(), value.kind()) {
        (Some(text), _) => Ok(Side::Text(text.to_owned())),
        (None, ValueKind::Seq) => Ok(Side::Talk(items(value))),
        _ => Err(format!(
            "the field {name:?} is neither a text nor a list of messages"
        )),
    }
}

/// What both texts begin with, up to the blank before the word in which they part, and the rest of each.
fn parted(
    [chosen, rejected]: [String; 2],
    config: &PreferenceDataConfig,
) -> Result<(String, [String; 2]), String> {
    let both = chosen.char_indices().zip(rejected.chars());
    let parting = both
        .take_while(|((_, a), b)| a == b)
        .map(|((at, a), _)| at + a.len_utf8());
    let same = &chosen[..parting.last().unwrap_or(0)];
    let end = same.trim_end_matches(|letter: char| !letter.is_whitespace());
    let end = end.trim_end().len();
    if end == 0 {
        return Err(format!(
            "no field \"prompt\", and {:?} and {:?} begin with nothing in common that could be the prompt: data.prompt \
             names its field",
            config.chosen, config.rejected
        ));
    }
    let rest = |text: &str| text[end..].to_owned();
    Ok((chosen[..end].to_owned(), [rest(&chosen), rest(&rejected)]))
}

/// Texts as they are, or as messages of a user and an assistant.
fn texts(
    object: &Value,
    config: &PreferenceDataConfig,
    (prompt, answers, is_implicit): (String, [String; 2], bool),
) -> Result<Pair, String> {
    if answers.iter().any(|text| text.trim().is_empty()) {
        return Ok(Pair::Empty);
    }
    if config.plain == PlainText::Text {
        return match system(object)? {
            None => Ok(Pair::Text {
                prompt,
                answers,
                is_implicit,
            }),
            Some(_) => Err(
                "the field \"system\" is not read where texts are written as they are; set data.plain = \"messages\", \
                 or write it into the prompt"
                    .into(),
            ),
        };
    }
    if is_implicit {
        return Err(
            "no field \"prompt\", which data.plain = \"messages\" needs: data.prompt names it"
                .into(),
        );
    }
    let said = |text: String| vec![Message::of("assistant", &text)];
    let asked = (!prompt.trim().is_empty()).then(|| Message::of("user", &prompt));
    let asked = asked.ok_or("the prompt is empty; leave the line out")?;
    Ok(Pair::Talk {
        prompt: system(object)?.into_iter().chain([asked]).collect(),
        answers: answers.map(said),
        tools: tools(object)?,
    })
}

/// Messages, of which the prompt or an answer may be a text.
fn talk(
    object: &Value,
    config: &PreferenceDataConfig,
    prompt: Option<Side>,
    answers: [Side; 2],
) -> Result<Pair, String> {
    let [chosen, rejected] = answers.map(|answer| match answer {
        Side::Talk(messages) => messages,
        Side::Text(text) => vec![of("assistant", &text)],
    });
    let (asked, [chosen, rejected]) = asked(prompt, [chosen, rejected]);
    let names = [&config.chosen, &config.rejected];
    let mut prompt = Vec::from_iter(system(object)?);
    prompt.extend(messages(&asked, "the prompt")?);
    let answers = [messages(&chosen, names[0])?, messages(&rejected, names[1])?];
    let speaks = |answer: &Vec<Message>| {
        let first = answer.first();
        first.is_some_and(|first| first.role == "assistant")
    };
    if !answers.iter().all(speaks) {
        return Err(format!(
            "after the {} messages of the prompt, {:?} and {:?} do not both go on with a message of the assistant; the \
             prompt is what they have in common, or the field that data.prompt names",
            asked.len(),
            names[0],
            names[1],
        ));
    }
    if prompt.is_empty() {
        return Err("there is no message before the answers: what is asked?".into());
    }
    Ok(Pair::Talk {
        prompt,
        answers,
        tools: tools(object)?,
    })
}

/// The messages of the prompt, and those of each answer after it. The answers may repeat the prompt, after what the
/// system says perhaps.
fn asked(
    prompt: Option<Side>,
    [chosen, rejected]: [Vec<Value>; 2],
) -> (Vec<Value>, [Vec<Value>; 2]) {
    let common = chosen.iter().zip(&rejected).take_while(|(a, b)| a == b);
    let common = common.count();
    let parted = |at: usize| {
        let rest = |answer: &[Value]| answer[at..].to_vec();
        (chosen[..at].to_vec(), [rest(&chosen), rest(&rejected)])
    };
    let asked = match prompt {
        Some(Side::Talk(asked)) => asked,
        Some(Side::Text(text)) => vec![of("user", &text)],
        None => Vec::new(),
    };
    if asked.is_empty() {
        return parted(common);
    }
    let repeats = |skipped: &usize| {
        let both = asked.iter().zip(chosen.iter().skip(*skipped));
        skipped + asked.len() <= common && both.into_iter().all(|(a, b)| is_same(a, b))
    };
    match [0, 1].into_iter().find(repeats) {
        Some(skipped) => parted(skipped + asked.len()),
        None => (asked, [chosen, rejected]),
    }
}

/// A message in OpenAI's form.
fn of(role: &str, content: &str) -> Value {
    Value::from_pairs([("role", role), ("content", content)])
}

fn speaker(message: &Value) -> Option<String> {
    let speaker = held(message, "role").or_else(|| held(message, "from"));
    Some(speaker?.as_str()?.to_owned())
}

/// Whether two messages say the same, whatever else stands in them.
fn is_same(a: &Value, b: &Value) -> bool {
    let said = |message: &Value| held(message, "content").or_else(|| held(message, "value"));
    let is_user = |speaker: Option<String>| matches!(speaker.as_deref(), Some("user" | "human"));
    let by = [speaker(a), speaker(b)];
    (by[0] == by[1] || by.into_iter().all(is_user)) && said(a) == said(b)
}

fn messages(list: &[Value], name: &str) -> Result<Vec<Message>, String> {
    let each = list.iter().enumerate();
    each.map(|(index, message)| {
        read(message).map_err(|problem| format!("{name}[{index}] {problem}"))
    })
    .collect()
}
