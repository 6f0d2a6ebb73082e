//! Muon.

use burn::module::ParamGroup;
use burn::optim::ModuleOptimizer;
use burn::tensor::Tensor;
use fireclay_config::{Invalid, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::UpdateRule;
use super::adam::Adam;
use super::groups::Groups;
use super::state::{optimizer_state, shrunk};

/// Muon: the momentum of each hidden matrix is replaced by the nearest orthogonal matrix, found by
/// a Newton–Schulz iteration; biases, norms, embeddings and the output head take AdamW.
///
/// The output head is the last weight of rank 2 or more that the model visits. Convolution filters
/// are flattened to `[out, in · height · width]`. [Jordan et al.
/// 2024](https://kellerjordan.github.io/posts/muon/).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MuonConfig {
    /// Learning rate of the hidden matrices at the schedule's factor 1.
    #[serde(alias = "lr")]
    pub learning_rate: f64,
    /// How much of the past momentum is kept.
    pub momentum: f64,
    /// Look ahead along the momentum.
    pub nesterov: bool,
    /// Newton–Schulz iterations.
    pub ns_steps: usize,
    /// How the shape of a matrix scales its learning rate.
    pub scale: MuonScale,
    /// How fast the hidden matrices shrink, relative to the learning rate.
    pub weight_decay: f64,
    /// The AdamW that updates everything else.
    pub adamw: MuonAdamWConfig,
}

/// How the shape of a matrix scales Muon's learning rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MuonScale {
    /// `√max(1, out/in)`: the author's.
    #[default]
    Original,
    /// `0.2 · √max(out, in)`: updates as large as AdamW's, so that its learning rate and weight
    /// decay carry over ([Liu et al. 2025](https://arxiv.org/abs/2502.16982)).
    MatchAdamw,
}

/// AdamW for the parameters that Muon does not update; the defaults are the author's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MuonAdamWConfig {
    /// Learning rate at the schedule's factor 1.
    #[serde(alias = "lr")]
    pub learning_rate: f64,
    /// How much of the past is kept in the averages of the gradient and of its square.
    pub betas: (f64, f64),
    /// Added to the root of the averaged square, against division by zero.
    #[serde(alias = "eps")]
    pub epsilon: f64,
    /// How fast the output head shrinks, relative to the learning rate; biases, norms and
    /// embeddings do not.
    pub weight_decay: f64,
}

impl Default for MuonConfig {
    fn default() -> Self {
        Self {
            learning_rate: 0.02,
            momentum: 0.95,
            nesterov: true,
            ns_steps: 5,
            scale: MuonScale::Original,
            weight_decay: 0.0,
            adamw: MuonAdamWConfig::default(),
        }
    }
}

impl Default for MuonAdamWConfig {
    fn default() -> Self {
        Self {
            learning_rate: 3e-4,
            betas: (0.9, 0.95),
            epsilon: 1e-10,
            weight_decay: 0.0,
        }
    }
}

impl UpdateRule for MuonConfig {
    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn validate(&self) -> Invalid {
        Problems::default()
            .positive("learning_rate", self.learning_rate)
            .below_one("momentum", self.momentum)
            .check("ns_steps", self.ns_steps > 0, "1 or more", self.ns_steps)
            .not_negative("weight_decay", self.weight_decay)
            .positive("adamw.learning_rate", self.adamw.learning_rate)
            .betas("adamw.betas", self.adamw.betas)
            .not_negative("adamw.epsilon", self.adamw.epsilon)
            .not_negative("adamw.weight_decay", self.adamw.weight_decay)
            .found()
    }

    fn init(&self, groups: &Groups) -> ModuleOptimizer {
        let hidden = ParamGroup::from_ids(groups.hidden().to_vec());
        let rest = groups.optimizer(false, self.adamw.weight_decay, |weight_decay| Adam {
            betas: self.adamw.betas,
            epsilon: self.adamw.epsilon,
            weight_decay,
            decoupled: true,
            amsgrad: false,
            rate: self.adamw.learning_rate / self.learning_rate,
        });
        rest.with_group(hidden, self.clone(), None)
    }

    fn slots(&self, hidden: bool) -> usize {
        if hidden { 1 } else { 2 }
    }
}

optimizer_state! {
    /// State of [`MuonConfig`].
    MuonState of MuonConfig {
        /// Average of the gradient.
        momentum,
    }
}

impl MuonConfig {
    fn update<const D: usize>(
        &self,
        lr: f64,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: &mut MuonState<D>,
    ) -> Tensor<D> {
        let keep = self.momentum;
        let past = state.momentum.take_or_zeros(&grad);
        let momentum = past.mul_scalar(keep) + grad.clone().mul_scalar(1.0 - keep);
        state.momentum = momentum.clone().into();
        let direction = match self.nesterov {
            true => grad.mul_scalar(1.0 - keep) + momentum.mul_scalar(keep),
            false => momentum,
        };

        let shape = tensor.shape();
        let rows = shape[0];
        let matrix: Tensor<2> = direction.reshape([rows as isize, -1]);
        let columns = matrix.dims()[1];
        let update = orthogonalize(matrix, self.ns_steps).reshape(shape);

        // A linear layer holds [in, out], where the author's holds [out, in]; filters of a
        // convolution are [out, in, ...] in both.
        let (out, input) = match D {
            2 => (columns as f64, rows as f64),
            _ => (rows as f64, columns as f64),
        };
        let scale = self.scale.of(out, input);
        shrunk(tensor, lr * self.weight_decay) - update.mul_scalar(lr * scale)
    }
}

impl MuonScale {
    fn of(self, out: f64, input: f64) -> f64 {
        match self {
            Self::Original => (out / input).max(1.0).sqrt(),
            Self::MatchAdamw => 0.2 * out.max(input).sqrt(),
        }
    }
}

/// About the nearest orthogonal matrix to `matrix`: its singular values move towards 1 (they end
/// between roughly 0.7 and 1.2) by the quintic `x ← a·x + b·x³ + c·x⁵`.
fn orthogonalize(matrix: Tensor<2>, steps: usize) -> Tensor<2> {
    const A: f64 = 3.4445;
    const B: f64 = -4.7750;
    const C: f64 = 2.0315;
    let [rows, columns] = matrix.dims();
    let tall = rows > columns;
    let mut x = if tall { matrix.transpose() } else { matrix };

    // The Frobenius norm bounds the largest singular value, which the iteration needs below 1.
    let norm = x.clone().square().sum().sqrt().add_scalar(1e-7);
    x = x / norm.unsqueeze();
    for _ in 0..steps {
        let gram = x.clone().matmul(x.clone().transpose());
        let squared = gram.clone().matmul(gram.clone()).mul_scalar(C);
        x = x.clone().mul_scalar(A) + (gram.mul_scalar(B) + squared).matmul(x);
    }
    if tall { x.transpose() } else { x }
}
