//! Byte-level BPE, as of GPT-2 and most models since.

use fireclay_gguf::Gguf;
use serde_json::{Value, json};

use super::{Tokens, document};

/// How a text is cut before its pieces are merged, by what the converter of llama.cpp calls it.
struct Cut {
    names: &'static [&'static str],
    pieces: Pieces,
    /// Whether characters are composed first (NFC).
    composes: bool,
    /// Whether a piece that is a token needs no merges.
    whole: bool,
    /// Whether a text has a start where the file does not say it.
    starts: bool,
}

enum Pieces {
    /// As GPT-2 cuts.
    Gpt2,
    /// The same after each digit is alone.
    Digits,
    /// By an expression.
    Regex(&'static str),
}

/// The expressions are those of the models' own `tokenizer.json`.
const CUTS: [Cut; 4] = [
    Cut {
        names: &["gpt-2", "gpt2", "phi-2"],
        pieces: Pieces::Gpt2,
        composes: false,
        whole: false,
        starts: false,
    },
    Cut {
        names: &["smollm", "starcoder"],
        pieces: Pieces::Digits,
        composes: false,
        whole: false,
        starts: false,
    },
    Cut {
        names: &["llama-bpe", "llama3", "llama-v3"],
        pieces: Pieces::Regex(
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        ),
        composes: false,
        whole: true,
        starts: true,
    },
    Cut {
        names: &["qwen2"],
        pieces: Pieces::Regex(
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        ),
        composes: true,
        whole: false,
        starts: false,
    },
];

/// The `tokenizer.json`.
pub(super) fn json(file: &Gguf, tokens: &Tokens<'_>) -> Result<Value, String> {
    let cut = cut(file)?;
    let merges = file.texts("tokenizer.ggml.merges");
    let merges = merges.ok_or("it has no tokenizer.ggml.merges")?;
    let merges = merges.iter().map(|merge| {
        let pair = merge.split_once(' ');
        pair.ok_or_else(|| format!("the merge {merge:?} is no pair"))
    });
    let merges: Vec<(&str, &str)> = merges.collect::<Result<_, _>>()?;
    let model = json!({
        "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
        "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": cut.whole,
        "vocab": tokens.vocabulary()?, "merges": merges,
    });
    let normalizer = match cut.composes {
        true => json!({ "type": "NFC" }),
        false => Value::Null,
    };
    let prefix = file
        .truth("tokenizer.ggml.add_space_prefix")
        .unwrap_or(false);
    let parts = [
        ("normalizer", normalizer),
        ("pre_tokenizer", cut.pieces.json(prefix)),
        ("decoder", bytes(true, true)),
        ("model", model),
    ];
    document(file, tokens, cut.starts, parts)
}

fn cut(file: &Gguf) -> Result<&'static Cut, String> {
    let is_gpt2 = file.text("general.architecture") == Some("gpt2");
    let name = file.text("tokenizer.ggml.pre");
    // Older files do not say it; of GPT-2 itself it is known.
    let name = name.filter(|name| !is_gpt2 || *name != "default");
    let name = name.or(is_gpt2.then_some("gpt-2"));
    let known = || {
        let names = CUTS.iter().flat_map(|cut| cut.names);
        names.copied().collect::<Vec<_>>().join(", ")
    };
    let name = name.ok_or_else(|| {
        format!(
            "it does not say tokenizer.ggml.pre, how a text is cut, which files of before May 2024 lack: convert the \
             model anew; {} are known",
            known()
        )
    })?;
    CUTS.iter()
        .find(|cut| cut.names.contains(&name))
        .ok_or_else(|| {
            format!(
                "tokenizer.ggml.pre is \"{name}\", and {} are known",
                known()
            )
        })
}

impl Pieces {
    /// `prefix`: whether a space is put before a text that has none, which only the cut of GPT-2 heeds; the others take
    /// no space, whatever the file says, as in llama.cpp.
    fn json(&self, prefix: bool) -> Value {
        let first = match self {
            Self::Gpt2 => return bytes(prefix, true),
            Self::Digits => json!({ "type": "Digits", "individual_digits": true }),
            Self::Regex(expression) => json!({
                "type": "Split", "pattern": { "Regex": expression }, "behavior": "Isolated", "invert": false,
            }),
        };
        let is_cut = matches!(self, Self::Digits);
        json!({ "type": "Sequence", "pretokenizers": [first, bytes(false, is_cut)] })
    }
}

/// Bytes as characters.
fn bytes(prefix: bool, cuts: bool) -> Value {
    json!({ "type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": true, "use_regex": cuts })
}
