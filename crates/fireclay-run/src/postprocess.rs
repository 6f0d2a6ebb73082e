//! What is made of the outputs of a model: `postprocess.json`.

use std::collections::BTreeMap;

use fireclay_data::arrow::array::RecordBatch;
use fireclay_data::{DataError, Labels, column};
use fireclay_metrics::Report;
use serde::{Deserialize, Serialize};

use crate::answer::{Answers, Meaning};
use crate::config::{Mitigation, RunConfig, TaskConfig};
use crate::fairness::{self, Find, Groups};
use crate::task::{Answer, Threshold};

/// What outputs mean, and which groups are told apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Postprocess {
    /// What outputs mean.
    #[serde(flatten)]
    pub answer: Answer,
    /// The groups that are compared; there are none without `[fairness]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<Groups>,
}

impl From<Answer> for Postprocess {
    fn from(answer: Answer) -> Self {
        Self {
            answer,
            groups: None,
        }
    }
}

impl Postprocess {
    /// The meaning of the outputs, whatever the task.
    pub fn meaning(&self) -> &dyn Meaning {
        self.answer.meaning()
    }

    /// The answers for some rows, by the thresholds of their groups if groups have their own.
    ///
    /// # Errors
    ///
    /// If a column of groups is missing.
    pub(crate) fn by_group(
        &self,
        mut answers: Answers,
        find: &Find<'_>,
    ) -> Result<Answers, DataError> {
        let Some(groups) = self.groups.as_ref().filter(|g| !g.thresholds.is_empty()) else {
            return Ok(answers);
        };
        let meaning = self.meaning();
        let positive = meaning.positive();
        let positive = meaning
            .classes()
            .iter()
            .position(|c| Some(c.as_str()) == positive);
        if let (
            Some(positive),
            Answers::Classes {
                chosen,
                probabilities,
            },
        ) = (positive, &mut answers)
        {
            let names = groups.joined(find)?;
            let rows = chosen.iter_mut().zip(probabilities.chunks(2)).zip(&names);
            for ((chosen, probabilities), name) in rows {
                if let Some(threshold) = groups.thresholds.get(name) {
                    let is_positive = probabilities[positive] >= *threshold;
                    *chosen = if is_positive { positive } else { 1 - positive } as u32;
                }
            }
        }
        Ok(answers)
    }

    /// The same for the rows of a table.
    ///
    /// # Errors
    ///
    /// If a column of groups is missing.
    pub(crate) fn by_group_in(
        &self,
        answers: Answers,
        rows: &RecordBatch,
    ) -> Result<Answers, DataError> {
        self.by_group(answers, &|name| column(rows, name).cloned())
    }

    /// How many rows are of groups without a threshold of their own, where groups have one.
    ///
    /// # Errors
    ///
    /// If a column of groups is missing.
    pub(crate) fn strangers(&self, rows: &RecordBatch) -> Result<u64, DataError> {
        let Some(groups) = self.groups.as_ref().filter(|g| !g.thresholds.is_empty()) else {
            return Ok(0);
        };
        let names = groups.joined(&|name| column(rows, name).cloned())?;
        let strange = names
            .iter()
            .filter(|name| !groups.thresholds.contains_key(*name));
        Ok(strange.count() as u64)
    }

    /// What is to be said of so many such rows.
    pub(crate) fn note_of_strangers(&self, rows: u64) -> Option<String> {
        let groups = self.groups.as_ref()?;
        (rows > 0).then(|| {
            format!(
                "{rows} rows are of groups by {} that have no threshold of their own: the threshold for all decided",
                groups.name()
            )
        })
    }

    /// The columns of groups that answers depend on.
    pub(crate) fn columns(&self) -> impl Iterator<Item = &str> {
        let groups = self
            .groups
            .iter()
            .filter(|groups| !groups.thresholds.is_empty());
        let columns = groups.flat_map(|groups| &groups.columns);
        columns.map(|column| column.name.as_str())
    }

    /// Chooses what is left to the validation split, from numbers and targets of that split.
    ///
    /// # Errors
    ///
    /// If a column of groups is missing.
    pub(crate) fn tune(
        &mut self,
        config: &RunConfig,
        (numbers, truth): (&[f64], &Labels),
        find: &Find<'_>,
    ) -> Result<(), DataError> {
        self.answer.meaning_mut().tune(numbers, truth);
        let mitigated = config.fairness.as_ref();
        let mitigated = mitigated.filter(|it| it.mitigation == Mitigation::Thresholds);
        if let (Some(fairness), Some(groups)) = (mitigated, &mut self.groups) {
            let meaning = self.answer.meaning();
            let answers = meaning.answers(numbers.to_vec());
            let rows = (&answers, truth);
            let fitted = fairness::fit_thresholds(fairness, (groups, find), meaning, rows)?;
            (groups.thresholds, groups.unmitigated) = match fitted {
                Ok(thresholds) => (thresholds, None),
                Err(reason) => (BTreeMap::new(), Some(reason)),
            };
        }
        Ok(())
    }

