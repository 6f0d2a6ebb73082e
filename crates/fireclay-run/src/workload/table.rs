//! Rows of a table: numbers, categories and dates with a target.

use std::collections::BTreeMap;
use std::path::PathBuf;

use burn::tensor::Device;
use fireclay_data::arrow::array::RecordBatch;
use fireclay_data::{
    DataError, Features, Labels, Note, Preprocess, ReadOptions, Split, SplitConfig, Table as Rows,
    TableConfig, TableData, TableFormat, TargetKind, inspect, split,
};
use fireclay_models::{Tabular, TabularConfig, TabularShape};

use super::spec::{Assumed, Assumptions, InputSpec, check_unread, missing};
use super::{
    Batch, Columns, Dataset, Inspected, Model, Trained, Workload, blank, hashes_of, labelled,
};
use crate::answer::Meaning;
use crate::artifacts::{POSTPROCESS, PREPROCESS};
use crate::config::Refusal;
use crate::config::{
    DataConfig, DataSection, ModelConfig, RunConfig, TableSource, TaskConfig, TokenizerSource,
};
use crate::lock;
use crate::predict::predict_rows;
use crate::predictor::Predictor;
use crate::run::{
    Answered, Base, Evaluated, Evaluations, InputColumn, InputKind, InputSchema, On, PredictJob,
    Predicted, Run, RunError,
};
use crate::samples::{TableSamples, upload_rows};
use crate::task::{TableInput, Target, WithObjective, blank_labels};

/// Rows that go through the model at once.
const ROWS: usize = 4096;

impl DataSection for TableSource {
    fn name(&self) -> &'static str {
        self.format.name()
    }

    fn path(&self) -> &str {
        &self.config.path
    }

    fn files(&self) -> Vec<(&'static str, &Option<String>)> {
        vec![
            ("valid_path", &self.config.valid_path),
            ("test_path", &self.config.test_path),
        ]
    }

    fn split(&self) -> Option<&SplitConfig> {
        Some(&self.config.split)
    }

    fn holds_out(&self) -> bool {
        holds_out(self.files(), &self.config.split)
    }

    fn validate(&self) -> Vec<(String, String)> {
        self.config.validate(self.format)
    }

    fn key_of_column(&self, column: &str) -> Option<String> {
        let data: &TableConfig = &self.config;
        let is = |name: &Option<String>| name.as_deref() == Some(column);
        if data.target == column {
            Some("data.target".into())
        } else if is(&data.id) {
            Some("data.id".into())
        } else if data.ignore.iter().any(|name| name == column) {
            Some("data.ignore".into())
        } else if data.columns.contains_key(column) {
            Some(format!("data.columns.{column}"))
        } else {
            split_key(&data.split, column)
        }
    }
}

/// Whether a share of the samples or a file is held out.
pub(super) fn holds_out(files: Vec<(&str, &Option<String>)>, split: &SplitConfig) -> bool {
    let mut given = files.iter().filter(|(key, _)| !key.contains("target"));
    given.any(|(_, file)| file.is_some()) || split.valid > 0.0 || split.test > 0.0
}

/// The key of the split that names a column.
pub(super) fn split_key(split: &SplitConfig, column: &str) -> Option<String> {
    let keys = [
        ("data.split.group", &split.group),
        ("data.split.time", &split.time),
        ("data.split.column", &split.column),
    ];
    let is = |name: &Option<String>| name.as_deref() == Some(column);
    let found = keys.into_iter().find(|(_, name)| is(name));
    found.map(|(key, _)| key.into())
}

/// The workload.
pub struct Table;

impl Workload for Table {
    type Model = TabularConfig;
    type Data = TableData;
    type Samples = TableSamples;

    const UNIT: &'static str = "rows";
    const NEXT: Option<&'static str> = Some("predict {} DATA.csv -o predictions.csv");

    fn reads(data: &DataConfig) -> bool {
        matches!(data, DataConfig::Table(_))
    }

    fn does(task: &TaskConfig) -> bool {
        matches!(
            task.target_kind(),
            Some(TargetKind::Class | TargetKind::Number)
        )
    }

    fn model(model: &ModelConfig) -> Option<&TabularConfig> {
        match model {
            ModelConfig::Tabular(config) => Some(config),
            _ => None,
        }
    }

    fn load(
        config: &RunConfig,
        _tokenizer: Option<&TokenizerSource>,
    ) -> Result<TableData, DataError> {
        let (source, kind) = tables(config);
        TableData::load(source.format, &source.config, config.seed, kind)
    }

    /// The table is read once, for the report and for the data.
    fn inspect(config: &RunConfig) -> Result<Inspected<TableData>, DataError> {
        let (source, kind) = tables(config);
        let table = Rows::load(source.format, &source.config)?;
        let splits = split(&table, &source.config, config.seed, kind)?;
        let report = inspect(&table, &splits, &source.config, kind)?;
        Ok(Inspected {
            report: Some(report),
            data: TableData::from_table(&table, &source.config, config.seed, kind),
        })
    }

    fn shape(data: &TableData) -> TabularShape {
        TabularShape {
            numeric: data.preprocess.numeric_width(),
            categories: data.preprocess.cardinalities(),
            outputs: data.preprocess.classes().len().max(1),
        }
    }

    fn samples(_config: &RunConfig, data: &TableData) -> [TableSamples; 3] {
        [&data.train, &data.valid, &data.test].map(|split| TableSamples::new(split.clone()))
    }

