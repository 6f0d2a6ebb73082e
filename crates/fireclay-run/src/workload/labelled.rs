//! What workloads on samples with labels share: how they are judged, and how they answer.

use std::path::Path;
use std::sync::Arc;

use burn::module::Module;
use fireclay_data::arrow::array::{ArrayRef, RecordBatch, StringArray};
use fireclay_data::{Labels, parquet_bytes};
use fireclay_models::{Family, ModelDescription};

use super::{Columns, Dataset, Trained, Workload, load};
use crate::answer::{Answers, truth_column};
use crate::artifacts::{
    POSTPROCESS, PREDICTIONS, belong_together, model_files, read_json, to_json,
};
use crate::config::RunConfig;
use crate::lock;
use crate::predictor::{Pass, Predictor};
use crate::run::{Base, Evaluated, Evaluations, On, RunError, SPLITS, locate};
use crate::start::ModelTable;
use crate::task::{Answer, Batch, Network};
use fireclay_metrics::Report;
use fireclay_train::loader::Samples;
use fireclay_train::run_folder::write_whole;
use fireclay_train::strategy::evaluation_rows;

/// How whole splits go through the model of a run.
pub(super) fn pass<S: Samples>(config: &RunConfig) -> Pass {
    Pass {
        batch_size: evaluation_rows(&config.eval, config.batch_size()),
        threads: config.train.loader_threads.unwrap_or_else(S::threads),
    }
}

/// Tunes, evaluates and writes down what came of it.
pub(super) fn conclude<N, S>(
    config: &RunConfig,
    data: &dyn Dataset,
    trained: Trained<'_, N>,
    [valid, test]: [S; 2],
) -> Result<Evaluations, RunError>
where
    N: Network,
    S: Samples<Batch = Batch<N::Input>>,
{
    let answer = config.task.answer(&data.target());
    let answer = answer.expect("checked: the task has labels");
    let mut predictor = Predictor::new(trained.model, answer, trained.device.clone());
    let pass = pass::<S>(config);
    let mut evaluation = Evaluations::new();
    // The validation split first: what is tuned on it holds for the test.
    let mut predictions = Vec::new();
    for (number, split) in [(1, valid), (2, test)] {
        let name = SPLITS[number];
        if split.is_empty() {
            continue;
        }
        let (answers, truth) = predictor.pass(split, pass)?;
        if name == "valid" {
            predictor.answer.meaning_mut().tune(&answers, &truth);
        }
        let report = predictor.answer.meaning();
        let report = report.report(&answers, &truth, config.seed);
        evaluation.insert(name.into(), report);
        if config.eval.keep_predictions {
            let classes = predictor.answer.meaning().classes();
            predictions.push(predicted(
                name,
                data.columns(number),
                answers,
                &truth,
                classes,
            ));
        }
    }
    if !predictions.is_empty() {
        let bytes = parquet_bytes(&predictions)?;
        write_whole(&trained.folder.file(PREDICTIONS), &bytes)?;
    }
    let path = trained.folder.file(POSTPROCESS);
    write_whole(&path, &to_json(&predictor.answer))?;
    Ok(evaluation)
}

/// Predictions for a split, with what they should have been.
fn predicted(
    split: &str,
    columns: Columns,
    answers: Answers,
    truth: &Labels,
    classes: &[String],
) -> RecordBatch {
    let splits = std::iter::repeat_n(split, truth.len());
    let splits: ArrayRef = Arc::new(StringArray::from_iter_values(splits));
    let by_class = answers.by_class(classes);
    let mut all = vec![("split".to_owned(), splits)];
    all.extend(columns.names);
    all.push(("truth".into(), truth_column(truth, classes)));
    all.push(("prediction".into(), answers.predictions(classes)));
    all.extend(by_class);
    for (name, column) in columns.extra {
        let is_taken = all.iter().any(|(taken, _)| *taken == name);
        let name = if is_taken {
            format!("column.{name}")
        } else {
            name
        };
        all.push((name, column));
    }
    RecordBatch::try_from_iter_with_nullable(
        all.into_iter().map(|(name, column)| (name, column, true)),
    )
    .expect("columns of one length")
}

/// A model that answers, and what it is.
pub(super) type Opened<F> = (Predictor<<F as Family>::Model>, ModelDescription<F>);

