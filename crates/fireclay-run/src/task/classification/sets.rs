//! Sets of classes that hold the truth with a stated coverage (Angelopoulos and Bates 2021, section 2.1).

use fireclay_metrics::{ClassCoverage, ConformalMethod, Coverage, conformal_radius, coverage_of};

use super::ClassificationAnswer;

/// The classes of one set, each from its limit on.
pub(super) fn set(probabilities: &[f64], limits: &[f64]) -> Vec<u32> {
    let classes = (0u32..).zip(probabilities.iter().zip(limits));
    let classes = classes.filter(|(_, (probability, least))| probability >= least);
    classes.map(|(class, _)| class).collect()
}

/// The least probability in a set, given those of the truth; `None` if there are too few.
pub(super) fn limit(of_truth: impl Iterator<Item = f64>, coverage: f64) -> Option<f64> {
    // The probability of the truth is small where the score, 1 minus it, is large.
    let limit = conformal_radius(of_truth.map(|p| -p).collect(), coverage);
    limit.map(|limit| -limit)
}

impl ClassificationAnswer {
    /// The probability of the true class of each row.
    pub(super) fn of_truth(
        &self,
        truth: &[u32],
        probabilities: &[f64],
    ) -> impl Iterator<Item = f64> {
        let rows = probabilities.chunks(self.classes.len()).zip(truth);
        rows.map(|(row, class)| row[*class as usize])
    }

    /// The limit of each class, from its own rows; a class of too few is in every set.
    pub(super) fn limits_by_class(
        &self,
        truth: &[u32],
        probabilities: &[f64],
        coverage: f64,
    ) -> Vec<f64> {
        let own = |class| {
            let rows = self.of_truth(truth, probabilities).zip(truth);
            rows.filter_map(move |(p, of)| (*of == class).then_some(p))
        };
        let classes = 0..self.classes.len() as u32;
        classes
            .map(|class| limit(own(class), coverage).unwrap_or(0.0))
            .collect()
    }

    /// The least probability of each class in a set, if answers have sets.
    pub(super) fn limits(&self) -> Option<Vec<f64>> {
        match &self.least_by_class[..] {
            [] => Some(vec![self.least?; self.classes.len()]),
            limits => Some(limits.to_vec()),
        }
    }

    /// How many answers are not in their own set.
    pub(super) fn outside_of(&self, limits: &[f64], chosen: &[u32], probabilities: &[f64]) -> u64 {
        let rows = probabilities.chunks(self.classes.len()).zip(chosen);
        let outside = rows.filter(|(row, class)| {
            let class = **class as usize;
            row[class] < limits[class]
        });
        outside.count() as u64
    }

    /// How often the sets hold the truth, over all rows and by class.
    pub(super) fn covered(
        &self,
        truth: &[u32],
        (chosen, probabilities): (&[u32], &[f64]),
    ) -> Option<Coverage> {
        let (limits, stated) = self.limits().zip(self.coverage)?;
        let rows = probabilities.chunks(self.classes.len());
        let sizes: Vec<f64> = rows.map(|row| set(row, &limits).len() as f64).collect();
        let held = self.of_truth(truth, probabilities).zip(truth);
        let held: Vec<bool> = held
            .map(|(p, class)| p >= limits[*class as usize])
            .collect();
        let method = match self.least_by_class.is_empty() {
            true => ConformalMethod::Lac,
            false => ConformalMethod::LacByClass,
        };
        let by_class = (0u32..).zip(self.classes.iter().zip(&limits));
        let by_class = by_class.map(|(class, (name, least))| {
            let rows = truth.iter().zip(&held);
            let own = rows.filter_map(|(of, held)| (*of == class).then_some(*held));
            ClassCoverage::new(name, *least, &own.collect::<Vec<_>>())
        });
        let outside = self.outside_of(&limits, chosen, probabilities) as f64;
        Some(Coverage {
            outside: Some(outside / truth.len().max(1) as f64),
            by_class: by_class.collect(),
            ..coverage_of((method, stated), &held, &sizes)?
        })
    }
}
