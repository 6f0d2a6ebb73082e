//! Its finished runs.

use std::path::Path;

use fireclay_data::{
    PaddedTexts, ReadOptions, TableFormat, TextPreprocess, TextTableSplit, Tokenizer,
};
use fireclay_models::EncoderModel;

use super::super::dataset::Columns;
use super::super::prelude::*;
use super::{LabelledText, TEXTS};
use crate::answer::Meaning;
use crate::embedding::{Embedder, Embedding};
use crate::predict::{InputTable, Rows, predict_rows};
use crate::predictor::{Differentiable, Predictor};
use crate::run::{InputColumn, Observed, Reading};
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

    /// Texts of tokens, as the model reads them.
    fn taken(&self, texts: &[&[u32]]) -> Result<Taken, RunError> {
        let pieces = texts.iter().map(|tokens| self.tokenizer.pieces(tokens));
        let pieces = pieces.collect::<Result<Vec<_>, _>>()?;
        let input = upload_texts(PaddedTexts::new(texts), self.predictor.device());
        Ok(Taken {
            from: "rows".to_owned(),
            input: self.predictor.input(input),
            names: numbered(texts.len()),
            truth: None,
            parts: Parts::Tokens(pieces),
            notes: Vec::new(),
        })
    }

    fn note_of_cut(&self, cut: u64, rows: u64) -> Option<String> {
        let length = self.preprocess.max_length();
        let note = || format!("{cut} of {rows} texts have more than {length} tokens and are cut");
        (cut > 0).then(note)
    }

    fn options(&self, format: TableFormat) -> ReadOptions {
        let config = &LabelledText::source(self.base.config()).config;
        ReadOptions {
            is_settled: true,
            wanted: vec![self.preprocess.text().to_owned()],
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
        let mut schema = InputSchema::one(self.preprocess.text(), InputKind::Text { most });
        let groups = self.predictor.answer.columns().map(|name| InputColumn {
            name: name.to_owned(),
            kind: InputKind::Cell,
        });
        schema.columns.extend(groups);
        schema
    }

    fn evaluate(&self, on: On<'_>) -> Result<Evaluated, RunError> {
        let read = |path: &str| {
            let format = TableFormat::from_path(path.as_ref());
            let options = self.options(format.unwrap_or_else(|| self.own_format()));
            let preprocess = (&self.tokenizer, &self.preprocess);
            let config = &LabelledText::source(self.base.config()).config;
            let table = InputTable::open(path)?;
            let split = TextTableSplit::load(table.path(), &options, preprocess, config);
            let (split, notes) = split.map_err(|error| table.named(error.into()))?;
            let notes = notes.iter().map(|note| table.renamed(&note.to_string()));
            Ok((TextTableSamples::new(split), notes.collect()))
        };
        evaluate_on::<LabelledText>(&self.base, on, read, |samples| {
            let columns = Columns::carried(samples.carried());
            labelled::evaluate(&self.base, &self.predictor, samples, &columns)
        })
    }

    fn answers_on(&self, on: On<'_>) -> Result<OnSplit, RunError> {
        labelled::answers_on::<LabelledText, _>(&self.base, &self.predictor, on)
    }

    fn answers(&self, rows: &RecordBatch) -> Result<Answered, RunError> {
        let (texts, cut) = self.preprocess.encode(&self.tokenizer, rows)?;
        let texts: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
        let device = self.predictor.device();
        let parts = texts.chunks(TEXTS);
        let parts = parts.map(|part| upload_texts(PaddedTexts::new(part), device));
        let answers = self.predictor.predict(parts);
        let answers = self.predictor.answer.by_group_in(answers, rows)?;
        Ok(Answered { answers, cut })
    }

    fn answers_apart(
        &self,
        rows: &RecordBatch,
        seen: usize,
    ) -> Result<(Answered, Observed), RunError> {
        let (texts, cut) = self.preprocess.encode(&self.tokenizer, rows)?;
        let texts: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
        let seen = Observed::of_texts(&self.tokenizer, &texts[..seen.min(texts.len())]);
        let device = self.predictor.device();
        // Without padding, so that the length is that of the text alone.
        let each = texts
            .iter()
            .map(|text| upload_texts(PaddedTexts::new(&[*text]), device));
        let answers = self.predictor.predict(each);
        let answers = self.predictor.answer.by_group_in(answers, rows)?;
        Ok((Answered { answers, cut }, seen))
    }

    fn observe(&self, most: usize) -> Result<Observed, RunError> {
        let data = own::<LabelledText>(&self.base)?;
        let chosen = choose((&self.base, &data), On::Split(0), most)?;
        let texts = chosen.positions.iter().map(|text| data.train.text(*text));
        Ok(Observed::of_texts(
            &self.tokenizer,
            &texts.collect::<Vec<_>>(),
        ))
    }

    fn notes(&self, rows: &RecordBatch) -> Result<Vec<String>, RunError> {
        let (_, cut) = self.preprocess.encode(&self.tokenizer, rows)?;
        let answer = &self.predictor.answer;
        let strangers = answer.note_of_strangers(answer.strangers(rows)?);
        let cut = self.note_of_cut(cut as u64, rows.num_rows() as u64);
        Ok(strangers.into_iter().chain(cut).collect())
    }

    fn reading(&self, format: Option<TableFormat>) -> Option<Reading> {
        let id = &LabelledText::source(self.base.config()).config.id;
        Some(Reading {
            options: self.options(format.unwrap_or_else(|| self.own_format())),
            id: id.clone(),
        })
    }

    fn predict(&self, job: &PredictJob<'_>) -> Result<Predicted, RunError> {
        let id = LabelledText::source(self.base.config())
            .config
            .id
            .as_deref();
        let (answer, mut strangers) = (&self.predictor.answer, 0);
        let rows = Rows {
            format: self.own_format(),
            id,
            options: &|format| self.options(format),
            answers: &|rows| self.answers(rows),
            fits: &|rows| self.preprocess.encode(&self.tokenizer, rows).map(drop),
            watch: &mut |rows| {
                strangers += answer.strangers(rows)?;
                Ok(())
            },
        };
        let (mut predicted, cut) = predict_rows(self, job, rows)?;
        predicted.notes.extend(answer.note_of_strangers(strangers));
        let cut = self.note_of_cut(cut, predicted.count);
        predicted.notes.extend(cut);
        Ok(predicted)
    }

    fn embed(&self, job: &PredictJob<'_>) -> Result<Predicted, RunError> {
        let options = |format| self.options(format);
        let source = &LabelledText::source(self.base.config()).config;
        let embedder = Embedder {
            run: self,
            model: self.predictor.model(),
            tokenizer: &self.tokenizer,
            embedding: &Embedding::usual(self.preprocess.max_length()),
            column: self.preprocess.text(),
            id: source.id.as_deref(),
            format: self.own_format(),
            options: &options,
        };
        embedder.predict(job)
    }

    fn take(&self, on: On<'_>, most: usize) -> Result<Taken, RunError> {
        if let On::File { path, .. } = on {
            let options = |path: &Path| {
                let format = TableFormat::from_path(path);
                self.options(format.unwrap_or_else(|| self.own_format()))
            };
            let (rows, notes) = first_rows(path, options, most)?;
            let taken = self
                .take_rows(&rows)
                .map_err(|error| in_file(path, error))?;
            let from = path.to_owned();
            let notes = notes.into_iter().chain(taken.notes).collect();
            return Ok(Taken {
                from,
                notes,
                ..taken
            });
        }
        let data = own::<LabelledText>(&self.base)?;
        let chosen = choose((&self.base, &data), on, most)?;
        let split = [&data.train, &data.valid, &data.test][chosen.split];
        let texts = chosen.positions.iter().map(|text| split.text(*text));
        Ok(Taken {
            from: chosen.from,
            names: chosen.names,
            truth: Some(split.labels().gather(&chosen.positions)),
            notes: chosen.notes,
            ..self.taken(&texts.collect::<Vec<_>>())?
        })
    }

    fn take_rows(&self, rows: &RecordBatch) -> Result<Taken, RunError> {
        let (texts, cut) = self.preprocess.encode(&self.tokenizer, rows)?;
        let texts: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
        let mut taken = self.taken(&texts)?;
        if cut > 0 {
            let length = self.preprocess.max_length();
            let note = format!("{cut} texts have more than {length} tokens and are cut");
            taken.notes.push(note);
        }
        Ok(taken)
    }

    fn input(&self, rows: &RecordBatch) -> Result<Input, RunError> {
        let (texts, _) = self.preprocess.encode(&self.tokenizer, rows)?;
        let texts: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
        let input = upload_texts(PaddedTexts::new(&texts), self.predictor.device());
        Ok(self.predictor.input(input))
    }
}
