//! The template of a tokenizer, which writes a conversation as the text that a model was trained on.

use std::time::Duration;

use chrono::NaiveDate;
use fireclay_guard::within;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, Error, ErrorKind, Template, Value as Cell, context};
use serde_json::{Value, json};

use super::message::all_for_template;
use super::sources::{Source, Sources};
use super::{bounds, words};
use crate::tokenizer::Tokenizer;

/// What a template may use up: each step of it is 1, and so are 64 bytes of text that it writes or makes.
const FUEL: u64 = 1_000_000;

/// A template is done in milliseconds. The engine does not count what lists take that are added to themselves again and
/// again, which may be any time.
const LONGEST: Duration = Duration::from_secs(3);

const ENDLESS: &str = "the chat template of the model runs too long or writes too much";

/// A template, that for conversations with tools, and the names of the tokens that it may write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chat {
    pub(super) template: String,
    /// Another one for conversations with tools.
    pub(super) for_tools: Option<String>,
    pub(super) begin: String,
    pub(super) end: String,
}

/// The names that a tokenizer itself has for the tokens that begin and end a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChatMarks {
    /// Begins a text.
    pub begin: Option<String>,
    /// Ends a text.
    pub end: Option<String>,
}

impl Chat {
    /// That of a tokenizer, from the files beside it; none where they have no template.
    ///
    /// # Errors
    /// If the template cannot be understood.
    pub fn of_tokenizer(tokenizer: &Tokenizer) -> Result<Option<Self>, String> {
        let name = |ids: &[u32]| tokenizer.name(*ids.first()?);
        let own = ChatMarks {
            begin: name(tokenizer.start()),
            end: name(tokenizer.ends()),
        };
        Self::of(&tokenizer.companions(), own)
    }

    /// That of the files beside a tokenizer, by name ([`Tokenizer::companions`]):
    /// `chat_template.jinja`, or else `chat_template` of `tokenizer_config.json`, as transformers looks for it; of several
    /// with names that called `default`, and for conversations with tools `tool_use`. Tokens
    /// are called as in `tokenizer_config.json`, or else as in `special_tokens_map.json`, or else as in `own`.
    ///
    /// # Errors
    ///
    /// If the template cannot be understood.
    pub fn of(files: &[(&'static str, String)], own: ChatMarks) -> Result<Option<Self>, String> {
        let read = |name: &str| {
            let file = files.iter().find(|(known, _)| *known == name);
            file.map(|(_, text)| text.clone())
        };
        let json = |name: &str| -> Value {
            let json = read(name).and_then(|text| serde_json::from_str(&text).ok());
            json.unwrap_or_default()
        };
        let (config, map) = (
            json("tokenizer_config.json"),
            json("special_tokens_map.json"),
        );
        let inner = |name| named(config.get("chat_template")?, name);
        let (template, for_tools) = match read("chat_template.jinja") {
            Some(template) => (Some(template), None),
            None => (inner("default"), inner("tool_use")),
        };
        let Some(template) = template else {
            return Ok(None);
        };
        let for_tools = for_tools.filter(|other| *other != template);
        // A key that says `null` says that there is none.
        let token = |key: &str, own: Option<String>| {
            let said = config.get(key).or_else(|| map.get(key));
            said.map_or_else(|| own.unwrap_or_default(), token)
        };
        // As Jinja has the ends of lines.
        let lines = |template: String| template.replace("\r\n", "\n").replace('\r', "\n");
        let chat = Self {
            template: lines(template),
            for_tools: for_tools.map(lines),
            begin: token("bos_token", own.begin),
            end: token("eos_token", own.end),
        };
        for template in std::iter::once(&chat.template).chain(&chat.for_tools) {
            bounds::check(template)?;
        }
        Rendering::new(&chat, &environment(None), &Sources::plain(&chat))?;
        chat.try_out()?;
        Ok(Some(chat))
    }

    /// Writes a conversation, and refuses a template that never ends; what it objects to is said of the real ones.
    fn try_out(&self) -> Result<(), String> {
        let turn = |role: &str| json!({"role": role, "content": "Hello"});
        let messages = json!([turn("user"), turn("assistant"), turn("user")]);
        match self.written(&messages) {
            None => Err(ENDLESS.into()),
            Some(_) => Ok(()),
        }
    }

    /// The prompt of a conversation, up to where the answer begins.
    ///
    /// # Errors
    ///
    /// What the template objects to, and if it takes too long or writes too much.
    pub fn prompt(&self, messages: &Value) -> Result<String, String> {
        self.written(messages)
            .unwrap_or_else(|| Err(ENDLESS.into()))
    }

    /// As [`render`](Self::render), unless it takes too long.
    fn written(&self, messages: &Value) -> Option<Result<String, String>> {
        let (chat, messages) = (self.clone(), messages.clone());
        within(LONGEST, move || chat.render(&messages)).map(Result::flatten)
    }

    fn render(&self, messages: &Value) -> Result<String, String> {
        let (environment, plain) = (environment(None), Sources::plain(self));
        let rendering = Rendering::new(self, &environment, &plain)?;
        // As in training: calls of tools as objects, thoughts under the names that templates read.
        let messages = all_for_template(&Cell::from(Serde(messages)))?;
        rendering.write(messages, None, true)
    }

    /// Whether the text of a conversation may have the date in it.
    pub(super) fn asks_for_date(&self) -> bool {
        let mut all = std::iter::once(&self.template).chain(&self.for_tools);
        all.any(|template| template.contains("strftime_now"))
    }
}

/// A template that is ready to write any number of conversations.
pub(super) struct Rendering<'a> {
    chat: &'a Chat,
    usual: Ready<'a>,
    for_tools: Option<Ready<'a>>,
}

/// A template that is ready, and whether it writes signs around what the assistant says.
type Ready<'a> = (Template<'a, 'a>, bool);

impl<'a> Rendering<'a> {
    /// `sources` are the templates of `chat`.
    ///
    /// # Errors
    /// If one cannot be understood.
    pub fn new(
        chat: &'a Chat,
        environment: &'a Environment<'a>,
        sources: &'a Sources,
    ) -> Result<Self, String> {
        let ready = |source: &'a Source| {
            let template = environment.template_from_str(&source.text);
            let template = template.map_err(|error| {
                format!("the chat template of the model cannot be understood: {error}")
            })?;
            Ok::<_, String>((template, source.is_signed))
        };
        Ok(Self {
            chat,
            usual: ready(&sources.usual)?,
            for_tools: sources.for_tools.as_ref().map(ready).transpose()?,
        })
    }

