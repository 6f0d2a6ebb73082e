//! How a model is sampled from where nobody says it: what the files that came with it say.

use std::fmt;

use serde_json::Value;

use super::Sampling;

impl Sampling {
    /// What `generation_config.json` among the files beside a tokenizer says, if it says that tokens are drawn, or how.
    /// It means what `transformers` make of it: without `do_sample` the most probable token is taken.
    ///
    /// # Errors
    ///
    /// If it says what cannot be.
    pub fn said(files: &[(&'static str, String)]) -> Result<Option<Self>, String> {
        let is_meant = |(name, _): &&(&str, String)| *name == "generation_config.json";
        let Some((_, text)) = files.iter().find(is_meant) else {
            return Ok(None);
        };
        let json: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let draws = value(&json, "do_sample", "neither true nor false", Value::as_bool)?;
        let number = |key| value(&json, key, "no number", Value::as_f64);
        let [temperature, top_p, penalty] = [
            number("temperature")?,
            number("top_p")?,
            number("repetition_penalty")?,
        ];
        let top_k = value(&json, "top_k", "no count", Value::as_u64)?;
        let Some(draws) = draws else {
            return Ok(None);
        };
        let said = Self {
            temperature: if draws {
                temperature.unwrap_or(1.0)
            } else {
                0.0
            },
            // The default of `transformers`; 0 is for none.
            top_k: Some(top_k.unwrap_or(50) as usize).filter(|k| *k > 0),
            top_p: top_p.unwrap_or(1.0),
            repetition_penalty: penalty.unwrap_or(1.0),
            ..Self::default()
        };
        match said.validate().first() {
            Some((name, problem)) => Err(format!("{name} {problem}")),
            None => Ok(Some(said)),
        }
    }
}

/// What a key says, unless it is not there or says `null`.
fn value<'a, T>(
    json: &'a Value,
    key: &str,
    wrong: &str,
    read: impl Fn(&'a Value) -> Option<T>,
) -> Result<Option<T>, String> {
    let said = json.get(key).filter(|value| !value.is_null());
    said.map(|value| read(value).ok_or_else(|| format!("{key} is {value}, which is {wrong}")))
        .transpose()
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
        let said = Sampling::said(&[file]).expect("what can be");
        said.map(|said| said.to_string())
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
        for nothing in [r#"{"eos_token_id": 2}"#, "{}"] {
            assert_eq!(said(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn what_cannot_be_is_named() {
        for (json, problem) in [
            (
                r#"{"do_sample": true, "top_p": 7}"#,
                "top-p must be above 0",
            ),
            (
                r#"{"do_sample": true, "temperature": -1}"#,
                "temperature must be",
            ),
            (r#"{"do_sample": true, "temperature": "hot"}"#, "no number"),
            (r#"{"do_sample": 1}"#, "neither true nor false"),
            (r#"{"top_k": -1}"#, "no count"),
            ("{", "EOF"),
        ] {
            let file = ("generation_config.json", json.to_owned());
            let found = Sampling::said(&[file]).expect_err(json);
            assert!(found.contains(problem), "{json}: {found}");
        }
    }
}
