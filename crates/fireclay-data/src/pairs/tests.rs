use std::fs;

use proptest::prelude::*;

use super::*;
use crate::error::DataError;
use crate::testing::{Folder, gzip, refused, with};
use crate::tokenizer::{Tokenizer, TokenizerConfig, TokenizerKind};

/// The token that ends a text, of the tokenizer whose tokens are bytes.
const END: i32 = 256;

fn shuffled(seed: u64) -> crate::text::TextOrder {
    crate::text::TextOrder {
        seed,
        shuffles: true,
    }
}

/// Pairs in two files.
fn files(source: &str, target: &str) -> Folder {
    Folder::new(&[("a.de", source.as_bytes()), ("a.en", target.as_bytes())])
}

fn all_train(config: &mut PairDataConfig) {
    (config.split.train, config.split.valid) = (1.0, 0.0);
}

impl Folder {
    /// All pairs train.
    fn pairs(&self) -> PairDataConfig {
        let mut config = PairDataConfig::new(self.path("a.de"));
        config.target_path = Some(self.path("a.en"));
        with(config, all_train)
    }

    fn pair_table(&self, name: &str, text: &str) -> PairDataConfig {
        self.write(name, text);
        with(PairDataConfig::new(self.path(name)), all_train)
    }
}

/// For a model that looks at so many tokens.
fn within(context: usize) -> PairReading {
    PairReading {
        context,
        ..PairReading::default()
    }
}

fn load(format: PairFormat, config: &PairDataConfig, seed: u64) -> Result<PairData, DataError> {
    let tokenizer = TokenizerConfig::default();
    let tokenizer = (TokenizerKind::Byte, &tokenizer);
    PairData::load(format, config, tokenizer, &within(1000), shuffled(seed))
}

fn parallel(config: &PairDataConfig) -> Result<PairData, DataError> {
    load(PairFormat::Parallel, config, 42)
}

fn groups(split: &PairSplit) -> Vec<PairBatch> {
    let groups = 0..split.groups() as u32;
    groups.map(|group| split.batch(&[group])).collect()
}

fn ids(text: &str) -> Vec<i32> {
    text.bytes().map(i32::from).collect()
}

fn messages(data: &PairData) -> Vec<String> {
    data.notes.iter().map(ToString::to_string).collect()
}

#[test]
fn lines_go_together_and_the_target_is_shifted() {
    let folder = files("ab\r\nc\n", "x\nwxyz");
    let data = parallel(&folder.pairs()).unwrap();
    let train = &data.train;
    assert_eq!(train.source_texts(), ["ab", "c"]);
    assert_eq!(train.target_texts(), ["x", "wxyz"]);
    assert_eq!(data.vocabulary, 257);
    assert_eq!((train.pairs(), train.tokens()), (2, 7));
    assert_eq!((train.groups(), data.files.len()), (1, 2));
    let batch = train.batch(&[0]);
    assert_eq!(batch.pairs, [0, 1]);
    let [a, b, c, w, x, y, z] = [97, 98, 99, 119, 120, 121, 122];
    assert_eq!((batch.source_dims, batch.target_dims), ([2, 3], [2, 5]));
    assert_eq!(batch.source, [a, b, END, c, END, 0]);
    assert_eq!(batch.source_mask, [true, true, true, true, true, false]);
    assert_eq!(batch.target_in, [END, x, 0, 0, 0, END, w, x, y, z]);
    assert_eq!(batch.target_out, [x, END, -1, -1, -1, w, x, y, z, END]);
    assert!(data.valid.is_none() && data.test.is_none() && data.notes.is_empty());
}

#[test]
fn several_groups_make_one_batch() {
    let folder = files("a\nbbbb\n", "x\nyyyyyyyy\n");
    let mut config = folder.pairs();
    config.batch_tokens = 1;
    let data = parallel(&config).unwrap();
    assert_eq!(data.train.groups(), 2);
    let batch = data.train.batch(&[1, 0]);
    assert_eq!(batch.pairs, [1, 0]);
    assert_eq!((batch.source_dims, batch.target_dims), ([2, 5], [2, 9]));
    assert_eq!(batch.source[5..7], [97, END]);
}

#[test]
fn chance_orders_pairs_of_the_same_lengths_in_training_only() {
    let folder = files(&"a\n".repeat(50), &"x\n".repeat(50));
    let config = folder.pairs();
    let pairs = |seed| {
        let data = load(PairFormat::Parallel, &config, seed).unwrap();
        (data.train.batch(&[0]).pairs, data.tokenizer)
    };
    let (first, tokenizer) = pairs(1);
    assert_eq!(first, pairs(1).0);
    assert_ne!(first, pairs(2).0);
    let target = config.target_path.as_deref();
    let how = (PairFormat::Parallel, &config);
    let held_out = PairSplit::of_files(&config.path, target, how, &tokenizer, &within(9)).unwrap();
    assert!(held_out.batch(&[0]).pairs.into_iter().eq(0..50));
}

