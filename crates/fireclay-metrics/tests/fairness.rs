//! Rates by group and their differences against fairlearn's numbers (`data/metrics`, definitions inside).

use std::collections::BTreeMap;

use fireclay_metrics::*;
use proptest::prelude::*;
use serde_json::Value;

const TOLERANCE: f64 = 1e-12;

/// What fairlearn and this report call alike, of one group.
const RATES: [&str; 5] = [
    "selection_rate",
    "true_positive_rate",
    "false_positive_rate",
    "accuracy",
    "precision",
];

struct Rows {
    truth: Vec<bool>,
    selected: Vec<bool>,
    groups: Vec<String>,
}

impl Rows {
    fn audit(&self, least: usize) -> Attribute {
        let decisions = Decisions {
            positive: "1",
            truth: &self.truth,
            selected: &self.selected,
            probability: None,
        };
        binary_fairness(decisions, &Partition::new("group", &self.groups), least)
    }
}

fn cases(text: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(text).expect("the fixture has it");
    file["cases"]
        .as_array()
        .expect("the fixture has it")
        .clone()
}

fn near(found: f64, expected: &Value, what: &str) {
    let expected = expected.as_f64().unwrap_or_else(|| panic!("no {what}"));
    assert!(
        (found - expected).abs() <= TOLERANCE,
        "{what} is {found}, not {expected}"
    );
}

/// Compares every number that fairlearn gives.
fn check(attribute: &Attribute, values: &Value) {
    let by_group = values["by_group"].as_object().expect("the fixture has it");
    assert_eq!(attribute.groups.len(), by_group.len());
    for group in &attribute.groups {
        let expected = &by_group[&group.name];
        near(group.n as f64, &expected["count"], "count");
        for name in RATES {
            near(group.rates[name].value, &expected[name], name);
        }
    }
    let differences = values.as_object().expect("the fixture has it").iter();
    let differences =
        differences.filter(|(name, _)| !["overall", "by_group"].contains(&name.as_str()));
    let mut compared = 0;
    for (name, expected) in differences {
        near(attribute.differences[name], expected, name);
        compared += 1;
    }
    assert_eq!(compared, attribute.differences.len());
}

#[test]
fn rates_and_differences_are_fairlearns() {
    for case in cases(include_str!("data/metrics/fairness.json")) {
        let bools = |name: &str| {
            let values = case[name].as_array().expect("the fixture has it").iter();
            values.map(|value| value.as_u64() == Some(1)).collect()
        };
        let groups = case["group"].as_array().expect("the fixture has it").iter();
        let rows = Rows {
            truth: bools("y_true"),
            selected: bools("y_pred"),
            groups: groups
                .map(|name| name.as_str().expect("the fixture has it").into())
                .collect(),
        };
        check(&rows.audit(0), &case["values"]);
    }
}

/// The table itself is not here: rows with the counts that the rates imply are as good.
#[test]
fn rates_and_differences_of_compas_are_fairlearns() {
    for case in cases(include_str!("data/metrics/compas.json")) {
        let mut rows = Rows {
            truth: Vec::new(),
            selected: Vec::new(),
            groups: Vec::new(),
        };
        for (name, group) in case["values"]["by_group"]
            .as_object()
            .expect("the fixture has it")
        {
            let value = |key: &str| group[key].as_f64().expect("the fixture has it");
            let (n, tpr, fpr) = (
                value("count"),
                value("true_positive_rate"),
                value("false_positive_rate"),
            );
            let positives = ((value("selection_rate") - fpr) * n / (tpr - fpr)).round();
            let counts = [
                (true, true, tpr * positives),
                (true, false, (1.0 - tpr) * positives),
                (false, true, fpr * (n - positives)),
                (false, false, (1.0 - fpr) * (n - positives)),
            ];
            for (truth, selected, count) in counts {
                for _ in 0..count.round() as usize {
                    rows.truth.push(truth);
                    rows.selected.push(selected);
                    rows.groups.push(name.clone());
                }
            }
        }
        assert_eq!(
            rows.truth.len() as u64,
            case["rows"].as_u64().expect("the fixture has it")
        );
        check(&rows.audit(0), &case["values"]);
    }
}

fn rows(counts: &[(&str, [usize; 4])]) -> Rows {
    let mut rows = Rows {
        truth: Vec::new(),
        selected: Vec::new(),
        groups: Vec::new(),
    };
    for (name, counts) in counts {
        let kinds = [(true, true), (true, false), (false, true), (false, false)];
        for ((truth, selected), count) in kinds.into_iter().zip(counts) {
            rows.truth.extend(std::iter::repeat_n(truth, *count));
            rows.selected.extend(std::iter::repeat_n(selected, *count));
            let names = std::iter::repeat_n((*name).to_owned(), *count);
            rows.groups.extend(names);
        }
    }
    rows
}

#[test]
fn small_groups_are_shown_and_left_out_and_said() {
    let rows = rows(&[
        ("a", [20, 5, 5, 20]),
        ("b", [18, 7, 6, 19]),
        ("c", [3, 0, 0, 1]),
    ]);
    let all = rows.audit(0);
    let large = rows.audit(30);
    assert!(large.groups[2].small && large.groups[2].name == "c");
    assert_eq!(large.groups[2].rates["accuracy"].value, 1.0);
    assert!(all.differences["accuracy_difference"] > large.differences["accuracy_difference"]);
    let said = large.findings.join("\n");
    assert!(said.contains("fewer than 30 rows: c (4)"), "{said}");
    let none = rows.audit(1000);
    assert!(none.differences.is_empty() && none.four_fifths.is_none());
    assert!(none.findings.join("\n").contains("nothing is compared"));
}

