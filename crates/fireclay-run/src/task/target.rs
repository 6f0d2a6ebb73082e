//! What a task has to know of the training split.

use fireclay_data::Labels;

/// What the labels of the training split say.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// Names of the classes; none where the target is a number.
    pub classes: Vec<String>,
    /// Training samples of each class, or with each label.
    pub counts: Vec<usize>,
    /// Training samples.
    pub samples: usize,
    /// Mean and standard deviation of a target that is a number.
    pub mean_std: Option<(f64, f64)>,
    /// Tokens to a byte of the validation split, where samples are text and that is known.
    pub tokens_per_byte: Option<f64>,
    /// The token whose logit is a reward, where samples are pairs of answers.
    pub token: Option<u32>,
}

impl Target {
    /// What labels say; `mean_std` is that of numbers.
    pub fn new(classes: &[String], mean_std: Option<(f64, f64)>, labels: &Labels) -> Self {
        let mut counts = vec![0; classes.len()];
        let mut count = |class: &u32| counts[*class as usize] += 1;
        match labels {
            Labels::Classes(labels) => labels.iter().for_each(count),
            Labels::Sets(sets) => sets.iter().flatten().for_each(&mut count),
            Labels::Numbers(_) => {}
        }
        Self {
            classes: classes.to_vec(),
            counts,
            samples: labels.len(),
            mean_std,
            tokens_per_byte: None,
            token: None,
        }
    }

    /// A target of this many classes, each with one sample: what a plan knows.
    pub fn of_classes(count: usize) -> Self {
        Self {
            classes: (0..count).map(|class| class.to_string()).collect(),
            counts: vec![1; count],
            samples: count,
            ..Self::default()
        }
    }
}
