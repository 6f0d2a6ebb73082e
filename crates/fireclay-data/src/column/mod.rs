//! What the cells of a column mean, whatever type the file gave them.

pub(crate) mod dates;
mod lookup;
pub(crate) mod numbers;
pub(crate) mod reading;
mod truth;
pub(crate) mod written;

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, LargeStringArray, StringArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimestampMicrosecondType};

use self::dates::DateOrder;
pub(crate) use self::lookup::Columns;
pub use self::lookup::column;
pub(crate) use self::truth::{is_english, truth};
use crate::error::DataError;

/// Whether the column has one of the types that can be features.
pub(crate) fn is_flat(array: &ArrayRef) -> bool {
    matches!(
        array.data_type(),
        DataType::Utf8
            | DataType::LargeUtf8
            | DataType::Boolean
            | DataType::Int64
            | DataType::Float64
            | DataType::Timestamp(_, _)
            | DataType::Dictionary(_, _)
    )
}

/// Whether some cells of a column of text are numbers by the grammar of their file, as those of JSON are.
/// No custom of a country applies to such a column: `2.125` is never 2125.
///
/// Texts alone have the type `Utf8`, and texts with such numbers `LargeUtf8`.
pub(crate) fn has_numbers(array: &ArrayRef) -> bool {
    *array.data_type() == DataType::LargeUtf8
}

/// The cells of a column of text; none of a column that is something else.
pub(crate) fn words(array: &ArrayRef) -> Option<StringArray> {
    match array.data_type() {
        DataType::Utf8 => Some(array.as_string::<i32>().clone()),
        DataType::LargeUtf8 => narrowed(array.as_string()),
        _ => None,
    }
}

/// The same texts, as a column that [`has_numbers`].
pub(crate) fn widened(texts: &StringArray) -> LargeStringArray {
    let offsets = texts.value_offsets().iter();
    let offsets = offsets.map(|at| i64::from(*at)).collect::<Vec<_>>();
    let offsets = OffsetBuffer::new(offsets.into());
    LargeStringArray::new(offsets, texts.values().clone(), texts.nulls().cloned())
}

/// The same texts, as a column of texts alone; none of over 2 GiB.
fn narrowed(texts: &LargeStringArray) -> Option<StringArray> {
    let offsets = texts.value_offsets().iter();
    let offsets = offsets.map(|at| i32::try_from(*at).ok());
    let offsets = OffsetBuffer::new(offsets.collect::<Option<Vec<_>>>()?.into());
    let (values, nulls) = (texts.values().clone(), texts.nulls().cloned());
    Some(StringArray::new(offsets, values, nulls))
}

/// The column as other programs are given it: all text has one type.
pub fn plain_text(array: &ArrayRef) -> ArrayRef {
    match words(array) {
        Some(texts) => Arc::new(texts),
        None => array.clone(),
    }
}

/// The labels in a text, without white space around them; none in an empty one.
pub(crate) fn labels_in<'a>(
    text: &'a str,
    separator: &'a str,
) -> impl Iterator<Item = &'a str> + Clone {
    text.split(separator)
        .map(str::trim)
        .filter(|label| !label.is_empty())
}

/// The cells as text, a number in its shortest form: `1`, not `1.0`.
///
/// # Errors
/// [`DataError::Type`] if cells are lists or tables.
pub fn text(name: &str, array: &ArrayRef) -> Result<StringArray, DataError> {
    if let Some(texts) = words(array) {
        return Ok(texts);
    }
    match array.data_type() {
        DataType::Float64 => {
            let values = array.as_primitive::<Float64Type>();
            Ok(values
                .iter()
                .map(|value| value.filter(|value| !value.is_nan()).map(shortest))
                .collect())
        }
        _ => Ok(convert(name, array, &DataType::Utf8, "text")?
            .as_string::<i32>()
            .clone()),
    }
}

