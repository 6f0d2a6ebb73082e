//! What holds for every language model.

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

fn row(ids: &[i64]) -> Tensor<2, Int> {
    reference::row(ids, &Device::flex())
}
