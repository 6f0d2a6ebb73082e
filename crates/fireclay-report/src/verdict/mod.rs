//! What is to be said of a run, in sentences with their evidence.

mod calibration;
mod data;
mod fit;
mod quality;
mod whom;

use crate::folder::RunFolder;
use crate::outcome::FEWEST;
use crate::text::plural;

/// How a finding is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// As it should be.
    Good,
    /// To be looked at, or not known.
    Look,
    /// To be mended before the model is used.
    Bad,
}

impl Tone {
    /// The tone as a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Look => "look",
            Self::Bad => "problem",
        }
    }
}

/// Something that is to be said.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Finding {
    /// How it is meant.
    pub tone: Tone,
    /// The finding, in a sentence.
    pub says: String,
    /// The numbers that it stands on.
    pub evidence: String,
    /// What to try.
    pub advice: Option<String>,
}

impl Finding {
    fn new(tone: Tone, says: impl Into<String>, evidence: impl Into<String>) -> Self {
        Self {
            tone,
            says: says.into(),
            evidence: evidence.into(),
            advice: None,
        }
    }

    fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }
}

/// All findings, the most important first.
pub(crate) fn findings(run: &RunFolder) -> Vec<Finding> {
    let mut all = Vec::new();
    if let Some(at) = run.diverged() {
        all.push(diverged(run, at));
    } else if !run.is_finished() {
        let recorded = match run.history.end() {
            Some((epoch, step)) => {
                format!("The last line of metrics.jsonl is of step {step}, epoch {epoch}.")
            }
            None => "metrics.jsonl has no line yet.".to_owned(),
        };
        let at = match run.saved() {
            Some(step) => format!("The newest checkpoint is of step {step}. {recorded}"),
            None => recorded,
        };
        let advice = format!("It goes on with `fireclay resume {}`.", run.path.display());
        all.push(Finding::new(Tone::Look, "The run has not finished.", at).advise(advice));
    }
    let few = few(run);
    let is_judged = few.is_none();
    all.extend(few);
    if is_judged {
        all.extend(quality::finding(run));
    }
    all.extend(fit::finding(run));
    if is_judged {
        all.extend(calibration::finding(run));
        all.extend(whom::findings(run));
    }
    all.extend(data::findings(run));
    all
}

/// What the findings come to, in a sentence: whether one would use the model.
pub(crate) fn in_short(run: &RunFolder, findings: &[Finding]) -> String {
    let of = |tone: Tone| findings.iter().filter(move |finding| finding.tone == tone);
    let (bad, look) = (of(Tone::Bad).count(), of(Tone::Look).count());
    let Some((split, _)) = run.judged() else {
        return "In short: there is no result to judge yet.".to_owned();
    };
    let split = named(split);
    match (bad, look) {
        _ if few(run).is_some() => {
            "In short: there are too few samples to say whether the model is of use.".to_owned()
        }
        (0, 0) => format!(
            "In short: nothing that is judged here speaks against using the model for samples like those of the {split} split."
        ),
        (0, look) => format!(
            "In short: no problem, and {} to look at before the model is used, for samples like those of the {split} split.",
            plural(look, "point")
        ),
        (bad, _) => format!(
            "In short: {} to mend before the model is used.",
            plural(bad, "problem")
        ),
    }
}

/// A split in words.
fn named(split: &str) -> &str {
    match split {
        "valid" => "validation",
        other => other,
    }
}

/// That the split that would be judged has too few samples for it. Then nothing else is said of its answers.
fn few(run: &RunFolder) -> Option<Finding> {
    let (split, report) = run
        .judged()
        .filter(|(_, report)| report.n < FEWEST && report.non_finite == 0)?;
    let n = plural(report.n, quality::unit(run));
    let says = format!(
        "The {} split has {n}: too few to judge the model by.",
        named(split)
    );
    let evidence = format!(
        "Fewer than {FEWEST} say nothing of how good the answers are, whether their probabilities can be trusted, or whom they fail. The numbers below are what was measured."
    );
    let advice = "A larger share in data.split. Of a table, `fireclay train CONFIG --folds 5` tests on every row once.";
    Some(Finding::new(Tone::Look, says, evidence).advise(advice))
}

fn diverged(run: &RunFolder, (epoch, step): (u64, u64)) -> Finding {
    let says = format!("The training diverged at step {step}.");
    let saved = match run.saved() {
        Some(step) => format!("The newest checkpoint is of step {step}."),
        None => "There is no checkpoint.".to_owned(),
    };
    let evidence =
        format!("In epoch {epoch} the loss, or a weight, became no finite number. {saved}");
    let rate = run.key("optimizer.learning_rate");
    let now = rate
        .map(|rate| format!(" (now {rate})"))
        .unwrap_or_default();
    let from = match run.history.metrics("valid").is_empty() {
        true => "",
        false => " --checkpoint best",
    };
    let advice = format!(
        "A lower optimizer.learning_rate{now}, train.max_grad_norm = 1.0, or a look at extreme values in the data. It goes on with `fireclay resume {}{from} --set optimizer.learning_rate=...`.",
        run.path.display()
    );
    Finding::new(Tone::Bad, says, evidence).advise(advice)
}