/// The cells as numbers; NaN is missing.
///
/// # Errors
/// The first cell that is no number or infinite, with its row.
pub fn numbers(name: &str, array: &ArrayRef) -> Result<Float64Array, DataError> {
    let values = raw_numbers(name, array)?;
    if values.null_count() > array.null_count()
        && let Some(row) = (0..array.len()).find(|&row| values.is_null(row) && array.is_valid(row))
    {
        let more = values.null_count() - array.null_count() - 1;
        let more = match more {
            0 => String::new(),
            more => format!(" ({more} more cells are not)"),
        };
        return Err(bad(name, array, row, &format!("is not a number{more}")));
    }
    if let Some(row) =
        (0..values.len()).find(|&row| values.is_valid(row) && values.value(row).is_infinite())
    {
        return Err(bad(name, array, row, "is not finite"));
    }
    if values.values().iter().any(|value| value.is_nan()) {
        return Ok(values
            .iter()
            .map(|value| value.filter(|value| !value.is_nan()))
            .collect());
    }
    Ok(values)
}

fn raw_numbers(name: &str, array: &ArrayRef) -> Result<Float64Array, DataError> {
    Ok(convert(name, array, &DataType::Float64, "numbers")?
        .as_primitive::<Float64Type>()
        .clone())
}

/// The cells as truth values: the words of [`truth`], or the numbers 0 and 1.
///
/// # Errors
/// The first other cell, with its row.
pub(crate) fn booleans(name: &str, array: &ArrayRef) -> Result<BooleanArray, DataError> {
    if let Some(values) = array.as_boolean_opt() {
        return Ok(values.clone());
    }
    let cells = text(name, array)?;
    let read = |(row, cell): (usize, Option<&str>)| match cell {
        None => Ok(None),
        Some(cell) => match truth(cell).or(match cell {
            "0" | "0.0" => Some(false),
            "1" | "1.0" => Some(true),
            _ => None,
        }) {
            Some(value) => Ok(Some(value)),
            None => Err(DataError::bad_value(
                name,
                row,
                cell,
                "is neither true nor false",
            )),
        },
    };
    cells.iter().enumerate().map(read).collect()
}

/// The cells as moments: microseconds since 1970.
///
/// # Errors
/// The first cell that is no date of this order, with its row.
pub(crate) fn moments(
    name: &str,
    array: &ArrayRef,
    order: DateOrder,
) -> Result<Int64Array, DataError> {
    if matches!(array.data_type(), DataType::Timestamp(_, _)) {
        return Ok(array
            .as_primitive::<TimestampMicrosecondType>()
            .reinterpret_cast::<Int64Type>());
    }
    let cells = text(name, array)?;
    let read = |(row, cell): (usize, Option<&str>)| match cell {
        None => Ok(None),
        Some(cell) => match order.parse(cell) {
            Some(value) => Ok(Some(value)),
            None => Err(DataError::bad_value(
                name,
                row,
                cell,
                &format!("is not a date written {}", order.words()),
            )),
        },
    };
    cells.iter().enumerate().map(read).collect()
}

/// Whether every cell that is there is a number.
pub(crate) fn is_numeric(array: &ArrayRef) -> bool {
    match array.data_type() {
        DataType::Int64 | DataType::Float64 => true,
        DataType::Utf8 | DataType::LargeUtf8 => {
            // Text shows itself in the first rows, and then the whole column need not be converted.
            let all_numbers = |array: &ArrayRef| {
                raw_numbers("", array).is_ok_and(|values| values.null_count() == array.null_count())
            };
            all_numbers(&array.slice(0, array.len().min(1000))) && all_numbers(array)
        }
        _ => false,
    }
}

/// Whether no cell is a number that is infinite.
pub(crate) fn is_finite(array: &ArrayRef) -> bool {
    let finite = |values: Float64Array| values.values().iter().all(|value| !value.is_infinite());
    raw_numbers("", array).is_ok_and(finite)
}

