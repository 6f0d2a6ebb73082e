//! How a regression treats groups.

use std::collections::BTreeMap;

use super::{Attribute, Group, Partition, findings, named};
use crate::calibration::mean;

/// How a model that predicts numbers treats groups: the mean of prediction minus truth (above 0 if the
/// group is predicted too high) with its 95 % interval (1.96 standard errors), the mean absolute error
/// and the root of the mean squared error, in the unit of the target.
///
/// # Panics
///
/// If the lengths differ.
pub fn regression_fairness(
    (truth, prediction): (&[f64], &[f64]),
    partition: &Partition,
    min_group_size: usize,
) -> Attribute {
    assert_eq!(truth.len(), prediction.len(), "a prediction a row");
    assert_eq!(truth.len(), partition.rows(), "a group a row");
    let group = |(name, rows): (&String, &[usize])| {
        let residuals = rows.iter().map(|&row| prediction[row] - truth[row]);
        Group {
            name: name.clone(),
            n: rows.len(),
            small: rows.len() < min_group_size,
            values: values(&residuals.collect::<Vec<_>>()),
            ..Group::default()
        }
    };
    let groups: Vec<Group> = partition.groups().map(group).collect();
    let differences = named([
        (
            "mean_residual_difference",
            difference(&groups, "mean_residual"),
        ),
        ("mae_difference", difference(&groups, "mae")),
        ("rmse_difference", difference(&groups, "rmse")),
    ]);
    let mut attribute = Attribute {
        name: partition.name.clone(),
        groups,
        differences,
        ..Attribute::default()
    };
    attribute.findings = findings::of_numbers(&attribute, min_group_size);
    attribute
}

fn values(residuals: &[f64]) -> BTreeMap<String, f64> {
    let middle = mean(residuals.iter().copied());
    let half = middle.and_then(|middle| half_width(residuals, middle));
    let bound = |sign: f64| middle.zip(half).map(|(middle, half)| middle + sign * half);
    named([
        ("mean_residual", middle),
        ("mean_residual_low", bound(-1.0)),
        ("mean_residual_high", bound(1.0)),
        ("mae", mean(residuals.iter().map(|r| r.abs()))),
        ("rmse", mean(residuals.iter().map(|r| r * r)).map(f64::sqrt)),
    ])
}

/// 1.96 standard errors of the mean; `None` of one row.
fn half_width(residuals: &[f64], middle: f64) -> Option<f64> {
    let n = residuals.len() as f64;
    let squares: f64 = residuals.iter().map(|r| (r - middle).powi(2)).sum();
    (n > 1.0).then(|| 1.96 * (squares / (n - 1.0) / n).sqrt())
}

fn difference(groups: &[Group], name: &str) -> Option<f64> {
    let compared = groups.iter().filter(|group| !group.small);
    let values: Vec<f64> = compared
        .filter_map(|group| group.values.get(name).copied())
        .collect();
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (values.len() > 1).then_some(high - low)
}