    /// The template of a conversation with these tools.
    fn of(&self, tools: Option<&Cell>) -> &Ready<'a> {
        let for_tools = self.for_tools.as_ref().filter(|_| tools.is_some());
        for_tools.unwrap_or(&self.usual)
    }

    /// Whether a conversation with these tools is written with signs around what the assistant says.
    pub fn is_signed(&self, tools: Option<&Cell>) -> bool {
        self.of(tools).1
    }

    /// The name of the token that ends a text, empty where there is none.
    pub fn end(&self) -> &str {
        &self.chat.end
    }

    /// The text of a conversation; a `prompt` goes on to where the answer begins.
    ///
    /// # Errors
    /// What the template objects to, and if it takes too long or writes too much.
    pub fn write(
        &self,
        messages: Cell,
        tools: Option<Cell>,
        prompt: bool,
    ) -> Result<String, String> {
        let (template, _) = self.of(tools.as_ref());
        let context = context! {
            messages => messages,
            add_generation_prompt => prompt,
            tools => tools,
            documents => (),
            bos_token => self.chat.begin.clone(),
            eos_token => self.chat.end.clone(),
        };
        template.render(context).map_err(|error| {
            if error.kind() == ErrorKind::OutOfFuel {
                return ENDLESS.into();
            }
            let detail = error
                .detail()
                .map_or_else(|| error.to_string(), str::to_owned);
            format!("the chat template refuses the messages: {detail}")
        })
    }
}

