//! `init` on texts: running text, a table of texts with labels, pairs of texts.

use std::fs;
use std::path::{Path, PathBuf};

use fireclay_data::{LabelledGuess, TargetKind, TextGuess, expand, image_files, read_lines};

use super::init::{DRAWN, opening, quoted, say_positive, training};
use crate::failure::Failure;
use crate::text::{one_line, prose, say};

/// A text of so many bytes or fewer is learned letter by letter.
const LETTERS: u64 = 2_000_000;
/// A text of so many bytes or fewer is short.
const SHORT: u64 = 20_000;

/// Prints what was found in a file of texts, and returns the text of a config.
pub fn config(path: &str, found: &TextGuess, output: &Path) -> String {
    match found {
        TextGuess::Running { field } => running(path, field.as_deref(), output),
        TextGuess::Labelled(guess) => labelled(path, guess, output),
        TextGuess::Pairs { source, target } => {
            let [from, to] = [source, target].map(|name| one_line(name));
            say!("pairs    {to} is written from {from}");
            let columns = format!("source = {}\ntarget = {}\n", quoted(source), quoted(target));
            pairs(("pair_table", path, &columns), output)
        }
    }
}

/// Why there is no config for conversations: they tune a model, and `init` does not know which.
pub fn conversations(path: &str) -> Failure {
    let path = quoted(path);
    Failure::Usage(format!(
        "{path} holds conversations, which tune a language model that is there. Name its folder in a config: data = {{ type = \"chat_jsonl\", path = {path} }} and model = {{ pretrained = \"FOLDER\" }}; docs/language-models.md has a whole one"
    ))
}

/// The same for pairs of answers.
pub fn preferences(path: &str) -> Failure {
    let path = quoted(path);
    Failure::Usage(format!(
        "{path} holds pairs of answers, which teach a language model that is there to prefer the better ones. Name its folder in a config: data = {{ type = \"preference_jsonl\", path = {path} }}, model = {{ pretrained = \"FOLDER\" }} and task = {{ type = \"dpo\" }}, or \"orpo\"; docs/language-models.md has a whole one"
    ))
}

/// The config for a folder of texts; `None` if it holds images, or no text.
pub fn folder(folder: &Path, output: &Path) -> Result<Option<String>, Failure> {
    let shown = folder.display().to_string();
    let pattern = folder.join("**/*.txt").display().to_string();
    let Ok(texts) = expand(&pattern) else {
        return Ok(None);
    };
    if image_files(&shown).is_ok() {
        return Ok(None);
    }
    let is_inside = |text: &PathBuf| text.parent() != Some(folder);
    if texts.iter().all(is_inside) {
        return Err(Failure::Usage(format!(
            "{shown} has its texts in folders. If a folder is a class, write a table with a column of the texts and one of the classes, and name the table; if all of it is one language, name {pattern:?}"
        )));
    }
    Ok(Some(running(&pattern, None, output)))
}

/// Looks at two files of which each line of the second is the translation of the same line of the first, and
/// returns the text of a config.
pub fn parallel([source, target]: [&PathBuf; 2], output: &Path) -> Result<String, Failure> {
    let [sources, targets] = [read_lines(source)?.len(), read_lines(target)?.len()];
    let [source, target] = [source, target].map(|path| path.display().to_string());
    if sources != targets {
        return Err(Failure::Usage(format!(
            "{source} has {sources} lines and {target} has {targets}: of two files, each line of the second must be the translation of the same line of the first"
        )));
    }
    say!("pairs    {sources}: lines of {source} and their translations in {target}");
    let other = format!("target_path = {}\n", quoted(&target));
    Ok(pairs(("parallel", &source, &other), output))
}

/// Running text, with a small GPT.
fn running(path: &str, field: Option<&str>, output: &Path) -> String {
    let files = expand(path).unwrap_or_default();
    let sizes = files.iter().filter_map(|file| fs::metadata(file).ok());
    let bytes: u64 = sizes.map(|size| size.len()).sum();
    prose!(
        9,
        "text     {bytes} bytes of running text, for a model that continues a text"
    );
    let kind = match field.is_some() {
        true => "text_jsonl",
        false => "text",
    };
    let field = field.map(|field| format!("field = {}\n", quoted(field)));
    format!(
        "{}\
         [data]\n\
         type = \"{kind}\"\n\
         path = {}\n\
         {}\
         split = {{ train = 0.9, valid = 0.1, test = 0.0 }}\n\n\
         {}",
        opening(&quoted(path), output),
        quoted(path),
        field.unwrap_or_default(),
        small_gpt(bytes),
    )
}

