//! What a classifier confuses, ranks and promises.

use fireclay_metrics::{Classification, Cut, Report, cuts, reliability, wilson_interval};

use crate::chart::{Axis, Bar, Chart, Plane, Words, bars, thinned};
use crate::folder::RunFolder;
use crate::section::{Block, Section};
use crate::table::{Cell, Table};
use crate::text::{number, percent};

/// So many classes get curves of their own.
const CURVES: usize = 6;

pub(super) fn section(run: &RunFolder) -> Option<Section> {
    let (split, report) = run.judged()?;
    let classes = report.classes.as_ref()?;
    let mut charts = Vec::new();
    if let Some(matrix) = &report.confusion_matrix {
        charts.push(super::confusion::chart(classes, matrix));
    }
    let scored = run.classified(split);
    if let Some(scored) = &scored {
        let shown = shown(scored, report);
        charts.extend(roc(scored, report, (classes, &shown)));
        charts.extend(precision_recall(scored, report, (classes, &shown)));
        charts.push(calibration(scored, report));
    }
    let mut blocks = vec![
        Block::Words(format!("Of the {split} split, as the run decides.")),
        Block::Charts(charts),
    ];
    blocks.extend(per_class(classes, report));
    Section::of("classes", "Classes", blocks)
}

/// The classes that get curves: the positive one of two, all of a few, else those that are ranked worst.
fn shown(scored: &Classification<'_>, report: &Report) -> Vec<usize> {
    if scored.classes() == 2 {
        return vec![scored.positive()];
    }
    let area = |class: usize| {
        report
            .per_class
            .as_ref()
            .and_then(|all| all.get(class)?.roc_auc)
    };
    let mut classes: Vec<usize> = (0..scored.classes())
        .filter(|class| area(*class).is_some())
        .collect();
    classes.sort_by(|a, b| area(*a).unwrap_or(1.0).total_cmp(&area(*b).unwrap_or(1.0)));
    classes.truncate(CURVES);
    classes
}

/// Points of a curve through the cuts of each class.
fn curves(
    scored: &Classification<'_>,
    shown: &[usize],
    point: impl Fn(&Cut) -> Option<(f64, f64)>,
) -> Vec<Vec<(f64, f64)>> {
    let of = |class: &usize| {
        cuts(&scored.is_class(*class), &scored.scores_of(*class))
            .iter()
            .filter_map(&point)
            .collect()
    };
    shown.iter().map(of).collect()
}

fn roc(
    scored: &Classification<'_>,
    report: &Report,
    (classes, shown): (&[String], &[usize]),
) -> Option<Chart> {
    let area = report.metrics.get("roc_auc")?;
    let points = curves(scored, shown, |cut| {
        Some((cut.false_positive_rate()?, cut.recall()?))
    });
    let names: Vec<&str> = shown.iter().map(|class| classes[*class].as_str()).collect();
    let axes = [
        Axis::between("false positive rate", 0.0, 1.0),
        Axis::between("recall", 0.0, 1.02),
    ];
    Some(ranked(
        axes,
        &points,
        Some([(0.0, 0.0), (1.0, 1.0)]),
        Words {
            id: "roc",
            title: "ROC curve",
            description: format!(
                "Area {}; the straight line is chance.{}",
                number(*area),
                some_of(shown, classes)
            ),
            series: &names,
            table: curve_table(
                "ROC curve",
                ["false positive rate", "recall"],
                (&names, &points),
            ),
        },
    ))
}

fn precision_recall(
    scored: &Classification<'_>,
    report: &Report,
    (classes, shown): (&[String], &[usize]),
) -> Option<Chart> {
    let area = report.metrics.get("average_precision")?;
    let points = curves(scored, shown, |cut| Some((cut.recall()?, cut.precision()?)));
    let names: Vec<&str> = shown.iter().map(|class| classes[*class].as_str()).collect();
    let axes = [
        Axis::between("recall", 0.0, 1.0),
        Axis::between("precision", 0.0, 1.02),
    ];
    Some(ranked(
        axes,
        &points,
        None,
        Words {
            id: "precision-recall",
            title: "Precision and recall",
            description: format!(
                "Average precision {}.{}",
                number(*area),
                some_of(shown, classes)
            ),
            series: &names,
            table: curve_table(
                "Precision by recall",
                ["recall", "precision"],
                (&names, &points),
            ),
        },
    ))
}

fn some_of(shown: &[usize], classes: &[String]) -> String {
    match (shown.len(), classes.len()) {
        (1, _) => format!(" Positive: “{}”.", classes[shown[0]]),
        (shown, all) if shown < all => {
            format!(" Each class against the rest; the {shown} that are ranked worst of {all}.")
        }
        _ => " Each class against the rest.".into(),
    }
}

