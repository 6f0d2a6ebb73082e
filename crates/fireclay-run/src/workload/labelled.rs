//! What workloads on samples with labels share: how they are evaluated, and how they answer.

use std::sync::Arc;

use burn::tensor::Device;
use fireclay_data::arrow::array::{ArrayRef, RecordBatch, StringArray};
use fireclay_data::{Labels, TargetKind, parquet_bytes};
use fireclay_models::{Family, ModelDescription};

use super::shared::{own, pass, split_of};
use super::shown::{self, Sample};
use super::{Columns, Dataset, Trained, Workload};
use crate::answer::{Answers, Meaning, distinct, truth_column};
use crate::artifacts::{
    POSTPROCESS, PREDICTIONS, SAMPLES, belong_together, read_json, to_json, to_json_lines,
};
use crate::config::RunConfig;
use crate::fairness::{self, find_in};
use crate::postprocess::Postprocess;
use crate::predictor::Predictor;
use crate::run::{Base, Evaluations, On, OnSplit, RunError, SPLITS};
use crate::start::ModelTable;
use crate::task::{Answer, Batch, LabelledObjective, Network, Target};
use fireclay_metrics::Report;
use fireclay_train::loader::Samples;
use fireclay_train::run_folder::write_whole;

/// What trains a network for the task of `config`.
pub(super) fn objective(config: &RunConfig, target: &Target) -> LabelledObjective {
    let objective = config.task.objective(target);
    fairness::constrained(config, objective.expect("checked: the task has labels"))
}

/// What the targets of a run are.
pub(super) fn kind(config: &RunConfig) -> TargetKind {
    let kind = config.task.target_kind();
    kind.expect("checked: the task has labels")
}

/// Tunes and evaluates a trained model, and writes its answers and what they mean.
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
    let answer = postprocess(config, data, objective(config, &data.target()).answer);
    let mut predictor = Predictor::new(trained.model, answer, trained.device.clone());
    let (mut evaluation, mut predictions) = (Evaluations::new(), Vec::new());
    let mut shown = Vec::new();
    // The validation split first: what is tuned on it holds for the test.
    for (number, split) in [(1, valid), (2, test)] {
        if split.is_empty() {
            continue;
        }
        let (report, kept) = judged(config, data, &mut predictor, (number, split))?;
        evaluation.insert(SPLITS[number].into(), report);
        if let Some(kept) = kept {
            predictions.push(kept.predictions);
            // Those of the last split, by which the run is judged.
            shown = kept.shown;
        }
    }
    if !shown.is_empty() {
        write_whole(&trained.folder.file(SAMPLES), &to_json_lines(&shown))?;
    }
    if !predictions.is_empty() {
        let bytes = parquet_bytes(&predictions)?;
        write_whole(&trained.folder.file(PREDICTIONS), &bytes)?;
    }
    let path = trained.folder.file(POSTPROCESS);
    write_whole(&path, &to_json(&predictor.answer))?;
    Ok(evaluation)
}

/// What a run keeps of a split.
struct Kept {
    predictions: RecordBatch,
    shown: Vec<Sample>,
}

/// The report on a split, and the predictions for it if the run keeps them. What the task leaves to the
/// validation split is chosen first.
fn judged<N, S>(
    config: &RunConfig,
    data: &dyn Dataset,
    predictor: &mut Predictor<N>,
    (number, split): (usize, S),
) -> Result<(Report, Option<Kept>), RunError>
where
    N: Network,
    S: Samples<Batch = Batch<N::Input>>,
{
    let (numbers, truth) = predictor.pass(split, pass::<S>(config))?;
    let columns = extra(config, data, number);
    let (find, rows) = (find_in(&columns), (&numbers[..], &truth));
    if number == 1 {
        predictor.answer.tune(config, rows, &find)?;
    }
    let answer = &predictor.answer;
    let (answers, report) = answer.judge(config, rows, &find)?;
    if !config.eval.keep_predictions {
        return Ok((report, None));
    }
    let (meaning, separator) = (answer.meaning(), config.data.section().label_separator());
    let shown = shown::Judged {
        split: number,
        answers: &answers,
        truth: &truth,
        classes: meaning.classes(),
        separator,
    };
    let shown = shown::samples(data, &shown)?;
    let (names, columns) = (SPLITS[number], data.columns(number));
    let predictions = predicted(names, columns, answers, (&truth, meaning), separator);
    Ok((report, Some(Kept { predictions, shown })))
}

/// The columns that groups of a split are told by; none in a run that compares none.
pub(crate) fn extra(config: &RunConfig, data: &dyn Dataset, split: usize) -> Extra {
    match config.fairness {
        Some(_) => data.columns(split).extra,
        None => Extra::new(),
    }
}

/// Columns by their names.
type Extra = Vec<(String, ArrayRef)>;

/// What is made of the outputs of a run, with the groups that its training rows have.
pub(crate) fn postprocess(config: &RunConfig, data: &dyn Dataset, answer: Answer) -> Postprocess {
    let groups = fairness::groups(config, &extra(config, data, 0));
    Postprocess {
        answer,
        groups: groups.expect("checked: the columns have groups"),
    }
}

