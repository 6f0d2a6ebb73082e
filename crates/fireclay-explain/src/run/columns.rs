//! What is found of all rows of a table together: permutation importance and partial dependence.

use fireclay_data::DataError;
use fireclay_data::arrow::array::{Array, RecordBatch};
use fireclay_data::arrow::util::display::array_value_to_string;
use fireclay_data::column;
use fireclay_metrics::Direction;
use fireclay_run::{Part, RunError};

use super::explanation::{Column, Step};
use super::request::{ExplainError, Request};
use super::subject::Subject;
use crate::dependence::partial_dependence;
use crate::permutation::permutation_importance;

/// Shuffles of each column.
pub(super) const REPEATS: usize = 10;
/// Steps of a curve, at most.
pub(super) const STEPS: usize = 20;
/// Rows whose curves are kept.
const CURVES: usize = 20;

/// The text of a cell; none where it is missing.
pub(crate) fn cell(
    cells: &RecordBatch,
    name: &str,
    row: usize,
) -> Result<Option<String>, ExplainError> {
    let wrong = |error: DataError| ExplainError::Run(RunError::Data(error));
    shown(column(cells, name).map_err(wrong)?, row)
}

/// The text of a cell of a column; none where it is missing.
pub(crate) fn shown(cells: &dyn Array, row: usize) -> Result<Option<String>, ExplainError> {
    if cells.is_null(row) {
        return Ok(None);
    }
    let text = array_value_to_string(cells, row);
    text.map(Some)
        .map_err(|error| ExplainError::Run(RunError::Data(error.into())))
}

/// What the metric loses when a column is shuffled.
pub(crate) fn permuted(
    subject: &Subject<'_>,
    columns: &[Part],
    (metric, direction): (&str, Direction),
    seed: u64,
) -> Result<Vec<Column>, ExplainError> {
    let truth = subject.taken.truth.as_ref();
    let truth = truth.expect("checked: the samples have targets");
    let sign = if direction == Direction::Higher {
        1.0
    } else {
        -1.0
    };
    let score = |points: &[f32]| {
        let answers = subject.meaning.answers(subject.answers(points));
        let report = subject.meaning.report(&answers, truth, None);
        report
            .metrics
            .get(metric)
            .map_or(f64::NAN, |value| sign * value)
    };
    let rows = subject.values_of_all();
    if score(&rows).is_nan() {
        let message =
            format!("{metric} is not defined on these rows; take more rows, or another --metric");
        return Err(ExplainError::Usage(message));
    }
    let width = rows.len() / subject.len();
    let groups: Vec<Vec<usize>> = columns.iter().map(|part| part.at.clone()).collect();
    let losses = permutation_importance(&score, (&rows, width), &groups, (REPEATS, seed));
    let pairs = columns.iter().zip(losses);
    Ok(pairs
        .map(|(part, loss)| Column::mean(&part.name, &loss.each))
        .collect())
}

/// The curves of columns; the value of a column is the standard deviation of its curve over the steps (Greenwell et
/// al. 2018, [arXiv:1805.04755](https://arxiv.org/abs/1805.04755), section 3.1).
pub(crate) fn dependences(
    subject: &Subject<'_>,
    (columns, cells): (&[Part], &RecordBatch),
    request: &Request<'_>,
    target: usize,
) -> Result<Vec<Column>, ExplainError> {
    let rows = subject.values_of_all();
    let width = rows.len() / subject.len();
    let f = subject.answer(0, target);
    let curve = |part: &Part| {
        let steps = grid(cells, &part.name)?;
        let values = steps
            .iter()
            .flat_map(|(_, row)| &rows[row * width..][..width]);
        let values: Vec<f32> = values.copied().collect();
        let found = partial_dependence(&f, &rows, &values, &part.at);
        let some = &found.each[..found.each.len().min(CURVES)];
        let curve = steps.iter().enumerate().map(|(step, (at, _))| Step {
            at: at.clone(),
            value: short(found.mean[step]),
            each: some.iter().map(|row| short(row[step])).collect(),
        });
        Ok(Column {
            curve: curve.collect(),
            ..Column::new(&part.name, deviation(&found.mean))
        })
    };
    let named = |part: &&Part| request.columns.is_empty() || request.columns.contains(&part.name);
    columns.iter().filter(named).map(curve).collect()
}

