//! What the assistant may call, and its calls.

use minijinja::Value;
use minijinja::value::ValueKind;

use super::line::{held, items};

/// What the assistant may call: a list, or a text that is one in JSON.
pub(super) fn tools(object: &Value) -> Result<Option<Value>, String> {
    let Some(value) = held(object, "tools") else {
        return Ok(None);
    };
    let value = match value.as_str().map(str::trim) {
        Some("") => return Ok(None),
        Some(text) => json(text).ok_or("the field \"tools\" is no JSON")?,
        None => value,
    };
    match value.kind() {
        ValueKind::Seq => Ok(Some(value)),
        _ => Err("the field \"tools\" is no list".into()),
    }
}

/// The message of the assistant whose calls ShareGPT's form has as a text.
pub(super) fn calls(text: &str) -> Result<Value, String> {
    let wrong = "has a call that is no JSON object with \"name\" and \"arguments\"";
    let value = json(text).ok_or(wrong)?;
    let calls = match value.kind() {
        ValueKind::Seq => items(&value),
        _ => vec![value],
    };
    let is_whole = |call: &Value| {
        ["name", "arguments"]
            .iter()
            .all(|key| held(call, key).is_some())
    };
    if calls.is_empty() || !calls.iter().all(is_whole) {
        return Err(wrong.into());
    }
    let calls = calls.into_iter().map(|call| {
        let function = Value::from_pairs([
            ("name", held(&call, "name")),
            ("arguments", held(&call, "arguments")),
        ]);
        Value::from_pairs([("type", Value::from("function")), ("function", function)])
    });
    Ok(Value::from_pairs([
        ("role", Value::from("assistant")),
        ("content", Value::from("")),
        ("tool_calls", arguments_of(&calls.collect())?),
    ]))
}

/// Calls whose arguments are objects, as templates take them: OpenAI has them as a text of JSON.
pub(super) fn arguments_of(calls: &Value) -> Result<Value, String> {
    let object = |call: Value| {
        let Some(function) = held(&call, "function") else {
            return with_object(&call);
        };
        Ok(replaced(&call, "function", with_object(&function)?))
    };
    items(calls).into_iter().map(object).collect()
}

fn with_object(function: &Value) -> Result<Value, String> {
    let Some(text) = held(function, "arguments").filter(|value| value.as_str().is_some()) else {
        return Ok(function.clone());
    };
    let text = text.as_str().unwrap_or_default();
    let object = json(text).filter(|value| value.kind() == ValueKind::Map);
    let object = object.ok_or("has a call whose \"arguments\" are no JSON object")?;
    Ok(replaced(function, "arguments", object))
}

/// An object with another value of a key.
fn replaced(object: &Value, key: &str, value: Value) -> Value {
    let pairs = items(object).into_iter().map(|name| {
        let value = match name.as_str() == Some(key) {
            true => value.clone(),
            false => object.get_item(&name).unwrap_or_default(),
        };
        (name, value)
    });
    Value::from_pairs(pairs.collect::<Vec<_>>())
}

fn json(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok()
}
