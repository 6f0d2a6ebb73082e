//! Pieces with scores, as SentencePiece makes them for Llama 2, Mistral and others.

use std::collections::HashMap;

use fireclay_gguf::Gguf;
use serde_json::{Value, json};

use super::{Tokens, document};

/// Bytes of a piece, which is looked for in all of its cuts.
const LONGEST: usize = 512;
/// Bytes of all pieces.
const MOST: usize = 16 << 20;

/// Bytes of all merges; those of a vocabulary of 256,000 have some 10 MB.
const MOST_MERGED: usize = 64 << 20;

/// The `tokenizer.json`, as `transformers` convert the file of SentencePiece: BPE whose merges are the pieces, the best
/// first, each in all ways in which it is two others.
pub(super) fn json(file: &Gguf, tokens: &Tokens<'_>) -> Result<Value, String> {
    let unknown = tokens.named(file, "unknown");
    let unknown = unknown
        .map(|(_, name)| name)
        .or(tokens.names.first().map(String::as_str));
    let prefix = file
        .truth("tokenizer.ggml.add_space_prefix")
        .unwrap_or(true);
    if file.truth("tokenizer.ggml.remove_extra_whitespaces") == Some(true) {
        return Err("it takes spaces away (tokenizer.ggml.remove_extra_whitespaces)".into());
    }
    let model = json!({
        "type": "BPE", "dropout": null, "unk_token": unknown, "continuing_subword_prefix": null,
        "end_of_word_suffix": null, "fuse_unk": true, "byte_fallback": true, "ignore_merges": false,
        "vocab": tokens.vocabulary()?, "merges": merges(file, tokens)?,
    });
    let parts = [
        ("normalizer", normalizer(prefix)),
        ("pre_tokenizer", Value::Null),
        ("decoder", decoder(prefix)),
        ("model", model),
    ];
    document(file, tokens, true, parts)
}

/// Writes spaces as pieces have them, with one before the text where it begins with a `prefix`.
fn normalizer(prefix: bool) -> Value {
    let prepended = prefix.then(|| json!({ "type": "Prepend", "prepend": SPACE }));
    let replaced = json!({ "type": "Replace", "pattern": { "String": " " }, "content": SPACE });
    let normalizers: Vec<Value> = prepended.into_iter().chain([replaced]).collect();
    json!({ "type": "Sequence", "normalizers": normalizers })
}

/// The reverse.
fn decoder(prefix: bool) -> Value {
    let decoders = [
        json!({ "type": "Replace", "pattern": { "String": SPACE }, "content": " " }),
        json!({ "type": "ByteFallback" }),
        json!({ "type": "Fuse" }),
    ];
    let stripped =
        prefix.then(|| json!({ "type": "Strip", "content": " ", "start": 1, "stop": 0 }));
    let decoders: Vec<Value> = decoders.into_iter().chain(stripped).collect();
    json!({ "type": "Sequence", "decoders": decoders })
}

/// What stands for a space.
const SPACE: &str = "\u{2581}";

/// Two pieces that become one, with what they are ordered by.
struct Merge<'a> {
    pair: [&'a str; 2],
    score: f64,
    lengths: [usize; 2],
}

/// The merges. Those of higher scores come first, of equal ones those with the longer first part.
fn merges<'a>(file: &Gguf, tokens: &Tokens<'a>) -> Result<Vec<[&'a str; 2]>, String> {
    let scores = file.numbers("tokenizer.ggml.scores");
    let scores = scores.filter(|scores| scores.len() == tokens.names.len());
    let scores = scores.ok_or("it has no tokenizer.ggml.scores, one for each token")?;
    check_sizes(tokens)?;
    let numbers = tokens.names.iter().map(String::as_str).zip(0..);
    let numbers: HashMap<&str, usize> = numbers.collect();
    let (mut merges, mut merged) = (Vec::new(), 0);
    for (piece, score) in tokens.names.iter().zip(scores) {
        let cuts = piece
            .char_indices()
            .skip(1)
            .map(|(at, _)| piece.split_at(at));
        let pairs = cuts.filter_map(|(first, second)| {
            let known = [*numbers.get(first)?, *numbers.get(second)?];
            Some((known, [first, second]))
        });
        let mut pairs: Vec<_> = pairs.collect();
        merged += pairs.len() * piece.len();
        if merged > MOST_MERGED {
            return Err(format!(
                "its merges have more than {MOST_MERGED} bytes, more than those of any vocabulary"
            ));
        }
        pairs.sort_by_key(|(known, _)| *known);
        merges.extend(pairs.into_iter().map(|(_, pair)| Merge {
            pair,
            score: *score,
            lengths: pair.map(|part| part.chars().count()),
        }));
    }
    merges.sort_by(|a, b| b.score.total_cmp(&a.score).then(b.lengths.cmp(&a.lengths)));
    Ok(merges.into_iter().map(|merge| merge.pair).collect())
}

fn check_sizes(tokens: &Tokens<'_>) -> Result<(), String> {
    let longest = tokens.names.iter().map(String::len).max().unwrap_or(0);
    let all: usize = tokens.names.iter().map(String::len).sum();
    match longest > LONGEST || all > MOST {
        true => Err(format!(
            "its pieces have up to {longest} bytes and {all} in all, more than any vocabulary"
        )),
        false => Ok(()),
    }
}