    fn with_objective<W: WithObjective<Model<Self>, Batch<Self>>>(
        config: &RunConfig,
        target: &Target,
        work: W,
    ) -> W::Output {
        config.task.with_objective(target, work)
    }

    fn conclude(
        config: &RunConfig,
        data: &TableData,
        trained: Trained<'_, Tabular>,
        splits: [TableSamples; 2],
    ) -> Result<Evaluations, RunError> {
        labelled::conclude(config, data, trained, splits)
    }

    fn open(base: Base) -> Result<Box<dyn Run>, RunError> {
        lock::verified(&base.folder, &[PREPROCESS, POSTPROCESS])?;
        let preprocess = Preprocess::load(&base.folder.join(PREPROCESS))?;
        let files = format!("{PREPROCESS}, {POSTPROCESS}");
        let known = (files.as_str(), preprocess.classes());
        let config = Self::model(&base.config().model).expect("checked");
        let (predictor, _) = labelled::open(&base, config, known, |description, outputs| {
            let shape = &description.shape;
            shape.numeric == preprocess.numeric_width()
                && shape.categories == preprocess.cardinalities()
                && shape.outputs == outputs
        })?;
        Ok(Box::new(TableRun {
            base,
            preprocess,
            predictor,
        }))
    }

    fn input_spec(_config: &RunConfig, data: &TableData) -> InputSpec {
        InputSpec {
            outputs: Self::shape(data).outputs,
            ..InputSpec::of_data(data.sizes(), [0; 2])
        }
    }

    fn assume(
        config: &RunConfig,
        given: &Assumptions,
    ) -> Result<(TabularShape, InputSpec), Refusal> {
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

    fn blank_batch(
        config: &RunConfig,
        shape: &TabularShape,
        _spec: &InputSpec,
        rows: usize,
        device: &Device,
    ) -> Batch<Self> {
        let input = TableInput {
            numeric: blank([rows, shape.numeric], device),
            categories: burn::tensor::Tensor::zeros([rows, shape.categories.len()], device),
        };
        blank_labelled(config, input, rows)
    }
}

/// A batch of zeros with labels that are all alike.
pub(super) fn blank_labelled<I>(
    config: &RunConfig,
    input: I,
    rows: usize,
) -> crate::task::Batch<I> {
    let kind = config.task.target_kind();
    crate::task::Batch {
        input,
        truth: blank_labels(kind.expect("checked: the task has labels"), rows),
        weights: None,
        mix: None,
    }
}

fn tables(config: &RunConfig) -> (&TableSource, TargetKind) {
    let DataConfig::Table(source) = &config.data else {
        unreachable!("the workload reads tables");
    };
    let kind = config.task.target_kind();
    (source, kind.expect("checked: the task has labels"))
}

impl Dataset for TableData {
    fn notes(&self) -> &[Note] {
        &self.notes
    }

    fn sizes(&self) -> [(&'static str, usize); 3] {
        self.named().map(|(name, split)| (name, split.len()))
    }

    fn target(&self) -> Target {
        let (classes, scale) = (self.preprocess.classes(), self.preprocess.target_mean_std());
        Target::new(classes, scale, &self.train.labels)
    }

    fn constant_target(&self) -> Option<f64> {
        constant(&self.train.labels)
    }

    fn preprocess(&self) -> Vec<(&'static str, String)> {
        vec![(PREPROCESS, self.preprocess.to_json())]
    }

    fn columns(&self, split: usize) -> Columns {
        let carried = &[&self.train, &self.valid, &self.test][split].carried;
        Columns::carried(carried)
    }

    fn files(&mut self) -> Option<&mut Vec<PathBuf>> {
        Some(&mut self.files)
    }

    fn hashes(&self) -> Result<BTreeMap<String, String>, DataError> {
        hashes_of(&self.files)
    }

    /// The report on the table says all.
    fn overview(&self) -> (Option<usize>, Vec<Vec<String>>) {
        (None, Vec::new())
    }
}

/// The number that all labels are, if they are one.
pub(super) fn constant(labels: &Labels) -> Option<f64> {
    let Labels::Numbers(numbers) = labels else {
        return None;
    };
    let first = numbers.first()?;
    numbers
        .iter()
        .all(|number| number == first)
        .then_some(*first)
}

/// A finished run on a table.
struct TableRun {
    base: Base,
    preprocess: Preprocess,
    predictor: Predictor<Tabular>,
}

impl Run for TableRun {
    fn base(&self) -> &Base {
        &self.base
    }

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

    fn meaning(&self) -> Option<&dyn Meaning> {
        Some(self.predictor.answer.meaning())
    }

    fn evaluate(&self, on: On<'_>) -> Result<Evaluated, RunError> {
        let read = |path: &str| {
            let (source, _) = tables(self.base.config());
            let format = TableFormat::from_path(path.as_ref()).unwrap_or(source.format);
            let options = ReadOptions::from_config(format, &source.config);
            let split = Split::load(path, &options, &self.preprocess, None)?;
            Ok((TableSamples::new(split), Vec::new()))
        };
        labelled::evaluate_on::<Table>(&self.base, on, read, |samples| {
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
        let (source, _) = tables(self.base.config());
        let options = |format| ReadOptions::from_config(format, &source.config);
        let names = (source.format, source.config.id.as_deref());
        let (predicted, _) = predict_rows(self, job, options, names)?;
        Ok(predicted)
    }

    fn merged(&self) -> Result<Vec<(&'static str, Vec<u8>)>, RunError> {
        Err(RunError::Usage("a model for tables has no adapters".into()))
    }
}
