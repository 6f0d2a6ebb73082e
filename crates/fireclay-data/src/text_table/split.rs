//! The texts of one split.

use std::sync::Arc;

use crate::labels::Labels;
use crate::table::Carried;
use crate::text::PaddedTexts;

/// The tokens of some texts and what to say of each. Clones are cheap.
#[derive(Clone, Debug)]
pub struct TextTableSplit {
    texts: Arc<[Vec<u32>]>,
    labels: Arc<Labels>,
    carried: Carried,
}

/// The texts of one step, as host arrays.
#[derive(Clone, Debug, PartialEq)]
pub struct TextTableBatch {
    /// The texts, side by side.
    pub texts: PaddedTexts,
    /// What to say of each text.
    pub labels: Labels,
    /// How much each text counts, where the configuration names such a column.
    pub weights: Option<Vec<f32>>,
}

impl TextTableSplit {
    pub(super) fn new(texts: Vec<Vec<u32>>, labels: Labels, carried: Carried) -> Self {
        Self {
            texts: texts.into(),
            labels: Arc::new(labels),
            carried,
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

    /// The tokens of the text at a position.
    pub fn text(&self, position: u32) -> &[u32] {
        &self.texts[position as usize]
    }

    /// The number of tokens of all texts.
    pub fn tokens(&self) -> usize {
        self.texts.iter().map(Vec::len).sum()
    }

    /// What to say of each text.
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// What else is known of each text.
    pub fn carried(&self) -> &Carried {
        &self.carried
    }

    /// The same texts, which count by these weights.
    #[must_use]
    pub fn with_weights(self, weights: Arc<[f32]>) -> Self {
        let carried = Carried {
            weights: Some(weights),
            ..self.carried
        };
        Self { carried, ..self }
    }

    /// The texts at these positions, in this order, and what to say of them.
    pub fn batch(&self, positions: &[u32]) -> TextTableBatch {
        let texts = positions
            .iter()
            .map(|&position| &self.texts[position as usize]);
        let texts: Vec<&[u32]> = texts.map(Vec::as_slice).collect();
        TextTableBatch {
            texts: PaddedTexts::new(&texts),
            labels: self.labels.gather(positions),
            weights: self.carried.weights_at(positions),
        }
    }
}
