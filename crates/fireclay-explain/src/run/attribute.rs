//! One sample by one method: what each column, pixel or token adds.

use burn::tensor::Tensor;
use fireclay_run::Parts;

use super::against::Against;
use super::method::Method;
use super::request::Request;
use super::subject::Subject;
use crate::function::{Function, Smooth, sum_over};
use crate::integrated::{Completeness, Integrated, integrated_gradients};
use crate::occlusion::{occlusion, patches, spread};
use crate::shapley::{EXACT, exact_shapley, sampled_shapley};
use crate::smooth_grad::{Noise, smooth_grad};
use crate::{attention_rollout, grad_cam, saliency};

/// What the parts of a sample add: the columns of a row, the pixels of an image, the tokens of a text.
pub(crate) struct Attribution {
    /// For each part.
    pub values: Vec<f64>,
    /// Half the width of the 95 % interval of each, where orders were drawn.
    pub errors: Option<Vec<f64>>,
    /// The number that is explained.
    pub value: f64,
    /// The same for the baseline, where the values add up to the difference.
    pub base: Option<f64>,
    /// What they add up to.
    pub completeness: Option<Completeness>,
}

/// Explains a sample by a method that is for single samples.
pub(crate) fn attribute(
    subject: &Subject<'_>,
    method: Method,
    sample: usize,
    (request, against): (&Request<'_>, &Against),
) -> Attribution {
    let answer = subject.answer(sample, subject.targets[sample]);
    let point = subject.point(sample);
    let plain = |values| Attribution {
        values,
        errors: None,
        value: answer.values(point)[0],
        base: None,
        completeness: None,
    };
    match method {
        Method::Shapley => shapley(subject, sample, &answer, (request, against)),
        Method::Occlusion => {
            let baseline = against.point(subject, sample);
            plain(covered(subject, sample, &answer, &baseline))
        }
        Method::Rollout => plain(rolled_out(subject, sample)),
        Method::GradCam => Attribution {
            value: subject.logit(sample).values(point)[0],
            ..plain(mapped(subject, sample))
        },
        _ => by_gradient(subject, method, sample, (request, against)),
    }
}

/// The methods that take gradients with respect to the input.
fn by_gradient(
    subject: &Subject<'_>,
    method: Method,
    sample: usize,
    (request, against): (&Request<'_>, &Against),
) -> Attribution {
    let (f, point) = (subject.logit(sample), subject.point(sample));
    let value = f.values(point)[0];
    let mut found = Attribution {
        values: Vec::new(),
        errors: None,
        value,
        base: None,
        completeness: None,
    };
    let values = match method {
        Method::IntegratedGradients => {
            let baseline = against.point(subject, sample);
            let least = 0.1 * subject.meaning.unit().0;
            let integrated = integrated(&f, (point, &baseline), request.steps, least);
            found.base = Some(value - integrated.completeness.difference);
            found.completeness = Some(integrated.completeness);
            integrated.attributions
        }
        Method::SmoothGrad => smoothed(&f, point, request.seed),
        _ => saliency(&f, point),
    };
    found.values = by_part(subject, method, sample, &values);
    found
}

/// At so many nodes; or else at as many as the integral needs to be right to a hundredth of the difference, or of
/// `least` if that is more, up to a limit.
fn integrated(
    f: &dyn Smooth,
    (point, baseline): (&[f32], &[f32]),
    steps: Option<usize>,
    least: f64,
) -> Integrated {
    let mut nodes = steps.unwrap_or(64);
    loop {
        let found = integrated_gradients(f, point, baseline, nodes);
        let wanted = 0.01 * found.completeness.difference.abs().max(least);
        if steps.is_some() || nodes >= 512 || found.completeness.error().abs() <= wanted {
            return found;
        }
        nodes *= 2;
    }
}

fn smoothed(f: &dyn Smooth, point: &[f32], seed: u64) -> Vec<f64> {
    let noise = Noise {
        samples: 50,
        level: 0.15,
        seed,
    };
    smooth_grad(f, point, noise)
}

/// Sums over the values of each part; of the sizes of gradients of a pixel the largest channel (Simonyan et al.
/// 2013, section 3.1).
fn by_part(subject: &Subject<'_>, method: Method, sample: usize, values: &[f64]) -> Vec<f64> {
    let groups = groups(subject, sample);
    match (&subject.taken.parts, method) {
        (Parts::Pixels { .. }, Method::Saliency) => {
            let largest = |group: &Vec<usize>| {
                let values = group.iter().map(|at| values[*at]);
                values.fold(0.0, f64::max)
            };
            groups.iter().map(largest).collect()
        }
        _ => sum_over(values, &groups),
    }
}

/// The positions of each part of a sample.
pub(crate) fn groups(subject: &Subject<'_>, sample: usize) -> Vec<Vec<usize>> {
    let dims = subject.dims(sample);
    match &subject.taken.parts {
        Parts::Columns { columns, .. } => columns.iter().map(|part| part.at.clone()).collect(),
        Parts::Pixels { .. } => {
            let pixels = dims[1] * dims[2];
            let pixel = |at| (0..dims[0]).map(|channel| channel * pixels + at).collect();
            (0..pixels).map(pixel).collect()
        }
        Parts::Tokens(_) => {
            let token = |at: usize| (at * dims[1]..(at + 1) * dims[1]).collect();
            (0..dims[0]).map(token).collect()
        }
    }
}

fn covered(subject: &Subject<'_>, sample: usize, f: &dyn Function, baseline: &[f32]) -> Vec<f64> {
    let (point, dims) = (subject.point(sample), subject.dims(sample));
    if !matches!(subject.taken.parts, Parts::Pixels { .. }) {
        return occlusion(f, point, baseline, &groups(subject, sample));
    }
    let size = patch(dims[1].min(dims[2]));
    let patches = patches([dims[0], dims[1], dims[2]], size, size.div_ceil(2));
    let losses = occlusion(f, point, baseline, &patches);
    // All channels of a pixel are covered together, so one of them tells.
    let mut spread = spread(&losses, &patches, point.len());
    spread.truncate(dims[1] * dims[2]);
    spread
}

/// The side of the patches that cover an image with this side: an eighth of it, but three pixels at least.
pub(crate) fn patch(side: usize) -> usize {
    (side / 8).max(3).min(side)
}

fn shapley(
    subject: &Subject<'_>,
    sample: usize,
    f: &dyn Function,
    (request, against): (&Request<'_>, &Against),
) -> Attribution {
    let (point, groups) = (subject.point(sample), groups(subject, sample));
    let found = match groups.len() <= EXACT {
        true => exact_shapley(f, point, &against.background, &groups),
        false => sampled_shapley(f, point, &against.background, &groups, (1, request.seed)),
    };
    let errors = found
        .errors
        .map(|errors| errors.iter().map(|error| 1.96 * error).collect());
    let value = f.values(point)[0];
    Attribution {
        completeness: Some(Completeness {
            sum: found.values.iter().sum(),
            difference: value - found.base,
        }),
        values: found.values,
        errors,
        value,
        base: Some(found.base),
    }
}

/// The input that is a sample.
fn input(subject: &Subject<'_>, sample: usize) -> fireclay_run::task::Input {
    let point = subject.point(sample).to_vec();
    let device = subject.taken.input.values.device();
    let dims = [1, point.len()];
    let data = burn::tensor::TensorData::new(point, dims);
    subject.input(sample, Tensor::from_data(data, &device))
}

/// Grad-CAM, as large as the image.
fn mapped(subject: &Subject<'_>, sample: usize) -> Vec<f64> {
    let maps = subject.model.maps(&input(subject, sample));
    let maps = maps.expect("checked: the model has maps");
    let [_, _, rows, columns] = maps.dims();
    let tracked = maps.clone().autodiff().require_grad();
    let outputs = subject.model.outputs_of_maps(tracked.clone());
    let output = outputs.narrow(1, subject.targets[sample], 1);
    let gradients = output.sum().backward();
    let gradient = tracked.grad(&gradients).map(|found| found.into_data());
    let maps: Vec<f32> = maps.into_data().iter().collect();
    let gradient = gradient.map_or_else(|| vec![0.0; maps.len()], |found| found.iter().collect());
    let map = grad_cam(&maps, &gradient, rows * columns);
    let dims = subject.dims(sample);
    enlarged(&map, [rows, columns], [dims[1], dims[2]])
}

/// What the first token, which the answer is read from, has of each token of a text, or of each pixel.
fn rolled_out(subject: &Subject<'_>, sample: usize) -> Vec<f64> {
    let layers = subject.model.attentions(&input(subject, sample));
    let tokens = layers.first().map_or(0, |layer| layer.dims()[3]);
    let layers = layers
        .into_iter()
        .map(|layer| layer.into_data().iter().collect());
    let layers: Vec<Vec<f32>> = layers.collect();
    let first = attention_rollout(&layers, tokens);
    let (first, dims) = (&first[..tokens], subject.dims(sample));
    match subject.taken.parts {
        Parts::Pixels { .. } => {
            let patches = (tokens - 1) as f64;
            let side = (dims[1] as f64 * dims[2] as f64 / patches).sqrt().round() as usize;
            let grid = [dims[1] / side, dims[2] / side];
            enlarged(&first[1..], grid, [dims[1], dims[2]])
        }
        _ => first.to_vec(),
    }
}

/// A map of other sides, linearly between the middles of its positions.
pub(crate) fn enlarged(
    map: &[f64],
    [rows, columns]: [usize; 2],
    [height, width]: [usize; 2],
) -> Vec<f64> {
    let place = |at: usize, from: usize, to: usize| {
        let middle = (at as f64 + 0.5) * from as f64 / to as f64 - 0.5;
        let middle = middle.clamp(0.0, from as f64 - 1.0);
        let low = middle as usize;
        (low, (low + 1).min(from - 1), middle - low as f64)
    };
    let value = |y: usize, x: usize| {
        let (top, bottom, down) = place(y, rows, height);
        let (left, right, over) = place(x, columns, width);
        let row =
            |y: usize| map[y * columns + left] * (1.0 - over) + map[y * columns + right] * over;
        row(top) * (1.0 - down) + row(bottom) * down
    };
    let at = |y: usize| (0..width).map(move |x| (y, x));
    (0..height).flat_map(at).map(|(y, x)| value(y, x)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_are_enlarged_between_their_middles() {
        let map = [0.0, 1.0, 2.0, 3.0];
        assert_eq!(enlarged(&map, [2, 2], [2, 2]), map);
        let row = enlarged(&[0.0, 4.0], [1, 2], [1, 4]);
        assert_eq!(row, [0.0, 1.0, 3.0, 4.0]);
        assert_eq!(enlarged(&[7.0], [1, 1], [2, 3]), [7.0; 6]);
    }
}
