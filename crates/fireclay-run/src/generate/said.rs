//! How a model is sampled from where nobody says it: what the files that came with it say.

use std::fmt;

use serde_json::Value;

use super::Sampling;

impl Sampling {
    /// What `generation_config.json` among the files beside a tokenizer says, if it says that tokens are drawn, or how.
    /// It means what `transformers` make of it: without `do_sample` the most probable token is taken.
    pub fn said(files: &[(&'static str, String)]) -> Option<Self> {
        let file = files
            .iter()
            .find(|(name, _)| *name == "generation_config.json");
        let json: Value = serde_json::from_str(&file?.1).ok()?;
        let number = |key: &str| json.get(key).and_then(Value::as_f64);
        let top_k = json.get("top_k").and_then(Value::as_u64);
        let draws = json.get("do_sample")?.as_bool()?;
        let said = Self {
            temperature: if draws {
                number("temperature").unwrap_or(1.0)
            } else {
                0.0
            },
            // The default of `transformers`; 0 is for none.
            top_k: Some(top_k.unwrap_or(50) as usize).filter(|k| *k > 0),
            top_p: number("top_p").unwrap_or(1.0),
            repetition_penalty: number("repetition_penalty").unwrap_or(1.0),
            ..Self::default()
        };
        said.validate().is_empty().then_some(said)
    }
}

/// The options of the command line that say the same.
impl fmt::Display for Sampling {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "--temperature {}", self.temperature)?;
        if let Some(k) = self.top_k.filter(|_| self.temperature > 0.0) {
            write!(formatter, " --top-k {k}")?;
        }
        if self.top_p < 1.0 && self.temperature > 0.0 {
            write!(formatter, " --top-p {}", self.top_p)?;
        }
        if self.repetition_penalty != 1.0 {
            write!(
                formatter,
                " --repetition-penalty {}",
                self.repetition_penalty
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(json: &str) -> Option<String> {
        let file = ("generation_config.json", json.to_owned());
        Sampling::said(&[file]).map(|said| said.to_string())
    }

    #[test]
    fn the_file_of_a_model_says_how_it_is_sampled_from() {
        let llama = r#"{"do_sample": true, "temperature": 0.6, "top_p": 0.9}"#;
        assert_eq!(
            said(llama).as_deref(),
            Some("--temperature 0.6 --top-k 50 --top-p 0.9")
        );
        let qwen = r#"{"do_sample": true, "top_k": 20, "repetition_penalty": 1.1}"#;
        assert_eq!(
            said(qwen).as_deref(),
            Some("--temperature 1 --top-k 20 --repetition-penalty 1.1")
        );
        let greedy = r#"{"do_sample": false, "top_p": 0.9}"#;
        assert_eq!(said(greedy).as_deref(), Some("--temperature 0"));
        for nothing in [
            r#"{"eos_token_id": 2}"#,
            "[]",
            r#"{"do_sample": true, "top_p": 7}"#,
        ] {
            assert_eq!(said(nothing), None, "{nothing}");
        }
    }
}
