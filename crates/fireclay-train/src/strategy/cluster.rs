//! A session whose batches are computed in fixed parts, by one process or several.

use std::ops::Range;
use std::time::Instant;

use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burn::train::{LearnerModel, TrainStep};
use fireclay_kernels::is_flex;
use fireclay_models::layers::draws::key;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::session::Session;
use super::setup::Setup;
use super::shards::Piece;
use super::step::{Batches, Forward};
use super::{TrainError, Trainable};
use crate::cluster::{Exchange, Lost, Tree, Unlike, held, same, sum};
use crate::cost::Phase;
use crate::gradients::{add, scale};
use crate::output::StepOutput;
use crate::weights::{Kept, encode};

/// What a session of fixed parts has beyond any other.
pub(super) struct Cluster {
    pub exchange: Box<dyn Exchange>,
    pub parts: usize,
    /// Where the parts meet in batch norm: how many of them are computed at once.
    pub meets: Option<usize>,
    /// Whether any process was asked to stop by the last micro-batch.
    pub stops: bool,
    /// What gradients pass through on their way to the other processes.
    pub room: Vec<f32>,
}

/// What a process says of its parts of a micro-batch. Numbers are bits, so that none is lost, finite or not.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Told {
    /// Loss and weight of each part.
    pub parts: Vec<(u32, u64)>,
    unit: Option<u64>,
    samples: u64,
    tokens: Option<u64>,
    held: Vec<bool>,
    stops: bool,
}

impl Cluster {
    /// The values of process 0.
    pub fn leading<T: Serialize + for<'a> Deserialize<'a>>(&mut self, own: &T) -> Result<T, Lost> {
        let all = self.gather(own)?;
        all.into_iter()
            .next()
            .ok_or_else(|| Lost("there is no process 0".into()))
    }

    /// The values of all processes, in their order.
    pub fn gather<T: Serialize + for<'a> Deserialize<'a>>(
        &mut self,
        own: &T,
    ) -> Result<Vec<T>, Lost> {
        let own = serde_json::to_vec(own).expect("plain data");
        let all = self.exchange.gather(own)?;
        let read = |bytes: &Vec<u8>| serde_json::from_slice(bytes);
        let all: Result<_, _> = all.iter().map(read).collect();
        all.map_err(|error| Lost(format!("what a process said cannot be read: {error}")))
    }

    /// The numbers of the parts of this process.
    pub fn own(&self) -> Range<usize> {
        let share = self.exchange.share();
        let each = self.parts / share.world;
        share.rank * each..(share.rank + 1) * each
    }
}

impl From<Lost> for TrainError {
    fn from(error: Lost) -> Self {
        Self::Lost(error.0)
    }
}

impl<M: Trainable> Session<M> {
    /// Whether this process writes the run's folder: it is alone, or the first.
    pub(super) fn leads(&self) -> bool {
        self.setup.leads()
    }

    /// What process 0 decides.
    pub(super) fn decided(&mut self, own: bool) -> Result<bool, TrainError> {
        match &mut self.setup.cluster {
            Some(cluster) => Ok(cluster.leading(&own)?),
            None => Ok(own),
        }
    }

    pub(super) fn did(&mut self, what: &str) {
        let step = self.setup.state.step;
        if let Some(cluster) = &mut self.setup.cluster {
            cluster.exchange.did(&format!("{what} of step {step}"));
        }
    }

    /// The norm that all processes clip by: that of the first, where a device may round it otherwise than another.
    pub(super) fn agreed_norm(&mut self, own: f64) -> Result<f64, TrainError> {
        match &mut self.setup.cluster {
            Some(cluster) if !is_flex(&self.setup.device.clone().inner()) => {
                Ok(f64::from_bits(cluster.leading(&own.to_bits())?))
            }
            _ => Ok(own),
        }
    }

