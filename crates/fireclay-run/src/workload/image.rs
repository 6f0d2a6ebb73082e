//! Images with a class, labels or a number.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use burn::tensor::Device;
use fireclay_data::arrow::array::{ArrayRef, RecordBatch, StringArray};
use fireclay_data::{
    DataError, ImageData, ImageDataConfig, ImagePixels, ImagePreprocess, ImageSplit, Labels, Mix,
    Note, SplitConfig, TargetKind,
};
use fireclay_models::{ImageConfig, ImageModel, ImageShape};

use super::labelled;
use super::spec::{Assumed, Assumptions, InputSpec, check_unread, missing};
use super::table::{blank_labelled, constant, split_key};
use super::{Batch, Columns, Dataset, Model, Trained, Workload, blank, text_cells};
use crate::answer::{Answers, Meaning};
use crate::artifacts::{POSTPROCESS, PREPROCESS};
use crate::config::Refusal;
use crate::config::{
    DataConfig, DataSection, ImageSource, ModelConfig, NetworkConfig, RunConfig, TaskConfig,
    TokenizerSource,
};
use crate::lock;
use crate::predict::predict_images;
use crate::predictor::Predictor;
use crate::run::{
    Answered, Base, Evaluated, Evaluations, InputKind, InputSchema, On, PredictJob, Predicted, Run,
    RunError,
};
use crate::samples::{ImageSamples, upload_images};
use crate::task::{Target, WithObjective};
use fireclay_train::loader::Samples;

impl DataSection for ImageSource {
    fn name(&self) -> &'static str {
        self.format.name()
    }

    fn path(&self) -> &str {
        &self.config.path
    }

    fn files(&self) -> Vec<(&'static str, &Option<String>)> {
        vec![
            ("valid_path", &self.config.valid_path),
            ("test_path", &self.config.test_path),
        ]
    }

    fn split(&self) -> Option<&SplitConfig> {
        Some(&self.config.split)
    }

    /// A folder may hold a validation split that no key names.
    fn holds_out(&self) -> bool {
        true
    }

    fn validate(&self) -> Vec<(String, String)> {
        self.config.validate(self.format)
    }

    fn validate_for(&self, kind: TargetKind) -> Vec<(String, String)> {
        self.config.validate_for(self.format, kind)
    }

    fn key_of_column(&self, column: &str) -> Option<String> {
        let data: &ImageDataConfig = &self.config;
        if data.target.as_deref() == Some(column) {
            Some("data.target".into())
        } else if data.image_column.as_deref() == Some(column) {
            Some("data.image_column".into())
        } else if data.targets.iter().any(|name| name == column) {
            Some("data.targets".into())
        } else {
            split_key(&data.split, column)
        }
    }

    fn target_key(&self) -> &'static str {
        match self.config.target {
            Some(_) => "data.target",
            None => "data",
        }
    }

    fn one_piece(&self) -> Option<&'static str> {
        let mixes = self.config.augment.mixes();
        mixes.then_some("mixup and cutmix mix the images of the whole batch")
    }
}

/// The workload.
pub struct Image;

impl Workload for Image {
    type Model = NetworkConfig<ImageConfig>;
    type Data = ImageData;
    type Samples = ImageSamples;

    const UNIT: &'static str = "rows";
    const NEXT: Option<&'static str> = Some("predict {} IMAGE");

    fn reads(data: &DataConfig) -> bool {
        matches!(data, DataConfig::Image(_))
    }

    fn does(task: &TaskConfig) -> bool {
        task.target_kind().is_some()
    }

    fn model(model: &ModelConfig) -> Option<&Self::Model> {
        match model {
            ModelConfig::Image(config) => Some(config),
            _ => None,
        }
    }

    fn load(
        config: &RunConfig,
        _tokenizer: Option<&TokenizerSource>,
    ) -> Result<ImageData, DataError> {
        let kind = config.task.target_kind();
        let kind = kind.expect("checked: the task has labels");
        let source = images(config);
        ImageData::load(source.format, &source.config, config.seed, kind)
    }

    fn shape(data: &ImageData) -> ImageShape {
        shape(&data.preprocess, data.preprocess.classes().len().max(1))
    }

    fn samples(_config: &RunConfig, data: &ImageData) -> [ImageSamples; 3] {
        [&data.train, &data.valid, &data.test].map(|split| ImageSamples::new(split.clone()))
    }

    fn evaluated(_config: &RunConfig, data: &ImageData, split: usize) -> ImageSamples {
        let split = [&data.train, &data.valid, &data.test][split];
        ImageSamples::new(split.without_augmentation())
    }

    fn with_objective<W: WithObjective<Model<Self>, Batch<Self>>>(
        config: &RunConfig,
        target: &Target,
        work: W,
    ) -> W::Output {
        config.task.with_objective(target, work)
    }

    fn conclude(
        config: &RunConfig,
        data: &ImageData,
        trained: Trained<'_, ImageModel>,
        splits: [ImageSamples; 2],
    ) -> Result<Evaluations, RunError> {
        labelled::conclude(config, data, trained, splits)
    }

    fn open(base: Base) -> Result<Box<dyn Run>, RunError> {
        lock::verified(&base.folder, &[PREPROCESS, POSTPROCESS])?;
        let preprocess = ImagePreprocess::load(&base.folder.join(PREPROCESS))?;
        let files = format!("{PREPROCESS}, {POSTPROCESS}");
        let known = (files.as_str(), preprocess.classes());
        let config = Self::model(&base.config().model).expect("checked");
        let (predictor, _) = labelled::open(&base, config, known, |description, outputs| {
            description.shape == shape(&preprocess, outputs)
        })?;
        Ok(Box::new(ImageRun {
            base,
            preprocess,
            predictor,
        }))
    }

