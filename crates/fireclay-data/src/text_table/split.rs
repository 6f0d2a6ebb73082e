//! The texts of one split.

use std::sync::Arc;

use crate::dataset::Labels;

/// The tokens of some texts and what to say of each. Clones are cheap.
#[derive(Clone, Debug)]
pub struct TextTableSplit {
    texts: Arc<[Vec<u32>]>,
    labels: Arc<Labels>,
}

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

impl TextTableSplit {
    pub(super) fn new(texts: Vec<Vec<u32>>, labels: Labels) -> Self {
        Self {
            texts: texts.into(),
            labels: Arc::new(labels),
        }
    }

    /// The number of texts.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// The number of tokens of the text at a position.
    pub fn length(&self, position: u32) -> usize {
        self.texts[position as usize].len()
    }

    /// The number of tokens of all texts.
    pub fn tokens(&self) -> usize {
        self.texts.iter().map(Vec::len).sum()
    }

    /// What to say of each text.
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// The texts at these positions, in this order, and what to say of them.
    pub fn batch(&self, positions: &[u32]) -> (PaddedTexts, Labels) {
        let texts = positions
            .iter()
            .map(|&position| &self.texts[position as usize]);
        let texts: Vec<&[u32]> = texts.map(Vec::as_slice).collect();
        (PaddedTexts::new(&texts), self.labels.gather(positions))
    }
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
