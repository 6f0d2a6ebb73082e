use std::fs;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::config::{ChatDataConfig, ChatPacking, TooLong, TrainOn};
use super::lesson::Teacher;
use super::sources::Sources;
use super::template::{Chat, Rendering, environment};
use super::turns::Turns;
use super::words;
use crate::error::DataError;
use crate::text::marked::{id, trains};
use crate::text::{TextData, TextOrder, TokenBatch, TokenSplit};
use crate::tokenizer::{Tokenizer, TokenizerConfig, TokenizerKind};

/// What transformers makes of conversations (`tests/reference/chats.py`).
#[derive(Deserialize)]
struct Reference {
    templates: std::collections::BTreeMap<String, String>,
    tokenizers: std::collections::BTreeMap<String, Value>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    style: String,
    kind: String,
    talk: String,
    line: String,
    text: String,
    ids: Vec<u32>,
    mask: Vec<u8>,
}

fn reference() -> Reference {
    let json = include_str!("../../tests/reference/chats.json");
    serde_json::from_str(json).unwrap()
}

/// The tokens of a line and where they train, by the tags of a template or by what a text begins with.
fn taught(
    (template, tokenizer): (&str, &Tokenizer),
    train_on: TrainOn,
    line: &str,
) -> Result<(Vec<u32>, Vec<u8>), String> {
    let chat = Chat {
        template: template.to_owned(),
        for_tools: None,
        begin: "<s>".into(),
        end: "</s>".into(),
    };
    let environment = environment(ChatDataConfig::new("").day());
    let sources = Sources::signed(&chat);
    let teacher = Teacher {
        turns: Turns {
            rendering: Rendering::new(&chat, &environment, &sources)?,
            train_on,
        },
        tokenizer,
        special: tokenizer.special_names(),
        is_special: tokenizer.special(),
        field: None,
    };
    let tokens = teacher.lesson(line)?.tokens;
    let mask = tokens.iter().map(|token| u8::from(trains(*token)));
    Ok((
        tokens.iter().map(|token| id(*token)).collect(),
        mask.collect(),
    ))
}

#[test]
fn tokens_and_their_masks_are_those_of_transformers_with_tags_and_without() {
    let Reference {
        templates,
        tokenizers,
        cases,
    } = reference();
    let folder = TempDir::new().unwrap();
    for case in &cases {
        let path = folder.path().join(format!("{}.json", case.kind));
        fs::write(&path, tokenizers[&case.kind].to_string()).unwrap();
        let tokenizer = Tokenizer::load(&path).unwrap();
        let tagged = &templates[&case.style];
        for template in [tagged.clone(), words::plain(tagged)] {
            let how = format!("{} {} {}: {template}", case.style, case.kind, case.talk);
            let found = taught((&template, &tokenizer), TrainOn::Assistant, &case.line);
            let (ids, mask) = found.unwrap_or_else(|problem| panic!("{how}: {problem}"));
            assert_eq!(tokenizer.encode(&case.text).unwrap(), case.ids, "{how}");
            assert_eq!(ids, case.ids, "{how}");
            assert_eq!(mask, case.mask, "{how}");
            let (ids, mask) = taught((&template, &tokenizer), TrainOn::All, &case.line).unwrap();
            assert_eq!(ids, case.ids, "{how}");
            assert!(mask.iter().all(|trains| *trains == 1), "{how}");
        }
    }
    assert!(cases.len() > 60);
}

/// A folder with a tokenizer of bytes with tokens for turns, and a template.
struct Folder(TempDir);

