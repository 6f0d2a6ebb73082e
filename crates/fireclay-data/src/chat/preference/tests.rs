use std::fs;

use serde_json::json;
use tempfile::TempDir;

use super::config::{LongPair, PlainText, PreferenceDataConfig};
use super::dataset::PreferenceData;
use super::pair::holds_preferences;
use super::split::PreferenceSplit;
use crate::error::DataError;
use crate::tokenizer::{Tokenizer, TokenizerConfig, TokenizerKind};

struct Folder(TempDir);

impl Folder {
    fn of(lines: &[serde_json::Value]) -> Self {
        let folder = Self(TempDir::new().unwrap());
        let lines = lines.iter().map(|line| format!("{line}\n"));
        folder.write(&lines.collect::<String>());
        folder
    }

    fn write(&self, text: &str) {
        fs::write(self.0.path().join("pairs.jsonl"), text).unwrap();
    }

    /// Everything trains; messages are written by the template that needs least.
    fn config(&self) -> PreferenceDataConfig {
        let path = |name: &str| self.0.path().join(name).display().to_string();
        let mut config = PreferenceDataConfig {
            chat_template: Some("zephyr".into()),
            cache_dir: Some(path("cache")),
            ..PreferenceDataConfig::new(path("pairs.jsonl"))
        };
        (config.split.train, config.split.valid) = (1.0, 0.0);
        config
    }

    fn load(&self, config: &PreferenceDataConfig) -> Result<PreferenceData, DataError> {
        let tokenizer = TokenizerConfig::default();
        PreferenceData::load(config, (TokenizerKind::Byte, &tokenizer), 256, 7)
    }

    fn loaded(&self) -> PreferenceData {
        self.load(&self.config()).unwrap()
    }

    fn refused(&self) -> String {
        self.load(&self.config()).unwrap_err().to_string()
    }
}

/// The whole text of each row, with what counts of it between brackets: all better answers, then the others.
fn rows(split: &PreferenceSplit, tokenizer: &Tokenizer) -> Vec<String> {
    let indices: Vec<u32> = (0..split.pairs() as u32).collect();
    let batch = split.batch(&indices).unwrap();
    assert_eq!(batch.dims[0], 2 * split.pairs());
    let decode = |tokens: &[i32]| {
        let tokens: Vec<u32> = tokens.iter().map(|token| *token as u32).collect();
        tokenizer.decode_all(&tokens).unwrap()
    };
    let inputs = batch.inputs.chunks(batch.dims[1]);
    let targets = batch.targets.chunks(batch.dims[1]);
    let row = |(inputs, targets): (&[i32], &[i32])| {
        let first = targets.iter().position(|target| *target >= 0).unwrap();
        let counted: Vec<i32> = targets
            .iter()
            .copied()
            .filter(|target| *target >= 0)
            .collect();
        format!("{}[{}]", decode(&inputs[..=first]), decode(&counted))
    };
    inputs.zip(targets).map(row).collect()
}

fn said(data: &PreferenceData, words: &str) -> bool {
    let notes = data.notes.iter().map(ToString::to_string);
    notes.into_iter().any(|note| note.contains(words))
}

fn of(role: &str, content: &str) -> serde_json::Value {
    json!({"role": role, "content": content})
}

const END: &str = "<|endoftext|>";

#[test]
fn texts_are_read_as_they_stand_and_end() {
    let folder = Folder::of(&[
        json!({"prompt": "2 + 2 = ", "chosen": "4", "rejected": "five", "score": 3}),
        json!({"prompt": "Say hi:", "chosen": " hi", "rejected": format!(" no{END}")}),
    ]);
    let data = folder.loaded();
    let wanted = [
        format!("2 + 2 = [4{END}]"),
        format!("Say hi:[ hi{END}]"),
        format!("2 + 2 = [five{END}]"),
        format!("Say hi:[ no{END}]"),
    ];
    assert_eq!(rows(&data.train, &data.tokenizer), wanted);
    assert_eq!(
        (data.train.pairs(), data.train.trained()),
        (2, 2 + 5 + 4 + 4)
    );
    assert_eq!(data.train.longest(), 12);
    let whole = data.train.whole(&[0, 1]).unwrap();
    let ends = whole.targets.iter().enumerate();
    let ends: Vec<usize> = ends.filter(|(_, at)| **at == 0).map(|(at, _)| at).collect();
    assert_eq!(
        (whole.dims, ends),
        ([4, 13], vec![9, 13 + 10, 26 + 12, 39 + 10])
    );
    let end = data.tokenizer.end_of_text().unwrap() as i32;
    assert!(
        [9, 23, 38, 49]
            .iter()
            .all(|at: &usize| whole.inputs[*at] == end)
    );
    assert!(said(&data, "2 lines are texts and are read as they stand"));
    assert!(
        data.sample.contains(&format!("chosen:\n2 + 2 = ⟦4{END}⟧")),
        "{}",
        data.sample
    );
}

