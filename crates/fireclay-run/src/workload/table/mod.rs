//! Rows of a table: numbers, categories and dates with a target.

mod data;
mod run;
mod together;

use std::path::Path;

use fireclay_data::{Preprocess, Table as Rows, TableData, TargetKind, inspect, split};
use fireclay_models::TabularShape;

use super::Inspected;
use super::prelude::*;
use crate::config::{TableModel, TableSource};
use crate::fairness;
use crate::samples::TableSamples;
use crate::source;
use crate::task::{Labelled, TableInput, blank_labels};
use run::TableRun;

/// Rows that go through the model at once.
const ROWS: usize = 4096;

/// The workload.
pub struct Table;

impl Workload for Table {
    type Model = TableModel;
    type Source = TableSource;
    type Data = TableData;
    type Samples = TableSamples;

    const UNIT: &'static str = "rows";
    const NEXT: Option<&'static str> = Some("predict {} DATA.csv -o predictions.csv");

    fn reads(data: &DataConfig) -> Option<&TableSource> {
        held!(data, DataConfig::Table)
    }

    fn does(task: &TaskConfig) -> bool {
        task.target_kind().is_some()
    }

    fn model(model: &ModelConfig) -> Option<&TableModel> {
        held!(model, ModelConfig::Tabular)
    }

    fn load(config: &RunConfig) -> Result<TableData, DataError> {
        let (source, kind) = (Self::source(config), labelled::kind(config));
        let table = Rows::load_for(source.format, &source.config, kind)?;
        encoded(config, &table, kind)
    }

    /// The table is read once, for the report and for the data.
    fn inspect(config: &RunConfig) -> Result<Inspected<TableData>, DataError> {
        let (source, kind) = (Self::source(config), labelled::kind(config));
        let table = Rows::load_for(source.format, &source.config, kind)?;
        let splits = split(&table, &source.config, config.seed, kind)?;
        let report = inspect(&table, &splits, &source.config, kind)?;
        Ok(Inspected {
            report: Some(report),
            data: encoded(config, &table, kind),
        })
    }

    /// Weights of another run, which read other columns.
    fn check_data(config: &RunConfig, data: &TableData) -> Vec<Refusal> {
        let Some(path) = config.model.section().pretrained else {
            return Vec::new();
        };
        let message = match source::preprocess(Path::new(path)) {
            Err(message) => message,
            Ok(known) => match known.differences(&data.preprocess) {
                found if found.is_empty() => return Vec::new(),
                found => format!("cannot be used for these columns: {}", found.join("; ")),
            },
        };
        vec![("model.pretrained".to_owned(), message)]
    }

    fn shape(config: &RunConfig, data: &TableData) -> TabularShape {
        TabularShape {
            numeric: data.preprocess.numeric_width(),
            categories: data.preprocess.cardinalities(),
            outputs: config.task.outputs(&data.target()),
        }
    }

    fn samples(config: &RunConfig, data: &TableData) -> [TableSamples; 3] {
        let carried = &data.train.carried;
        let own = (&*data.train.labels, carried.weights.as_deref());
        let (mut train, columns) = (data.train.clone(), labelled::extra(config, data, 0));
        if let Some(weights) = fairness::weights(config, &columns, own) {
            train = train.with_weights(weights.into());
        }
        let train = TableSamples::new(train).in_groups(fairness::indicators(config, &columns));
        let held_out = [&data.valid, &data.test];
        let [valid, test] = held_out.map(|split| TableSamples::new(split.clone()));
        [train, valid, test]
    }

    labelled::as_labelled!();

    fn open(base: Base) -> Result<Box<dyn Run>, RunError> {
        lock::verified(&base.folder, &[PREPROCESS, POSTPROCESS])?;
        let preprocess = Preprocess::load(&base.folder.join(PREPROCESS))?;
        let files = format!("{PREPROCESS}, {POSTPROCESS}");
        let known = (files.as_str(), preprocess.classes());
        let config = Self::table(base.config());
        let (predictor, _) = labelled::open(&base, config, known, |description, outputs| {
            let shape = &description.shape;
            shape.numeric == preprocess.numeric_width()
                && shape.categories == preprocess.cardinalities()
                && shape.outputs == outputs
        })?;
        Ok(Box::new(TableRun::new(base, preprocess, predictor)))
    }

    fn input_spec(config: &RunConfig, data: &TableData) -> InputSpec {
        InputSpec {
            outputs: config.task.outputs(&data.target()),
            ..InputSpec::of_data(data.sizes(), [0; 2])
        }
    }

    fn assume(config: &RunConfig, given: &Assumptions) -> AssumedSpec<TabularShape> {
        check_unread(config, given, Some("there are no tokens"), None)?;
        let mut assumed = Assumed::default();
        let columns = given
            .length
            .ok_or_else(|| missing("columns in the table"))?;
        let shape = TabularShape {
            numeric: assumed.take(Some(columns), columns, "numeric columns"),
            categories: Vec::new(),
            outputs: assumed.outputs(config, given, 2),
        };
        let spec = InputSpec {
            outputs: shape.outputs,
            ..InputSpec::assumed(config, given, (None, [0; 2]), assumed)
        };
        Ok((shape, spec))
    }

    fn blank_batch(blank: &Blank<'_, TabularShape>, device: &Device) -> Batch<Self> {
        let (rows, shape) = (blank.rows, blank.shape);
        let input = TableInput {
            numeric: Tensor::zeros([rows, shape.numeric], device),
            categories: Tensor::zeros([rows, shape.categories.len()], device),
        };
        blank_labelled(blank.config, input, rows)
    }
}

/// The table, encoded as by the run whose weights the model starts from, if it starts from some and reads the
/// same columns; [`check_data`](Workload::check_data) refuses others.
fn encoded(config: &RunConfig, table: &Rows, kind: TargetKind) -> Result<TableData, DataError> {
    let (data, seed) = (&Table::source(config).config, config.seed);
    let path = config.model.section().pretrained;
    match path.and_then(|path| source::preprocess(Path::new(path)).ok()) {
        Some(known) => TableData::from_table_as(table, data, seed, (kind, &known)),
        None => TableData::from_table(table, data, seed, kind),
    }
}

/// A batch of zeros with labels that are all alike.
pub(super) fn blank_labelled<I>(
    config: &RunConfig,
    input: I,
    rows: usize,
) -> crate::task::Batch<I> {
    crate::task::Batch {
        input,
        labelled: Labelled {
            truth: blank_labels(labelled::kind(config), rows),
            weights: None,
            mix: None,
            groups: None,
        },
    }
}
