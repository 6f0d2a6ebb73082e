//! The files that a run leaves, by name, and why they cannot be used.

use std::path::Path;

use burn::tensor::Device;
use fireclay_data::DataError;
use fireclay_guard::{LARGEST, read};
use fireclay_models::{Family, ModelDescription, WeightsError, weights};
use fireclay_train::run_folder::{self, FolderError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// The files of a run that prediction needs.
pub const MODEL: &str = "model.safetensors";
/// How samples become numbers.
pub const PREPROCESS: &str = "preprocess.json";
/// How text becomes tokens.
pub const TOKENIZER: &str = "tokenizer.json";
/// The architecture in the words of Hugging Face's `transformers`, if they have words for it.
pub const HUGGING_FACE: &str = "config.json";
/// What outputs mean; see [`Answer`](crate::task::Answer).
pub const POSTPROCESS: &str = "postprocess.json";
/// The adapters of a run with `[lora]`, instead of [`MODEL`].
pub const ADAPTERS: &str = "adapter_model.safetensors";
/// What Hugging Face's PEFT needs to know of them.
pub const ADAPTER_CONFIG: &str = "adapter_config.json";

/// What the run predicts for the validation and test samples, with the truth.
pub const PREDICTIONS: &str = "predictions.parquet";
/// Where a language model loses, and what it writes.
pub const LANGUAGE: &str = "language.json";
/// Each text with its reference and what the run makes of it.
pub const TRANSLATIONS: &str = "translations.jsonl";
/// Images and texts of which the answer is wrong or unsure.
pub const SAMPLES: &str = "samples.jsonl";

/// What the model said of each sample before its training, where training goes by it.
pub const REFERENCE: &str = "reference.safetensors";

/// What a run keeps of its last evaluation for whoever looks at it.
pub(crate) const KEPT: [&str; 5] = [PREDICTIONS, LANGUAGE, TRANSLATIONS, SAMPLES, REFERENCE];

/// Where the model is in the module that is trained, whatever the task.
pub(crate) const MODEL_PATH: &str = "model.";

/// Every file that a run may leave for others.
pub(crate) const RESULTS: [&str; 11] = [
    MODEL,
    HUGGING_FACE,
    ADAPTERS,
    ADAPTER_CONFIG,
    PREPROCESS,
    POSTPROCESS,
    TOKENIZER,
    "generation_config.json",
    TOKENIZER_CONFIG,
    "special_tokens_map.json",
    "chat_template.jinja",
];

/// What says more of the tokens of a tokenizer; see [`Tokenizer::companions`](fireclay_data::Tokenizer).
pub(crate) const COMPANIONS: [&str; 4] = [
    "generation_config.json",
    TOKENIZER_CONFIG,
    "special_tokens_map.json",
    "chat_template.jinja",
];

/// What Hugging Face's `transformers` need to know of a tokenizer.
pub(crate) const TOKENIZER_CONFIG: &str = "tokenizer_config.json";

/// Why a run has no results, or has some that are not those of its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Open {
    /// There are none.
    #[error("has no model.safetensors yet: the run did not finish")]
    Unfinished,
    /// It goes on with a change since it had ended.
    #[error(
        "goes on since step {0}, by `resume` with a change, and did not finish again; the model.safetensors in it is of before"
    )]
    Reopened(u64),
    /// It was stopped before its last lines, or they were cut off.
    #[error("has weights that nothing vouches for: the run did not finish, or run.lock was cut")]
    NeverSealed,
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
    /// The run has not ended, or goes on again.
    #[error(
        "{0} {1}; go on with `fireclay resume {0}`, or answer from a checkpoint, with `--checkpoint best`, `last` or \
         the number of its step"
    )]
    Open(String, Open),
    /// What the run ended with cannot be made again.
    #[error(
        "{0} has ended, and from the checkpoints that are left another {1} would follow than it ended with; the run \
         stays as it is"
    )]
    Lost(String, String),
    /// A file of the run is not what it should be.
    #[error("{0} is damaged: {1}")]
    Damaged(String, String),
    /// A model that was not trained here cannot be used.
    #[error("{path} cannot be used: {reason}")]
    Model {
        /// The model.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
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

/// The files that hold a model: its weights, and its description for Hugging Face's `transformers`, to which
/// `more` keys are added.
pub(crate) fn model_files<F: Family>(
    model: &F::Model,
    description: &ModelDescription<F>,
    more: Map<String, Value>,
) -> Result<Vec<(&'static str, Vec<u8>)>, WeightsError> {
    let mut files = vec![(MODEL, weights::encode(model, description)?)];
    let json = description.config.hugging_face(&description.shape);
    files.extend(json.map(|mut json| {
        if let Some(keys) = json.as_object_mut() {
            keys.extend(more);
        }
        (HUGGING_FACE, to_json(&json))
    }));
    Ok(files)
}

/// The text of a file with a line for each value.
pub(crate) fn to_json_lines<T: Serialize>(values: &[T]) -> Vec<u8> {
    let mut text = Vec::new();
    for value in values {
        serde_json::to_writer(&mut text, value).expect("plain data");
        text.push(b'\n');
    }
    text
}

/// The text of a file with this value.
pub(crate) fn to_json<T: Serialize>(value: &T) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(value).expect("plain data");
    text.push(b'\n');
    text
}

/// The model of a run that has all of its weights.
pub(crate) fn stored<F: Family>(
    run: &Path,
    device: &Device,
) -> Result<(F::Model, ModelDescription<F>), FinishedError> {
    let path = run.join(MODEL);
    weights::load::<F>(&path, device)
        .map_err(|error| FinishedError::Damaged(path.display().to_string(), error.to_string()))
}

pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, FinishedError> {
    let text = read(path, LARGEST).map_err(|source| run_folder::io("read", path, source))?;
    serde_json::from_slice(&text)
        .map_err(|error| FinishedError::Damaged(path.display().to_string(), error.to_string()))
}

/// Refuses files of one run that do not go with its model.
pub(crate) fn belong_together(run: &Path, names: &str, fit: bool) -> Result<(), FinishedError> {
    let reason = format!("{names} and {MODEL} do not belong together");
    match fit {
        true => Ok(()),
        false => Err(FinishedError::Damaged(run.display().to_string(), reason)),
    }
}
