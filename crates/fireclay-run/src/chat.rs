//! Conversations as the prompts that a model was trained on, by the template that comes with its tokenizer.

mod conversation;

pub use conversation::{Conversation, ConversationError, Role};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, Error, ErrorKind, context};
use serde_json::Value;

/// Steps that a template may take, so that none runs for ever.
const FUEL: u64 = 1_000_000;

/// A template, and the names of the tokens that it may write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chat {
    template: String,
    begin: String,
    end: String,
}

impl Chat {
    /// That of the files beside a tokenizer, by name ([`Tokenizer::companions`](fireclay_data::Tokenizer::companions)):
    /// `chat_template.jinja`, or else `chat_template` of `tokenizer_config.json`, as transformers looks for it.
    ///
    /// # Errors
    ///
    /// If the template cannot be understood.
    pub fn of(files: &[(&'static str, String)]) -> Result<Option<Self>, String> {
        let read = |name: &str| {
            let file = files.iter().find(|(known, _)| *known == name);
            file.map(|(_, text)| text.clone())
        };
        let config =
            read("tokenizer_config.json").and_then(|text| serde_json::from_str(&text).ok());
        let config: Value = config.unwrap_or_default();
        let own = config.get("chat_template").and_then(usual);
        let Some(template) = read("chat_template.jinja").or(own) else {
            return Ok(None);
        };
        let token = |key: &str| token(config.get(key));
        let chat = Self {
            template,
            begin: token("bos_token"),
            end: token("eos_token"),
        };
        chat.environment()
            .template_from_str(&chat.template)
            .map_err(|error| {
                format!("the chat template of the model cannot be understood: {error}")
            })?;
        Ok(Some(chat))
    }

    /// The prompt of a conversation, up to where the answer begins.
    ///
    /// # Errors
    ///
    /// What the template objects to.
    pub fn prompt(&self, messages: &Value) -> Result<String, String> {
        let context = context! {
            messages => minijinja::Value::from(Serde(messages)),
            add_generation_prompt => true,
            bos_token => self.begin.clone(),
            eos_token => self.end.clone(),
        };
        let environment = self.environment();
        let rendered = environment.render_str(&self.template, context);
        rendered.map_err(|error| {
            let detail = error
                .detail()
                .map_or_else(|| error.to_string(), str::to_owned);
            format!("the chat template refuses the messages: {detail}")
        })
    }

    /// As transformers sets Jinja up for templates.
    fn environment(&self) -> Environment<'static> {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build();
        environment.set_syntax(syntax.expect("no marks are changed"));
        environment.set_fuel(Some(FUEL));
        environment
            .set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", |message: String| {
            Err::<String, _>(Error::new(ErrorKind::InvalidOperation, message))
        });
        environment
    }
}

/// A template, or of several with names the one called `default`.
fn usual(value: &Value) -> Option<String> {
    match value {
        Value::String(template) => Some(template.clone()),
        Value::Array(named) => {
            let is_default =
                |entry: &&Value| entry.get("name").is_some_and(|name| name == "default");
            let found = named.iter().find(is_default)?;
            Some(found.get("template")?.as_str()?.to_owned())
        }
        _ => None,
    }
}

/// The name of a token, which may be written as an object.
fn token(value: Option<&Value>) -> String {
    let name = match value {
        Some(Value::Object(token)) => token.get("content"),
        value => value,
    };
    name.and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The template of SmolLM2 and other models that speak ChatML.
    const CHATML: &str = "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}\
        {{ '<|im_start|>system\\nBe brief.<|im_end|>\\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\\n' + \
        message['content'].strip() + '<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}\
        {{ '<|im_start|>assistant\\n' }}{% endif %}";

    fn chat(template: &str) -> Chat {
        Chat {
            template: template.to_owned(),
            begin: "<s>".into(),
            end: "</s>".into(),
        }
    }

    #[test]
    fn a_conversation_becomes_the_prompt_that_transformers_makes_of_it() {
        let messages = json!([{"role": "user", "content": " Hello "}]);
        let prompt = chat(CHATML).prompt(&messages).expect("a prompt");
        let wanted = "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n\
                      <|im_start|>assistant\n";
        assert_eq!(prompt, wanted);
    }

    #[test]
    fn a_template_that_refuses_or_never_ends_is_an_error() {
        let refuses = chat("{{ raise_exception('roles must alternate') }}");
        let error = refuses.prompt(&json!([])).expect_err("a refusal");
        assert!(error.contains("roles must alternate"), "{error}");
        let endless =
            chat("{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}");
        assert!(endless.prompt(&json!([])).is_err());
    }

    #[test]
    fn a_template_may_be_in_either_file() {
        assert_eq!(Chat::of(&[]), Ok(None));
        let config = json!({
            "chat_template": [{"name": "default", "template": "{{ bos_token }}"}],
            "bos_token": {"content": "<s>"},
        });
        let config = ("tokenizer_config.json", config.to_string());
        let chat = Chat::of(std::slice::from_ref(&config));
        let chat = chat.expect("a template").expect("a template");
        assert_eq!(chat.prompt(&json!([])).as_deref(), Ok("<s>"));
        let broken = ("chat_template.jinja", "{% if".to_owned());
        assert!(Chat::of(&[config, broken]).is_err());
    }
}
