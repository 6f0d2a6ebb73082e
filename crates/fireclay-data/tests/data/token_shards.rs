//! Shards of tokens and of texts that a manifest lists, behind a small server on this machine.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fireclay_data::arrow::array::{ArrayRef, RecordBatch, StringArray};
use fireclay_data::{
    DataError, EpochOrder, TextData, TextDataConfig, TextFormat, TextOrder, TokenBatch, TokenSplit,
    TokenizerConfig, TokenizerKind, epoch_order, parquet_bytes, sha256_file,
};

use crate::images::put;
use crate::shards::{Server, bytes_in};
use crate::{Files, messages, refused, with};

const CONTEXT: usize = 8;

/// Tokens of a shard, about.
const EACH: u16 = 1000;

/// The tokens of a shard, which tell the shard and the position.
fn tokens(number: u16) -> Vec<u16> {
    (0..EACH + number).map(|at| 2000 * number + at).collect()
}

fn little(tokens: &[u16]) -> Vec<u8> {
    tokens
        .iter()
        .flat_map(|token| token.to_le_bytes())
        .collect()
}

/// A file as nanoGPT, llm.c or NumPy writes it.
fn file(number: u16) -> Vec<u8> {
    let (tokens, length) = (little(&tokens(number)), u32::from(EACH + number));
    let header = match number % 3 {
        0 => Vec::new(),
        1 => {
            let mut header = [20_240_520, 1, length].to_vec();
            header.resize(256, 0);
            header.iter().flat_map(|word| word.to_le_bytes()).collect()
        }
        _ => {
            let text =
                format!("{{'descr': '<u2', 'fortran_order': False, 'shape': ({length},), }}");
            let text = format!("{text:<117}\n");
            [b"\x93NUMPY\x01\x00\x76\x00", text.as_bytes()].concat()
        }
    };
    [header, tokens].concat()
}

/// The same files on a server and in a folder, and a configuration that fetches them, whose cache has room for two beside
/// two that are mixed.
fn served(
    files: &Files,
    shards: BTreeMap<String, Vec<u8>>,
    largest: u64,
) -> (Server, TextDataConfig) {
    let server = Server::new(shards.clone());
    let mut lines = String::new();
    for (name, bytes) in &shards {
        put(files, &format!("here/{name}"), bytes);
        let hash = sha256_file(&files.path(&format!("here/{name}"))).unwrap();
        lines += &format!("{hash}  {}/{name}\n", server.address);
    }
    let config = with(
        TextDataConfig::new(put(files, "train.sha256", lines)),
        |config| {
            config.shard_cache_dir = Some(files.path("cache").display().to_string());
            config.shard_cache_bytes = Some(6 * largest);
            config.shards_mixed = Some(2);
        },
    );
    (server, config)
}

fn token_files(files: &Files) -> (Server, TextDataConfig) {
    let shards = (0..12).map(|number| (format!("{number:02}.bin"), file(number)));
    let shards: BTreeMap<_, _> = shards.collect();
    let largest = shards.values().map(Vec::len).max().unwrap() as u64;
    let (server, config) = served(files, shards, largest);
    (
        server,
        with(config, |config| config.vocabulary = Some(24_000)),
    )
}

fn here(files: &Files, config: &TextDataConfig, pattern: &str) -> TextDataConfig {
    with(config.clone(), |config| {
        config.path = files.path(pattern).display().to_string();
    })
}

const ORDER: TextOrder = TextOrder {
    seed: 7,
    shuffles: true,
};

fn load(config: &TextDataConfig) -> Result<TextData, DataError> {
    TextData::load(TextFormat::Tokens, config, None, CONTEXT, ORDER)
}

fn all(split: &TokenSplit, epoch: u64) -> TokenBatch {
    let indices: Vec<u32> = (0..split.windows() as u32).collect();
    split.batch(epoch, &indices).unwrap()
}

fn arranged(split: &TokenSplit, seed: u64, epoch: u64) -> EpochOrder {
    let windows = split.windows() as u32;
    split.arrange(epoch_order(seed, epoch, 0..windows), (seed, epoch))
}