    /// The answers that these numbers are, and everything that is measured of them.
    ///
    /// # Errors
    ///
    /// If a column of groups is missing.
    pub(crate) fn judge(
        &self,
        config: &RunConfig,
        (numbers, truth): (&[f64], &Labels),
        find: &Find<'_>,
    ) -> Result<(Answers, Report), DataError> {
        let meaning = self.meaning();
        let before = meaning.answers(numbers.to_vec());
        let answers = self.by_group(before.clone(), find)?;
        let mut report = meaning.report(&answers, truth, Some(config.seed));
        if report.metrics.is_empty() {
            // Of no rows, or of numbers that are none, nothing more can be said.
            return Ok((answers, report));
        }
        meaning.more(numbers, (&answers, truth), &mut report);
        if let Some(coverage) = &mut report.coverage {
            coverage.note = steered(config);
        }
        if let (Some(fairness), Some(groups)) = (&config.fairness, &self.groups) {
            let groups = (groups, find);
            let mut found = fairness::audit(fairness, groups, meaning, (&answers, truth))?;
            found.unmitigated.clone_from(&groups.0.unmitigated);
            if !groups.0.thresholds.is_empty() {
                let both = ([&before, &answers], truth);
                found.thresholds = fairness::price(fairness, groups, meaning, both)?;
            }
            report.fairness = Some(found);
        }
        Ok((answers, report))
    }
}

/// What sets of classes do not promise, before the training.
pub(crate) fn of_sets(config: &RunConfig) -> Vec<String> {
    let TaskConfig::Classification(task) = &config.task else {
        return Vec::new();
    };
    if task.coverage.is_none() {
        return Vec::new();
    }
    let of_all = (!task.coverage_by_class).then(|| {
        "it is stated of all samples together, and a rare class may be covered less; task.coverage_by_class = true states it of every class".to_owned()
    });
    let outside = deciding(config).map(|keys| {
        format!(
            "the sets are made of probabilities, but {keys} decides predictions, so a prediction can lie outside its own prediction_set; predict and evaluate say how many do"
        )
    });
    of_all.into_iter().chain(outside).collect()
}

/// The keys by which the most probable of two classes may not be the answer.
fn deciding(config: &RunConfig) -> Option<String> {
    let TaskConfig::Classification(task) = &config.task else {
        return None;
    };
    let fairness = config.fairness.as_ref();
    let has_groups = fairness.is_some_and(|it| it.mitigation == Mitigation::Thresholds);
    let threshold = (task.threshold != Threshold::default()).then_some("task.threshold");
    let groups = has_groups.then_some("fairness.mitigation = \"thresholds\"");
    let keys: Vec<&str> = threshold.into_iter().chain(groups).collect();
    (!keys.is_empty()).then(|| keys.join(" and "))
}

/// What is to be said of so many predictions that are not in their own set.
pub(crate) fn note_of_outside(config: &RunConfig, outside: u64, all: u64) -> Option<String> {
    let why = match deciding(config) {
        Some(keys) => {
            format!("{keys} decides the prediction, the probabilities alone decide the set")
        }
        None => "no class, or another one, is probable enough for the set".to_owned(),
    };
    (outside > 0).then(|| {
        format!("{outside} of {all} predictions are not in their own prediction_set: {why}")
    })
}

/// Why a stated coverage holds only nearly: what else the validation rows have decided.
pub(crate) fn steered(config: &RunConfig) -> Option<String> {
    let monitors: Vec<_> = config
        .monitors()
        .filter(|(_, monitor)| monitor.starts_with("valid/"))
        .collect();
    let by = |key: &str| monitors.iter().any(|(found, _)| found.starts_with(key));
    let calibrates = matches!(&config.task, TaskConfig::Classification(task) if task.calibrate);
    let found = [
        (by("early_stopping"), "when training stopped"),
        (by("checkpoint"), "which checkpoint is kept"),
        (by("lr_scheduler"), "the learning rate"),
        (calibrates, "the temperature"),
    ];
    let found: Vec<&str> = found
        .iter()
        .filter(|(is, _)| *is)
        .map(|(_, what)| *what)
        .collect();
    (!found.is_empty()).then(|| {
        format!(
            "the validation rows also decided {}, so they are not quite exchangeable with new rows: the stated \
             coverage holds nearly, and that of the test split is the measure",
            found.join(", ")
        )
    })
}
