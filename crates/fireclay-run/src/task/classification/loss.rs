//! The loss of a classifier.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};
use fireclay_data::Mix;

use super::super::values::ClassWeights;
use super::ClassificationConfig;

/// Cross-entropy over logits, as PyTorch's `CrossEntropyLoss` defines it with class weights and
/// label smoothing (Szegedy et al. 2016, "Rethinking the Inception Architecture", section 7), and
/// with the focal factor `(1 - p)^gamma` (Lin et al. 2017, "Focal Loss for Dense Object
/// Detection", section 3.2).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CrossEntropy {
    /// Weight of each class; one each if absent.
    pub class_weights: Option<Vec<f64>>,
    /// Share of the target that is spread evenly over all classes.
    pub label_smoothing: f64,
    /// Exponent of the focal factor.
    pub focal_gamma: Option<f64>,
}

impl CrossEntropy {
    /// The loss of a task's configuration, for training rows with `counts[c]` rows of class `c`.
    ///
    /// `balanced` gives each class the weight `n / (classes * count)` (King and Zeng 2001), so
    /// that all classes weigh the same in sum.
    pub fn new(config: &ClassificationConfig, classes: &[String], counts: &[usize]) -> Self {
        Self {
            class_weights: class_weights(&config.class_weights, classes, counts),
            label_smoothing: config.label_smoothing,
            focal_gamma: config.focal_gamma,
        }
    }

    /// The mean loss.
    ///
    /// # Shapes
    ///
    /// - `logits`: `[batch, classes]`
    /// - `truth`: `[batch]`, on the host
    /// - `weights`: `[batch]`, how much each row counts; all alike if absent
    /// - result: `[1]`
    pub fn forward(&self, logits: Tensor<2>, truth: &[u32], weights: Option<&[f32]>) -> Tensor<1> {
        let mut losses = self.rows(log_softmax(logits, 1), truth);
        if let Some(weights) = weights {
            losses = losses.clone() * floats(weights, &losses.device());
        }
        mean(losses, self.weight(truth, weights))
    }

    /// The mean loss of mixtures: each sample is held to its own class and to its partner's, by
    /// their shares (Zhang et al. 2018, "mixup", section 2).
    pub fn forward_mixed(&self, logits: Tensor<2>, truth: &[u32], mix: &Mix) -> Tensor<1> {
        let partners = partners(truth, mix);
        let log_probabilities = log_softmax(logits, 1);
        let device = log_probabilities.device();
        let share = floats(&mix.own, &device);
        let rest = share.clone().neg().add_scalar(1.0);
        let losses = self.rows(log_probabilities.clone(), truth) * share
            + self.rows(log_probabilities, &partners) * rest;
        mean(losses, self.mixed_weight(truth, mix))
    }

    /// The loss of each row, `[batch]`.
    fn rows(&self, log_probabilities: Tensor<2>, truth: &[u32]) -> Tensor<1> {
        let device = log_probabilities.device();
        let [rows, classes] = log_probabilities.dims();
        let targets = indices(truth, &device).reshape([rows, 1]);
        let own = log_probabilities.clone().gather(1, targets).reshape([rows]); // [batch]
        let row_weights = self.row_weights(truth);
        let mut losses = own.clone().neg();
        if let Some(row_weights) = &row_weights {
            losses = losses * weights(row_weights, &device);
        }
        if self.label_smoothing > 0.0 {
            let spread = match &self.class_weights {
                Some(each) => log_probabilities * weights(each, &device).reshape([1, classes]),
                None => log_probabilities,
            };
            let spread = spread
                .sum_dim(1)
                .reshape([rows])
                .div_scalar(-(classes as f64));
            losses = losses.mul_scalar(1.0 - self.label_smoothing)
                + spread.mul_scalar(self.label_smoothing);
        }
        if let Some(gamma) = self.focal_gamma {
            let missed = own.exp().neg().add_scalar(1.0).clamp_min(0.0);
            losses = losses * missed.powf_scalar(gamma);
        }
        losses
    }

    /// What the mean is divided by: the sum of the rows' weights, those of their classes included.
    pub fn weight(&self, truth: &[u32], weights: Option<&[f32]>) -> f64 {
        let own = weights.map(|weights| weights.iter().map(|weight| f64::from(*weight)));
        match (self.row_weights(truth), own) {
            (None, None) => truth.len() as f64,
            (Some(classes), None) => classes.iter().sum(),
            (None, Some(own)) => own.sum(),
            (Some(classes), Some(own)) => classes.iter().zip(own).map(|(c, own)| c * own).sum(),
        }
    }

