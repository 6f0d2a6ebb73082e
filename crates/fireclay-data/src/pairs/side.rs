//! The texts of one side of sentence pairs.

/// One side of all pairs.
#[derive(Debug, Default)]
pub(super) struct Side {
    pub texts: Vec<String>,
    /// The tokens of all texts, and where those of each end.
    pub tokens: Vec<u32>,
    ends: Vec<usize>,
}

impl Side {
    pub fn push(&mut self, text: String, tokens: &[u32]) {
        self.texts.push(text);
        self.tokens.extend_from_slice(tokens);
        self.ends.push(self.tokens.len());
    }

    pub fn tokens(&self, pair: u32) -> &[u32] {
        let pair = pair as usize;
        let start = pair.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.tokens[start..self.ends[pair]]
    }

    /// The number of tokens with the one at the end.
    pub fn length(&self, pair: u32) -> usize {
        self.tokens(pair).len() + 1
    }

    pub fn longest(&self, pairs: &[u32]) -> usize {
        let lengths = pairs.iter().map(|pair| self.length(*pair));
        lengths.max().unwrap_or(0)
    }
}