/// A whole number of the column that a real does not hold exactly, if there is one.
pub(crate) fn long_numbers(array: &ArrayRef) -> Option<String> {
    const EXACT: u64 = 1 << f64::MANTISSA_DIGITS;
    if let Some(values) = array.as_primitive_opt::<Int64Type>() {
        let long = values.iter().flatten();
        let mut long = long.filter(|value| value.unsigned_abs() > EXACT);
        return long.next().map(|value| value.to_string());
    }
    let cells = words(array)?;
    let is_long = |cell: &&str| {
        let digits = cell.trim_start_matches(['-', '+']);
        let is_whole = digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.len() > 15 && is_whole && digits.parse::<u64>().is_ok_and(|value| value > EXACT)
            || digits.len() > 20 && is_whole
    };
    let long = cells.iter().flatten().find(is_long);
    long.map(str::to_owned)
}

/// Whether whole numbers are codes, such as postcodes: some begin with a zero, and these are not rare or
/// all cells have as many digits.
pub(crate) fn are_codes(cells: &StringArray) -> bool {
    let (mut present, mut whole, mut zeros, mut width) = (0, 0, 0, None);
    let mut is_even = true;
    for cell in cells.iter().flatten() {
        present += 1;
        if cell.bytes().all(|byte| byte.is_ascii_digit()) {
            whole += 1;
            zeros += usize::from(cell.len() > 1 && cell.starts_with('0'));
            is_even &= *width.get_or_insert(cell.len()) == cell.len();
        }
    }
    zeros > 0 && (20 * zeros >= present || is_even && whole == present)
}

/// Whether every cell that is there is a word of [`truth`].
pub(crate) fn is_boolean(array: &ArrayRef) -> bool {
    match array.data_type() {
        DataType::Boolean => true,
        _ => words(array)
            .is_some_and(|cells| cells.iter().flatten().all(|word| truth(word).is_some())),
    }
}

/// The order in which every cell that is there is a date, and whether another would do as well.
pub(crate) fn date_order(array: &ArrayRef) -> Option<(DateOrder, bool)> {
    if matches!(array.data_type(), DataType::Timestamp(_, _)) {
        return Some((DateOrder::Ymd, false));
    }
    let cells = words(array)?;
    let fits = |order: &DateOrder| are_dates(&cells, *order);
    let mut orders: Vec<_> = DateOrder::ALL.into_iter().filter(fits).collect();
    // Points between the numbers are the custom where the day comes first.
    let first = cells.iter().flatten().next();
    if first.is_some_and(|cell| cell.contains('.')) {
        orders.reverse();
    }
    orders.first().map(|order| (*order, orders.len() > 1))
}

/// Whether every cell that is there is a date of this order.
pub(crate) fn are_dates(cells: &StringArray, order: DateOrder) -> bool {
    let mut present = cells.iter().flatten();
    present.all(|cell| order.parse(cell).is_some())
}

/// The shortest text that reads back as this number, without `.0`.
pub(crate) fn shortest(value: f64) -> String {
    // Adding zero turns -0 into 0.
    format!("{}", value + 0.0)
}

fn bad(name: &str, array: &ArrayRef, row: usize, problem: &str) -> DataError {
    let cell =
        text(name, &array.slice(row, 1)).map(|cell| cell.iter().flatten().collect::<String>());
    DataError::bad_value(name, row, &cell.unwrap_or_default(), problem)
}

fn convert(
    name: &str,
    array: &ArrayRef,
    target: &DataType,
    wanted: &'static str,
) -> Result<ArrayRef, DataError> {
    let fail = || DataError::Type {
        column: name.to_owned(),
        found: array.data_type().to_string(),
        wanted,
    };
    if !is_flat(array) {
        return Err(fail());
    }
    cast_with_options(array, target, &CastOptions::default()).map_err(|_| fail())
}
