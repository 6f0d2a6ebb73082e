//! Its finished runs, and those that answer.

use std::marker::PhantomData;

use fireclay_data::{Chat, PreferenceSplit, Tokenizer};
use fireclay_models::{LanguageNetwork, LanguageShape};

use super::super::prelude::*;
use super::{Answering, Kind, Preferences, evaluate, reference, row, samples, source};
use crate::generate::Writer;
use crate::samples::PreferenceSamples;
use crate::task::PreferenceModel;

/// A finished run on pairs of answers.
pub struct Finished<K> {
    pub(super) kind: PhantomData<K>,
    pub(super) base: Base,
    pub(super) tokenizer: Tokenizer,
    pub(super) shape: LanguageShape,
    pub(super) model: PreferenceModel,
}

impl<K: Kind> Finished<K> {
    /// The pairs of a file, and what the user should know of them.
    pub(super) fn read(&self, path: &str) -> Result<(PreferenceSamples, Vec<String>), RunError> {
        let config = self.base.config();
        let row = row::<K>(config).min(self.model.model.context_length());
        let (split, notes) = PreferenceSplit::of_file(path, source(config), &self.tokenizer, row)?;
        Ok((samples::<K>(Some(split), None), notes))
    }

    pub(super) fn evaluate(&self, on: On<'_>) -> Result<Evaluated, RunError> {
        let read = |path: &str| self.read(path);
        evaluate_on::<Preferences<K>>(&self.base, on, read, |samples| {
            let samples = reference::beside(&self.base, &self.shape, samples)?;
            evaluate(self.base.config(), &self.model, samples, &self.base.device)
        })
    }

    /// The one column that it reads.
    pub(super) fn schema(&self, name: &str) -> InputSchema {
        let most = self.model.model.context_length();
        InputSchema::one(name, InputKind::Text { most })
    }
}

/// One that answers.
pub(super) struct AnsweringRun(pub Finished<Answering>);

impl AnsweringRun {
    fn no_rows(&self) -> RunError {
        let run = self.0.base.folder.display();
        RunError::Usage(format!(
            "a language model goes on from what it is told: fireclay chat {run}, or fireclay generate {run} --prompt TEXT"
        ))
    }
}

impl Run for AnsweringRun {
    fn merged(&self) -> Result<Vec<(&'static str, Vec<u8>)>, RunError> {
        merged(self.base())
    }

    fn base(&self) -> &Base {
        &self.0.base
    }

    fn schema(&self) -> InputSchema {
        self.0.schema("prompt")
    }

    fn evaluate(&self, on: On<'_>) -> Result<Evaluated, RunError> {
        self.0.evaluate(on)
    }

    fn chat(&self) -> Result<Option<Chat>, RunError> {
        Chat::of_tokenizer(&self.0.tokenizer).map_err(RunError::Usage)
    }

    fn answers(&self, _rows: &RecordBatch) -> Result<Answered, RunError> {
        Err(self.no_rows())
    }

    fn predict(&self, _job: &PredictJob<'_>) -> Result<Predicted, RunError> {
        Err(self.no_rows())
    }

    fn writer(&self) -> Result<Writer<'_>, RunError> {
        let Finished {
            base,
            tokenizer,
            model,
            ..
        } = &self.0;
        Ok(Writer::new(&model.model, tokenizer, &base.device))
    }
}
