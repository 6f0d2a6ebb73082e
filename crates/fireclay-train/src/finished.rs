//! A finished run, ready to answer: preprocessing, weights, and what the outputs mean.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use fireclay_data::{DataError, ImagePreprocess, Preprocess, TextPreprocess, Tokenizer};
use fireclay_models::{
    EncoderConfig, EncoderModel, EncoderShape, Family, ImageConfig, ImageModel, ImageShape,
    LanguageConfig, LanguageModel, ModelDescription, Pretrainable, Tabular, TabularConfig,
    TranslationConfig, TranslationModel, WeightsError, weights,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::adapters;
use crate::lock;
use crate::predictor::{Answer, Predictor};
use crate::run_folder::{self, FolderError};
use crate::task::Network;

/// The files of a run that prediction needs.
pub const MODEL: &str = "model.safetensors";
/// See [`Preprocess`] and [`ImagePreprocess`].
pub const PREPROCESS: &str = "preprocess.json";
/// See [`Tokenizer`].
pub const TOKENIZER: &str = "tokenizer.json";
/// The architecture in the words of Hugging Face's `transformers`, if they have words for it.
pub const HUGGING_FACE: &str = "config.json";
/// See [`Answer`].
pub const POSTPROCESS: &str = "postprocess.json";
/// The adapters of a run that left the weights beside them alone, in place of [`MODEL`].
pub const ADAPTERS: &str = "adapter_model.safetensors";
/// What Hugging Face's PEFT needs to know of them.
pub const ADAPTER_CONFIG: &str = "adapter_config.json";

/// Every file that a run may leave.
pub(crate) const RESULTS: [&str; 7] = [
    MODEL,
    HUGGING_FACE,
    ADAPTERS,
    ADAPTER_CONFIG,
    PREPROCESS,
    POSTPROCESS,
    TOKENIZER,
];

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

/// Why a run cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FinishedError {
    /// The folder is not a run, or a file in it cannot be read.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The preprocessing cannot be read, or does not fit the data.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The run has not ended yet.
    #[error("{0} has no {1} yet: the run did not finish; go on with `fireclay resume {0}`")]
    Unfinished(String, &'static str),
    /// A file of the run is not what it should be.
    #[error("{0} is damaged: {1}")]
    Damaged(String, String),
    /// The weights that adapters were trained beside are not there any more.
    #[error("the base of {run} cannot be used: {reason}")]
    Base {
        /// The run.
        run: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The weights cannot be written.
    #[error(transparent)]
    Weights(#[from] WeightsError),
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

/// The files that hold a model: its weights, and its description for Hugging Face's `transformers`.
pub(crate) fn model_files<F: Family>(
    model: &F::Model,
    description: &ModelDescription<F>,
) -> Result<Vec<(&'static str, Vec<u8>)>, WeightsError> {
    let mut files = vec![(MODEL, weights::encode(model, description)?)];
    let json = description.config.hugging_face(&description.shape);
    files.extend(json.map(|json| (HUGGING_FACE, to_json(&json))));
    Ok(files)
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

/// The text of a file with this value.
pub(crate) fn to_json<T: Serialize>(value: &T) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(value).expect("plain data");
    text.push(b'\n');
    text
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
