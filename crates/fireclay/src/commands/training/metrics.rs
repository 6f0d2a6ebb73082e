//! The metrics of a training that has ended.

use std::collections::BTreeMap;

use fireclay_metrics::{Baseline, Report as Evaluation};
use fireclay_run::Outcome;

use super::Report;
use crate::commands::remarks::remarks;
use crate::screen::Screen;
use crate::text::number;

impl Report {
    /// One row for each split and one for the baseline, one column for each metric.
    pub(super) fn metrics(&self, outcome: &Outcome) -> String {
        let reports = outcome.evaluation.values();
        let has = |name: &&str| reports.clone().any(|r| r.metrics.contains_key(*name));
        let headline = self.config.task.facts().headline.iter();
        let names: Vec<&str> = headline.copied().filter(has).collect();
        let mut rows = vec![vec![String::new(), self.words.samples.into()]];
        rows[0].extend(names.iter().map(|name| (*name).to_owned()));
        let values = |metrics: &BTreeMap<String, f64>| -> Vec<String> {
            let value = |name: &&str| {
                metrics
                    .get(*name)
                    .map_or("-".into(), |value| number(*value))
            };
            names.iter().map(value).collect()
        };
        for (split, count) in &self.rows {
            let mut row = vec![(*split).to_owned(), count.to_string()];
            let report = outcome.evaluation.get(*split);
            row.extend(
                report
                    .map(|report| values(&report.metrics))
                    .unwrap_or_default(),
            );
            rows.push(row);
        }
        if let Some((_, baseline)) = self.baseline(outcome) {
            let mut row = vec!["baseline".to_owned(), String::new()];
            row.extend(values(&baseline.metrics));
            rows.push(row);
        }
        Screen::out().table(&rows)
    }

    /// What is to be said of the table.
    pub(super) fn remarks(&self, outcome: &Outcome) -> Vec<String> {
        let baseline = self.baseline(outcome).map(|(split, baseline)| {
            format!("baseline: {}; on the {split} split", baseline.answer)
        });
        let reports = self.rows.iter().filter_map(|(split, _)| {
            let report = outcome.evaluation.get(*split)?;
            Some((*split, report))
        });
        let reports: Vec<_> = reports.collect();
        baseline.into_iter().chain(remarks(&reports)).collect()
    }

    /// The last split that was evaluated.
    pub(super) fn last<'a>(&self, outcome: &'a Outcome) -> Option<(&'static str, &'a Evaluation)> {
        let splits = self.rows.iter().rev();
        let mut found =
            splits.filter_map(|(split, _)| Some((*split, outcome.evaluation.get(*split)?)));
        found.next()
    }

    /// The baseline of the last split that has one, and the split.
    fn baseline<'a>(&self, outcome: &'a Outcome) -> Option<(&'static str, &'a Baseline)> {
        self.rows.iter().rev().find_map(|(split, _)| {
            let report = outcome.evaluation.get(*split)?;
            Some((*split, report.baseline.as_ref()?))
        })
    }
}
