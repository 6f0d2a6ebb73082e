//! A batch in parts, each computed on one thread of its own, all at once.

use burn::backend::GradientCheckpointingStrategy;
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Tensor};
use burn::train::{LearnerModel, TrainOutput, TrainStep};
use fireclay_models::Draws;

use super::TrainError;
use super::scaling::{scaled, weighed};
use crate::cluster::Seat;
use crate::workers::Workers;

/// The threads, and whether the backward pass computes activations again.
pub(super) struct Shards {
    workers: Workers,
    /// Pieces that are computed at once, each on a thread of its own; 0 for one at a time on all threads.
    at_once: usize,
    recomputes: bool,
}

/// A part of a batch and what is drawn for it.
pub(super) struct Piece<I> {
    pub input: I,
    /// None where the device draws.
    pub draws: Option<Draws>,
    /// What its loss is multiplied by, where that is needed.
    pub scale: Option<f64>,
    /// Its number among the parts of the whole batch.
    pub number: usize,
    /// How many samples it has.
    pub samples: usize,
    /// Where the device draws for each piece alone: from what.
    pub seed: Option<u64>,
    /// Where it meets the others, if batch norm asks for it.
    pub seat: Option<Seat>,
}

impl<I> Piece<I> {
    fn step<M: TrainStep<Input = I>>(self, model: &M, device: &Device) -> TrainOutput<M::Output> {
        let seed = self.seed.filter(|_| self.draws.is_none());
        let step = || {
            seed.iter().for_each(|seed| device.seed(*seed));
            TrainStep::step(model, self.input)
        };
        let step = || match self.scale {
            Some(factor) => scaled(factor, step),
            None => step(),
        };
        let step = || match self.draws {
            Some(draws) => draws.scope(step),
            None => step(),
        };
        match self.seat {
            Some(seat) => seat.attend(|| weighed(step)),
            None => step(),
        }
    }
}

impl Shards {
    /// `count` threads; one part alone needs none. `recomputes`: gradient checkpointing.
    ///
    /// # Errors
    ///
    /// If the system gives no more threads.
    pub fn new(count: usize, recomputes: bool) -> Result<Self, TrainError> {
        let threads = if count > 1 { count } else { 0 };
        Self::on(threads, recomputes)
    }

    /// The same for parts that never depend on the number of threads: each has one thread for itself, even where
    /// it is alone. 0 threads: the device computes.
    ///
    /// # Errors
    ///
    /// If the system gives no more threads.
    pub fn on(threads: usize, recomputes: bool) -> Result<Self, TrainError> {
        let workers = Workers::new(threads).map_err(|error| {
            TrainError::Config(format!(
                "`train.cpu_shards` = {threads}: no threads: {error}"
            ))
        })?;
        Ok(Self {
            workers,
            at_once: threads,
            recomputes,
        })
    }

    /// Pieces that are handed to [`each`](Self::each) at once.
    pub fn at_once(&self) -> usize {
        self.at_once.max(1)
    }

    /// Forward and backward of as many pieces as there are threads, each on a thread of its own; on a device
    /// without threads one after another.
    pub fn each<M: LearnerModel>(
        &self,
        model: &M,
        pieces: Vec<Piece<<M as TrainStep>::Input>>,
        device: &Device,
    ) -> Vec<TrainOutput<<M as TrainStep>::Output>> {
        match self.at_once {
            0 => {
                let pieces = pieces.into_iter();
                pieces
                    .map(|piece| self.whole(model, piece, device))
                    .collect()
            }
            _ => self.on_threads(model, pieces, device),
        }
    }

    fn whole<M: LearnerModel>(
        &self,
        model: &M,
        piece: Piece<<M as TrainStep>::Input>,
        device: &Device,
    ) -> TrainOutput<<M as TrainStep>::Output> {
        match self.recomputes {
            true => piece.step(&recomputing(model.clone()), device),
            false => piece.step(model, device),
        }
    }

    /// Forward and backward of every piece; the outputs are in the order of the pieces, whichever
    /// thread ends first.
    pub fn step<M: LearnerModel>(
        &self,
        model: &M,
        pieces: Vec<Piece<<M as TrainStep>::Input>>,
        device: &Device,
    ) -> Vec<TrainOutput<<M as TrainStep>::Output>> {
        if pieces.len() < 2 {
            let outputs = pieces
                .into_iter()
                .map(|piece| self.whole(model, piece, device));
            return outputs.collect();
        }
        self.on_threads(model, pieces, device)
    }

