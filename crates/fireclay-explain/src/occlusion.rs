//! What an output loses when a part of the input is covered.
//!
//! Zeiler & Fergus 2014, *Visualizing and Understanding Convolutional Networks*,
//! [arXiv:1311.2901](https://arxiv.org/abs/1311.2901), section 4.2.

use crate::function::{Function, with_group};

/// f(point) - f(point with a group covered by the baseline), for each group.
pub fn occlusion(
    f: &dyn Function,
    point: &[f32],
    baseline: &[f32],
    groups: &[Vec<usize>],
) -> Vec<f64> {
    let whole = f.values(point)[0];
    let mut losses = Vec::with_capacity(groups.len());
    for some in groups.chunks(TOGETHER) {
        let covered = some
            .iter()
            .flat_map(|group| with_group(point, baseline, group));
        let values = f.values(&covered.collect::<Vec<_>>());
        losses.extend(values.into_iter().map(|value| whole - value));
    }
    losses
}

/// So many covered points are in memory at once.
const TOGETHER: usize = 64;

/// Square patches of an image, `size` pixels wide and `step` pixels apart, that cover all of it: the positions of
/// each in `[channels, height, width]`.
pub fn patches([channels, height, width]: [usize; 3], size: usize, step: usize) -> Vec<Vec<usize>> {
    let starts = |side: usize| {
        let last = side.saturating_sub(size);
        let starts = (0..last).step_by(step.max(1));
        starts.chain([last]).collect::<Vec<usize>>()
    };
    let patch = |top: usize, left: usize| {
        let rows = move || top..(top + size).min(height);
        let columns = move || left..(left + size).min(width);
        let at = move |channel: usize| {
            rows().flat_map(move |y| columns().map(move |x| (channel * height + y) * width + x))
        };
        (0..channels).flat_map(at).collect()
    };
    let (tops, lefts) = (starts(height), starts(width));
    let places = tops.iter().flat_map(|y| lefts.iter().map(|x| (*y, *x)));
    places.map(|(top, left)| patch(top, left)).collect()
}

/// The mean loss of the groups that cover each position, `[width]`.
pub fn spread(losses: &[f64], groups: &[Vec<usize>], width: usize) -> Vec<f64> {
    let mut sums = vec![(0.0, 0_u32); width];
    for (loss, group) in losses.iter().zip(groups) {
        for at in group {
            sums[*at].0 += loss;
            sums[*at].1 += 1;
        }
    }
    let mean = |(sum, count): (f64, u32)| sum / f64::from(count.max(1));
    sums.into_iter().map(mean).collect()
}
