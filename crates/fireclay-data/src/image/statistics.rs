//! The mean and standard deviation of each channel.

use super::config::{ImageDataConfig, OnDamaged, Statistic, StatisticWord};
use super::pixels::decode;
use super::preprocess::ImagePreprocess;
use super::shape::{in_parallel, spaced};
use super::source::{Raw, Source};
use super::split::threads;
use super::transform;
use crate::error::DataError;

/// At most so many images, evenly spaced, are measured.
const MEASURED: usize = 10_000;

/// The figures of the training images of ImageNet, as torchvision's models expect them.
const IMAGENET_MEAN: [f64; 3] = [0.485, 0.456, 0.406];
const IMAGENET_STD: [f64; 3] = [0.229, 0.224, 0.225];

/// How often each of the 256 levels occurs in a channel.
type Histogram = [u64; 256];

/// Sets mean and standard deviation as the configuration says.
///
/// # Errors
/// A list that does not fit the number of channels; an image that has to be measured and cannot
/// be read.
pub(super) fn fit(
    preprocess: &mut ImagePreprocess,
    source: &dyn Source,
    train: &[usize],
    config: &ImageDataConfig,
) -> Result<(), DataError> {
    let computed = Statistic::Word(StatisticWord::Computed);
    let levels = if config.mean == computed || config.std == computed {
        histograms(preprocess, source, train, config)?
    } else {
        Vec::new()
    };
    let channels = preprocess.channels();
    let (means, stds) = levels.iter().map(mean_std).unzip();
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

fn histograms(
    preprocess: &ImagePreprocess,
    source: &dyn Source,
    train: &[usize],
    config: &ImageDataConfig,
) -> Result<Vec<Histogram>, DataError> {
    let rows: Vec<usize> = spaced(train, MEASURED).collect();
    let measure = |rows: &[usize]| {
        let mut histograms = vec![[0; 256]; preprocess.channels()];
        for &row in rows {
            match measure(preprocess, source, row, &mut histograms) {
                Err(DataError::Image { .. }) if config.on_damaged == OnDamaged::Skip => {}
                result => result?,
            }
        }
        Ok::<_, DataError>(histograms)
    };
    // Whole numbers add up to the same sum in any order, so the threads leave no trace.
    let mut sums = vec![[0; 256]; preprocess.channels()];
    for part in in_parallel(&rows, threads().min(8), measure) {
        for (sum, part) in sums.iter_mut().zip(part?) {
            let counts = sum.iter_mut().zip(part);
            counts.for_each(|(sum, count)| *sum += count);
        }
    }
    Ok(sums)
}

fn measure(
    preprocess: &ImagePreprocess,
    source: &dyn Source,
    row: usize,
    histograms: &mut [Histogram],
) -> Result<(), DataError> {
    let pixels = match source.read(row)? {
        Raw::Pixels(pixels) => pixels.into_channels(preprocess.channels),
        Raw::Encoded(bytes) => {
            let decoded = decode(&bytes, preprocess.channels, preprocess.max_pixels);
            decoded.map_err(|message| DataError::Image {
                name: source.name(row),
                message,
            })?
        }
    };
    let seen = transform::evaluation(pixels, preprocess);
    for pixel in seen.data.chunks_exact(histograms.len()) {
        for (histogram, level) in histograms.iter_mut().zip(pixel) {
            histogram[usize::from(*level)] += 1;
        }
    }
    Ok(())
}

/// Of values from 0 to 1; the deviation is 1 where all pixels are equal.
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
