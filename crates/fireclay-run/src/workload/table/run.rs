//! Its finished runs.

use std::path::Path;

use fireclay_data::{
    EncodedColumn, Features, Preprocess, Split, Table as Cells, TableFormat, Unseen,
};
use fireclay_models::Tabular;

use super::super::dataset::Columns;
use super::super::prelude::*;
use super::{ROWS, Table, encoded};
use crate::answer::Meaning;
use crate::predict::{InputTable, Rows, predict_rows};
use crate::predictor::{Differentiable, Predictor};
use crate::run::{InputColumn, Observed, Reading, Told};
use crate::samples::{TableSamples, upload_rows};
use crate::task::Input;

/// A finished run on a table.
pub(super) struct TableRun {
    pub base: Base,
    pub preprocess: Preprocess,
    pub predictor: Predictor<Tabular>,
    /// The columns, with the vectors of embedded ones after all numeric features.
    pub parts: Vec<Part>,
}

impl TableRun {
    pub fn new(base: Base, preprocess: Preprocess, predictor: Predictor<Tabular>) -> Self {
        let (numeric, vectors) = (preprocess.numeric_width(), predictor.vectors());
        let part = |column: EncodedColumn| {
            let vector = column.embedded.map(|index| {
                let start = numeric + vectors[..index].iter().sum::<usize>();
                start..start + vectors[index]
            });
            Part {
                name: column.name,
                at: column.numeric.chain(vector.unwrap_or_default()).collect(),
            }
        };
        let columns = preprocess.encoded_columns().into_iter();
        Self {
            parts: columns.map(part).collect(),
            base,
            preprocess,
            predictor,
        }
    }

    fn parts(&self, cells: RecordBatch) -> Parts {
        Parts::Columns {
            columns: self.parts.clone(),
            cells,
        }
    }

    /// What is to be said of these rows, which have this that training did not prepare for.
    pub fn notes_of(&self, rows: &RecordBatch, unseen: &Unseen) -> Result<Vec<String>, RunError> {
        let notes = unseen.notes(&Table::source(self.base.config()).config);
        let strangers = self.predictor.answer.strangers(rows)?;
        let strangers = self.predictor.answer.note_of_strangers(strangers);
        let notes = notes.iter().map(ToString::to_string);
        Ok(notes.chain(strangers).collect())
    }
}

impl Run for TableRun {
    labelled::as_labelled_run!();

