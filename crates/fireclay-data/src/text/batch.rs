//! Some windows of tokens, row by row.

use super::marked::{id, trains};

/// Windows of tokens, and the token that follows each of theirs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenBatch {
    /// Tokens, row by row.
    pub inputs: Vec<i32>,
    /// The next token of each; -1 where there is none, or none that trains.
    pub targets: Vec<i32>,
    /// Where in its row the document of each token starts, if rows are filled with documents.
    pub starts: Option<Vec<i32>>,
    /// Rows and columns.
    pub dims: [usize; 2],
}

impl TokenBatch {
    /// Adds tokens that follow each other to the row that is not full.
    pub(crate) fn push(&mut self, tokens: &[u32]) {
        let followed = tokens.len() - 1;
        let read = tokens.iter().take(followed);
        let next = tokens.iter().skip(1);
        let target = |token: &u32| {
            if trains(*token) {
                id(*token) as i32
            } else {
                -1
            }
        };
        self.start(followed);
        self.inputs.extend(read.map(|token| id(*token) as i32));
        self.targets.extend(next.map(target));
    }

    /// Fills the row up; what fills it is a document of its own, that does not count.
    pub(crate) fn pad(&mut self) {
        let padding = self.inputs.len().next_multiple_of(self.dims[1]) - self.inputs.len();
        self.start(padding);
        self.inputs.extend(std::iter::repeat_n(0, padding));
        self.targets.extend(std::iter::repeat_n(-1, padding));
    }

    /// Notes that so many tokens are of a document that starts here.
    fn start(&mut self, length: usize) {
        let start = (self.inputs.len() % self.dims[1]) as i32;
        if let Some(starts) = &mut self.starts {
            starts.extend(std::iter::repeat_n(start, length));
        }
    }
}
