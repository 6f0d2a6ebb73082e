//! What the outputs of a classifier of others mean, by its `config.json`.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::pretrained::Weights;
use crate::task::ClassificationAnswer;

/// The classes of a model with so many outputs: each text has one, the most probable.
///
/// # Errors
///
/// If the outputs are no logits of classes of which a text has one, or their names are not told apart.
pub(super) fn read(folder: &Path, outputs: usize) -> Result<ClassificationAnswer, String> {
    let name = folder.display().to_string();
    let described = Weights(&name).described();
    let described = described.map_err(|error| error.to_string())?;
    let mut others = described.others.into_iter();
    let found = others.find(|(_, json)| json.contains_key("model_type"));
    let (_, json) = found.ok_or("no config.json says what they are")?;
    match json.get("problem_type").filter(|kind| !kind.is_null()) {
        Some(kind) if kind != "single_label_classification" => {
            return Err(format!("their problem_type is {kind}"));
        }
        None if outputs == 1 => return Err("a single one is no class".into()),
        _ => {}
    }
    let named = json.get("id2label").and_then(Value::as_object);
    let name = |output: usize| match named.and_then(|names| names.get(&output.to_string())) {
        Some(Value::String(name)) => Ok(name.clone()),
        Some(other) => Err(format!("id2label calls one {other}")),
        None if named.is_none() => Ok(format!("LABEL_{output}")),
        None => Err(format!("id2label has no name for output {output}")),
    };
    let classes = (0..outputs).map(name).collect::<Result<Vec<String>, _>>()?;
    let several: BTreeSet<&String> = classes.iter().collect();
    match several.len() == outputs {
        true => Ok(ClassificationAnswer::of(classes)),
        false => Err("id2label has a name twice".into()),
    }
}
