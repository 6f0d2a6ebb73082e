//! Other images with targets, for a preprocessing that was fitted before.

use std::sync::Arc;

use super::cache::Cache;
use super::config::{ImageDataConfig, OnDamaged};
use super::preprocess::ImagePreprocess;
use super::source::{self, ClassNames, Found, ImageFormat, ImageLabels};
use super::split::{ImageSplit, threads};
use super::survey::{Survey, left_out};
use crate::error::DataError;
use crate::labels::Labels;
use crate::note::Note;
use crate::split::SplitConfig;

/// So many images are looked at to say how they are stored.
const LOOKED_AT: usize = 1000;

impl ImageSplit {
    /// The images at `path`, stored and labelled as `config` says, to evaluate on them: all of
    /// them, or where the data says itself which are for the test, those. Nothing is split, so
    /// that a table needs no columns to split by.
    ///
    /// With `on_damaged = "skip"` every image is decoded once to leave out those that cannot be; a
    /// note says how many there are.
    ///
    /// # Errors
    /// Whatever is wrong with the files, more than `max_damaged` images that cannot be decoded, or
    /// a class that `preprocess` does not know.
    pub fn load(
        path: &str,
        format: ImageFormat,
        config: &ImageDataConfig,
        preprocess: &ImagePreprocess,
    ) -> Result<(Self, Vec<Note>), DataError> {
        let config = ImageDataConfig {
            path: path.to_owned(),
            valid_path: None,
            test_path: None,
            split: SplitConfig::default(),
            ..config.clone()
        };
        let found = source::open(format, &config, preprocess.target_kind())?;
        let rows: Vec<usize> = match &found.test {
            Some(test) => test.clone().collect(),
            None => (0..found.source.len()).collect(),
        };
        let labels = labels(&found, &rows, preprocess.classes())?;
        let survey = Survey::of(&*found.source, &rows, LOOKED_AT, &preprocess.decoding())?;
        let rows = rows.into_iter().map(|row| row as u32).collect();
        let mut notes = found.notes;
        notes.extend(survey.notes_for_run(preprocess));
        let (source, preprocess) = (found.source, Arc::new(preprocess.clone()));
        let split = Self::new(source, rows, labels, preprocess, Cache::None);
        if config.on_damaged == OnDamaged::Error {
            return Ok((split, notes));
        }
        let (whole, damaged) = split.verify(&mut config.max_damaged(), threads())?;
        notes.extend(left_out(&damaged));
        Ok((whole, notes))
    }
}

fn labels(found: &Found, rows: &[usize], known: &[String]) -> Result<Labels, DataError> {
    let class = |names: &ClassNames, row: usize, class: u32| {
        let name = &names.names()[class as usize];
        let index = known.iter().position(|known| known == name);
        index.map(|index| index as u32).ok_or_else(|| {
            let image = found.source.name(row);
            DataError::Unusable(format!(
                "{image} is of class {name:?}, which the run was not trained on; its classes are {known:?}"
            ))
        })
    };
    Ok(match &found.labels {
        ImageLabels::Numbers(numbers) => {
            Labels::Numbers(rows.iter().map(|&row| numbers[row]).collect())
        }
        ImageLabels::Classes(classes) => {
            let own = |&row: &usize| class(classes, row, classes.of()[row]);
            Labels::Classes(rows.iter().map(own).collect::<Result<_, _>>()?)
        }
        ImageLabels::Sets { names, sets } => {
            let set = |&row: &usize| {
                let own = sets[row].iter().map(|&index| class(names, row, index));
                let mut own = own.collect::<Result<Vec<u32>, _>>()?;
                own.sort_unstable();
                Ok(own)
            };
            Labels::Sets(rows.iter().map(set).collect::<Result<_, DataError>>()?)
        }
    })
}