    fn on_threads<M: LearnerModel>(
        &self,
        model: &M,
        pieces: Vec<Piece<<M as TrainStep>::Input>>,
        device: &Device,
    ) -> Vec<TrainOutput<<M as TrainStep>::Output>> {
        let part = |piece| {
            // Autodiff keeps what hangs together under one lock: each part has leaves of its own.
            let model = model.clone().fork(device);
            match self.recomputes {
                true => (recomputing(model), piece, device.clone()),
                false => (model, piece, device.clone()),
            }
        };
        let parts = pieces.into_iter().map(part).collect();
        // The weights go with the part: those that nothing else holds are updated where they are.
        self.workers
            .each(parts, |(model, piece, device)| piece.step(&model, &device))
    }
}

/// The same weights for a device that checkpoints gradients: all that meet in an operation must be
/// of one mind.
fn recomputing<M: Module>(model: M) -> M {
    struct Recomputing;

    impl ModuleMapper for Recomputing {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let strategy = GradientCheckpointingStrategy::Balanced;
            param.map(|tensor| tensor.with_gradient_checkpointing_strategy(strategy))
        }
    }

    model.map(&mut Recomputing)
}

#[cfg(test)]
mod tests {
    use burn::nn::{Linear, LinearConfig};
    use burn::optim::GradientsParams;
    use burn::train::{InferenceStep, RegressionOutput};
    use fireclay_models::Init;
    use fireclay_models::layers::dropout::Dropout;

    use super::*;
    use crate::gradients::Accumulator;
    use crate::output::StepOutput;

    #[derive(Module, Debug)]
    struct Net {
        first: Linear,
        dropout: Dropout,
        last: Linear,
    }

    impl Net {
        fn forward(&self, rows: Tensor<2>) -> RegressionOutput {
            let hidden = self.dropout.forward(self.first.forward(rows.clone()));
            let output = self.last.forward(hidden.tanh());
            let targets = rows.sum_dim(1);
            let loss = (output.clone() - targets.clone()).square().mean();
            RegressionOutput::new(loss, output, targets)
        }
    }

    impl TrainStep for Net {
        type Input = Tensor<2>;
        type Output = RegressionOutput;

        fn step(&self, rows: Tensor<2>) -> TrainOutput<RegressionOutput> {
            let output = self.forward(rows);
            TrainOutput::new(self, output.loss.backward(), output)
        }
    }

    impl InferenceStep for Net {
        type Input = Tensor<2>;
        type Output = RegressionOutput;

        fn step(&self, rows: Tensor<2>) -> RegressionOutput {
            self.forward(rows)
        }
    }

    fn net(device: &Device) -> Net {
        Net {
            first: LinearConfig::new(3, 8).init(device),
            dropout: Init::new(0, device).dropout(0.5),
            last: LinearConfig::new(8, 1).init(device),
        }
    }

    /// The gradient of a batch of 7 rows in so many parts.
    fn gradient(net: &Net, rows: &Tensor<2>, parts: usize) -> Vec<f32> {
        let device = rows.device();
        let pieces = (0..parts).map(|part| {
            let range = fireclay_data::shard_range(7, part, parts);
            let draws = Draws {
                key: 5,
                before: range.start,
                samples: range.len(),
            };
            Piece {
                input: rows.clone().slice([range]),
                draws: Some(draws),
                scale: None,
                number: part,
                samples: rows.dims()[0],
                seed: None,
                seat: None,
            }
        });
        let shards = Shards::new(parts, false).expect("threads");
        let mut sum = Accumulator::new();
        for output in shards.step(net, pieces.collect(), &device) {
            sum.add(net, output.grads, output.item.weight());
        }
        values(net, &sum.finish(net))
    }

    fn values(net: &Net, grads: &GradientsParams) -> Vec<f32> {
        let weights = [&net.first, &net.last].map(|layer| grads.get::<2>(layer.weight.id));
        let data = weights.map(|grad| grad.expect("a gradient").into_data());
        data.iter().flat_map(|data| data.iter::<f32>()).collect()
    }

    #[test]
    fn parts_add_up_to_the_gradient_of_the_batch_dropout_and_all() {
        let device = Device::flex().autodiff();
        let net = net(&device);
        let rows = Tensor::<1>::from_floats(
            std::array::from_fn::<f32, 21, _>(|i| (i as f32 * 0.7).sin()),
            &device,
        );
        let rows = rows.reshape([7, 3]);
        let whole = gradient(&net, &rows, 1);
        assert!(whole.iter().any(|value| value.abs() > 1e-2));
        for parts in [2, 3, 7] {
            let found = gradient(&net, &rows, parts);
            for (found, whole) in found.iter().zip(&whole) {
                assert!(
                    (found - whole).abs() < 1e-6,
                    "{parts} parts: {found}, {whole}"
                );
            }
            for _ in 0..20 {
                assert_eq!(gradient(&net, &rows, parts), found, "{parts} parts");
            }
        }
    }
}
