//! The types of Arrow as the few that the rest of the crate knows.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch};
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::{DataType, Float64Type, TimeUnit};
use arrow::error::ArrowError;

use crate::column::text;

/// The digits that a 64-bit integer holds in any case.
const EXACT_DIGITS: u8 = 18;

pub(crate) fn simplify(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let schema = batch.schema();
    let columns = schema
        .fields()
        .iter()
        .zip(batch.columns())
        .map(|(field, array)| Ok((field.name(), simple(array)?, true)));
    RecordBatch::try_from_iter_with_nullable(columns.collect::<Result<Vec<_>, ArrowError>>()?)
}

/// Integers as `Int64`, reals as `Float64`, moments as microseconds, times of day and durations as
/// seconds, text as `Utf8`, categories as a dictionary of text. Whole numbers that do not fit are text:
/// rounded, they would name other rows. Nested and other types stay what they are; they cannot be
/// features.
pub(crate) fn simple(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let target = match array.data_type() {
        DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32 => DataType::Int64,
        DataType::UInt64 => DataType::Utf8,
        DataType::Float16 | DataType::Float32 => DataType::Float64,
        DataType::Decimal32(digits, scale)
        | DataType::Decimal64(digits, scale)
        | DataType::Decimal128(digits, scale)
        | DataType::Decimal256(digits, scale) => decimal(*digits, *scale),
        DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => DataType::Utf8,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => return Ok(bytes(array)),
        DataType::Dictionary(_, value) => return categories(&cast(array, value)?),
        DataType::Time32(unit) | DataType::Time64(unit) | DataType::Duration(unit) => {
            return seconds(array, *unit);
        }
        DataType::Date32 | DataType::Date64 => DataType::Timestamp(TimeUnit::Microsecond, None),
        DataType::Timestamp(_, _) => DataType::Timestamp(TimeUnit::Microsecond, None),
        _ => return Ok(array.clone()),
    };
    cast(array, &target)
}

fn decimal(digits: u8, scale: i8) -> DataType {
    match scale > 0 {
        true => DataType::Float64,
        false if digits <= EXACT_DIGITS && scale == 0 => DataType::Int64,
        false => DataType::Utf8,
    }
}

/// Text, which some programs write as bytes; other bytes stay what they are.
fn bytes(array: &ArrayRef) -> ArrayRef {
    let strict = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    cast_with_options(array, &DataType::Utf8, &strict).unwrap_or_else(|_| array.clone())
}

/// What a program wrote as categories is categories, even where their names are numbers. Moments
/// and truth values are more than that.
fn categories(values: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let values = simple(values)?;
    match values.data_type() {
        DataType::Utf8 | DataType::Int64 | DataType::Float64 => {
            let texts =
                text("", &values).map_err(|error| ArrowError::CastError(error.to_string()))?;
            let texts: ArrayRef = Arc::new(texts);
            let names = DataType::Dictionary(DataType::Int32.into(), DataType::Utf8.into());
            cast(&texts, &names)
        }
        _ => Ok(values),
    }
}

fn seconds(array: &ArrayRef, unit: TimeUnit) -> Result<ArrayRef, ArrowError> {
    let per_second = match unit {
        TimeUnit::Second => 1.0,
        TimeUnit::Millisecond => 1e3,
        TimeUnit::Microsecond => 1e6,
        TimeUnit::Nanosecond => 1e9,
    };
    // Times of 32 bits are cast to integers of 32 bits only.
    let integer = match array.data_type() {
        DataType::Time32(_) => DataType::Int32,
        _ => DataType::Int64,
    };
    let values = cast(&cast(array, &integer)?, &DataType::Float64)?;
    let values = values.as_primitive::<Float64Type>();
    let values: Float64Array = values.unary(|value| value / per_second);
    Ok(Arc::new(values))
}
