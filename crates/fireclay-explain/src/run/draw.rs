//! Pictures of images, and pages of texts.

use fireclay_run::Parts;

use super::attribute::Attribution;
use super::explanation::Explanation;
use super::page::page;
use super::picture::{Shown, alone, failed};
use super::request::ExplainError;
use super::subject::Subject;

/// Files: their names from the folder of `explanations.json`, and their bytes.
pub(super) type Files = Vec<(String, Vec<u8>)>;

/// Draws what a method found, and names the files in the explanation.
pub(super) fn draw(
    subject: &Subject<'_>,
    explanation: &mut Explanation,
    found: &[Attribution],
    files: &mut Files,
) -> Result<(), ExplainError> {
    let (method, folder) = (explanation.method.name(), folder(&explanation.over));
    match &subject.taken.parts {
        Parts::Columns { .. } => {}
        Parts::Tokens(_) => {
            let name = format!("{folder}/{method}.html");
            for (number, sample) in explanation.samples.iter_mut().enumerate() {
                sample.file = Some(format!("{name}#s{}", number + 1));
            }
            files.push((name.clone(), page(explanation).into_bytes()));
            explanation.file = Some(name);
        }
        Parts::Pixels { mean, std } => {
            for (number, sample) in explanation.samples.iter_mut().enumerate() {
                let name = format!("{folder}/{method}-{}.png", number + 1);
                let drawn = image(subject, number, (mean, std)).with_map(&found[number].values);
                files.push((name.clone(), drawn.map_err(failed(&name))?));
                sample.file = Some(name);
            }
            let name = format!("{folder}/{method}-mean.png");
            let dims = subject.dims(0);
            let drawn = alone(&mean_map(found), [dims[1], dims[2]]);
            files.push((name.clone(), drawn.map_err(failed(&name))?));
            explanation.file = Some(name);
        }
    }
    Ok(())
}

/// An image as it was before it was normalised.
fn image(subject: &Subject<'_>, sample: usize, (mean, std): (&[f64], &[f64])) -> Shown {
    let dims = subject.dims(sample);
    let pixels = dims[1] * dims[2];
    let values = subject.point(sample).iter().enumerate();
    let pixels = values.map(|(at, value)| {
        let channel = at / pixels;
        f64::from(*value) * std[channel] + mean[channel]
    });
    Shown {
        pixels: pixels.collect(),
        dims: [dims[0], dims[1], dims[2]],
    }
}

/// The mean of the sizes of maps.
fn mean_map(found: &[Attribution]) -> Vec<f64> {
    let mut means = vec![0.0; found.first().map_or(0, |sample| sample.values.len())];
    for sample in found {
        let pairs = means.iter_mut().zip(&sample.values);
        pairs.for_each(|(mean, value)| *mean += value.abs() / found.len() as f64);
    }
    means
}

/// Where the files of samples go: `explanations/` and the name of the split, or the letters and digits of a path.
fn folder(over: &str) -> String {
    let plain = |letter: char| match letter {
        letter if letter.is_ascii_alphanumeric() => letter,
        _ => '_',
    };
    let name: Vec<char> = over.chars().map(plain).collect();
    let last = &name[name.len().saturating_sub(60)..];
    format!("explanations/{}", String::from_iter(last))
}