#[test]
fn texts_may_be_written_as_messages() {
    let folder = Folder::of(&[
        json!({"question": "2 + 2?", "chosen": "4", "rejected": "5", "system": "Add."}),
    ]);
    let config = PreferenceDataConfig {
        plain: PlainText::Messages,
        prompt: Some("question".into()),
        ..folder.config()
    };
    let data = folder.load(&config).unwrap();
    let row = &rows(&data.train, &data.tokenizer)[0];
    assert!(row.starts_with("<|system|>\nAdd."), "{row}");
    assert!(
        row.contains("<|user|>\n2 + 2?") && row.contains("[4<|endoftext|>]"),
        "{row}"
    );
    let error = folder.refused();
    assert!(error.contains("begin with nothing in common"), "{error}");
}

#[test]
fn a_prompt_is_what_both_answers_begin_with() {
    let asked = [of("system", "Be brief."), of("user", "Which river?")];
    let talk = |last: &str| [&asked[..], &[of("assistant", last)]].concat();
    let folder = Folder::of(&[
        // Implicit, explicit, repeated, repeated after the system, a text and messages, messages and texts.
        json!({"chosen": talk("The Nile."), "rejected": talk("None.")}),
        json!({"prompt": asked, "chosen": [of("assistant", "The Nile.")], "rejected": [of("assistant", "None.")]}),
        json!({"prompt": asked, "chosen": talk("The Nile."), "rejected": talk("None.")}),
        json!({"prompt": "Which river?", "chosen": talk("The Nile."), "rejected": talk("None.")}),
        json!({"prompt": asked, "chosen": "The Nile.", "rejected": "None."}),
    ]);
    let data = folder.loaded();
    let rows = rows(&data.train, &data.tokenizer);
    let asked =
        "<|system|>\nBe brief.<|endoftext|>\n<|user|>\nWhich river?<|endoftext|>\n<|assistant|>\n";
    for row in &rows[..5] {
        assert_eq!(row, &format!("{asked}[The Nile.{END}]"));
    }
    for row in &rows[5..] {
        assert_eq!(row, &format!("{asked}[None.{END}]"));
    }
    let folder = Folder::of(&[json!({
        "chosen": "\n\nHuman: Which river?\n\nAssistant: The Nile it is.",
        "rejected": "\n\nHuman: Which river?\n\nAssistant: The Nisse.",
    })]);
    let data = folder.loaded();
    let wanted = [
        format!("\n\nHuman: Which river?\n\nAssistant: The[ Nile it is.{END}]"),
        format!("\n\nHuman: Which river?\n\nAssistant: The[ Nisse.{END}]"),
    ];
    assert_eq!(self::rows(&data.train, &data.tokenizer), wanted);
    assert!(said(&data, "1 lines have no prompt"));
}

#[test]
fn an_answer_may_be_several_messages_of_which_the_assistants_count() {
    let folder = Folder::of(&[json!({
        "prompt": [of("user", "Hi")],
        "chosen": [of("assistant", "Hello"), of("user", "Bye"), of("assistant", "See you")],
        "rejected": [of("assistant", "What")],
    })]);
    let data = folder.loaded();
    let [chosen, rejected] = &rows(&data.train, &data.tokenizer)[..] else {
        panic!("one pair");
    };
    assert!(
        chosen.ends_with(&format!("[Hello{END}See you{END}]")),
        "{chosen}"
    );
    assert!(rejected.ends_with(&format!("[What{END}]")), "{rejected}");
}

