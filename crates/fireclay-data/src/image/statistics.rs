//! The mean and standard deviation of each channel.

use super::config::{ImageDataConfig, Statistic, StatisticWord};
use super::pixels::Pixels;
use super::preprocess::ImagePreprocess;
use super::shape::{in_parallel, spaced};
use super::source::Source;
use super::split::threads;
use super::survey::Survey;
use super::transform;
use crate::error::DataError;

/// At most so many images, evenly spaced, are measured.
const MEASURED: usize = 10_000;

/// And of so many, where nothing has to be measured, it is seen how they are stored.
const LOOKED_AT: usize = 1_000;

/// The figures of the training images of ImageNet, as torchvision's models expect them.
const IMAGENET_MEAN: [f64; 3] = [0.485, 0.456, 0.406];
const IMAGENET_STD: [f64; 3] = [0.229, 0.224, 0.225];

/// How often each of the 256 levels occurs in a channel.
type Histogram = [u64; 256];

/// Sets mean and standard deviation as the configuration says, and tells how the training images are
/// stored, as far as they were looked at.
///
/// # Errors
/// A list that does not fit the number of channels; a file that cannot be read.
pub(super) fn fit(
    preprocess: &mut ImagePreprocess,
    source: &dyn Source,
    train: &[usize],
    config: &ImageDataConfig,
) -> Result<Survey, DataError> {
    let most = match are_measured(config) {
        true => MEASURED,
        false => LOOKED_AT,
    };
    let rows: Vec<usize> = spaced(train, most).collect();
    let (levels, survey) = look(preprocess, source, &rows)?;
    set(preprocess, config, levels.iter().map(mean_std).unzip())?;
    Ok(survey)
}

/// Whether the configuration leaves the mean or the standard deviation to the training images.
pub(super) fn are_measured(config: &ImageDataConfig) -> bool {
    let computed = Statistic::Word(StatisticWord::Computed);
    config.mean == computed || config.std == computed
}

/// Sets both as the configuration says, where it leaves them to the images as they were measured.
///
/// # Errors
/// A list that does not fit the number of channels.
pub(super) fn set(
    preprocess: &mut ImagePreprocess,
    config: &ImageDataConfig,
    (means, stds): (Vec<f64>, Vec<f64>),
) -> Result<(), DataError> {
    let channels = preprocess.channels();
    preprocess.mean = statistic("mean", &config.mean, means, (0.0, IMAGENET_MEAN), channels)?;
    preprocess.std = statistic("std", &config.std, stds, (1.0, IMAGENET_STD), channels)?;
    Ok(())
}

fn statistic(
    key: &str,
    statistic: &Statistic,
    computed: Vec<f64>,
    (none, imagenet): (f64, [f64; 3]),
    channels: usize,
) -> Result<Vec<f64>, DataError> {
    let values = match statistic {
        Statistic::Word(StatisticWord::Computed) => computed,
        Statistic::Word(StatisticWord::None) => vec![none; channels],
        Statistic::Word(StatisticWord::Imagenet) if channels == 1 => {
            vec![imagenet.iter().sum::<f64>() / 3.0]
        }
        Statistic::Word(StatisticWord::Imagenet) => imagenet.to_vec(),
        Statistic::Values(values) if values.len() == 1 => vec![values[0]; channels],
        Statistic::Values(values) => values.clone(),
    };
    if values.len() != channels {
        return Err(DataError::Unusable(format!(
            "data.{key} has {} numbers, but the images have {channels} channels",
            values.len()
        )));
    }
    Ok(values)
}

/// The levels of each channel as evaluation sees them, and how the images are stored.
fn look(
    preprocess: &ImagePreprocess,
    source: &dyn Source,
    rows: &[usize],
) -> Result<(Vec<Histogram>, Survey), DataError> {
    let how = preprocess.decoding();
    let look = |rows: &[usize]| {
        let mut histograms = vec![[0; 256]; preprocess.channels()];
        let mut survey = Survey::default();
        for &row in rows {
            if let Some(pixels) = survey.look(source, row, &how)? {
                let seen = transform::evaluation(pixels, preprocess);
                count(&seen, &mut histograms);
            }
        }
        Ok::<_, DataError>((histograms, survey))
    };
    // Whole numbers add up to the same sum in any order, so the threads leave no trace.
    let mut sums = vec![[0; 256]; preprocess.channels()];
    let mut survey = Survey::default();
    for part in in_parallel(source, rows, threads().min(8), look) {
        let (histograms, found) = part?;
        survey.add(found);
        for (sum, part) in sums.iter_mut().zip(histograms) {
            let counts = sum.iter_mut().zip(part);
            counts.for_each(|(sum, count)| *sum += count);
        }
    }
    Ok((sums, survey))
}

fn count(seen: &Pixels, histograms: &mut [Histogram]) {
    for pixel in seen.data.chunks_exact(histograms.len()) {
        for (histogram, level) in histograms.iter_mut().zip(pixel) {
            histogram[usize::from(*level)] += 1;
        }
    }
}

/// Mean and standard deviation of values from 0 to 1. The deviation is 1 where all pixels are equal.
fn mean_std(histogram: &Histogram) -> (f64, f64) {
    let total: u64 = histogram.iter().sum();
    let values = (0..256).map(|level| f64::from(level) / 255.0);
    let levels = values.zip(histogram);
    let share = |count: &u64| *count as f64 / total.max(1) as f64;
    let parts = levels.clone().map(|(value, count)| value * share(count));
    let mean: f64 = parts.sum();
    let squares = levels.map(|(value, count)| (value - mean).powi(2) * share(count));
    let std = squares.sum::<f64>().sqrt();
    (mean, if std > 1e-6 { std } else { 1.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_are_those_of_the_levels() {
        let mut histogram = [0; 256];
        histogram[0] = 3;
        histogram[255] = 1;
        let (mean, std) = mean_std(&histogram);
        assert!((mean - 0.25).abs() < 1e-12 && (std - 0.1875f64.sqrt()).abs() < 1e-12);
        let mut constant = [0; 256];
        constant[51] = 7;
        let (mean, std) = mean_std(&constant);
        assert!((mean - 0.2).abs() < 1e-12 && std == 1.0);
    }
}
