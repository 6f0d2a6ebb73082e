//! Python's `random.Random`, as far as samples are drawn with it: what others report was asked with examples that it
//! drew.

use std::collections::HashSet;

use rand_mt::Mt;

/// The generator of Python for a seed (Matsumoto & Nishimura 1998, *Mersenne Twister*).
pub(super) struct PythonRandom(Mt);

impl PythonRandom {
    pub fn new(seed: u64) -> Self {
        let (low, high) = (seed as u32, (seed >> 32) as u32);
        let key = [low, high];
        let words = if high == 0 { 1 } else { 2 };
        Self(Mt::new_with_key(key.into_iter().take(words)))
    }

    /// What `random.sample(range(n), k)` gives; `k` is `n` at most.
    pub fn sample(&mut self, n: usize, k: usize) -> Vec<usize> {
        match n <= pool_size(k) {
            true => self.pooled(n, k),
            false => self.apart(n, k),
        }
    }

    /// What was drawn is replaced by the last one.
    fn pooled(&mut self, n: usize, k: usize) -> Vec<usize> {
        let mut pool: Vec<usize> = (0..n).collect();
        let mut draw = |at| {
            let drawn = self.below(n - at);
            let found = pool[drawn];
            pool[drawn] = pool[n - at - 1];
            found
        };
        (0..k).map(&mut draw).collect()
    }

    /// What was drawn before is drawn again.
    fn apart(&mut self, n: usize, k: usize) -> Vec<usize> {
        let (mut seen, mut found) = (HashSet::new(), Vec::with_capacity(k));
        while found.len() < k {
            let drawn = self.below(n);
            if seen.insert(drawn) {
                found.push(drawn);
            }
        }
        found
    }

    /// A number below `n`, which is from 1 to the numbers of 32 bits.
    fn below(&mut self, n: usize) -> usize {
        let bits = usize::BITS - n.leading_zeros();
        loop {
            let drawn = (self.0.next_u32() >> (32 - bits)) as usize;
            if drawn < n {
                return drawn;
            }
        }
    }
}

/// Up to how many Python takes a list of all for `k` samples, which it takes for smaller than a set of these.
fn pool_size(k: usize) -> usize {
    let mut size = 21;
    if k > 5 {
        let power = (k as f64 * 3.0).log(4.0).ceil();
        size += 4f64.powf(power) as usize;
    }
    size
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `random.Random(seed).sample(range(n), k)` of Python 3.11, twice in a row.
    #[test]
    fn samples_are_those_of_python() {
        let mut random = PythonRandom::new(1234);
        assert_eq!(random.sample(1000, 5), [989, 796, 451, 119, 7]);
        assert_eq!(
            random.sample(30, 25),
            [
                2, 25, 18, 1, 21, 22, 29, 3, 11, 7, 0, 19, 27, 28, 15, 9, 20, 23, 26, 12, 16, 17,
                13, 14, 8
            ]
        );
        assert_eq!(PythonRandom::new(1 << 33).sample(12, 3), [0, 7, 5]);
    }
}