#[test]
fn pairs_that_say_nothing_are_left_out_and_counted() {
    let good = json!({"prompt": "a", "chosen": "b", "rejected": "c"});
    let folder = Folder::of(&[
        json!({"prompt": "a", "chosen": "b", "rejected": "b"}),
        json!({"prompt": "a", "chosen": " ", "rejected": "b"}),
        json!({"prompt": [of("user", "a")], "chosen": [of("assistant", "b")], "rejected": [of("assistant", "")]}),
        good.clone(),
        json!({"prompt": "a", "chosen": "word ".repeat(80), "rejected": "b"}),
        json!({"prompt": "prompt ".repeat(80), "chosen": "b", "rejected": "c"}),
    ]);
    let data = folder.loaded();
    assert_eq!(data.train.pairs(), 1);
    for words in [
        "train: 2 pairs have an answer that says nothing",
        "train: 1 pairs have two answers that are the same",
        "train: 2 pairs have a prompt and answer of more than 256 tokens: 2 are left out",
    ] {
        assert!(said(&data, words), "{words}: {:?}", data.notes);
    }
    let config = PreferenceDataConfig {
        too_long: LongPair::Cut,
        ..folder.config()
    };
    let data = folder.load(&config).unwrap();
    assert_eq!((data.train.pairs(), data.train.longest()), (2, 256));
    assert!(said(
        &data,
        "1 have their answers cut there, 1 have nothing left"
    ));
    let folder = Folder::of(&[json!({"prompt": "a", "chosen": "b", "rejected": "b"})]);
    let error = folder.refused();
    assert!(error.contains("of 1 both say the same"), "{error}");
}

#[test]
fn what_is_wrong_with_a_line_is_said_with_its_number() {
    let cases = [
        (json!(["a"]), "must be an object"),
        (
            json!({"prompt": "a", "chosen": "b"}),
            "no field \"rejected\"; the fields are \"chosen\", \"prompt\"",
        ),
        (
            json!({"prompt": "a", "chosen": 1, "rejected": "b"}),
            "neither a text nor a list",
        ),
        (
            json!({"chosen": "b", "rejected": "c"}),
            "data.prompt names its field",
        ),
        (
            json!({"chosen": [of("user", "a")], "rejected": [of("user", "b")]}),
            "after the 0 messages of the prompt",
        ),
        (
            json!({"chosen": [of("assistant", "a")], "rejected": [of("assistant", "b")]}),
            "no message before the answers",
        ),
        (
            json!({"prompt": [of("user", "a")], "chosen": [of("chef", "a")], "rejected": [of("assistant", "b")]}),
            "chosen[0] has \"role\" = \"chef\"",
        ),
        (
            json!({"prompt": "a", "system": "b", "chosen": "c", "rejected": "d"}),
            "data.plain = \"messages\"",
        ),
    ];
    for (line, words) in cases {
        let good = json!({"prompt": "a", "chosen": "b", "rejected": "c"});
        let error = Folder::of(&[good, line]).refused();
        assert!(
            error.contains("pairs.jsonl:2: ") && error.contains(words),
            "{error}"
        );
    }
}

#[test]
fn messages_need_a_template_and_texts_do_not() {
    let folder = Folder::of(&[json!({"prompt": "a", "chosen": "b", "rejected": "c"})]);
    let plain = PreferenceDataConfig {
        chat_template: None,
        ..folder.config()
    };
    let data = folder.load(&plain).unwrap();
    assert!(!said(&data, "read as they stand"));
    let talk = json!({"prompt": [of("user", "a")], "chosen": "b", "rejected": "c"});
    folder.write(&format!("{talk}\n"));
    let error = folder.load(&plain).unwrap_err().to_string();
    assert!(error.contains("without a chat template"), "{error}");
}

#[test]
fn chance_deals_pairs_out_and_the_cache_gives_them_again() {
    let pair =
        |index: usize| json!({"prompt": "a", "chosen": format!("b{index}"), "rejected": "c"});
    let lines: Vec<_> = (0..20).map(pair).collect();
    let folder = Folder::of(&lines);
    let mut config = folder.config();
    (config.split.train, config.split.valid) = (0.7, 0.3);
    let [first, again] = [0, 1].map(|_| folder.load(&config).unwrap());
    let texts = |data: &PreferenceData| {
        let valid = data.valid.as_ref().unwrap();
        assert_eq!((data.train.pairs(), valid.pairs()), (14, 6));
        [&data.train, valid].map(|split| rows(split, &data.tokenizer))
    };
    assert_eq!(texts(&first), texts(&again));
    assert!(first.notes == again.notes, "{:?}", again.notes);
    let path = &config.path;
    let (split, _) = PreferenceSplit::of_file(path, &config, &first.tokenizer, 256).unwrap();
    assert_eq!(split.pairs(), 20);
    assert!(holds_preferences(path).unwrap());
    folder.write("{\"messages\": []}\n");
    assert!(!holds_preferences(path).unwrap());
}

#[test]
fn impossible_keys_are_reported() {
    let config = PreferenceDataConfig {
        max_length: Some(0),
        rejected: "chosen".into(),
        today: "yesterday".into(),
        ..PreferenceDataConfig::new("a")
    };
    let problems = config.validate();
    let keys: Vec<&str> = problems.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["rejected", "today", "max_length"]);
}
