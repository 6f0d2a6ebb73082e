//! How the next token is chosen.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use rand::{Rng, RngExt};

use super::GenerateError;

/// How the next token is chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampling {
    /// What logits are divided by; 0 always takes the most probable token.
    pub temperature: f64,
    /// Choose among so many most probable tokens only (Fan et al. 2018, section 5).
    pub top_k: Option<usize>,
    /// Choose among the fewest tokens that together have this probability (Holtzman et al. 2019,
    /// "The Curious Case of Neural Text Degeneration", section 3.1).
    pub top_p: f64,
    /// What logits of tokens that were there before are divided by, or multiplied where they are
    /// negative (Keskar et al. 2019, "CTRL", section 4.1); 1 for nothing.
    pub repetition_penalty: f64,
    /// The seed of every choice.
    pub seed: u64,
}

impl Default for Sampling {
    /// What the command line samples with unless it is told otherwise.
    fn default() -> Self {
        Self {
            temperature: 1.0,
            top_k: None,
            top_p: 1.0,
            repetition_penalty: 1.0,
            seed: 42,
        }
    }
}

impl Sampling {
    /// Every impossible value, as (name, message).
    pub fn validate(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if !(self.temperature.is_finite() && self.temperature >= 0.0) {
            problems.push(("temperature", "must be 0 or more".into()));
        }
        if self.top_k == Some(0) {
            problems.push(("top-k", "must be at least 1".into()));
        }
        if !(self.top_p > 0.0 && self.top_p <= 1.0) {
            problems.push(("top-p", "must be above 0 and at most 1".into()));
        }
        if !(self.repetition_penalty.is_finite() && self.repetition_penalty > 0.0) {
            problems.push(("repetition-penalty", "must be above 0".into()));
        }
        problems
    }

    /// The token that comes after a text of the tokens `before`, each once, with the given logits.
    ///
    /// # Errors
    ///
    /// If a logit is not finite.
    ///
    /// # Panics
    ///
    /// If there are no logits.
    pub fn choose(
        &self,
        logits: &[f32],
        before: &BTreeSet<u32>,
        random: &mut impl Rng,
    ) -> Result<u32, GenerateError> {
        if logits.iter().any(|logit| !logit.is_finite()) {
            return Err(GenerateError::NotFinite);
        }
        if self.temperature == 0.0 {
            return Ok(self.most_probable(logits, before));
        }
        let ranked = self.ranked_as_asked(logits, before);
        let weights = self.nucleus(&ranked);
        let mut left = random.random::<f64>() * weights.iter().sum::<f64>();
        for ((token, _), weight) in ranked.iter().zip(&weights) {
            left -= weight;
            if left < 0.0 {
                return Ok(*token);
            }
        }
        // Rounding may leave a crumb; it belongs to the last token.
        Ok(ranked[weights.len() - 1].0)
    }

    /// The tokens that may come after a text of the tokens `before`, each once, with the share of each: together 1.
    ///
    /// # Errors
    ///
    /// If a logit is not finite.
    pub(super) fn shares(
        &self,
        logits: &[f32],
        before: &BTreeSet<u32>,
    ) -> Result<Vec<Share>, GenerateError> {
        if logits.iter().any(|logit| !logit.is_finite()) {
            return Err(GenerateError::NotFinite);
        }
        if self.temperature == 0.0 {
            return Ok(vec![(self.most_probable(logits, before), 1.0)]);
        }
        let ranked = self.ranked_as_asked(logits, before);
        let weights = self.nucleus(&ranked);
        let whole: f64 = weights.iter().sum();
        let pairs = ranked.iter().zip(weights);
        Ok(pairs
            .map(|((token, _), weight)| (*token, weight / whole))
            .collect())
    }

    fn ranked_as_asked(&self, logits: &[f32], before: &BTreeSet<u32>) -> Vec<(u32, f64)> {
        match self.repetition_penalty == 1.0 {
            true => self.ranked(logits),
            false => self.ranked_after(logits, before),
        }
    }

