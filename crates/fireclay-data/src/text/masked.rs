//! Windows of text in which some tokens are hidden, for a model to find them again.
//!
//! - Devlin et al. 2018, *BERT*, section 3.1, [arXiv:1810.04805](https://arxiv.org/abs/1810.04805)

use std::sync::Arc;

use super::split::TokenSplit;
use crate::error::DataError;
use crate::random::{Purpose, below, sample_stream, shuffle};
use crate::text_table::PaddedTexts;
use crate::tokenizer::Tokenizer;

/// Which tokens are hidden, and behind what. Clones are cheap.
#[derive(Clone, Debug)]
pub struct Masking {
    tokenizer: Tokenizer,
    probability: f64,
    mask: u32,
    /// What may stand in place of a hidden token: all tokens that are not special.
    ordinary: Arc<[u32]>,
    special: Arc<[bool]>,
    /// The tokens that go on with a word, where words are hidden as a whole.
    continues: Option<Arc<[bool]>>,
}

/// The windows of one split with some tokens hidden. Clones are cheap.
#[derive(Clone, Debug)]
pub struct MaskedSplit {
    windows: TokenSplit,
    masking: Masking,
    /// Other tokens are hidden in every epoch of the run with this seed; without one, the same in
    /// every run, so that figures can be compared.
    seed: Option<u64>,
}

/// Windows of text, and what is hidden in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaskedBatch {
    /// The windows.
    pub texts: PaddedTexts,
    /// Where tokens are hidden, counted through all windows.
    pub places: Vec<i32>,
    /// The token that is hidden at each place.
    pub truth: Vec<i32>,
}

impl Masking {
    /// Hides a share of `probability` of the tokens of each window, or of its words.
    ///
    /// # Errors
    /// [`DataError::Tokenizer`] if the tokenizer has no token to hide others behind, or with
    /// `whole_word` if it does not mark where words begin.
    pub fn new(
        tokenizer: &Tokenizer,
        probability: f64,
        whole_word: bool,
    ) -> Result<Self, DataError> {
        let mask = tokenizer.mask().ok_or_else(|| {
            let message = "it has neither [MASK] nor <mask>, behind which tokens could be hidden;";
            DataError::Tokenizer(format!("{message} use wordpiece, or a file that has one"))
        })?;
        let special = tokenizer.special();
        let ordinary = (0..).zip(&special).filter(|(_, is_special)| !**is_special);
        let ordinary: Arc<[u32]> = ordinary.map(|(token, _)| token).collect();
        if ordinary.is_empty() {
            return Err(DataError::Tokenizer("all its tokens are special".into()));
        }
        let continues = match whole_word {
            true => Some(tokenizer.continuations().ok_or_else(|| {
                let message = "it does not tell where words begin, as whole_word has to know;";
                DataError::Tokenizer(format!("{message} use wordpiece"))
            })?),
            false => None,
        };
        Ok(Self {
            tokenizer: tokenizer.clone(),
            probability,
            mask,
            ordinary,
            special: special.into(),
            continues: continues.map(Arc::from),
        })
    }

    /// Hides tokens; their places, ascending. The choice is a pure function of the tokens and the
    /// three numbers: of those chosen, 80 % are masked, 10 % become any other token, and 10 % stay.
    fn hide(&self, tokens: &mut [u32], seed: u64, epoch: u64, window: u64) -> Vec<usize> {
        let mut random = sample_stream(seed, Purpose::Mask, epoch, window);
        let mut words = self.words(tokens);
        let count: usize = words.iter().map(Vec::len).sum();
        let wanted = ((count as f64 * self.probability).round() as usize).max(1);
        shuffle(&mut words, &mut random);
        let mut places = Vec::new();
        for word in words {
            // A word that is too long for what is left is passed over; the first never is.
            if places.is_empty() || places.len() + word.len() <= wanted {
                places.extend(word);
            }
            if places.len() >= wanted {
                break;
            }
        }
        places.sort_unstable();
        for &place in &places {
            match below(10, &mut random) {
                0..8 => tokens[place] = self.mask,
                8 => {
                    let other = below(self.ordinary.len() as u64, &mut random);
                    tokens[place] = self.ordinary[other as usize];
                }
                _ => {}
            }
        }
        places
    }

    /// The places that are hidden together: those of a word, or each on its own.
    fn words(&self, tokens: &[u32]) -> Vec<Vec<usize>> {
        let is = |list: &[bool], token: u32| list.get(token as usize).copied().unwrap_or(false);
        let mut words: Vec<Vec<usize>> = Vec::new();
        for (place, &token) in tokens.iter().enumerate() {
            if is(&self.special, token) {
                continue;
            }
            let continues = self.continues.as_ref();
            match words.last_mut() {
                Some(word)
                    if continues.is_some_and(|list| is(list, token))
                        && word.last().is_some_and(|last| last + 1 == place) =>
                {
                    word.push(place);
                }
                _ => words.push(vec![place]),
            }
        }
        words
    }
}

