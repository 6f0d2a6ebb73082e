use std::fs;
use std::io::Write;
use std::path::Path;

use proptest::prelude::*;
use tempfile::TempDir;

use super::corpus::Corpus;
use super::*;
use crate::error::DataError;
use crate::tokenizer::{TokenizerConfig, TokenizerKind};

/// A folder for text and the cache, and the text file in it.
struct Place(TempDir);

impl Place {
    fn new(text: &[u8]) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        place.write("input.txt", text);
        place
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    fn config(&self, name: &str) -> TextDataConfig {
        let mut config = TextDataConfig::new(self.path(name));
        config.cache_dir = Some(self.path("cache"));
        config
    }

    fn load(&self, config: &TextDataConfig, context: usize) -> Result<TextData, DataError> {
        let tokenizer = TokenizerConfig::default();
        let tokenizer = Some((TokenizerKind::Byte, &tokenizer));
        TextData::load(TextFormat::Text, config, tokenizer, context, 42)
    }

    fn corpus(&self, names: &[&str], field: Option<&str>) -> Corpus {
        Corpus {
            files: names.iter().map(|name| self.path(name).into()).collect(),
            field: field.map(String::from),
        }
    }
}

fn ids(bytes: &[u8]) -> Vec<i32> {
    bytes.iter().map(|byte| i32::from(*byte)).collect()
}

fn all(split: &TokenSplit, epoch: u64) -> TokenBatch {
    let indices: Vec<u32> = (0..split.windows() as u32).collect();
    split.batch(epoch, &indices).unwrap()
}

#[test]
fn the_whole_of_a_held_out_split_is_foretold_once() {
    let text: Vec<u8> = (0..100).map(|at| b'a' + at % 26).collect();
    let place = Place::new(&text);
    let data = place.load(&place.config("input.txt"), 4).unwrap();
    assert_eq!(data.vocabulary, 257);
    assert_eq!((data.train.tokens(), data.train.bytes()), (90, 90));
    let valid = data.valid.unwrap();
    let batch = all(&valid, 3);
    assert_eq!((valid.windows(), batch.dims), (3, [3, 4]));
    let mut targets = ids(&text[91..]);
    targets.extend([-1; 3]);
    assert_eq!(batch.targets, targets);
    assert_eq!(batch.inputs[..9], ids(&text[90..99]));
    assert!(data.test.is_none());
}

#[test]
fn training_windows_move_from_epoch_to_epoch_and_never_leave_their_split() {
    let text: Vec<u8> = (0..=255).filter(|byte| *byte < 128).collect();
    let place = Place::new(&text);
    let mut config = place.config("input.txt");
    (config.split.train, config.split.valid) = (0.5, 0.5);
    let data = place.load(&config, 8).unwrap();
    assert_eq!(data.train.windows(), 7);
    let mut starts = std::collections::BTreeSet::new();
    for epoch in 0..40 {
        let batch = all(&data.train, epoch);
        assert_eq!(batch, all(&data.train, epoch));
        let next: Vec<i32> = batch.inputs.iter().map(|token| token + 1).collect();
        assert_eq!(batch.targets, next);
        assert!(batch.targets.iter().all(|token| *token < 64));
        starts.insert(batch.inputs[0]);
    }
    assert_eq!(starts, (0..8).collect());
}

/// What each document of a batch is: its place in its row, its tokens, and the one after them.
fn documents(batch: &TokenBatch) -> Vec<(i32, Vec<i32>, i32)> {
    let starts = batch.starts.as_ref().expect("rows of documents");
    let mut found: Vec<(i32, Vec<i32>, i32)> = Vec::new();
    for (at, start) in starts.iter().enumerate() {
        if *start as usize == at % batch.dims[1] {
            found.push((*start, Vec::new(), 0));
        }
        let (_, tokens, next) = found.last_mut().expect("a row begins with a document");
        tokens.push(batch.inputs[at]);
        *next = batch.targets[at];
    }
    found.retain(|(_, _, next)| *next >= 0);
    found
}