    fn schema(&self) -> InputSchema {
        let kind = InputKind::Cell;
        let mut names = self.preprocess.columns();
        for group in self.predictor.answer.columns() {
            if !names.iter().any(|name| name == group) {
                names.push(group.to_owned());
            }
        }
        let columns = names.into_iter().map(|name| InputColumn {
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
            let table = InputTable::open(path)?;
            let split = Split::load(table.path(), &options, &self.preprocess, &source.config);
            let (split, notes) = split.map_err(|error| table.named(error.into()))?;
            let notes = notes.iter().map(|note| table.renamed(&note.to_string()));
            Ok((TableSamples::new(split), notes.collect()))
        };
        evaluate_on::<Table>(&self.base, on, read, |samples| {
            let columns = Columns::carried(samples.carried());
            labelled::evaluate(&self.base, &self.predictor, samples, &columns)
        })
    }

    fn answers_on(&self, on: On<'_>) -> Result<OnSplit, RunError> {
        labelled::answers_on::<Table, _>(&self.base, &self.predictor, on)
    }

    fn answers(&self, rows: &RecordBatch) -> Result<Answered, RunError> {
        let features: Features = self.preprocess.encode(rows)?;
        let positions: Vec<u32> = (0..features.rows as u32).collect();
        let parts = positions.chunks(ROWS);
        let parts = parts.map(|rows| upload_rows(features.gather(rows), self.predictor.device()));
        let answers = self.predictor.predict(parts);
        Ok(Answered {
            answers: self.predictor.answer.by_group_in(answers, rows)?,
            cut: 0,
        })
    }

    fn notes(&self, rows: &RecordBatch) -> Result<Vec<String>, RunError> {
        let mut unseen = Unseen::default();
        unseen.add(&self.preprocess, rows)?;
        self.notes_of(rows, &unseen)
    }

    fn answers_together(
        &self,
        requests: &[&RecordBatch],
        seen: usize,
    ) -> Result<(Vec<Result<Told, RunError>>, Observed), RunError> {
        Ok(self.together(requests, seen))
    }

    fn reading(&self, format: Option<TableFormat>) -> Option<Reading> {
        let source = Table::source(self.base.config());
        Some(Reading {
            options: self
                .preprocess
                .options(format.unwrap_or(source.format), &source.config),
            id: source.config.id.clone(),
        })
    }

    fn predict(&self, job: &PredictJob<'_>) -> Result<Predicted, RunError> {
        let source = Table::source(self.base.config());
        let mut unseen = Unseen::default();
        let (answer, mut strangers) = (&self.predictor.answer, 0);
        let rows = Rows {
            format: source.format,
            id: source.config.id.as_deref(),
            options: &|format| self.preprocess.options(format, &source.config),
            answers: &|rows| self.answers(rows),
            fits: &|rows| self.preprocess.encode(rows).map(drop),
            watch: &mut |rows| {
                strangers += answer.strangers(rows)?;
                unseen.add(&self.preprocess, rows)
            },
        };
        let (mut predicted, _) = predict_rows(self, job, rows)?;
        let notes = unseen.notes(&source.config).into_iter();
        predicted.notes.extend(notes.map(|note| note.to_string()));
        predicted.notes.extend(answer.note_of_strangers(strangers));
        Ok(predicted)
    }

    fn input(&self, rows: &RecordBatch) -> Result<Input, RunError> {
        let features: Features = self.preprocess.encode(rows)?;
        let input = upload_rows(features, self.predictor.device());
        Ok(self.predictor.input(input))
    }

    /// The table is read once more for its cells: encoded rows have none.
    fn take(&self, on: On<'_>, most: usize) -> Result<Taken, RunError> {
        let source = Table::source(self.base.config());
        if let On::File { path, .. } = on {
            let options = |path: &Path| {
                let format = TableFormat::from_path(path).unwrap_or(source.format);
                self.preprocess.options(format, &source.config)
            };
            let (rows, mut notes) = first_rows(path, options, most)?;
            let taken = self
                .take_rows(&rows)
                .map_err(|error| in_file(path, error))?;
            let mut unseen = Unseen::default();
            unseen.add(&self.preprocess, &rows)?;
            let unseen = unseen.notes(&source.config).into_iter();
            notes.extend(unseen.map(|note| note.to_string()));
            return Ok(Taken {
                from: path.to_owned(),
                notes,
                ..taken
            });
        }
        let mut data = own::<Table>(&self.base)?;
        let kind = self.preprocess.target_kind();
        let mut cells = Cells::load_for(source.format, &source.config, kind)?;
        let is_in_files = data.train.is_in_files();
        if is_in_files {
            // Rows that have cells: those in memory.
            cells = cells.in_memory();
            data = encoded(self.base.config(), &cells, kind)?;
        }
        let mut chosen = choose((&self.base, &data), on, most)?;
        if is_in_files {
            let note = "rows are counted among those in memory (data.fit_rows)";
            chosen.notes.push(note.to_owned());
        }
        let split = [&data.train, &data.valid, &data.test][chosen.split];
        let batch = split.gather(&chosen.positions)?;
        let at = |position: &u32| split.carried.rows[*position as usize];
        let rows: Vec<usize> = chosen.positions.iter().map(at).collect();
        let cells = cells.take(&rows)?;
        let input = upload_rows(batch.features, self.predictor.device());
        Ok(Taken {
            from: chosen.from,
            input: self.predictor.input(input),
            names: chosen.names,
            truth: Some(batch.labels),
            parts: self.parts(cells),
            notes: chosen.notes,
        })
    }

    fn take_rows(&self, rows: &RecordBatch) -> Result<Taken, RunError> {
        Ok(Taken {
            from: "rows".to_owned(),
            input: self.input(rows)?,
            names: numbered(rows.num_rows()),
            truth: None,
            parts: self.parts(rows.clone()),
            notes: Vec::new(),
        })
    }

    fn merged(&self) -> Result<Vec<(&'static str, Vec<u8>)>, RunError> {
        Err(RunError::Usage("a model for tables has no adapters".into()))
    }
}
