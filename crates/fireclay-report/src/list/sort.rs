//! In which order a list has its runs.

use std::cmp::Ordering;
use std::str::FromStr;

use super::Listed;

/// The order of a list: a key, and `-` before it for the largest first. Runs without a value come last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sort {
    pub(super) key: String,
    falling: bool,
}

impl FromStr for Sort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let falling = text.starts_with('-');
        let key = text.trim_start_matches('-').to_owned();
        match key.is_empty() {
            true => Err("must be a key, such as value, or -value for the largest first".into()),
            false => Ok(Self { key, falling }),
        }
    }
}

impl Sort {
    /// Which of two runs comes first.
    pub(super) fn compare(&self, a: &Listed, b: &Listed) -> Ordering {
        let order = match (a.get(&self.key), b.get(&self.key)) {
            (Some(a), Some(b)) => match (a.as_f64(), b.as_f64()) {
                (Some(a), Some(b)) => a.total_cmp(&b),
                _ => a.to_string().cmp(&b.to_string()),
            },
            (a, b) => return b.is_some().cmp(&a.is_some()),
        };
        if self.falling { order.reverse() } else { order }
    }
}
