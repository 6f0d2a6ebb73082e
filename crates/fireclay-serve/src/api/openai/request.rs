//! What is asked. What would change the answer and is not done here is refused, not left out.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;

use fireclay_run::RunError;
use fireclay_run::generate::{Prompt, Sampling};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::answer::Shape;
use super::stops::Stops;
use crate::error::Refusal;
use crate::model::Facts;
use crate::settings::Limits;

/// Texts of one request at most.
const MOST_TEXTS: usize = 32;
/// Bytes of the prompts of all texts of a request, a prompt counted for each text.
const MOST_BYTES: usize = 1 << 20;
/// Tokens of a completion, unless the request says it, as OpenAI has it; an answer in a conversation may be as long as
/// the context.
const USUAL_TOKENS: usize = 16;
/// Says nothing of the text.
const HARMLESS: [&str; 7] = [
    "user",
    "metadata",
    "store",
    "service_tier",
    "prompt_cache_key",
    "safety_identifier",
    "parallel_tool_calls",
];

/// A request for completions, or for an answer in a conversation.
#[derive(Debug, Deserialize)]
pub struct Request {
    pub model: String,
    prompt: Option<Value>,
    messages: Option<Value>,
    max_tokens: Option<usize>,
    max_completion_tokens: Option<usize>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    top_k: Option<usize>,
    repetition_penalty: Option<f64>,
    seed: Option<i64>,
    n: Option<usize>,
    #[serde(default, deserialize_with = "or_null")]
    pub stream: bool,
    stream_options: Option<StreamOptions>,
    #[serde(default)]
    stop: Stops,
    #[serde(flatten)]
    other: Map<String, Value>,
    /// Filled in when it is read.
    #[serde(skip)]
    pub chosen_seed: u64,
    #[serde(skip)]
    pub most: Option<usize>,
}

#[derive(Debug, Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: bool,
}

fn or_null<'de, D: serde::Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