    pub(super) fn mixed_weight(&self, truth: &[u32], mix: &Mix) -> f64 {
        let Some(own) = self.row_weights(truth) else {
            return truth.len() as f64;
        };
        let shares = mix.own.iter().zip(&mix.partner).enumerate();
        shares
            .map(|(row, (share, partner))| {
                f64::from(*share) * own[row] + f64::from(1.0 - share) * own[*partner as usize]
            })
            .sum()
    }

    fn row_weights(&self, truth: &[u32]) -> Option<Vec<f64>> {
        let weights = self.class_weights.as_ref()?;
        Some(truth.iter().map(|&class| weights[class as usize]).collect())
    }
}

/// Rows of classes that weigh nothing have no mean; their loss is 0.
fn mean(losses: Tensor<1>, weight: f64) -> Tensor<1> {
    losses
        .sum()
        .div_scalar(if weight > 0.0 { weight } else { 1.0 })
}

fn partners(truth: &[u32], mix: &Mix) -> Vec<u32> {
    let partners = mix.partner.iter();
    partners.map(|&partner| truth[partner as usize]).collect()
}

fn class_weights(config: &ClassWeights, classes: &[String], counts: &[usize]) -> Option<Vec<f64>> {
    match config {
        ClassWeights::None => None,
        ClassWeights::Balanced => {
            let rows: usize = counts.iter().sum();
            let weight = |&count: &usize| rows as f64 / (classes.len() * count.max(1)) as f64;
            Some(counts.iter().map(weight).collect())
        }
        ClassWeights::ByName(weights) => {
            let weight = |class: &String| weights.get(class).copied().unwrap_or(1.0);
            Some(classes.iter().map(weight).collect())
        }
    }
}

fn indices(classes: &[u32], device: &Device) -> Tensor<1, Int> {
    let classes: Vec<i32> = classes.iter().map(|&class| class as i32).collect();
    let rows = classes.len();
    Tensor::from_data(TensorData::new(classes, [rows]), device)
}

fn weights(values: &[f64], device: &Device) -> Tensor<1> {
    let values: Vec<f32> = values.iter().map(|&value| value as f32).collect();
    floats(&values, device)
}

fn floats(values: &[f32], device: &Device) -> Tensor<1> {
    Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), device)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logits() -> Tensor<2> {
        Tensor::from_data([[2.0, -1.0, 0.5], [0.0, 1.0, -2.0]], &Device::flex())
    }

    #[test]
    fn a_mixture_is_held_to_both_classes_by_their_shares() {
        let loss = CrossEntropy {
            label_smoothing: 0.1,
            ..CrossEntropy::default()
        };
        let value = |tensor: Tensor<1>| tensor.into_scalar::<f32>();
        let mix = Mix {
            partner: vec![1, 0],
            own: vec![0.7, 0.7],
        };
        let mixed = value(loss.forward_mixed(logits(), &[0, 1], &mix));
        let own = value(loss.forward(logits(), &[0, 1], None));
        let other = value(loss.forward(logits(), &[1, 0], None));
        assert!((mixed - (0.7 * own + 0.3 * other)).abs() < 1e-6, "{mixed}");
        let whole = Mix {
            partner: vec![1, 0],
            own: vec![1.0, 1.0],
        };
        let unmixed = value(loss.forward_mixed(logits(), &[0, 1], &whole));
        assert!((unmixed - own).abs() < 1e-6);
    }

    #[test]
    fn a_row_of_weight_two_counts_as_two_rows() {
        let value = |tensor: Tensor<1>| tensor.into_scalar::<f32>();
        let loss = CrossEntropy {
            class_weights: Some(vec![1.0, 3.0, 0.5]),
            label_smoothing: 0.1,
            focal_gamma: Some(2.0),
        };
        let twice = Tensor::cat(vec![logits(), logits().narrow(0, 1, 1)], 0);
        let repeated = value(loss.forward(twice, &[0, 1, 1], None));
        let weighted = value(loss.forward(logits(), &[0, 1], Some(&[1.0, 2.0])));
        assert!((repeated - weighted).abs() < 1e-6, "{repeated} {weighted}");
        assert_eq!(loss.weight(&[0, 1], Some(&[1.0, 2.0])), 7.0);
        let nothing = value(loss.forward(logits(), &[0, 1], Some(&[0.0, 0.0])));
        assert_eq!(nothing, 0.0);
    }

    #[test]
    fn the_weights_of_classes_are_mixed_too() {
        let loss = CrossEntropy {
            class_weights: Some(vec![1.0, 3.0, 0.0]),
            ..CrossEntropy::default()
        };
        let mix = Mix {
            partner: vec![1, 1],
            own: vec![0.5, 0.25],
        };
        assert_eq!(loss.mixed_weight(&[0, 1], &mix), 2.0 + 3.0);
    }
}
