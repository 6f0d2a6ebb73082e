//! What is to be said of a run, in sentences with their evidence.

mod calibration;
mod data;
mod fit;
mod quality;
mod whom;

use crate::folder::RunFolder;

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
    if !run.is_finished() {
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
    all.extend(quality::finding(run));
    all.extend(fit::finding(run));
    all.extend(calibration::finding(run));
    all.extend(whom::findings(run));
    all.extend(data::findings(run));
    all
}
