//! How the answers of a model treat groups, and thresholds by group.

use std::collections::BTreeMap;

use fireclay_data::{DataError, Labels};
use fireclay_metrics::{
    Attribute, Classification, Decisions, Fairness, GroupThresholds, NoThresholds, Partition,
    ThresholdPrice, binary_fairness, fit_group_thresholds, multiclass_fairness,
    regression_fairness,
};

use super::{Find, Groups};
use crate::answer::{Answers, Meaning};
use crate::config::FairnessConfig;

/// Compares the groups of some rows.
///
/// # Errors
///
/// If a column of groups is missing, or holds lists.
pub(crate) fn audit(
    config: &FairnessConfig,
    (groups, find): (&Groups, &Find<'_>),
    meaning: &dyn Meaning,
    (answers, truth): (&Answers, &Labels),
) -> Result<Fairness, DataError> {
    let least = config.min_group_size;
    let partitions = groups.partitions(find)?;
    let attribute = |partition: &Partition| match (answers, truth) {
        (Answers::Numbers(predicted), Labels::Numbers(truth)) => {
            regression_fairness((truth, predicted), partition, least)
        }
        _ => match Positive::of(meaning, answers, truth) {
            Some(positive) => binary_fairness(positive.decisions(), partition, least),
            None => several(meaning, (answers, truth), partition, least),
        },
    };
    Ok(Fairness {
        min_group_size: least,
        attributes: partitions.iter().map(attribute).collect(),
        thresholds: None,
        unmitigated: None,
    })
}

/// Of more than two classes.
fn several(
    meaning: &dyn Meaning,
    (answers, truth): (&Answers, &Labels),
    partition: &Partition,
    least: usize,
) -> Attribute {
    let Some(judged) = answers.judged(truth) else {
        unreachable!("checked: groups are compared by classes and numbers");
    };
    let correct = judged.chosen.iter().zip(judged.truth);
    let correct: Vec<bool> = correct.map(|(chosen, truth)| chosen == truth).collect();
    let classes = meaning.classes().len();
    let scored = Classification::new(classes, judged.truth, judged.probabilities);
    let (confidence, _) = scored.confidences();
    multiclass_fairness((&correct, &confidence), partition, least)
}

/// The answers of a classifier of two classes, as they concern the positive one.
struct Positive<'a> {
    name: &'a str,
    truth: Vec<bool>,
    selected: Vec<bool>,
    probability: Vec<f64>,
}

impl<'a> Positive<'a> {
    fn of(meaning: &'a dyn Meaning, answers: &Answers, truth: &Labels) -> Option<Self> {
        let name = meaning.positive()?;
        let class = meaning.classes().iter().position(|known| known == name)?;
        let judged = answers.judged(truth)?;
        let is_it = |found: &u32| *found as usize == class;
        let probability = judged.probabilities.iter().skip(class).step_by(2);
        Some(Self {
            name,
            truth: judged.truth.iter().map(is_it).collect(),
            selected: judged.chosen.iter().map(is_it).collect(),
            probability: probability.copied().collect(),
        })
    }

    fn decisions(&self) -> Decisions<'_> {
        Decisions {
            positive: self.name,
            truth: &self.truth,
            selected: &self.selected,
            probability: Some(&self.probability),
        }
    }
}

/// The threshold of each group of all columns together, chosen on these rows; or why groups have none, in a
/// sentence with what helps.
///
/// # Errors
///
/// As [`audit`].
pub(crate) fn fit_thresholds(
    config: &FairnessConfig,
    (groups, find): (&Groups, &Find<'_>),
    meaning: &dyn Meaning,
    (answers, truth): (&Answers, &Labels),
) -> Result<Result<BTreeMap<String, f64>, String>, DataError> {
    let Some(positive) = Positive::of(meaning, answers, truth) else {
        return Ok(Ok(BTreeMap::new()));
    };
    let partition = Partition::new(groups.name(), &groups.joined(find)?);
    let rule = GroupThresholds {
        criterion: config.criterion,
        tolerance: config.tolerance,
        max_loss: config.max_loss,
        min_group_size: config.min_group_size,
    };
    let fitted = fit_group_thresholds(positive.decisions(), &partition, rule);
    Ok(fitted.map_err(|reason| why(reason, config, &partition)))
}

/// Why groups have no thresholds, and what helps.
fn why(reason: NoThresholds, config: &FairnessConfig, partition: &Partition) -> String {
    let (least, name) = (config.min_group_size, &partition.name);
    let sizes: Vec<usize> = partition.groups().map(|(_, rows)| rows.len()).collect();
    let all = sizes.len();
    let fewer = match config.groups.len() {
        0 | 1 => "cut wider bands (fairness.bands, fairness.quantiles)",
        _ => {
            "name fewer columns in fairness.groups, cut wider bands (fairness.bands, fairness.quantiles)"
        }
    };
    let reason = match reason {
        NoThresholds::Small(large) => {
            let next = sizes.iter().copied().filter(|size| *size < least).max();
            let next = next.map_or_else(String::new, |next| {
                format!(", and the next largest has {next}")
            });
            format!(
                "{large} of the {all} groups by {name} have the {least} validation rows of fairness.min_group_size{next}; {fewer}, hold out more validation rows, or set a smaller min_group_size"
            )
        }
        NoThresholds::OneSided([large, both]) => format!(
            "{large} of the {all} groups by {name} have {least} validation rows, but {both} of them have those that fairness.criterion needs: rows of the positive class, and for equalized_odds of both; {fewer}, hold out more validation rows, or choose another criterion"
        ),
        NoThresholds::NotNearer {
            difference,
            nearest,
        } if nearest < difference => format!(
            "the groups by {name} differ by {difference:.3} on the validation rows, and {nearest:.3} could be reached, but no thresholds bring them nearer for what fairness.max_loss = {} allows to lose; set a larger max_loss, or choose another criterion",
            config.max_loss
        ),
        NoThresholds::NotNearer { difference, .. } => format!(
            "no thresholds bring the groups by {name} nearer than the {difference:.3} that they differ by on the validation rows with one threshold for all"
        ),
    };
    format!("nothing is mitigated, no group has a threshold of its own: {reason}")
}

/// What the thresholds of groups cost and bring, given the answers with one threshold for all and those with
/// them.
///
/// # Errors
///
/// As [`audit`].
pub(crate) fn price(
    config: &FairnessConfig,
    (groups, find): (&Groups, &Find<'_>),
    meaning: &dyn Meaning,
    ([before, after], truth): ([&Answers; 2], &Labels),
) -> Result<Option<ThresholdPrice>, DataError> {
    let partition = Partition::new(groups.name(), &groups.joined(find)?);
    let both = [before, after].map(|answers| {
        let positive = Positive::of(meaning, answers, truth)?;
        let found = binary_fairness(positive.decisions(), &partition, config.min_group_size);
        let rows = positive.truth.iter().zip(&positive.selected);
        let right = rows.filter(|(truth, selected)| truth == selected).count();
        let accuracy = right as f64 / positive.truth.len().max(1) as f64;
        let measure = config.criterion.measure();
        Some((accuracy, found.differences.get(measure).copied()))
    });
    let [
        Some((accuracy_before, difference_before)),
        Some((accuracy, difference)),
    ] = both
    else {
        return Ok(None);
    };
    Ok(Some(ThresholdPrice {
        criterion: config.criterion,
        by_group: groups.thresholds.clone(),
        accuracy_before,
        accuracy,
        difference_before,
        difference,
    }))
}