#[test]
fn rows_are_filled_with_whole_documents() {
    let place = Place::new(b"");
    let lines = ["abcdefg", "hi", "jklmn", "o", "pqrstuvwxyzab"];
    let lines = lines.map(|line| format!("{{\"text\":\"{line}\"}}\n"));
    place.write("a.jsonl", lines.concat().as_bytes());
    let mut config = place.config("a.jsonl");
    config.packing = Packing::Documents;
    (config.split.train, config.split.valid) = (1.0, 0.0);
    let tokenizer = TokenizerConfig::default();
    let tokenizer = Some((TokenizerKind::Byte, &tokenizer));
    let load = |seed| TextData::load(TextFormat::TextJsonl, &config, tokenizer, 9, seed).unwrap();
    let train = load(0).train;
    let batch = all(&train, 0);
    // In 27 places: a document takes as many as it has letters, for the token that ends it is not
    // read; the last one has no such token, and is split.
    let [end, next] = [256, i32::from(b'y')];
    let letters = |text: &str| ids(text.as_bytes());
    let expected = vec![
        (0, letters("pqrstuvwx"), next),
        (0, letters("abcdefg"), end),
        (7, letters("hi"), end),
        (0, letters("jklmn"), end),
        (5, letters("yza"), i32::from(b'b')),
        (8, letters("o"), end),
    ];
    assert_eq!(documents(&batch), expected);
    assert_eq!((train.windows(), train.padding()), (3, Some(0.0)));
    // Neither the epoch nor the seed packs otherwise.
    assert_eq!(all(&load(1).train, 7), batch);
    // What is narrowed is packed again, and every token but the first is foretold once as before.
    let narrow = load(0).train.narrowed(4);
    let (batch, narrow) = (all(&narrow, 0), narrow.padding());
    assert_eq!(batch.dims, [7, 4]);
    assert_eq!(batch.targets.iter().filter(|next| **next >= 0).count(), 27);
    assert_eq!(narrow, Some(1.0 - 27.0 / 28.0));
}

#[test]
fn documents_without_a_second_token_are_left_out_and_none_at_all_is_refused() {
    let place = Place::new(b"");
    let bytes = |ids: &[u16]| {
        ids.iter()
            .flat_map(|id| id.to_le_bytes())
            .collect::<Vec<_>>()
    };
    place.write("a.bin", &bytes(&[256, 256, 7, 256, 1, 2, 256, 5]));
    place.write("none.bin", &bytes(&[256, 256, 7]));
    let load = |name: &str, tokenizer: Option<(TokenizerKind, &TokenizerConfig)>| {
        let mut config = TextDataConfig::new(place.path(name));
        (config.packing, config.vocabulary) = (Packing::Documents, Some(257));
        (config.split.train, config.split.valid) = (1.0, 0.0);
        TextData::load(TextFormat::Tokens, &config, tokenizer, 4, 0)
    };
    let byte = TokenizerConfig::default();
    let byte = Some((TokenizerKind::Byte, &byte));
    let found = documents(&all(&load("a.bin", byte).unwrap().train, 0));
    assert_eq!(found, [(0, vec![1, 2], 256), (2, vec![7], 256)]);
    let error = load("none.bin", byte).unwrap_err().to_string();
    assert!(error.contains("no document"), "{error}");
    let error = load("a.bin", None).unwrap_err().to_string();
    assert!(error.contains("no token that ends a text"), "{error}");
}

#[test]
fn characters_are_split_where_everybody_else_splits_them() {
    // Two bytes each, so that a split by bytes would be another one.
    let text = "äöüß".repeat(7);
    let place = Place::new(text.as_bytes());
    let config = TokenizerConfig::default();
    let tokenizer = Some((TokenizerKind::Char, &config));
    let data = place.config("input.txt");
    let data = TextData::load(TextFormat::Text, &data, tokenizer, 2, 0).unwrap();
    assert_eq!((data.train.tokens(), data.train.bytes()), (25, 50));
    let valid = data.valid.unwrap();
    assert_eq!((valid.tokens(), valid.bytes()), (3, 6));
    assert_eq!(data.vocabulary, 6);
}