/// A GPT for so many bytes of text, and how it is trained.
fn small_gpt(bytes: u64) -> String {
    let tokenizer = match bytes {
        0..=LETTERS => "type = \"char\"      # or \"bpe\" with a vocabulary_size, for more text",
        _ => "type = \"bpe\"\nvocabulary_size = 4096",
    };
    let (context, steps) = match bytes {
        0..=SHORT => (32, 500),
        _ => (64, 2000),
    };
    format!(
        "[tokenizer]\n{tokenizer}\n\n\
         [model]\n\
         type = \"gpt\"       # or \"llama\"; `fireclay models` lists them\n\
         layers = 4\n\
         heads = 4\n\
         width = 128\n\
         context_length = {context}   # tokens that the model looks back at\n\
         dropout = 0.1\n\n\
         [task]\n\
         type = \"causal_lm\"\n\n\
         [optimizer]\n\
         type = \"adamw\"\n\
         learning_rate = 1e-3\n\
         weight_decay = 0.1\n\n\
         [lr_scheduler]\n\
         type = \"cosine\"\n\
         warmup_ratio = 0.05\n\n\
         [train]\n\
         max_steps = {steps}\n\
         batch_size = 16\n\
         max_grad_norm = 1.0\n\n\
         [eval]\n\
         every_steps = {}\n",
        steps / 10,
    )
}

/// A table of texts with labels, with a bidirectional LSTM over the tokens of each text.
fn labelled(path: &str, guess: &LabelledGuess, output: &Path) -> String {
    let (task, what, stratify) = match guess.target_kind {
        TargetKind::Number => ("regression", "a number".to_owned(), ""),
        TargetKind::Class | TargetKind::Set => (
            "classification",
            format!("{} classes", guess.classes.len()),
            ", stratify = true",
        ),
    };
    say!("text     {}", one_line(&guess.text));
    say!("target   {} ({task}, {what})", one_line(&guess.target));
    let notes = guess.notes.iter();
    notes.for_each(|note| prose!(9, "note     {note}"));
    say_positive(&guess.classes);
    format!(
        "{}\
         [data]\n\
         type = \"text_table\"\n\
         path = {}\n\
         {}\
         max_length = 256   # tokens of a text that are read\n\
         split = {{ train = 0.7, valid = 0.15, test = 0.15{stratify} }}{DRAWN}\n\n\
         {LSTM}\
         [task]\n\
         type = \"{task}\"\n\n\
         {}\
         [early_stopping]\n\
         monitor = \"valid/loss\"\n\
         patience = 3\n",
        opening(&quoted(path), output),
        quoted(path),
        columns(guess),
        training(0.01, 20),
    )
}

/// The tables of the LSTM and its tokenizer.
const LSTM: &str = "\
[tokenizer]
type = \"wordpiece\"
vocabulary_size = 8000
lowercase = true

[model]
type = \"lstm\"      # or \"bert\", best from pretrained weights; `fireclay models` lists them
layers = 1
width = 128
hidden = 128
pooling = \"max\"
dropout = 0.5
embedding_dropout = 0.3

";

/// The keys that name the columns of a table, and say how they are read.
fn columns(guess: &LabelledGuess) -> String {
    let id = guess.id.as_ref();
    let id = id.map(|id| format!("id = {}\n", quoted(id)));
    let missing = match guess.missing_target {
        0 => "",
        _ => "missing_target = \"drop\"   # leave out rows without a target\n",
    };
    format!(
        "text = {}\ntarget = {}\n{}{}{missing}",
        quoted(&guess.text),
        quoted(&guess.target),
        dialect(guess),
        id.unwrap_or_default(),
    )
}

/// The keys of how the text of a table is written.
fn dialect(guess: &LabelledGuess) -> String {
    let keys = guess.dialect.keys().into_iter();
    keys.map(|(key, value)| format!("{key} = {value}\n"))
        .collect()
}

/// A small Transformer with encoder and decoder; `keys` are the lines that name where the pairs are.
fn pairs((kind, path, keys): (&str, &str, &str), output: &Path) -> String {
    format!(
        "{}\
         [data]\n\
         type = \"{kind}\"\n\
         path = {}\n\
         {keys}\
         batch_tokens = 4096   # tokens of a batch, both sides together\n\
         split = {{ train = 0.8, valid = 0.1, test = 0.1 }}\n\n\
         [tokenizer]\n\
         type = \"bpe\"\n\
         vocabulary_size = 6000\n\n\
         [model]\n\
         type = \"transformer\"\n\
         layers = 3\n\
         heads = 4\n\
         width = 256\n\
         mlp_width = 512\n\
         context_length = 128\n\
         dropout = 0.1\n\n\
         [task]\n\
         type = \"seq2seq\"\n\
         label_smoothing = 0.1\n\
         beam_size = 4\n\
         length_penalty = 0.6\n\n\
         [optimizer]\n\
         type = \"adamw\"\n\
         learning_rate = 1e-3\n\
         betas = [0.9, 0.98]\n\n\
         [lr_scheduler]\n\
         type = \"cosine\"\n\
         warmup_ratio = 0.1\n\n\
         [train]\n\
         epochs = 10\n\
         max_grad_norm = 1.0\n",
        opening(&quoted(path), output),
        quoted(path),
    )
}
