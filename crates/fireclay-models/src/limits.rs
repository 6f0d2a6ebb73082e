//! Checks of single values of configurations, and sums that saturate.

/// The sum of the numbers, or the largest number there is.
pub(crate) fn saturating_sum(numbers: impl IntoIterator<Item = usize>) -> usize {
    numbers.into_iter().fold(0, usize::saturating_add)
}

/// The problem at `key`, unless it is right.
pub(crate) fn check(
    is_right: bool,
    key: &str,
    message: impl Into<String>,
) -> Option<(String, String)> {
    (!is_right).then(|| (key.to_string(), message.into()))
}

/// Numbers of things of which there must be one.
pub(crate) fn check_least_one(numbers: &[(&str, usize)]) -> Vec<(String, String)> {
    let problem = |(key, number): &(&str, usize)| check(*number > 0, key, "must be at least 1");
    numbers.iter().filter_map(problem).collect()
}

/// A number in a range.
pub(crate) fn check_range(key: &str, number: usize, most: usize) -> Option<(String, String)> {
    let text = format!("must be from 1 to {most}, but is {number}");
    check((1..=most).contains(&number), key, text)
}

/// More blocks than any published model has; it is surely a slip, and building each takes time and memory.
pub(crate) const MOST_LAYERS: usize = 1000;

pub(crate) fn check_layers(layers: usize) -> Option<(String, String)> {
    let text = format!("must be at most {MOST_LAYERS}, but is {layers}");
    check(layers <= MOST_LAYERS, "layers", text)
}

/// More tokens than any model reads at once: masks and positions alone would not fit into memory.
pub const MOST_CONTEXT: usize = 1 << 22;

pub(crate) fn check_context(context: usize) -> Option<(String, String)> {
    let text = format!("must be at most {MOST_CONTEXT}, but is {context}");
    check(context <= MOST_CONTEXT, "context_length", text)
}

/// Heads that divide the width; the problem is at `key`, which the file has.
pub(crate) fn check_heads(heads: usize, width: usize, key: &str) -> Option<(String, String)> {
    let text = format!("{heads} heads do not divide the width {width}");
    check(heads == 0 || width.is_multiple_of(heads), key, text)
}

/// A probability of dropping that leaves something.
pub(crate) fn check_rate(key: &str, rate: f64) -> Option<(String, String)> {
    let text = format!("must be at least 0 and below 1, but is {rate}");
    check((0.0..1.0).contains(&rate), key, text)
}

/// A number above zero.
pub(crate) fn check_positive(key: &str, number: f64) -> Option<(String, String)> {
    let text = format!("must be above 0, but is {number}");
    check(number > 0.0 && number.is_finite(), key, text)
}