#[test]
fn splits_of_their_own_leave_the_main_text_whole() {
    let place = Place::new(&[b'a'; 40]);
    place.write("v.txt", &[b'v'; 10]);
    let mut config = place.config("input.txt");
    config.valid_path = Some(place.path("v.txt"));
    let data = place.load(&config, 4).unwrap();
    assert_eq!(data.train.tokens(), 40);
    assert_eq!(data.valid.as_ref().unwrap().tokens(), 10);
    assert_eq!(data.files.len(), 2);
    config.split = TextSplitConfig {
        train: 0.5,
        valid: 0.25,
        test: 0.25,
    };
    let data = place.load(&config, 4).unwrap();
    assert_eq!(data.train.tokens(), 30);
    assert_eq!(data.test.unwrap().tokens(), 10);
}

#[test]
fn documents_are_parted_by_the_token_that_ends_a_text() {
    let place = Place::new(b"");
    place.write(
        "a.jsonl",
        b"{\"body\":\"ab\"}\n\n{\"body\":\"cd\",\"n\":1}\n",
    );
    let mut config = place.config("a.jsonl");
    config.field = Some("body".into());
    config.split.train = 1.0;
    config.split.valid = 0.0;
    let tokenizer = TokenizerConfig::default();
    let tokenizer = Some((TokenizerKind::Byte, &tokenizer));
    let data = TextData::load(TextFormat::TextJsonl, &config, tokenizer, 4, 0).unwrap();
    let batch = all(&data.train, 0);
    assert_eq!(batch.inputs, [97, 98, 256, 99]);
    assert_eq!(batch.targets, [98, 256, 99, 100]);
    assert_eq!(data.train.bytes(), 4);
}

#[test]
fn tokens_are_kept_until_the_text_changes() {
    let place = Place::new(&[b'a'; 100]);
    let config = place.config("input.txt");
    let kept = || fs::read_dir(place.path("cache")).unwrap().count();
    place.load(&config, 4).unwrap();
    assert_eq!(kept(), 2);
    place.load(&config, 8).unwrap();
    assert_eq!(kept(), 2);
    // A file that is not whole is made again.
    for file in fs::read_dir(place.path("cache")).unwrap() {
        fs::write(file.unwrap().path(), b"fctoken1").unwrap();
    }
    assert_eq!(place.load(&config, 4).unwrap().train.tokens(), 90);
    place.write("input.txt", &[b'b'; 100]);
    let data = place.load(&config, 4).unwrap();
    assert_eq!(all(&data.train, 0).inputs[0], i32::from(b'b'));
    assert_eq!(kept(), 4);
}

#[test]
fn a_trained_tokenizer_is_kept_too() {
    let place = Place::new("so much to say and so much said ".repeat(20).as_bytes());
    let config = place.config("input.txt");
    let bpe = TokenizerConfig {
        vocabulary_size: 300,
        ..TokenizerConfig::default()
    };
    let load = || {
        let tokenizer = Some((TokenizerKind::Bpe, &bpe));
        TextData::load(TextFormat::Text, &config, tokenizer, 4, 0).unwrap()
    };
    let first = load().tokenizer.unwrap().to_json();
    assert_eq!(load().tokenizer.unwrap().to_json(), first);
}

#[test]
fn runs_that_begin_together_and_after_a_kill_leave_nothing_but_what_is_whole() {
    let place = Place::new("so much to say and so much said ".repeat(20).as_bytes());
    let config = place.config("input.txt");
    let bpe = TokenizerConfig {
        vocabulary_size: 300,
        ..TokenizerConfig::default()
    };
    let load = || {
        let tokenizer = Some((TokenizerKind::Bpe, &bpe));
        let data = TextData::load(TextFormat::Text, &config, tokenizer, 4, 0).unwrap();
        (data.tokenizer.unwrap().to_json(), data.train.tokens())
    };
    let kept = || {
        let entries = fs::read_dir(place.path("cache")).unwrap();
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    };
    let found = std::thread::scope(|scope| {
        let loads = [0; 4].map(|_| scope.spawn(load));
        loads.map(|load| load.join().unwrap())
    });
    assert!(found.iter().all(|one| *one == found[0]));
    let whole = kept();
    // The tokenizer, and the tokens of training and validation.
    assert_eq!(whole.len(), 3, "{whole:?}");
    for path in &whole {
        fs::remove_file(path).unwrap();
        for left in ["part", "lock"] {
            fs::write(path.with_added_extension(left), "half of it").unwrap();
        }
    }
    assert_eq!(load(), found[0]);
    assert_eq!(kept(), whole);
}

