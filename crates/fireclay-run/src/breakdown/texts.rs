//! What a language model writes after some pieces of the text that it is judged by.

use burn::tensor::Device;
use fireclay_data::{DataError, TokenSplit, Tokenizer};
use fireclay_models::{LanguageModel, LanguageNetwork};
use serde::Serialize;

use crate::generate::{GenerateError, Limits, Sampling, Writer};

/// Pieces of a text, what follows there, and what the model writes instead.
#[derive(Debug, Serialize)]
pub(crate) struct Texts {
    /// What logits are divided by where the model samples.
    temperature: f64,
    /// The seed of every choice.
    seed: u64,
    /// Tokens that are written after each prompt, at most.
    max_tokens: usize,
    texts: Vec<Text>,
    /// Why there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    unwritten: Option<String>,
}

#[derive(Debug, Serialize)]
struct Text {
    /// The window of the split that the prompt begins.
    window: usize,
    prompt: String,
    followed: String,
    greedy: String,
    sampled: String,
}

/// Tokens of a prompt at most, of which half of the context at most.
const PROMPT: usize = 32;
/// Tokens that are written after a prompt, at most and at least.
const MOST: usize = 48;
const LEAST: usize = 16;

/// Lets the model go on from `count` prompts, which are cut from the split at even distances: once with the most
/// probable tokens, once as `generate` samples by default. All texts together have no more tokens than the training
/// made `updates`, but for a few: then they take a small share of its time.
///
/// # Errors
///
/// If a token cannot be read or decoded.
pub(crate) fn write_texts(
    (model, tokenizer, device): (&LanguageModel, &Tokenizer, &Device),
    split: &TokenSplit,
    count: usize,
    updates: u64,
) -> Result<Texts, DataError> {
    let count = count.min(split.windows());
    let sampling = Sampling::default();
    let each = updates as usize / (2 * count).max(1);
    let mut found = Texts {
        temperature: sampling.temperature,
        seed: sampling.seed,
        max_tokens: each.clamp(LEAST, MOST),
        texts: Vec::new(),
        unwritten: None,
    };
    let prompt = (model.context_length() / 2).clamp(1, PROMPT);
    for index in 0..count {
        let window = (2 * index + 1) * split.windows() / (2 * count);
        let (prompt, followed) = split.prompt(window as u32, prompt, found.max_tokens)?;
        if prompt.is_empty() || followed.is_empty() {
            continue;
        }
        let pieces = (&prompt[..], &followed[..]);
        let writer = || Writer::new(model, tokenizer, device);
        let most = found.max_tokens;
        match written(writer, (tokenizer, window), pieces, &sampling, most) {
            Ok(text) => found.texts.push(text),
            Err(GenerateError::Data(error)) => return Err(error),
            Err(error) => {
                found.unwritten = Some(error.to_string());
                break;
            }
        }
    }
    Ok(found)
}

fn written<'a>(
    writer: impl Fn() -> Writer<'a>,
    (tokenizer, window): (&Tokenizer, usize),
    (prompt, followed): (&[u32], &[u32]),
    sampling: &Sampling,
    max_tokens: usize,
) -> Result<Text, GenerateError> {
    let greedy = Sampling {
        temperature: 0.0,
        ..sampling.clone()
    };
    Ok(Text {
        window,
        prompt: tokenizer.decode(prompt)?,
        followed: tokenizer.decode(followed)?,
        greedy: go_on(writer(), prompt, &greedy, max_tokens)?,
        sampled: go_on(writer(), prompt, sampling, max_tokens)?,
    })
}

fn go_on(
    writer: Writer<'_>,
    prompt: &[u32],
    sampling: &Sampling,
    max_tokens: usize,
) -> Result<String, GenerateError> {
    let limits = Limits {
        max_tokens,
        stop: Vec::new(),
    };
    let mut text = String::new();
    writer.go_on(prompt.to_vec(), sampling, &limits, |piece| text += piece)?;
    Ok(text)
}
