//! Conversations as they stand in files: in OpenAI's form (`role` and `content`), or in that of ShareGPT (`from` and
//! `value`).
//!
//! Keys of objects keep their order, since templates write tools as JSON.

use minijinja::Value;
use minijinja::value::ValueKind;

use super::calls::{arguments_of, calls, tools};
use super::line::{held, items, keys, no_field, object};

/// A conversation, as a template takes it.
#[derive(Clone, Debug)]
pub(super) struct Conversation {
    pub messages: Vec<Value>,
    /// What the assistant may call.
    pub tools: Option<Value>,
    /// Which messages are the assistant's, and whether they train.
    pub answers: Vec<(usize, bool)>,
}

/// The fields that hold the messages, unless the configuration names one.
const FIELDS: [&str; 2] = ["messages", "conversations"];
/// Who speaks, in OpenAI's form.
const ROLES: [&str; 5] = ["system", "developer", "user", "assistant", "tool"];
/// Who speaks, in ShareGPT's form, and in the other one.
const SPEAKERS: [(&str, &str); 9] = [
    ("system", "system"),
    ("human", "user"),
    ("user", "user"),
    ("gpt", "assistant"),
    ("chatgpt", "assistant"),
    ("assistant", "assistant"),
    ("function_call", "assistant"),
    ("observation", "tool"),
    ("tool", "tool"),
];

impl Conversation {
    /// That of a line.
    ///
    /// # Errors
    /// What is wrong with it, and what to do.
    pub fn read(line: &str, field: Option<&str>) -> Result<Self, String> {
        let object = object(line)?;
        let (name, list) = list(&object, field)?;
        let mut messages = Vec::new();
        messages.extend(system(&object)?);
        let told = messages.len();
        for (index, message) in items(&list).into_iter().enumerate() {
            let message = read(&message).map_err(|problem| format!("{name}[{index}] {problem}"))?;
            if told > 0 && index == 0 && message.role == "system" {
                return Err(format!(
                    "the system speaks twice: in the field \"system\" and in {name}[0]; leave one out"
                ));
            }
            messages.push(message);
        }
        let answers = messages.iter().enumerate();
        let answers = answers.filter(|(_, message)| message.role == "assistant");
        let answers: Vec<_> = answers.map(|(at, message)| (at, message.trains)).collect();
        if answers.is_empty() {
            return Err(format!(
                "no message of {name:?} is the assistant's (role \"assistant\", or from \"gpt\"), so there is nothing \
                 to learn; leave the line out"
            ));
        }
        Ok(Self {
            tools: tools(&object)?,
            messages: messages.into_iter().map(|message| message.value).collect(),
            answers,
        })
    }
}

/// A message in OpenAI's form.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub role: &'static str,
    pub value: Value,
    /// Whether its loss counts, if it is the assistant's.
    pub trains: bool,
}

impl Message {
    pub fn of(role: &'static str, content: &str) -> Self {
        Self {
            role,
            value: Value::from_pairs([("role", role), ("content", content)]),
            trains: true,
        }
    }
}

/// The messages, and the name of their field.
fn list(object: &Value, field: Option<&str>) -> Result<(String, Value), String> {
    let names = field.map_or_else(|| FIELDS.to_vec(), |field| vec![field]);
    let found = names
        .iter()
        .find_map(|name| Some(((*name).to_owned(), held(object, name)?)));
    let Some((name, list)) = found else {
        let wanted = names.iter().map(|name| format!("{name:?}"));
        let wanted = wanted.collect::<Vec<_>>().join(" or ");
        return Err(no_field(
            object,
            &wanted,
            "data.field names that of the messages",
        ));
    };
    match list.kind() {
        ValueKind::Seq => Ok((name, list)),
        _ => Err(format!("the field {name:?} is no list of messages")),
    }
}

/// What the system says in a field of its own.
pub(super) fn system(object: &Value) -> Result<Option<Message>, String> {
    let Some(value) = held(object, "system") else {
        return Ok(None);
    };
    let text = value
        .as_str()
        .ok_or("the field \"system\" is no text".to_owned())?;
    Ok((!text.trim().is_empty()).then(|| Message::of("system", text)))
}

pub(super) fn read(message: &Value) -> Result<Message, String> {
    if message.kind() != ValueKind::Map {
        return Err("is no object".into());
    }
    match (held(message, "role"), held(message, "from")) {
        (Some(role), _) => of_openai(message, &role),
        (None, Some(speaker)) => of_sharegpt(message, &speaker),
        (None, None) => Err("has neither \"role\" nor \"from\": who speaks?".into()),
    }
}

fn of_sharegpt(message: &Value, speaker: &Value) -> Result<Message, String> {
    let known = SPEAKERS
        .iter()
        .find(|(name, _)| Some(*name) == speaker.as_str());
    let Some((name, role)) = known else {
        let names = SPEAKERS.map(|(name, _)| name);
        return Err(unknown("from", speaker, &names));
    };
    let value = held(message, "value").ok_or("has no \"value\"")?;
    let text = value.as_str().ok_or("has a \"value\" that is no text")?;
    if *name == "function_call" {
        return Ok(Message {
            role,
            value: calls(text)?,
            trains: trains(message, role)?,
        });
    }
    not_empty(role, text)?;
    Ok(Message {
        trains: trains(message, role)?,
        ..Message::of(role, text)
    })
}

