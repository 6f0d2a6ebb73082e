//! Trainers whose vocabulary is a function of the text alone.
//!
//! Those of the library count words in hash tables, whose order is another in every process, and
//! settle some ties by it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use rayon::ThreadPoolBuilder;
use rayon::iter::{ParallelBridge, ParallelIterator};
use tokenizers::models::ModelWrapper;
use tokenizers::models::bpe::BpeTrainer;
use tokenizers::models::unigram::{Unigram, UnigramTrainer};
use tokenizers::models::wordpiece::WordPieceTrainer;
use tokenizers::{AddedToken, Error, Trainer};

use super::train::UNKNOWN;

/// A trainer of one of the kinds.
pub(super) enum Ordered {
    /// Numbers its tokens in order as it is.
    Bpe(BpeTrainer),
    WordPiece(WordPieceTrainer, Vec<AddedToken>),
    Unigram(UnigramTrainer, BTreeMap<String, u32>),
}

impl Ordered {
    pub fn wordpiece(trainer: WordPieceTrainer) -> Self {
        let special = trainer.special_tokens().to_vec();
        Self::WordPiece(trainer, special)
    }

    pub fn unigram(trainer: UnigramTrainer) -> Self {
        Self::Unigram(trainer, BTreeMap::new())
    }
}

impl Trainer for Ordered {
    type Model = ModelWrapper;

    fn should_show_progress(&self) -> bool {
        false
    }

    fn train(&self, model: &mut ModelWrapper) -> Result<Vec<AddedToken>, Error> {
        match (self, model) {
            (Self::Bpe(trainer), ModelWrapper::BPE(model)) => trainer.train(model),
            (Self::WordPiece(trainer, special), ModelWrapper::WordPiece(model)) => {
                trainer.train(model)?;
                Ok(special.clone())
            }
            (Self::Unigram(trainer, words), ModelWrapper::Unigram(model)) => {
                let words: Vec<_> = words.clone().into_iter().collect();
                // Sums of parts, one for each thread, round otherwise on another machine.
                let alone = ThreadPoolBuilder::new().num_threads(1).build()?;
                alone.install(|| trainer.do_train(words, model))?;
                let special = &trainer.special_tokens;
                *model = in_order(model, special)?;
                Ok(special.clone())
            }
            _ => unreachable!("each trainer comes with a model of its kind"),
        }
    }

    fn feed<I, S, F>(&mut self, texts: I, words: F) -> Result<(), Error>
    where
        I: Iterator<Item = S> + Send,
        S: AsRef<str> + Send,
        F: Fn(&str) -> Result<Vec<String>, Error> + Sync,
    {
        match self {
            Self::Bpe(trainer) => trainer.feed(texts, words),
            Self::WordPiece(trainer, special) => {
                let later = Mutex::new(BTreeSet::new());
                trainer.feed(texts, |text| {
                    let words = words(text)?;
                    let mut later = later.lock().expect("no panic while it is held");
                    later.extend(words.iter().flat_map(|word| word.chars().skip(1)));
                    Ok(words)
                })?;
                // The first of all tokens are special; these get their numbers with them.
                let later = later.into_inner().expect("no panic while it was held");
                let later = later.iter().map(|char| format!("{CONTINUING}{char}"));
                let later = later.map(|name| AddedToken::from(name, false));
                trainer.set_special_tokens(special.iter().cloned().chain(later).collect());
                Ok(())
            }
            Self::Unigram(_, counts) => {
                *counts = texts
                    .par_bridge()
                    .map(|text| words(text.as_ref()).map(count))
                    .try_reduce(BTreeMap::new, |sum, more| Ok(add(sum, more)))?;
                Ok(())
            }
        }
    }
}

/// What begins a token that goes on with a word.
const CONTINUING: &str = "##";

fn count(words: Vec<String>) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    for word in words {
        *counts.entry(word).or_default() += 1;
    }
    counts
}

fn add(mut sum: BTreeMap<String, u32>, more: BTreeMap<String, u32>) -> BTreeMap<String, u32> {
    for (word, count) in more {
        *sum.entry(word).or_default() += count;
    }
    sum
}

/// The model with the pieces after the `special` ones in order of score, then of text.
///
/// Characters that the training had dropped come back with the least score and others a little
/// above it, one each, in the order of a hash table; the earlier character gets the lower one here.
fn in_order(model: &Unigram, special: &[AddedToken]) -> Result<Unigram, Error> {
    let mut pieces: Vec<(String, f64)> = model.iter().cloned().collect();
    let learned = &mut pieces[special.len()..];
    let least = learned.iter().map(|(_, score)| *score).fold(0.0, f64::min);
    learned.sort_by(|a, b| a.1.total_cmp(&b.1).then_with(|| a.0.cmp(&b.0)));
    let (mut next, mut above) = (least, 0.0);
    let mut back = Vec::new();
    for (position, (text, score)) in learned.iter().enumerate() {
        if *score == next && text.chars().count() == 1 {
            back.push(position);
            above += STEP;
            next = least + above;
        }
    }
    let mut texts: Vec<String> = back
        .iter()
        .map(|position| learned[*position].0.clone())
        .collect();
    texts.sort_unstable();
    for (position, text) in back.into_iter().zip(texts) {
        learned[position].0 = text;
    }
    learned.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let unknown = special.iter().position(|token| token.content == UNKNOWN);
    Unigram::from(pieces, unknown, false)
}

/// How much the scores of characters that come back differ.
const STEP: f64 = 0.0001;