/// The model of a finished run and what its outputs mean, with classes as the preprocessing has them.
pub(super) fn open<T: ModelTable>(
    base: &Base,
    table: &T,
    (files, classes): (&str, &[String]),
    fits: impl FnOnce(&ModelDescription<T::Family>, usize) -> bool,
) -> Result<Opened<T::Family>, RunError>
where
    <T::Family as Family>::Model: Network,
{
    let answer: Answer = read_json(&base.folder.join(POSTPROCESS))?;
    let (model, description) = table.load(&base.folder, &base.device)?;
    let known = answer.meaning().classes();
    let fit = fits(&description, known.len().max(1)) && known == classes;
    belong_together(&base.folder, files, fit)?;
    let predictor = Predictor::new(model, answer, base.device.clone());
    Ok((predictor, description))
}

/// The files of the model of a run, with its adapters merged into the weights.
pub(super) fn merged<W: Workload>(base: &Base) -> Result<Vec<(&'static str, Vec<u8>)>, RunError> {
    let table = W::model(&base.config().model).expect("checked: the model is of this family");
    let (model, description) = table.load(&base.folder, &base.device)?;
    Ok(model_files(&model.materialize(), &description)?)
}

/// Evaluates samples with labels.
pub(super) fn evaluate<N, S>(
    base: &Base,
    predictor: &Predictor<N>,
    samples: S,
) -> Result<Report, RunError>
where
    N: Network,
    S: Samples<Batch = Batch<N::Input>>,
{
    let config = base.config();
    let (answers, truth) = predictor.pass(samples, pass::<S>(config))?;
    let meaning = predictor.answer.meaning();
    Ok(meaning.report(&answers, &truth, config.seed))
}

/// Evaluates a run on a split of its own data, or on other data, which `read` reads from one file.
pub(super) fn evaluate_on<W: Workload>(
    base: &Base,
    on: On<'_>,
    read: impl FnOnce(&str) -> Result<(W::Samples, Vec<String>), RunError>,
    evaluate: impl FnOnce(W::Samples) -> Result<Report, RunError>,
) -> Result<Evaluated, RunError> {
    let read = |path: &str, target: Option<&str>| match target {
        Some(_) => Err(RunError::Usage(ONE_FILE.into())),
        None => read(path),
    };
    evaluate_on_files::<W>(base, on, read, evaluate)
}

/// Why a file of translations is refused.
pub(super) const ONE_FILE: &str = "--target-data is for runs on two parallel files";

/// As [`evaluate_on`], where other data may be two files.
pub(super) fn evaluate_on_files<W: Workload>(
    base: &Base,
    on: On<'_>,
    read: impl FnOnce(&str, Option<&str>) -> Result<(W::Samples, Vec<String>), RunError>,
    evaluate: impl FnOnce(W::Samples) -> Result<Report, RunError>,
) -> Result<Evaluated, RunError> {
    let (name, samples, notes) = match on {
        On::File { path, target } => {
            let (samples, notes) = read(path, target)?;
            (path, samples, notes)
        }
        On::Split(split) => {
            let data = own::<W>(base)?;
            let samples = W::evaluated(base.config(), &data, split);
            (SPLITS[split], samples, Vec::new())
        }
    };
    if samples.is_empty() {
        return Err(RunError::Usage(match on {
            On::Split(_) => format!("the run has no {name} rows; name another split"),
            On::File { .. } => format!("{name} has no {}", W::UNIT),
        }));
    }
    Ok(Evaluated {
        name: name.to_owned(),
        report: evaluate(samples)?,
        notes,
    })
}

/// The data that a run was trained on, unless it has changed: its splits and its preprocessing would be
/// others.
fn own<W: Workload>(base: &Base) -> Result<W::Data, RunError> {
    let tokenizer = lock::tokenizer(&base.folder)?;
    let data = load::<W>(base.config(), tokenizer.as_deref());
    let data = data.map_err(|error| locate(&base.loaded, error))?;
    unchanged(&data, &base.folder)?;
    Ok(data)
}

/// Refuses data that is not what the run in `folder` was trained on.
fn unchanged(data: &impl super::Dataset, folder: &Path) -> Result<(), RunError> {
    let changed = lock::changed_files(data.hashes()?, folder)?;
    match changed.is_empty() {
        true => Ok(()),
        false => Err(RunError::DataChanged(changed.join(", "))),
    }
}
