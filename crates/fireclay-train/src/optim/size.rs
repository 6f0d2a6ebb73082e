//! How much an optimizer remembers.

use super::OptimizerConfig;

impl OptimizerConfig {
    /// The numbers that it remembers of a parameter of this shape; `hidden` says whether it is one of
    /// the hidden weights, which Muon treats in a way of its own.
    pub fn state(&self, shape: &[usize], hidden: bool) -> u64 {
        let numbers: u64 = shape.iter().map(|side| *side as u64).product();
        let of = |kept: &[bool]| numbers * kept.iter().filter(|kept| **kept).count() as u64;
        match self {
            Self::Sgd(config) => of(&[config.momentum > 0.0]),
            Self::Adam(config) => of(&[true, true, config.amsgrad]),
            Self::AdamW(config) => of(&[true, true, config.amsgrad]),
            Self::RmsProp(config) => of(&[true, config.centered, config.momentum > 0.0]),
            Self::Adagrad(_) | Self::Lion(_) => numbers,
            Self::Muon(_) => of(&[true, !hidden]),
            // One for each row and one for each column.
            Self::Adafactor(_) => match shape {
                [.., rows, columns] => numbers / *columns as u64 + numbers / *rows as u64,
                _ => numbers,
            },
        }
    }
}
