//! Choosing the features and fitting their encoders.

use arrow::array::{Array, ArrayRef, Float64Array, RecordBatch};

use super::Feature;
use super::encoder::{Dates, Encoder, Names, Scale};
use super::hashed::Hashed;
use super::statistics::{MOST_CLASSES, Statistics};
use crate::column::dates::DateOrder;
use crate::column::{booleans, date_order, long_numbers, moments, numbers, text};
use crate::error::DataError;
use crate::labels::Labels;
use crate::note::Note;
use crate::table::schema::{Roles, feature_kind, given_order, overridden, useless};
use crate::table::{
    CategoricalEncoding, ColumnKind, NumericScaling, Role, Table, TableConfig, Vocabulary,
    check_columns,
};

/// The labels of the training rows and the names of their classes, which are none for numbers.
pub(super) type Answers<'a> = (&'a Labels, &'a [String]);

/// The features of a table, with notes on the columns that are none.
pub(super) fn features(
    table: &Table,
    train_rows: &[usize],
    config: &TableConfig,
    answers: Option<Answers<'_>>,
) -> Result<(Vec<Feature>, Vec<Note>), DataError> {
    check_columns(table, config)?;
    let (mut features, mut notes) = (Vec::new(), Vec::new());
    let roles = Roles::of(config);
    let names = table.columns().into_iter();
    for name in names.filter(|name| roles.role(name) == Role::Feature) {
        let train = table.take_column(&name, train_rows)?;
        let encoder = column_encoder(&name, (table, &train), config, answers, &mut notes);
        let advice = "correct it, add it to extra_null_values, or give the column another kind";
        let located = |error| table.locate(error, |row| train_rows[row]).advised(advice);
        let encoder = encoder.map_err(located)?;
        if let Some(encoder) = encoder {
            features.push(Feature {
                reading: table.readings.of(&name),
                name,
                encoder,
            });
        }
    }
    if features.is_empty() {
        let reasons: String = notes.iter().map(|note| format!("\n  {note}")).collect();
        let message = format!("no column is left to learn from{reasons}");
        return Err(DataError::Unusable(message));
    }
    Ok((features, notes))
}

fn column_encoder(
    name: &str,
    (table, train): (&Table, &RecordBatch),
    config: &TableConfig,
    answers: Option<Answers<'_>>,
    notes: &mut Vec<Note>,
) -> Result<Option<Encoder>, DataError> {
    let all = table.column(name)?;
    let (kind, order) = feature_kind(all, config, name)?;
    let array = crate::column::column(train, name)?;
    // A kind that the user gave is an order to use the column.
    let is_ordered = overridden(config, name).is_some() && array.null_count() < array.len();
    if !is_ordered && let Some(reason) = useless(name, array, kind)? {
        notes.push(Note::about(name, table.readings.reason(name, reason)));
        return Ok(None);
    }
    let written = table.readings.raw(name).unwrap_or(all);
    let doubt = doubt(written, (kind, order), config, name);
    notes.extend(doubt.map(|message| Note::about(name, message)));
    let column = config.columns.get(name).cloned().unwrap_or_default();
    let indicator = config.impute_indicator;
    Ok(Some(match kind {
        ColumnKind::Numeric => {
            let scaling = column.scaling.unwrap_or(config.numeric);
            numeric(name, array, scaling, indicator)?
        }
        ColumnKind::Boolean => boolean(name, array, indicator)?,
        ColumnKind::Date => dates(name, array, order.unwrap_or(DateOrder::Ymd), indicator)?,
        ColumnKind::Categorical => {
            let encoding = column.encoding.unwrap_or(config.categorical);
            let (encoder, note) = categorical((name, array), encoding, config, answers)?;
            notes.extend(note.map(|message| Note::about(name, message)));
            encoder
        }
        ColumnKind::Text => Encoder::Text(Hashed::new(array, config.text_buckets, indicator)),
        ColumnKind::Ignore => return Ok(None),
    }))
}

/// What there is to say of how a column is taken: dates that another order would fit, numbers that lose digits.
fn doubt(
    written: &ArrayRef,
    (kind, order): (ColumnKind, Option<DateOrder>),
    config: &TableConfig,
    name: &str,
) -> Option<String> {
    match (kind, order) {
        (ColumnKind::Numeric, _) => lost_digits(written, config, name),
        (ColumnKind::Date, Some(order)) if given_order(config, name).is_none() => {
            let is_doubtful = matches!(date_order(written), Some((_, true)));
            is_doubtful.then(|| order.doubt(name))
        }
        _ => None,
    }
}

/// That whole numbers are too long for a real, or without scaling for the 32 bits of a feature.
fn lost_digits(written: &ArrayRef, config: &TableConfig, name: &str) -> Option<String> {
    // What 32 bits hold in any case.
    const EXACT: f64 = (1_u32 << f32::MANTISSA_DIGITS) as f64;
    if let Some(example) = long_numbers(written) {
        return Some(format!(
            "whole numbers beyond 2^53, such as {example}, lose their last digits as numbers, so different ones may be the same to the model; if they name something, add the column to ignore, or set columns.{name:?}.kind = \"categorical\""
        ));
    }
    let own = config.columns.get(name).and_then(|column| column.scaling);
    if own.unwrap_or(config.numeric) != NumericScaling::None {
        return None;
    }
    let values = numbers(name, written).ok()?;
    let is_lost = |value: &f64| value.fract() == 0.0 && value.abs() > EXACT;
    let example = values.iter().flatten().find(is_lost)?;
    Some(format!(
        "whole numbers beyond 2^24, such as {example}, lose their last digits without scaling; set columns.{name:?}.scaling"
    ))
}