/// As transformers sets Jinja up for templates. What asks for the date gets that of `day`, or else of now.
pub(super) fn environment<'a>(day: Option<NaiveDate>) -> Environment<'a> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build();
    environment.set_syntax(syntax.expect("no marks are changed"));
    environment.set_fuel(Some(FUEL));
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment.add_function("raise_exception", |message: String| {
        Err::<String, _>(Error::new(ErrorKind::InvalidOperation, message))
    });
    environment.add_function("strftime_now", move |format: String| {
        words::date(day, &format)
    });
    environment.add_filter("tojson", words::json);
    environment.add_test("iterable", words::is_iterable);
    environment
}

/// A template, or of several with names the one of this name.
fn named(value: &Value, name: &str) -> Option<String> {
    match value {
        Value::String(template) => Some(template.clone()),
        Value::Array(named) => {
            let is_meant = |entry: &&Value| entry.get("name").is_some_and(|found| found == name);
            let found = named.iter().find(is_meant)?;
            Some(found.get("template")?.as_str()?.to_owned())
        }
        _ => None,
    }
}

/// The name of a token, which may be written as an object.
fn token(value: &Value) -> String {
    let name = match value {
        Value::Object(token) => token.get("content"),
        value => Some(value),
    };
    name.and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The template of SmolLM2 and other models that speak ChatML.
    const CHATML: &str = "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}\
        {{ '<|im_start|>system\\nBe brief.<|im_end|>\\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\\n' + \
        message['content'].strip() + '<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}\
        {{ '<|im_start|>assistant\\n' }}{% endif %}";

    fn chat(template: &str) -> Chat {
        Chat {
            template: template.to_owned(),
            for_tools: None,
            begin: "<s>".into(),
            end: "</s>".into(),
        }
    }

    #[test]
    fn lists_that_grow_without_end_are_refused() {
        let grows = "{% set ns = namespace(l=['a']) %}{% for i in range(60) %}{% set ns.l = ns.l + ns.l %}{% endfor %}\
                     {{ ns.l|join }}";
        let files = [("chat_template.jinja", grows.to_owned())];
        let error = Chat::of(&files, ChatMarks::default()).expect_err("it never ends");
        assert!(error.contains("too long"), "{error}");
        let deep = format!("{{{{ {}1 }}}}", "not ".repeat(100_000));
        let files = [("chat_template.jinja", deep)];
        let error = Chat::of(&files, ChatMarks::default()).expect_err("it is too deep");
        assert!(error.contains("outside of texts"), "{error}");
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
    fn a_prompt_has_calls_and_thoughts_as_training_has_them() {
        let template = "{% for m in messages %}{{ m.thinking }}{% for call in m.tool_calls or [] %}\
                        {{ call.function.arguments | tojson }}{% endfor %}{% endfor %}";
        let function = json!({"name": "add", "arguments": "{\"b\": 1, \"a\": 2}"});
        let messages = json!([{
            "role": "assistant", "content": "", "reasoning_content": "hm ",
            "tool_calls": [{"type": "function", "function": function}],
        }]);
        let prompt = chat(template).prompt(&messages);
        assert_eq!(prompt.as_deref(), Ok("hm {\"b\": 1, \"a\": 2}"));
        let wrong = json!([{"role": "assistant", "content": "", "tool_calls": "add"}]);
        let error = chat(template).prompt(&wrong).expect_err("no list");
        assert!(error.contains("messages[0]"), "{error}");
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
        assert_eq!(Chat::of(&[], ChatMarks::default()), Ok(None));
        let config = json!({
            "chat_template": [{"name": "default", "template": "{{ bos_token }}"}],
            "bos_token": {"content": "<s>"},
        });
        let config = ("tokenizer_config.json", config.to_string());
        let chat = Chat::of(std::slice::from_ref(&config), ChatMarks::default());
        let chat = chat.expect("a template").expect("a template");
        assert_eq!(chat.prompt(&json!([])).as_deref(), Ok("<s>"));
        let several = json!({"chat_template": [
            {"name": "default", "template": "plain"}, {"name": "tool_use", "template": "{{ tools[0].name }}"},
        ]});
        let several = [("tokenizer_config.json", several.to_string())];
        let chat = Chat::of(&several, ChatMarks::default()).expect("templates");
        let chat = chat.expect("templates");
        let (environment, sources) = (environment(None), Sources::signed(&chat));
        let rendering = Rendering::new(&chat, &environment, &sources).expect("templates");
        let tools = Cell::from(Serde(json!([{"name": "clock"}])));
        let written = |tools| rendering.write(Cell::from(Serde(json!([]))), tools, true);
        assert_eq!(
            [written(None), written(Some(tools))],
            ["plain", "clock"].map(|text| Ok(text.to_owned()))
        );
        let broken = ("chat_template.jinja", "{% if".to_owned());
        assert!(Chat::of(&[config, broken], ChatMarks::default()).is_err());
    }

    #[test]
    fn a_template_that_would_fill_the_memory_is_an_error() {
        let doubles = |first: &str, each: &str, last: &str| {
            let each = format!("{{% set x = {each} %}}").repeat(40);
            chat(&format!("{{% set x = {first} %}}{each}{last}"))
        };
        let bombs = [
            doubles("'0123456789'", "x ~ x", ""),
            doubles("'0123456789'", "x + x", ""),
            doubles("'0123456789'", "x * 9", ""),
            doubles("'0123456789'", "x.replace('', x)", ""),
            doubles("'0123456789'", "[x, x]|join", ""),
            doubles("[0]", "[x, x]", "{{ x|tojson }}"),
        ];
        for bomb in bombs {
            let error = bomb.prompt(&json!([])).expect_err("too much");
            assert!(error.contains("writes too much"), "{error}");
        }
    }

    #[test]
    fn names_of_tokens_fall_back_to_what_the_tokenizer_calls_them() {
        let template = (
            "chat_template.jinja",
            "{{ bos_token }}|{{ eos_token }}".to_owned(),
        );
        let map = json!({"bos_token": "<map>", "eos_token": {"content": "</map>"}});
        let map = ("special_tokens_map.json", map.to_string());
        let config = json!({"bos_token": null, "eos_token": "</config>"});
        let config = ("tokenizer_config.json", config.to_string());
        let own = ChatMarks {
            begin: Some("<own>".into()),
            end: None,
        };
        let prompt = |files: &[_]| {
            let chat = Chat::of(files, own.clone()).expect("read").expect("there");
            chat.prompt(&json!([])).expect("a prompt")
        };
        assert_eq!(prompt(std::slice::from_ref(&template)), "<own>|");
        assert_eq!(prompt(&[template.clone(), map.clone()]), "<map>|</map>");
        assert_eq!(prompt(&[template, map, config]), "|</config>");
    }

    #[test]
    fn none_is_no_list_and_what_is_not_there_no_json() {
        let prompt = |template: &str| chat(template).prompt(&json!([]));
        let none = "{% if tools is iterable and tools|length > 0 %}a{% else %}b{% endif %}";
        assert_eq!(prompt(none).as_deref(), Ok("b"));
        assert_eq!(
            prompt("{{ messages is iterable }}{{ 'a' is iterable }}{{ 3 is iterable }}").as_deref(),
            Ok("TrueTrueFalse")
        );
        assert!(prompt("{{ missing|tojson }}").is_err());
    }

    #[test]
    fn a_template_finds_what_transformers_hands_it() {
        let written = |template: &str| {
            let files = [("chat_template.jinja", template.to_owned())];
            let chat = Chat::of(&files, ChatMarks::default())
                .expect("read")
                .expect("there");
            chat.prompt(&json!([{"role": "user", "content": "<a & 'b'>"}]))
        };
        let wanted = Ok("none".to_owned());
        assert_eq!(
            written("{% if tools is none and documents is none %}none{% endif %}"),
            wanted
        );
        let line = r#"{"content": "<a & 'b'>", "role": "user"}"#;
        assert_eq!(written("{{ messages[0]|tojson }}").as_deref(), Ok(line));
        let lines = "[\n    1,\n    2\n]";
        assert_eq!(
            written("{{ [1, 2]|tojson(indent=4) }}").as_deref(),
            Ok(lines)
        );
        let marked = "a {%- generation %}b{% endgeneration -%} c";
        assert_eq!(written(marked).as_deref(), Ok("abc"));
        let year = written("{{ strftime_now('%Y') }}").expect("a year");
        assert!(year.parse::<u32>().is_ok_and(|year| year > 2023), "{year}");
        assert!(written("{{ strftime_now('%Q') }}").is_err());
    }
}