fn of_openai(message: &Value, role: &Value) -> Result<Message, String> {
    let known = ROLES.into_iter().find(|name| Some(*name) == role.as_str());
    let role = known.ok_or_else(|| unknown("role", role, &ROLES))?;
    if held(message, "function_call").is_some() {
        return Err("has a \"function_call\": write it as \"tool_calls\"".into());
    }
    let calls = tool_calls(message)?;
    let content = content(message)?;
    match (&content, &calls) {
        (None, None) => return Err("has no \"content\"".into()),
        (Some(text), None) => not_empty(role, text)?,
        (_, Some(_)) if role != "assistant" => {
            return Err("calls a tool, which the assistant alone can".into());
        }
        (_, Some(_)) => {}
    }
    Ok(Message {
        role,
        value: for_template(message, content, calls)?,
        trains: trains(message, role)?,
    })
}

fn tool_calls(message: &Value) -> Result<Option<Value>, String> {
    let calls = held(message, "tool_calls");
    match &calls {
        Some(calls) if calls.kind() != ValueKind::Seq => {
            Err("has \"tool_calls\" that are no list".into())
        }
        _ => Ok(calls.filter(|calls| !items(calls).is_empty())),
    }
}

/// Messages in OpenAI's form, each as a template takes it.
///
/// # Errors
/// What is wrong with one of them.
pub(super) fn all_for_template(messages: &Value) -> Result<Value, String> {
    let ready = |message: &Value| for_template(message, content(message)?, tool_calls(message)?);
    let all = items(messages).into_iter().enumerate();
    all.map(|(index, message)| {
        ready(&message).map_err(|problem| format!("messages[{index}] {problem}"))
    })
    .collect()
}

/// Names under which messages have what a model has thought; templates read the first, or the second.
const THOUGHTS: [&str; 3] = ["reasoning_content", "thinking", "reasoning"];

/// A message as `transformers` hands it to a template: without what is `null`, and with thoughts under the names that
/// templates read.
fn for_template(
    message: &Value,
    content: Option<String>,
    calls: Option<Value>,
) -> Result<Value, String> {
    let thought = THOUGHTS.iter().find_map(|name| held(message, name));
    let mut pairs = Vec::new();
    if let Some(thought) = &thought {
        pairs.push(("thinking".to_owned(), thought.clone()));
    }
    for key in keys(message) {
        let value = match key.as_str() {
            "weight" | "reasoning_content" => None,
            "content" => content.clone().map(Value::from),
            "tool_calls" => calls.as_ref().map(arguments_of).transpose()?,
            _ => held(message, &key),
        };
        pairs.extend(value.map(|value| (key, value)));
    }
    pairs.extend(thought.map(|thought| ("reasoning_content".to_owned(), thought)));
    Ok(Value::from_pairs(pairs))
}

/// What is said: a text, or a list with one.
fn content(message: &Value) -> Result<Option<String>, String> {
    let Some(value) = held(message, "content") else {
        return Ok(None);
    };
    if let Some(text) = value.as_str() {
        return Ok(Some(text.to_owned()));
    }
    let parts = items(&value);
    match (value.kind(), &parts[..]) {
        (ValueKind::Seq, [part]) => {
            let text = held(part, "text");
            let text = text.and_then(|text| text.as_str().map(str::to_owned));
            let text =
                text.ok_or("has a \"content\" that is no text: pictures and sound are not read")?;
            Ok(Some(text))
        }
        (ValueKind::Seq, _) => {
            let count = parts.len();
            Err(format!(
                "has a \"content\" of {count} parts: write them as one text"
            ))
        }
        _ => Err("has a \"content\" that is no text".into()),
    }
}

/// A tool may answer nothing; whoever else speaks has to say something.
fn not_empty(role: &str, text: &str) -> Result<(), String> {
    match text.trim().is_empty() && role != "tool" {
        true => Err("is empty: leave it or its conversation out".into()),
        false => Ok(()),
    }
}

/// OpenAI's weight of an answer: 0 where it is not trained on.
fn trains(message: &Value, role: &str) -> Result<bool, String> {
    let Some(weight) = held(message, "weight") else {
        return Ok(true);
    };
    if role != "assistant" {
        return Err("has a \"weight\", which is for the assistant's messages".into());
    }
    match f64::try_from(weight) {
        Ok(0.0) => Ok(false),
        Ok(1.0) => Ok(true),
        _ => Err("has a \"weight\" that is neither 0 nor 1".into()),
    }
}

fn unknown(key: &str, found: &Value, known: &[&str]) -> String {
    let known = known.iter().map(|name| format!("{name:?}"));
    let known = known.collect::<Vec<_>>().join(", ");
    let found = found.to_string();
    format!("has {key:?} = {found:?}, which is not known; it is one of {known}")
}