impl MaskedSplit {
    /// The windows of `split`, which leave room for the marks of a text. Without a seed, the same
    /// tokens are hidden in every epoch of every run.
    pub fn new(split: TokenSplit, masking: Masking, seed: Option<u64>) -> Self {
        Self {
            windows: split,
            masking,
            seed,
        }
    }

    /// The number of windows.
    pub fn windows(&self) -> usize {
        self.windows.covering()
    }

    /// The windows at `indices` in epoch `epoch`, a pure function of both and of the seed.
    ///
    /// # Errors
    /// [`DataError::Read`].
    pub fn batch(&self, epoch: u64, indices: &[u32]) -> Result<MaskedBatch, DataError> {
        let (seed, round) = self.seed.map_or((0, 0), |seed| (seed, epoch));
        let (mut texts, mut hidden) = (Vec::new(), Vec::new());
        for &index in indices {
            let tokens = self.windows.window(epoch, index)?;
            let mut text = self.masking.tokenizer.mark(&tokens);
            let whole = text.clone();
            let places = self.masking.hide(&mut text, seed, round, u64::from(index));
            hidden.push((places, whole));
            texts.push(text);
        }
        let slices: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
        let texts = PaddedTexts::new(&slices);
        let (mut places, mut truth) = (Vec::new(), Vec::new());
        for (row, (found, whole)) in hidden.into_iter().enumerate() {
            truth.extend(found.iter().map(|&place| whole[place] as i32));
            places.extend(
                found
                    .iter()
                    .map(|&place| (row * texts.dims[1] + place) as i32),
            );
        }
        Ok(MaskedBatch {
            texts,
            places,
            truth,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenizer::{TokenizerConfig, TokenizerKind};

    const TEXT: &str = "one potter turns the wheel and two potters shape the clay";

    fn tokenizer(kind: TokenizerKind) -> Tokenizer {
        let config = TokenizerConfig {
            vocabulary_size: 40,
            ..TokenizerConfig::default()
        };
        let texts = std::iter::repeat_n(TEXT, 4).map(|text| Ok(text.to_owned()));
        Tokenizer::train(kind, &config, texts).expect("a tokenizer")
    }

    fn masking(probability: f64, whole_word: bool) -> (Masking, Vec<u32>) {
        let tokenizer = tokenizer(TokenizerKind::Wordpiece);
        let tokens = tokenizer.mark(&tokenizer.encode(&TEXT.repeat(20)).expect("known letters"));
        let masking = Masking::new(&tokenizer, probability, whole_word).expect("[MASK] is there");
        (masking, tokens)
    }

    #[test]
    fn four_fifths_are_masked_and_the_choice_follows_its_keys() {
        let (masking, whole) = masking(0.15, false);
        let hide = |seed, epoch, window| {
            let mut tokens = whole.clone();
            (masking.hide(&mut tokens, seed, epoch, window), tokens)
        };
        assert_eq!(hide(1, 2, 3), hide(1, 2, 3));
        for other in [hide(0, 2, 3), hide(1, 0, 3), hide(1, 2, 0)] {
            assert_ne!(other, hide(1, 2, 3));
        }
        let (mut masked, mut kept, mut all) = (0.0, 0.0, 0.0);
        for window in 0..50 {
            let (places, tokens) = hide(1, 0, window);
            let wanted = ((whole.len() - 2) as f64 * 0.15).round() as usize;
            assert_eq!(places.len(), wanted);
            for place in &places {
                assert!(whole[*place] > 4, "a special token is hidden");
                masked += f64::from(u8::from(tokens[*place] == masking.mask));
                kept += f64::from(u8::from(tokens[*place] == whole[*place]));
                all += 1.0;
            }
            let others = (0..whole.len()).filter(|place| !places.contains(place));
            assert!(
                others
                    .into_iter()
                    .all(|place| tokens[place] == whole[place])
            );
        }
        assert!((masked / all - 0.8).abs() < 0.02, "{}", masked / all);
        assert!((kept / all - 0.1).abs() < 0.02, "{}", kept / all);
    }

    #[test]
    fn words_are_hidden_as_a_whole() {
        let (masking, whole) = masking(0.3, true);
        let continues = masking.continues.clone().expect("asked for");
        let mut tokens = whole.clone();
        let places = masking.hide(&mut tokens, 1, 0, 0);
        assert!(places.iter().any(|place| continues[whole[*place] as usize]));
        for place in 1..whole.len() {
            if continues[whole[place] as usize] {
                let hidden = [place - 1, place].map(|place| places.contains(&place));
                assert_eq!(hidden[0], hidden[1], "half a word at {place}");
            }
        }
    }

    #[test]
    fn tokenizers_that_cannot_hide_say_so() {
        let byte = Tokenizer::train(
            TokenizerKind::Byte,
            &TokenizerConfig::default(),
            std::iter::empty(),
        );
        let error = Masking::new(&byte.expect("bytes"), 0.15, false).expect_err("no mask");
        assert!(error.to_string().contains("[MASK]"), "{error}");
    }
}
