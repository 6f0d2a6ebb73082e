//! Text of which a smaller model proposes the next tokens, and the model itself judges them all in one pass (Leviathan et
//! al. 2022, *Fast Inference from Transformers via Speculative Decoding*,
//! [arXiv:2211.17192](https://arxiv.org/abs/2211.17192), algorithm 1). The tokens have the distribution that they have
//! without it; which ones a seed draws is another matter.

use std::collections::HashMap;

use fireclay_kernels::in_pool;
use fireclay_models::{KeyValueCache, LanguageNetwork};
use rand::{Rng, RngExt};

use super::draft::{Draft, Step};
use super::sampling::{Share, drawn};
use super::{Ended, GenerateError, Limits, Sampling, Writer};
use crate::samples::tokens;

impl<'a> Writer<'a> {
    /// Refuses a model to propose tokens that has other ones.
    ///
    /// # Errors
    ///
    /// The first token that differs.
    pub fn check_scout(&self, scout: &Self) -> Result<(), GenerateError> {
        let different = self.tokenizer.first_difference(scout.tokenizer);
        match different {
            Some((token, own, other)) => Err(GenerateError::OtherTokens { token, own, other }),
            None => Ok(()),
        }
    }

    /// A text that goes on from the tokens of a prompt, of which `scout` proposes so many tokens at a time.
    ///
    /// # Errors
    ///
    /// If the two have other tokens, or the prompt cannot be decoded.
    pub fn begin_with(
        self,
        scout: Self,
        proposals: usize,
        prompt: Vec<u32>,
        (sampling, limits): (Sampling, Limits),
    ) -> Result<Proposed<'a>, GenerateError> {
        self.check_scout(&scout)?;
        let draft = Draft::new(&self, prompt, sampling, limits)?;
        let known = self
            .model
            .head()
            .vocabulary()
            .min(scout.model.head().vocabulary());
        Ok(Proposed {
            model: Memory::new(self, draft.tokens.len()),
            scout: Memory::new(scout, draft.tokens.len()),
            draft,
            proposals,
            known,
            proposed: 0,
            kept: 0,
        })
    }
}

/// A text that is being written by two models.
#[derive(Debug)]
pub struct Proposed<'a> {
    model: Memory<'a>,
    scout: Memory<'a>,
    draft: Draft,
    proposals: usize,
    /// The tokens that both know.
    known: usize,
    /// Tokens that were proposed.
    pub proposed: usize,
    /// Those of them that are in the text.
    pub kept: usize,
}

impl Proposed<'_> {
    /// Writes the whole text, and gives each piece to `write`.
    ///
    /// # Errors
    ///
    /// If a model's numbers are not finite, or a token cannot be decoded.
    pub fn go_on(&mut self, mut write: impl FnMut(&str)) -> Result<Ended, GenerateError> {
        loop {
            for step in self.round()? {
                if !step.text.is_empty() {
                    write(&step.text);
                }
                if let Some(ended) = step.ended {
                    return Ok(ended);
                }
            }
        }
    }

    /// Writes the next tokens: those of the proposed ones that are kept, and one of the model's own.
    fn round(&mut self) -> Result<Vec<Step>, GenerateError> {
        if let Some(end) = self.draft.over() {
            return Ok(vec![end]);
        }
        let (ahead, shares) = self.propose()?;
        let text = [self.draft.tokens.as_slice(), &ahead].concat();
        let logits = self.model.read(&text, ahead.len() + 1);
        self.proposed += ahead.len();
        let mut steps = Vec::new();
        for (at, logits) in logits.iter().enumerate() {
            let own = self.draft.shares(logits, &[])?;
            let proposed = ahead.get(at).map(|token| (*token, shares[at].as_slice()));
            let random = self.draft.random();
            let other = match proposed {
                Some((token, shares)) => replaced(token, &own, shares, random),
                None => Some(drawn(&own, random)),
            };
            self.kept += usize::from(other.is_none());
            let token = other.unwrap_or_else(|| ahead[at]);
            let step = self.draft.take(token)?;
            let is_last = other.is_some() || step.ended.is_some();
            steps.push(step);
            if is_last {
                self.forget(ahead.len(), at);
                break;
            }
        }
        Ok(steps)
    }

    /// The tokens that are proposed, and the shares of all tokens that each was drawn from.
    fn propose(&mut self) -> Result<(Vec<u32>, Vec<Vec<Share>>), GenerateError> {
        // A token that only the model knows: what the other would read is another text.
        let known = |token: &u32| (*token as usize) < self.known;
        if !self.draft.tokens.iter().all(known) {
            return Ok((Vec::new(), Vec::new()));
        }
        // One token is the model's own.
        let room = self.model.room().min(self.draft.left() - 1);
        let mut ahead = Vec::new();
        let mut all = Vec::new();
        for _ in 0..self.proposals.min(room) {
            let text = [self.draft.tokens.as_slice(), &ahead].concat();
            let logits = self.scout.read(&text, 1).remove(0);
            let shares = self.draft.shares(&logits[..self.known], &ahead)?;
            ahead.push(drawn(&shares, self.draft.random()));
            all.push(shares);
            self.scout.unread = 1;
        }
        Ok((ahead, all))
    }

    /// Forgets those of `count` proposed tokens that come after the first `kept` ones, after which one was written.
    fn forget(&mut self, count: usize, kept: usize) {
        self.model.forget(count - kept);
        self.model.unread = 1;
        if count == 0 {
            self.scout.unread += 1;
            return;
        }
        // The last proposed token was read by the model alone.
        let read = kept.min(count - 1);
        self.scout.forget(count - 1 - read);
        self.scout.unread = kept - read + 1;
    }
}

