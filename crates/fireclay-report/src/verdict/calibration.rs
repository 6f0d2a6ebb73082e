//! Whether probabilities mean what they say, or numbers are off on average.

use fireclay_metrics::{bootstrap_interval, calibration_error_by_chance};

use super::{Finding, Tone};
use crate::folder::RunFolder;
use crate::predictions::Answers;
use crate::text::{number, percent};

/// The finding on the split that is judged.
pub(super) fn finding(run: &RunFolder) -> Option<Finding> {
    let (split, report) = run.judged()?;
    if let Answers::Numbers { truth, predicted } = &run.predictions.get(split)?.answers {
        return bias(run, truth, predicted);
    }
    let (confidence, correct) = run.classified(split)?.confidences();
    let error = *report.metrics.get("ece")?;
    let chance = calibration_error_by_chance(&confidence, run.seed())?;
    let n = confidence.len() as f64;
    let (sure, right) = (
        confidence.iter().sum::<f64>() / n,
        correct.iter().filter(|right| **right).count() as f64 / n,
    );
    let evidence = format!(
        "The likeliest class has a probability of {} on average, and is right in {} of the samples. The expected calibration error is {}; chance alone would keep it below {} on so few samples in 95 % of the cases.",
        percent(sure),
        percent(right),
        number(error),
        number(chance)
    );
    if error <= chance {
        return Some(Finding::new(
            Tone::Good,
            "Probabilities mean what they say, as far as these samples can show.",
            evidence,
        ));
    }
    // The mean may be right while high and low probabilities are not.
    let how = match sure - right {
        gap if gap > 0.01 => "Probabilities are too sure of themselves.",
        gap if gap < -0.01 => "Probabilities are too cautious.",
        _ => "Probabilities do not quite mean what they say, although their mean does.",
    };
    Some(Finding::new(Tone::Look, how, evidence).advise(advice(run)))
}

/// What helps where probabilities mean something else.
fn advice(run: &RunFolder) -> &'static str {
    let is_calibrated = run.key("task.calibrate").and_then(toml::Value::as_bool) == Some(true);
    match is_calibrated {
        true => {
            "The temperature of task.calibrate is not enough, or the validation split too small to fit it well: more validation samples help, and less (too cautious) or more (too sure) task.label_smoothing."
        }
        false => {
            "task.calibrate = true fits a temperature on the validation split; less (too cautious) or more (too sure) task.label_smoothing helps too. Do so before the probabilities decide anything."
        }
    }
}

fn bias(run: &RunFolder, truth: &[f64], predicted: &[f64]) -> Option<Finding> {
    let errors: Vec<f64> = predicted.iter().zip(truth).map(|(p, t)| p - t).collect();
    let n = errors.len();
    let of =
        |rows: &[usize]| Some(rows.iter().map(|&row| errors[row]).sum::<f64>() / rows.len() as f64);
    let mean = errors.iter().sum::<f64>() / n as f64;
    let (low, high) = bootstrap_interval(n, run.seed(), fireclay_metrics::DEFAULT_RESAMPLES, of)?;
    let evidence = format!(
        "Predictions are {} {} the truth on average (95 % interval of the difference {} to {}).",
        number(mean.abs()),
        if mean > 0.0 { "above" } else { "below" },
        number(low),
        number(high)
    );
    Some(match low > 0.0 || high < 0.0 {
        true => Finding::new(Tone::Look, if mean > 0.0 { "Predictions are too high on average." } else { "Predictions are too low on average." }, evidence)
            .advise("Check whether the test rows come from another time or place than the training rows; train.epochs and the loss of the task also move the mean."),
        false => Finding::new(Tone::Good, "Predictions are not off on average.", evidence),
    })
}
