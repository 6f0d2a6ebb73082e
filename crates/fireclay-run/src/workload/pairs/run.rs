//! Its finished runs.

use fireclay_data::{PairFormat, PairSplit, Tokenizer};
use fireclay_models::{TranslationModel, TranslationNetwork};

use super::super::dataset::text_cells;
use super::super::prelude::*;
use super::super::shared::{ONE_FILE, evaluate_on_files};
use super::{Pairs, evaluate, task};
use crate::answer::Answers;
use crate::predict::predict_lines;
use crate::samples::PairSamples;
use crate::translate::Translator;

/// A finished run on pairs of texts.
pub(super) struct TranslationRun {
    pub base: Base,
    pub tokenizer: Tokenizer,
    pub model: TranslationModel,
}

impl TranslationRun {
    fn translate(&self, texts: &[String]) -> Result<Vec<String>, RunError> {
        let (device, task) = (&self.base.device, task(self.base.config()));
        let translator = Translator::new(&self.model, &self.tokenizer, device, task);
        Ok(translator.translate(texts)?)
    }
}

impl Run for TranslationRun {
    fn merged(&self) -> Result<Vec<(&'static str, Vec<u8>)>, RunError> {
        merged(self.base())
    }

    fn base(&self) -> &Base {
        &self.base
    }

    fn schema(&self) -> InputSchema {
        let most = self.model.context_length();
        InputSchema::one("text", InputKind::Text { most })
    }

    fn evaluate(&self, on: On<'_>) -> Result<Evaluated, RunError> {
        let config = self.base.config();
        let read = |path: &str, target: Option<&str>| {
            let source = Pairs::source(config);
            if target.is_some() && source.format != PairFormat::Parallel {
                return Err(RunError::Usage(ONE_FILE.into()));
            }
            let how = (source.format, &source.config);
            let context = self.model.context_length();
            let split = PairSplit::of_files(path, target, how, &self.tokenizer, context)?;
            Ok((PairSamples::new(Some(split)), Vec::new()))
        };
        evaluate_on_files::<Pairs>(&self.base, on, read, |samples| {
            evaluate(
                config,
                (&self.model, &self.tokenizer),
                samples,
                &self.base.device,
            )
        })
    }

    /// The column `text` holds the sources.
    fn answers(&self, rows: &RecordBatch) -> Result<Answered, RunError> {
        let texts = self.translate(&text_cells(rows, "text")?)?;
        Ok(Answered {
            answers: Answers::Texts(texts),
            cut: 0,
        })
    }

    fn predict(&self, job: &PredictJob<'_>) -> Result<Predicted, RunError> {
        predict_lines(self, job, |texts| self.translate(texts))
    }
}
