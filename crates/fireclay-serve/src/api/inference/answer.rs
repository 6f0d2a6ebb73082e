//! From answers to tensors.

use fireclay_data::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use fireclay_data::arrow::datatypes::Float64Type;
use fireclay_run::answer::probability_column;
use serde_json::{Value, json};

use crate::error::Refusal;
use crate::model::Facts;

/// Answers as tensors.
pub fn tensors(facts: &Facts, answers: &RecordBatch) -> Result<Vec<Value>, Refusal> {
    let column = |name: &str| {
        let column = answers.column_by_name(name);
        column.ok_or_else(|| Refusal::internal(format!("the model gave no {name}")))
    };
    let mut tensors = vec![vector("prediction", column("prediction")?)?];
    if !facts.classes.is_empty() {
        let numbers = facts.classes.iter().map(|class| {
            let column = column(&probability_column(class))?;
            let numbers = column.as_primitive_opt::<Float64Type>();
            numbers.ok_or_else(|| Refusal::internal("a probability is no number"))
        });
        let columns = numbers.collect::<Result<Vec<_>, _>>()?;
        let rows = answers.num_rows();
        let at = |row: usize| columns.iter().map(move |column| column.value(row));
        let numbers: Vec<f64> = (0..rows).flat_map(at).collect();
        let shape = vec![rows, columns.len()];
        tensors.push(tensor("probabilities", "FP64", shape, json!(numbers)));
    }
    for (name, _) in &facts.bounds {
        tensors.push(vector(name, column(name)?)?);
    }
    Ok(tensors)
}

/// A column of numbers or of texts; what is missing is null.
fn vector(name: &str, column: &ArrayRef) -> Result<Value, Refusal> {
    let (numbers, texts) = (
        column.as_primitive_opt::<Float64Type>(),
        column.as_string_opt::<i32>(),
    );
    let (datatype, data) = match (numbers, texts) {
        (Some(numbers), _) => ("FP64", json!(numbers.iter().collect::<Vec<_>>())),
        (_, Some(texts)) => ("BYTES", json!(texts.iter().collect::<Vec<_>>())),
        (None, None) => {
            let message = format!("{name} is of the type {}", column.data_type());
            return Err(Refusal::internal(message));
        }
    };
    Ok(tensor(name, datatype, vec![column.len()], data))
}

fn tensor(name: &str, datatype: &str, shape: Vec<usize>, data: Value) -> Value {
    json!({ "name": name, "datatype": datatype, "shape": shape, "data": data })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use fireclay_data::arrow::array::{Float64Array, Int64Array};

    use super::*;

    #[test]
    fn what_is_missing_is_null_and_another_type_is_refused() {
        let numbers: ArrayRef = Arc::new(Float64Array::from(vec![Some(1.5), None]));
        let vector_of = |column| vector("x", column);
        let found = vector_of(&numbers).expect("a tensor");
        assert_eq!(found["data"], json!([1.5, null]));
        let whole: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        assert!(vector_of(&whole).is_err());
    }
}
