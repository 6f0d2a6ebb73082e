//! Means of values that come in clusters, such as the losses of tokens in windows of text.

/// A mean whose standard error allows for values of one cluster being alike.
///
/// The mean is a ratio of two sums over clusters, that of the values and that of their numbers; the error is that
/// of the linearised ratio (Cochran 1977, *Sampling Techniques*, chapter 6). With one value in each cluster it is
/// the usual s / √n.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ClusteredMean {
    open: Cluster,
    all: Cluster,
    clusters: u64,
    squares: f64,
    products: f64,
    square_numbers: f64,
}

/// The sum of some values, and how many there are.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Cluster {
    sum: f64,
    n: u64,
}

impl ClusteredMean {
    /// Adds a value to the cluster that is open.
    pub fn add(&mut self, value: f64) {
        self.open.sum += value;
        self.open.n += 1;
    }

    /// Closes the cluster; one without a value does not count.
    pub fn close(&mut self) {
        let Cluster { sum, n } = std::mem::take(&mut self.open);
        if n == 0 {
            return;
        }
        let number = n as f64;
        self.all.sum += sum;
        self.all.n += n;
        self.clusters += 1;
        self.squares += sum * sum;
        self.products += sum * number;
        self.square_numbers += number * number;
    }

    /// The number of values in closed clusters.
    pub fn n(&self) -> u64 {
        self.all.n
    }

    /// Their mean; `None` without a value.
    pub fn mean(&self) -> Option<f64> {
        (self.all.n > 0).then(|| self.all.sum / self.all.n as f64)
    }

    /// The standard error of the mean; `None` with fewer than two clusters, which say nothing of how much clusters
    /// differ.
    pub fn standard_error(&self) -> Option<f64> {
        let mean = self.mean().filter(|_| self.clusters > 1)?;
        let residuals =
            self.squares - 2.0 * mean * self.products + mean * mean * self.square_numbers;
        let clusters = self.clusters as f64;
        let variance = residuals.max(0.0) * clusters / (clusters - 1.0);
        Some(variance.sqrt() / self.all.n as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(clusters: &[&[f64]]) -> ClusteredMean {
        let mut mean = ClusteredMean::default();
        for cluster in clusters {
            cluster.iter().for_each(|value| mean.add(*value));
            mean.close();
        }
        mean
    }

    #[test]
    fn single_values_have_the_usual_error() {
        let found = of(&[&[1.0], &[2.0], &[4.0], &[9.0], &[]]);
        // Mean 4, squared deviations 9 + 4 + 0 + 25 = 38, s² = 38 / 3, error √(s² / 4).
        assert_eq!((found.n(), found.mean()), (4, Some(4.0)));
        let error = found.standard_error().expect("four clusters");
        assert!((error - (38.0_f64 / 3.0 / 4.0).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn alike_values_of_a_cluster_count_as_little_more_than_one() {
        // Three clusters of 2, 1 and 3 values, mean 12 / 6 = 2; residuals s - 2 n are -2, 2, 0.
        let found = of(&[&[1.0, 1.0], &[4.0], &[2.0, 2.0, 2.0]]);
        let error = found.standard_error().expect("three clusters");
        assert!((error - (8.0_f64 * 3.0 / 2.0).sqrt() / 6.0).abs() < 1e-12);
        let repeated = of(&[&[1.0; 50], &[3.0; 50]]);
        let once = of(&[&[1.0], &[3.0]]);
        let errors = [repeated, once].map(|mean| mean.standard_error().expect("two clusters"));
        assert!((errors[0] - errors[1]).abs() < 1e-12, "{errors:?}");
    }

    #[test]
    fn one_cluster_says_nothing_of_others() {
        assert_eq!(of(&[&[1.0, 2.0]]).standard_error(), None);
        assert_eq!((of(&[]).mean(), of(&[]).standard_error()), (None, None));
        assert_eq!(of(&[&[2.0], &[2.0], &[2.0]]).standard_error(), Some(0.0));
    }
}
