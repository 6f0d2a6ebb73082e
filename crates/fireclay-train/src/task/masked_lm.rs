//! Masked language modelling: what hidden tokens were, given those on both sides.
//!
//! - Devlin et al. 2018, *BERT*, section 3.1, [arXiv:1810.04805](https://arxiv.org/abs/1810.04805)

use burn::data::dataset::DatasetError;
use burn::module::Module;
use burn::tensor::{Device, ExecutionError, Int, Tensor, TensorData};
use burn::train::metric::{Adaptor, LossInput};
use burn::train::{InferenceStep, ItemLazy, TrainOutput, TrainStep};
use fireclay_data::{MaskedBatch, MaskedSplit};
use fireclay_kernels::cross_entropy;
use fireclay_models::EncoderModel;

use super::network::TextInput;
use super::text_table::upload;
use crate::loader::Samples;
use crate::output::{StepOutput, scalar};
use crate::strategy::{MeanLoss, Scorer, backward};

/// An encoder and the loss that trains it: the mean cross-entropy of the hidden tokens, in nats.
#[derive(Module, Debug)]
pub struct MaskedLm {
    /// The model; its outputs are logits over the vocabulary.
    pub model: EncoderModel,
}

/// Windows of text in which tokens are hidden.
#[derive(Clone, Debug)]
pub struct HiddenTokens {
    /// The windows.
    pub input: TextInput,
    /// Where tokens are hidden, counted through all windows, `[hidden]`.
    pub places: Tensor<1, Int>,
    /// The token that is hidden at each place, `[hidden]`.
    pub truth: Tensor<1, Int>,
    /// How many are hidden; if none is, there is one place that does not count.
    pub count: usize,
}

/// The loss of one batch, and how many of its tokens were found.
#[derive(Clone, Debug)]
pub struct HiddenOutput {
    loss: Tensor<1>,
    found: Tensor<1>,
    count: usize,
}

impl MaskedLm {
    /// The loss of `model`, which has no outputs but those of tokens.
    pub fn new(model: EncoderModel) -> Self {
        Self { model }
    }

    fn forward(&self, batch: HiddenTokens) -> HiddenOutput {
        let TextInput { tokens, mask } = batch.input;
        // [hidden, vocabulary]
        let logits = self.model.forward_places(tokens, None, mask, batch.places);
        let [hidden, _] = logits.dims();
        let chosen = logits.clone().argmax(1).reshape([hidden]);
        let found = chosen.equal(batch.truth.clone()).float().sum();
        let losses = cross_entropy(logits, batch.truth, 0.0);
        let share = match batch.count {
            0 => 0.0,
            count => 1.0 / count as f64,
        };
        HiddenOutput {
            loss: losses.sum().mul_scalar(share),
            found,
            count: batch.count,
        }
    }
}

impl TrainStep for MaskedLm {
    type Input = HiddenTokens;
    type Output = HiddenOutput;

    fn step(&self, batch: HiddenTokens) -> TrainOutput<HiddenOutput> {
        let output = self.forward(batch);
        TrainOutput::new(self, backward(&output.loss), output)
    }
}

impl InferenceStep for MaskedLm {
    type Input = HiddenTokens;
    type Output = HiddenOutput;

    fn step(&self, batch: HiddenTokens) -> HiddenOutput {
        self.forward(batch)
    }
}

impl StepOutput for HiddenOutput {
    fn loss(&self) -> Tensor<1> {
        self.loss.clone()
    }

    /// The number of hidden tokens, so that accumulated gradients are those of one large batch.
    fn weight(&self) -> f64 {
        self.count as f64
    }
}

impl ItemLazy for HiddenOutput {
    fn sync(self) -> Result<Self, ExecutionError> {
        self.loss.device().flush()?;
        Ok(Self {
            loss: self.loss.without_autodiff(),
            found: self.found.without_autodiff(),
            count: self.count,
        })
    }
}

impl Adaptor<LossInput> for HiddenOutput {
    fn adapt(&self) -> LossInput {
        LossInput::new(self.loss.clone())
    }
}

/// Scores a split by the loss per hidden token, its perplexity, and how many were found.
#[derive(Clone, Debug, Default)]
pub struct HiddenScorer {
    loss: MeanLoss,
    found: f64,
    count: usize,
}

impl Scorer<HiddenOutput> for HiddenScorer {
    fn add(&mut self, output: &HiddenOutput) {
        self.loss.add(output);
        if output.count > 0 {
            self.found += scalar(output.found.clone());
            self.count += output.count;
        }
    }

    fn finish(&mut self) -> Vec<(String, f64)> {
        let mut metrics = Scorer::<HiddenOutput>::finish(&mut self.loss);
        let loss = metrics.first().map_or(f64::NAN, |(_, loss)| *loss);
        metrics.push(("perplexity".into(), loss.exp()));
        metrics.push(("accuracy".into(), self.found / self.count.max(1) as f64));
        (self.found, self.count) = (0.0, 0);
        metrics
    }
}

/// The windows of one split, of which there may be none.
#[derive(Clone, Debug)]
pub struct MaskedSamples(Option<MaskedSplit>);

impl MaskedSamples {
    /// The windows of `split`.
    pub fn new(split: Option<MaskedSplit>) -> Self {
        Self(split)
    }
}

impl Samples for MaskedSamples {
    type Host = MaskedBatch;
    type Batch = HiddenTokens;

    fn len(&self) -> usize {
        self.0.as_ref().map_or(0, MaskedSplit::windows)
    }

    fn assemble(&self, epoch: u64, indices: &[u32]) -> Result<MaskedBatch, DatasetError> {
        let split = self.0.as_ref();
        let split = split.expect("a split without windows has no indices");
        split.batch(epoch, indices).map_err(DatasetError::new)
    }

    fn upload(&self, batch: MaskedBatch, device: &Device) -> HiddenTokens {
        let count = batch.positions.len();
        // No backend takes a tensor without elements everywhere.
        let put = |mut ids: Vec<i32>| {
            ids.resize(count.max(1), 0);
            Tensor::from_data(TensorData::new(ids, [count.max(1)]), device)
        };
        HiddenTokens {
            places: put(batch.positions),
            truth: put(batch.truth),
            input: upload(batch.texts, device),
            count,
        }
    }
}
