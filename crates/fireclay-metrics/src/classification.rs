//! The predictions of a classifier on one split.

/// Probability of the positive class from which on a binary classifier answers "positive".
pub const DEFAULT_THRESHOLD: f64 = 0.5;

/// True classes and predicted probabilities of every row of a split.
///
/// With two classes the second one (class 1) is the positive class, unless another is named.
#[derive(Clone, Copy, Debug)]
pub struct Classification<'a> {
    classes: usize,
    truth: &'a [u32],
    probabilities: &'a [f64],
    threshold: Option<f64>,
    positive: usize,
    decided: Option<&'a [u32]>,
}

impl<'a> Classification<'a> {
    /// `truth` is `[n]`, each below `classes`; `probabilities` is `[n, classes]`, row-major, its
    /// rows summing to 1.
    ///
    /// # Panics
    ///
    /// If the shapes disagree or a true class is not below `classes`: labels are encoded, and
    /// refused where unknown, long before a metric is computed.
    pub fn new(classes: usize, truth: &'a [u32], probabilities: &'a [f64]) -> Self {
        assert_eq!(
            probabilities.len(),
            truth.len() * classes,
            "probabilities must be [{}, {classes}]",
            truth.len(),
        );
        assert!(
            truth.iter().all(|&class| (class as usize) < classes),
            "every true class must be below {classes}",
        );
        Self {
            classes,
            truth,
            probabilities,
            threshold: None,
            positive: 1,
            decided: None,
        }
    }

    /// With these classes decided, `[n]`, whatever the probabilities say.
    ///
    /// # Panics
    ///
    /// If the shapes disagree.
    pub fn with_decided(self, decided: &'a [u32]) -> Self {
        assert_eq!(decided.len(), self.truth.len(), "a class a row");
        Self {
            decided: Some(decided),
            ..self
        }
    }

    /// With two classes, the positive one is this.
    ///
    /// # Panics
    ///
    /// If there are not two classes, or it is none of them.
    pub fn with_positive(self, positive: usize) -> Self {
        assert_eq!(self.classes, 2, "one of two classes is the positive one");
        assert!(positive < 2, "class {positive} of 2");
        Self { positive, ..self }
    }

    /// Decide for the positive class from this probability on, instead of
    /// [`DEFAULT_THRESHOLD`]. Only two classes have a threshold.
    ///
    /// # Panics
    ///
    /// If there are not two classes.
    pub fn with_threshold(self, threshold: f64) -> Self {
        assert_eq!(self.classes, 2, "a threshold needs exactly two classes");
        Self {
            threshold: Some(threshold),
            ..self
        }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.truth.len()
    }

    /// Whether the split has no row.
    pub fn is_empty(&self) -> bool {
        self.truth.is_empty()
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The true classes, `[n]`.
    pub fn truth(&self) -> &'a [u32] {
        self.truth
    }

    /// The probabilities, `[n, classes]`, row-major.
    pub fn probabilities(&self) -> &'a [f64] {
        self.probabilities
    }

    /// The threshold that was set with [`Self::with_threshold`].
    pub fn threshold(&self) -> Option<f64> {
        self.threshold
    }

    /// Which of two classes is the positive one.
    pub fn positive(&self) -> usize {
        self.positive
    }

    /// The class decided for each row, `[n]`: with two classes the positive one where its
    /// probability reaches the threshold, otherwise the most probable one (the first, where
    /// several are equally probable), unless they are [decided](Self::with_decided) otherwise.
    pub fn predicted(&self) -> Vec<u32> {
        match self.decided {
            Some(decided) => decided.to_vec(),
            None => self.decide(self.threshold.unwrap_or(DEFAULT_THRESHOLD)),
        }
    }

    /// The predicted probability of one class in every row, `[n]`.
    pub fn scores_of(&self, class: usize) -> Vec<f64> {
        self.rows().map(|row| row[class]).collect()
    }

    /// In which rows `class` is the true one, `[n]`.
    pub fn is_class(&self, class: usize) -> Vec<bool> {
        self.truth
            .iter()
            .map(|&truth| truth as usize == class)
            .collect()
    }

    /// How sure the classifier is of its most probable class, and whether that class is the true
    /// one, `[n]` each. A tuned threshold does not change what is most probable.
    pub fn confidences(&self) -> (Vec<f64>, Vec<bool>) {
        let most_probable = self.decide(DEFAULT_THRESHOLD);
        let correct = self.truth.iter().zip(&most_probable);
        (
            self.rows().map(|row| self.confidence(row)).collect(),
            correct.map(|(truth, class)| truth == class).collect(),
        )
    }

    fn decide(&self, threshold: f64) -> Vec<u32> {
        self.rows()
            .map(|row| match *row {
                [_, _] => match row[self.positive] >= threshold {
                    true => self.positive as u32,
                    false => 1 - self.positive as u32,
                },
                _ => most_probable(row),
            })
            .collect()
    }

    /// With two classes the reference calls max(p, 1 - p) the confidence, p being the positive one's.
    fn confidence(&self, row: &[f64]) -> f64 {
        match row.len() {
            2 => row[self.positive].max(1.0 - row[self.positive]),
            _ => row.iter().copied().fold(0.0, f64::max),
        }
    }

    fn rows(&self) -> impl Iterator<Item = &'a [f64]> {
        // A chunk of no classes would panic; without classes there are no rows either.
        self.probabilities.chunks_exact(self.classes.max(1))
    }
}

/// Fraction of rows whose true class is among the `k` most probable ones, or `None` without rows.
///
/// The later of two equally probable classes ranks higher, as in scikit-learn's
/// `top_k_accuracy_score`.
pub fn top_k_accuracy(split: &Classification, k: usize) -> Option<f64> {
    let hits = split
        .rows()
        .zip(split.truth)
        .filter(|&(row, &truth)| rank(row, truth as usize) < k)
        .count();
    (!split.is_empty()).then(|| hits as f64 / split.len() as f64)
}

fn most_probable(row: &[f64]) -> u32 {
    let mut best = 0;
    for (class, &probability) in row.iter().enumerate() {
        if probability > row[best] {
            best = class;
        }
    }
    best as u32
}

fn rank(row: &[f64], class: usize) -> usize {
    let above = |other: usize, probability: f64| {
        probability > row[class] || (probability == row[class] && other > class)
    };
    row.iter()
        .enumerate()
        .filter(|&(other, &probability)| above(other, probability))
        .count()
}