fn numeric(
    name: &str,
    array: &ArrayRef,
    scaling: NumericScaling,
    indicator: bool,
) -> Result<Encoder, DataError> {
    let values = numbers(name, array)?;
    let (mean, _) = mean_std(values.iter().flatten());
    let is_log = scaling == NumericScaling::Log;
    let (shift, scale) = match scaling {
        NumericScaling::Standard => mean_std(values.iter().flatten()),
        NumericScaling::Log => mean_std(values.iter().flatten().map(signed_log)),
        NumericScaling::MinMax => range(&values),
        NumericScaling::None => (0.0, 1.0),
    };
    // What stands in for a missing value is the mean of the scaled values.
    let fill = if is_log { shift } else { mean };
    Ok(Encoder::Numeric(Scale {
        scaling,
        shift,
        scale,
        fill,
        indicator: indicator && values.null_count() > 0,
        range: ends(&values),
    }))
}

fn boolean(name: &str, array: &ArrayRef, indicator: bool) -> Result<Encoder, DataError> {
    let values = booleans(name, array)?;
    let (fill, _) = mean_std(values.iter().flatten().map(f64::from));
    Ok(Encoder::Boolean {
        fill,
        indicator: indicator && values.null_count() > 0,
    })
}

fn dates(
    name: &str,
    array: &ArrayRef,
    order: DateOrder,
    indicator: bool,
) -> Result<Encoder, DataError> {
    let moments = moments(name, array, order)?;
    let (year_mean, year_std) = mean_std(moments.iter().flatten().map(Dates::year));
    let (day_mean, day_std) = mean_std(moments.iter().flatten().map(Dates::day));
    let mut all = moments.iter().flatten();
    let with_time = all.any(|moment| Dates::hour(moment) != 0.0);
    Ok(Encoder::Date(Dates {
        order,
        with_time,
        year_mean,
        year_std,
        day_mean,
        day_std,
        indicator: indicator && moments.null_count() > 0,
    }))
}

fn categorical(
    (name, array): (&str, &ArrayRef),
    encoding: CategoricalEncoding,
    config: &TableConfig,
    answers: Option<Answers<'_>>,
) -> Result<(Encoder, Option<String>), DataError> {
    let most = config.max_categories;
    let cells = text(name, array)?;
    let (categories, left_out) = Vocabulary::fit(cells.iter().flatten(), most);
    let is_target = encoding == CategoricalEncoding::Target;
    if let Some((labels, classes)) = answers.filter(has_statistics)
        && (is_target || encoding == CategoricalEncoding::Auto && left_out > 0)
    {
        let count = categories.len() + left_out;
        let message = format!(
            "{count} categories are more than max_categories = {most}, so what the training rows say of the target stands for them (encoding = \"target\"; \"onehot\" keeps the {most} most frequent)"
        );
        let statistics = Statistics::fit(name, array, labels, classes)?;
        let note = (!is_target).then_some(message);
        return Ok((Encoder::Statistics(statistics), note));
    }
    if is_target && answers.is_some() {
        return Err(DataError::Unusable(format!(
            "column {name:?} cannot have encoding = \"target\": it is for numbers and for at most {MOST_CLASSES} classes, one for each row"
        )));
    }
    let names = Names {
        encoding: match encoding {
            CategoricalEncoding::Embedding => CategoricalEncoding::Embedding,
            _ => CategoricalEncoding::Onehot,
        },
        categories,
        missing: cells.null_count() > 0,
    };
    let note = format!(
        "the {left_out} rarest categories share the slot \"unknown\" (max_categories = {most})"
    );
    Ok((Encoder::Categorical(names), (left_out > 0).then_some(note)))
}

/// Whether categories can stand for what rows with these labels say.
fn has_statistics((labels, classes): &Answers<'_>) -> bool {
    !matches!(labels, Labels::Sets(_)) && classes.len() <= MOST_CLASSES
}

/// The mean and the population standard deviation; 1 for the latter where all values are equal.
pub(crate) fn mean_std(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let (mean, std) = moments_of(values.clone());
    if std.is_normal() && std > mean.abs() * 1e-12 {
        return (mean, std);
    }
    // Beside a large offset the mean has lost the digits that tell the values apart; the differences
    // from the first one have not.
    let first = values.clone().next().unwrap_or(0.0);
    let (shift, std) = moments_of(values.clone().map(|value| value - first));
    // The last digits of a fraction are noise.
    let is_exact = values.clone().all(|value| value.fract() == 0.0) || std > first.abs() * 1e-15;
    match std.is_normal() && is_exact {
        true => (first + shift, std),
        false => (mean, 1.0),
    }
}

fn moments_of(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let count = values.clone().count().max(1) as f64;
    let mean = values.clone().map(|value| value / count).sum::<f64>();
    // Two passes: the difference of two large sums would lose every digit.
    let squares = values.map(|value| (value - mean) * ((value - mean) / count));
    (mean, squares.sum::<f64>().sqrt())
}

fn range(values: &Float64Array) -> (f64, f64) {
    match ends(values) {
        Some([low, high]) if high > low => (low, high - low),
        Some([low, _]) => (low, 1.0),
        None => (0.0, 1.0),
    }
}

/// The least and the largest value, if there is any.
fn ends(values: &Float64Array) -> Option<[f64; 2]> {
    let low = values.iter().flatten().fold(f64::INFINITY, f64::min);
    let high = values.iter().flatten().fold(f64::NEG_INFINITY, f64::max);
    (low <= high).then_some([low, high])
}

/// The logarithm that also takes zero and negative values.
pub(super) fn signed_log(value: f64) -> f64 {
    value.signum() * value.abs().ln_1p()
}