#[test]
fn splits_hold_every_pair_once_and_depend_on_the_seed_alone() {
    let lines = |letter: &str| {
        let lines = (0..50).map(|line| format!("{letter}{line}\n"));
        lines.collect::<String>()
    };
    let folder = files(&lines("s"), &lines("t"));
    let mut config = folder.pairs();
    (config.split.train, config.split.valid, config.split.test) = (0.8, 0.1, 0.1);
    let texts = |seed| {
        let data = load(PairFormat::Parallel, &config, seed).unwrap();
        data.named().map(|(_, split)| {
            let split = split.unwrap();
            for (source, target) in split.source_texts().iter().zip(split.target_texts()) {
                assert_eq!(source[1..], target[1..]);
            }
            (split.source_texts().to_vec(), groups(split))
        })
    };
    let first = texts(1);
    assert_eq!(first.each_ref().map(|(own, _)| own.len()), [40, 5, 5]);
    assert_eq!(texts(1), first);
    assert_ne!(texts(2)[1].0, first[1].0);
    let mut all: Vec<_> = first.into_iter().flat_map(|(own, _)| own).collect();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 50);
}

#[test]
fn files_of_their_own_leave_the_main_pairs_to_the_training() {
    let folder = files("a\nb\nc\n", "x\ny\nz\n");
    folder.write("v.de", b"d\n\ne\n");
    folder.write("v.en", b"u\n\nv\n");
    let mut config = folder.pairs();
    (config.split.train, config.split.valid) = (0.9, 0.1);
    config.valid_path = Some(folder.path("v.de"));
    config.valid_target_path = Some(folder.path("v.en"));
    let data = parallel(&config).unwrap();
    let valid = data.valid.as_ref().unwrap();
    assert_eq!((data.train.pairs(), data.files.len()), (3, 4));
    assert_eq!((&*valid.source_texts()[1], valid.left_out()), ("e", 1));
    let message = "1 of 3 pairs of valid have an empty side and are left out";
    assert_eq!(messages(&data), [message]);
    // The same pairs read for themselves are the same.
    let target = config.valid_target_path.as_deref();
    let how = (PairFormat::Parallel, &config);
    let again = PairSplit::of_files(
        &folder.path("v.de"),
        target,
        how,
        &data.tokenizer,
        &within(9),
    );
    assert_eq!(groups(&again.unwrap()), groups(valid));
}

#[test]
fn a_trained_tokenizer_is_kept_by_what_it_was_made_of() {
    let folder = files("ab ab\nabc\n", "xy xy\nxyz\n");
    let mut config = folder.pairs();
    config.cache_dir = Some(folder.path("cache"));
    let bpe = with(TokenizerConfig::default(), |tokenizer| {
        tokenizer.vocabulary_size = 262
    });
    let load = || {
        let tokenizer = (TokenizerKind::Bpe, &bpe);
        let data = PairData::load(
            PairFormat::Parallel,
            &config,
            tokenizer,
            &within(100),
            shuffled(42),
        );
        data.unwrap().tokenizer.to_json()
    };
    let kept = || fs::read_dir(folder.path("cache")).unwrap().count();
    let first = load();
    // It, and its hash.
    assert_eq!((load(), kept()), (first, 2));
    folder.write("a.en", b"xy xy\nxyy\n");
    load();
    assert_eq!(kept(), 4);
}

#[test]
fn pairs_that_are_empty_or_long_do_not_train() {
    let folder = files("aaaa\naaaaa\n  \na\na\n", "x\nx\nx\n\nxxxxx");
    let mut config = folder.pairs();
    config.max_length = Some(4);
    let data = parallel(&config).unwrap();
    assert_eq!(data.train.source_texts(), ["aaaa"]);
    assert_eq!(data.train.left_out(), 4);
    let expected = [
        "2 of 5 pairs of train have an empty side and are left out",
        "2 of 3 pairs of train have more than 4 tokens on a side and are left out",
    ];
    assert_eq!(messages(&data), expected);
    config.max_length = Some(0);
    refused(parallel(&config), &["data.max_length must be at least 1"]);
    folder.write("a.de", b"aaaaa\n\n\n\n\n");
    config.max_length = Some(4);
    refused(parallel(&config), &["a.de can train"]);
}

