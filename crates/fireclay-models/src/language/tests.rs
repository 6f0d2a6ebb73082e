//! What holds for every language model.

use burn::tensor::{Device, TensorData};

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

/// Fails unless texts of other lengths that come and go have the very logits that each has alone, which are those of
/// reading all.
pub fn assert_each(model: &LanguageModel, file: &Tensors) {
    let ids: Vec<i64> = file["greedy_prompt_ids"].iter().collect();
    let context = model.context_length();
    let device = Device::flex();
    // Where each begins in the tokens, how many it is given at once, when it comes, and how long it stays.
    let plans = [
        (0, 3, 0, 4),
        (1, 1, 0, 6),
        (2, 2, 1, 2),
        (1, 4, 3, 3),
        (0, 1, 4, 2),
    ];
    let token = |text: usize, at: usize| ids[(plans[text].0 + at * (text + 1)) % ids.len()];
    let start = |text: usize| {
        let first: Vec<i64> = (0..plans[text].1).map(|at| token(text, at)).collect();
        let mut cache = model.empty_cache();
        model.forward_cached(row(&first), &mut cache);
        cache.into_text().expect("it has read something")
    };
    let next = |texts: &mut [(usize, ReadText)]| {
        let tokens: Vec<i64> = texts
            .iter()
            .map(|(text, read)| token(*text, read.len()))
            .collect();
        let tokens = Tensor::<1, Int>::from_data(TensorData::from(&tokens[..]), &device);
        let mut read: Vec<&mut ReadText> = texts.iter_mut().map(|(_, read)| read).collect();
        model.forward_each(tokens, &mut read, 8)
    };
    let mut together = vec![Vec::new(); plans.len()];
    let mut texts: Vec<(usize, ReadText)> = Vec::new();
    for step in 0..8 {
        texts.retain(|(text, _)| step < plans[*text].2 + plans[*text].3);
        let come = (0..plans.len()).filter(|text| plans[*text].2 == step);
        texts.extend(come.map(|text| (text, start(text))));
        if texts.is_empty() {
            continue;
        }
        let logits = next(&mut texts);
        for (row, (text, _)) in texts.iter().enumerate() {
            together[*text].push(logits.clone().narrow(0, row, 1).into_data());
        }
    }
    for (text, together) in together.into_iter().enumerate() {
        let (_, given, _, steps) = plans[text];
        assert!(
            given + steps <= context && together.len() == steps,
            "text {text}"
        );
        let mut alone = [(text, start(text))];
        for (step, found) in together.into_iter().enumerate() {
            assert_eq!(
                next(&mut alone).into_data(),
                found,
                "text {text}, step {step}"
            );
            let whole: Vec<i64> = (0..=given + step).map(|at| token(text, at)).collect();
            let last = model.forward(row(&whole)).narrow(1, given + step, 1);
            assert_close(&found, &last.squeeze_dim::<2>(1).into_data(), 1e-5, "each");
        }
    }
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
