//! What its finished runs and the classifiers of others are opened from.

use fireclay_data::{ImagePreprocess, TargetKind};
use fireclay_models::ImageShape;

use super::super::classes;
use super::super::prelude::*;
use super::run::ImageRun;
use super::{Image, shape};
use crate::artifacts::{read_json, to_json};
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
        let (preprocess, answer) = match base.folder.join(PREPROCESS).exists() {
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

    /// The files beside the weights from which [`published`](Self::published) opens the model again.
    pub(super) fn companions(&self) -> Vec<(&'static str, Vec<u8>)> {
        vec![
            (PREPROCESS, self.preprocess.to_json().into_bytes()),
            (POSTPROCESS, to_json(&self.predictor.answer)),
        ]
    }
}

fn files() -> String {
    format!("{PREPROCESS}, {POSTPROCESS}")
}

/// As the files of a run say.
fn exported(base: &Base, found: &ImageShape) -> Result<(ImagePreprocess, Postprocess), RunError> {
    let preprocess = ImagePreprocess::load(&base.folder.join(PREPROCESS))?;
    let answer: Postprocess = read_json(&base.folder.join(POSTPROCESS))?;
    if preprocess.target_kind() != TargetKind::Class {
        return Err(RunError::Usage(format!(
            "{} does not tell classes apart; name the run that it was exported from",
            base.run.display()
        )));
    }
    let known = answer.meaning().classes();
    let fit = known == preprocess.classes() && *found == shape(&preprocess, known.len());
    belong_together(&base.folder, &files(), fit)?;
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
    let preprocess = preprocess.map_err(|error| wrong(format!("{error}; {SAYS}")))?;
    Ok((preprocess, Answer::Classification(answer).into()))
}

/// Where others say how images become pixels.
const SAYS: &str = "image_mean, image_std and size of a preprocessor_config.json in its folder do (transformers), or \
                    pretrained_cfg of its config.json (timm)";