fn ranked(
    [x, y]: [Axis; 2],
    curves: &[Vec<(f64, f64)>],
    chance: Option<[(f64, f64); 2]>,
    words: Words<'_>,
) -> Chart {
    let plane = curves
        .iter()
        .fold(Plane::new(x, y), |plane, curve| plane.curve(curve));
    match chance {
        Some([from, to]) => plane.straight(from, to).chart(words),
        None => plane.chart(words),
    }
}

/// Points of a curve.
type Curve = Vec<(f64, f64)>;

fn curve_table(caption: &str, [x, y]: [&str; 2], (names, curves): (&[&str], &[Curve])) -> Table {
    const ROWS: usize = 50;
    let rows = names.iter().zip(curves).flat_map(|(name, curve)| {
        let row = |(x, y): (f64, f64)| vec![Cell::from(*name), x.into(), y.into()];
        thinned(curve, ROWS)
            .into_iter()
            .map(row)
            .collect::<Vec<_>>()
    });
    Table::new(
        format!("{caption} (at most {ROWS} points for each class)"),
        &["class", x, y],
    )
    .with(rows)
}

fn calibration(scored: &Classification<'_>, report: &Report) -> Chart {
    let (confidence, correct, what) = match scored.classes() {
        2 => (
            scored.scores_of(scored.positive()),
            scored.is_class(scored.positive()),
            "positive class",
        ),
        _ => {
            let (confidence, correct) = scored.confidences();
            (confidence, correct, "answer")
        }
    };
    let bins = reliability(&confidence, &correct);
    let points: Vec<(f64, f64)> = bins
        .iter()
        .map(|bin| (bin.confidence, bin.share()))
        .collect();
    let axes = [
        Axis::between(&format!("probability of the {what}"), 0.0, 1.0),
        Axis::between("share that is right", 0.0, 1.02),
    ];
    let [x, y] = axes;
    let mut plane = Plane::new(x, y)
        .straight((0.0, 0.0), (1.0, 1.0))
        .points(&points);
    let row = |bin: &fireclay_metrics::ReliabilityBin| {
        let (low, high) = wilson_interval(bin.correct, bin.n).unwrap_or_default();
        vec![
            Cell::Figure(format!("{} to {}", number(bin.low), number(bin.high))),
            Cell::count(bin.n as u64),
            bin.confidence.into(),
            bin.share().into(),
            low.into(),
            high.into(),
        ]
    };
    for bin in &bins {
        let (low, high) = wilson_interval(bin.correct, bin.n).unwrap_or_default();
        plane = plane.whisker(bin.confidence, low, high);
    }
    let error = report
        .metrics
        .get("ece")
        .map(|error| format!(" Expected calibration error {}.", number(*error)));
    plane.chart(Words {
        id: "calibration",
        title: "Calibration",
        description: format!(
            "On the straight line probabilities mean what they say; bars are 95 % intervals.{}",
            error.unwrap_or_default()
        ),
        series: &["share"],
        table: Table::new(
            "Reliability by bin of probability",
            &[
                "bin",
                "samples",
                "mean probability",
                "share",
                "95 % from",
                "to",
            ],
        )
        .with(bins.iter().map(row)),
    })
}

fn per_class(classes: &[String], report: &Report) -> Option<Block> {
    let per_class = report.per_class.as_ref()?;
    let hits = |class: usize| {
        report
            .confusion_matrix
            .as_ref()
            .and_then(|matrix| matrix.get(class)?.get(class).copied())
    };
    let bar = |(class, found): (usize, &fireclay_metrics::PerClass)| Bar {
        name: classes[class].clone(),
        value: found.recall,
        interval: hits(class)
            .and_then(|hits| wilson_interval(hits as usize, found.support as usize)),
        note: format!("{} samples", found.support),
    };
    let mut list: Vec<Bar> = per_class
        .iter()
        .enumerate()
        .filter(|(_, found)| found.support > 0)
        .map(bar)
        .collect();
    list.sort_by(|a, b| a.value.total_cmp(&b.value));
    list.truncate(30);
    let row = |(name, found): (&String, &fireclay_metrics::PerClass)| {
        vec![
            Cell::Text(name.clone()),
            Cell::count(found.support),
            found.precision.into(),
            found.recall.into(),
            found.f1.into(),
            found.roc_auc.into(),
            found.average_precision.into(),
        ]
    };
    let table = Table::new(
        "Metrics of each class against the rest",
        &[
            "class",
            "samples",
            "precision",
            "recall",
            "F1",
            "ROC AUC",
            "average precision",
        ],
    );
    let accuracy = report.metrics.get("accuracy").copied();
    let line = accuracy.map(|accuracy| format!(" The line is accuracy, {}.", percent(accuracy)));
    Some(Block::Charts(vec![bars(
        &list,
        accuracy,
        Words {
            id: "per-class",
            title: "Recall of each class",
            description: format!(
                "The least first, with 95 % intervals.{}",
                line.unwrap_or_default()
            ),
            series: &["recall"],
            table: table.with(classes.iter().zip(per_class).map(row)),
        },
    )]))
}
