//! What a beam search computes.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use fireclay_models::{DecoderCache, TranslationModel, TranslationNetwork};

use crate::task::TextInput;

/// The tensors of a search, without what is decided by their numbers.
pub(super) struct Search<'a> {
    model: &'a TranslationModel,
    memory: Tensor<3>,
    source_mask: Tensor<2, Bool>,
    cache: DecoderCache,
}

impl<'a> Search<'a> {
    /// Nothing written yet: every source has as many rows as there are drafts of it.
    pub fn new(model: &'a TranslationModel, sources: TextInput, beam_size: usize) -> Self {
        let TextInput { tokens, mask } = sources;
        let ([count, _], device) = (tokens.dims(), tokens.device());
        let memory = model.encode(tokens, mask.clone());
        let copies = (0..count).flat_map(|row| std::iter::repeat_n(row, beam_size));
        let copies = rows(copies, &device);
        Self {
            model,
            memory: memory.select(0, copies.clone()),
            source_mask: mask.select(0, copies),
            cache: model.empty_cache(),
        }
    }

    /// Log-probabilities of the token after `last`, `[rows, 1]`, row by row: `[rows, vocabulary]`.
    pub fn scores(&mut self, last: Tensor<2, Int>) -> Tensor<2> {
        let mask = self.source_mask.clone();
        let logits = self
            .model
            .decode_cached(last, &self.memory, mask, &mut self.cache);
        let [rows, _, vocabulary] = logits.dims();
        log_softmax(logits.reshape([rows, vocabulary]), 1)
    }

    /// Goes on with the drafts at these rows.
    pub fn keep(&mut self, parents: Vec<usize>) {
        self.cache
            .select(rows(parents.into_iter(), &self.memory.device()));
    }
}

/// A search without its decisions, until each draft has so many tokens: what it takes.
pub fn search_blindly(
    model: &TranslationModel,
    sources: TextInput,
    beam_size: usize,
    written: usize,
) {
    let mut search = Search::new(model, sources, beam_size);
    let ([rows, ..], device) = (search.memory.dims(), search.memory.device());
    for _ in 0..written {
        search.scores(Tensor::zeros([rows, 1], &device));
        search.keep((0..rows).collect());
    }
}

fn rows(rows: impl Iterator<Item = usize>, device: &Device) -> Tensor<1, Int> {
    let rows: Vec<i32> = rows.map(|row| row as i32).collect();
    let count = rows.len();
    Tensor::from_data(TensorData::new(rows, [count]), device)
}
