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
    let mut counts = vec![0; logits.len()];
    for _ in 0..4000 {
        counts[sampling.choose(logits, before, &mut random).unwrap() as usize] += 1;
    }
    counts
}

#[test]
fn temperature_zero_takes_the_first_of_the_most_probable() {
    assert_eq!(choices(&GREEDY, &[0.0, 3.0, 3.0], &[]), [0, 4000, 0]);
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
    let chosen = GREEDY.choose(&[0.0, f32::NAN], &[], &mut random);
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
