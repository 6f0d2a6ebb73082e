//! Its finished runs.

use fireclay_data::{Chat, PreferenceSplit, Tokenizer};
use fireclay_models::{LanguageNetwork, LanguageShape};

use super::super::prelude::*;
use super::{Preferences, evaluate, reference, source};
use crate::generate::Writer;
use crate::samples::PreferenceSamples;
use crate::task::PreferenceModel;

/// A finished run on pairs of answers.
pub(super) struct PreferenceRun {
    pub base: Base,
    pub tokenizer: Tokenizer,
    pub shape: LanguageShape,
    pub model: PreferenceModel,
}

impl PreferenceRun {
    fn no_rows(&self) -> RunError {
        let run = self.base.folder.display();
        RunError::Usage(format!(
            "a language model goes on from what it is told: fireclay chat {run}, or fireclay generate {run} --prompt TEXT"
        ))
    }
}

impl Run for PreferenceRun {
    fn merged(&self) -> Result<Vec<(&'static str, Vec<u8>)>, RunError> {
        merged(self.base())
    }

    fn base(&self) -> &Base {
        &self.base
    }

    fn schema(&self) -> InputSchema {
        let most = self.model.model.context_length();
        InputSchema::one("prompt", InputKind::Text { most })
    }

    fn evaluate(&self, on: On<'_>) -> Result<Evaluated, RunError> {
        let (config, context) = (self.base.config(), self.model.model.context_length());
        let read = |path: &str| {
            let how = (source(config), &self.tokenizer);
            let (split, notes) = PreferenceSplit::of_file(path, how.0, how.1, context)?;
            Ok((PreferenceSamples::new(Some(split), None), notes))
        };
        evaluate_on::<Preferences>(&self.base, on, read, |samples| {
            let samples = reference::beside(&self.base, &self.shape, samples)?;
            evaluate(config, &self.model, samples, &self.base.device)
        })
    }

    fn chat(&self) -> Result<Option<Chat>, RunError> {
        Chat::of_tokenizer(&self.tokenizer).map_err(RunError::Usage)
    }

    fn answers(&self, _rows: &RecordBatch) -> Result<Answered, RunError> {
        Err(self.no_rows())
    }

    fn predict(&self, _job: &PredictJob<'_>) -> Result<Predicted, RunError> {
        Err(self.no_rows())
    }

    fn writer(&self) -> Result<Writer<'_>, RunError> {
        let device = &self.base.device;
        Ok(Writer::new(&self.model.model, &self.tokenizer, device))
    }
}
