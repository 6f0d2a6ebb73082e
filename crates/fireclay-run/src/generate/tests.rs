use std::collections::BTreeSet;

use fireclay_models::{Family, GptConfig, LanguageConfig, LanguageShape};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::held::Held;
use super::*;

const GREEDY: Sampling = Sampling {
    temperature: 0.0,
    top_k: None,
    top_p: 1.0,
    repetition_penalty: 1.0,
    seed: 0,
};

fn choices(sampling: &Sampling, logits: &[f32], before: &[u32]) -> Vec<usize> {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let before = before.iter().copied().collect();
    let mut counts = vec![0; logits.len()];
    for _ in 0..4000 {
        counts[sampling.choose(logits, &before, &mut random).unwrap() as usize] += 1;
    }
    counts
}

#[test]
fn temperature_zero_takes_the_first_of_the_most_probable() {
    assert_eq!(choices(&GREEDY, &[0.0, 3.0, 3.0], &[]), [0, 4000, 0]);
}

#[test]
fn the_fast_order_is_that_of_the_logits_and_of_the_vocabulary_among_equals() {
    let logits = [0.5f32, -1.0, 3.0, -0.0, 0.0, 3.0, -7.5, 1e-40, -1e-40, 0.5];
    let mut wanted: Vec<(u32, f64)> = (0..).zip(logits.map(f64::from)).collect();
    wanted.sort_by(|a, b| b.1.total_cmp(&a.1));
    for top_k in [None, Some(1), Some(4), Some(10), Some(99)] {
        let sampling = Sampling { top_k, ..GREEDY };
        let count = top_k.unwrap_or(99).min(10);
        assert_eq!(sampling.ranked(&logits), wanted[..count]);
    }
}

#[test]
fn choices_follow_the_probabilities() {
    let sampling = Sampling {
        temperature: 1.0,
        ..GREEDY
    };
    let logits = [0.5f32, 0.3, 0.2].map(f32::ln);
    let counts = choices(&sampling, &logits, &[]);
    for (count, share) in counts.iter().zip([0.5, 0.3, 0.2]) {
        assert!((*count as f64 / 4000.0 - share).abs() < 0.03, "{counts:?}");
    }
}

#[test]
fn top_k_and_top_p_leave_the_tail_out() {
    let logits = [0.2f32, 0.5, 0.3].map(f32::ln);
    let top_k = Sampling {
        temperature: 1.0,
        top_k: Some(2),
        ..GREEDY
    };
    assert_eq!(choices(&top_k, &logits, &[])[0], 0);
    let top_p = Sampling {
        temperature: 1.0,
        top_p: 0.7,
        ..GREEDY
    };
    let counts = choices(&top_p, &logits, &[]);
    assert!(counts[0] == 0 && counts[2] > 0, "{counts:?}");
    let first = Sampling {
        temperature: 1.0,
        top_p: 0.4,
        ..GREEDY
    };
    assert_eq!(choices(&first, &logits, &[]), [0, 4000, 0]);
}

#[test]
fn the_penalty_lowers_what_was_there_whatever_its_sign() {
    let sampling = Sampling {
        repetition_penalty: 2.0,
        ..GREEDY
    };
    assert_eq!(choices(&sampling, &[1.0, 1.5], &[1]), [4000, 0]);
    assert_eq!(choices(&sampling, &[-1.0, -0.8], &[1, 1]), [4000, 0]);
}

#[test]
fn numbers_that_are_not_finite_are_an_error() {
    let mut random = ChaCha8Rng::seed_from_u64(0);
    let chosen = GREEDY.choose(&[0.0, f32::NAN], &BTreeSet::new(), &mut random);
    assert!(matches!(chosen, Err(GenerateError::NotFinite)));
}

#[test]
fn a_stop_text_is_not_written_even_in_pieces() {
    let stop = vec!["END".to_owned()];
    let mut held = Held::new(stop);
    assert_eq!(held.push("one E"), ("one ".into(), false));
    assert_eq!(held.push("N"), (String::new(), false));
    assert_eq!(held.push("ough E"), ("ENough ".into(), false));
    assert_eq!(held.push("ND more"), (String::new(), true));
}