    /// The first of the most probable tokens.
    fn most_probable(&self, logits: &[f32], before: &BTreeSet<u32>) -> u32 {
        let penalised = self.penalised(logits, before).into_iter();
        penalised.min_by(order).expect("there are logits").0
    }

    /// The tokens and their logits, the most probable first; no more than `top_k`. Equal ones keep the order of the
    /// vocabulary, so that the choice is defined.
    pub(super) fn ranked(&self, logits: &[f32]) -> Vec<(u32, f64)> {
        // To put whole numbers in order takes a part of the time that pairs take.
        let key = |(token, logit): (u64, &f32)| {
            let bits = logit.to_bits();
            // As `total_cmp` does it: the bits of negative numbers go down.
            let ascending = bits ^ (((bits as i32 >> 31) as u32) | 0x8000_0000);
            (u64::from(!ascending) << 32) | token
        };
        let mut keys: Vec<u64> = (0..).zip(logits).map(key).collect();
        if let Some(top_k) = self.top_k.filter(|top_k| *top_k < keys.len()) {
            keys.select_nth_unstable(top_k);
            keys.truncate(top_k);
        }
        keys.sort_unstable();
        let tokens = keys.into_iter().map(|key| key as u32);
        let ranked = tokens.map(|token| (token, f64::from(logits[token as usize])));
        ranked.collect()
    }

    /// The same where logits of tokens that were there before are changed.
    fn ranked_after(&self, logits: &[f32], before: &BTreeSet<u32>) -> Vec<(u32, f64)> {
        let mut ranked = self.penalised(logits, before);
        ranked.sort_unstable_by(order);
        ranked.truncate(self.top_k.unwrap_or(usize::MAX));
        ranked
    }

    fn penalised(&self, logits: &[f32], before: &BTreeSet<u32>) -> Vec<(u32, f64)> {
        let mut logits: Vec<(u32, f64)> =
            (0..).zip(logits.iter().copied().map(f64::from)).collect();
        self.penalise(&mut logits, before);
        logits
    }

    fn penalise(&self, logits: &mut [(u32, f64)], before: &BTreeSet<u32>) {
        if self.repetition_penalty == 1.0 {
            return;
        }
        for token in before {
            if let Some((_, logit)) = logits.get_mut(*token as usize) {
                *logit = match *logit > 0.0 {
                    true => *logit / self.repetition_penalty,
                    false => *logit * self.repetition_penalty,
                };
            }
        }
    }

    /// Probabilities of the first tokens, as many as together reach `top_p`; not normalised again.
    fn nucleus(&self, ranked: &[(u32, f64)]) -> Vec<f64> {
        let largest = ranked[0].1;
        let power = |(_, logit): &(u32, f64)| ((logit - largest) / self.temperature).exp();
        let powers: Vec<f64> = ranked.iter().map(power).collect();
        let whole: f64 = powers.iter().sum();
        let mut weights = Vec::new();
        let mut mass = 0.0;
        for power in powers {
            weights.push(power / whole);
            mass += power / whole;
            if mass >= self.top_p {
                break;
            }
        }
        weights
    }
}

/// A token and its share.
pub(super) type Share = (u32, f64);

/// One of these tokens, each as often as its share of all that there are says.
///
/// # Panics
///
/// If there are none.
pub(super) fn drawn(shares: &[Share], random: &mut impl Rng) -> u32 {
    let whole: f64 = shares.iter().map(|(_, share)| share).sum();
    let mut left = random.random::<f64>() * whole;
    for (token, share) in shares {
        left -= share;
        if left < 0.0 {
            return *token;
        }
    }
    // Rounding may leave a crumb; it belongs to the last token.
    shares[shares.len() - 1].0
}

/// The greater logit first, then the lower token.
fn order(a: &(u32, f64), b: &(u32, f64)) -> Ordering {
    b.1.total_cmp(&a.1).then(a.0.cmp(&b.0))
}
