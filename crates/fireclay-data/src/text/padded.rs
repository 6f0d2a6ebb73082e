//! Texts of different length side by side.

/// Texts side by side, the shorter ones padded at their end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaddedTexts {
    /// Tokens, text by text; 0 where there is none.
    pub tokens: Vec<i32>,
    /// Where there is a token.
    pub mask: Vec<bool>,
    /// The number of texts, and the length of the longest.
    pub dims: [usize; 2],
}

impl PaddedTexts {
    /// Pads texts to the length of the longest.
    pub fn new(texts: &[&[u32]]) -> Self {
        let time = texts.iter().map(|text| text.len()).max().unwrap_or(0);
        let mut padded = Self {
            tokens: Vec::with_capacity(texts.len() * time),
            mask: Vec::with_capacity(texts.len() * time),
            dims: [texts.len(), time],
        };
        for text in texts {
            padded.tokens.extend(text.iter().map(|token| *token as i32));
            padded.mask.extend(std::iter::repeat_n(true, text.len()));
            let padding = time - text.len();
            padded.tokens.extend(std::iter::repeat_n(0, padding));
            padded.mask.extend(std::iter::repeat_n(false, padding));
        }
        padded
    }
}