/// A tokenizer of words, and a small model of first weights.
fn small(folder: &std::path::Path) -> (LanguageModel, Tokenizer) {
    let words: serde_json::Map<String, serde_json::Value> = (0..40)
        .map(|word| (format!("w{word}"), word.into()))
        .collect();
    let json = serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
        "model": {"type": "WordLevel", "vocab": words, "unk_token": "w0"},
    });
    let path = folder.join("tokenizer.json");
    std::fs::write(&path, json.to_string()).expect("written");
    let tokenizer = Tokenizer::load(&path).expect("a tokenizer");
    let config = GptConfig {
        layers: Some(2),
        heads: Some(2),
        width: Some(32),
        context_length: Some(100),
        dropout: 0.0,
        ..GptConfig::default()
    };
    let shape = LanguageShape { vocabulary: 40 };
    let model = LanguageConfig::Gpt(config).init(&shape, 3, &Device::flex());
    (model, tokenizer)
}

/// What a text is asked for: prompts of one piece and of several, short texts and such that outgrow the context.
fn asked(text: usize) -> (Vec<u32>, Sampling, Limits) {
    let length = [3, 90, 1, 70, 130, 20, 65, 64][text];
    let prompt = (0..length).map(|at| ((at * at + 7 * text + 3) % 40) as u32);
    let sampling = Sampling {
        temperature: [0.0, 0.8, 1.5][text % 3],
        repetition_penalty: 1.1,
        seed: text as u64,
        ..GREEDY
    };
    let limits = Limits {
        max_tokens: 10 + 17 * text,
        stop: Vec::new(),
    };
    (prompt.collect(), sampling, limits)
}

#[test]
fn texts_side_by_side_are_those_that_each_is_alone_whoever_comes_and_leaves() {
    let folder = tempfile::tempdir().expect("a folder");
    let (model, tokenizer) = small(folder.path());
    let device = Device::flex();
    let several = |slots| Writer::new(&model, &tokenizer, &device).several(slots);
    let alone = |text| {
        let ((prompt, sampling, limits), mut several) = (asked(text), several(1));
        several.begin(prompt, sampling, limits).expect("it begins");
        let mut steps = Vec::new();
        while !several.has_room() {
            steps.extend(
                several
                    .step()
                    .into_iter()
                    .map(|(_, step)| step.expect("a token")),
            );
        }
        steps
    };
    let mut together = several(3);
    let mut found = vec![Vec::new(); 8];
    let (mut waiting, mut at) = ((0..8).rev().collect::<Vec<usize>>(), [None; 3]);
    let (mut shared, mut left) = (0, false);
    for step in 0.. {
        while together.has_room() && step % 3 != 1 {
            let Some(text) = waiting.pop() else {
                break;
            };
            let (prompt, sampling, limits) = asked(text);
            let slot = together.begin(prompt, sampling, limits).expect("it begins");
            at[slot.expect("there is room")] = Some(text);
        }
        // One of them leaves in the middle, and its place is taken.
        if let (false, Some(slot)) = (left, at.iter().position(|text| *text == Some(3)))
            && found[3].len() > 20
        {
            (left, at[slot]) = (true, None);
            together.leave(slot);
        }
        if waiting.is_empty() && at.iter().all(Option::is_none) {
            break;
        }
        let written = together.step();
        shared += usize::from(written.len() > 1);
        for (slot, step) in written {
            let step: Step = step.expect("a token");
            let text = at[slot].expect("it was begun");
            if step.ended.is_some() {
                at[slot] = None;
            }
            found[text].push(step);
        }
    }
    assert!(shared > 50 && left, "{shared} steps were shared");
    for (text, found) in found.iter().enumerate() {
        let alone = alone(text);
        let is_whole = text != 3;
        // The last token is the end, without a step more.
        assert_eq!(alone.len(), asked(text).2.max_tokens, "text {text}");
        assert_eq!(found[..], alone[..found.len()], "text {text}");
        assert_eq!(found.len() == alone.len(), is_whole, "text {text}");
    }
}

