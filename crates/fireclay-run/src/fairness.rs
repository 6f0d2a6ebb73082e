//! Groups of rows: who is in which, how a model treats them, and what is done for them.

mod audit;
mod constraint;
mod groups;
mod reweigh;

pub(crate) use audit::{audit, fit_thresholds, price};
pub(crate) use constraint::Indicators;
pub use groups::Groups;
pub(crate) use groups::{Find, find_in};
pub(crate) use reweigh::reweighed;

use std::sync::Arc;

use fireclay_data::arrow::array::ArrayRef;
use fireclay_data::{Labels, TableConfig, TargetKind};

use crate::config::{FairnessConfig, Mitigation, Refusal, RunConfig};
use crate::task::{Constrained, LabelledObjective};

/// The groups of a run, from the columns that its training rows carry; none if it compares none.
///
/// # Errors
///
/// A key and what is wrong with the column that it names.
pub(crate) fn groups(
    config: &RunConfig,
    train: &[(String, ArrayRef)],
) -> Result<Option<Groups>, Refusal> {
    let fairness = config.fairness.as_ref();
    let fitted = fairness.map(|fairness| Groups::fit(fairness, (train, &table(config))));
    Ok(fitted.transpose()?.map(|(groups, _)| groups))
}

/// How the cells of the columns are read: as those of features are, by the cells alone where `[data]` says nothing.
fn table(config: &RunConfig) -> TableConfig {
    let given = config.data.section().table().cloned();
    given.unwrap_or_else(|| TableConfig::new("", ""))
}

/// What is to be said of the groups of a run before it trains.
///
/// # Errors
///
/// As [`groups`], and what does not go with the target, as pairs of a key and a message.
pub(crate) fn check(
    config: &RunConfig,
    (train, labels): (&[(String, ArrayRef)], usize),
) -> Result<Vec<String>, Vec<Refusal>> {
    let Some(fairness) = &config.fairness else {
        return Ok(Vec::new());
    };
    let is_for_two = matches!(
        fairness.mitigation,
        Mitigation::Thresholds | Mitigation::Constraint
    );
    if is_for_two && labels != 2 {
        let message = format!("needs two classes, but the target has {labels}");
        return Err(vec![("fairness.mitigation".into(), message)]);
    }
    let (_, mut notes) =
        Groups::fit(fairness, (train, &table(config))).map_err(|problem| vec![problem])?;
    notes.extend(inputs(config, fairness));
    Ok(notes)
}

/// Which of the columns the model is given too.
fn inputs(config: &RunConfig, fairness: &FairnessConfig) -> Option<String> {
    let section = config.data.section();
    let names = fairness.groups.iter();
    let names: Vec<String> = names
        .filter(|name| section.is_input(name))
        .map(|name| format!("{name:?}"))
        .collect();
    let names = (!names.is_empty()).then(|| names.join(", "))?;
    Some(format!(
        "fairness: the model is given {names} as well; data.ignore = [{names}] keeps it out, and it is still compared"
    ))
}

/// Tasks whose answers groups can be compared by.
pub(crate) fn is_for(kind: Option<TargetKind>) -> bool {
    matches!(kind, Some(TargetKind::Class | TargetKind::Number))
}

/// The groups of the training rows of a run with `mitigation = "constraint"`.
pub(crate) fn indicators(config: &RunConfig, train: &[(String, ArrayRef)]) -> Option<Indicators> {
    let fairness = config.fairness.as_ref()?;
    if fairness.mitigation != Mitigation::Constraint {
        return None;
    }
    let (groups, _) =
        Groups::fit(fairness, (train, &table(config))).expect("checked: the columns have groups");
    let found = Indicators::new(&groups, &find_in(train));
    Some(found.expect("checked: the columns are there"))
}

/// What a run is trained for, with the penalty of `mitigation = "constraint"`.
pub(crate) fn constrained(config: &RunConfig, objective: LabelledObjective) -> LabelledObjective {
    let fairness = config.fairness.as_ref();
    match fairness.filter(|fairness| fairness.mitigation == Mitigation::Constraint) {
        None => objective,
        Some(fairness) => LabelledObjective {
            loss: Arc::new(Constrained {
                loss: objective.loss,
                strength: fairness.strength,
            }),
            ..objective
        },
    }
}

/// The training weights of a run with `mitigation = "reweighing"`; `own` are those that rows have already.
pub(crate) fn weights(
    config: &RunConfig,
    train: &[(String, ArrayRef)],
    (labels, own): (&Labels, Option<&[f32]>),
) -> Option<Vec<f32>> {
    let fairness = config.fairness.as_ref()?;
    if fairness.mitigation != Mitigation::Reweighing {
        return None;
    }
    let (groups, _) =
        Groups::fit(fairness, (train, &table(config))).expect("checked: the columns have groups");
    let names = groups.joined(&find_in(train));
    let names = names.expect("checked: the columns are there");
    Some(reweighed(&names, labels, own))
}
