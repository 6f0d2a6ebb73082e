//! Translations by beam search (Sutskever et al. 2014, section 3.2; Vaswani et al. 2017, section
//! 6.1).

use burn::data::dataset::DatasetError;
use burn::tensor::{Device, Tensor};
use fireclay_data::{DataError, PaddedTexts, Tally, Tokenizer};
use fireclay_models::{TranslationModel, TranslationNetwork};
use fireclay_train::cluster::{Lost, Shared, company};
use fireclay_train::loader::Share;

use crate::samples::{tokens, upload_texts};
use crate::task::Seq2SeqConfig;

mod beam;
mod search;

use beam::{Beam, Marks};
use search::Search;
pub(crate) use search::search_blindly;

/// A translating model and how it is asked.
#[derive(Debug)]
pub struct Translator<'a> {
    model: &'a TranslationModel,
    tokenizer: &'a Tokenizer,
    device: &'a Device,
    config: &'a Seq2SeqConfig,
}

/// Why a text cannot be translated.
#[derive(Debug, thiserror::Error)]
pub enum TranslateError {
    /// It is no text for this tokenizer.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A sample cannot be read.
    #[error("{0}")]
    Sample(#[from] DatasetError),
    /// The tokenizer does not mark where a text ends.
    #[error("the tokenizer has no token that ends a text")]
    NoEnd,
    /// The text has more tokens than the model looks at.
    #[error(
        "{}text {number} has {length} tokens, but the model looks at {context}; shorten it, or train with a larger model.context_length",
        if *count > 1 { format!("{count} texts are too long: ") } else { String::new() }
    )]
    TooLong {
        /// How many texts are too long.
        count: usize,
        /// The first of them, from 1.
        number: usize,
        /// Its tokens, the mark of its end included.
        length: usize,
        /// The most tokens.
        context: usize,
    },
    /// A logit is not finite.
    #[error("the model gave a number that is not finite; its weights are of no use")]
    NotFinite,
}

impl From<Lost> for TranslateError {
    fn from(lost: Lost) -> Self {
        Self::Sample(lost.into())
    }
}

/// Texts that are translated together.
pub(crate) const TOGETHER: usize = 32;

/// How much longer than its source a translation may be (Vaswani et al. 2017, section 6.1).
const LONGER: usize = 50;

impl<'a> Translator<'a> {
    /// Asks `model` for translations as `config` says.
    pub fn new(
        model: &'a TranslationModel,
        tokenizer: &'a Tokenizer,
        device: &'a Device,
        config: &'a Seq2SeqConfig,
    ) -> Self {
        Self {
            model,
            tokenizer,
            device,
            config,
        }
    }

    /// The model.
    pub fn model(&self) -> &TranslationModel {
        self.model
    }

    /// Where the model is.
    pub fn device(&self) -> &Device {
        self.device
    }

    /// The translation of each text, in their order; that of a text with nothing but blanks is empty.
    ///
    /// # Errors
    ///
    /// If a text cannot be encoded or is longer than the context, or the model's numbers are not
    /// finite.
    pub fn translate(&self, texts: &[String]) -> Result<Vec<String>, TranslateError> {
        let end = self.tokenizer.end_of_text().ok_or(TranslateError::NoEnd)?;
        let mut sources = Vec::new();
        for (index, text) in texts.iter().enumerate() {
            if !text.trim().is_empty() {
                let whole = format!("{}{text}", self.config.source_prefix);
                let mut source = self.tokenizer.encode(&whole)?;
                source.push(end);
                sources.push((index, source));
            }
        }
        self.refuse_long(&sources)?;
        // Texts of one length need no padding; what has no token has nothing but its end.
        sources.retain(|(_, source)| source.len() > 1);
        sources.sort_by_key(|(_, source)| source.len());
        let mut translations = vec![String::new(); texts.len()];
        let drafts = self.drafts(&sources, end)?;
        for ((index, _), draft) in sources.iter().zip(drafts) {
            translations[*index] = self.tokenizer.decode(&draft)?;
        }
        Ok(translations)
    }

