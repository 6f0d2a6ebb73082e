//! `outside MODEL.safetensors FEATURES.csv` prints the raw outputs of a trained model, one row a
//! line: logits, or predictions of the standardised target.
//!
//! A line of FEATURES.csv holds the encoded numeric features, separated by commas, and, where the
//! model embeds categories, a semicolon and their indices: `0.5,-1.25;3,0`.

use std::error::Error;
use std::{env, fs};

use burn::tensor::{Device, Int, Tensor, TensorData};
use fireclay_models::{TabularConfig, TabularNetwork, weights};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().collect();
    let [_, model, features] = arguments.as_slice() else {
        return Err("usage: outside MODEL.safetensors FEATURES.csv".into());
    };
    let device = Device::flex();
    let (model, description) = weights::load::<TabularConfig>(model, &device)?;

    let mut numeric: Vec<f32> = Vec::new();
    let mut categories: Vec<i64> = Vec::new();
    let text = fs::read_to_string(features)?;
    for line in text.lines() {
        let (left, right) = line.split_once(';').unwrap_or((line, ""));
        for field in fields(left) {
            numeric.push(field.parse()?);
        }
        for field in fields(right) {
            categories.push(field.parse()?);
        }
    }

    let rows = text.lines().count();
    let shape = description.shape;
    if numeric.len() != rows * shape.numeric || categories.len() != rows * shape.categories.len() {
        return Err(format!("the features do not fit the model, which takes {shape:?}").into());
    }
    let numeric = TensorData::new(numeric, [rows, shape.numeric]);
    let categories = TensorData::new(categories, [rows, shape.categories.len()]);
    let outputs: Vec<f32> = model
        .forward(
            Tensor::from_data(numeric, &device),
            Tensor::<2, Int>::from_data(categories, &device),
        )
        .into_data()
        .try_into_vec()?;

    // `Display` writes the shortest digits that give the same f32 back.
    for row in outputs.chunks(shape.outputs) {
        let fields: Vec<_> = row.iter().map(f32::to_string).collect();
        println!("{}", fields.join(","));
    }
    Ok(())
}

fn fields(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|field| !field.is_empty())
}