#[test]
fn every_token_of_a_split_may_be_hidden() {
    let place = Place::new("so much to say and so much said ".repeat(20).as_bytes());
    let mut config = place.config("input.txt");
    let wordpiece = TokenizerConfig {
        vocabulary_size: 60,
        ..TokenizerConfig::default()
    };
    for valid in [0.1, 0.2, 0.3] {
        config.split.valid = valid;
        (config.split.train, config.split.test) = (1.0 - valid, 0.0);
        let tokenizer = Some((TokenizerKind::Wordpiece, &wordpiece));
        let data = TextData::load(TextFormat::Text, &config, tokenizer, 6, 0).unwrap();
        let data = data.with_room_for_marks(6).unwrap();
        let split = data.valid.unwrap();
        // Of four tokens, 90 % are all.
        let masking = Masking::new(&data.tokenizer.unwrap(), 0.9, false).unwrap();
        let masked = MaskedSplit::new(split.clone(), masking, None);
        let indices: Vec<u32> = (0..masked.windows() as u32).collect();
        let batch = masked.batch(0, &indices).unwrap();
        assert_eq!(batch.truth.len() as u64, split.tokens());
    }
}

#[test]
fn token_files_of_nanogpt_load_as_they_are() {
    let place = Place::new(b"");
    let bytes = |ids: &[u16]| {
        ids.iter()
            .flat_map(|id| id.to_le_bytes())
            .collect::<Vec<_>>()
    };
    place.write("train.bin", &bytes(&(0..100).collect::<Vec<_>>()));
    place.write("val.bin", &bytes(&[7, 300, 9]));
    let mut config = TextDataConfig::new(place.path("train.bin"));
    config.valid_path = Some(place.path("val.bin"));
    let load = |config: &TextDataConfig| TextData::load(TextFormat::Tokens, config, None, 2, 0);
    let error = load(&config).unwrap_err().to_string();
    assert!(error.contains("data.vocabulary"), "{error}");
    config.vocabulary = Some(300);
    let error = load(&config).unwrap_err().to_string();
    assert!(error.contains("token 1 is 300"), "{error}");
    config.vocabulary = Some(301);
    let data = load(&config).unwrap();
    assert_eq!((data.train.tokens(), data.train.bytes()), (100, 0));
    let batch = all(&data.valid.unwrap(), 0);
    assert_eq!((batch.inputs, batch.targets), (vec![7, 300], vec![300, 9]));
    place.write("val.bin", b"odd");
    let error = load(&config).unwrap_err().to_string();
    assert!(error.contains("3 bytes are no whole number"), "{error}");
}

#[test]
fn what_is_wrong_with_a_text_is_said_with_its_place() {
    let place = Place::new(b"first\nsecond \xff line\n");
    let config = place.config("input.txt");
    let error = place.load(&config, 4).unwrap_err().to_string();
    assert!(error.contains("input.txt:2: not valid UTF-8"), "{error}");
    for text in ["", " \n\t\n"] {
        place.write("input.txt", text.as_bytes());
        let error = place.load(&config, 4).unwrap_err();
        assert!(matches!(error, DataError::Empty { .. }), "{error}");
    }
    place.write("input.txt", b"short");
    let error = place.load(&config, 4).unwrap_err().to_string();
    assert!(
        error.contains("has 4 tokens, but the model looks at 4"),
        "{error}"
    );
    place.write("a.jsonl", b"{\"text\":\"fine\"}\n{\"txt\":\"x\"}\n");
    let corpus = place.corpus(&["a.jsonl"], Some("text"));
    let error = corpus.characters().unwrap_err().to_string();
    assert!(
        error.contains("a.jsonl:2: no field \"text\"; the fields are \"txt\""),
        "{error}"
    );
}

#[test]
fn a_compressed_file_is_read() {
    let place = Place::new(b"");
    let file = fs::File::create(place.path("a.txt.gz")).unwrap();
    let mut packed = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    packed.write_all("zehn Zeichen".as_bytes()).unwrap();
    packed.finish().unwrap();
    assert_eq!(place.corpus(&["a.txt.gz"], None).characters().unwrap(), 12);
}