#[test]
fn shards_give_the_same_windows_from_files_and_from_an_address() {
    let files = Files::new();
    let (server, config) = token_files(&files);
    let most = config.shard_cache_bytes.unwrap();
    let data = load(&config).unwrap();
    assert!(bytes_in(&files.path("cache")) <= most);
    let local = load(&here(&files, &config, "here/*.bin")).unwrap();
    assert_eq!(
        data.train.tokens() + data.valid.as_ref().unwrap().tokens(),
        12_066
    );
    assert_eq!((data.hashes.len(), data.files.len()), (12, 1));
    assert_eq!((local.hashes.len(), local.files.len()), (0, 12));
    for epoch in 0..3 {
        assert_eq!(all(&data.train, epoch), all(&local.train, epoch));
        let orders = [&data, &local].map(|data| arranged(&data.train, 3, epoch).into_list());
        assert_eq!(orders[0], orders[1]);
    }
    let [valid, local] = [&data, &local].map(|data| data.valid.clone().unwrap());
    assert_eq!(all(&valid, 0), all(&local, 0));
    // What is known of the shards is kept, and an epoch in its order fetches each about once.
    let before = server.asked();
    let again = load(&config).unwrap();
    assert_eq!(server.asked(), before);
    let order = arranged(&again.train, 3, 1).into_list();
    for batch in order.chunks(4) {
        again.train.batch(1, batch).unwrap();
        assert!(bytes_in(&files.path("cache")) <= most);
    }
    let fetched = server.asked() - before;
    assert!((5..=12).contains(&fetched), "{fetched}");
}

