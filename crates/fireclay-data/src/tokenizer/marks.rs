//! The tokens that mark where a text starts and ends, such as `[CLS]` and `[SEP]`.

use tokenizers::{Encoding, Token};

use super::Tokenizer;
use crate::error::DataError;

/// The tokens around a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Marks {
    before: Vec<u32>,
    after: Vec<u32>,
}

impl Marks {
    /// What the tokenizer's post-processor puts around a text; none where it adds nothing.
    pub(super) fn template(
        inner: &tokenizers::Tokenizer,
        vocabulary: usize,
    ) -> Result<Option<Self>, String> {
        /// Stands for the text; no vocabulary is so large.
        const TEXT: u32 = u32::MAX;
        let text = Encoding::from_tokens(vec![Token::new(TEXT, "a".into(), (0, 1))], 0);
        let marked = inner
            .post_process(text, None, true)
            .map_err(|error| error.to_string())?;
        let ids = marked.get_ids();
        let position = ids.iter().position(|id| *id == TEXT);
        let position = position.ok_or("its post-processor leaves the text out")?;
        let (before, after) = (&ids[..position], &ids[position + 1..]);
        if before
            .iter()
            .chain(after)
            .any(|id| *id as usize >= vocabulary)
        {
            return Err("its post-processor adds a token that it does not have".into());
        }
        Ok((ids.len() > 1).then(|| Self {
            before: before.to_vec(),
            after: after.to_vec(),
        }))
    }

    /// The same token at both sides, if there is one.
    pub(super) fn both(token: Option<u32>) -> Self {
        Self {
            before: token.into_iter().collect(),
            after: token.into_iter().collect(),
        }
    }

    /// The tokens before a text.
    pub(super) fn before(&self) -> &[u32] {
        &self.before
    }

    /// The tokens after it.
    pub(super) fn after(&self) -> &[u32] {
        &self.after
    }

    fn len(&self) -> usize {
        self.before.len() + self.after.len()
    }
}

impl Tokenizer {
    /// The tokens of each text with those that mark its start and end, and how many texts were
    /// longer than `most` tokens, marks included, and are cut at their end.
    ///
    /// # Errors
    /// As for [`encode`](Self::encode); also if the marks leave no room for a text.
    pub fn encode_marked(
        &self,
        texts: Vec<&str>,
        most: usize,
    ) -> Result<(Vec<Vec<u32>>, usize), DataError> {
        let room = self.room(most)?;
        let mut texts = self.encode_all(texts)?;
        let mut cut = 0;
        for text in &mut texts {
            cut += usize::from(text.len() > room);
            text.truncate(room);
            *text = self.mark(text);
        }
        Ok((texts, cut))
    }

    /// Tokens with those that mark the start and end of a text around them.
    pub fn mark(&self, tokens: &[u32]) -> Vec<u32> {
        let Marks { before, after } = &*self.marks;
        [before, tokens, after].concat()
    }

    /// How many of `most` tokens the marks leave for a text.
    ///
    /// # Errors
    /// [`DataError::Tokenizer`] if they leave none.
    pub fn room(&self, most: usize) -> Result<usize, DataError> {
        let marks = self.marks.len();
        match most.saturating_sub(marks) {
            0 => Err(DataError::Tokenizer(format!(
                "it marks a text with {marks} tokens, so that of {most} none is left for the text"
            ))),
            room => Ok(room),
        }
    }
}
