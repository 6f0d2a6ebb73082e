//! Its finished runs, and models of others.

use std::marker::PhantomData;
use std::path::Path;

use burn::module::Module;
use fireclay_data::{Chat, Tokenizer};
use fireclay_models::{LanguageConfig, LanguageNetwork, LanguageShape, ModelDescription, Quantize};

use super::super::prelude::*;
use super::super::rounded::rounded;
use super::super::text::{Reads, Texts};
use super::{CausalText, evaluate};
use crate::artifacts::model_files;
use crate::beside::{Beside, beside};
use crate::generate::Writer;
use crate::pretrained::more_keys;
use crate::run::TextWindows;
use crate::samples::TextSamples;
use crate::task::CausalLm;

/// Tokens of a window in which a model of others reads a text: some read 131,072, whose logits fill any memory.
const USUAL_CONTEXT: usize = 1024;

/// A finished run on text, or a model of others.
pub(super) struct TextRun<D> {
    pub(super) data: PhantomData<D>,
    pub(super) base: Base,
    /// A run on files of tokens may have none.
    pub(super) tokenizer: Option<Tokenizer>,
    pub(super) vocabulary: usize,
    pub(super) model: CausalLm,
    /// Whether its model has adapters that are not in its folder.
    pub(super) is_adapted: bool,
}

impl<D: Texts> TextRun<D> {
    fn description(&self) -> ModelDescription<LanguageConfig> {
        ModelDescription {
            config: CausalText::<D>::table(self.base.config()).network.clone(),
            shape: LanguageShape {
                vocabulary: self.vocabulary,
            },
        }
    }

    /// How it reads text, in windows of so many tokens.
    fn reads(&self, context: usize) -> Reads<'_> {
        Reads {
            tokenizer: self.tokenizer.as_ref(),
            vocabulary: self.vocabulary,
            context,
        }
    }

    /// Tokens of a window, and from one to the next.
    fn lengths(&self, text: &TextWindows<'_>) -> Result<(usize, usize), RunError> {
        let most = self.model.model.context_length();
        let usual = match self.base.is_run() {
            true => most,
            false => most.min(USUAL_CONTEXT),
        };
        let context = text.context.unwrap_or(usual);
        let stride = text.stride.unwrap_or(context);
        if !(1..=most).contains(&context) {
            let message = format!("--context must be from 1 to {most}, which the model reads");
            return Err(RunError::Usage(message));
        }
        if !(1..=context).contains(&stride) {
            let message = format!("--stride must be from 1 to {context}, the tokens of a window");
            return Err(RunError::Usage(message));
        }
        Ok((context, stride))
    }

    fn evaluate_with(
        &self,
        on: On<'_>,
        read: impl FnOnce(&str) -> Result<(TextSamples, Vec<String>), RunError>,
    ) -> Result<Evaluated, RunError> {
        evaluate_on::<CausalText<D>>(&self.base, on, read, |samples| {
            evaluate(self.base.config(), &self.model, samples, &self.base.device)
        })
    }

    fn no_rows(&self) -> RunError {
        let run = self.base.folder.display();
        RunError::Usage(format!(
            "a language model goes on from what it is told: fireclay {}",
            D::NEXT.replace("{}", &run.to_string())
        ))
    }
}

impl<D: Texts> Run for TextRun<D> {
    fn quantize(&mut self, quantize: Quantize) -> Result<String, RunError> {
        rounded(&self.base, &mut self.model.model, quantize)
    }

    fn adapted(&self, adapters: &Path) -> Result<(Box<dyn Run>, Vec<String>), RunError> {
        let ModelDescription { config, shape } = self.description();
        let found = beside(&self.base, (&config, &shape), &self.model.model, adapters)?;
        let Beside {
            model,
            tokenizer,
            notes,
        } = found;
        let tokenizer = tokenizer.or_else(|| self.tokenizer.clone());
        let known = tokenizer.as_ref().map_or(0, Tokenizer::vocabulary);
        belong_together(adapters, TOKENIZER, known <= self.vocabulary)?;
        let run = Self {
            data: PhantomData,
            base: self.base.clone(),
            tokenizer,
            vocabulary: self.vocabulary,
            model: CausalLm {
                model,
                config: self.model.config,
            },
            is_adapted: true,
        };
        Ok((Box::new(run), notes))
    }

    fn merged(&self) -> Result<Vec<(&'static str, Vec<u8>)>, RunError> {
        if !self.is_adapted {
            return merged(self.base());
        }
        let more = more_keys(self.tokenizer.as_ref(), self.base.config());
        let model = self.model.model.clone().materialize();
        Ok(model_files(&model, &self.description(), more)?)
    }

    fn base(&self) -> &Base {
        &self.base
    }

    fn schema(&self) -> InputSchema {
        let most = self.model.model.context_length();
        InputSchema::one("prompt", InputKind::Text { most })
    }

    fn evaluate(&self, on: On<'_>) -> Result<Evaluated, RunError> {
        if let (On::File { path, .. }, false) = (on, self.base.is_run()) {
            return self.evaluate_text(&TextWindows {
                path,
                context: None,
                stride: None,
            });
        }
        let reads = self.reads(self.model.model.context_length());
        let read = |path: &str| {
            let (windows, notes) = D::windows(self.base.config(), path, &reads)?;
            Ok((TextSamples::new(Some(windows)), notes))
        };
        self.evaluate_with(on, read)
    }

    fn evaluate_text(&self, text: &TextWindows<'_>) -> Result<Evaluated, RunError> {
        let (context, stride) = self.lengths(text)?;
        let reads = self.reads(context);
        let read = |path: &str| {
            let (windows, mut notes) = D::windows(self.base.config(), path, &reads)?;
            notes.push(format!(
                "each token is predicted from those before it in a window of {context} tokens; the windows start \
                 {stride} tokens apart: --context and --stride choose others"
            ));
            let windows = windows.sliding(stride)?;
            Ok((TextSamples::new(Some(windows)), notes))
        };
        let path = text.path;
        self.evaluate_with(On::File { path, targets: &[] }, read)
    }

    fn chat(&self) -> Result<Option<Chat>, RunError> {
        let chat = self.tokenizer.as_ref().map(Chat::of_tokenizer);
        let chat = chat.transpose().map_err(RunError::Usage)?;
        Ok(chat.flatten())
    }

    fn answers(&self, _rows: &RecordBatch) -> Result<Answered, RunError> {
        Err(self.no_rows())
    }

    fn predict(&self, _job: &PredictJob<'_>) -> Result<Predicted, RunError> {
        Err(self.no_rows())
    }

    fn writer(&self) -> Result<Writer<'_>, RunError> {
        let tokenizer = self.tokenizer.as_ref().ok_or_else(|| {
            RunError::Usage(
                "the run was trained on files of tokens and has no tokenizer; name one in its config: [tokenizer] type = \"file\"".into(),
            )
        })?;
        Ok(Writer::new(&self.model.model, tokenizer, &self.base.device))
    }
}
