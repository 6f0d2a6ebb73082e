//! What holds for every language model.

use burn::tensor::Device;

use super::*;
use crate::reference::{self, Tensors, assert_close};

/// Fails unless reading token by token gives the logits of reading all, and the most likely tokens
/// after the prompt of the file are the file's.
pub fn assert_cache(model: &LanguageModel, file: &Tensors) {
    let ids: Vec<i64> = file["greedy_prompt_ids"].iter().collect();
    let expected: Vec<i64> = file["greedy_output_ids"].iter().collect();
    let (mut text, mut cache) = (ids.clone(), model.empty_cache());
    assert!(cache.is_empty());
    let mut unread = ids;
    while text.len() < expected.len() {
        let new = unread.len();
        let last = model.forward_cached(row(&unread), &mut cache);
        let last = last.narrow(1, new - 1, 1);
        let whole = model.forward(row(&text)).narrow(1, text.len() - 1, 1);
        assert_close(&last.to_data(), &whole.into_data(), 1e-5, "cached");
        assert_eq!(cache.len(), text.len());
        let next: i64 = last.argmax(2).into_data().iter().next().unwrap();
        text.push(next);
        unread = vec![next];
    }
    assert_eq!(text, expected);
}

/// Fails unless another last token leaves the logits before it as they are.
pub fn assert_causal(model: &LanguageModel) {
    let (one, other) = (
        model.forward(row(&[3, 1, 4, 1, 5, 9])),
        model.forward(row(&[3, 1, 4, 1, 5, 26])),
    );
    let first = |logits: &Tensor<3>| logits.clone().narrow(1, 0, 5).into_data();
    assert_eq!(first(&one), first(&other));
    assert_ne!(one.into_data(), other.into_data());
}

/// Fails unless documents that share rows have the logits and gradients of those that stand alone.
/// The model must not drop anything.
pub fn assert_packed(model: &LanguageModel, device: &Device) {
    let text = [3i64, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3];
    // Rows of eight: the position and length of each document; what is left is padding.
    let documents = [(0, 0, 5), (0, 5, 1), (0, 6, 2), (1, 0, 4), (1, 4, 3)];
    let mut starts = [0i64, 0, 0, 0, 0, 5, 6, 6, 0, 0, 0, 0, 4, 4, 4, 7].to_vec();
    let rows = |ids: &[i64]| reference::row(ids, device).reshape([2, 8]);
    let packed = model.forward_packed(rows(&text), rows(&starts));
    let (mut together, mut apart) = (Tensor::zeros([1], device), Tensor::zeros([1], device));
    for (row, start, length) in documents {
        let found = packed.clone().narrow(0, row, 1).narrow(1, start, length);
        let ids = &text[8 * row + start..][..length];
        let alone = model.forward(reference::row(ids, device));
        assert_close(&found.to_data(), &alone.to_data(), 1e-5, "logits");
        together = together + found.square().sum();
        apart = apart + alone.square().sum();
    }
    let gradients = |loss: Tensor<1>| reference::gradients(model, &loss.backward(), str::to_string);
    let (together, apart) = (gradients(together), gradients(apart));
    assert!(together.keys().eq(apart.keys()));
    for (name, found) in &together {
        assert_close(found, &apart[name], 1e-5, name);
    }
    // In one document, every token would see what is before it.
    starts[5] = 0;
    let other = model.forward_packed(rows(&text), rows(&starts));
    assert_ne!(packed.into_data(), other.into_data());
}

fn row(ids: &[i64]) -> Tensor<2, Int> {
    reference::row(ids, &Device::flex())
}
