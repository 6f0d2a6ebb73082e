//! A trained model and what its outputs mean.

use std::convert::Infallible;
use std::sync::Arc;

use burn::data::dataloader::DataLoader;
use burn::data::dataset::DatasetError;
use burn::tensor::{Device, Tensor};
use fireclay_data::Labels;

use crate::answer::Answers;
use crate::postprocess::Postprocess;
use crate::shuffled::shuffled;
use crate::task::{Batch, Input, Network};
use fireclay_train::cluster::{company, each_in_company};
use fireclay_train::loader::{Order, OrderedLoader, Samples, Share};
use fireclay_train::workers::{self, each_in_order};

/// Whole splits go through a model in batches of so many, on so many loader threads; neither
/// changes the result.
#[derive(Clone, Copy, Debug)]
pub struct Pass {
    /// Samples that go through the model at once.
    pub batch_size: usize,
    /// Threads that make batches ahead of time.
    pub threads: usize,
}

impl Pass {
    /// Gives all samples in their order; of several processes that pass over them together, each gets its batches.
    pub(crate) fn loader<S: Samples>(self, samples: S, device: &Device) -> OrderedLoader<S> {
        let order = Order {
            seed: 0,
            batch_size: self.batch_size,
            shuffle: false,
            drop_last: false,
            share: Share::WHOLE,
        };
        let loader = OrderedLoader::new(Arc::new(samples), order, self.threads, device.clone());
        loader.only(company())
    }
}

/// A model as a function of its input values, with gradients with respect to them.
pub trait Differentiable {
    /// What the last layer is given, `[batch, features]`.
    fn features(&self, input: &Input) -> Tensor<2>;

    /// Logits or numbers `[batch, outputs]`. With [`Input::tracked`] values, `backward` reaches them, and
    /// no weight.
    fn outputs(&self, input: &Input) -> Tensor<2>;

    /// The feature maps that the last convolution leaves, `[batch, channels, rows, columns]`; none where the
    /// model is not made of convolutions.
    fn maps(&self, input: &Input) -> Option<Tensor<4>>;

    /// The outputs `[batch, outputs]` that [`maps`](Self::maps) become.
    ///
    /// # Panics
    ///
    /// If the model has no maps.
    fn outputs_of_maps(&self, maps: Tensor<4>) -> Tensor<2>;

    /// How much each token attends to each other one in each layer, after the softmax,
    /// `[batch, heads, tokens, tokens]`; empty where the model is no transformer. The first token of an image
    /// is the class token, then come the patches row by row.
    fn attentions(&self, input: &Input) -> Vec<Tensor<4>>;

    /// The same architecture without what it has learned: the values of each weight are shuffled, by the seed.
    fn randomised(&self, seed: u64) -> Box<dyn Differentiable + '_>;
}

impl<N: Network> Differentiable for Predictor<N> {
    fn features(&self, input: &Input) -> Tensor<2> {
        self.model_beside(&input.values.device()).features(input)
    }

    fn outputs(&self, input: &Input) -> Tensor<2> {
        let model = self.model_beside(&input.values.device());
        model.head(model.features(input))
    }

    fn maps(&self, input: &Input) -> Option<Tensor<4>> {
        self.model_beside(&input.values.device()).maps(input)
    }

    fn outputs_of_maps(&self, maps: Tensor<4>) -> Tensor<2> {
        let model = self.model_beside(&maps.device());
        model.head(model.features_of_maps(maps))
    }

    fn attentions(&self, input: &Input) -> Vec<Tensor<4>> {
        self.model_beside(&input.values.device()).attentions(input)
    }

    fn randomised(&self, seed: u64) -> Box<dyn Differentiable + '_> {
        Box::new(Self {
            answer: self.answer.clone(),
            model: shuffled(&self.model, seed),
            device: self.device.clone(),
        })
    }
}

/// A model that answers.
#[derive(Debug)]
pub struct Predictor<N: Network> {
    /// What outputs mean.
    pub answer: Postprocess,
    model: N,
    device: Device,
}

impl<N: Network> Predictor<N> {
    /// A predictor from its parts.
    pub fn new(model: N, answer: impl Into<Postprocess>, device: Device) -> Self {
        Self {
            answer: answer.into(),
            model,
            device,
        }
    }

    /// Where the model computes.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The model itself.
    pub(crate) fn model(&self) -> &N {
        &self.model
    }

    /// What the model is given, as numbers and what is none.
    pub fn input(&self, input: N::Input) -> Input {
        self.model.input(input)
    }

    /// The width of the vector that stands for a category, for each embedded column of a table.
    pub fn vectors(&self) -> Vec<usize> {
        self.model.vectors()
    }

    /// The model on the device of an input, as in an evaluation: nothing is dropped, and no statistics are
    /// those of the batch.
    fn model_beside(&self, device: &Device) -> N {
        self.model.clone().freeze().to_device(device)
    }

    /// Answers for some batches, in their order.
    pub fn predict(&self, inputs: impl IntoIterator<Item = N::Input>) -> Answers {
        let (mut inputs, meaning) = (inputs.into_iter(), self.answer.meaning());
        let Some(first) = inputs.next() else {
            return meaning.answers(Vec::new());
        };
        // One alone needs no copy of the model.
        let Some(second) = inputs.next() else {
            return meaning.answers(self.numbers_of(first));
        };
        let mut raw = Vec::new();
        let inputs = [first, second].into_iter().chain(inputs);
        let inputs = inputs.map(|input| Ok((self.model.clone(), input)));
        let work = |(model, input): (N, N::Input)| model.forward(input);
        let Ok(()) = each_in_order(workers::count(&self.device), inputs, work, |outputs| {
            raw.extend(self.numbers(&outputs));
            Ok::<_, Infallible>(())
        });
        self.answer.meaning().answers(raw)
    }

    /// The numbers that answers for a batch are made of, sample by sample.
    pub fn numbers_of(&self, input: N::Input) -> Vec<f64> {
        self.numbers(&self.model.forward(input))
    }

    fn numbers(&self, outputs: &Tensor<2>) -> Vec<f64> {
        self.answer.meaning().numbers(outputs)
    }

    /// The numbers that answers for all of `samples` are made of, in their order, with the targets. Several processes
    /// share the batches out.
    ///
    /// # Errors
    ///
    /// If a sample cannot be read.
    pub fn pass<S>(&self, samples: S, pass: Pass) -> Result<(Vec<f64>, Labels), DatasetError>
    where
        S: Samples<Batch = Batch<N::Input>>,
    {
        let loader = pass.loader(samples, &self.device);
        let (mut raw, mut truth) = (Vec::new(), None);
        let batches = loader.iter().map(|batch| Ok((self.model.clone(), batch?)));
        let work = |(model, batch): (N, Batch<N::Input>)| {
            (model.forward(batch.input), batch.labelled.truth)
        };
        let taken = |(outputs, part)| (self.numbers(&outputs), part);
        let put = |(numbers, part): (Vec<f64>, Labels)| {
            raw.extend(numbers);
            match &mut truth {
                None => truth = Some(part),
                Some(truth) => truth.append(part),
            }
            Ok::<_, DatasetError>(())
        };
        each_in_company(workers::count(&self.device), batches, work, taken, put)?;
        let truth = truth.unwrap_or_else(|| self.answer.meaning().no_labels());
        Ok((raw, truth))
    }
}
