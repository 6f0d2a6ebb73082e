//! What a configuration need not say, since the weights that it starts from say it.

use std::path::Path;

use fireclay_config::Document;
use fireclay_data::{ChatFormat, PairFormat, PreferenceFormat, TextFormat, TextTableFormat};
use fireclay_train::run_folder;
use serde_json::{Map, Value, json};

use super::pixels::pixels;
use super::{Stated, Weights};
use crate::source;

/// Gives the keys of `[model]` that are not written the values of the pretrained weights, and takes
/// their tokenizer in place of one that would be made from other text, which would number its tokens in
/// another way. Returns what the user should know.
pub(crate) fn complete(document: &mut Document) -> Vec<String> {
    let Some(path) = document.text("model.pretrained").map(str::to_owned) else {
        return Vec::new();
    };
    let (path, note) = newest(document, path);
    let weights = Weights(&path);
    let mut notes: Vec<String> = note.into_iter().collect();
    notes.extend(model(document, weights));
    notes.extend(tokenizer(document, weights));
    notes.extend(pixels(document, weights));
    notes
}

/// The newest of the runs in a folder of numbered runs, as on the command line. It is written down in place of the
/// folder, which may hold a newer one later.
fn newest(document: &mut Document, path: String) -> (String, Option<String>) {
    let Some(run) = run_folder::newest(Path::new(&path)) else {
        return (path, None);
    };
    let run = run.display().to_string();
    let table = json!({ "model": { "pretrained": run } });
    let text = toml::to_string(&table).expect("plain data");
    let laid = document.lay_above(&path, &text);
    laid.expect("what was just written is TOML");
    let note = format!("model.pretrained is {run}, the newest run in {path}");
    (run, Some(note))
}

/// Keys that choose a published model and thereby give the others.
const CHOOSING: [&str; 2] = ["model.size", "model.depth"];

/// The largest context that is taken from a model whose weights do not depend on it.
const CONTEXT: u64 = 2048;

fn model(document: &mut Document, weights: Weights<'_>) -> Vec<String> {
    let stated = match weights.stated() {
        Ok(Some(stated)) => stated,
        // The message comes once the data is read, with everything else that does not fit.
        _ if document.is_written("model.type") => return Vec::new(),
        Ok(None) => {
            let there = source::check(weights.path());
            return there.map_or_else(|reason| refuse(document, &reason), |()| Vec::new());
        }
        Err(error) => return refuse(document, &format!("cannot be used: {error}")),
    };
    let Stated {
        mut keys,
        is_foreign,
    } = stated;
    keys.retain(|_, value| !value.is_null());
    if CHOOSING.iter().any(|key| document.is_written(key)) {
        keys.retain(|key, _| key == "type");
    }
    let short = match is_foreign {
        true => shorten(document, &mut keys, weights),
        false => None,
    };
    let stretched = stretched(document, &keys, weights);
    lay_beneath(document, weights, json!({ "model": keys }));
    short.into_iter().chain(stretched).collect()
}

/// Refuses weights that were to say which model it is, and cannot.
fn refuse(document: &mut Document, reason: &str) -> Vec<String> {
    document.refuse("model.pretrained", reason);
    Vec::new()
}

/// Rotations that the configuration stretches itself need not be those of the weights.
fn stretched(
    document: &Document,
    keys: &Map<String, Value>,
    weights: Weights<'_>,
) -> Option<String> {
    let own = match keys.get("rope_scaling") {
        Some(own) => format!("have rope_scaling = {own}"),
        None => "have no rope_scaling".to_owned(),
    };
    document.is_written("model.rope_scaling").then(|| {
        format!(
            "the weights in {} {own}; they are trained on with model.rope_scaling as it is written: leave it out for theirs",
            weights.0
        )
    })
}

/// A model whose positions are rotations reads any length, and some say that they read 131,072 tokens.
fn shorten(
    document: &Document,
    keys: &mut Map<String, Value>,
    weights: Weights<'_>,
) -> Option<String> {
    let name = keys.get("type").filter(|name| super::is_free(name))?;
    let longest = weights.longest(name.as_str()?).unwrap_or(0);
    let found = keys.get("context_length")?.as_u64()?;
    // What the file says may be more than a model here reads.
    let said = longest.max(found);
    let read = found.min(CONTEXT);
    if said <= read {
        return None;
    }
    keys.insert("context_length".into(), read.into());
    let most = match said > found {
        true => {
            format!(", {found} at most: beyond, its rotations change with the length of each text")
        }
        false => String::new(),
    };
    let is_own = document.is_written("model.context_length");
    (!is_own).then(|| {
        format!(
            "{} reads up to {said} tokens; the training reads {read} at once: set model.context_length for another number{most}",
            weights.0
        )
    })
}

/// Kinds of `[tokenizer]` that are the same whatever the text.
const FIXED: [&str; 2] = ["file", "byte"];

fn tokenizer(document: &mut Document, weights: Weights<'_>) -> Option<String> {
    let data = document.text("data.type")?.to_owned();
    let kind = document.text("tokenizer.type").map(str::to_owned);
    if kind.as_deref() == Some("file") && reads_text(&data) {
        describe(document, weights);
    }
    let path = weights.tokenizer()?;
    let is_fixed = kind.as_deref().is_some_and(|kind| FIXED.contains(&kind));
    let is_broken = kind.is_none() && document.is_written("tokenizer");
    if !reads_text(&data) || is_fixed || is_broken {
        return None;
    }
    document.take_away("tokenizer");
    let path = path.display().to_string();
    let table = json!({ "tokenizer": { "type": "file", "path": path } });
    lay_beneath(document, weights, table);
    kind.map(|kind| {
        format!(
            "the tokenizer is {path}, since the weights know no other: one of type \"{kind}\" would number its tokens in another way; set tokenizer.type = \"file\" and tokenizer.path to take another"
        )
    })
}

/// Lets the weights say which tokens end a text, if they come in a folder that says it.
fn describe(document: &mut Document, weights: Weights<'_>) {
    let says = [
        "generation_config.json",
        "config.json",
        "tokenizer_config.json",
    ];
    let folder = weights.folder().filter(|_| !weights.is_gguf());
    if let Some(folder) =
        folder.filter(|folder| says.iter().any(|name| folder.join(name).is_file()))
    {
        let folder = folder.display().to_string();
        let table = json!({ "tokenizer": { "described_in": folder } });
        lay_beneath(document, weights, table);
    }
}

/// Whether data of this type is text that a tokenizer reads.
fn reads_text(data: &str) -> bool {
    let texts = [
        TextFormat::Text,
        TextFormat::TextJsonl,
        TextFormat::TextParquet,
    ];
    let texts = texts.map(TextFormat::name);
    let pairs = PairFormat::ALL.map(PairFormat::name);
    let table = TextTableFormat::ALL.map(TextTableFormat::name);
    let chats = ChatFormat::ALL.map(ChatFormat::name);
    let preferences = PreferenceFormat::ALL.map(PreferenceFormat::name);
    [&texts[..], &pairs, &table, &chats, &preferences]
        .concat()
        .contains(&data)
}

pub(super) fn lay_beneath(document: &mut Document, weights: Weights<'_>, tables: Value) {
    let text = toml::to_string(&tables).expect("plain data");
    let laid = document.lay_beneath(weights.0, &text);
    laid.expect("what was just written is TOML");
}
