//! Finished runs that tell how good answers are.

use std::path::Path;
use std::sync::Arc;

use burn::data::dataloader::DataLoader;
use burn::data::dataset::DatasetError;
use fireclay_data::arrow::array::{ArrayRef, Float32Array, StringArray, UInt64Array};
use fireclay_data::expand;
use fireclay_train::cluster::each_in_company;
use fireclay_train::loader::Samples;
use fireclay_train::workers;

use super::super::prelude::*;
use super::super::shared::split_of;
use super::run::Finished;
use super::{Judging, Preferences};
use crate::predict::{InputTable, write_split};
use crate::run::SPLITS;
use crate::samples::PreferenceSamples;
use crate::task::{PreferenceBatch, PreferenceModel};

/// One that tells how good answers are.
pub(super) struct JudgingRun(pub Finished<Judging>);

impl JudgingRun {
    /// The rewards of the better answer and of the other one of each pair, with the names of the columns.
    fn judged(
        &self,
        samples: PreferenceSamples,
    ) -> Result<[(&'static str, ArrayRef); 2], RunError> {
        let Finished { base, model, .. } = &self.0;
        let loader = pass::<PreferenceSamples>(base.config()).loader(samples, &base.device);
        let batches = loader
            .iter()
            .map(|batch| Ok::<_, DatasetError>((model.clone(), batch?)));
        let work = |(model, batch): (PreferenceModel, PreferenceBatch)| model.rewards(batch);
        let taken = |rewards: Tensor<1>| rewards.into_data().iter::<f32>().collect::<Vec<f32>>();
        let [mut chosen, mut rejected] = [Vec::new(), Vec::new()];
        let put = |rewards: Vec<f32>| {
            let (better, other) = rewards.split_at(rewards.len() / 2);
            chosen.extend_from_slice(better);
            rejected.extend_from_slice(other);
            Ok(())
        };
        each_in_company(workers::count(&base.device), batches, work, taken, put)?;
        let column = |numbers: Vec<f32>| Arc::new(Float32Array::from(numbers)) as ArrayRef;
        Ok([
            ("chosen_reward", column(chosen)),
            ("rejected_reward", column(rejected)),
        ])
    }

    /// The rewards of all pairs of these samples, which are said to come from `name`.
    fn rated(
        &self,
        name: &str,
        (samples, notes): (PreferenceSamples, Vec<String>),
    ) -> Result<OnSplit, RunError> {
        let names = vec![name.to_owned(); samples.len()];
        let columns: [(_, ArrayRef); 2] = [
            ("split", Arc::new(StringArray::from(names))),
            (
                "pair",
                Arc::new(UInt64Array::from_iter_values(samples.numbers())),
            ),
        ];
        let columns = columns.into_iter().chain(self.judged(samples)?);
        Ok(OnSplit {
            table: RecordBatch::try_from_iter(columns).map_err(DataError::from)?,
            unit: "pairs",
            notes,
        })
    }

    fn no_rows(&self) -> RunError {
        let run = self.0.base.folder.display();
        RunError::Usage(format!(
            "a reward model reads pairs of answers from a file: fireclay predict {run} PAIRS.jsonl -o rewards.csv"
        ))
    }
}

impl Run for JudgingRun {
    fn merged(&self) -> Result<Vec<(&'static str, Vec<u8>)>, RunError> {
        merged(self.base())
    }

    fn base(&self) -> &Base {
        &self.0.base
    }

    fn schema(&self) -> InputSchema {
        self.0.schema("answer")
    }

    fn evaluate(&self, on: On<'_>) -> Result<Evaluated, RunError> {
        self.0.evaluate(on)
    }

    fn answers(&self, _rows: &RecordBatch) -> Result<Answered, RunError> {
        Err(self.no_rows())
    }

    fn answers_on(&self, on: On<'_>) -> Result<OnSplit, RunError> {
        match on {
            On::File { path, .. } => self.rated(path, self.0.read(path)?),
            On::Split(_) | On::HeldOut => {
                let data = own::<Preferences<Judging>>(self.base())?;
                let (number, notes) = split_of(on, &data)?;
                let config = self.base().config();
                let samples = Preferences::<Judging>::evaluated(config, &data, number);
                self.rated(SPLITS[number], (samples, notes))
            }
        }
    }

    /// Of a file of pairs, or of a pipe.
    fn predict(&self, job: &PredictJob<'_>) -> Result<Predicted, RunError> {
        let piped = (job.input == "-").then_some(Path::new("-"));
        let (Some(output), None) = (job.output.or(piped), job.top) else {
            return Err(RunError::Usage(
                "rewards need a file to go to: -o rewards.csv, or -o - for standard output".into(),
            ));
        };
        let table = InputTable::open(job.input)?;
        let inputs = expand(table.path())?;
        write_split(self, &inputs, (output, job.format), || {
            let (samples, notes) = self
                .0
                .read(table.path())
                .map_err(|error| table.named(error))?;
            let notes = notes.iter().map(|note| table.renamed(note)).collect();
            self.rated(table.name(), (samples, notes))
        })
    }
}
