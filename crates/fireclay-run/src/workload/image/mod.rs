//! Images with a class, labels or a number.

mod data;
mod opening;
mod run;

use fireclay_data::{ImageData, ImagePreprocess, Mix};
use fireclay_models::{ImageConfig, ImageShape};

use super::prelude::*;
use super::table::blank_labelled;
use crate::config::ImageSource;
use crate::samples::ImageSamples;
use run::ImageRun;

/// The workload.
pub struct Image;

impl Workload for Image {
    type Model = NetworkConfig<ImageConfig>;
    type Source = ImageSource;
    type Data = ImageData;
    type Samples = ImageSamples;

    const UNIT: &'static str = "rows";
    const NEXT: Option<&'static str> = Some("predict {} IMAGE");

    fn reads(data: &DataConfig) -> Option<&ImageSource> {
        held!(data, DataConfig::Image)
    }

    fn does(task: &TaskConfig) -> bool {
        task.target_kind().is_some()
    }

    fn model(model: &ModelConfig) -> Option<&Self::Model> {
        held!(model, ModelConfig::Image)
    }

    fn load(config: &RunConfig) -> Result<ImageData, DataError> {
        let (source, kind) = (Self::source(config), labelled::kind(config));
        ImageData::load(source.format, &source.config, config.seed, kind)
    }

    fn shape(config: &RunConfig, data: &ImageData) -> ImageShape {
        shape(&data.preprocess, config.task.outputs(&data.target()))
    }

    fn samples(_config: &RunConfig, data: &ImageData) -> [ImageSamples; 3] {
        [&data.train, &data.valid, &data.test].map(|split| ImageSamples::new(split.clone()))
    }

    fn evaluated(_config: &RunConfig, data: &ImageData, split: usize) -> ImageSamples {
        let split = [&data.train, &data.valid, &data.test][split];
        ImageSamples::new(split.without_augmentation())
    }

    labelled::as_labelled!();

    fn open(base: Base) -> Result<Box<dyn Run>, RunError> {
        Ok(Box::new(match base.is_run() {
            true => ImageRun::trained(base)?,
            false => ImageRun::published(base)?,
        }))
    }

    fn input_spec(config: &RunConfig, data: &ImageData) -> InputSpec {
        InputSpec {
            outputs: config.task.outputs(&data.target()),
            ..InputSpec::of_data(data.sizes(), [0; 2])
        }
    }

    fn assume(config: &RunConfig, given: &Assumptions) -> AssumedSpec<ImageShape> {
        let source = Self::source(config);
        let length = source.config.image_size;
        let length = length.map(|_| "the configuration says it");
        check_unread(config, given, Some("there are no tokens"), length)?;
        let mut assumed = Assumed::default();
        let shape = assumed_shape(config, source, given, &mut assumed)?;
        let spec = InputSpec {
            outputs: shape.outputs,
            ..InputSpec::assumed(config, given, (None, [0; 2]), assumed)
        };
        Ok((shape, spec))
    }

    fn blank_batch(blank: &Blank<'_, ImageShape>, device: &Device) -> Batch<Self> {
        let (rows, shape) = (blank.rows, blank.shape);
        let augment = &Self::source(blank.config).config.augment;
        let mixed = augment.mixup > 0.0 || augment.cutmix > 0.0;
        let pixels = Tensor::zeros([rows, shape.channels, shape.height, shape.width], device);
        let mut batch = blank_labelled(blank.config, pixels, rows);
        batch.labelled.mix = mixed.then(|| Mix {
            partner: vec![0; rows],
            own: vec![0.5; rows],
        });
        batch
    }
}

fn shape(preprocess: &ImagePreprocess, outputs: usize) -> ImageShape {
    let (height, width) = preprocess.size();
    ImageShape {
        channels: preprocess.channels(),
        height,
        width,
        outputs,
    }
}

/// Images as their format has them; CIFAR and MNIST are always the same.
fn assumed_shape(
    config: &RunConfig,
    source: &ImageSource,
    given: &Assumptions,
    assumed: &mut Assumed,
) -> Result<ImageShape, Refusal> {
    let images = &source.config;
    let (side, channels, classes) = match source.format.usual(images) {
        Some((side, channels, classes)) => (Some(side), channels.count(), classes),
        None => (None, 3, IMAGENET),
    };
    let [height, width] = match (images.image_size, given.length.or(side)) {
        (Some(size), _) => [size.sides().0, size.sides().1],
        (None, Some(side)) if side > LARGEST_SIDE => {
            let message = format!("images are at most {LARGEST_SIDE} pixels a side, not {side}");
            return Err(("data.type".into(), message));
        }
        (None, Some(side)) => [assumed.take(Some(side), side, "pixels a side"); 2],
        (None, None) => return Err(missing("pixels of a side")),
    };
    let channels = match images.channels {
        Some(channels) => channels.count(),
        None => assumed.take(None, channels, "channels"),
    };
    Ok(ImageShape {
        channels,
        height,
        width,
        outputs: assumed.outputs(config, given, classes.max(images.targets.len())),
    })
}

/// What image formats allow.
const LARGEST_SIDE: usize = 65_535;

/// Classes of ImageNet-1k.
const IMAGENET: usize = 1000;
