//! Whether the model learned too little, enough, or the training samples by heart.

use crate::folder::RunFolder;
use crate::history::Point;
use crate::outcome::FEWEST;
use crate::text::{number, percent, plural};

use super::quality::unit;
use super::{Finding, Tone};

/// Where the curves lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trend {
    /// The validation loss rises after its best while the training loss goes on falling.
    Rising,
    /// The validation loss was still falling at the end.
    Falling,
    /// The validation loss has found its level.
    Level,
}

/// What the curves of the loss say.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Fit {
    /// The evaluation with the least validation loss.
    best: Point,
    /// The last one.
    last: Point,
    /// Validation minus training loss at the best, where the latter is known.
    gap: Option<f64>,
    /// Where the validation loss leads.
    trend: Trend,
}

/// The validation loss counts as moved if by this share of all that it has fallen.
const MOVED: f64 = 0.05;
/// A gap of this share of the validation loss is large.
const WIDE: f64 = 0.5;

impl Fit {
    /// From the curves of the validation and the training loss; `None` with fewer than three evaluations.
    fn of(valid: &[Point], train: &[Point]) -> Option<Self> {
        let (first, last) = (valid.first()?, *valid.last()?);
        let keep = |best: Point, next: &Point| if next.value < best.value { *next } else { best };
        let best = valid.iter().fold(*first, keep);
        if valid.len() < 3 {
            return None;
        }
        let at = |step: u64| {
            train
                .iter()
                .find(|point| point.step == step)
                .map(|point| point.value)
        };
        let least = (MOVED * (first.value - best.value)).max(0.01 * best.value.abs());
        let end = mean(&valid[valid.len() - (valid.len() / 10).clamp(1, 5)..]);
        let window = (valid.len() / 5).max(2);
        let before = valid[valid.len() - 1 - window.min(valid.len() - 1)].value;
        let train_fell = match (at(best.step), train.last()) {
            (Some(then), Some(now)) => now.value < then,
            _ => true,
        };
        let trend = match () {
            () if end - best.value > least && train_fell => Trend::Rising,
            () if before - last.value > least && last.value <= best.value + 0.2 * least => {
                Trend::Falling
            }
            () => Trend::Level,
        };
        Some(Self {
            best,
            last,
            gap: at(best.step).map(|train| best.value - train),
            trend,
        })
    }
}

fn mean(points: &[Point]) -> f64 {
    points.iter().map(|point| point.value).sum::<f64>() / points.len().max(1) as f64
}

/// The finding on a run.
pub(super) fn finding(run: &RunFolder) -> Option<Finding> {
    let (valid, train) = (
        run.history.curve("valid", "loss"),
        run.history.curve("train", "epoch_loss"),
    );
    if valid.is_empty() {
        return None;
    }
    if let Some(report) = run
        .evaluation
        .get("valid")
        .filter(|report| report.n < FEWEST)
    {
        let n = plural(report.n, unit(run));
        return Some(unseen(format!(
            "The validation split has {n}: its loss says little."
        )));
    }
    let Some(fit) = Fit::of(&valid, &train) else {
        let n = plural(valid.len(), "evaluation");
        return Some(unseen(format!(
            "{n} of the validation split: too few to see where its loss leads."
        )));
    };
    let gap = gap_said(&fit, &train);
    let wide = fit.gap.is_some_and(|gap| gap > WIDE * fit.best.value.abs());
    Some(match fit.trend {
        Trend::Rising => rising(run, &fit, &gap),
        Trend::Falling => falling(run, &fit, &valid, &gap),
        Trend::Level if learned_little(run) == Some(true) => little(run, &gap),
        Trend::Level if wide => apart(run, &gap),
        Trend::Level => level(run, &fit, &gap),
    })
}

fn unseen(evidence: String) -> Finding {
    Finding::new(
        Tone::Look,
        "Over- or underfitting cannot be seen.",
        evidence,
    )
}

fn apart(run: &RunFolder, gap: &str) -> Finding {
    Finding::new(
        Tone::Look,
        "The model fits its training samples much better than others.",
        format!("The validation loss does not rise, but {gap}"),
    )
    .advise(against_overfitting(run))
}

fn level(run: &RunFolder, fit: &Fit, gap: &str) -> Finding {
    Finding::new(
        Tone::Good,
        "No sign of overfitting or of training that ended too soon.",
        format!(
            "The validation loss found its level: {} at its best ({}), {} at the end; {gap}",
            number(fit.best.value),
            place(run, fit.best),
            number(fit.last.value)
        ),
    )
}

/// The difference of the two losses, in words.
fn gap_said(fit: &Fit, train: &[Point]) -> String {
    let at = train.iter().find(|point| point.step == fit.best.step);
    match (fit.gap, at) {
        (Some(gap), Some(at)) => format!(
            "at the best evaluation the validation loss is {} and the training loss {} (a gap of {}, with dropout and augmentation on the training side).",
            number(fit.best.value),
            number(at.value),
            number(gap)
        ),
        _ => "the training loss at that evaluation is not known.".to_owned(),
    }
}

