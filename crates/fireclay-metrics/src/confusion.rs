//! Metrics of decided classes, all read from one confusion matrix.

/// How often each true class was predicted as each class.
///
/// In the formulas below c_ij is the number of rows of true class i that were predicted as j,
/// t_i = Σ_j c_ij (the support of i), p_j = Σ_i c_ij, and s the number of all rows. A ratio whose
/// denominator is 0 counts as 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfusionMatrix {
    classes: usize,
    counts: Vec<u64>,
}

impl ConfusionMatrix {
    /// Counts the pairs of `truth` and `predicted`, `[n]` each and below `classes`.
    ///
    /// # Panics
    ///
    /// If the lengths differ or a class is not below `classes`.
    pub fn new(classes: usize, truth: &[u32], predicted: &[u32]) -> Self {
        assert_eq!(truth.len(), predicted.len(), "one prediction for each row");
        let mut counts = vec![0; classes * classes];
        for (&truth, &predicted) in truth.iter().zip(predicted) {
            let (truth, predicted) = (truth as usize, predicted as usize);
            assert!(truth.max(predicted) < classes, "classes below {classes}");
            counts[truth * classes + predicted] += 1;
        }
        Self { classes, counts }
    }

    /// One row for each true class, one column for each predicted one.
    pub fn rows(&self) -> Vec<Vec<u64>> {
        let width = self.classes.max(1);
        self.counts.chunks(width).map(<[u64]>::to_vec).collect()
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Number of all rows of the split: s.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Number of rows whose true class is `class`: t.
    pub fn support(&self, class: usize) -> u64 {
        (0..self.classes).map(|j| self.count(class, j)).sum()
    }

    /// Precision of one class: c_kk / p_k.
    pub fn precision(&self, class: usize) -> f64 {
        ratio(self.count(class, class), self.predicted(class))
    }

    /// Recall of one class: c_kk / t_k.
    pub fn recall(&self, class: usize) -> f64 {
        ratio(self.count(class, class), self.support(class))
    }

    /// Harmonic mean of precision and recall (van Rijsbergen 1979, chapter 7):
    /// 2 c_kk / (t_k + p_k).
    pub fn f1(&self, class: usize) -> f64 {
        let either = self.support(class) + self.predicted(class);
        ratio(2 * self.count(class, class), either)
    }

    /// Unweighted mean of a metric of one class, such as `matrix.macro_mean(ConfusionMatrix::f1)`, over the
    /// classes that occur in the truth or in the predictions: what scikit-learn's `average="macro"` takes
    /// without `labels`. A class that is only predicted takes part with its 0.
    pub fn macro_mean(&self, metric: impl Fn(&Self, usize) -> f64) -> f64 {
        let occurs = |class: &usize| self.support(*class) + self.predicted(*class) > 0;
        let occurring: Vec<usize> = (0..self.classes).filter(occurs).collect();
        let sum: f64 = occurring.iter().map(|&class| metric(self, class)).sum();
        sum / occurring.len().max(1) as f64
    }

    /// Mean of a metric of one class over all classes, weighted by the support of each.
    pub fn weighted_mean(&self, metric: impl Fn(&Self, usize) -> f64) -> f64 {
        let sum: f64 = (0..self.classes)
            .map(|class| self.support(class) as f64 * metric(self, class))
            .sum();
        sum / self.total().max(1) as f64
    }

    /// Fraction of rows that were predicted right: Σ_k c_kk / s. Precision, recall and F1 from
    /// pooled counts (the "micro" averages) are the same number.
    pub fn accuracy(&self) -> f64 {
        ratio(self.correct(), self.total())
    }

    /// Mean recall of the classes that occur in the truth (Brodersen et al. 2010).
    pub fn balanced_accuracy(&self) -> f64 {
        let mut sum = 0.0;
        let mut occurring = 0;
        for class in (0..self.classes).filter(|&class| self.support(class) > 0) {
            sum += self.recall(class);
            occurring += 1;
        }
        sum / f64::from(occurring.max(1))
    }

    /// Matthews correlation coefficient for any number of classes (Gorodkin 2004, equation 8):
    /// (s Σ c_kk - Σ p_k t_k) / √((s² - Σ p_k²) (s² - Σ t_k²)), from -1 to 1; 0 where the truth
    /// or the prediction has one class only.
    pub fn mcc(&self) -> f64 {
        let [agreement, predicted, truth] = self.marginal_products();
        let total = self.total() as f64;
        let covariance = total * self.correct() as f64 - agreement;
        let spread = (total * total - predicted).sqrt() * (total * total - truth).sqrt();
        match spread > 0.0 {
            true => covariance / spread,
            false => 0.0,
        }
    }

    /// Cohen's kappa (Cohen 1960): the agreement beyond chance,
    /// (accuracy - e) / (1 - e) with e = Σ p_k t_k / s². `None` where chance agrees always, that
    /// is where truth and prediction are one and the same class throughout.
    pub fn cohen_kappa(&self) -> Option<f64> {
        let [agreement, ..] = self.marginal_products();
        let total = self.total() as f64;
        let beyond = total * total - agreement;
        (beyond > 0.0).then(|| (total * self.correct() as f64 - agreement) / beyond)
    }

    /// Fraction of rows that were predicted wrong.
    pub(crate) fn error_rate(&self) -> f64 {
        ratio(self.total() - self.correct(), self.total())
    }

    /// The counts of several binary classifiers together.
    pub(crate) fn pooled<'a>(matrices: impl Iterator<Item = &'a Self>) -> Self {
        let mut pooled = Self::binary([0; 4]);
        for matrix in matrices {
            for (sum, count) in pooled.counts.iter_mut().zip(&matrix.counts) {
                *sum += count;
            }
        }
        pooled
    }

    /// From the true negatives, false positives, false negatives and true positives of a binary
    /// classifier.
    pub(crate) fn binary(counts: [u64; 4]) -> Self {
        Self {
            classes: 2,
            counts: counts.into(),
        }
    }

    fn count(&self, truth: usize, predicted: usize) -> u64 {
        self.counts[truth * self.classes + predicted]
    }

    /// Number of rows predicted as `class`: p.
    fn predicted(&self, class: usize) -> u64 {
        (0..self.classes).map(|i| self.count(i, class)).sum()
    }

    fn correct(&self) -> u64 {
        (0..self.classes).map(|k| self.count(k, k)).sum()
    }

    /// Σ p_k t_k, Σ p_k² and Σ t_k².
    fn marginal_products(&self) -> [f64; 3] {
        let mut sums = [0.0; 3];
        for class in 0..self.classes {
            let predicted = self.predicted(class) as f64;
            let truth = self.support(class) as f64;
            sums[0] += predicted * truth;
            sums[1] += predicted * predicted;
            sums[2] += truth * truth;
        }
        sums
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    match whole {
        0 => 0.0,
        _ => part as f64 / whole as f64,
    }
}
