//! What can be wrong with a `config.json`.

/// Why a `config.json` cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HuggingFaceError {
    /// It is no JSON object.
    #[error("it is no JSON object: {0}")]
    Json(String),
    /// Its values are impossible, or those of another model: each key, and what is the matter.
    #[error("{}", .0.iter().map(|(key, text)| format!("{key} {text}")).collect::<Vec<_>>().join("; "))]
    Keys(Vec<(String, String)>),
}

impl HuggingFaceError {
    /// Whether the value of this key is among what is wrong.
    pub fn names(&self, key: &str) -> bool {
        matches!(self, Self::Keys(problems) if problems.iter().any(|(name, _)| name == key))
    }
}