#[test]
fn the_four_fifths_rule_is_at_four_fifths() {
    let at = |selected: usize| {
        let rows = rows(&[
            ("a", [50, 0, 0, 50]),
            ("b", [selected, 50 - selected, 0, 50]),
        ]);
        rows.audit(30).four_fifths
    };
    assert_eq!(at(40), Some(true));
    assert_eq!(at(39), Some(false));
}

#[test]
fn a_rate_of_nothing_is_absent_and_said() {
    let rows = rows(&[("a", [20, 20, 10, 10]), ("b", [0, 0, 30, 10])]);
    let found = rows.audit(30);
    assert!(!found.groups[1].rates.contains_key("true_positive_rate"));
    assert!(
        !found
            .differences
            .contains_key("equal_opportunity_difference")
    );
    assert!(!found.differences.contains_key("equalized_odds_difference"));
    assert!(
        found
            .differences
            .contains_key("demographic_parity_difference")
    );
    let said = found.findings.join("\n");
    assert!(
        said.contains("no row of b is of the positive class"),
        "{said}"
    );
    // No alarm anywhere: the differences are 0, and of the ratios only that of hits is left.
    let quiet = self::rows(&[("a", [20, 20, 0, 20]), ("b", [10, 30, 0, 20])]).audit(30);
    assert_eq!(quiet.differences["false_positive_rate_difference"], 0.0);
    assert_eq!(quiet.differences["equalized_odds_ratio"], 0.5);
}

#[test]
fn a_regression_says_whom_it_overrates() {
    let (mut truth, mut prediction, mut groups) = (Vec::new(), Vec::new(), Vec::new());
    for row in 0..200 {
        let noise = f64::from(row % 5) - 2.0;
        truth.push(f64::from(row));
        let over = if row % 2 == 0 { 3.0 } else { 0.0 };
        prediction.push(f64::from(row) + over + noise);
        groups.push(if row % 2 == 0 { "even" } else { "odd" });
    }
    let partition = Partition::new("parity", &groups);
    let found = regression_fairness((&truth, &prediction), &partition, 30);
    let difference = found.differences["mean_residual_difference"];
    assert!((difference - 3.0).abs() < 1e-9);
    assert!((found.groups[0].values["mean_residual"] - 3.0).abs() < 1e-9);
    assert_eq!(found.findings.len(), 1, "{:?}", found.findings);
    assert!(found.findings[0].contains("even is predicted too high"));
}

#[test]
fn calibration_is_that_of_the_group() {
    let truth = [true, true, false, false];
    let selected = truth;
    let probability = [0.9, 0.9, 0.4, 0.2];
    let decisions = Decisions {
        positive: "yes",
        truth: &truth,
        selected: &selected,
        probability: Some(&probability),
    };
    let partition = Partition::new("g", &["a", "a", "b", "b"]);
    let found = binary_fairness(decisions, &partition, 0);
    let values: BTreeMap<_, _> = found
        .groups
        .iter()
        .map(|g| (&g.name[..], &g.values))
        .collect();
    assert!((values["a"]["ece"] - 0.1).abs() < 1e-12);
    assert!((values["b"]["ece"] - 0.3).abs() < 1e-12);
    assert!((values["b"]["mean_probability"] - 0.3).abs() < 1e-12);
}

proptest! {
    /// Measures do not depend on the order of the rows, and stay in their ranges.
    #[test]
    fn measures_are_bounded_and_blind_to_order(
        rows in prop::collection::vec((any::<bool>(), any::<bool>(), 0..4_u8), 1..200)
    ) {
        let of = |rows: &[(bool, bool, u8)]| Rows {
            truth: rows.iter().map(|row| row.0).collect(),
            selected: rows.iter().map(|row| row.1).collect(),
            groups: rows.iter().map(|row| row.2.to_string()).collect(),
        };
        let found = of(&rows).audit(2);
        let reversed: Vec<_> = rows.iter().rev().copied().collect();
        prop_assert_eq!(&found, &of(&reversed).audit(2));
        for (name, value) in &found.differences {
            prop_assert!((0.0..=1.0).contains(value), "{} is {}", name, value);
        }
        for rate in found.groups.iter().flat_map(|group| group.rates.values()) {
            prop_assert!(rate.low <= rate.value && rate.value <= rate.high);
        }
    }
}

/// Pseudo-random numbers in [0, 1) from a seed.
fn draws(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Over many calibrations of the same size, the coverage of a new row is the stated one: at least the
    /// coverage and at most 1 / (n + 1) more (Angelopoulos and Bates 2021, appendix D), within five standard
    /// deviations of its estimate.
    #[test]
    fn conformal_intervals_cover_as_stated(seed in any::<u64>(), n in 20..200_usize, tenths in 5..10_u8) {
        let coverage = f64::from(tenths) / 10.0;
        let mut draw = draws(seed);
        // Residuals of a skewed distribution.
        let mut residual = || -(1.0 - draw()).ln() * if draw() < 0.3 { 4.0 } else { 1.0 };
        let trials = 4000;
        let mut held = 0;
        for _ in 0..trials {
            let scores: Vec<f64> = (0..n).map(|_| residual()).collect();
            let radius = conformal_radius(scores, coverage).expect("the fixture has it");
            held += usize::from(residual() <= radius);
        }
        let found = held as f64 / trials as f64;
        let most = coverage + 1.0 / (n as f64 + 1.0);
        let slack = 5.0 * (coverage * (1.0 - coverage) / trials as f64).sqrt();
        prop_assert!(found > coverage - slack && found < most + slack, "{} of {}", found, coverage);
    }
}
