//! What a run holds while it looks at held-out samples.

use fireclay_run::config::{BatchSize, RunConfig};
use fireclay_run::workload::HeldOut;
use fireclay_train::strategy::evaluation_rows;

use crate::computing::Computing;
use crate::estimate::EvaluationUse;
use crate::input::Input;
use crate::limits::MOST_ROWS;
use crate::subject::Subject;

/// Held-out samples that go through the model of a run.
pub(crate) struct Evaluation {
    held_out: HeldOut,
    subject: Subject,
    /// Samples, or pairs of texts, of a batch.
    rows: usize,
    /// Whether they are as many as in the training.
    follows: bool,
    /// Tokens of the longest source, and of the longest target, as long as which translations are: a
    /// search that went on to its limit would write more.
    searched: [usize; 2],
    /// Bytes of main memory for the answers to a whole split.
    pub answers: u64,
}

impl Evaluation {
    /// That of a run with batches of so many `rows`, if something is held out.
    ///
    /// # Errors
    ///
    /// As for [`Subject::new`].
    pub fn of(
        config: &RunConfig,
        input: &Input,
        rows: usize,
    ) -> Result<Option<Self>, (String, String)> {
        let Some(held_out) = input.spec.held_out.clone() else {
            return Ok(None);
        };
        let asked = match config.batch_size() {
            BatchSize::Auto => config.eval.batch_size.unwrap_or(rows),
            given => evaluation_rows(&config.eval, given),
        };
        let most = held_out.samples.unwrap_or(MOST_ROWS).min(MOST_ROWS);
        let context = config.model.section().context;
        let seen = input.with_lengths(held_out.lengths);
        Ok(Some(Self {
            subject: seen.subject(config)?,
            rows: held_out.rows.unwrap_or(asked.min(most)),
            follows: held_out.rows.is_none() && asked.min(most) == rows,
            searched: held_out.longest.map(|tokens| tokens.min(context)),
            answers: NUMBER * input.spec.outputs as u64 * held_out.samples.unwrap_or(0) as u64,
            held_out,
        }))
    }

    /// Batches that a device which computes like this has at once, as `workers::each_in_order` has it: the
    /// first one is alone.
    fn at_once(&self, computing: Computing) -> usize {
        let batches = match (self.held_out.samples, self.held_out.rows) {
            (None, _) => usize::MAX,
            (Some(batches), Some(_)) => batches,
            (Some(samples), None) => samples.div_ceil(self.rows),
        };
        computing.workers().min(batches.saturating_sub(1)).max(1)
    }

    /// What it takes beside the `kept` bytes of a training.
    pub fn memory(&self, kept: u64, computing: Computing) -> EvaluationUse {
        let batch = computing.peak(&self.subject.infer(self.rows));
        let search = self.search(computing);
        let at_once = self.at_once(computing);
        let activations = batch * at_once as u64;
        EvaluationUse {
            batch: self.rows,
            follows: self.follows,
            at_once,
            activations,
            search,
            peak: kept + activations.max(search.unwrap_or(0)),
        }
    }

    /// Once what was written, rather than the source, is what takes most, each token adds as much as the
    /// one before.
    fn search(&self, computing: Computing) -> Option<u64> {
        let [source, written] = self.searched;
        let after = |tokens| Some(computing.peak(&self.subject.search(source, tokens)?));
        let tried = std::iter::successors(Some(FEW), |tokens| Some(4 * tokens));
        for tokens in tried.take_while(|tokens| tokens + FEW < written) {
            let [some, more] = [after(tokens)?, after(tokens + FEW)?];
            if more > some {
                let token = (more - some) / FEW as u64;
                return Some(more + token * (written - tokens - FEW) as u64);
            }
        }
        after(written)
    }
}

/// Tokens between which a search is compared.
const FEW: usize = 4;

/// Bytes of a probability, which are collected in a list that grows to twice its size.
const NUMBER: u64 = 16;
