//! Checks of single values of configurations, and sums that saturate.

/// The sum of the numbers, or the largest number there is.
pub(crate) fn saturating_sum(numbers: impl IntoIterator<Item = usize>) -> usize {
    numbers.into_iter().fold(0, usize::saturating_add)
}

/// Numbers of things of which there must be one.
pub(crate) fn check_least_one(numbers: &[(&str, usize)]) -> Vec<(String, String)> {
    let zero = numbers.iter().filter(|(_, number)| *number == 0);
    let problem = |(key, _): &(&str, usize)| (key.to_string(), "must be at least 1".to_string());
    zero.map(problem).collect()
}

/// More blocks than any published model has; it is surely a slip.
pub(crate) fn check_layers(layers: usize) -> Option<(String, String)> {
    (layers > 1000).then(|| {
        let message = format!("must be at most 1000, but is {layers}");
        ("layers".to_string(), message)
    })
}

/// Heads that divide the width. The error points at a key that the file has.
pub(crate) fn check_heads(heads: usize, width: usize, own_heads: bool) -> Option<(String, String)> {
    (heads > 0 && !width.is_multiple_of(heads)).then(|| {
        let key = if own_heads { "heads" } else { "width" };
        let message = format!("{heads} heads do not divide the width {width}");
        (key.to_string(), message)
    })
}

/// A probability of dropping that leaves something.
pub(crate) fn check_rate(key: &str, rate: f64) -> Option<(String, String)> {
    (!(0.0..1.0).contains(&rate)).then(|| {
        let message = format!("must be at least 0 and below 1, but is {rate}");
        (key.to_string(), message)
    })
}

/// A number above zero.
pub(crate) fn check_positive(key: &str, number: f64) -> Option<(String, String)> {
    (!(number > 0.0 && number.is_finite())).then(|| {
        let message = format!("must be above 0, but is {number}");
        (key.to_string(), message)
    })
}
