//! Words with which the texts of some models begin, so that they know what to do (Raffel et al. 2020, section 2.4).

use std::path::Path;

use serde_json::Value;

use crate::artifacts::{HUGGING_FACE, read_json};

/// Those that the `config.json` in a folder names, if it names some.
pub(super) fn of(folder: &Path) -> Vec<String> {
    let json: Value = read_json(&folder.join(HUGGING_FACE)).unwrap_or_default();
    let tasks = json["task_specific_params"].as_object();
    let tasks = tasks.into_iter().flat_map(|tasks| tasks.values());
    let prefixes = tasks.filter_map(|task| task["prefix"].as_str());
    prefixes.map(str::to_owned).collect()
}

/// What is to be said where no text begins with any of them.
pub(super) fn absent(prefixes: &[String], texts: &[String]) -> Option<String> {
    let first = prefixes.first()?;
    let has_one = |text: &String| {
        prefixes
            .iter()
            .any(|prefix| text.starts_with(prefix.trim_end()))
    };
    (!texts.iter().any(has_one)).then(|| {
        format!(
            "the model was trained on texts that begin with what is to be done, such as {first:?}, and none of these does; \
             put it before each text"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_without_any_of_the_words_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let json = r#"{"task_specific_params": {"a": {"prefix": "summarize: "}, "b": {"prefix": "fix: "}, "c": {}}}"#;
        std::fs::write(folder.path().join(HUGGING_FACE), json).unwrap();
        let prefixes = of(folder.path());
        assert_eq!(prefixes, ["summarize: ", "fix: "]);
        let told = |text: &str| absent(&prefixes, &["".into(), text.into()]);
        assert_eq!(told("fix: a"), None);
        assert!(told("a").unwrap().contains("\"summarize: \""));
        assert_eq!(absent(&of(Path::new("nowhere")), &["a".into()]), None);
    }
}
