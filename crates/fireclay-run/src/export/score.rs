//! A reward model in the words of `transformers` and TRL: a model for classification with a single output.

use std::path::Path;

use fireclay_data::Tokenizer;
use fireclay_models::weights::with_score;
use serde_json::{Map, Value, json};

use super::{ExportError, Files, edit};
use crate::artifacts::{ADAPTERS, FinishedError, HUGGING_FACE, MODEL, TOKENIZER};
use crate::config::{RunConfig, TaskConfig};
use crate::run::RunError;
use crate::workload::reward_token;

/// Turns the model among `files` into one for classification, if it is a reward model that `transformers` have: the
/// row of the head whose product is the reward becomes `score.weight`. Returns what is to be said of it.
///
/// # Errors
///
/// If `transformers` and PEFT have no such model; then it would be taken for one that writes.
pub(super) fn put(
    files: &mut Files,
    results: &Path,
    config: &RunConfig,
) -> Result<Option<String>, ExportError> {
    if !matches!(config.task, TaskConfig::Reward(_)) {
        return Ok(None);
    }
    let usage = |reason: &str| ExportError::from(RunError::Usage(reason.into()));
    if files.iter().any(|(name, _)| *name == ADAPTERS) {
        return Err(usage(
            "the adapters of a reward model would be those of a model that writes: PEFT does not know which row of the \
             head is the reward; export it with --merge",
        ));
    }
    let Some(json) = files.iter().find(|(name, _)| *name == HUGGING_FACE) else {
        // Only this program reads it.
        return Ok(None);
    };
    let json = serde_json::from_slice(&json.1).unwrap_or_default();
    let class = class(&json).map_err(|reason| usage(&reason))?;
    let tokenizer = Tokenizer::load(&results.join(TOKENIZER)).map_err(FinishedError::from)?;
    let token = reward_token(config, &tokenizer).map_err(FinishedError::from)?;
    let token = token.expect("the task has a token");
    for (_, bytes) in files.iter_mut().filter(|(name, _)| *name == MODEL) {
        *bytes = with_score(bytes, token as usize).map_err(RunError::from)?;
    }
    let fills = json.get("pad_token_id").and_then(Value::as_u64);
    // It would be taken for padding at the end of a text, where the reward is read.
    let is_end = |token: &u64| tokenizer.ends().iter().any(|end| u64::from(*end) == *token);
    let ends = fills.is_some_and(|token| is_end(&token));
    edit(files, HUGGING_FACE, |json| describe(json, &class, ends));
    let alone = match fills {
        Some(_) if !ends => "",
        _ => "; no token of its own fills texts up, so it reads one text at a time there",
    };
    Ok(Some(format!(
        "the reward model is a {class} with one output: score.weight is the row of the head for token {token}{alone}"
    )))
}

/// The class for classification of the model that `json` describes.
fn class(json: &Map<String, Value>) -> Result<String, String> {
    let class = json.get("architectures").and_then(|classes| classes.get(0));
    let class = class.and_then(Value::as_str).unwrap_or_default();
    let capped = json.get("final_logit_softcapping");
    if capped.is_some_and(|cap| !cap.is_null()) {
        return Err(format!(
            "transformers have no reward model with capped logits, as {class} has them (final_logit_softcapping)"
        ));
    }
    let stem = ["ForCausalLM", "LMHeadModel"]
        .iter()
        .find_map(|end| class.strip_suffix(end));
    match stem {
        Some("Gemma3") => Ok("Gemma3TextForSequenceClassification".into()),
        Some(stem) => Ok(format!("{stem}ForSequenceClassification")),
        _ => Err(format!(
            "transformers have no class for classification beside {class}, so no reward model either"
        )),
    }
}

fn describe(json: &mut Map<String, Value>, class: &str, ends: bool) {
    json.insert("architectures".into(), json!([class]));
    json.insert("id2label".into(), json!({"0": "LABEL_0"}));
    json.insert("label2id".into(), json!({"LABEL_0": 0}));
    if ends {
        json.insert("pad_token_id".into(), Value::Null);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reward_model_has_a_class_or_is_refused() {
        let found = |json: Value| class(json.as_object().unwrap());
        let of = |name: &str| found(json!({ "architectures": [name] }));
        let known = [
            ("LlamaForCausalLM", "LlamaForSequenceClassification"),
            ("GPT2LMHeadModel", "GPT2ForSequenceClassification"),
            ("Gemma3ForCausalLM", "Gemma3TextForSequenceClassification"),
        ];
        for (from, to) in known {
            assert_eq!(of(from).as_deref(), Ok(to));
        }
        assert!(of("LlamaModel").is_err());
        let capped =
            json!({"architectures": ["Gemma2ForCausalLM"], "final_logit_softcapping": 30.0});
        assert!(
            found(capped)
                .unwrap_err()
                .contains("final_logit_softcapping")
        );
    }
}
