use proptest::prelude::*;

use super::*;
use crate::testing::{Folder, refused, with};

const TEXT: &str = "the cat sat on the mat, the cat ate; the mäuse flohen vor dem Kater.\n\
                    Who sat on the cat? The hat of the man that sat on the mat.\n";

/// The kinds whose vocabulary is learned.
const TRAINED: [TokenizerKind; 3] = [
    TokenizerKind::Bpe,
    TokenizerKind::Wordpiece,
    TokenizerKind::Unigram,
];

fn config(vocabulary_size: usize) -> TokenizerConfig {
    with(TokenizerConfig::default(), |tokenizer| {
        tokenizer.vocabulary_size = vocabulary_size
    })
}

fn train(kind: TokenizerKind) -> Tokenizer {
    let size = kind.least_vocabulary().unwrap_or_default() + 50;
    let texts = (0..3).map(|_| Ok(TEXT.to_owned()));
    Tokenizer::train(kind, &config(size), texts).unwrap()
}

fn streamed(tokenizer: &Tokenizer, tokens: &[u32]) -> String {
    let mut stream = tokenizer.stream();
    let pieces = tokens.iter().map(|token| stream.push(*token).unwrap());
    pieces.flatten().collect()
}

#[test]
fn a_text_after_another_is_decoded_as_if_they_were_one() {
    for kind in TRAINED {
        let tokenizer = train(kind);
        let tokens = tokenizer.encode(&TEXT.repeat(4)).unwrap();
        let whole = tokenizer.decode(&tokens).unwrap();
        for end in [0, 1, 2, 63, 64, 65, 100, tokens.len() - 1] {
            let (before, after) = tokens.split_at(end);
            if tokenizer.decode(before).unwrap().ends_with('\u{fffd}') {
                continue;
            }
            let mut stream = tokenizer.stream_after(before).unwrap();
            let pieces = after.iter().map(|token| stream.push(*token).unwrap());
            let found: String = pieces.flatten().collect();
            assert!(
                !found.is_empty() && whole.ends_with(&found),
                "{kind:?} {end}"
            );
            let missing = whole.len() - found.len();
            assert_eq!(
                whole[..missing],
                tokenizer.decode(before).unwrap(),
                "{kind:?} {end}"
            );
        }
    }
}

#[test]
fn bytes_at_the_end_that_are_no_character_are_not_lost() {
    let none = std::iter::empty();
    let config = TokenizerConfig::default();
    let tokenizer = Tokenizer::train(TokenizerKind::Byte, &config, none).unwrap();
    let tokens = tokenizer.encode("a mäuse\u{20ac}").unwrap();
    for end in 1..=tokens.len() {
        let mut stream = tokenizer.stream();
        let pieces = tokens[..end].iter();
        let pieces = pieces.map(|token| stream.push(*token).unwrap());
        let text: String = pieces.flatten().collect();
        let rest = stream.rest().unwrap();
        assert_eq!(text + &rest, tokenizer.decode(&tokens[..end]).unwrap());
        assert!(rest.is_empty() || rest.ends_with('\u{fffd}'), "{rest:?}");
    }
    let mut stream = tokenizer.stream_after(&tokens[..2]).unwrap();
    assert_eq!(stream.push(tokens[2]).unwrap().as_deref(), Some("m"));
    assert_eq!(stream.push(tokens[3]).unwrap(), None);
    assert_eq!(stream.rest().unwrap(), "\u{fffd}");
}

/// A million tokens of nothing, or of characters that a decoder waits after, take no longer than a few.
#[test]
fn a_text_after_a_very_long_one_of_nothing_to_decode_begins_at_once() {
    let tokenizer = train(TokenizerKind::Bpe);
    let special = tokenizer.end_of_text().unwrap();
    let replacement = tokenizer.encode("\u{fffd}").unwrap();
    let after = tokenizer.encode("a").unwrap();
    for unit in [vec![special], replacement] {
        let before: Vec<u32> = unit.into_iter().cycle().take(999_999).collect();
        let start = std::time::Instant::now();
        let mut stream = tokenizer.stream_after(&before).unwrap();
        let pieces = after.iter().map(|token| stream.push(*token).unwrap());
        assert_eq!(pieces.flatten().collect::<String>().trim(), "a");
        assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
    }
}

#[test]
fn a_character_has_a_token_and_an_unknown_one_has_that_of_the_unknown() {
    let tokenizer = train(TokenizerKind::Char);
    let characters: std::collections::BTreeSet<char> = TEXT.chars().collect();
    assert_eq!(tokenizer.vocabulary(), characters.len() + 2);
    let tokens = tokenizer.encode("tä\u{4e2d}t").unwrap();
    assert_eq!(tokens.len(), 4);
    assert_eq!((tokens[0], tokens[2]), (tokens[3], 1));
    assert_eq!(tokenizer.decode(&tokens).unwrap(), "tät");
    assert_eq!(tokenizer.end_of_text(), Some(0));
}