/// What is written in place of a proposed token, unless that is kept: `own` are the shares that the model gives, `other`
/// those that it was drawn from.
fn replaced(token: u32, own: &[Share], other: &[Share], random: &mut impl Rng) -> Option<u32> {
    let share = |shares: &[Share]| {
        let found = shares.iter().find(|(known, _)| *known == token);
        found.map_or(0.0, |(_, share)| *share)
    };
    if random.random::<f64>() * share(other) < share(own) {
        return None;
    }
    let other: HashMap<u32, f64> = other.iter().copied().collect();
    let rest = own.iter().map(|(token, share)| {
        let taken = other.get(token).copied().unwrap_or(0.0);
        (*token, (share - taken).max(0.0))
    });
    let rest: Vec<Share> = rest.filter(|(_, share)| *share > 0.0).collect();
    // Rounding may leave nothing, where both give the same shares.
    Some(drawn(if rest.is_empty() { own } else { &rest }, random))
}

/// What a model has read of the text.
#[derive(Debug)]
struct Memory<'a> {
    writer: Writer<'a>,
    cache: KeyValueCache,
    /// How many tokens at the end of the text are not read, but for those that are proposed.
    unread: usize,
}

impl<'a> Memory<'a> {
    fn new(writer: Writer<'a>, length: usize) -> Self {
        Self {
            cache: writer.model.empty_cache(),
            unread: length.min(writer.context_length()),
            writer,
        }
    }

    /// How many tokens more than those of the text can be read.
    fn room(&self) -> usize {
        let read = self.cache.len() + self.unread;
        self.writer.context_length().saturating_sub(read)
    }

    /// The logits of the token after each of the last `count` tokens of a text, of which the last `count - 1` are
    /// proposed. Where the context is full, the last half of it is read again, as a text that is written alone is.
    fn read(&mut self, text: &[u32], count: usize) -> Vec<Vec<f32>> {
        let Writer { model, device, .. } = self.writer;
        let mut unread = self.unread + count - 1;
        if self.cache.len() + unread > model.context_length() {
            self.cache = model.empty_cache();
            unread = self.writer.again();
        }
        let ids = text[text.len() - unread..].iter();
        let ids = ids.map(|token| *token as i32).collect();
        let input = tokens(ids, [1, unread], device);
        let cache = &mut self.cache;
        let logits = in_pool(device, || {
            let hidden = model.hidden_cached(input, cache);
            let last = hidden.narrow(1, unread - count, count).squeeze_dim::<2>(0);
            model.head().logits(last).into_data() // [count, vocabulary]
        });
        let vocabulary = logits.shape()[1];
        let logits: Vec<f32> = logits.iter().collect();
        logits.chunks(vocabulary).map(<[f32]>::to_vec).collect()
    }

    fn forget(&mut self, count: usize) {
        let read = self.cache.len();
        self.cache.truncate(read.saturating_sub(count));
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn tokens_have_the_shares_of_the_model_whatever_was_proposed() {
        let own = [(0, 0.5), (1, 0.3), (2, 0.2)];
        for other in [
            vec![(0, 0.1), (1, 0.1), (2, 0.8)],
            vec![(0, 0.5), (1, 0.3), (2, 0.2)],
            vec![(3, 1.0)],
            vec![(2, 0.6), (3, 0.4)],
        ] {
            let mut random = ChaCha8Rng::seed_from_u64(5);
            let mut counts = [0.0; 3];
            const DRAWS: usize = 40_000;
            for _ in 0..DRAWS {
                let proposed = drawn(&other, &mut random);
                let token = replaced(proposed, &own, &other, &mut random).unwrap_or(proposed);
                counts[token as usize] += 1.0 / DRAWS as f64;
            }
            for (count, (_, share)) in counts.iter().zip(own) {
                // Four standard errors.
                assert!((count - share).abs() < 0.01, "{counts:?} of {other:?}");
            }
        }
    }
}
