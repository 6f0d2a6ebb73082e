//! What a run keeps of its last evaluation beside its predictions: `language.json`, `translations.jsonl` and
//! `samples.jsonl`. Runs of before have none of them.

use std::path::Path;

use fireclay_guard::LARGEST;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::{ReportError, damaged, io};

/// The files, by name.
pub(crate) const KEPT: [&str; 3] = ["language.json", "translations.jsonl", "samples.jsonl"];

/// What is in them.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// Where a language model loses, and what it writes.
    pub language: Option<Language>,
    /// Every text with its translation.
    pub translations: Vec<Translation>,
    /// Images and texts of which the answer is wrong or unsure.
    pub samples: Vec<Sample>,
}

/// `language.json`.
#[derive(Debug, Deserialize)]
pub(crate) struct Language {
    pub split: String,
    pub n: u64,
    pub loss: Option<f64>,
    #[serde(default)]
    pub positions: Vec<Range>,
    #[serde(default)]
    pub classes: Vec<Named>,
    #[serde(default)]
    pub bands: Vec<Range>,
    #[serde(default)]
    pub counted: u64,
    pub temperature: Option<f64>,
    pub seed: Option<u64>,
    pub max_tokens: Option<u64>,
    #[serde(default)]
    pub texts: Vec<Text>,
    pub unwritten: Option<String>,
}

/// The mean loss of tokens whose number is in a range.
#[derive(Debug, Deserialize)]
pub(crate) struct Range {
    pub from: u64,
    pub to: u64,
    #[serde(flatten)]
    pub mean: Mean,
}

/// The mean loss of a class of tokens.
#[derive(Debug, Deserialize)]
pub(crate) struct Named {
    pub name: String,
    #[serde(flatten)]
    pub mean: Mean,
}

/// A mean loss in nats; none where it is not finite.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Mean {
    pub n: u64,
    pub loss: Option<f64>,
    pub error: Option<f64>,
}

/// What a model writes after a piece of a text.
#[derive(Debug, Deserialize)]
pub(crate) struct Text {
    pub window: u64,
    pub prompt: String,
    pub followed: String,
    pub greedy: String,
    pub sampled: String,
}

/// A line of `translations.jsonl`.
#[derive(Debug, Deserialize)]
pub(crate) struct Translation {
    pub split: String,
    pub row: u64,
    pub chrf: f64,
    pub source: String,
    pub reference: String,
    pub translation: String,
}

/// A line of `samples.jsonl`.
#[derive(Debug, Deserialize)]
pub(crate) struct Sample {
    pub split: String,
    pub name: String,
    /// "wrong", "unsure" or "far".
    pub why: String,
    pub truth: String,
    pub prediction: String,
    pub value: Option<f64>,
    /// A data URI.
    pub picture: Option<String>,
    pub text: Option<String>,
}

impl Kept {
    /// What the run in a folder keeps.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, or is not what it should be.
    pub fn read(run: &Path) -> Result<Self, ReportError> {
        let [language, translations, samples] = KEPT.map(|name| run.join(name));
        Ok(Self {
            language: text(&language)?
                .map(|text| parsed(&language, &text))
                .transpose()?,
            translations: lines(&translations)?,
            samples: lines(&samples)?,
        })
    }
}

fn text(path: &Path) -> Result<Option<String>, ReportError> {
    if !path.exists() {
        return Ok(None);
    }
    let text = fireclay_guard::text(path, LARGEST).map_err(|source| io("read", path, source))?;
    Ok(Some(text))
}

fn lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, ReportError> {
    let text = text(path)?.unwrap_or_default();
    text.lines().map(|line| parsed(path, line)).collect()
}

fn parsed<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, ReportError> {
    serde_json::from_str(text).map_err(|error| damaged(path, error))
}