#[test]
fn a_text_of_several_is_that_of_a_single_writer() {
    let folder = tempfile::tempdir().expect("a folder");
    let (model, tokenizer) = small(folder.path());
    let device = Device::flex();
    for text in 0..8 {
        let writer = || Writer::new(&model, &tokenizer, &device);
        let (prompt, sampling, limits) = asked(text);
        // Rounding differs, so a token may be drawn that is not; no two of the most probable are so near.
        let sampling = Sampling {
            temperature: 0.0,
            ..sampling
        };
        let mut single = String::new();
        let ended = writer().go_on(prompt.clone(), &sampling, &limits, |piece| single += piece);
        assert_eq!(ended.expect("a text"), Ended::Length);
        let mut several = writer().several(2);
        several.begin(prompt, sampling, limits).expect("it begins");
        let (mut found, mut is_over) = (String::new(), false);
        while !is_over {
            for (_, step) in several.step() {
                let step = step.expect("a token");
                found += &step.text;
                is_over = step.ended.is_some();
            }
        }
        assert_eq!(found, single, "text {text}");
    }
}

#[test]
fn a_text_that_outgrows_its_context_is_read_again_after_prompts_that_wait() {
    let folder = tempfile::tempdir().expect("a folder");
    let (model, tokenizer) = small(folder.path());
    let device = Device::flex();
    let mut several = Writer::new(&model, &tokenizer, &device).several(2);
    let limits = Limits {
        max_tokens: 20,
        stop: Vec::new(),
    };
    let begin = |several: &mut Several<'_>, length: u32| {
        let prompt = (0..length).map(|at| at % 40).collect();
        several
            .begin(prompt, GREEDY, limits.clone())
            .expect("it begins")
    };
    let step = |several: &mut Several<'_>| {
        let written = several.step().into_iter();
        written.map(|(slot, _)| slot).collect::<Vec<_>>()
    };
    // One piece, then the rest of all but one of the hundred tokens of the context, then the last one.
    assert_eq!(begin(&mut several, 99), Some(0));
    assert_eq!(
        [(); 3].map(|()| step(&mut several)),
        [vec![], vec![0], vec![0]]
    );
    assert_eq!(begin(&mut several, 3), Some(1));
    assert_eq!(step(&mut several), [1]);
    assert_eq!(step(&mut several), [1, 0]);
}

#[test]
fn a_text_whose_tokens_are_proposed_is_the_same_at_temperature_zero() {
    let folder = tempfile::tempdir().expect("a folder");
    let (model, tokenizer) = small(folder.path());
    let device = Device::flex();
    let config = GptConfig {
        layers: Some(1),
        heads: Some(2),
        width: Some(16),
        context_length: Some(50),
        dropout: 0.0,
        ..GptConfig::default()
    };
    let shape = LanguageShape { vocabulary: 40 };
    let other = LanguageConfig::Gpt(config).init(&shape, 9, &device);
    for text in 0..8 {
        let (prompt, _, limits) = asked(text);
        let writer = |model| Writer::new(model, &tokenizer, &device);
        let mut alone = String::new();
        let ended = writer(&model).go_on(prompt.clone(), &GREEDY, &limits, |piece| alone += piece);
        assert_eq!(ended.expect("a text"), Ended::Length);
        // One that knows all, and one that knows nothing; the texts outgrow both contexts.
        for (scout, proposals) in [(&model, 1), (&model, 5), (&other, 4)] {
            let how = (GREEDY, limits.clone());
            let proposed = writer(&model).begin_with(writer(scout), proposals, prompt.clone(), how);
            let mut proposed = proposed.expect("the same tokens");
            let mut found = String::new();
            let ended = proposed.go_on(|piece| found += piece).expect("a text");
            assert_eq!(
                (ended, found),
                (Ended::Length, alone.clone()),
                "text {text}"
            );
            assert!(proposed.kept <= proposed.proposed);
            let knows_all = std::ptr::eq(scout, &model) && prompt.len() + limits.max_tokens < 50;
            assert!(
                !knows_all || proposed.kept == proposed.proposed,
                "text {text}"
            );
        }
    }
}
