//! What all workloads share: how data is read again, and how finished runs are evaluated and merged.

use std::path::Path;

use burn::module::Module;
use fireclay_data::{DataError, TokenizerConfig, TokenizerKind};
use fireclay_guard::{LARGEST, text};
use fireclay_metrics::Report;
use fireclay_train::loader::Samples;
use fireclay_train::strategy::evaluation_rows;

use super::{Dataset, WithWorkload, Workload, with_workload};
use crate::artifacts::{PREPROCESS, model_files};
use crate::config::{RunConfig, TokenizerSource};
use crate::lock;
use crate::predictor::Pass;
use crate::pretrained::more_keys;
use crate::run::{Base, Evaluated, Evaluations, On, RunError, SPLITS, locate};
use crate::start::ModelTable;

/// Reads the data of a workload; with the tokenizer of the run at `run`, if it has one, in place of the
/// configuration's: made again it might not be the same.
pub(crate) fn load<W: Workload>(
    config: &RunConfig,
    tokenizer: Option<&Path>,
) -> Result<W::Data, DataError> {
    let own = config.tokenizer.as_ref();
    let made = own.filter(|source| source.kind != TokenizerKind::File);
    let (Some(_), Some(path)) = (made, tokenizer) else {
        return W::load(config);
    };
    let source = TokenizerSource {
        kind: TokenizerKind::File,
        config: TokenizerConfig {
            path: Some(path.display().to_string()),
            ..TokenizerConfig::default()
        },
    };
    let config = RunConfig {
        tokenizer: Some(source),
        ..config.clone()
    };
    let mut data = W::load(&config)?;
    if let Some(files) = data.files() {
        // It is a file of the run, not of the data.
        files.retain(|file| file != path);
    }
    Ok(data)
}

/// How whole splits go through the model of a run.
pub(super) fn pass<S: Samples>(config: &RunConfig) -> Pass {
    Pass {
        batch_size: evaluation_rows(&config.eval, config.batch_size()),
        threads: config.train.loader_threads.unwrap_or_else(S::threads),
    }
}

/// The report of each split that holds something, with a baseline; of some it may be known already.
pub(super) fn evaluate_each<W: Workload>(
    (config, data): (&RunConfig, &W::Data),
    [valid, test]: [W::Samples; 2],
    mut known: Evaluations,
    mut evaluate: impl FnMut(&'static str, W::Samples) -> Result<Report, RunError>,
) -> Result<Evaluations, RunError> {
    let mut evaluations = Evaluations::new();
    for (name, split) in [("valid", valid), ("test", test)] {
        if split.is_empty() {
            continue;
        }
        let baseline = W::baseline(config, data, &split)?;
        let report = match known.remove(name) {
            Some(report) => report,
            None => evaluate(name, split)?,
        };
        let report = Report { baseline, ..report };
        evaluations.insert(name.into(), report);
    }
    Ok(evaluations)
}

/// The files of the model of a run, with its adapters merged into the weights.
pub(super) fn merged(base: &Base) -> Result<Vec<(&'static str, Vec<u8>)>, RunError> {
    struct Merged<'a>(&'a Base);

    impl WithWorkload for Merged<'_> {
        type Output = Result<Vec<(&'static str, Vec<u8>)>, RunError>;

        fn with<W: Workload>(self) -> Self::Output {
            let Base { folder, device, .. } = self.0;
            let (model, description) = W::table(self.0.config()).load(folder, device)?;
            let tokenizer = self.0.tokenizer()?;
            let more = more_keys(tokenizer.as_ref(), self.0.config());
            Ok(model_files(&model.materialize(), &description, more)?)
        }
    }

    with_workload(base.config(), Merged(base))
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
    let (name, samples, notes, baseline) = match on {
        On::File { path, targets } => {
            let (samples, notes) = read(path, targets.first().map(String::as_str))?;
            (path, samples, notes, None)
        }
        On::Split(_) | On::HeldOut => {
            let data = own::<W>(base)?;
            let (split, notes) = chosen(on, &data);
            let samples = W::evaluated(base.config(), &data, split);
            let baseline = W::baseline(base.config(), &data, &samples)?;
            (SPLITS[split], samples, notes, baseline)
        }
    };
    if samples.is_empty() {
        return Err(RunError::Usage(match on {
            On::File { .. } => format!("{name} has no {}", W::UNIT),
            _ => no_split(name),
        }));
    }
    let report = evaluate(samples)?;
    Ok(Evaluated {
        name: name.to_owned(),
        report: Report {
            baseline: report.baseline.or(baseline),
            ..report
        },
        notes,
    })
}

/// The split that is meant, and what is to be said of the choice.
pub(super) fn chosen(on: On<'_>, data: &impl Dataset) -> (usize, Vec<String>) {
    let is_there = |split: usize| data.sizes()[split].1 > 0;
    match on {
        On::Split(split) => (split, Vec::new()),
        _ if is_there(2) || !is_there(1) => (2, Vec::new()),
        _ => {
            let note = "the run has no test split: this is its validation split, which steered the training";
            (1, vec![note.to_owned()])
        }
    }
}

/// The same for answers with the truth beside them, where there is a truth.
pub(super) fn split_of(on: On<'_>, data: &impl Dataset) -> Result<(usize, Vec<String>), RunError> {
    let (split, notes) = chosen(on, data);
    match data.sizes()[split].1 {
        0 => Err(RunError::Usage(no_split(SPLITS[split]))),
        _ => Ok((split, notes)),
    }
}

fn no_split(name: &str) -> String {
    format!("the run has no {name} split; name another one")
}

/// The data that a run was trained on, unless it has changed: its splits and its preprocessing would be
/// others.
pub(crate) fn own<W: Workload>(base: &Base) -> Result<W::Data, RunError> {
    if !base.is_run() {
        let message = "was not trained here, so it has no data of its own; name other data: with --data FILE for \
                       `evaluate`, as INPUT for `predict` and `explain`";
        let model = base.run.display();
        return Err(RunError::Usage(format!("{model} {message}")));
    }
    let tokenizer = lock::tokenizer(&base.folder)?;
    let data = load::<W>(base.config(), tokenizer.as_deref());
    let data = data.map_err(|error| locate(&base.loaded, error))?;
    unchanged(&data, &base.folder)?;
    Ok(data)
}

/// Refuses data that is not what the run in `folder` was trained on.
fn unchanged(data: &impl Dataset, folder: &Path) -> Result<(), RunError> {
    let changed = lock::changed_files(data.hashes()?, folder)?;
    if !changed.is_empty() {
        return Err(RunError::DataChanged(changed.join(", ")));
    }
    // Some data is not preprocessed.
    let saved = text(&folder.join(PREPROCESS), LARGEST);
    match saved.is_ok_and(|saved| !data.is_read_as(&saved)) {
        true => Err(RunError::ReadOtherwise),
        false => Ok(()),
    }
}
