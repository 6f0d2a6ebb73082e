//! What the outputs of a classifier of others mean, by its `config.json`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use crate::pretrained::Weights;
use crate::task::ClassificationAnswer;

/// The classes of a model with so many outputs: each sample has one, the most probable.
///
/// # Errors
///
/// If the outputs are no logits of classes of which a sample has one, or their names are not told apart.
pub(super) fn read(folder: &Path, outputs: usize) -> Result<ClassificationAnswer, String> {
    let name = folder.display().to_string();
    let described = Weights(&name).described();
    let described = described.map_err(|error| error.to_string())?;
    let mut others = described.others.into_iter();
    // By these keys transformers and timm know the model.
    let found = others.find(|(_, json)| {
        let names = ["model_type", "architecture"];
        names.iter().any(|key| json.contains_key(*key))
    });
    let (_, json) = found.ok_or("no config.json says what they are")?;
    let given = |key: &str| json.get(key).filter(|value| !value.is_null());
    match given("problem_type") {
        Some(kind) if kind != "single_label_classification" => {
            return Err(format!("their problem_type is {kind}"));
        }
        None if outputs == 1 => return Err("a single one is no class".into()),
        _ => {}
    }
    let named = given("label_names").or_else(|| given("id2label"));
    let classes = (0..outputs).map(|output| class(named, output));
    let classes = told_apart(classes.collect::<Result<_, _>>()?);
    let several: BTreeSet<&String> = classes.iter().collect();
    match several.len() == outputs {
        true => Ok(ClassificationAnswer::of(classes)),
        false => Err("two have one name".into()),
    }
}

/// The name of the class of an output, as a list or an object has it; by its number where there is neither.
fn class(named: Option<&Value>, output: usize) -> Result<String, String> {
    let found = match named {
        None => return Ok(format!("LABEL_{output}")),
        Some(Value::Array(names)) => names.get(output),
        Some(names) => names.get(output.to_string()),
    };
    match found {
        Some(Value::String(name)) => Ok(name.clone()),
        Some(other) => Err(format!("config.json calls one {other}")),
        None => Err(format!("config.json has no name for output {output}")),
    }
}

/// A name of several classes, as two of ImageNet have one, with the number of each output behind it.
fn told_apart(names: Vec<String>) -> Vec<String> {
    let mut counts = BTreeMap::new();
    for name in &names {
        *counts.entry(name.clone()).or_insert(0) += 1;
    }
    let names = names.into_iter().enumerate();
    let told = names.map(|(output, name)| match counts[&name] {
        1 => name,
        _ => format!("{name} ({output})"),
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn classes_of_one_name_are_told_apart_by_their_outputs() {
        let names = ["crane", "kite", "crane"].map(str::to_owned);
        assert_eq!(
            told_apart(names.to_vec()),
            ["crane (0)", "kite", "crane (2)"]
        );
    }

    #[test]
    fn lists_and_objects_name_classes() {
        let (list, object) = (json!(["cup", 3]), json!({"0": "cup"}));
        assert_eq!(class(Some(&list), 0), Ok("cup".into()));
        assert_eq!(class(Some(&object), 0), Ok("cup".into()));
        assert_eq!(class(None, 7), Ok("LABEL_7".into()));
        assert!(class(Some(&list), 1).unwrap_err().contains('3'));
        assert!(class(Some(&object), 1).unwrap_err().contains("output 1"));
    }
}