    fn input_spec(_config: &RunConfig, data: &ImageData) -> InputSpec {
        InputSpec {
            outputs: Self::shape(data).outputs,
            ..InputSpec::of_data(data.sizes(), [0; 2])
        }
    }

    fn assume(config: &RunConfig, given: &Assumptions) -> Result<(ImageShape, InputSpec), Refusal> {
        let source = images(config);
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

    fn blank_batch(
        config: &RunConfig,
        shape: &ImageShape,
        _spec: &InputSpec,
        rows: usize,
        device: &Device,
    ) -> Batch<Self> {
        let augment = &images(config).config.augment;
        let mixed = augment.mixup > 0.0 || augment.cutmix > 0.0;
        let pixels = blank([rows, shape.channels, shape.height, shape.width], device);
        crate::task::Batch {
            mix: mixed.then(|| Mix {
                partner: vec![0; rows],
                own: vec![0.5; rows],
            }),
            ..blank_labelled(config, pixels, rows)
        }
    }
}

fn images(config: &RunConfig) -> &ImageSource {
    match &config.data {
        DataConfig::Image(source) => source,
        _ => unreachable!("the workload reads images"),
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

impl Dataset for ImageData {
    fn notes(&self) -> &[Note] {
        &self.notes
    }

    fn sizes(&self) -> [(&'static str, usize); 3] {
        self.named().map(|(name, split)| (name, split.len()))
    }

    fn target(&self) -> Target {
        let (classes, scale) = (self.preprocess.classes(), self.preprocess.target_mean_std());
        Target::new(classes, scale, self.train.labels())
    }

    fn constant_target(&self) -> Option<f64> {
        constant(self.train.labels())
    }

    fn preprocess(&self) -> Vec<(&'static str, String)> {
        vec![(PREPROCESS, self.preprocess.to_json())]
    }

    fn columns(&self, split: usize) -> Columns {
        let split = [&self.train, &self.valid, &self.test][split];
        let names = (0..split.len()).map(|index| split.name(index));
        let names: ArrayRef = Arc::new(StringArray::from_iter_values(names));
        Columns {
            names: vec![("image".into(), names)],
            extra: Vec::new(),
        }
    }

    fn files(&mut self) -> Option<&mut Vec<PathBuf>> {
        None
    }

    fn hashes(&self) -> Result<BTreeMap<String, String>, DataError> {
        ImageData::hashes(self)
    }

    /// The samples of each split, by class.
    fn overview(&self) -> (Option<usize>, Vec<Vec<String>>) {
        let classes = self.preprocess.classes();
        let mut rows = vec![vec![String::new(), "images".into()]];
        rows[0].extend(classes.iter().cloned());
        for (name, split) in self.named() {
            let mut row = vec![name.to_owned(), split.len().to_string()];
            row.extend(counts(split.labels(), classes.len()));
            rows.push(row);
        }
        (None, rows)
    }
}

/// How many samples have each class or label.
pub(super) fn counts(labels: &Labels, classes: usize) -> impl Iterator<Item = String> {
    let mut counts = vec![0; classes];
    let found: Vec<u32> = match labels {
        Labels::Classes(found) => found.clone(),
        Labels::Sets(found) => found.concat(),
        Labels::Numbers(_) => Vec::new(),
    };
    found.iter().for_each(|class| counts[*class as usize] += 1);
    counts.into_iter().map(|count: usize| count.to_string())
}

/// A finished run on images.
struct ImageRun {
    base: Base,
    preprocess: ImagePreprocess,
    predictor: Predictor<ImageModel>,
}

impl ImageRun {
    fn answer(&self, batch: ImagePixels) -> Answers {
        let images = upload_images(batch.pixels, batch.dims, self.predictor.device());
        self.predictor.predict([images])
    }
}

impl Run for ImageRun {
    fn base(&self) -> &Base {
        &self.base
    }

    fn schema(&self) -> InputSchema {
        let (height, width) = self.preprocess.size();
        let channels = self.preprocess.channels();
        let kind = InputKind::Image {
            channels,
            height,
            width,
        };
        InputSchema::one("image", kind)
    }

    fn meaning(&self) -> Option<&dyn Meaning> {
        Some(self.predictor.answer.meaning())
    }

    fn evaluate(&self, on: On<'_>) -> Result<Evaluated, RunError> {
        let read = |path: &str| {
            let source = images(self.base.config());
            let (split, notes) =
                ImageSplit::load(path, source.format, &source.config, &self.preprocess)?;
            let notes = notes.iter().map(ToString::to_string);
            let samples = ImageSamples::new(split.without_augmentation());
            Ok((samples, notes.collect()))
        };
        labelled::evaluate_on::<Image>(&self.base, on, read, |samples| {
            labelled::evaluate(&self.base, &self.predictor, samples)
        })
    }

    /// The column `image` holds paths.
    fn answers(&self, rows: &RecordBatch) -> Result<Answered, RunError> {
        let paths = text_cells(rows, "image")?.into_iter().map(PathBuf::from);
        let paths: Vec<PathBuf> = paths.collect();
        Ok(Answered {
            answers: self.answer(self.preprocess.read_batch(&paths)?),
            cut: 0,
        })
    }

    fn predict(&self, job: &PredictJob<'_>) -> Result<Predicted, RunError> {
        let how = (&self.preprocess, ImageSamples::threads());
        predict_images(self, job, how, |batch| self.answer(batch))
    }

    fn merged(&self) -> Result<Vec<(&'static str, Vec<u8>)>, RunError> {
        labelled::merged::<Image>(&self.base)
    }
}
