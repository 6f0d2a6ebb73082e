//! From attributions of samples to what a person reads: columns, regions and tokens, each sample and all together.

use std::collections::{BTreeMap, HashMap};

use fireclay_run::Parts;

use super::attribute::Attribution;
use super::columns::{cell, shown};
use super::explanation::{Column, Sample, by_size};
use super::request::ExplainError;
use super::subject::Subject;

/// Tokens that are named of all that occur.
const TOKENS: usize = 30;

/// Where things are in an image, in a grid of three by three.
const REGIONS: [&str; 9] = [
    "top left",
    "top",
    "top right",
    "left",
    "middle",
    "right",
    "bottom left",
    "bottom",
    "bottom right",
];

/// What the value of a column of all samples is, in words.
pub(crate) fn meaning(parts: &Parts) -> &'static str {
    match parts {
        Parts::Columns { .. } => "the mean size of what the column adds",
        Parts::Pixels { .. } => "the mean share of the map that lies there",
        Parts::Tokens(_) => "the mean size of what the token adds to a text, over all texts",
    }
}

/// The importance of columns, regions or tokens over all samples.
pub(crate) fn global(subject: &Subject<'_>, found: &[Attribution]) -> Vec<Column> {
    let sizes = |at: usize| {
        let of = found.iter().map(|sample| sample.values[at].abs());
        of.collect::<Vec<f64>>()
    };
    let mut columns: Vec<Column> = match &subject.taken.parts {
        Parts::Columns { columns, .. } => {
            let named = columns.iter().enumerate();
            named
                .map(|(at, part)| Column::mean(&part.name, &sizes(at)))
                .collect()
        }
        Parts::Pixels { .. } => {
            let shares: Vec<[f64; 9]> = found
                .iter()
                .map(|sample| regions(subject, sample))
                .collect();
            let of = |region: usize| {
                shares
                    .iter()
                    .map(|shares| shares[region])
                    .collect::<Vec<f64>>()
            };
            let named = REGIONS.iter().enumerate();
            named
                .map(|(region, name)| Column::mean(name, &of(region)))
                .collect()
        }
        Parts::Tokens(texts) => tokens(texts, found),
    };
    by_size(&mut columns);
    if let Parts::Tokens(_) = subject.taken.parts {
        columns.truncate(TOKENS);
    }
    columns
}

/// The mean over all texts of the size of what each token adds: the sum where it occurs, and zero elsewhere.
fn tokens(texts: &[Vec<String>], found: &[Attribution]) -> Vec<Column> {
    let mut sizes: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (number, (text, sample)) in texts.iter().zip(found).enumerate() {
        for (token, value) in text.iter().zip(&sample.values) {
            let of = sizes.entry(token).or_insert_with(|| vec![0.0; found.len()]);
            of[number] += value.abs();
        }
    }
    let columns = sizes.into_iter();
    columns
        .map(|(token, sizes)| Column::mean(token, &sizes))
        .collect()
}

/// The share of the sizes of a map that is in each region.
fn regions(subject: &Subject<'_>, sample: &Attribution) -> [f64; 9] {
    let dims = subject.dims(0);
    let mut shares = [0.0; 9];
    for (at, value) in sample.values.iter().enumerate() {
        let (y, x) = (at / dims[2], at % dims[2]);
        shares[3 * (3 * y / dims[1]) + 3 * x / dims[2]] += value.abs();
    }
    let total: f64 = shares.iter().sum();
    shares.map(|share| if total > 0.0 { share / total } else { 0.0 })
}

/// One sample.
pub(crate) fn one(
    subject: &Subject<'_>,
    number: usize,
    found: &Attribution,
) -> Result<Sample, ExplainError> {
    let columns = parts_of(subject, number, found)?;
    Ok(Sample {
        name: subject.taken.names[number].clone(),
        target: subject.class(number).map(str::to_owned),
        value: found.value,
        base: found.base,
        columns,
        file: None,
    })
}

/// What each part of a sample adds: columns and regions by their size, tokens as they are read.
fn parts_of(
    subject: &Subject<'_>,
    number: usize,
    found: &Attribution,
) -> Result<Vec<Column>, ExplainError> {
    let mut columns: Vec<Column> = match &subject.taken.parts {
        Parts::Columns { columns, cells } => {
            let schema = cells.schema();
            // To look for each by its name takes long where there are very many.
            let places = schema.fields().iter().enumerate();
            let places: HashMap<&str, usize> = places
                .map(|(place, field)| (field.name().as_str(), place))
                .collect();
            let cell = |name: &str| match places.get(name) {
                Some(place) => shown(cells.column(*place), number),
                None => cell(cells, name, number),
            };
            let named = columns.iter().enumerate().map(|(at, part)| {
                Ok(Column {
                    interval: interval(found, at),
                    cell: cell(&part.name)?,
                    ..Column::new(&part.name, found.values[at])
                })
            });
            named.collect::<Result<Vec<_>, ExplainError>>()?
        }
        Parts::Pixels { .. } => {
            let shares = REGIONS.iter().zip(regions(subject, found));
            shares
                .map(|(name, share)| Column::new(name, share))
                .collect()
        }
        Parts::Tokens(texts) => {
            let tokens = texts[number].iter().zip(&found.values);
            return Ok(tokens
                .map(|(token, value)| Column::new(token, *value))
                .collect());
        }
    };
    by_size(&mut columns);
    Ok(columns)
}

/// What a part adds, give or take its error where that is known.
fn interval(found: &Attribution, at: usize) -> Option<[f64; 2]> {
    let (value, error) = (found.values[at], found.errors.as_ref()?[at]);
    Some([value - error, value + error])
}