const TURNS: &str = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>{% endfor %}\
                     {% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

impl Folder {
    fn new() -> Self {
        let folder = Self(TempDir::new().unwrap());
        let tokenizer = &reference().tokenizers["bytes"];
        folder.write("tokenizer.json", &tokenizer.to_string());
        folder.write("chat_template.jinja", TURNS);
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn config(&self) -> ChatDataConfig {
        let mut config = ChatDataConfig::new(self.path("chats.jsonl").display().to_string());
        config.cache_dir = Some(self.path("cache").display().to_string());
        config.split.train = 1.0;
        config.split.valid = 0.0;
        config
    }

    fn load(&self, config: &ChatDataConfig, context: usize) -> Result<TextData, DataError> {
        let tokenizer = TokenizerConfig {
            path: Some(self.path("tokenizer.json").display().to_string()),
            ..TokenizerConfig::default()
        };
        let order = TextOrder {
            seed: 1,
            shuffles: false,
        };
        TextData::load_chats(config, (TokenizerKind::File, &tokenizer), context, order)
    }

    /// Writes these conversations, of what is said in turns by the user and the assistant.
    fn talks(&self, talks: &[&[&str]]) {
        let lines = talks.iter().map(|talk| line(talk) + "\n");
        self.write("chats.jsonl", &lines.collect::<String>());
    }

    fn refusal(&self, line: &str) -> String {
        self.write("chats.jsonl", &format!("{}\n\n{line}\n", line_of_two()));
        let found = self.load(&self.config(), 512);
        found.expect_err(line).to_string()
    }
}

fn line(talk: &[&str]) -> String {
    let roles = ["user", "assistant"].into_iter().cycle();
    let messages = roles.zip(talk);
    let messages = messages.map(|(role, text)| json!({"role": role, "content": text}));
    json!({"messages": messages.collect::<Vec<_>>()}).to_string()
}

fn line_of_two() -> String {
    line(&["hi", "hello"])
}

fn batch(split: &TokenSplit) -> TokenBatch {
    let rows: Vec<u32> = (0..split.windows() as u32).collect();
    split.batch(0, &rows).unwrap()
}

/// The texts that train, one for each stretch of targets.
fn targets(batch: &TokenBatch, tokenizer: &Tokenizer) -> Vec<String> {
    let stretches = batch.targets.chunk_by(|a, b| (*a < 0) == (*b < 0));
    let stretches = stretches.filter(|stretch| stretch[0] >= 0);
    let texts = stretches.map(|stretch| {
        let ids: Vec<u32> = stretch.iter().map(|token| *token as u32).collect();
        tokenizer.decode_all(&ids).unwrap()
    });
    texts.collect()
}

#[test]
fn rows_hold_whole_conversations_that_do_not_see_each_other() {
    let folder = Folder::new();
    folder.talks(&[&["hi", "hello"], &["one", "two", "three", "four"]]);
    let data = folder.load(&folder.config(), 128).unwrap();
    let tokenizer = data.tokenizer.as_ref().unwrap();
    assert_eq!(data.train.windows(), 1);
    let batch = batch(&data.train);
    let wanted = ["hello<|im_end|>", "two<|im_end|>", "four<|im_end|>"];
    assert_eq!(targets(&batch, tokenizer), wanted);
    let starts = batch.starts.as_ref().unwrap();
    let first = starts.iter().position(|start| *start > 0).unwrap();
    assert_eq!(
        starts[first], first as i32,
        "the second begins where the first ends"
    );
    assert_eq!(data.train.chats().unwrap()[0], 2);
    let trained = batch.targets.iter().filter(|target| **target >= 0).count();
    assert_eq!(data.train.chats().unwrap()[1], trained as u64);
    // The cache gives the same.
    let again = folder.load(&folder.config(), 128).unwrap();
    assert_eq!(self::batch(&again.train), batch);
}

#[test]
fn a_conversation_in_each_row_is_as_long_as_the_longest_of_its_batch() {
    let folder = Folder::new();
    folder.talks(&[&["hi", "hello"], &["one", "two", "three", "four"]]);
    let config = ChatDataConfig {
        packing: ChatPacking::None,
        ..folder.config()
    };
    let data = folder.load(&config, 128).unwrap();
    assert_eq!(data.train.windows(), 2);
    let both = batch(&data.train);
    let short = data.train.batch(0, &[0]).unwrap();
    assert!(both.starts.is_none() && short.dims[1] < both.dims[1]);
    assert_eq!(both.inputs[..short.dims[1]], short.inputs);
    let tokenizer = data.tokenizer.as_ref().unwrap();
    let wanted = ["hello<|im_end|>", "two<|im_end|>", "four<|im_end|>"];
    assert_eq!(targets(&both, tokenizer), wanted);
}

#[test]
fn what_is_too_long_ends_after_a_turn_or_where_it_is_told_to() {
    let folder = Folder::new();
    let long = "many words ".repeat(40);
    folder.talks(&[&["one", "two", "three", &long], &["hi", &long], &["a", "b"]]);
    let data = folder.load(&folder.config(), 64).unwrap();
    let tokenizer = data.tokenizer.as_ref().unwrap();
    let wanted = ["two<|im_end|>", "b<|im_end|>"];
    assert_eq!(targets(&batch(&data.train), tokenizer), wanted);
    let notes: Vec<String> = data.notes.iter().map(ToString::to_string).collect();
    let said = "train: 2 conversations have more than 64 tokens: 1 end after the last turn of the assistant that fits, \
                1 have none that fits and are left out";
    assert!(notes.iter().any(|note| note.starts_with(said)), "{notes:?}");
    let config = ChatDataConfig {
        too_long: TooLong::Cut,
        packing: ChatPacking::None,
        max_length: Some(32),
        ..folder.config()
    };
    let data = folder.load(&config, 64).unwrap();
    let cut = batch(&data.train);
    assert_eq!((data.train.windows(), cut.dims), (3, [3, 32]));
    let notes: Vec<String> = data.notes.iter().map(ToString::to_string).collect();
    let said = "2 are cut there, which may be in the midst of a turn";
    assert!(notes.iter().any(|note| note.contains(said)), "{notes:?}");
    // Nothing is left.
    folder.talks(&[&["hi", &long]]);
    let error = folder.load(&folder.config(), 64).expect_err("too long");
    assert!(error.to_string().contains("data.max_length"), "{error}");
}

#[test]
fn chance_deals_conversations_out_and_files_have_their_own() {
    let folder = Folder::new();
    let talks: Vec<String> = (0..20)
        .map(|index| line(&["hi", &format!("answer {index}")]))
        .collect();
    folder.write("chats.jsonl", &talks.join("\n"));
    let mut config = folder.config();
    (config.split.train, config.split.valid) = (0.7, 0.3);
    let data = folder.load(&config, 256).unwrap();
    let tokenizer = data.tokenizer.as_ref().unwrap();
    let texts = |split: &TokenSplit| targets(&batch(split), tokenizer);
    let (train, valid) = (texts(&data.train), texts(data.valid.as_ref().unwrap()));
    assert_eq!((train.len(), valid.len()), (14, 6));
    let mut all = [train, valid].concat();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 20);
    folder.write("valid.jsonl", &line(&["hi", "held out"]));
    config.valid_path = Some(folder.path("valid.jsonl").display().to_string());
    let data = folder.load(&config, 256).unwrap();
    assert_eq!(texts(&data.train).len(), 20);
    assert_eq!(texts(data.valid.as_ref().unwrap()), ["held out<|im_end|>"]);
    folder.talks(&[&["a", "b"]]);
    config.valid_path = None;
    let error = folder.load(&config, 256).expect_err("one conversation");
    assert!(error.to_string().contains("too few"), "{error}");
}

#[test]
fn the_run_ends_its_texts_where_turns_end_and_keeps_the_template() {
    let folder = Folder::new();
    folder.write(
        "generation_config.json",
        "{\"eos_token_id\": 1, \"temperature\": 0.5}",
    );
    folder.talks(&[&["hi", "hello"]]);
    let data = folder.load(&folder.config(), 64).unwrap();
    let tokenizer = data.tokenizer.unwrap();
    let end = tokenizer.token("<|im_end|>").unwrap();
    assert!(tokenizer.ends().contains(&end));
    let said = data
        .notes
        .iter()
        .any(|note| note.to_string().contains("ends with <|im_end|>"));
    assert!(said, "{:?}", data.notes);
    let files = tokenizer.companions();
    let file = |name: &str| &files.iter().find(|(known, _)| *known == name).unwrap().1;
    let generation: Value = serde_json::from_str(file("generation_config.json")).unwrap();
    assert_eq!(
        generation,
        json!({"eos_token_id": [1, end], "temperature": 0.5})
    );
    assert_eq!(file("chat_template.jinja"), TURNS);
    let sample = data.sample.unwrap();
    let wanted = "<|im_start|>user\nhi<|im_end|><|im_start|>assistant\n⟦hello<|im_end|>⟧";
    assert_eq!(sample, wanted);
}

#[test]
fn a_token_before_a_turn_does_not_end_it() {
    let folder = Folder::new();
    let template = "{% for m in messages %}{{ m.content }}{% if m.role == 'user' %}<|im_start|>{% endif %}{% endfor %}";
    folder.write("chat_template.jinja", template);
    folder.talks(&[&["hi", "a"]]);
    for train_on in [TrainOn::Assistant, TrainOn::All] {
        let mut config = folder.config();
        config.train_on = train_on;
        let data = folder.load(&config, 64).unwrap();
        let notes = format!("{:?}", data.notes);
        assert!(notes.contains("end with no special token"), "{notes}");
        assert!(!notes.contains("ends with <|im_start|>"), "{notes}");
    }
}

#[test]
fn an_answer_that_the_template_leaves_out_is_an_error() {
    let folder = Folder::new();
    let shown = "{% if m.role == 'user' %}{{ m.content }}{% endif %}";
    folder.write(
        "chat_template.jinja",
        &TURNS.replace("{{ m.content }}", shown),
    );
    folder.talks(&[&["hi", "hello"]]);
    let error = folder.load(&folder.config(), 64).expect_err("no answer");
    let error = error.to_string();
    assert!(error.contains("writes nothing of a message"), "{error}");
}

#[test]
fn weights_count_in_both_forms() {
    let folder = Folder::new();
    let said = |from: &str, value: &str| json!({"from": from, "value": value});
    let mut bad = said("gpt", "bad");
    bad["weight"] = json!(0);
    let talk = json!([
        said("human", "a"),
        bad,
        said("human", "b"),
        said("gpt", "good")
    ]);
    let line = json!({"conversations": talk}).to_string();
    folder.write("chats.jsonl", &(line + "\n"));
    let sample = folder.load(&folder.config(), 256).unwrap().sample.unwrap();
    assert!(sample.contains("\nbad<|im_end|>"), "{sample}");
    assert!(sample.contains("⟦good<|im_end|>⟧"), "{sample}");
}

#[test]
fn a_template_is_named_by_the_configuration() {
    let folder = Folder::new();
    folder.talks(&[&["hi", "hello"]]);
    fs::remove_file(folder.path("chat_template.jinja")).unwrap();
    let error = folder.load(&folder.config(), 64).expect_err("no template");
    for words in ["data.chat_template", "\"chatml\"", "\"zephyr\""] {
        assert!(error.to_string().contains(words), "{error}");
    }
    let sample = |name: &str| {
        let config = ChatDataConfig {
            chat_template: Some(name.to_owned()),
            ..folder.config()
        };
        folder.load(&config, 64).map(|data| data.sample.unwrap())
    };
    let chatml = "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n⟦hello<|im_end|>⟧\n";
    assert_eq!(sample("chatml").unwrap(), chatml);
    let zephyr = "<|user|>\nhi</s>\n<|assistant|>\n⟦hello</s>⟧\n";
    assert_eq!(sample("zephyr").unwrap(), zephyr);
    folder.write(
        "own.jinja",
        "{% for m in messages %}{{ m.content }}</s>{% endfor %}",
    );
    let own = folder.path("own.jinja").display().to_string();
    assert_eq!(sample(&own).unwrap(), "hi</s>⟦hello</s>⟧");
    assert!(matches!(
        sample("chatlm").expect_err("no file"),
        DataError::Read { .. }
    ));
    folder.write("own.jinja", "{% for m in");
    assert!(
        sample(&own)
            .expect_err("broken")
            .to_string()
            .contains("cannot be understood")
    );
    // The characters of a tokenizer of bytes would spell the tokens of turns.
    let config = ChatDataConfig {
        chat_template: Some("chatml".into()),
        ..folder.config()
    };
    let order = TextOrder {
        seed: 1,
        shuffles: true,
    };
    let bytes = (TokenizerKind::Byte, &TokenizerConfig::default());
    let error = TextData::load_chats(&config, bytes, 64, order).expect_err("no such token");
    assert!(error.to_string().contains("<|im_start|>"), "{error}");
    let config = ChatDataConfig {
        chat_template: Some("zephyr".into()),
        ..config
    };
    assert!(TextData::load_chats(&config, bytes, 64, order).is_ok());
}

#[test]
fn bad_lines_are_errors_that_say_where_and_what_to_do() {
    let folder = Folder::new();
    let message =
        |role: &str, content: &str| format!(r#"{{"role": "{role}", "content": {content}}}"#);
    let (user, answer) = (message("user", "\"a\""), message("assistant", "\"b\""));
    let messages = |list: &[&str]| format!(r#"{{"messages": [{}]}}"#, list.join(", "));
    let table = [
        ("{\"messages\": [".to_owned(), "it is no JSON: EOF"),
        ("[1]".into(), "`jq -c '.[]' FILE` makes lines"),
        ("3".into(), "must be an object"),
        ("{\"text\": \"a\"}".into(), "no field \"messages\" or \"conversations\"; the fields are \"text\": data.field"),
        ("{\"messages\": \"a\"}".into(), "is no list of messages"),
        (messages(&[&user]), "leave the line out"),
        (messages(&[]), "leave the line out"),
        (messages(&[&user, &message("bot", "\"b\"")]), "messages[1] has \"role\" = \"bot\", which is not known; it is one of \"system\""),
        (messages(&[&user, &message("assistant", "\" \"")]), "messages[1] is empty"),
        (messages(&[&user, &message("assistant", "null")]), "messages[1] has no \"content\""),
        (messages(&[&user, &message("assistant", "3")]), "messages[1] has a \"content\" that is no text"),
        (messages(&["{}"]), "messages[0] has neither \"role\" nor \"from\""),
        (messages(&["3"]), "messages[0] is no object"),
        (messages(&[&user, &answer.replace('}', ", \"weight\": 2}")]), "neither 0 nor 1"),
        (messages(&[&user, &answer.replace('}', ", \"weight\": 0}")]), "every weight is 0"),
        (messages(&[&user, &answer.replace('}', ", \"function_call\": {}}")]), "\"tool_calls\""),
        (messages(&[&user, &answer.replace('}', ", \"tool_calls\": 3}")]), "no list"),
        (
            messages(&[&user, r#"{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{"}}]}"#]),
            "\"arguments\" are no JSON object",
        ),
        (messages(&[&user, &answer]).replacen('{', "{\"functions\": [], ", 1), "write them as `tools`"),
        (messages(&[&user, &answer]).replacen('{', "{\"tools\": 3, ", 1), "\"tools\" is no list"),
        (
            r#"{"conversations": [{"from": "human", "value": "a"}, {"from": "bot", "value": "b"}]}"#.into(),
            "conversations[1] has \"from\" = \"bot\", which is not known; it is one of \"system\", \"human\"",
        ),
        (
            r#"{"system": "s", "conversations": [{"from": "system", "value": "a"}, {"from": "gpt", "value": "b"}]}"#.into(),
            "the system speaks twice",
        ),
        (r#"{"conversations": [{"from": "human"}, {"from": "gpt", "value": "b"}]}"#.into(), "has no \"value\""),
    ];
    for (line, words) in table {
        let error = folder.refusal(&line);
        assert!(error.contains("chats.jsonl:3: "), "{error}");
        assert!(error.contains(words), "{line}: {error}");
    }
}

#[test]
fn a_template_that_objects_is_an_error_of_the_line() {
    let folder = Folder::new();
    folder.write("chat_template.jinja", &format!("{TURNS}{{% if messages[0].content == 'a' %}}{{{{ raise_exception('no a') }}}}{{% endif %}}"));
    let error = folder.refusal(&line(&["a", "b"]));
    assert!(
        error.contains("chats.jsonl:3: ") && error.contains("no a"),
        "{error}"
    );
    folder.write(
        "chat_template.jinja",
        "{% for m in messages %}{{ m.role.text.more }}{% endfor %}",
    );
    let error = folder.refusal(&line(&["a", "b"]));
    assert!(error.contains("chats.jsonl:1: "), "{error}");
    fs::remove_file(folder.path("chats.jsonl")).unwrap();
    folder.write("chats.jsonl", " \n\n");
    folder.write("chat_template.jinja", TURNS);
    let error = folder.load(&folder.config(), 64).expect_err("nothing");
    assert!(matches!(error, DataError::Empty { .. }), "{error}");
}

#[test]
fn both_forms_say_the_same() {
    let folder = Folder::new();
    folder.write(
        "chat_template.jinja",
        "{% if tools %}{{ tools | tojson }}{% endif %}{% for m in messages %}<{{ m.role }}>{{ m.content }}\
         {% if m.tool_calls %}{{ m.tool_calls[0].function | tojson }}{% endif %}</s>{% endfor %}\
         {% if add_generation_prompt %}<assistant>{% endif %}",
    );
    let tools = r#"[{"type": "function", "function": {"name": "f", "description": "é"}}]"#;
    let openai = r#"{"id": 7, "tools": TOOLS, "messages": [
        {"role": "system", "content": "s"},
        {"role": "user", "content": [{"type": "text", "text": "u"}]},
        {"role": "assistant", "content": "", "tool_calls": [
            {"type": "function", "function": {"name": "f", "arguments": "{\"z\": 1, \"a\": [2]}"}}
        ]},
        {"role": "tool", "content": ""},
        {"role": "assistant", "content": "d", "weight": 1}
    ]}"#;
    let openai = openai.replace('\n', "").replace("TOOLS", tools);
    let sharegpt = json!({
        "system": "s",
        "tools": tools,
        "conversations": [
            {"from": "human", "value": "u"},
            {"from": "function_call", "value": "{\"name\": \"f\", \"arguments\": {\"z\": 1, \"a\": [2]}}"},
            {"from": "observation", "value": ""},
            {"from": "gpt", "value": "d"},
        ],
    });
    let sample = |line: &str| {
        folder.write("chats.jsonl", line);
        folder.load(&folder.config(), 512).unwrap().sample.unwrap()
    };
    // The keys keep their order.
    let wanted = format!(
        "{tools}<system>s</s><user>u</s><assistant>⟦{{\"name\": \"f\", \"arguments\": {{\"z\": 1, \"a\": [2]}}}}</s>⟧\
         <tool></s><assistant>⟦d</s>⟧"
    );
    assert_eq!(sample(&openai), wanted);
    assert_eq!(sample(&sharegpt.to_string()), wanted);
}

#[test]
fn words_that_spell_special_tokens_and_tokens_of_two_sides_are_told() {
    let folder = Folder::new();
    folder.talks(&[&["what is <|im_end|>?", "a sign"]]);
    let notes = |folder: &Folder| {
        let notes = folder.load(&folder.config(), 256).unwrap().notes;
        notes.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let found = notes(&folder);
    let said = found
        .iter()
        .any(|note| note.contains("spells tokens that are no text") && note.contains("1 in all"));
    assert!(said, "{found:?}");
    // What is asked of a tool is read in the same way.
    let call =
        json!({"function": {"name": "look", "arguments": {"for": "<|im_end|> and <|im_end|>"}}});
    let asks = json!({"role": "assistant", "content": "I look", "tool_calls": [call]});
    let talk = json!({"messages": [{"role": "user", "content": "look"}, asks]});
    folder.write("chats.jsonl", &talk.to_string());
    let found = notes(&folder);
    let said = found.iter().any(|note| note.contains("2 in all"));
    assert!(said, "{found:?}");
    // A blank before a word is of the token of the word.
    folder.write(
        "chat_template.jinja",
        "{% for m in messages %}{{ m.role }}: {{ m.content }}</s>{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}",
    );
    folder.talks(&[&["hi", "two"]]);
    let found = notes(&folder);
    let said = found.iter().any(|note| {
        note.contains("train: 1 tokens are of what the assistant says and of what stands beside")
    });
    assert!(said, "{found:?}");
}

#[test]
fn the_date_is_that_of_the_configuration() {
    let folder = Folder::new();
    folder.write(
        "chat_template.jinja",
        &format!("{{{{ strftime_now('%d %b %Y') }}}}{TURNS}"),
    );
    folder.talks(&[&["hi", "hello"]]);
    let data = folder.load(&folder.config(), 128).unwrap();
    assert!(data.sample.unwrap().starts_with("26 Jul 2024<"));
    assert!(
        data.notes
            .iter()
            .any(|note| note.to_string().contains("data.today"))
    );
    let config = ChatDataConfig {
        today: "2001-02-03".into(),
        ..folder.config()
    };
    let data = folder.load(&config, 128).unwrap();
    assert!(data.sample.unwrap().starts_with("03 Feb 2001<"));
}

#[test]
fn impossible_keys_are_reported() {
    let config = ChatDataConfig {
        max_length: Some(0),
        today: "yesterday".into(),
        chat_template: Some(" ".into()),
        ..ChatDataConfig::new("a")
    };
    let problems = config.validate();
    let keys: Vec<&str> = problems.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["chat_template", "today", "max_length"]);
}

#[test]
fn a_conversation_that_would_fill_the_memory_is_refused() {
    let folder = Folder::new();
    let long = "a ".repeat(3 << 20);
    let error = folder.refusal(&line(&[&long, "hello"]));
    for word in [
        "chats.jsonl:3",
        "4194304 are the most",
        "leave the line out",
    ] {
        assert!(error.contains(word), "no {word} in {error}");
    }
}
