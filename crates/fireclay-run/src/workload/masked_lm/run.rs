//! Its finished runs, and encoders of others.

use fireclay_data::{MaskedSplit, ReadOptions, TableFormat, Tokenizer};
use fireclay_models::Family;

use super::super::prelude::*;
use super::super::text::{Reads, Running, Texts};
use super::{MaskedText, evaluate, masking};
use crate::embedding::{Embedder, Embedding};
use crate::samples::MaskedSamples;
use crate::start::encoder;
use crate::task::MaskedLm;

/// A finished run of a masked language model, or an encoder of others.
pub(super) struct MaskedRun {
    base: Base,
    tokenizer: Tokenizer,
    vocabulary: usize,
    context: usize,
    model: MaskedLm,
    head: Head,
    embedding: Embedding,
}

/// What the files of an encoder have beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Head {
    /// Logits of tokens.
    Tokens,
    /// Logits of classes.
    Classes,
    None,
}

impl MaskedRun {
    pub fn trained(base: Base) -> Result<Self, RunError> {
        lock::verified(&base.folder, &[TOKENIZER])?;
        let tokenizer = Tokenizer::load(&base.folder.join(TOKENIZER))?;
        let config = MaskedText::table(base.config());
        let (model, description) = config.load(&base.folder, &base.device)?;
        let shape = description.shape;
        let fits = shape.outputs.is_none() && tokenizer.vocabulary() <= shape.vocabulary;
        belong_together(&base.folder, TOKENIZER, fits)?;
        let context = description.config.context_length();
        Ok(Self {
            tokenizer,
            vocabulary: shape.vocabulary,
            context,
            model: MaskedLm { model },
            head: Head::Tokens,
            embedding: Embedding::usual(context),
            base,
        })
    }

    pub fn published(base: Base) -> Result<Self, RunError> {
        let tokenizer = base.tokenizer()?.expect("checked: it has a tokenizer");
        let config = MaskedText::table(base.config());
        let ((model, description), is_whole) = encoder(config, &base.folder, &base.device)?;
        let shape = description.shape;
        let (known, run) = (tokenizer.vocabulary(), base.run.display());
        if known > shape.vocabulary {
            return Err(RunError::Usage(format!(
                "{run} cannot be used: its tokenizer has {known} tokens, and its model {}",
                shape.vocabulary
            )));
        }
        let head = match shape.outputs {
            Some(_) => Head::Classes,
            None if is_whole => Head::Tokens,
            None => Head::None,
        };
        let context = description.config.context_length();
        Ok(Self {
            tokenizer,
            vocabulary: shape.vocabulary,
            context,
            model: MaskedLm { model },
            head,
            embedding: Embedding::of(&base.folder, context)?,
            base,
        })
    }

    fn embedder<'a>(&'a self, options: &'a dyn Fn(TableFormat) -> ReadOptions) -> Embedder<'a> {
        Embedder {
            run: self,
            model: &self.model.model,
            tokenizer: &self.tokenizer,
            embedding: &self.embedding,
            column: TEXT,
            id: None,
            format: TableFormat::Csv,
            options,
        }
    }
}

/// The column of the texts that become vectors.
const TEXT: &str = "text";

fn options(format: TableFormat) -> ReadOptions {
    ReadOptions {
        is_settled: true,
        wanted: vec![TEXT.to_owned()],
        ..ReadOptions::new(format)
    }
}

impl Run for MaskedRun {
    fn merged(&self) -> Result<Vec<(&'static str, Vec<u8>)>, RunError> {
        merged(self.base())
    }

    fn base(&self) -> &Base {
        &self.base
    }

    fn schema(&self) -> InputSchema {
        let most = self.embedding.most();
        InputSchema::one(TEXT, InputKind::Text { most })
    }

    fn evaluate(&self, on: On<'_>) -> Result<Evaluated, RunError> {
        if self.head != Head::Tokens {
            return Err(RunError::Usage(format!(
                "{} has no head that predicts masked tokens; `predict` writes the vectors that it makes of texts",
                self.base.run.display()
            )));
        }
        let config = self.base.config();
        let read = |path: &str| {
            let tokenizer = self.tokenizer.clone().without_start();
            let reads = Reads {
                tokenizer: Some(&tokenizer),
                vocabulary: self.vocabulary,
                context: self.tokenizer.room(self.context)?,
            };
            let (windows, notes) = Running::windows(config, path, &reads)?;
            let masking = masking(config, Some(&self.tokenizer))?;
            let split = MaskedSplit::new(windows, masking, None);
            Ok((MaskedSamples::new(Some(split)), notes))
        };
        evaluate_on::<MaskedText>(&self.base, on, read, |samples| {
            evaluate(config, &self.model, samples, &self.base.device)
        })
    }

    fn answers(&self, rows: &RecordBatch) -> Result<Answered, RunError> {
        self.embedder(&options).answers(rows)
    }

    /// Vectors of texts. Of a classifier its classes would be meant, whose names and thresholds no training here
    /// has kept.
    fn predict(&self, job: &PredictJob<'_>) -> Result<Predicted, RunError> {
        if self.head == Head::Classes {
            return Err(RunError::Usage(format!(
                "{} classifies texts, and its classes are not answered here: start a training from it, by \
                 model.pretrained; with --embeddings its encoder makes vectors of texts",
                self.base.run.display()
            )));
        }
        self.embed(job)
    }

    fn embed(&self, job: &PredictJob<'_>) -> Result<Predicted, RunError> {
        self.embedder(&options).predict(job)
    }
}
