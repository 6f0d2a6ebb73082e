//! What samples are like: numbers to see by whether served samples are like those of the training.

use fireclay_data::Tokenizer;

use super::{Part, Parts, RunError, Taken};

/// Bins that tokens fall into.
const BINS: u32 = 64;
/// The channels of an image of three.
const COLORS: [&str; 3] = ["red", "green", "blue"];
/// What the eye makes of them (ITU-R BT.601).
const LUMA: [f64; 3] = [0.299, 0.587, 0.114];

/// What some samples are like.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// How many they are.
    pub samples: usize,
    /// The same of all samples of a run, in the same order.
    pub columns: Vec<Observations>,
}

/// One thing about samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Observations {
    /// What it is.
    pub name: String,
    /// The numbers of a value: several of a category that the model reads as a vector.
    pub width: usize,
    /// What was seen, value by value: one of each sample, or of each of its tokens.
    pub values: Vec<f32>,
}

impl Observations {
    fn of_numbers(name: impl Into<String>, values: Vec<f32>) -> Self {
        Self {
            name: name.into(),
            width: 1,
            values,
        }
    }
}

impl Observed {
    /// The columns of a table, as the model reads them.
    pub(super) fn of_table(taken: Taken) -> Result<Self, RunError> {
        let Parts::Columns { columns, .. } = taken.parts else {
            let message = "samples of this run are not compared with those of its training";
            return Err(RunError::Usage(message.into()));
        };
        let width = taken.input.values.dims()[1];
        let values: Vec<f32> = taken.input.values.into_data().iter().collect();
        Ok(Self::of_columns(&columns, (&values, width)))
    }

    /// The columns of a table, of which the model reads rows of so many values.
    pub(crate) fn of_columns(columns: &[Part], (values, width): (&[f32], usize)) -> Self {
        let rows = || values.chunks_exact(width.max(1));
        let column = |part: &Part| Observations {
            name: part.name.clone(),
            width: part.at.len(),
            values: rows()
                .flat_map(|row| part.at.iter().map(|at| row[*at]))
                .collect(),
        };
        Self {
            samples: rows().len(),
            columns: columns.iter().map(column).collect(),
        }
    }

    /// Images `[images, channels, height, width]` as the model is given them, and their sizes as they are stored:
    /// brightness, mean and deviation of each channel, from 0 to 1, height and width.
    pub(crate) fn of_images(
        (pixels, dims): (&[f32], [usize; 4]),
        (mean, std): (&[f64], &[f64]),
        sizes: &[[usize; 2]],
    ) -> Self {
        let [images, channels, height, width] = dims;
        let each = pixels.chunks_exact((channels * height * width).max(1));
        let each = each.take(images);
        let rows: Vec<Vec<f64>> = each
            .map(|image| of_image(image, height * width, (mean, std)))
            .collect();
        let column = |(at, name): (usize, String)| {
            Observations::of_numbers(name, rows.iter().map(|row| row[at] as f32).collect())
        };
        let columns = image_columns(channels).into_iter().enumerate().map(column);
        let side = |(side, name): (usize, &str)| {
            Observations::of_numbers(name, sizes.iter().map(|size| size[side] as f32).collect())
        };
        let sides = ["height", "width"].into_iter().enumerate().map(side);
        Self {
            samples: images,
            columns: columns.chain(sides).collect(),
        }
    }

    /// Texts as the model is given them: their length in tokens, the share of tokens that stand for what the tokenizer
    /// does not know, and the tokens, each in a bin by a hash of its number.
    pub(crate) fn of_texts(tokenizer: &Tokenizer, texts: &[&[u32]]) -> Self {
        let share = |text: &&[u32]| {
            let unknown = tokenizer.tally("", text).unknown as f32;
            unknown / text.len().max(1) as f32
        };
        // Knuth's multiplicative hash: neighbours, which are often alike, go apart.
        let bin = |token: &u32| token.wrapping_mul(2_654_435_769) >> (32 - BINS.ilog2());
        let columns = [
            (
                "length in tokens",
                texts.iter().map(|text| text.len() as f32).collect(),
            ),
            ("share of unknown tokens", texts.iter().map(share).collect()),
            (
                "tokens",
                texts
                    .iter()
                    .flat_map(|text| text.iter())
                    .map(|token| bin(token) as f32)
                    .collect(),
            ),
        ];
        let column = |(name, values)| Observations::of_numbers(name, values);
        Self {
            samples: texts.len(),
            columns: columns.map(column).into(),
        }
    }