fn texts(corpus: &Corpus, range: std::ops::Range<u64>) -> String {
    corpus
        .part(range)
        .map(|piece| piece.unwrap().text)
        .collect()
}

#[test]
fn a_long_text_comes_whole_in_pieces_of_bounded_size() {
    let line = "ein Wort nach dem anderen, äöü \u{1f600}\n";
    let text = line.repeat(30_000);
    let place = Place::new(text.as_bytes());
    let corpus = place.corpus(&["input.txt"], None);
    let pieces: Vec<_> = corpus.pieces().map(|piece| piece.unwrap()).collect();
    assert!(pieces.len() > 3);
    assert!(pieces.iter().all(|piece| piece.text.len() <= 256 << 10));
    // Cut before a word at the start of a line, so that no tokenizer sees another text.
    let last = pieces.len() - 1;
    assert!(
        pieces[..last]
            .iter()
            .all(|piece| piece.text.ends_with('\n') && !piece.ends)
    );
    assert!(pieces[last].ends);
    assert_eq!(texts(&corpus, 0..u64::MAX), text);
    let one_line = "x".repeat(600_000) + "ä";
    place.write("one.txt", one_line.as_bytes());
    assert_eq!(
        texts(&place.corpus(&["one.txt"], None), 0..u64::MAX),
        one_line
    );
}

proptest! {
    #[test]
    fn parts_make_up_the_whole(first in "\\PC{1,30}", second in "\\PC{1,30}", at in 0u64..70) {
        prop_assume!(!first.trim().is_empty() && !second.trim().is_empty());
        let place = Place::new(first.as_bytes());
        place.write("second.txt", second.as_bytes());
        let corpus = place.corpus(&["input.txt", "second.txt"], None);
        let whole = first + &second;
        let length = whole.chars().count() as u64;
        prop_assert_eq!(corpus.characters().unwrap(), length);
        let at = at.min(length);
        let before: String = whole.chars().take(at as usize).collect();
        prop_assert_eq!(texts(&corpus, 0..at), before);
        let parts = texts(&corpus, 0..at) + &texts(&corpus, at..length);
        prop_assert_eq!(parts, whole);
    }

    #[test]
    fn splits_never_overlap(length in 0u64..5000, train in 0.01f64..1.0, share in 0.0f64..1.0) {
        let valid = (1.0 - train) * share;
        let split = TextSplitConfig { train, valid, test: 1.0 - train - valid };
        for (own_valid, own_test) in [(true, true), (true, false), (false, true), (false, false)] {
            let [first, second] = split.cuts(length, own_valid, own_test);
            prop_assert!(first <= second && second <= length);
        }
        prop_assert_eq!(split.cuts(length, false, false), [length, length]);
    }
}

#[test]
fn the_usual_split_of_tiny_shakespeare() {
    let cuts = TextSplitConfig::default().cuts(1_115_394, true, true);
    assert_eq!(cuts, [1_003_854, 1_115_394]);
}

#[test]
fn impossible_values_are_named() {
    let mut config = TextDataConfig::new("");
    config.vocabulary = Some(0);
    config.field = Some("text".into());
    config.split.train = 0.0;
    let keys: Vec<_> = config
        .validate(TextFormat::Text)
        .into_iter()
        .map(|(key, _)| key)
        .collect();
    assert_eq!(
        keys,
        [
            "path",
            "field",
            "vocabulary",
            "vocabulary",
            "split.train",
            "split.train"
        ]
    );
    assert!(Path::new(&config.path).as_os_str().is_empty());
}

#[test]
fn the_mark_of_utf8_is_no_text() {
    let place = Place::new(b"\xef\xbb\xbfab");
    place.write("a.jsonl", b"\xef\xbb\xbf{\"text\":\"cd\"}\n");
    assert_eq!(texts(&place.corpus(&["input.txt"], None), 0..9), "ab");
    assert_eq!(texts(&place.corpus(&["a.jsonl"], Some("text")), 0..9), "cd");
}