    /// Forward and backward of a micro-batch in its fixed parts, into `forward`.
    pub(super) fn forward_in_parts(
        &mut self,
        half: Option<&M>,
        pieces: Vec<Piece<<M as TrainStep>::Input>>,
        (batches, learning_rate): (&Batches<'_, M>, f64),
        forward: &mut Forward,
    ) -> Result<(), TrainError> {
        let start = Instant::now();
        let samples: usize = pieces.iter().map(|piece| piece.samples).sum();
        let mut told = Told {
            samples: samples as u64,
            ..Told::default()
        };
        let grads = self.own_parts(half, pieces, (batches, learning_rate), &mut told)?;
        told.held = held(self.model(), &grads);
        told.stops = self.interrupter.should_stop();
        self.setup.spent(Phase::Compute, start);
        let start = Instant::now();
        let mut cluster = self.setup.cluster.take().expect(CLUSTER);
        let all = cluster.gather(&told)?;
        let holders: Vec<_> = all.iter().map(|told| told.held.clone()).collect();
        let total = total_weight(&all);
        let factor = if total > 0.0 { 1.0 / total } else { 1.0 };
        let (exchange, room) = (&mut *cluster.exchange, &mut cluster.room);
        let (model, owners) = (self.model(), self.setup.owners.as_ref());
        let mean = sum(exchange, (model, grads), &holders, factor, owners, room)?;
        cluster.stops = all.iter().any(|told| told.stops);
        let phase = match all.len() {
            1 => Phase::Compute,
            _ => Phase::Exchange,
        };
        self.setup.cluster = Some(cluster);
        self.share_statistics(&all)?;
        self.setup.spent(phase, start);
        self.take(&all, mean, forward);
        Ok(())
    }

    /// The weighted sum of the gradients of this process's parts, up its part of the tree.
    fn own_parts(
        &mut self,
        half: Option<&M>,
        pieces: Vec<Piece<<M as TrainStep>::Input>>,
        (batches, learning_rate): (&Batches<'_, M>, f64),
        told: &mut Told,
    ) -> Result<GradientsParams, TrainError> {
        let own = self.setup.cluster.as_ref().expect(CLUSTER).own();
        let mut tree = Tree::new();
        let mut next = own.start;
        if pieces.is_empty() {
            // Those of the other processes may meet.
            self.outputs(half, Vec::new())?;
        }
        let mut pieces = pieces.into_iter();
        loop {
            let group: Vec<_> = pieces.by_ref().take(self.setup.shards.at_once()).collect();
            if group.is_empty() {
                break;
            }
            let numbers: Vec<_> = group
                .iter()
                .map(|piece| (piece.number, piece.scale))
                .collect();
            let outputs = self.outputs(half, group)?;
            for ((number, scale), output) in numbers.into_iter().zip(outputs) {
                let model = self.model();
                (next..number).for_each(|_| tree.push(None, |left, right| add(model, left, right)));
                next = number + 1;
                let leaf = self.leaf(&output.item, output.grads, half.and(scale), told);
                let model = self.model();
                tree.push(leaf, |left, right| add(model, left, right));
                self.show(output.item, batches, learning_rate)?;
            }
        }
        let model = self.model();
        (next..own.end).for_each(|_| tree.push(None, |left, right| add(model, left, right)));
        Ok(tree.root().unwrap_or_default())
    }

    /// What a part adds to the sum: its gradients times its weight, unless it weighs nothing. Where parts meet, the loss was
    /// multiplied by the weight, and the gradients of a part are in part those of the other losses.
    fn leaf(
        &self,
        item: &<M as TrainStep>::Output,
        grads: GradientsParams,
        loss_scale: Option<f64>,
        told: &mut Told,
    ) -> Option<GradientsParams> {
        let weight = item.weight();
        let loss = item.loss().without_autodiff().into_scalar::<f32>();
        told.parts.push((loss.to_bits(), weight.to_bits()));
        told.unit = Some(item.unit().to_bits());
        if let Some(tokens) = item.tokens() {
            *told.tokens.get_or_insert(0) += tokens;
        }
        let meets = self.setup.cluster.as_ref().expect(CLUSTER).meets.is_some();
        let factor = if meets { 1.0 } else { weight } / loss_scale.unwrap_or(1.0);
        (meets || weight != 0.0).then(|| scale(self.model(), grads, factor))
    }

    /// Takes what the parts of all processes came to.
    fn take(&mut self, all: &[Told], mean: GradientsParams, forward: &mut Forward) {
        let parts: Vec<_> = all.iter().flat_map(|told| &told.parts).collect();
        let weights = parts.iter().map(|(_, weight)| f64::from_bits(*weight));
        let total = total_weight(all);
        if total > 0.0 {
            forward.grads.add(self.model(), mean, total);
        }
        forward.weights.extend(weights);
        let losses: Vec<_> = parts
            .iter()
            .map(|(loss, _)| f32::from_bits(*loss))
            .collect();
        let device = self.setup.device.clone().inner();
        forward
            .losses
            .push(Tensor::from_floats(losses.as_slice(), &device));
        let unit = all.iter().find_map(|told| told.unit);
        forward.unit = unit.map_or(1.0, f64::from_bits);
        for told in all {
            self.setup.count_tokens(told.tokens);
            self.setup.done.samples += told.samples;
        }
    }

    /// What the device draws for a part from, where it draws.
    pub(super) fn seed_of(&self, micro: usize, number: usize) -> Option<u64> {
        let (config, state) = (&self.setup.config, &self.setup.state);
        let key = || key(config.seed, [state.step, micro as u64, number as u64]);
        self.setup.cluster.is_some().then(key)
    }

    /// Refuses to save where the processes do not have the same: their processors do not compute alike.
    pub(super) fn check_alike(&mut self, members: &[(&str, Vec<u8>)]) -> Result<(), TrainError> {
        let step = self.setup.state.step;
        let Some(cluster) = &mut self.setup.cluster else {
            return Ok(());
        };
        if cluster.exchange.share().world == 1 {
            return Ok(());
        }
        let mut hash = Sha256::new();
        members.iter().for_each(|(_, bytes)| hash.update(bytes));
        let own = (cluster.exchange.place(), hash.finalize().to_vec());
        let all = cluster.gather(&own)?;
        let first = &all[0];
        match all.iter().find(|(_, hash)| *hash != first.1) {
            None => Ok(()),
            Some((place, _)) => Err(TrainError::Unlike(format!(
                "after step {step} the weights or the state of the optimizer in {place} are not those in {}: their \
                 processors, or their libraries, do not compute the same; start all processes on machines of one kind",
                first.0
            ))),
        }
    }
}

/// What all parts weigh.
fn total_weight(all: &[Told]) -> f64 {
    let parts = all.iter().flat_map(|told| &told.parts);
    parts.map(|(_, weight)| f64::from_bits(*weight)).sum()
}

pub(super) const CLUSTER: &str = "a session of fixed parts has it between exchanges";

impl<M: LearnerModel> Setup<M> {
    /// Refuses processes that do not begin with the same weights, or not at the same place of the same run.
    pub(super) fn check_start(&mut self, model: &M) -> Result<(), TrainError> {
        let Some(cluster) = &mut self.cluster else {
            return Ok(());
        };
        if cluster.exchange.share().world == 1 {
            return Ok(());
        }
        let mut parts = self.fingerprints.clone();
        let weights = encode(model, &Kept::All).unwrap_or_default();
        let hash = Sha256::digest(&weights);
        let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        parts.insert("first weights, sha256".into(), json!(hash));
        parts.insert("version".into(), json!(env!("CARGO_PKG_VERSION")));
        let at = (self.state.step, self.state.epoch, self.state.batch);
        parts.insert("step, epoch and batch".into(), json!(at));
        same(&mut *cluster.exchange, parts).map_err(|error| match error {
            Unlike::Parts(_) => TrainError::Unlike(error.to_string()),
            Unlike::Lost(error) => error.into(),
        })
    }
}
