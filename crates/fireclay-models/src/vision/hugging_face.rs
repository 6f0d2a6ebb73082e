//! What the `config.json` of several architectures for images say alike.

use serde_json::Value;

use crate::hugging_face::Reader;

/// The side of a square, which may stand as a list of both sides.
pub(super) fn side(reader: &mut Reader, key: &str, usual: usize) -> usize {
    let [height, width] = pixels(reader, key, usual);
    if height != width {
        let message = format!("is {height} x {width}, but no model here has sides that differ");
        reader.problem(key, message);
    }
    height
}

/// Height and width, of which a single number stands for both.
pub(super) fn pixels(reader: &mut Reader, key: &str, usual: usize) -> [usize; 2] {
    if !matches!(reader.get(key), Some(Value::Array(_))) {
        return [reader.count(key, usual); 2];
    }
    let found = counts(reader, key, &[]);
    match found[..] {
        [height, width] => [height, width],
        _ => {
            let message = format!("has {} numbers instead of two", found.len());
            reader.problem(key, message);
            [usual; 2]
        }
    }
}

/// A list of counts.
pub(super) fn counts(reader: &mut Reader, key: &str, usual: &[usize]) -> Vec<usize> {
    let parse = |value: &Value| usize::try_from(value.as_u64()?).ok();
    let found = reader.list(key, "no list of counts", parse);
    found.unwrap_or_else(|| usual.to_vec())
}
