//! What is refused of the tensors that a run names.

use fireclay_config::did_you_mean;
use fireclay_models::{LoraError, matches_any};

use super::is_frozen;
use crate::config::Refusal;

/// Patterns that freeze nothing, or everything.
pub(super) fn check_frozen(freeze: &[String], names: &[String]) -> Result<(), Refusal> {
    for pattern in freeze {
        let names = || names.iter().map(String::as_str);
        if !names().any(|name| matches_any(std::slice::from_ref(pattern), name)) {
            let close = did_you_mean(pattern, names());
            let close = close.or(names().next()).unwrap_or_default();
            let message = format!(
                "contains \"{pattern}\", which is the name of no tensor; one is \"{close}\""
            );
            return Err(("model.freeze".into(), message));
        }
    }
    if names.iter().all(|name| is_frozen(freeze, name)) {
        let message = "contains every tensor: there would be nothing to train";
        return Err(("model.freeze".into(), message.into()));
    }
    Ok(())
}

/// A key of `[lora]`, what is wrong with it, and what may have been meant.
pub(super) fn explain_lora(error: LoraError) -> (String, String) {
    let close = match &error {
        LoraError::UnknownTarget { target, known } => {
            let ends = known.iter().filter_map(|name| name.rsplit('.').next());
            did_you_mean(target, known.iter().map(String::as_str).chain(ends))
        }
        _ => None,
    };
    let close = close.map(|close| format!("; did you mean \"{close}\"?"));
    let message = format!("{error}{}", close.unwrap_or_default());
    (format!("lora.{}", error.key()), message)
}
