//! Text on its way out, of which the end of a text may be a part.

/// Text that is held back because a stop text may begin in it.
#[derive(Debug)]
pub(super) struct Held {
    stop: Vec<String>,
    text: String,
}

impl Held {
    pub fn new(stop: Vec<String>) -> Self {
        Self {
            stop,
            text: String::new(),
        }
    }

    /// What can be written now, and whether a stop text came after it.
    pub fn push(&mut self, piece: &str) -> (String, bool) {
        self.text.push_str(piece);
        let found = self
            .stop
            .iter()
            .filter_map(|stop| self.text.find(stop))
            .min();
        if let Some(end) = found {
            return (self.text[..end].to_owned(), true);
        }
        let begins = |at: &usize| {
            self.stop
                .iter()
                .any(|stop| stop.starts_with(&self.text[*at..]))
        };
        let mut places = self.text.char_indices().map(|(at, _)| at);
        let safe = places.find(begins).unwrap_or(self.text.len());
        let rest = self.text.split_off(safe);
        (std::mem::replace(&mut self.text, rest), false)
    }

    /// What is left at the end.
    pub fn rest(&mut self) -> String {
        std::mem::take(&mut self.text)
    }
}