#[test]
fn the_files_beside_a_tokenizer_say_which_tokens_end_a_text() {
    let json = train(TokenizerKind::Char).to_json();
    let folder = Folder::new(&[("tokenizer.json", json.as_bytes())]);
    let load = || Tokenizer::load(folder.path("tokenizer.json").as_ref()).unwrap();
    assert_eq!(load().ends(), [0]);
    folder.write(
        "tokenizer_config.json",
        r#"{"eos_token": {"content": "<unk>"}}"#,
    );
    assert_eq!(load().ends(), [1]);
    folder.write("config.json", r#"{"eos_token_id": 5, "bos_token_id": 7}"#);
    assert_eq!(load().ends(), [5]);
    folder.write(
        "generation_config.json",
        r#"{"eos_token_id": [4, 1, 999999]}"#,
    );
    let tokenizer = load();
    // The tokenizer's own comes first; one that is not there counts for nothing.
    assert_eq!(tokenizer.ends(), [1, 4]);
    assert_eq!(tokenizer.end_of_text(), Some(1));
    assert_eq!(tokenizer.ids()["bos_token_id"], 7);
    let kept: Vec<_> = tokenizer
        .companions()
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(kept, ["generation_config.json", "tokenizer_config.json"]);
    assert_eq!(tokenizer.generation(), None);
}

#[test]
fn a_file_beside_a_tokenizer_that_cannot_be_read_is_named() {
    let json = train(TokenizerKind::Char).to_json();
    let cases = [
        ("generation_config.json", "{\"eos_token_id\": ", "EOF"),
        (
            "generation_config.json",
            "{\"eos_token_id\": \"</s>\"}",
            "no number of a token",
        ),
        (
            "generation_config.json",
            "{\"pad_token_id\": [1, -7]}",
            "no number of a token",
        ),
        ("tokenizer_config.json", "", "EOF"),
        ("special_tokens_map.json", "[1]", "no object"),
    ];
    for (name, text, word) in cases {
        let folder = Folder::new(&[("tokenizer.json", json.as_bytes())]);
        let load = || Tokenizer::load(folder.path("tokenizer.json").as_ref());
        folder.write(name, text);
        let error = load().expect_err(text).to_string();
        assert!(error.contains(name) && error.contains(word), "{error}");
        std::fs::remove_file(folder.path(name)).unwrap();
        std::fs::create_dir(folder.path(name)).unwrap();
        let error = load().expect_err("a folder").to_string();
        assert!(
            error.contains(name) && error.contains("no plain file"),
            "{error}"
        );
    }
    let folder = Folder::new(&[("tokenizer.json", json.as_bytes())]);
    folder.write(
        "generation_config.json",
        "{\"eos_token_id\": [1], \"pad_token_id\": -1}",
    );
    let tokenizer = Tokenizer::load(folder.path("tokenizer.json").as_ref()).unwrap();
    assert_eq!(tokenizer.ends(), [1]);
}

#[test]
fn what_has_no_token_and_what_spells_one_is_counted() {
    let tally = |kind, text: &str| {
        let tokenizer = train(kind);
        let tokens = tokenizer.encode(text).unwrap();
        let Tally { unknown, spelled } = tokenizer.tally(text, &tokens);
        (unknown, spelled)
    };
    let text = "the \u{4e2d}\u{4e2d} cat <unk>";
    assert_eq!(tally(TokenizerKind::Char, text), (2, 1));
    assert_eq!(tally(TokenizerKind::Byte, text), (0, 0));
    assert_eq!(tally(TokenizerKind::Byte, "a<|endoftext|>b"), (0, 1));
    assert_eq!(tally(TokenizerKind::Wordpiece, "the [SEP] cat"), (0, 1));
    assert!(tally(TokenizerKind::Unigram, "the \u{4e2d} cat").0 > 0);
    assert_eq!(tally(TokenizerKind::Unigram, "the cat"), (0, 0));
}

#[test]
fn a_byte_is_its_own_token() {
    let tokenizer = train(TokenizerKind::Byte);
    assert_eq!(tokenizer.vocabulary(), 257);
    let text: String = (0..=0x2ff).filter_map(char::from_u32).collect();
    let bytes: Vec<u32> = text.bytes().map(u32::from).collect();
    assert_eq!(tokenizer.encode(&text).unwrap(), bytes);
    assert_eq!(tokenizer.decode(&bytes).unwrap(), text);
}

#[test]
fn trained_tokenizers_keep_to_their_size_and_give_the_text_back() {
    for kind in TRAINED {
        let tokenizer = train(kind);
        let size = kind.least_vocabulary().unwrap() + 50;
        assert!(tokenizer.vocabulary() <= size, "{kind:?}");
        let text = "the cat sat on the hat";
        let tokens = tokenizer.encode(text).unwrap();
        assert!(tokens.len() < text.len(), "{kind:?}");
        assert_eq!(tokenizer.decode(&tokens).unwrap(), text, "{kind:?}");
        assert_eq!(streamed(&tokenizer, &tokens), text, "{kind:?}");
        assert!(tokenizer.end_of_text().is_some(), "{kind:?}");
    }
}

/// Each hash table has an order of its own, also those of one process.
#[test]
fn what_is_trained_is_a_function_of_the_text() {
    let text = include_str!("train.rs");
    for kind in TRAINED {
        let train = || {
            let lines = text.lines().map(|line| Ok(line.to_owned()));
            let trained = Tokenizer::train(kind, &config(400), lines).unwrap();
            trained.to_json()
        };
        let first = train();
        for _ in 0..5 {
            assert_eq!(train(), first, "{kind:?}");
        }
    }
}

#[test]
fn what_is_saved_comes_back_and_what_is_no_tokenizer_does_not() {
    let folder = Folder::new(&[]);
    let path = PathBuf::from(folder.path("deep/tokenizer.json"));
    let is_made = |kind: &TokenizerKind| *kind != TokenizerKind::File;
    for kind in TokenizerKind::ALL.into_iter().filter(is_made) {
        let tokenizer = train(kind);
        tokenizer.save(&path).unwrap();
        let again = Tokenizer::load(&path).unwrap();
        assert_eq!(again.to_json(), tokenizer.to_json(), "{kind:?}");
        assert_eq!(again.encode(TEXT).unwrap(), tokenizer.encode(TEXT).unwrap());
    }
    folder.write("deep/tokenizer.json", "{\"version\": \"1.0\"}");
    let expected = "tokenizer.json: it is no tokenizer";
    refused(Tokenizer::load(&path), &[expected]);
}

#[test]
fn tokens_stand_in_a_text_with_a_blank_before_a_word() {
    for kind in TRAINED {
        let tokenizer = train(kind);
        let surfaces = tokenizer.surfaces();
        let tokens = tokenizer.encode("the cat, the hatman").unwrap();
        let texts: Vec<String> = tokens
            .iter()
            .map(|token| surfaces.text(*token).unwrap())
            .collect();
        let whole = texts.concat();
        let is_wordpiece = kind == TokenizerKind::Wordpiece;
        let expected = if is_wordpiece {
            "the cat , the hatman"
        } else {
            "the cat, the hatman"
        };
        assert_eq!(whole.trim(), expected, "{kind:?}: {texts:?}");
        assert!(!surfaces.is_special(tokens[0]));
        let end = tokenizer.end_of_text().unwrap();
        assert!(surfaces.is_special(end), "{kind:?}");
    }
    let char = train(TokenizerKind::Char);
    let tokens = char.encode("t ").unwrap();
    let text = |token: &u32| char.surfaces().text(*token).unwrap();
    assert_eq!(tokens.iter().map(text).collect::<Vec<_>>(), ["t", " "]);
}

#[test]
fn small_letters_only_where_asked_for() {
    for kind in TRAINED {
        let config = with(config(320), |tokenizer| tokenizer.lowercase = true);
        let texts = std::iter::once(Ok(TEXT.to_owned()));
        let tokenizer = Tokenizer::train(kind, &config, texts).unwrap();
        let tokens = tokenizer.encode("THE cat").unwrap();
        assert_eq!(tokenizer.decode(&tokens).unwrap(), "the cat", "{kind:?}");
    }
}

#[test]
fn impossible_values_are_named() {
    let keys = |kind, config: &TokenizerConfig| -> Vec<String> {
        let problems = config.validate(kind).into_iter();
        problems.map(|(key, _)| key).collect()
    };
    assert_eq!(keys(TokenizerKind::File, &config(1)), ["path"]);
    assert_eq!(keys(TokenizerKind::Bpe, &config(256)), ["vocabulary_size"]);
    let path = Some("a.json".into());
    let path = with(TokenizerConfig::default(), |config| config.path = path);
    assert_eq!(keys(TokenizerKind::Char, &path), ["path"]);
    assert_eq!(keys(TokenizerKind::File, &path), [""; 0]);
}

proptest! {
    /// Names of tokens are among what is drawn, whole and in part.
    #[test]
    fn what_is_looked_up_is_what_the_tokenizer_finds(
        parts in prop::collection::vec("\\PC{0,8}|<\\|endoftext\\|>|<unk>|<unk|endoftext|>", 0..6),
    ) {
        let text = parts.concat();
        for kind in [TokenizerKind::Byte, TokenizerKind::Char] {
            let tokenizer = train(kind);
            prop_assert!(tokenizer.table.is_some());
            let found = tokenizer.inner.encode_fast(text.as_str(), false).unwrap();
            prop_assert_eq!(tokenizer.encode(&text).unwrap(), found.get_ids());
        }
        prop_assert!(train(TokenizerKind::Bpe).table.is_none());
    }

    #[test]
    fn any_text_comes_back_from_bytes_and_byte_pairs(text in "\\PC{0,40}") {
        prop_assume!(!text.contains("<|endoftext|>"));
        for kind in [TokenizerKind::Byte, TokenizerKind::Bpe] {
            let tokenizer = train(kind);
            let tokens = tokenizer.encode(&text).unwrap();
            prop_assert_eq!(tokenizer.decode(&tokens).unwrap(), text.clone());
        }
    }
}
