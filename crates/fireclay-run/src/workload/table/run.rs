//! Its finished runs.

use fireclay_data::{Features, Preprocess, Split, TableFormat, Unseen};
use fireclay_models::Tabular;

use super::super::prelude::*;
use super::{ROWS, Table};
use crate::answer::Meaning;
use crate::predict::{Rows, Source, predict_rows};
use crate::predictor::{Differentiable, Predictor};
use crate::run::InputColumn;
use crate::samples::{TableSamples, upload_rows};
use crate::task::Input;

/// A finished run on a table.
pub(super) struct TableRun {
    pub base: Base,
    pub preprocess: Preprocess,
    pub predictor: Predictor<Tabular>,
}

impl Run for TableRun {
    labelled::as_labelled_run!();

    fn schema(&self) -> InputSchema {
        let kind = InputKind::Cell;
        let columns = self.preprocess.columns().into_iter();
        let columns = columns.map(|name| InputColumn {
            name,
            kind: kind.clone(),
        });
        InputSchema {
            columns: columns.collect(),
        }
    }

    fn evaluate(&self, on: On<'_>) -> Result<Evaluated, RunError> {
        let read = |path: &str| {
            let source = Table::source(self.base.config());
            let format = TableFormat::from_path(path.as_ref()).unwrap_or(source.format);
            let options = self.preprocess.options(format, &source.config);
            let table = Source::open(path)?;
            let split = Split::load(table.path(), &options, &self.preprocess, &source.config);
            let (split, notes) = split.map_err(|error| table.named(error.into()))?;
            let notes = notes.iter().map(|note| table.renamed(&note.to_string()));
            Ok((TableSamples::new(split), notes.collect()))
        };
        evaluate_on::<Table>(&self.base, on, read, |samples| {
            labelled::evaluate(&self.base, &self.predictor, samples)
        })
    }

    fn answers(&self, rows: &RecordBatch) -> Result<Answered, RunError> {
        let features: Features = self.preprocess.encode(rows)?;
        let positions: Vec<u32> = (0..features.rows as u32).collect();
        let parts = positions.chunks(ROWS);
        let parts = parts.map(|rows| upload_rows(features.gather(rows), self.predictor.device()));
        Ok(Answered {
            answers: self.predictor.predict(parts),
            cut: 0,
        })
    }

    fn predict(&self, job: &PredictJob<'_>) -> Result<Predicted, RunError> {
        let source = Table::source(self.base.config());
        let mut unseen = Unseen::default();
        let rows = Rows {
            format: source.format,
            id: source.config.id.as_deref(),
            options: &|format| self.preprocess.options(format, &source.config),
            fits: &|rows| self.preprocess.encode(rows).map(drop),
            watch: &mut |rows| unseen.add(&self.preprocess, rows),
        };
        let (mut predicted, _) = predict_rows(self, job, rows)?;
        let notes = unseen.notes(&source.config).into_iter();
        predicted.notes.extend(notes.map(|note| note.to_string()));
        Ok(predicted)
    }

    fn input(&self, rows: &RecordBatch) -> Result<Input, RunError> {
        let features: Features = self.preprocess.encode(rows)?;
        let input = upload_rows(features, self.predictor.device());
        Ok(self.predictor.input(input))
    }

    fn merged(&self) -> Result<Vec<(&'static str, Vec<u8>)>, RunError> {
        Err(RunError::Usage("a model for tables has no adapters".into()))
    }
}
