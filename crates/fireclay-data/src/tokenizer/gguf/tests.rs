//! Vocabularies that the package `gguf` wrote, against `sentencepiece` and `tokenizers` (`make.py` in the tests of
//! fireclay-gguf).

use std::path::{Path, PathBuf};

use fireclay_gguf::{Gguf, Value as Entry};
use serde_json::Value;

use super::{Tokens, bpe, companions};
use crate::tokenizer::Tokenizer;

fn data(name: &str) -> PathBuf {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    crates.join("fireclay-gguf/tests/data").join(name)
}

fn load(name: &str) -> Tokenizer {
    Tokenizer::load(&data(&format!("{name}.gguf"))).unwrap()
}

#[test]
fn tokens_are_those_of_the_packages() {
    let expected = std::fs::read(data("tokenizers.json")).unwrap();
    let expected: Value = serde_json::from_slice(&expected).unwrap();
    for (name, probes) in expected.as_object().unwrap() {
        let tokenizer = load(name);
        for probe in probes.as_array().unwrap() {
            let [text, ids, back] = probe.as_array().unwrap().as_slice() else {
                panic!("three parts");
            };
            let ids: Vec<u32> = serde_json::from_value(ids.clone()).unwrap();
            let text = text.as_str().unwrap();
            assert_eq!(tokenizer.encode(text).unwrap(), ids, "{name}: {text:?}");
            assert_eq!(
                tokenizer.decode(&ids).unwrap(),
                back.as_str().unwrap(),
                "{name}"
            );
        }
        // What is exported is read again to the same.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokenizer.json");
        tokenizer.save(&path).unwrap();
        let again = Tokenizer::load(&path).unwrap();
        assert_eq!(again.to_json(), tokenizer.to_json());
    }
}

#[test]
fn ends_starts_and_the_template_are_in_the_file() {
    let pieces = load("pieces");
    assert_eq!((pieces.ends(), pieces.start()), (&[2][..], &[1][..]));
    let gpt2 = load("gpt2");
    // The end of the text, and that of a turn.
    assert_eq!((gpt2.ends(), gpt2.start()), (&[2, 0][..], &[][..]));
    assert_eq!(load("llama-bpe").start(), [1], "as llama.cpp has it");
    let files = gpt2.companions();
    let (_, config) = files
        .iter()
        .find(|(name, _)| *name == "tokenizer_config.json")
        .unwrap();
    let config: Value = serde_json::from_str(config).unwrap();
    assert!(
        config["chat_template"]
            .as_str()
            .unwrap()
            .contains("<|im_start|>")
    );
    assert_eq!(
        (&config["eos_token"], &config["bos_token"]),
        (&"<|im_end|>".into(), &"<|im_start|>".into())
    );
}

#[test]
fn special_tokens_are_found_in_a_text_and_left_out_of_one() {
    let gpt2 = load("gpt2");
    let tokens = gpt2.encode("<|im_start|>the").unwrap();
    assert_eq!(tokens[0], 1);
    assert_eq!(gpt2.decode(&tokens).unwrap(), "the");
}

#[test]
fn bytes_that_are_no_text_do_not_end_it() {
    let pieces = load("pieces");
    let token = |name: &str| pieces.token(name).unwrap();
    let mut stream = pieces.stream();
    let tokens = [
        token("\u{2581}the"),
        token("<0x02>"),
        token("<0xE9>"),
        token("\u{2581}the"),
    ];
    let text: String = tokens
        .iter()
        .filter_map(|token| stream.push(*token).unwrap())
        .collect();
    assert!(
        text.starts_with("the\u{2}") && text.ends_with(" the"),
        "{text:?}"
    );
    // A character of bytes comes whole after a line's end that is a byte.
    let mut stream = pieces.stream();
    let bytes = ["<0x0A>", "<0xF0>", "<0x9F>", "<0x94>", "<0xA5>"].map(token);
    let text: String = bytes
        .iter()
        .filter_map(|token| stream.push(*token).unwrap())
        .collect();
    assert_eq!(text, "\n\u{1f525}");
}

#[test]
fn another_kind_of_tokenizer_is_refused_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.gguf");
    let refused = |from: &[u8], to: &[u8], part: &str| {
        let bytes = std::fs::read(data("smollm.gguf")).unwrap();
        let at = bytes
            .windows(from.len())
            .position(|piece| piece == from)
            .unwrap();
        std::fs::write(
            &path,
            [&bytes[..at], to, &bytes[at + from.len()..]].concat(),
        )
        .unwrap();
        let error = Tokenizer::load(&path).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    refused(
        b"smollm",
        b"falcon",
        "tokenizer.ggml.pre is \"falcon\", and gpt-2",
    );
    refused(b"gpt2", b"bert", "tokenizer.ggml.model is \"bert\"");
    refused(b"ggml.tokens", b"ggml.nothin", "no tokenizer.ggml.tokens");
    refused(b"ggml.pre", b"ggml.per", "does not say tokenizer.ggml.pre");
}

#[test]
fn turns_end_at_what_the_template_ends_them_with() {
    let mut file = Gguf::open(&data("gpt2.gguf")).unwrap();
    let ends = |file: &Gguf| {
        let made = companions(file, &Tokens::of(file).unwrap());
        let (_, json) = made
            .files
            .iter()
            .find(|(name, _)| *name == "generation_config.json")
            .unwrap();
        let json: Value = serde_json::from_str(json).unwrap();
        json["eos_token_id"].clone()
    };
    // The file names the end of the text alone; <|im_end|> is token 2.
    let eos = ("tokenizer.ggml.eos_token_id".into(), Entry::Integer(0));
    file.metadata.extend([eos]);
    file.metadata.remove("tokenizer.ggml.eot_token_id");
    assert_eq!(ends(&file), serde_json::json!([0, 2]));
    let template = file.metadata.remove("tokenizer.chat_template").unwrap();
    assert_eq!(ends(&file), serde_json::json!([0]));
    // A word of the text that is called so ends nothing.
    let mut kinds = file.integers("tokenizer.ggml.token_type").unwrap().to_vec();
    kinds[2] = 1;
    file.metadata.extend([
        ("tokenizer.chat_template".into(), template),
        ("tokenizer.ggml.token_type".into(), Entry::Integers(kinds)),
    ]);
    assert_eq!(ends(&file), serde_json::json!([0]));
}

#[test]
fn only_the_cut_of_gpt_2_heeds_a_space_before_a_text() {
    let prefix = |name: &str| {
        let mut file = Gguf::open(&data(name)).unwrap();
        let key = "tokenizer.ggml.add_space_prefix".to_owned();
        file.metadata.insert(key, Entry::Truth(true));
        let json = bpe::json(&file, &Tokens::of(&file).unwrap()).unwrap();
        json["pre_tokenizer"].to_string()
    };
    let adds = "\"add_prefix_space\":true";
    assert!(prefix("gpt2.gguf").contains(adds));
    for name in ["smollm.gguf", "llama-bpe.gguf", "qwen2.gguf"] {
        assert!(!prefix(name).contains(adds), "{name}");
    }
}
