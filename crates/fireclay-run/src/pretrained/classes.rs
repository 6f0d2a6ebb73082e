//! What the outputs of a model of others are called, by its description.

use serde_json::{Map, Value};

/// The names of so many outputs, in their order: what the description says, or else their numbers.
///
/// # Errors
///
/// If it has names and not one for each output.
pub(crate) fn names(json: &Map<String, Value>, outputs: usize) -> Result<Vec<String>, String> {
    let said = said(json);
    (0..outputs).map(|output| class(said, output)).collect()
}

/// A list of the names, or an object of them by output, if the description has one: timm's and `transformers`' keys.
pub(super) fn said(json: &Map<String, Value>) -> Option<&Value> {
    let keys = ["label_names", "id2label"].iter();
    let mut said = keys.filter_map(|key| json.get(*key).filter(|value| !value.is_null()));
    said.next()
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_and_objects_name_classes() {
        let (list, object) = (json!(["cup", 3]), json!({"0": "cup"}));
        assert_eq!(class(Some(&list), 0), Ok("cup".into()));
        assert_eq!(class(Some(&object), 0), Ok("cup".into()));
        assert_eq!(class(None, 7), Ok("LABEL_7".into()));
        assert!(class(Some(&list), 1).unwrap_err().contains('3'));
        assert!(class(Some(&object), 1).unwrap_err().contains("output 1"));
    }

    #[test]
    fn names_of_null_are_none() {
        let json = json!({"label_names": null, "id2label": {"0": "cup", "1": "bowl"}});
        let json = json.as_object().unwrap();
        assert_eq!(names(json, 2).unwrap(), ["cup", "bowl"]);
        assert!(names(json, 3).is_err());
    }
}
