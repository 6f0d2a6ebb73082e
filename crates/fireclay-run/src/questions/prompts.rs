//! What a model is given of a question.

use serde_json::{Value, json};

use crate::chat::Chat;

/// How questions become prompts.
pub(super) struct Prompts {
    /// The template, if it is applied.
    pub chat: Option<Chat>,
    /// Whether it has refused what is told before all, which was left out then.
    pub untold: bool,
}

impl Prompts {
    /// What a model reads before it answers: what is `told`, the examples, and the question.
    ///
    /// # Errors
    ///
    /// What the template objects to.
    pub fn context(&mut self, [told, examples, question]: [&str; 3]) -> Result<String, String> {
        let Some(chat) = &self.chat else {
            return Ok(format!("{told}{examples}{question}"));
        };
        let user = json!({"role": "user", "content": format!("{examples}{question}")});
        if told.is_empty() {
            return chat.prompt(&Value::from(vec![user]));
        }
        let system = json!({"role": "system", "content": told});
        if let Ok(text) = chat.prompt(&json!([system, user])) {
            return Ok(text);
        }
        self.untold = true;
        chat.prompt(&Value::from(vec![user]))
    }

    /// What stands between a question and a choice: nothing where the template has opened the answer.
    pub fn between(&self) -> &'static str {
        match self.chat {
            Some(_) => "",
            None => " ",
        }
    }
}
