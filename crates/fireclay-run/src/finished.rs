//! A finished run, ready to answer: preprocessing, weights, and what the outputs mean.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use fireclay_data::{ImagePreprocess, Preprocess, TextPreprocess, Tokenizer};
use fireclay_models::{
    EncoderConfig, EncoderModel, EncoderShape, Family, ImageConfig, ImageModel, ImageShape,
    LanguageConfig, LanguageModel, ModelDescription, Pretrainable, Tabular, TabularConfig,
    TranslationConfig, TranslationModel, weights,
};
use serde::de::DeserializeOwned;

use crate::adapters;
pub use crate::artifacts::{
    ADAPTER_CONFIG, ADAPTERS, FinishedError, HUGGING_FACE, MODEL, POSTPROCESS, PREPROCESS,
    TOKENIZER,
};
pub(crate) use crate::artifacts::{RESULTS, model_files, to_json};
use crate::lock;
use crate::predictor::{Answer, Predictor};
use crate::task::Network;
use fireclay_train::run_folder;

/// A finished run on a table.
#[derive(Debug)]
pub struct TableRun {
    /// How cells become numbers.
    pub preprocess: Preprocess,
    /// The model.
    pub predictor: Predictor<Tabular>,
}

/// A finished run on images.
#[derive(Debug)]
pub struct ImageRun {
    /// How an image becomes numbers.
    pub preprocess: ImagePreprocess,
    /// The model.
    pub predictor: Predictor<ImageModel>,
}

/// A finished run on text.
#[derive(Debug)]
pub struct TextRun {
    /// How text becomes tokens; a run on files of tokens may have none.
    pub tokenizer: Option<Tokenizer>,
    /// The number of different tokens.
    pub vocabulary: usize,
    /// The model.
    pub model: LanguageModel,
}

/// A finished run on pairs of texts.
#[derive(Debug)]
pub struct TranslationRun {
    /// How text becomes tokens, on both sides.
    pub tokenizer: Tokenizer,
    /// The model.
    pub model: TranslationModel,
}

/// A finished run of a masked language model.
#[derive(Debug)]
pub struct MaskedRun {
    /// How text becomes tokens.
    pub tokenizer: Tokenizer,
    /// The number of different tokens.
    pub vocabulary: usize,
    /// Tokens that the model looks at, at most.
    pub context: usize,
    /// The model.
    pub model: EncoderModel,
}

/// A finished run on texts with labels.
#[derive(Debug)]
pub struct TextTableRun {
    /// How a text becomes tokens.
    pub tokenizer: Tokenizer,
    /// Which column holds the text.
    pub preprocess: TextPreprocess,
    /// The model.
    pub predictor: Predictor<EncoderModel>,
}

impl TableRun {
    /// Loads the finished run at `run`.
    ///
    /// # Errors
    ///
    /// If there is no finished run, or one of its files is damaged.
    pub fn load(run: &Path, device: &Device) -> Result<Self, FinishedError> {
        let run = verified(run, &[PREPROCESS, POSTPROCESS])?;
        let preprocess = Preprocess::load(&run.join(PREPROCESS))?;
        let (predictor, description) = predictor(&run, device, stored::<TabularConfig>)?;
        let shape = description.shape;
        let fits = shape.numeric == preprocess.numeric_width()
            && shape.categories == preprocess.cardinalities()
            && shape.outputs == outputs(&predictor.answer)
            && predictor.answer.classes() == preprocess.classes();
        belong_together(&run, fits)?;
        Ok(Self {
            preprocess,
            predictor,
        })
    }
}

impl ImageRun {
    /// Loads the finished run at `run`.
    ///
    /// # Errors
    ///
    /// If there is no finished run, or one of its files is damaged.
    pub fn load(run: &Path, device: &Device) -> Result<Self, FinishedError> {
        let run = verified(run, &[PREPROCESS, POSTPROCESS])?;
        let preprocess = ImagePreprocess::load(&run.join(PREPROCESS))?;
        let (predictor, description) = predictor(&run, device, weights_of::<ImageConfig>)?;
        let (height, width) = preprocess.size();
        let expected = ImageShape {
            channels: preprocess.channels(),
            height,
            width,
            outputs: outputs(&predictor.answer),
        };
        let fits =
            description.shape == expected && predictor.answer.classes() == preprocess.classes();
        belong_together(&run, fits)?;
        Ok(Self {
            preprocess,
            predictor,
        })
    }
}

impl TextRun {
    /// Loads the finished run at `run`.
    ///
    /// # Errors
    ///
    /// If there is no finished run, or one of its files is damaged.
    pub fn load(run: &Path, device: &Device) -> Result<Self, FinishedError> {
        let run = verified(run, &[])?;
        let path = run.join(TOKENIZER);
        let tokenizer = path.exists().then(|| Tokenizer::load(&path)).transpose()?;
        let (model, description) = weights_of::<LanguageConfig>(&run, device)?;
        let fits = tokenizer
            .as_ref()
            .is_none_or(|tokenizer| tokenizer.vocabulary() <= description.shape.vocabulary);
        tokenizer_fits(&run, fits)?;
        Ok(Self {
            tokenizer,
            vocabulary: description.shape.vocabulary,
            model,
        })
    }
}