/// A number with six digits: curves have many numbers, and the model computes with no more.
fn short(value: f64) -> f64 {
    format!("{value:.5e}").parse().unwrap_or(value)
}

fn deviation(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (squares / (count - 1.0).max(1.0)).sqrt()
}

/// Values that the cells of a column have, and a row with each: quantiles of numbers, ascending, or else the most
/// frequent ones. A missing cell is a value too.
fn grid(cells: &RecordBatch, name: &str) -> Result<Vec<(String, usize)>, ExplainError> {
    let texts = (0..cells.num_rows()).map(|row| Ok(cell(cells, name, row)?.unwrap_or_default()));
    let texts = texts.collect::<Result<Vec<String>, ExplainError>>()?;
    let numbers: Vec<Option<f64>> = texts.iter().map(|text| text.parse().ok()).collect();
    let is_numeric = texts
        .iter()
        .zip(&numbers)
        .all(|(text, number)| text.is_empty() || number.is_some());
    let mut order: Vec<usize> = (0..texts.len()).collect();
    let key = |row: usize| numbers[row].unwrap_or(f64::INFINITY);
    match is_numeric {
        true => order.sort_by(|a, b| key(*a).total_cmp(&key(*b))),
        false => order.sort_by(|a, b| texts[*a].cmp(&texts[*b])),
    }
    let mut values: Vec<(&str, usize, usize)> = Vec::new();
    for row in &order {
        match values.last_mut() {
            Some((text, _, count)) if *text == texts[*row] => *count += 1,
            _ => values.push((&texts[*row], *row, 1)),
        }
    }
    if values.len() > STEPS && is_numeric {
        let last = order.len() - 1;
        let at = |step: usize| order[step * last / (STEPS - 1)];
        let mut steps: Vec<(String, usize)> = (0..STEPS)
            .map(|step| (texts[at(step)].clone(), at(step)))
            .collect();
        steps.dedup_by(|a, b| a.0 == b.0);
        return Ok(steps);
    }
    values.sort_by_key(|(_, _, count)| if is_numeric { 0 } else { usize::MAX - count });
    let named = values.into_iter().take(STEPS);
    Ok(named.map(|(text, row, _)| (text.to_owned(), row)).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use fireclay_data::arrow::array::{ArrayRef, StringArray};

    use super::*;

    fn steps(cells: Vec<Option<&str>>) -> Vec<(String, usize)> {
        let column: ArrayRef = Arc::new(StringArray::from(cells));
        let cells = RecordBatch::try_from_iter_with_nullable([("x", column, true)]);
        grid(&cells.expect("a table"), "x").expect("a grid")
    }

    #[test]
    fn numbers_are_in_their_order_and_words_by_their_frequency() {
        let found = steps(vec![Some("10"), Some("9.5"), None, Some("9.5")]);
        assert_eq!(
            found,
            [("9.5".into(), 1), ("10".into(), 0), (String::new(), 2)]
        );
        let found = steps(vec![Some("red"), Some("blue"), Some("red"), Some("3")]);
        assert_eq!(found[0], ("red".into(), 0));
        assert_eq!(found.len(), 3);
        let many: Vec<String> = (0..1000).map(|number| (number % 500).to_string()).collect();
        let found = steps(many.iter().map(|text| Some(text.as_str())).collect());
        assert_eq!(found.len(), STEPS);
        assert_eq!(
            (found[0].0.as_str(), found[STEPS - 1].0.as_str()),
            ("0", "499")
        );
    }
}
