//! A mixture of experts in place of the MLP (Shazeer et al. 2017, *Outrageously Large Neural
//! Networks*, [arXiv:1701.06538](https://arxiv.org/abs/1701.06538), section 2).

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::activation::softmax;
use fireclay_kernels::widely;

use super::mlp::Mlp;
use super::parts::{Experts, Parts};
use crate::init::Init;
use crate::layers::linear::{self, Linear};
use crate::layers::tokens::STD;
use crate::layers::weight::Weight;

/// MLPs, of which a router chooses some for each token.
#[derive(Module, Debug)]
pub(super) struct Mixture {
    /// The router.
    gate: Linear,
    experts: Vec<Mlp>,
    #[module(skip)]
    sizes: Experts,
}

impl Mixture {
    pub fn new(parts: &Parts, sizes: Experts, init: &mut Init) -> Self {
        Self {
            gate: linear::normal(parts.width, sizes.count, STD, false, init),
            experts: (0..sizes.count).map(|_| Mlp::new(parts, init)).collect(),
            sizes,
        }
    }

    /// Those of the experts. The router, which is small and decides, stays whole.
    pub fn weights(&mut self) -> Vec<&mut Weight> {
        self.experts.iter_mut().flat_map(Mlp::weights).collect()
    }

    /// Every expert computes all tokens, and those that are not chosen count nothing: which are
    /// chosen is known on the device alone.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let [batch, time, _] = x.dims();
        let shares = self.shares(x.clone());
        let share = |expert| shares.clone().narrow(2, expert, 1); // [batch, time, 1]
        let experts = self.experts.iter().enumerate();
        let parts = experts.map(|(index, expert)| expert.forward(x.clone()) * share(index));
        let none = || Tensor::zeros([batch, time, x.dims()[2]], &x.device());
        parts.reduce(|sum, part| sum + part).unwrap_or_else(none)
    }

    /// What each expert counts for each token, `[batch, time, experts]`; most count nothing.
    fn shares(&self, x: Tensor<3>) -> Tensor<3> {
        widely(self.gate.forward(x), |scores| {
            let shares = softmax(scores, 2);
            let best = shares.clone().detach().argsort_descending(2);
            let best = best.narrow(2, 0, self.sizes.chosen); // [batch, time, chosen]
            let chosen = shares.gather(2, best.clone());
            let chosen = match self.sizes.sums_to_one {
                true => chosen.clone() / chosen.sum_dim(2),
                false => chosen,
            };
            let of = |expert: usize| {
                let is_it = best.clone().equal_elem(expert as i64);
                let nothing = chosen.zeros_like();
                nothing.mask_where(is_it, chosen.clone()).sum_dim(2)
            };
            Tensor::cat((0..self.sizes.count).map(of).collect(), 2)
        })
    }
}