impl Request {
    /// Reads and checks a request.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn read(bytes: &[u8], shape: Shape, limits: &Limits) -> Result<Self, Refusal> {
        let mut request: Self = serde_json::from_slice(bytes)
            .map_err(|error| Refusal::bad(format!("the body is no request: {error}")))?;
        request.refuse_unknown()?;
        let problem = request.sampling(0).validate().into_iter().next();
        if let Some((name, message)) = problem {
            let name = name.replace('-', "_");
            return Err(Refusal::bad(format!("{name} {message}")));
        }
        request.stop.check()?;
        if !(1..=MOST_TEXTS).contains(&request.choices()) {
            return Err(Refusal::of(
                "n",
                format!("n must be from 1 to {MOST_TEXTS}"),
            ));
        }
        let asked = request.max_completion_tokens.or(request.max_tokens);
        if asked.is_some_and(|asked| asked > limits.tokens) {
            let message = format!("max_tokens may be {} here", limits.tokens);
            return Err(Refusal::of("max_tokens", message));
        }
        request.most = match shape {
            Shape::Text => Some(asked.unwrap_or(USUAL_TOKENS.min(limits.tokens))),
            Shape::Chat => asked,
        };
        request.chosen_seed = match request.seed {
            Some(seed) => seed as u64,
            // The answer says which it was.
            None => RandomState::new().hash_one(0) >> 11,
        };
        Ok(request)
    }

    /// The prompts as the model is given them, one for each list of choices.
    ///
    /// # Errors
    ///
    /// If there are none or too many, one cannot be read, or the model has no template for a conversation.
    pub fn prompts(&self, facts: &Facts) -> Result<Vec<Arc<Prompt>>, Refusal> {
        let Some(reader) = &facts.reader else {
            let message = format!("{} writes no text; POST /predict/{0}", facts.name);
            return Err(Refusal::of("model", message));
        };
        let is_conversation = self.messages.is_some();
        let read = |text: &String| {
            let read = match is_conversation {
                true => reader.rendered(text),
                false => reader.prompt(text),
            };
            let read = read.map_err(|error| Refusal::from(RunError::from(error)));
            read.map(Arc::new)
                .map_err(|refusal| refusal.without(&facts.hidden))
        };
        self.texts(facts)?.iter().map(read).collect()
    }

    fn texts(&self, facts: &Facts) -> Result<Vec<String>, Refusal> {
        let prompts = match (&self.prompt, &self.messages) {
            (Some(prompt), None) => texts(prompt)?,
            (None, Some(messages)) => vec![conversation(messages, facts)?],
            _ => {
                let message = "completions need `prompt`, chat completions `messages`";
                return Err(Refusal::bad(message));
            }
        };
        let texts = prompts.len() * self.choices();
        if !(1..=MOST_TEXTS).contains(&texts) {
            let message = format!("a request may ask for 1 to {MOST_TEXTS} texts, not {texts}");
            return Err(Refusal::of("prompt", message));
        }
        let bytes = prompts.iter().map(String::len).sum::<usize>() * self.choices();
        if bytes > MOST_BYTES {
            let message = format!(
                "the prompts of all texts together may have {MOST_BYTES} bytes, not {bytes}"
            );
            return Err(Refusal::of("prompt", message));
        }
        Ok(prompts)
    }

    /// How many texts for each prompt.
    pub fn choices(&self) -> usize {
        self.n.unwrap_or(1)
    }

    /// How the text of this number is chosen: each has a seed of its own.
    pub fn sampling(&self, number: usize) -> Sampling {
        Sampling {
            temperature: self.temperature.unwrap_or(1.0),
            top_k: self.top_k,
            top_p: self.top_p.unwrap_or(1.0),
            repetition_penalty: self.repetition_penalty.unwrap_or(1.0),
            seed: self.chosen_seed.wrapping_add(number as u64),
        }
    }

    pub fn stops(&self) -> Vec<String> {
        self.stop.0.clone()
    }

    /// Whether a stream ends with the number of tokens.
    pub fn wants_usage(&self) -> bool {
        let options = self.stream_options.as_ref();
        options.is_some_and(|options| options.include_usage)
    }

    fn refuse_unknown(&self) -> Result<(), Refusal> {
        let is_refused = |(name, value): &(&String, &Value)| {
            !HARMLESS.contains(&name.as_str()) && !is_neutral(name, value)
        };
        match self.other.iter().find(is_refused) {
            Some((name, _)) => Err(Refusal::bad(format!(
                "{name} is not supported here: leave it out"
            ))),
            None => Ok(()),
        }
    }
}

/// Whether a key asks for what is done without it anyway.
fn is_neutral(name: &str, value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(values) => values.is_empty(),
        Value::Object(values) if name == "response_format" => {
            values.get("type").is_some_and(|kind| kind == "text")
        }
        Value::Object(values) => values.is_empty(),
        Value::Number(number) if name == "best_of" => number.as_u64() == Some(1),
        Value::Number(number) if name.ends_with("_penalty") => number.as_f64() == Some(0.0),
        Value::String(word) => name == "tool_choice" && word == "none",
        _ => false,
    }
}

/// One prompt, or a list of them.
fn texts(prompt: &Value) -> Result<Vec<String>, Refusal> {
    let wrong = || {
        Refusal::of(
            "prompt",
            "prompt must be a text or a list of texts, not tokens",
        )
    };
    match prompt {
        Value::String(text) => Ok(vec![text.clone()]),
        Value::Array(texts) => {
            let texts = texts.iter().map(|text| text.as_str().map(String::from));
            texts.collect::<Option<_>>().ok_or_else(wrong)
        }
        _ => Err(wrong()),
    }
}

/// The prompt that the template of the model makes of messages.
fn conversation(messages: &Value, facts: &Facts) -> Result<String, Refusal> {
    let Some(chat) = &facts.chat else {
        return Err(Refusal::of(
            "messages",
            format!(
                "{} has no chat template, so it knows no conversations: use /v1/completions",
                facts.name
            ),
        ));
    };
    let messages = messages.as_array().filter(|messages| !messages.is_empty());
    let messages = messages
        .ok_or_else(|| Refusal::of("messages", "messages must be a list of at least one"))?;
    let plain = messages.iter().map(plain).collect::<Result<Vec<_>, _>>()?;
    chat.prompt(&Value::Array(plain))
        .map_err(|message| Refusal::of("messages", message))
}

