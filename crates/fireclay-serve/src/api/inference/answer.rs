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
    let mut tensors = vec![vector("prediction", column("prediction")?)];
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
        tensors.push(vector(name, column(name)?));
    }
    Ok(tensors)
}

/// A column of numbers, or else of texts.
fn vector(name: &str, column: &ArrayRef) -> Value {
    let shape = vec![column.len()];
    match column.as_primitive_opt::<Float64Type>() {
        Some(numbers) => tensor(name, "FP64", shape, json!(&numbers.values()[..])),
        None => {
            let texts = column.as_string_opt::<i32>();
            let texts: Vec<_> = texts
                .map(|texts| texts.iter().collect())
                .unwrap_or_default();
            tensor(name, "BYTES", shape, json!(texts))
        }
    }
}

fn tensor(name: &str, datatype: &str, shape: Vec<usize>, data: Value) -> Value {
    json!({ "name": name, "datatype": datatype, "shape": shape, "data": data })
}