#[test]
fn the_context_bounds_training_and_refuses_longer_pairs_elsewhere() {
    let folder = files("aaaa\naaa\n", "x\nx\n");
    folder.write("v.de", b"a\n\naaaa\n");
    folder.write("v.en", b"x\nx\nx\n");
    let mut config = folder.pairs();
    let tokenizer = TokenizerConfig::default();
    let load = |config: &PairDataConfig| {
        let tokenizer = (TokenizerKind::Byte, &tokenizer);
        PairData::load(
            PairFormat::Parallel,
            config,
            tokenizer,
            &within(4),
            shuffled(0),
        )
    };
    assert_eq!(load(&config).unwrap().train.source_texts(), ["aaa"]);
    config.valid_path = Some(folder.path("v.de"));
    config.valid_target_path = Some(folder.path("v.en"));
    let expected =
        "v.de, row 3: the source has 5 tokens with the one at its end, but the model looks at 4";
    refused(load(&config), &[expected]);
}

#[test]
fn what_is_wrong_with_the_files_is_said() {
    let folder = files("a\nb\n", "x\n");
    let config = folder.pairs();
    let parts = ["a.de has 2 lines, but ", "a.en has 1: line by line"];
    refused(parallel(&config), &parts);
    folder.write("a.en", b"x\n\xff\n");
    refused(parallel(&config), &["a.en:2: not valid UTF-8"]);
    folder.write("a.en", b"\n\n");
    let error = parallel(&config).unwrap_err();
    assert!(matches!(error, DataError::Empty { .. }), "{error}");
    folder.write("a.en", b"x\ny\n");
    let mut halves = config;
    (halves.split.train, halves.split.valid) = (0.4, 0.6);
    refused(parallel(&halves), &["the train split is empty"]);
}

#[test]
fn a_tokenizer_that_cannot_end_a_text_is_refused() {
    let folder = files("a\n", "x\n");
    let texts = std::iter::once(Ok("ax".to_owned()));
    let tokenizer = Tokenizer::train(TokenizerKind::Char, &TokenizerConfig::default(), texts);
    let json = tokenizer.unwrap().to_json();
    let json = json.replace("<|endoftext|>", "<|other|>");
    folder.write("tokenizer.json", json.as_bytes());
    let file = with(TokenizerConfig::default(), |it| {
        it.path = Some(folder.path("tokenizer.json"))
    });
    let file = (TokenizerKind::File, &file);
    let error = PairData::load(
        PairFormat::Parallel,
        &folder.pairs(),
        file,
        &within(9),
        shuffled(0),
    )
    .unwrap_err();
    assert!(matches!(error, DataError::Tokenizer(_)), "{error}");
}

#[test]
fn one_tokenizer_knows_both_sides() {
    let folder = files("äb\n", "yz\n");
    let config = TokenizerConfig::default();
    let tokenizer = (TokenizerKind::Char, &config);
    let data = PairData::load(
        PairFormat::Parallel,
        &folder.pairs(),
        tokenizer,
        &within(9),
        shuffled(0),
    )
    .unwrap();
    assert_eq!(data.vocabulary, 6);
    let batch = data.train.batch(&[0]);
    let mut ids = batch.source.iter().chain(&batch.target_out);
    assert!(ids.all(|id| *id != 1));
}

#[test]
fn compressed_files_are_read() {
    let folder = files("", "x\ny\n");
    folder.write("a.de.gz", gzip("ä\nö\n".as_bytes()));
    let mut config = folder.pairs();
    config.path = folder.path("a.de.gz");
    let data = parallel(&config).unwrap();
    assert_eq!(data.train.source_texts(), ["ä", "ö"]);
}

#[test]
fn tables_have_both_sides_in_columns() {
    let folder = files("", "");
    let texts = |config: &PairDataConfig| {
        let train = load(PairFormat::PairTable, config, 0).unwrap().train;
        (train.source_texts().to_vec(), train.target_texts().to_vec())
    };
    let expected = (
        vec!["Wer?".to_owned(), "None".into()],
        vec!["Who, me?".to_owned(), "?".into()],
    );
    let csv = "target,id,source\n\"Who, me?\",1,Wer?\n?,2,None\n,3,leer\n";
    assert_eq!(texts(&folder.pair_table("a.csv", csv)), expected);
    let jsonl = "{\"de\": \"Wer?\", \"en\": \"Who, me?\"}\n{\"de\": \"None\", \"en\": \"?\"}\n";
    let mut config = folder.pair_table("a.jsonl", jsonl);
    (config.source, config.target) = (Some("de".into()), Some("en".into()));
    assert_eq!(texts(&config), expected);
    config.target = Some("fr".into());
    let french = load(PairFormat::PairTable, &config, 0);
    refused(french, &["no column \"fr\"", "a.jsonl"]);
    let config = folder.pair_table("a.docx", "");
    refused(
        load(PairFormat::PairTable, &config, 0),
        &["is no table by its name"],
    );
}