    /// The best draft for each source, in their order. Several processes share them out.
    fn drafts(
        &self,
        sources: &[(usize, Vec<u32>)],
        end: u32,
    ) -> Result<Vec<Vec<u32>>, TranslateError> {
        let Share { rank, world } = company();
        let (mut shared, mut drafts) = (Shared::default(), Vec::new());
        for together in sources.chunks(TOGETHER).skip(rank).step_by(world) {
            let rows: Vec<&[u32]> = together.iter().map(|(_, source)| &source[..]).collect();
            drafts.extend(shared.put(self.search(&rows, end)?)?);
        }
        drafts.extend(shared.end()?);
        Ok(drafts.concat())
    }

    fn refuse_long(&self, sources: &[(usize, Vec<u32>)]) -> Result<(), TranslateError> {
        let context = self.model.context_length();
        let long = || sources.iter().filter(|(_, source)| source.len() > context);
        match long().next() {
            None => Ok(()),
            Some((index, source)) => Err(TranslateError::TooLong {
                count: long().count(),
                number: index + 1,
                length: source.len(),
                context,
            }),
        }
    }

    /// What there is to say of texts: blank ones, and what of them has no token.
    ///
    /// # Errors
    ///
    /// If a text cannot be encoded.
    pub fn notes(&self, texts: &[String]) -> Result<Vec<String>, TranslateError> {
        let mut tally = Tally::default();
        for text in texts {
            tally += self.tokenizer.tally(text, &self.tokenizer.encode(text)?);
        }
        let blank = texts.iter().filter(|text| text.trim().is_empty()).count();
        let blank = (blank > 0).then(|| {
            let all = texts.len();
            format!("{blank} of {all} lines are blank, and so are their translations")
        });
        let said = self.tokenizer.say("the text", tally);
        Ok(blank.into_iter().chain(said).collect())
    }

    /// The best draft for each source.
    fn search(&self, sources: &[&[u32]], end: u32) -> Result<Vec<Vec<u32>>, TranslateError> {
        let input = upload_texts(PaddedTexts::new(sources), self.device);
        let (size, penalty) = (self.config.beam_size, self.config.length_penalty);
        let mut search = Search::new(self.model, input, size);
        let start = self.model.start_token();
        let marks = Marks {
            start: start.map_or(end, |token| token as u32),
            end,
        };
        let most = |source: &&[u32]| (source.len() + LONGER).min(self.model.context_length());
        let mut beams: Vec<Beam> = sources
            .iter()
            .map(|source| Beam::new(size, penalty, marks, most(source)))
            .collect();
        while beams.iter().any(|beam| !beam.is_done()) {
            let last = beams.iter().flat_map(Beam::last_tokens);
            let last: Vec<i32> = last.map(|token| token as i32).collect();
            let dims = [last.len(), 1];
            let scores = numbers(search.scores(tokens(last, dims, self.device)))?;
            let each = scores.len() / beams.len();
            let parents = beams.iter_mut().zip(scores.chunks(each)).enumerate();
            let parents = parents.flat_map(|(row, (beam, scores))| {
                let first = row * size;
                beam.step(scores)
                    .into_iter()
                    .map(move |draft| first + draft)
            });
            let parents: Vec<usize> = parents.collect();
            search.keep(parents);
        }
        Ok(beams.into_iter().map(Beam::best).collect())
    }
}

/// Log-probabilities, row by row.
fn numbers(scores: Tensor<2>) -> Result<Vec<f32>, TranslateError> {
    let scores: Vec<f32> = scores.into_data().iter().collect();
    match scores.iter().any(|score| score.is_nan()) {
        true => Err(TranslateError::NotFinite),
        false => Ok(scores),
    }
}
