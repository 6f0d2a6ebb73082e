//! Evaluations in which the loss of each token is known, not only their mean.

use std::cell::RefCell;

use burn::data::dataset::DatasetError;
use burn::tensor::{Device, ExecutionError, Int, Tensor};
use burn::train::{InferenceStep, ItemLazy};
use fireclay_metrics::Report;
use fireclay_train::loader::Samples;
use fireclay_train::output::StepOutput;
use fireclay_train::strategy::{Scorer, Scores, Taken};

use super::{Breakdown, TokenLoss};
use crate::language::each_batch;
use crate::predictor::Pass;
use crate::task::{CausalLm, MaskedLm, MaskedOutput, MaskedTokens, TokenBatch, TokenOutput};

/// A module that predicts tokens, and says the loss of each.
pub(crate) trait EachToken: InferenceStep {
    /// What [`step`](InferenceStep::step) gives, to the bit, and the loss of each token that counts, window by window.
    fn each(&self, batch: Self::Input) -> (Self::Output, Vec<TokenLoss>);
}

/// Scores a model over all of `samples`, as [`score`](crate::language::score) does, and adds the loss of each token to `breakdown`.
///
/// # Errors
///
/// If the tokens cannot be read.
pub(crate) fn dissect<M, S>(
    model: &M,
    samples: S,
    (scorer, breakdown): (impl Scorer<M::Output>, &mut Breakdown<'_>),
    pass: Pass,
    device: &Device,
) -> Result<Report, DatasetError>
where
    M: EachToken<Input = S::Batch> + Clone + Send + 'static,
    M::Output: StepOutput + Send,
    S: Samples,
{
    let scorer = RefCell::new(scorer);
    let taken = |output: &EachOutput<M::Output>| {
        let taken = scorer.borrow().taken(&output.output);
        (taken, output.tokens.clone())
    };
    let put = |(taken, tokens): (Taken, Vec<TokenLoss>)| {
        scorer.borrow_mut().put(taken);
        breakdown.add(&tokens);
    };
    let apart = Apart(model.clone());
    let weight = each_batch(&apart, samples, (taken, put), pass, device)?;
    let metrics = scorer.into_inner().finish();
    Ok(Scores { weight, metrics }.into())
}

/// A module whose output has the loss of each token.
#[derive(Clone)]
struct Apart<M>(M);

struct EachOutput<O> {
    output: O,
    tokens: Vec<TokenLoss>,
}

impl<M: EachToken> InferenceStep for Apart<M> {
    type Input = M::Input;
    type Output = EachOutput<M::Output>;

    fn step(&self, batch: M::Input) -> Self::Output {
        let (output, tokens) = self.0.each(batch);
        EachOutput { output, tokens }
    }
}

impl<O: ItemLazy> ItemLazy for EachOutput<O> {
    fn sync(self) -> Result<Self, ExecutionError> {
        Ok(Self {
            output: self.output.sync()?,
            ..self
        })
    }
}

impl<O: StepOutput> StepOutput for EachOutput<O> {
    fn loss(&self) -> Tensor<1> {
        self.output.loss()
    }

    fn weight(&self) -> f64 {
        self.output.weight()
    }
}

impl EachToken for CausalLm {
    fn each(&self, batch: TokenBatch) -> (TokenOutput, Vec<TokenLoss>) {
        let [_, time] = batch.inputs.dims();
        let read = ids(batch.inputs.clone());
        let next = ids(batch.targets.clone());
        let starts = batch.starts.clone().map(ids);
        let scored = batch.scored.clone().map(numbers);
        let (losses, output) = self.forward_each(batch);
        let losses = numbers(losses);
        let counts = |at: &usize| scored.as_ref().is_none_or(|scored| scored[*at] > 0.0);
        let token = |at: usize| TokenLoss {
            row: at / time,
            position: at % time + 1 - starts.as_ref().map_or(0, |starts| starts[at] as usize),
            before: Some(read[at]),
            token: next[at],
            loss: losses[at],
        };
        let tokens = (0..next.len()).filter(counts).map(token).collect();
        (output, tokens)
    }
}

impl EachToken for MaskedLm {
    fn each(&self, batch: MaskedTokens) -> (MaskedOutput, Vec<TokenLoss>) {
        let [_, time] = batch.input.tokens.dims();
        let mut text = ids(batch.input.tokens.clone());
        let (places, truth) = (ids(batch.positions.clone()), ids(batch.truth.clone()));
        let count = batch.count;
        let (losses, output) = self.forward_each(batch);
        let losses = numbers(losses);
        // The token before may be masked too; what counts is what it was.
        let known = places.iter().zip(&truth).take(count);
        known.for_each(|(place, token)| text[*place as usize] = *token);
        let token = |index: usize| {
            let place = places[index] as usize;
            let before = (!place.is_multiple_of(time)).then(|| text[place - 1]);
            TokenLoss {
                row: place / time,
                position: place % time + 1,
                before,
                token: truth[index],
                loss: losses[index],
            }
        };
        (output, (0..count).map(token).collect())
    }
}

fn ids<const D: usize>(tokens: Tensor<D, Int>) -> Vec<u32> {
    tokens
        .into_data()
        .iter::<i64>()
        .map(|id| id as u32)
        .collect()
}

fn numbers(values: Tensor<1>) -> Vec<f32> {
    values.into_data().iter::<f32>().collect()
}
