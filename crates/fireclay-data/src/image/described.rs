//! How images become numbers where none are measured: for a model that was trained elsewhere.

use super::config::ImageDataConfig;
use super::pixels::Channels;
use super::preprocess::{ImagePreprocess, ImageTarget};
use super::statistics;
use crate::error::DataError;

impl ImagePreprocess {
    /// All of it as the configuration says, for images of `size` (height and width) with so many channels, of which each
    /// is of one of `classes`, in the order of the model's outputs.
    ///
    /// # Errors
    /// [`DataError::Unusable`] if the mean or the standard deviation would have to be measured, or does not fit the
    /// channels, and if there are neither 3 channels nor 1.
    pub fn described(
        config: &ImageDataConfig,
        (size, channels): ((usize, usize), usize),
        classes: Vec<String>,
    ) -> Result<Self, DataError> {
        let mut known = [Channels::Rgb, Channels::Gray].into_iter();
        let channels = known
            .find(|known| known.count() == channels)
            .ok_or_else(|| {
                DataError::Unusable(format!("images have 3 channels or 1, not {channels}"))
            })?;
        if statistics::are_measured(config) {
            let message = "nothing says the mean and the standard deviation of its pixels";
            return Err(DataError::Unusable(message.into()));
        }
        let target = ImageTarget::Class { classes };
        let mut preprocess = Self::new(size, channels, target).configured(config);
        statistics::set(&mut preprocess, config, (Vec::new(), Vec::new()))?;
        Ok(preprocess)
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::{Statistic, StatisticWord};
    use super::*;

    #[test]
    fn a_configuration_that_says_everything_needs_no_images() {
        let classes = || vec!["cup".to_owned(), "bowl".to_owned()];
        let mut config = ImageDataConfig::new("nowhere");
        let described = |config: &ImageDataConfig, channels: usize| {
            ImagePreprocess::described(config, ((24, 32), channels), classes())
        };
        let error = described(&config, 3).unwrap_err().to_string();
        assert!(error.contains("mean"), "{error}");
        config.mean = Statistic::Values(vec![0.5]);
        config.std = Statistic::Word(StatisticWord::Imagenet);
        config.crop_ratio = 0.875;
        let found = described(&config, 3).unwrap();
        assert_eq!(found.size(), (24, 32));
        assert_eq!(found.mean(), [0.5; 3]);
        assert_eq!(found.std(), [0.229, 0.224, 0.225]);
        assert_eq!(found.classes(), classes());
        assert_eq!(ImagePreprocess::from_json(&found.to_json()).unwrap(), found);
        let error = described(&config, 4).unwrap_err().to_string();
        assert!(error.contains("not 4"), "{error}");
    }
}
