//! How probable a model finds what comes after a text.

use burn::tensor::{Device, Int, Tensor};
use fireclay_kernels::cross_entropy;
use fireclay_models::{Head, LanguageNetwork};

use super::{GenerateError, Writer};
use crate::samples::tokens;

/// A text whose last tokens are judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Judged {
    /// All its tokens, no more than the model reads and one.
    pub tokens: Vec<u32>,
    /// How many of them are judged, from the last back: at least one, and not the first of all.
    pub count: usize,
}

impl Judged {
    /// The tokens that the model reads: all but the last.
    fn read(&self) -> &[u32] {
        &self.tokens[..self.tokens.len() - 1]
    }

    /// The first token that is judged is predicted from this one.
    fn first(&self) -> usize {
        self.tokens.len() - self.count - 1
    }
}

/// What a model makes of the judged tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Likelihood {
    /// The logarithm of their probability, in nats.
    pub logarithm: f64,
    /// Whether each is the most probable one after those before it.
    pub is_greedy: bool,
}

/// Logits that are made at once, at most.
const LOGITS: usize = 1 << 25;

impl Writer<'_> {
    /// The likelihood of the end of each text. What all of them begin with is read once.
    ///
    /// # Errors
    ///
    /// If the model's numbers are not finite.
    pub(crate) fn likelihoods(&self, texts: &[Judged]) -> Result<Vec<Likelihood>, GenerateError> {
        let shared = shared(texts);
        let longest = texts.iter().map(|text| text.read().len()).max();
        let width = longest.unwrap_or(0) - shared;
        let hidden = self.read_all(texts, shared, width);
        let (mut rows, mut targets, mut owners) = (Vec::new(), Vec::new(), Vec::new());
        for (index, text) in texts.iter().enumerate() {
            for at in text.first()..text.tokens.len() - 1 {
                // The shared tokens, then the rest of each text.
                let beyond = at.checked_sub(shared);
                rows.push(beyond.map_or(at, |at| shared + index * width + at) as i32);
                targets.push(text.tokens[at + 1] as i32);
                owners.push(index);
            }
        }
        let judged = judge(&self.model.head(), &hidden, (&rows, &targets), self.device);
        let whole = Likelihood {
            logarithm: 0.0,
            is_greedy: true,
        };
        let mut found = vec![whole; texts.len()];
        for (owner, (loss, is_first)) in owners.into_iter().zip(judged) {
            if !loss.is_finite() {
                return Err(GenerateError::NotFinite);
            }
            found[owner].logarithm -= f64::from(loss);
            found[owner].is_greedy &= is_first;
        }
        Ok(found)
    }

    /// What the head makes logits of: for each of the shared tokens, and then for `width` others of each text, those
    /// beyond its end without meaning, `[shared + texts * width, model width]`.
    fn read_all(&self, texts: &[Judged], shared: usize, width: usize) -> Tensor<2> {
        let mut cache = self.model.empty_cache();
        let mut parts = Vec::new();
        if shared > 0 {
            let ids = texts[0].tokens[..shared].iter();
            let input = tokens(ids.map(|id| *id as i32).collect(), [1, shared], self.device);
            parts.push(self.model.hidden_cached(input, &mut cache).flatten(0, 1));
        }
        if width > 0 {
            let rows = Tensor::<1, Int>::zeros([texts.len()], self.device);
            cache.select(&rows);
            // What is later in a row changes nothing before it.
            let padded = texts.iter().flat_map(|text| {
                let rest = text.read()[shared..].iter().map(|id| *id as i32);
                rest.chain(std::iter::repeat(0)).take(width)
            });
            let input = tokens(padded.collect(), [texts.len(), width], self.device);
            parts.push(self.model.hidden_cached(input, &mut cache).flatten(0, 1));
        }
        Tensor::cat(parts, 0)
    }
}

/// How many tokens all texts begin with, of those that the model reads of each.
fn shared(texts: &[Judged]) -> usize {
    let Some((first, others)) = texts.split_first() else {
        return 0;
    };
    let common = |text: &Judged| {
        let pairs = first.read().iter().zip(text.read());
        pairs.take_while(|(a, b)| a == b).count()
    };
    let least = others.iter().map(common).min();
    least.unwrap_or(first.read().len())
}

/// The loss of each target after these rows of `hidden`, and whether no other token is more probable.
fn judge(
    head: &Head,
    hidden: &Tensor<2>,
    (rows, targets): (&[i32], &[i32]),
    device: &Device,
) -> Vec<(f32, bool)> {
    let vocabulary = head.vocabulary();
    let most = (LOGITS / vocabulary.max(1)).max(1);
    let mut judged = Vec::with_capacity(rows.len());
    for (rows, targets) in rows.chunks(most).zip(targets.chunks(most)) {
        let of = |ids: &[i32]| Tensor::<1, Int>::from_data(ids, device);
        let logits = head.logits(hidden.clone().select(0, of(rows)));
        let first = logits.clone().argmax(1).into_data();
        let losses = cross_entropy(logits, of(targets), 0.0).into_data();
        let first = first.iter::<i64>().zip(targets);
        let first = first.map(|(found, target)| found == i64::from(*target));
        judged.extend(losses.iter::<f32>().zip(first));
    }
    judged
}