impl TranslationRun {
    /// Loads the finished run at `run`.
    ///
    /// # Errors
    ///
    /// If there is no finished run, or one of its files is damaged.
    pub fn load(run: &Path, device: &Device) -> Result<Self, FinishedError> {
        let run = verified(run, &[TOKENIZER])?;
        let tokenizer = Tokenizer::load(&run.join(TOKENIZER))?;
        let (model, description) = weights_of::<TranslationConfig>(&run, device)?;
        let shape = description.shape;
        let fits = [shape.source_vocabulary, shape.target_vocabulary]
            .iter()
            .all(|vocabulary| tokenizer.vocabulary() <= *vocabulary);
        tokenizer_fits(&run, fits)?;
        Ok(Self { tokenizer, model })
    }
}

fn tokenizer_fits(run: &Path, fits: bool) -> Result<(), FinishedError> {
    let reason = format!("{TOKENIZER} and {MODEL} do not belong together");
    match fits {
        true => Ok(()),
        false => Err(FinishedError::Damaged(run.display().to_string(), reason)),
    }
}

impl MaskedRun {
    /// Loads the finished run at `run`.
    ///
    /// # Errors
    ///
    /// If there is no finished run, or one of its files is damaged.
    pub fn load(run: &Path, device: &Device) -> Result<Self, FinishedError> {
        let run = verified(run, &[TOKENIZER])?;
        let tokenizer = Tokenizer::load(&run.join(TOKENIZER))?;
        let (model, description) = weights_of::<EncoderConfig>(&run, device)?;
        let EncoderShape {
            vocabulary,
            outputs,
        } = description.shape;
        let fits = outputs.is_none() && tokenizer.vocabulary() <= vocabulary;
        tokenizer_fits(&run, fits)?;
        Ok(Self {
            tokenizer,
            vocabulary,
            context: description.config.context_length(),
            model,
        })
    }
}

impl TextTableRun {
    /// Loads the finished run at `run`.
    ///
    /// # Errors
    ///
    /// If there is no finished run, or one of its files is damaged.
    pub fn load(run: &Path, device: &Device) -> Result<Self, FinishedError> {
        let run = verified(run, &[TOKENIZER, PREPROCESS, POSTPROCESS])?;
        let tokenizer = Tokenizer::load(&run.join(TOKENIZER))?;
        let preprocess = TextPreprocess::load(&run.join(PREPROCESS))?;
        let (predictor, description) = predictor(&run, device, weights_of::<EncoderConfig>)?;
        let expected = EncoderShape {
            vocabulary: tokenizer.vocabulary(),
            outputs: Some(outputs(&predictor.answer)),
        };
        let fits = description.shape == expected
            && preprocess.max_length() <= description.config.context_length()
            && predictor.answer.classes() == preprocess.classes();
        belong_together(&run, fits)?;
        Ok(Self {
            tokenizer,
            preprocess,
            predictor,
        })
    }
}

/// The folder of a run that has weights and the files it needs, as the run wrote them.
pub(crate) fn verified(run: &Path, names: &[&'static str]) -> Result<PathBuf, FinishedError> {
    let run = run_folder::find(run)?;
    let has = |name: &str| run.join(name).exists();
    if !has(MODEL) && !has(ADAPTERS) {
        return Err(FinishedError::Unfinished(run.display().to_string(), MODEL));
    }
    for name in names {
        if !run.join(name).exists() {
            return Err(FinishedError::Unfinished(run.display().to_string(), name));
        }
    }
    lock::verify(&run)?;
    Ok(run)
}

/// A model, and what it is.
type Described<F> = (<F as Family>::Model, ModelDescription<F>);

fn predictor<F: Family>(
    run: &Path,
    device: &Device,
    load: impl FnOnce(&Path, &Device) -> Result<Described<F>, FinishedError>,
) -> Result<(Predictor<F::Model>, ModelDescription<F>), FinishedError>
where
    F::Model: Network,
{
    let answer: Answer = read_json(&run.join(POSTPROCESS))?;
    let (model, description) = load(run, device)?;
    Ok((Predictor::new(model, answer, device.clone()), description))
}

fn weights_of<F: Pretrainable>(run: &Path, device: &Device) -> Result<Described<F>, FinishedError> {
    match run.join(ADAPTERS).exists() {
        true => adapters::load(run, device),
        false => stored(run, device),
    }
}

fn stored<F: Family>(run: &Path, device: &Device) -> Result<Described<F>, FinishedError> {
    let path = run.join(MODEL);
    weights::load::<F>(&path, device)
        .map_err(|error| FinishedError::Damaged(path.display().to_string(), error.to_string()))
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, FinishedError> {
    let text = std::fs::read(path).map_err(|source| run_folder::io("read", path, source))?;
    serde_json::from_slice(&text)
        .map_err(|error| FinishedError::Damaged(path.display().to_string(), error.to_string()))
}

/// The outputs that a model needs for these answers.
fn outputs(answer: &Answer) -> usize {
    answer.classes().len().max(1)
}

fn belong_together(run: &Path, fits: bool) -> Result<(), FinishedError> {
    let reason = format!("{PREPROCESS}, {POSTPROCESS} and {MODEL} do not belong together");
    match fits {
        true => Ok(()),
        false => Err(FinishedError::Damaged(run.display().to_string(), reason)),
    }
}