    /// Adds what other samples of the same run are like.
    pub(crate) fn add(&mut self, other: Self) {
        self.samples += other.samples;
        if self.columns.is_empty() {
            self.columns = other.columns;
            return;
        }
        for (column, more) in self.columns.iter_mut().zip(other.columns) {
            column.values.extend(more.values);
        }
    }
}

/// The names of what is seen of the pixels of an image.
fn image_columns(channels: usize) -> Vec<String> {
    let of_each = |what: &str| match channels {
        1 => vec![what.to_owned()],
        _ => {
            let colors = COLORS.iter().take(channels);
            colors.map(|color| format!("{what} of {color}")).collect()
        }
    };
    let brightness = vec!["brightness".to_owned()];
    [brightness, of_each("mean"), of_each("deviation")].concat()
}

/// Brightness, then the mean of each channel, then its deviation, in an image of planes of so many pixels.
fn of_image(image: &[f32], pixels: usize, (mean, std): (&[f64], &[f64])) -> Vec<f64> {
    let each = image.chunks_exact(pixels).zip(mean.iter().zip(std));
    let moments: Vec<[f64; 2]> = each
        .map(|(plane, (mean, std))| {
            let [found_mean, found_std] = moments(plane);
            [found_mean * std + mean, found_std * std]
        })
        .collect();
    let brightness = match moments.len() {
        3 => {
            let shares = moments.iter().zip(LUMA);
            shares.map(|([mean, _], share)| mean * share).sum()
        }
        _ => moments[0][0],
    };
    let part = |at: usize| moments.iter().map(move |moments| moments[at]);
    std::iter::once(brightness)
        .chain(part(0))
        .chain(part(1))
        .collect()
}

/// Mean and standard deviation.
fn moments(plane: &[f32]) -> [f64; 2] {
    let count = plane.len().max(1) as f64;
    let mean = plane.iter().map(|x| f64::from(*x)).sum::<f64>() / count;
    let squares = plane.iter().map(|x| (f64::from(*x) - mean).powi(2));
    [mean, (squares.sum::<f64>() / count).sqrt()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_seen_as_it_was_before_its_channels_were_normalised() {
        // Two images of one row: channels are (x - mean) / std.
        let (mean, std) = ([0.5, 0.25, 0.0], [0.5, 0.25, 2.0]);
        let planes = [[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]];
        let pixels = planes
            .iter()
            .zip(mean.iter().zip(&std))
            .flat_map(|(plane, (mean, std))| plane.map(|x| ((x - mean) / std) as f32));
        let pixels: Vec<f32> = pixels.collect();
        let twice = [pixels.clone(), pixels].concat();
        let found =
            Observed::of_images((&twice, [2, 3, 1, 2]), (&mean, &std), &[[10, 20], [30, 40]]);
        let first: Vec<(&str, f32)> = found
            .columns
            .iter()
            .map(|column| {
                assert_eq!(column.values.len(), 2);
                (column.name.as_str(), column.values[0])
            })
            .collect();
        let wanted = [
            ("brightness", 0.5),
            ("mean of red", 0.5),
            ("mean of green", 0.5),
            ("mean of blue", 0.5),
            ("deviation of red", 0.5),
            ("deviation of green", 0.0),
            ("deviation of blue", 0.5),
            ("height", 10.0),
            ("width", 20.0),
        ];
        for (found, wanted) in first.iter().zip(wanted) {
            assert!(
                found.0 == wanted.0 && (found.1 - wanted.1).abs() < 1e-6,
                "{found:?} {wanted:?}"
            );
        }
        assert_eq!(first.len(), wanted.len());
        assert_eq!(found.columns[8].values[1], 40.0);
    }
}