#[test]
fn shards_are_fetched_before_they_are_needed() {
    let files = Files::new();
    let (server, config) = token_files(&files);
    let config = with(config, |config| {
        (config.split.train, config.split.valid) = (1.0, 0.0);
    });
    load(&config).unwrap();
    let cache = files.path("cache");
    let kept = |ending: &str| {
        let entries = fs::read_dir(&cache).unwrap().map(Result::unwrap);
        let paths = entries.map(|entry| entry.path());
        let is = |path: &PathBuf| path.extension().is_some_and(|own| own == ending);
        paths.filter(is).collect::<Vec<_>>()
    };
    // What is known of them stays.
    for shard in kept("shard") {
        fs::remove_file(shard).unwrap();
    }
    let train = load(&config).unwrap().train;
    let local = load(&here(&files, &config, "here/*.bin")).unwrap().train;
    let order = arranged(&train, 3, 1).into_list();
    let shard = |window: &u32| local.batch(1, &[*window]).unwrap().inputs[0] / 2000;
    let shards: Vec<i32> = order.iter().map(shard).collect();
    let first_of = |number: usize| {
        let mut seen = BTreeSet::new();
        let is_new = |shard: &i32| seen.insert(*shard) && seen.len() == number;
        shards.iter().position(is_new).unwrap()
    };
    let (second, third) = (first_of(3), first_of(5));
    let before = server.asked();
    let positions = order.clone().into_iter().zip(1_usize..);
    let positions = positions.map(|(window, position)| (position, window));
    let ahead = train.ahead(Box::new(positions)).expect("they are fetched");
    train.batch(1, &order[..second]).unwrap();
    assert_eq!(server.asked(), before + 2);
    // One of the first two is needed still, and the next two come.
    ahead.at(second - 1);
    for _ in 0..6000 {
        if kept("shard").len() == 4 {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(server.asked(), before + 4);
    let batch = train.batch(1, &order[second..third]).unwrap();
    assert_eq!(batch, local.batch(1, &order[second..third]).unwrap());
    assert_eq!(server.asked(), before + 4, "they were there");
    drop(ahead);
    assert!(bytes_in(&cache) <= config.shard_cache_bytes.unwrap());
    assert!(kept("part").is_empty() && kept("lock").is_empty());
}

#[test]
fn no_window_goes_on_from_one_shard_into_another() {
    let files = Files::new();
    let (_server, config) = token_files(&files);
    let config = with(here(&files, &config, "here/*.bin"), |config| {
        (config.split.train, config.split.valid) = (1.0, 0.0);
    });
    let train = load(&config).unwrap().train;
    for epoch in 0..4 {
        let batch = all(&train, epoch);
        for (window, next) in batch
            .inputs
            .chunks(CONTEXT)
            .zip(batch.targets.chunks(CONTEXT))
        {
            assert!(window.windows(2).all(|pair| pair[1] == pair[0] + 1));
            assert!(
                window
                    .iter()
                    .zip(next)
                    .all(|(token, next)| *next == token + 1)
            );
        }
        let shifts = batch.inputs.iter().step_by(CONTEXT).map(|token| token % 8);
        let shifts: BTreeSet<i32> = shifts.collect();
        assert!(shifts.len() > 1, "each shard is shifted by itself");
    }
    // Judged, each token but the first of a shard is predicted once.
    let batch = all(&train.clone().without_shift(), 0);
    let mut predicted: Vec<i32> = batch
        .targets
        .iter()
        .copied()
        .filter(|one| *one >= 0)
        .collect();
    predicted.sort_unstable();
    let expected = (0..12).flat_map(|number| tokens(number).into_iter().skip(1));
    let mut expected: Vec<i32> = expected.map(i32::from).collect();
    expected.sort_unstable();
    assert_eq!(predicted, expected);
}

#[test]
fn an_epoch_mixes_a_few_shards_and_goes_on_where_it_was_left() {
    let files = Files::new();
    let (_server, config) = token_files(&files);
    let train = load(&config).unwrap().train;
    let order = arranged(&train, 1, 2).into_list();
    assert_eq!(order, arranged(&train, 1, 2).into_list());
    assert!(order != arranged(&train, 1, 3).into_list());
    let mut sorted = order.clone();
    sorted.sort_unstable();
    assert!(sorted.into_iter().eq(0..train.windows() as u32));
    let shard = |window: &u32| train.batch(2, &[*window]).unwrap().inputs[0] / 2000;
    let shards: Vec<i32> = order.iter().map(shard).collect();
    let mut groups: Vec<Vec<i32>> = Vec::new();
    for shard in shards {
        match groups.last_mut() {
            Some(group) if group.contains(&shard) => {}
            Some(group) if group.len() < 2 => group.push(shard),
            _ => groups.push(vec![shard]),
        }
    }
    let mut seen = groups.concat();
    assert!((5..=6).contains(&groups.len()), "{groups:?}");
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(
        seen.len(),
        groups.concat().len(),
        "none comes back: {groups:?}"
    );
    // A process that begins in the middle, with nothing in its folder, reads the same; so does each of two.
    let batches: Vec<&[u32]> = order.chunks(4).collect();
    let rest = &batches[batches.len() / 2..];
    let expected: Vec<_> = rest
        .iter()
        .map(|batch| train.batch(2, batch).unwrap())
        .collect();
    fs::remove_dir_all(files.path("cache")).unwrap();
    let fresh = load(&config).unwrap().train;
    let order = arranged(&fresh, 1, 2).into_list();
    let batches: Vec<&[u32]> = order.chunks(4).collect();
    for (batch, expected) in batches[batches.len() / 2..].iter().zip(expected) {
        let parts = [0, 1].map(|rank| fireclay_data::shard(batch, rank, 2));
        let parts = parts.map(|part| fresh.batch(2, part).unwrap().inputs);
        assert_eq!(parts.concat(), expected.inputs);
    }
}

#[test]
fn what_is_wrong_with_a_shard_is_said_with_its_name() {
    let files = Files::new();
    let (server, config) = token_files(&files);
    let small = with(config.clone(), |config| config.vocabulary = Some(22_030));
    refused(load(&small), &["11.bin", "token 30 is 22030", "has 22030"]);
    refused(
        load(&here(&files, &small, "here/*.bin")),
        &["11.bin", "token 30 is 22030"],
    );
    let tight = with(config.clone(), |config| {
        config.shard_cache_bytes = Some(3 * 3066)
    });
    refused(
        load(&tight),
        &["data.shards_mixed", "data.shard_cache_bytes"],
    );
    let line = format!("{}  {}/00.bin\n", "0".repeat(64), server.address);
    let wrong = with(config.clone(), |config| {
        config.path = put(&files, "wrong.sha256", line)
    });
    refused(load(&wrong), &["00.bin", "its SHA-256 is"]);
    let packed = with(config.clone(), |config| {
        config.packing = fireclay_data::Packing::Documents;
    });
    let byte = TokenizerConfig::default();
    let byte = Some((TokenizerKind::Byte, &byte));
    let packed = TextData::load(TextFormat::Tokens, &packed, byte, CONTEXT, ORDER);
    refused(packed, &["data.packing", "stream"]);
    // A file of a manifest is compared when it is listed, and again by each process that reads it.
    let hash = sha256_file(&files.path("here/00.bin")).unwrap();
    let line = format!("{hash}  here/00.bin\n");
    let listed = with(config, |config| {
        config.path = put(&files, "here.sha256", line)
    });
    let before = load(&listed).unwrap();
    assert!(before.train.batch(0, &[0]).is_ok());
    put(&files, "here/00.bin", little(&[1; 50]));
    refused(
        before.train.batch(0, &[0]),
        &["changed while it was in use"],
    );
    let after = load(&listed).unwrap();
    refused(after.train.batch(0, &[0]), &["00.bin", "here.sha256 says"]);
}

#[test]
fn shards_that_are_too_short_are_counted() {
    let files = Files::new();
    put(&files, "here/a.bin", little(&[1; 40]));
    put(&files, "here/b.bin", little(&[2; 5]));
    let config = TextDataConfig::new(files.path("here/*.bin").display().to_string());
    let config = with(config, |config| {
        config.vocabulary = Some(10);
        (config.split.train, config.split.valid) = (1.0, 0.0);
    });
    let data = load(&config).unwrap();
    assert!(messages(&data.notes).contains("1 shards have fewer tokens"));
    assert!(all(&data.train, 0).inputs.iter().all(|token| *token == 1));
    put(&files, "here/a.bin", little(&[1; 8]));
    refused(
        load(&config),
        &["13 tokens in 2 shards", "model.context_length"],
    );
}

/// The texts of a Parquet file.
fn texts(number: usize) -> Vec<String> {
    let text = |row: usize| format!("shard {number} row {row} ") + &"clay ".repeat(row);
    (0..6 + number % 3).map(text).collect()
}

fn parquet(texts: Vec<String>) -> Vec<u8> {
    let column: ArrayRef = Arc::new(StringArray::from(texts));
    let batch = RecordBatch::try_from_iter([("text", column)]).unwrap();
    parquet_bytes(&[batch]).unwrap()
}

fn load_texts(format: TextFormat, config: &TextDataConfig) -> Result<TextData, DataError> {
    let byte = TokenizerConfig::default();
    TextData::load(
        format,
        config,
        Some((TokenizerKind::Byte, &byte)),
        CONTEXT,
        ORDER,
    )
}

#[test]
fn texts_in_parquet_are_tokenized_file_by_file() {
    let files = Files::new();
    let shards = (0..8).map(|number| (format!("{number}.parquet"), parquet(texts(number))));
    let shards: BTreeMap<_, _> = shards.collect();
    let largest = shards.values().map(Vec::len).max().unwrap() as u64;
    let (server, config) = served(&files, shards, largest);
    let config = with(config, |config| {
        (config.split.train, config.split.valid) = (1.0, 0.0);
    });
    let data = load_texts(TextFormat::TextParquet, &config).unwrap();
    let local = here(&files, &config, "here/*.parquet");
    let local = load_texts(TextFormat::TextParquet, &local).unwrap();
    assert_eq!(all(&data.train, 0), all(&local.train, 0));
    let bytes: usize = (0..8).flat_map(texts).map(|text| text.len()).sum();
    assert_eq!(
        (data.train.bytes(), local.train.bytes()),
        (bytes as u64, bytes as u64)
    );
    // Of one file the windows are those of JSON Lines.
    let lines: String = texts(3)
        .iter()
        .map(|text| format!("{{\"text\":\"{text}\"}}\n"))
        .collect();
    let jsonl = with(
        TextDataConfig::new(put(&files, "3.jsonl", lines)),
        |config| {
            config.cache_dir = Some(files.path("tokens").display().to_string());
            (config.split.train, config.split.valid) = (1.0, 0.0);
        },
    );
    let jsonl = load_texts(TextFormat::TextJsonl, &jsonl).unwrap();
    let one = load_texts(
        TextFormat::TextParquet,
        &here(&files, &config, "here/3.parquet"),
    );
    let one = one.unwrap();
    assert_eq!(all(&one.train, 1), all(&jsonl.train, 1));
    assert_eq!(one.train.tokens_per_byte(), jsonl.train.tokens_per_byte());
    // An epoch fetches and tokenizes each file about once.
    let most = config.shard_cache_bytes.unwrap();
    let before = server.asked();
    for batch in arranged(&data.train, 3, 1).into_list().chunks(4) {
        data.train.batch(1, batch).unwrap();
        assert!(bytes_in(&files.path("cache")) <= most);
    }
    assert!(server.asked() - before <= 8, "{}", server.asked() - before);
    let other = with(config.clone(), |config| config.field = Some("txt".into()));
    refused(
        load_texts(TextFormat::TextParquet, &other),
        &["txt", "text"],
    );
    let bpe = TokenizerConfig::default();
    let bpe = Some((TokenizerKind::Bpe, &bpe));
    let made = TextData::load(TextFormat::TextParquet, &config, bpe, CONTEXT, ORDER);
    refused(made, &["tokenizer.type", "text_parquet"]);
}
