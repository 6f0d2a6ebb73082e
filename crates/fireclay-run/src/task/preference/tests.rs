use std::num::NonZeroUsize;

use burn::tensor::{Device, Tensor};
use fireclay_models::{Family, GptConfig, LanguageConfig, LanguageNetwork, LanguageShape};

use super::*;
use crate::task::Task;

fn row(numbers: &[f32]) -> Tensor<1> {
    Tensor::from_floats(numbers, &Device::flex())
}

/// Two pairs: answers of 4, 5, 2 and 10 tokens, the better ones first.
fn pairs() -> Pairs {
    Pairs {
        logs: row(&[-8.0, -10.0, -9.0, -12.0]),
        lengths: row(&[4.0, 5.0, 2.0, 10.0]),
        reference: Some(row(&[-9.0, -9.5, -8.0, -16.0])),
    }
}

fn numbers(row: &Tensor<1>) -> Vec<f64> {
    row.to_data().iter::<f64>().collect()
}

fn losses(task: DpoConfig) -> Vec<f64> {
    numbers(&task.judge(pairs()).losses)
}

fn close(found: &[f64], wanted: &[f64]) {
    assert_eq!(found.len(), wanted.len());
    for (found, wanted) in found.iter().zip(wanted) {
        assert!((found - wanted).abs() < 1e-5, "{found}, but {wanted}");
    }
}

fn softplus(x: f64) -> f64 {
    x.exp().ln_1p()
}

#[test]
fn the_losses_are_those_of_the_papers() {
    // The better answers have gained 1 and -0.5, the others -1 and 4.
    let margins = [2.0, -4.5];
    let dpo = DpoConfig::default();
    let wanted = margins.map(|margin| softplus(-0.1 * margin));
    close(&losses(dpo), &wanted);
    let smoothed = DpoConfig {
        label_smoothing: 0.2,
        ..dpo
    };
    let wanted = margins.map(|m| 0.8 * softplus(-0.1 * m) + 0.2 * softplus(0.1 * m));
    close(&losses(smoothed), &wanted);
    let ipo = DpoConfig {
        loss: DpoLoss::Ipo,
        ..dpo
    };
    close(
        &losses(ipo),
        &margins.map(|margin| (margin - 5.0) * (margin - 5.0)),
    );
    let normalised = DpoConfig {
        length_normalised: true,
        ..dpo
    };
    let by_token = [0.25 + 0.5, -0.1 - 0.4];
    let wanted = by_token.map(|margin| softplus(-0.1 * margin));
    close(&losses(normalised), &wanted);
}

#[test]
fn orpo_needs_no_reference() {
    let means: [f64; 4] = [-2.0, -2.0, -4.5, -1.2];
    let odds = means.map(|mean| mean - (1.0 - mean.exp()).ln());
    let wanted = [0, 1].map(|pair| {
        let ratio = odds[pair] - odds[pair + 2];
        -means[pair] + 0.1 * softplus(-ratio)
    });
    let without = Pairs {
        reference: None,
        ..pairs()
    };
    close(
        &numbers(&OrpoConfig::default().judge(without).losses),
        &wanted,
    );
}

#[test]
fn what_is_certain_has_finite_odds() {
    let certain = Pairs {
        logs: row(&[0.0, -200.0]),
        lengths: row(&[3.0, 1.0]),
        reference: None,
    };
    let judged = OrpoConfig::default().judge(certain);
    assert!(numbers(&judged.losses).into_iter().all(f64::is_finite));
}

#[test]
fn a_model_that_has_not_moved_has_the_loss_of_the_start() {
    for loss in [DpoLoss::Sigmoid, DpoLoss::Ipo] {
        let task = DpoConfig {
            loss,
            beta: 0.3,
            ..DpoConfig::default()
        };
        let still = Pairs {
            reference: Some(pairs().logs),
            ..pairs()
        };
        let found = numbers(&task.judge(still).losses);
        close(&found, &[task.loss_at_start(); 2]);
    }
}

#[test]
fn a_reward_model_is_that_of_bradley_and_terry() {
    let rewards = row(&[1.0, -2.0, 0.5, 1.0]);
    let plain = RewardLoss {
        token: 0,
        center: 0.0,
    };
    let wanted = [softplus(-0.5), softplus(3.0)];
    close(&numbers(&plain.judge(rewards.clone()).losses), &wanted);
    let centered = RewardLoss {
        center: 0.1,
        ..plain
    };
    let wanted = [wanted[0] + 0.1 * 2.25, wanted[1] + 0.1];
    close(&numbers(&centered.judge(rewards).losses), &wanted);
}

#[test]
fn impossible_values_are_refused_by_their_keys() {
    let wrong = DpoConfig {
        beta: 0.0,
        label_smoothing: 0.5,
        ..DpoConfig::default()
    };
    let keys: Vec<String> = wrong.validate().into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, ["beta", "label_smoothing"]);
    let orpo = OrpoConfig {
        beta: f64::NAN,
        ..OrpoConfig::default()
    };
    assert_eq!(orpo.validate().len(), 1);
}

#[test]
fn logits_in_pieces_give_the_same_log_probabilities_and_rewards() {
    let device = Device::flex();
    let config = GptConfig {
        layers: Some(1),
        heads: Some(2),
        width: Some(16),
        context_length: Some(8),
        dropout: 0.0,
        ..GptConfig::default()
    };
    let shape = LanguageShape { vocabulary: 11 };
    let model = LanguageConfig::Gpt(config).init(&shape, 3, &device);
    let scored = [0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0];
    let of = |scored: [f32; 12]| PreferenceBatch {
        inputs: Tensor::from_ints([[1, 2, 3, 4, 5, 6], [1, 7, 8, 9, 10, 0]], &device),
        targets: Tensor::from_ints([2, 3, 4, 5, 6, 7, 7, 8, 9, 10, 0, 1], &device),
        scored: Tensor::<1>::from_floats(scored, &device).reshape([2, 6]),
        lengths: row(&[4.0, 2.0]),
        reference: None,
        pairs: 1,
        tokens: 6,
    };
    let logs = |chunk| {
        numbers(&log_probabilities(
            &model,
            &of(scored),
            NonZeroUsize::new(chunk),
        ))
    };
    let whole = logs(0);
    for chunk in [1, 5, 12] {
        close(&logs(chunk), &whole);
    }
    // The last tokens are the sixth and the fourth.
    let mut last = [0.0; 12];
    (last[5], last[9]) = (1.0, 1.0);
    let found = numbers(&rewards(&model, &of(last), 4));
    let all: Vec<f64> = model.forward(of(last).inputs).into_data().iter().collect();
    close(&found, &[all[5 * 11 + 4], all[9 * 11 + 4]]);
}
