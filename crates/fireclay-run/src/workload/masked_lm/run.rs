//! Its finished runs, and encoders of others.

use fireclay_data::{MaskedSplit, PaddedTexts, ReadOptions, TableFormat, Tokenizer, encode_cells};
use fireclay_models::{EncoderConfig, EncoderNetwork, Family};

use super::super::classes;
use super::super::prelude::*;
use super::super::text::{Reads, Running, Texts};
use super::{MaskedText, evaluate, masking};
use crate::answer::Meaning;
use crate::embedding::{self, Embedder, Embedding, by_length, check_input};
use crate::predict::{Rows, predict_rows};
use crate::samples::{MaskedSamples, upload_texts};
use crate::start::encoder;
use crate::task::{ClassificationAnswer, MaskedLm, TextInput};

/// A finished run of a masked language model, or an encoder of others.
pub(super) struct MaskedRun {
    base: Base,
    tokenizer: Tokenizer,
    vocabulary: usize,
    context: usize,
    /// Tokens of a text that is answered for, at most.
    most: usize,
    model: MaskedLm,
    head: Head,
}

/// What the files of an encoder have beside it.
enum Head {
    /// Logits of tokens.
    Tokens,
    /// Outputs, and what they mean, or why that is not known.
    Classes(Result<ClassificationAnswer, String>),
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
            most: context,
            model: MaskedLm { model },
            head: Head::Tokens,
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
        if let Some(padding) = counts_marks(&description.config, &tokenizer) {
            return Err(RunError::Usage(format!(
                "{run} cannot be used: its config.json says that token {padding} fills texts up (pad_token_id), and its \
                 tokenizer puts that around each text"
            )));
        }
        let head = match shape.outputs {
            Some(outputs) => Head::Classes(classes::read(&base.folder, outputs)),
            None if is_whole => Head::Tokens,
            None => Head::None,
        };
        let context = description.config.context_length();
        let said = embedding::longest(&base.beside())
            .map_err(|reason| RunError::Usage(format!("{run} cannot be used: {reason}")))?;
        Ok(Self {
            tokenizer,
            vocabulary: shape.vocabulary,
            context,
            most: said.unwrap_or(context).min(context),
            model: MaskedLm { model },
            head,
            base,
        })
    }

    /// How texts become vectors.
    fn embedding(&self) -> Result<Embedding, RunError> {
        match self.base.is_run() {
            true => Ok(Embedding::usual(self.context)),
            false => Embedding::of(&self.base.beside(), self.context),
        }
    }

    fn embedder<'a>(&'a self, embedding: &'a Embedding) -> Embedder<'a> {
        Embedder {
            run: self,
            model: &self.model.model,
            tokenizer: &self.tokenizer,
            embedding,
            column: TEXT,
            id: None,
            format: TableFormat::Csv,
            options: &options,
        }
    }

    fn encode(&self, rows: &RecordBatch) -> Result<(Vec<Vec<u32>>, usize), DataError> {
        encode_cells(&self.tokenizer, (rows, TEXT), self.most, |text| text.into())
    }

    /// The classes of the texts in some rows.
    fn classify(
        &self,
        answer: &ClassificationAnswer,
        rows: &RecordBatch,
    ) -> Result<Answered, RunError> {
        let (texts, cut) = self.encode(rows)?;
        let probabilities = by_length(&texts, |part| {
            let TextInput { tokens, mask } =
                upload_texts(PaddedTexts::new(part), &self.base.device);
            answer.numbers(&self.model.model.forward_pooled(tokens, None, mask))
        });
        let answers = answer.answers(probabilities.concat());
        Ok(Answered { answers, cut })
    }

    /// Writes the classes of the texts in a table.
    fn predict_classes(
        &self,
        answer: &ClassificationAnswer,
        job: &PredictJob<'_>,
    ) -> Result<Predicted, RunError> {
        check_input(job)?;
        let rows = Rows {
            format: TableFormat::Csv,
            id: None,
            options: &options,
            answers: &|rows| self.classify(answer, rows),
            fits: &|rows| self.encode(rows).map(drop),
            watch: &mut |_| Ok(()),
        };
        let (mut predicted, cut) = predict_rows(self, job, rows)?;
        if cut > 0 {
            let (count, most) = (predicted.count, self.most);
            let says = match most < self.context {
                true => " (model_max_length of its tokenizer_config.json)",
                false => "",
            };
            predicted.notes.push(format!(
                "{cut} of {count} texts have more than {most} tokens{says} and are cut"
            ));
        }
        Ok(predicted)
    }
}

/// The token after whose number a RoBERTa counts positions, if it is one that every text has: `transformers` would
/// not count it.
fn counts_marks(config: &EncoderConfig, tokenizer: &Tokenizer) -> Option<u32> {
    let EncoderConfig::Roberta(config) = config else {
        return None;
    };
    let padding = u32::try_from(config.first_position).ok()?.checked_sub(1)?;
    tokenizer.mark(&[]).contains(&padding).then_some(padding)
}

/// The column of the texts.
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
        InputSchema::one(TEXT, InputKind::Text { most: self.most })
    }

    fn meaning(&self) -> Option<&dyn Meaning> {
        match &self.head {
            Head::Classes(Ok(answer)) => Some(answer),
            _ => None,
        }
    }

    fn evaluate(&self, on: On<'_>) -> Result<Evaluated, RunError> {
        if !matches!(self.head, Head::Tokens) {
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
        match &self.head {
            Head::Classes(Ok(answer)) => self.classify(answer, rows),
            _ => self.embedder(&self.embedding()?).answers(rows),
        }
    }

    /// Vectors of texts; of a classifier its classes.
    fn predict(&self, job: &PredictJob<'_>) -> Result<Predicted, RunError> {
        match &self.head {
            Head::Classes(Ok(answer)) => self.predict_classes(answer, job),
            Head::Classes(Err(reason)) => Err(RunError::Usage(format!(
                "{} has outputs for texts that are not answered here: {reason}; start a training from it, by \
                 model.pretrained, or take --embeddings for the vectors that its encoder makes of texts",
                self.base.run.display()
            ))),
            Head::Tokens | Head::None => self.embed(job),
        }
    }

    fn embed(&self, job: &PredictJob<'_>) -> Result<Predicted, RunError> {
        self.embedder(&self.embedding()?).predict(job)
    }
}
