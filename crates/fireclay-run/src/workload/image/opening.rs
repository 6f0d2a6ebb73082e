//! What its finished runs and the classifiers of others are opened from.

use fireclay_data::{ImageDataConfig, ImagePreprocess, Statistic, StatisticWord, TargetKind};
use fireclay_models::ImageShape;

use super::super::classes;
use super::super::prelude::*;
use super::run::ImageRun;
use super::{Image, shape};
use crate::artifacts::read_json;
use crate::predictor::Predictor;
use crate::task::Answer;

impl ImageRun {
    /// # Errors
    ///
    /// If a file of the run is damaged or missing.
    pub fn trained(base: Base) -> Result<Self, RunError> {
        lock::verified(&base.folder, &[PREPROCESS, POSTPROCESS])?;
        let preprocess = ImagePreprocess::load(&base.folder.join(PREPROCESS))?;
        let files = files();
        let known = (files.as_str(), preprocess.classes());
        let config = Image::table(base.config());
        let (predictor, _) = labelled::open(&base, config, known, |description, outputs| {
            description.shape == shape(&preprocess, outputs)
        })?;
        Ok(Self {
            base,
            preprocess,
            predictor,
            said: Vec::new(),
        })
    }

    /// A folder of the hub, or one that `export` wrote.
    ///
    /// # Errors
    ///
    /// If its weights are not those that it describes, or nothing says how images become its pixels.
    pub fn published(base: Base) -> Result<Self, RunError> {
        let table = Image::table(base.config());
        let (model, description) = table.load(&base.folder, &base.device)?;
        let (preprocess, answer) = match base.beside().join(PREPROCESS).exists() {
            true => exported(&base, &description.shape)?,
            false => described(&base, &description.shape)?,
        };
        Ok(Self {
            predictor: Predictor::new(model, answer, base.device.clone()),
            said: base.loaded.notes.clone(),
            preprocess,
            base,
        })
    }
}

fn files() -> String {
    format!("{PREPROCESS}, {POSTPROCESS}")
}

/// As the files of a run say.
fn exported(base: &Base, found: &ImageShape) -> Result<(ImagePreprocess, Postprocess), RunError> {
    let folder = base.beside();
    let preprocess = ImagePreprocess::load(&folder.join(PREPROCESS))?;
    let answer: Postprocess = read_json(&folder.join(POSTPROCESS))?;
    if preprocess.target_kind() != TargetKind::Class {
        return Err(RunError::Usage(format!(
            "{} does not tell classes apart; name the run that it was exported from",
            base.run.display()
        )));
    }
    let known = answer.meaning().classes();
    let fit = known == preprocess.classes() && *found == shape(&preprocess, known.len());
    belong_together(&folder, &files(), fit)?;
    Ok((preprocess, answer))
}

/// As the folder says to transformers or timm.
fn described(base: &Base, found: &ImageShape) -> Result<(ImagePreprocess, Postprocess), RunError> {
    let wrong = |reason: String| {
        let model = base.run.display();
        RunError::Usage(format!("{model} cannot be used: {reason}"))
    };
    let answer = classes::read(&base.folder, found.outputs)
        .map_err(|reason| wrong(format!("it has outputs that are not answered: {reason}")))?;
    let config = &Image::source(base.config()).config;
    let size = (found.height, found.width);
    let classes = answer.classes.clone();
    let preprocess = ImagePreprocess::described(config, (size, found.channels), classes);
    let preprocess = preprocess.map_err(|error| {
        wrong(match found.channels {
            1 | 3 => format!("{error}; {}", whence(config)),
            _ => error.to_string(),
        })
    })?;
    Ok((preprocess, Answer::Classification(answer).into()))
}

/// Where others say the mean and the deviation, which are all that can be wrong where the channels are not.
fn whence(config: &ImageDataConfig) -> &'static str {
    let is_unsaid = |said: &Statistic| *said == Statistic::Word(StatisticWord::Computed);
    match is_unsaid(&config.mean) || is_unsaid(&config.std) {
        true => SAYS,
        false => GIVES,
    }
}

/// What others call the keys of `[data]`.
const GIVES: &str = "data.mean and data.std are image_mean and image_std of a preprocessor_config.json in its folder \
                     (transformers), or mean and std of pretrained_cfg in its config.json (timm)";

/// Where others say how images become pixels.
const SAYS: &str = "image_mean, image_std and size of a preprocessor_config.json in its folder do (transformers), or \
                    pretrained_cfg of its config.json (timm)";
