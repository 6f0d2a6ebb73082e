//! Its finished runs.

use fireclay_data::{
    PaddedTexts, ReadOptions, TableFormat, TextPreprocess, TextTableSplit, Tokenizer,
};
use fireclay_models::EncoderModel;

use super::super::prelude::*;
use super::{LabelledText, TEXTS};
use crate::answer::Meaning;
use crate::predict::{Rows, Source, predict_rows};
use crate::predictor::{Differentiable, Predictor};
use crate::samples::{TextTableSamples, upload_texts};
use crate::task::Input;

/// A finished run on texts with labels.
pub(super) struct LabelledTextRun {
    pub base: Base,
    pub tokenizer: Tokenizer,
    pub preprocess: TextPreprocess,
    pub predictor: Predictor<EncoderModel>,
}

impl LabelledTextRun {
    /// How a table of texts is stored, unless its name says otherwise.
    fn own_format(&self) -> TableFormat {
        let format = LabelledText::source(self.base.config()).config.format();
        format.unwrap_or(TableFormat::Csv)
    }

    fn options(&self, format: TableFormat) -> ReadOptions {
        let config = &LabelledText::source(self.base.config()).config;
        ReadOptions {
            is_settled: true,
            ..config.read_options(format)
        }
    }
}

impl Run for LabelledTextRun {
    labelled::as_labelled_run!();

    fn merged(&self) -> Result<Vec<(&'static str, Vec<u8>)>, RunError> {
        merged(self.base())
    }

    fn schema(&self) -> InputSchema {
        let most = self.preprocess.max_length();
        InputSchema::one(self.preprocess.text(), InputKind::Text { most })
    }

    fn evaluate(&self, on: On<'_>) -> Result<Evaluated, RunError> {
        let read = |path: &str| {
            let format = TableFormat::from_path(path.as_ref());
            let options = self.options(format.unwrap_or_else(|| self.own_format()));
            let preprocess = (&self.tokenizer, &self.preprocess);
            let config = &LabelledText::source(self.base.config()).config;
            let table = Source::open(path)?;
            let split = TextTableSplit::load(table.path(), &options, preprocess, config);
            let (split, notes) = split.map_err(|error| table.named(error.into()))?;
            let notes = notes.iter().map(|note| table.renamed(&note.to_string()));
            Ok((TextTableSamples::new(split), notes.collect()))
        };
        evaluate_on::<LabelledText>(&self.base, on, read, |samples| {
            labelled::evaluate(&self.base, &self.predictor, samples)
        })
    }

    fn answers(&self, rows: &RecordBatch) -> Result<Answered, RunError> {
        let (texts, cut) = self.preprocess.encode(&self.tokenizer, rows)?;
        let texts: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
        let device = self.predictor.device();
        let parts = texts.chunks(TEXTS);
        let parts = parts.map(|part| upload_texts(PaddedTexts::new(part), device));
        let answers = self.predictor.predict(parts);
        Ok(Answered { answers, cut })
    }

    fn predict(&self, job: &PredictJob<'_>) -> Result<Predicted, RunError> {
        let id = LabelledText::source(self.base.config())
            .config
            .id
            .as_deref();
        let rows = Rows {
            format: self.own_format(),
            id,
            options: &|format| self.options(format),
            fits: &|rows| self.preprocess.encode(&self.tokenizer, rows).map(drop),
            watch: &mut |_| Ok(()),
        };
        let (mut predicted, cut) = predict_rows(self, job, rows)?;
        if cut > 0 {
            let (rows, length) = (predicted.count, self.preprocess.max_length());
            predicted.notes.push(format!(
                "{cut} of {rows} texts have more than {length} tokens and are cut"
            ));
        }
        Ok(predicted)
    }

    fn input(&self, rows: &RecordBatch) -> Result<Input, RunError> {
        let (texts, _) = self.preprocess.encode(&self.tokenizer, rows)?;
        let texts: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
        let input = upload_texts(PaddedTexts::new(&texts), self.predictor.device());
        Ok(self.predictor.input(input))
    }
}
