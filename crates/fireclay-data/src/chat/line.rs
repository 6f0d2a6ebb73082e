//! A line of a file as an object of JSON.

use minijinja::Value;
use minijinja::value::ValueKind;

/// Fields that others read and that would change what is trained.
const UNREAD: [(&str, &str); 4] = [
    ("functions", "write them as `tools`"),
    ("function_call", "write it as `tool_calls` of a message"),
    ("documents", "write them into a message"),
    (
        "chat_template_kwargs",
        "write them into the template: data.chat_template",
    ),
];
/// The object of a line.
///
/// # Errors
/// If it is none, or has a field that would change what is trained and is not read.
pub(super) fn object(line: &str) -> Result<Value, String> {
    let object: Value = serde_json::from_str(line).map_err(|error| no_json(line, &error))?;
    if object.kind() != ValueKind::Map {
        return Err(no_object(line));
    }
    for (key, advice) in UNREAD {
        if held(&object, key).is_some() {
            return Err(format!("the field {key:?} is not read: {advice}"));
        }
    }
    Ok(object)
}

/// What to say where an object lacks a field: which ones it has.
pub(super) fn no_field(object: &Value, wanted: &str, advice: &str) -> String {
    let known = keys(object).into_iter().take(20);
    let known = known.map(|key| format!("{key:?}")).collect::<Vec<_>>();
    format!(
        "no field {wanted}; the fields are {}: {advice}",
        known.join(", ")
    )
}

/// The value of a key; none where it is `null`.
pub(super) fn held(object: &Value, key: &str) -> Option<Value> {
    let value = object.get_attr(key).ok()?;
    (!value.is_undefined() && !value.is_none()).then_some(value)
}

pub(super) fn items(list: &Value) -> Vec<Value> {
    list.try_iter().map(Iterator::collect).unwrap_or_default()
}

pub(super) fn keys(object: &Value) -> Vec<String> {
    items(object).iter().map(ToString::to_string).collect()
}

fn no_json(line: &str, error: &serde_json::Error) -> String {
    match line.trim_start().starts_with('[') {
        true => no_object(line),
        // The reader names the line.
        false => format!("it is no JSON: {}", without_line(error)),
    }
}

/// What is wrong, and in which column.
fn without_line(error: &serde_json::Error) -> String {
    let (text, at) = (
        error.to_string(),
        format!(" at line {} column", error.line()),
    );
    text.replace(&at, " at column")
}

fn no_object(line: &str) -> String {
    let advice = match line.trim_start().starts_with('[') {
        true => "; of a file that is one list, `jq -c '.[]' FILE` makes lines",
        false => "",
    };
    format!("a line must be an object with a conversation{advice}")
}
