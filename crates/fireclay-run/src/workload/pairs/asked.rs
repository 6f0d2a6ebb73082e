//! What a `generation_config.json` asks for that is not done here.

use std::path::Path;

use serde_json::Value;

use crate::artifacts::{COMPANIONS, read_json};

/// Keys that change what `transformers` writes, and the value with which they do not, if there is one.
const KEYS: [(&str, Option<f64>); 16] = [
    ("do_sample", Some(0.0)),
    ("num_beams", Some(1.0)),
    ("no_repeat_ngram_size", Some(0.0)),
    ("repetition_penalty", Some(1.0)),
    ("encoder_no_repeat_ngram_size", Some(0.0)),
    ("min_length", Some(0.0)),
    ("min_new_tokens", Some(0.0)),
    ("encoder_repetition_penalty", Some(1.0)),
    ("penalty_alpha", Some(0.0)),
    ("forced_bos_token_id", None),
    ("forced_eos_token_id", None),
    ("bad_words_ids", None),
    ("suppress_tokens", None),
    ("begin_suppress_tokens", None),
    ("max_length", None),
    ("max_new_tokens", None),
];

/// What is to be said of the file in a folder, if it asks for texts that are written in another way than here.
pub(super) fn otherwise(folder: &Path) -> Option<String> {
    let [name, ..] = COMPANIONS;
    let json: Value = read_json(&folder.join(name)).unwrap_or_default();
    let asked = KEYS.iter().filter_map(|(key, usual)| {
        let nothing = [Value::Null, Value::Array(Vec::new())];
        let found = json.get(key).filter(|value| !nothing.contains(value))?;
        let number = found.as_f64().or(found.as_bool().map(f64::from));
        (number.is_none() || number != *usual).then(|| format!("{key} = {found}"))
    });
    let asked: Vec<String> = asked.collect();
    (!asked.is_empty()).then(|| {
        format!(
            "{name} asks for {}; here the most probable token is written each time, and at most 50 more than the text has",
            asked.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_and_not_done_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let told = |json: &str| {
            std::fs::write(folder.path().join(COMPANIONS[0]), json).unwrap();
            otherwise(folder.path())
        };
        let usual =
            r#"{"num_beams": 1, "do_sample": false, "max_length": null, "eos_token_id": 1}"#;
        assert_eq!(told(usual), None);
        let nothing =
            r#"{"encoder_repetition_penalty": 1.0, "suppress_tokens": [], "penalty_alpha": 0}"#;
        assert_eq!(told(nothing), None);
        let tokens = told(r#"{"forced_bos_token_id": 0, "bad_words_ids": [[7]]}"#);
        let words = "forced_bos_token_id = 0, bad_words_ids = [[7]]; here";
        assert!(tokens.unwrap().contains(words));
        let found = told(r#"{"num_beams": 4, "max_new_tokens": 300, "length_penalty": 0.6}"#);
        let words = "asks for num_beams = 4, max_new_tokens = 300; here";
        assert!(found.unwrap().contains(words));
        assert_eq!(otherwise(Path::new("nowhere")), None);
    }
}
