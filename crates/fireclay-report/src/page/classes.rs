//! What a classifier confuses, ranks and promises.

use fireclay_metrics::{
    Classification, Cut, PerClass, ReliabilityBin, Report, cuts, reliability, wilson_interval,
};

use crate::chart::{Axis, Bar, Chart, Plane, Words, bars, thinned};
use crate::folder::RunFolder;
use crate::section::{Block, Section};
use crate::table::{Cell, Table};
use crate::text::{number, percent};

/// So many classes get curves of their own.
const CURVES: usize = 6;
/// So many classes get a bar; the table has all.
const BARS: usize = 30;

/// Points, from the first to the last.
type Curve = Vec<(f64, f64)>;

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
) -> Vec<Curve> {
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
    curves: &[Curve],
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
    let (confidence, correct, what) = judged_scores(scored);
    let bins = reliability(&confidence, &correct);
    let plane = Plane::new(
        Axis::between(&format!("probability of the {what}"), 0.0, 1.0),
        Axis::between("share that is right", 0.0, 1.02),
    );
    let error = report
        .metrics
        .get("ece")
        .map(|error| format!(" Expected calibration error {}.", number(*error)));
    drawn_bins(plane, &bins).chart(Words {
        id: "calibration",
        title: "Calibration",
        description: format!(
            "On the straight line probabilities mean what they say; bars are 95 % intervals.{}",
            error.unwrap_or_default()
        ),
        series: &["share"],
        table: bin_table(&bins),
    })
}

/// Probabilities, whether each came true, and of what they are: the positive class of two, else the answer.
fn judged_scores(scored: &Classification<'_>) -> (Vec<f64>, Vec<bool>, &'static str) {
    if scored.classes() == 2 {
        let positive = scored.positive();
        let (scores, is_class) = (scored.scores_of(positive), scored.is_class(positive));
        return (scores, is_class, "positive class");
    }
    let (confidence, correct) = scored.confidences();
    (confidence, correct, "answer")
}

fn drawn_bins(plane: Plane, bins: &[ReliabilityBin]) -> Plane {
    let points: Vec<(f64, f64)> = bins
        .iter()
        .map(|bin| (bin.confidence, bin.share()))
        .collect();
    let plane = plane.straight((0.0, 0.0), (1.0, 1.0)).points(&points);
    bins.iter().fold(plane, |plane, bin| {
        let (low, high) = bin_interval(bin);
        plane.whisker(bin.confidence, low, high)
    })
}

fn bin_table(bins: &[ReliabilityBin]) -> Table {
    let row = |bin: &ReliabilityBin| {
        let (low, high) = bin_interval(bin);
        vec![
            Cell::Figure(format!("{} to {}", number(bin.low), number(bin.high))),
            Cell::count(bin.n as u64),
            bin.confidence.into(),
            bin.share().into(),
            low.into(),
            high.into(),
        ]
    };
    let head = [
        "bin",
        "samples",
        "mean probability",
        "share",
        "95 % from",
        "to",
    ];
    Table::new("Reliability by bin of probability", &head).with(bins.iter().map(row))
}

fn bin_interval(bin: &ReliabilityBin) -> (f64, f64) {
    wilson_interval(bin.correct, bin.n).unwrap_or_default()
}

fn per_class(classes: &[String], report: &Report) -> Option<Block> {
    let per_class = report.per_class.as_ref()?;
    let accuracy = report.metrics.get("accuracy").copied();
    let line = accuracy.map(|accuracy| format!(" The line is accuracy, {}.", percent(accuracy)));
    let words = Words {
        id: "per-class",
        title: "Recall of each class",
        description: format!(
            "The least first, with 95 % intervals.{}",
            line.unwrap_or_default()
        ),
        series: &["recall"],
        table: class_table(classes, per_class),
    };
    let list = recalls(classes, per_class, report.confusion_matrix.as_deref());
    Some(Block::Charts(vec![bars(&list, accuracy, words)]))
}

/// The recall of the classes that have samples, the least first.
fn recalls(classes: &[String], per_class: &[PerClass], matrix: Option<&[Vec<u64>]>) -> Vec<Bar> {
    let interval = |class: usize, support: u64| {
        let hits = matrix?.get(class)?.get(class).copied()?;
        wilson_interval(hits as usize, support as usize)
    };
    let bar = |(class, found): (usize, &PerClass)| Bar {
        name: classes[class].clone(),
        value: found.recall,
        interval: interval(class, found.support),
        note: format!("{} samples", found.support),
    };
    let present = per_class
        .iter()
        .enumerate()
        .filter(|(_, found)| found.support > 0);
    let mut list: Vec<Bar> = present.map(bar).collect();
    list.sort_by(|a, b| a.value.total_cmp(&b.value));
    list.truncate(BARS);
    list
}

fn class_table(classes: &[String], per_class: &[PerClass]) -> Table {
    let row = |(name, found): (&String, &PerClass)| {
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
    let head = [
        "class",
        "samples",
        "precision",
        "recall",
        "F1",
        "ROC AUC",
        "average precision",
    ];
    Table::new("Metrics of each class against the rest", &head)
        .with(classes.iter().zip(per_class).map(row))
}
