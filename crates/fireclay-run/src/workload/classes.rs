//! What the outputs of a classifier of others mean, by its `config.json`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::pretrained::{Weights, classes};
use crate::task::ClassificationAnswer;

/// The classes of a model with so many outputs: each sample has one, the most probable.
///
/// # Errors
///
/// If the outputs are no logits of classes of which a sample has one, or their names are not told apart.
pub(super) fn read(folder: &Path, outputs: usize) -> Result<ClassificationAnswer, String> {
    let name = folder.display().to_string();
    let found = Weights(&name).foreign();
    let found = found.map_err(|error| error.to_string())?;
    let json = found.ok_or("no config.json says what they are")?;
    let kind = json.get("problem_type").filter(|kind| !kind.is_null());
    match kind {
        Some(kind) if kind != "single_label_classification" => {
            return Err(format!("their problem_type is {kind}"));
        }
        None if outputs == 1 => return Err("a single one is no class".into()),
        _ => {}
    }
    let classes = told_apart(classes::names(&json, outputs)?);
    let several: BTreeSet<&String> = classes.iter().collect();
    match several.len() == outputs {
        true => Ok(ClassificationAnswer::of(classes)),
        false => Err("two have one name".into()),
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
    use super::*;

    #[test]
    fn classes_of_one_name_are_told_apart_by_their_outputs() {
        let names = ["crane", "kite", "crane"].map(str::to_owned);
        assert_eq!(
            told_apart(names.to_vec()),
            ["crane (0)", "kite", "crane (2)"]
        );
    }
}
