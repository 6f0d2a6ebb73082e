//! What a run is made of, written down so that a changed field can be named.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

/// One entry for each part of a run (`model`, `optimizer`, `data`, ...), with all its settings.
pub type Fingerprints = BTreeMap<String, Value>;

/// A field in which two runs differ; shown as `path: was X, is now Y`.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The field, dotted.
    pub path: String,
    /// Its value in the earlier run; none if it had none.
    pub was: Option<Value>,
    /// Its value in the later run.
    pub now: Option<Value>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (was, now) = (show(self.was.as_ref()), show(self.now.as_ref()));
        write!(f, "{}: was {was}, is now {now}", self.path)
    }
}

/// Every field in which two runs differ.
pub fn differences(saved: &Fingerprints, now: &Fingerprints) -> Vec<Difference> {
    let mut found = Vec::new();
    let names: std::collections::BTreeSet<_> = saved.keys().chain(now.keys()).collect();
    for name in names {
        compare(name, saved.get(name), now.get(name), &mut found);
    }
    found
}

fn compare(path: &str, saved: Option<&Value>, now: Option<&Value>, found: &mut Vec<Difference>) {
    match (saved, now) {
        (Some(Value::Object(saved)), Some(Value::Object(now))) => {
            let keys: std::collections::BTreeSet<_> = saved.keys().chain(now.keys()).collect();
            for key in keys {
                let path = format!("{path}.{key}");
                compare(&path, saved.get(key), now.get(key), found);
            }
        }
        (saved, now) if saved == now => {}
        (saved, now) => found.push(Difference {
            path: path.into(),
            was: saved.cloned(),
            now: now.cloned(),
        }),
    }
}

fn show(value: Option<&Value>) -> String {
    value.map_or_else(|| "not set".into(), Value::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_changed_field_is_named() {
        let saved = Fingerprints::from([
            (
                "optimizer".into(),
                json!({"type": "adamw", "learning_rate": 0.001}),
            ),
            ("seed".into(), json!(42)),
        ]);
        let mut now = saved.clone();
        assert!(differences(&saved, &now).is_empty());
        now.insert(
            "optimizer".into(),
            json!({"type": "adamw", "learning_rate": 0.01, "x": 1}),
        );
        now.remove("seed");
        let found = differences(&saved, &now);
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "optimizer.learning_rate: was 0.001, is now 0.01",
                "optimizer.x: was not set, is now 1",
                "seed: was 42, is now not set",
            ]
        );
    }
}