#[test]
fn impossible_values_are_named() {
    let keys = |config: &PairDataConfig, format| -> Vec<String> {
        let problems = config.validate(format).into_iter();
        problems.map(|(key, _)| key).collect()
    };
    let mut config = PairDataConfig::new("a");
    assert_eq!(keys(&config, PairFormat::PairTable), [""; 0]);
    assert_eq!(keys(&config, PairFormat::Parallel), ["target_path"]);
    config.target_path = Some("a".into());
    config.test_target_path = Some("t".into());
    config.source = Some("target".into());
    config.batch_tokens = 0;
    let expected = ["target_path", "test_path", "source", "batch_tokens"];
    assert_eq!(keys(&config, PairFormat::Parallel), expected);
    let expected = ["target_path", "test_target_path", "target", "batch_tokens"];
    assert_eq!(keys(&config, PairFormat::PairTable), expected);
    for format in PairFormat::ALL {
        assert_eq!(PairFormat::from_name(format.name()), Some(format));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn groups_hold_every_pair_once_and_keep_to_their_size(
        lengths in prop::collection::vec((1usize..30, 1usize..30), 1..60),
        batch_tokens in 1usize..200,
        seed: u64,
    ) {
        let side = |length: fn(&(usize, usize)) -> usize, letter: &str| {
            let lines = lengths.iter().map(|own| letter.repeat(length(own)) + "\n");
            lines.collect::<String>()
        };
        let folder = files(&side(|own| own.0, "s"), &side(|own| own.1, "t"));
        let mut config = folder.pairs();
        config.batch_tokens = batch_tokens;
        let split = load(PairFormat::Parallel, &config, seed).unwrap().train;
        let mut seen = Vec::new();
        let mut before = 0;
        for batch in groups(&split) {
            let [rows, source] = batch.source_dims;
            let target = batch.target_dims[1];
            prop_assert!(rows == 1 || rows * (source + target) <= batch_tokens);
            for (row, pair) in batch.pairs.iter().enumerate() {
                let (source_length, target_length) = lengths[*pair as usize];
                let own = &batch.source[row * source..][..source];
                prop_assert_eq!(&own[..source_length], ids(&"s".repeat(source_length)));
                prop_assert_eq!(own[source_length], END);
                let mask = &batch.source_mask[row * source..][..source];
                prop_assert_eq!(mask.iter().filter(|is_token| **is_token).count(), source_length + 1);
                let next = &batch.target_out[row * target..][..target];
                let given = &batch.target_in[row * target..][..target];
                prop_assert_eq!(&given[1..=target_length], &next[..target_length]);
                prop_assert_eq!((given[0], next[target_length]), (END, END));
                prop_assert!(next[target_length + 1..].iter().all(|id| *id == -1));
                prop_assert!(before <= target_length);
                before = target_length;
            }
            seen.extend(batch.pairs);
        }
        seen.sort_unstable();
        prop_assert!(seen.into_iter().eq(0..lengths.len() as u32));
    }
}

#[test]
fn a_model_may_have_a_token_that_begins_and_words_that_come_first() {
    let folder = files("ab\nabc\n", "x\nyz\n");
    let tokenizer = TokenizerConfig::default();
    let reading = PairReading {
        context: 6,
        start: Some(7),
        prefix: "p: ".into(),
    };
    let config = folder.pairs();
    let data = PairData::load(
        PairFormat::Parallel,
        &config,
        (TokenizerKind::Byte, &tokenizer),
        &reading,
        shuffled(0),
    )
    .unwrap();
    // Of the second there would be seven with the one at the end.
    let batch = data.train.batch(&[0]);
    assert_eq!(batch.source[..5], ids("p: ab"));
    assert_eq!((batch.source_dims, batch.target_in), ([1, 6], vec![7, 120]));
    assert_eq!(data.train.source_texts(), ["ab"]);
    let target = config.target_path.as_deref();
    let how = (PairFormat::Parallel, &config);
    let long = PairSplit::of_files(&config.path, target, how, &data.tokenizer, &reading);
    let message = "row 2: the source has 7 tokens with the one at its end";
    assert!(long.unwrap_err().to_string().contains(message));
}