fn rising(run: &RunFolder, fit: &Fit, gap: &str) -> Finding {
    let rise =
        percent((fit.last.value - fit.best.value) / fit.best.value.abs().max(f64::MIN_POSITIVE));
    let kept = match run
        .key("checkpoint.keep_best")
        .and_then(toml::Value::as_bool)
    {
        Some(true) => {
            " The kept weights are those of the best evaluation, so the model itself was spared the rest."
        }
        _ => " The kept weights are the last ones: set checkpoint.keep_best = true.",
    };
    let evidence = format!(
        "The validation loss rose from {} ({}) to {} ({}), by {rise}, while the training loss went on falling; {gap}{kept}",
        number(fit.best.value),
        place(run, fit.best),
        number(fit.last.value),
        place(run, fit.last)
    );
    Finding::new(
        Tone::Look,
        format!("The model overfits from {} on.", place(run, fit.best)),
        evidence,
    )
    .advise(against_overfitting(run))
}

fn falling(run: &RunFolder, fit: &Fit, valid: &[Point], gap: &str) -> Finding {
    let since = valid[valid.len() - 1 - (valid.len() / 5).max(2).min(valid.len() - 1)];
    let mut evidence = format!(
        "The validation loss was still falling at the end: {} ({}), {} ({}); {gap}",
        number(since.value),
        place(run, since),
        number(fit.last.value),
        place(run, fit.last)
    );
    if learned_little(run) == Some(true) {
        evidence += " So far the model is hardly better than a trivial answer.";
    }
    let advice = format!(
        "Train longer: {}.",
        key(run, "train.epochs")
            .or(key(run, "train.max_steps"))
            .unwrap_or("more epochs".into())
    );
    Finding::new(Tone::Look, "The training ended too soon.", evidence).advise(advice)
}

fn little(run: &RunFolder, gap: &str) -> Finding {
    let keys = [
        "optimizer.learning_rate",
        "train.epochs",
        "model.hidden",
        "model.widths",
    ];
    let keys: Vec<String> = keys.iter().filter_map(|name| key(run, name)).collect();
    let advice = format!(
        "A higher learning rate, more epochs, a larger model, or inputs that say more: {}.",
        keys.join(", ")
    );
    Finding::new(
        Tone::Bad,
        "The model underfits: it learned little.",
        format!("It is hardly better than a trivial answer, and {gap}"),
    )
    .advise(advice)
}

/// Whether the loss that the metrics know is within a tenth of what a trivial answer has.
fn learned_little(run: &RunFolder) -> Option<bool> {
    let report = run.evaluation.get("valid")?;
    let baseline = report.baseline.as_ref()?;
    let name = ["log_loss", "mse", "loss"]
        .into_iter()
        .find(|name| baseline.metrics.contains_key(*name))?;
    let (trivial, found) = (*baseline.metrics.get(name)?, *report.metrics.get(name)?);
    Some(found > 0.9 * trivial)
}

fn against_overfitting(run: &RunFolder) -> String {
    let keys = [
        "model.dropout",
        "optimizer.weight_decay",
        "task.label_smoothing",
    ];
    let keys: Vec<String> = keys.iter().filter_map(|name| key(run, name)).collect();
    let stop = match run.key("early_stopping") {
        Some(_) => "",
        None => ", or stop in time with [early_stopping]",
    };
    format!(
        "More data, stronger regularisation ({}), augmentation where it fits, a smaller model{stop}.",
        keys.join(", ")
    )
}

/// A key with its value, as "model.dropout, now 0.2".
fn key(run: &RunFolder, name: &str) -> Option<String> {
    Some(format!("{name}, now {}", run.key(name)?))
}

fn place(run: &RunFolder, point: Point) -> String {
    run.history.place(&point)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(values: &[f64]) -> Vec<Point> {
        let point = |(index, value): (usize, &f64)| Point {
            step: 10 * index as u64,
            epoch: index as u64 + 1,
            value: *value,
        };
        values.iter().enumerate().map(point).collect()
    }

    fn trend(valid: &[f64], train: &[f64]) -> Option<(Trend, u64)> {
        let fit = Fit::of(&curve(valid), &curve(train))?;
        Some((fit.trend, fit.best.epoch))
    }

    #[test]
    fn curves_are_told_apart() {
        let down = [1.0, 0.8, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1];
        let cases = [
            ([1.0, 0.7, 0.5, 0.5, 0.6, 0.7, 0.8, 0.9], (Trend::Rising, 3)),
            (
                [1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3],
                (Trend::Falling, 8),
            ),
            (
                [1.0, 0.6, 0.5, 0.5, 0.49, 0.5, 0.495, 0.492],
                (Trend::Level, 5),
            ),
            // It never got better than at the first evaluation.
            ([0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2], (Trend::Rising, 1)),
        ];
        for (valid, wanted) in cases {
            assert_eq!(trend(&valid, &down), Some(wanted), "{valid:?}");
        }
        assert_eq!(trend(&[1.0, 0.5], &[1.0, 0.5]), None);
    }

    #[test]
    fn a_rise_together_with_the_training_loss_is_no_overfitting() {
        let valid = [1.0, 0.5, 0.6, 0.8];
        assert_eq!(
            trend(&valid, &[1.0, 0.4, 0.5, 0.7]),
            Some((Trend::Level, 2))
        );
    }
}
