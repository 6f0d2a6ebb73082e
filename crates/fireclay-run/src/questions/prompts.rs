//! What a model is given of a question.

use serde_json::{Value, json};

use crate::chat::Chat;

/// A question and its answer.
pub(super) type Example = (String, String);

/// How questions become prompts.
pub(super) struct Prompts {
    /// The template, if it is applied.
    pub chat: Option<Chat>,
    /// Whether it has refused what is told before all, which was left out then.
    pub untold: bool,
}

impl Prompts {
    /// What a model reads before it answers: what is `told`, the examples, and the question. In a conversation each
    /// example is a question of the user and an answer of the assistant, as the harness has it where it applies a template.
    ///
    /// # Errors
    ///
    /// What the template objects to.
    pub fn context(
        &mut self,
        told: &str,
        examples: &[Example],
        question: &str,
    ) -> Result<String, String> {
        let Some(chat) = &self.chat else {
            let solved = examples
                .iter()
                .map(|(asked, said)| format!("{asked} {said}\n\n"));
            return Ok(format!("{told}{}{question}", solved.collect::<String>()));
        };
        let message = |role: &str, text: &str| json!({"role": role, "content": text});
        let solved = examples
            .iter()
            .flat_map(|(asked, said)| [message("user", asked), message("assistant", said)]);
        let talk: Vec<Value> = solved.chain([message("user", question)]).collect();
        if !told.is_empty() {
            let whole = [vec![message("system", told)], talk.clone()].concat();
            if let Ok(text) = chat.prompt(&Value::from(whole)) {
                return Ok(text);
            }
            self.untold = true;
        }
        chat.prompt(&Value::from(talk))
    }

    /// What stands between a question and a choice: nothing where the template has opened the answer.
    pub fn between(&self) -> &'static str {
        match self.chat {
            Some(_) => "",
            None => " ",
        }
    }
}