/// What is made of the outputs, tuned for this model on the validation split.
pub(super) fn tuned<N, S>(
    config: &RunConfig,
    (model, device): (N, &Device),
    (answer, columns): (Postprocess, &[(String, ArrayRef)]),
    valid: S,
) -> Result<Postprocess, RunError>
where
    N: Network,
    S: Samples<Batch = Batch<N::Input>>,
{
    let mut predictor = Predictor::new(model, answer, device.clone());
    let (numbers, truth) = predictor.pass(valid, pass::<S>(config))?;
    let find = find_in(columns);
    predictor.answer.tune(config, (&numbers, &truth), &find)?;
    Ok(predictor.answer)
}

/// The predictions for a split, with the truth.
fn predicted(
    split: &str,
    columns: Columns,
    answers: Answers,
    (truth, meaning): (&Labels, &dyn Meaning),
    separator: &str,
) -> RecordBatch {
    let classes = meaning.classes();
    let splits = std::iter::repeat_n(split, truth.len());
    let splits: ArrayRef = Arc::new(StringArray::from_iter_values(splits));
    let more = [answers.by_class(classes), meaning.bounds(&answers)].concat();
    let mut all = vec![("split".to_owned(), splits)];
    all.extend(columns.names);
    all.push(("truth".into(), truth_column(truth, classes, separator)));
    all.push(("prediction".into(), answers.predictions(classes, separator)));
    all.extend(more);
    for (name, column) in columns.extra {
        let is_taken = |name: &str| all.iter().any(|(taken, _)| taken == name);
        all.push((distinct(name, is_taken), column));
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
    let answer: Postprocess = read_json(&base.folder.join(POSTPROCESS))?;
    let (model, description) = table.load(&base.folder, &base.device)?;
    let known = answer.meaning().classes();
    let target = Target {
        classes: known.to_vec(),
        ..Target::default()
    };
    let fit = fits(&description, base.config().task.outputs(&target)) && known == classes;
    belong_together(&base.folder, files, fit)?;
    let predictor = Predictor::new(model, answer, base.device.clone());
    Ok((predictor, description))
}

/// Evaluates samples with labels, which carry these columns.
pub(super) fn evaluate<N, S>(
    base: &Base,
    predictor: &Predictor<N>,
    samples: S,
    columns: &Columns,
) -> Result<Report, RunError>
where
    N: Network,
    S: Samples<Batch = Batch<N::Input>>,
{
    let config = base.config();
    let (numbers, truth) = predictor.pass(samples, pass::<S>(config))?;
    let find = find_in(&columns.extra);
    let (_, report) = predictor.answer.judge(config, (&numbers, &truth), &find)?;
    Ok(report)
}

/// Answers for a split of the data that a run was trained on, with the truth, as the run keeps them at its end.
pub(super) fn answers_on<W, N>(
    base: &Base,
    predictor: &Predictor<N>,
    on: On<'_>,
) -> Result<OnSplit, RunError>
where
    W: Workload,
    N: Network,
    W::Samples: Samples<Batch = Batch<N::Input>>,
{
    let (config, data) = (base.config(), own::<W>(base)?);
    let (split, notes) = split_of(on, &data)?;
    let samples = W::evaluated(config, &data, split);
    let (numbers, truth) = predictor.pass(samples, pass::<W::Samples>(config))?;
    let (columns, meaning) = (data.columns(split), predictor.answer.meaning());
    let answers = meaning.answers(numbers);
    let answers = predictor
        .answer
        .by_group(answers, &find_in(&columns.extra))?;
    let separator = config.data.section().label_separator();
    let table = predicted(
        SPLITS[split],
        columns,
        answers,
        (&truth, meaning),
        separator,
    );
    Ok(OnSplit {
        table,
        unit: W::UNIT,
        notes,
    })
}

/// What a workload on samples with labels does as all of them.
macro_rules! as_labelled {
    () => {
        fn with_objective<V: WithObjective<Model<Self>, Batch<Self>>>(
            config: &RunConfig,
            target: &Target,
            work: V,
        ) -> V::Output {
            work.with(labelled::objective(config, target))
        }

        fn conclude(
            config: &RunConfig,
            data: &Self::Data,
            trained: Trained<'_, Model<Self>>,
            splits: [Self::Samples; 2],
        ) -> Result<Evaluations, RunError> {
            labelled::conclude(config, data, trained, splits)
        }

        fn tuned(
            config: &RunConfig,
            data: &Self::Data,
            model: Model<Self>,
            (answer, device): (Postprocess, &Device),
        ) -> Result<Postprocess, RunError> {
            let [_, valid, _] = Self::samples(config, data);
            let columns = labelled::extra(config, data, 1);
            labelled::tuned(config, (model, device), (answer, &columns), valid)
        }
    };
}
pub(super) use as_labelled;

/// What a finished run on samples with labels says as all of them.
macro_rules! as_labelled_run {
    () => {
        fn base(&self) -> &Base {
            &self.base
        }

        fn meaning(&self) -> Option<&dyn Meaning> {
            Some(self.predictor.answer.meaning())
        }

        fn differentiable(&self) -> Option<&dyn Differentiable> {
            Some(&self.predictor)
        }
    };
}
pub(super) use as_labelled_run;