/// A message whose content is a text: that of its parts, if it has several.
fn plain(message: &Value) -> Result<Value, Refusal> {
    let wrong = |text: &str| Refusal::of("messages", text);
    let mut message = message.clone();
    let is_role = message.get("role").is_some_and(Value::is_string);
    let content = message.get_mut("content");
    let content = content.filter(|_| is_role);
    let content = content.ok_or_else(|| wrong("a message needs `role` and `content`"))?;
    if let Value::Array(parts) = content {
        let text = |part: &Value| {
            let is_text = part.get("type").is_some_and(|kind| kind == "text");
            Some(part.get("text")?.as_str()?.to_owned()).filter(|_| is_text)
        };
        let texts = parts.iter().map(text).collect::<Option<Vec<_>>>();
        let texts = texts.ok_or_else(|| wrong("the parts of a message must be texts"))?;
        *content = texts.concat().into();
    }
    match content.is_string() {
        true => Ok(message),
        false => Err(wrong("the content of a message must be a text")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(more: &str) -> Result<Request, String> {
        let text = format!("{{\"model\": \"m\", \"prompt\": \"a\"{more}}}");
        let read = Request::read(text.as_bytes(), Shape::Text, &Limits::default());
        read.map_err(|refusal| refusal.message)
    }

    #[test]
    fn what_is_not_done_is_refused_unless_it_asks_for_nothing() {
        for more in [
            ", \"logprobs\": null, \"echo\": false, \"best_of\": 1, \"user\": \"x\"",
            ", \"presence_penalty\": 0, \"logit_bias\": {}, \"stream\": null",
        ] {
            assert!(read(more).is_ok(), "{more}");
        }
        for (more, word) in [
            (", \"logprobs\": 3", "logprobs"),
            (", \"echo\": true", "echo"),
            (", \"frequency_penalty\": 0.5", "frequency_penalty"),
            (", \"temprature\": 0.5", "temprature"),
            (", \"temperature\": -1", "temperature must be 0 or more"),
            (", \"top_p\": 0", "top_p must be above 0"),
            (", \"n\": 0", "n must be from 1"),
            (", \"stop\": [\"\"]", "stop must not be empty"),
            (", \"stop\": 7", "a text or a list of texts"),
            (", \"max_tokens\": 100000", "max_tokens may be 4096"),
        ] {
            let error = read(more).expect_err(more);
            assert!(error.contains(word), "{more}: {error}");
        }
    }

    #[test]
    fn stops_and_prompts_are_bounded() {
        let stops = |count: usize| format!(", \"stop\": {:?}", vec!["x"; count]);
        assert_eq!(read(&stops(16)).expect("a request").stops().len(), 16);
        let error = read(&stops(100_000)).expect_err("too many");
        assert!(error.contains("at most 16"), "{error}");
        let long = |bytes: usize| format!(", \"stop\": [\"a\", {:?}]", "x".repeat(bytes));
        assert_eq!(read(&long(1024)).expect("a request").stops().len(), 2);
        let error = read(&long(1025)).expect_err("too long");
        assert!(error.contains("1024 bytes, not 1025"), "{error}");
        assert_eq!(
            read(", \"stop\": null").expect("a request").stops().len(),
            0
        );
        assert_eq!(read(", \"stop\": \"x\"").expect("a request").stops(), ["x"]);
    }

    #[test]
    fn the_usual_length_is_within_the_limit() {
        let limits = Limits {
            tokens: 5,
            ..Limits::default()
        };
        let read = Request::read(
            b"{\"model\": \"m\", \"prompt\": \"a\"}",
            Shape::Text,
            &limits,
        );
        assert_eq!(read.expect("a request").most, Some(5));
    }

    #[test]
    fn a_message_may_come_in_parts() {
        let parts = serde_json::json!({"role": "user", "content": [
            {"type": "text", "text": "one "}, {"type": "text", "text": "two"},
        ]});
        let message = plain(&parts).expect("a message");
        assert_eq!(message["content"], "one two");
        let image = serde_json::json!({"role": "user", "content": [{"type": "image_url"}]});
        assert!(plain(&image).is_err());
    }
}
