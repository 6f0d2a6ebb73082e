//! A run and some of its samples, as functions of points.

use burn::tensor::{Device, Tensor, TensorData};
use fireclay_config::did_you_mean;
use fireclay_run::answer::{Answers, Meaning};
use fireclay_run::task::Input;
use fireclay_run::{Differentiable, Parts, Run, Taken};

use super::request::ExplainError;
use crate::tensors::{Differentiated, Place, Valued};

/// What is explained.
pub(crate) struct Subject<'a> {
    pub model: &'a dyn Differentiable,
    pub meaning: &'a dyn Meaning,
    pub taken: &'a Taken,
    /// The output that is explained of each sample.
    pub targets: Vec<usize>,
    /// What the outputs are called, in words, if it is the same for all samples.
    pub target: Option<String>,
    /// The values of all samples, one after the other; of texts with their padding.
    values: Vec<f32>,
    batch: usize,
}

impl<'a> Subject<'a> {
    pub(crate) fn new(
        (run, model): (&'a dyn Run, &'a dyn Differentiable),
        taken: &'a Taken,
        target: Option<&str>,
    ) -> Result<Self, ExplainError> {
        let usage = || ExplainError::Usage("the run has no answers to explain".into());
        let meaning = run.meaning().ok_or_else(usage)?;
        let mut subject = Self {
            model,
            meaning,
            taken,
            targets: Vec::new(),
            target: None,
            values: taken.input.values.to_data().iter().collect(),
            batch: batch(taken),
        };
        subject.choose(target)?;
        Ok(subject)
    }

    /// The same samples and targets of another model.
    pub(crate) fn with_model<'b>(&'b self, model: &'b dyn Differentiable) -> Subject<'b> {
        Subject {
            model,
            meaning: self.meaning,
            taken: self.taken,
            targets: self.targets.clone(),
            target: self.target.clone(),
            values: self.values.clone(),
            batch: self.batch,
        }
    }

    /// Which output is explained of each sample.
    fn choose(&mut self, target: Option<&str>) -> Result<(), ExplainError> {
        let classes = self.meaning.classes();
        let named = target.or(self.meaning.positive());
        let Some(name) = named else {
            self.targets = match classes.is_empty() {
                true => vec![0; self.len()],
                false => self.answered(),
            };
            return Ok(());
        };
        let Some(index) = classes.iter().position(|class| class == name) else {
            return Err(ExplainError::Usage(unknown_class(name, classes)));
        };
        self.targets = vec![index; self.len()];
        self.target = Some(name.to_owned());
        Ok(())
    }

    /// The class that each sample is given; of several labels the most probable.
    fn answered(&self) -> Vec<usize> {
        let classes = self.meaning.classes().len();
        let probabilities = self.answers(&self.values_of_all());
        if let Answers::Classes { chosen, .. } = self.meaning.answers(probabilities.clone()) {
            return chosen.into_iter().map(|class| class as usize).collect();
        }
        let most = |row: &[f64]| {
            let pairs = row.iter().enumerate();
            pairs
                .max_by(|a, b| a.1.total_cmp(b.1))
                .map_or(0, |(at, _)| at)
        };
        probabilities.chunks(classes).map(most).collect()
    }

    /// The number of samples.
    pub(crate) fn len(&self) -> usize {
        self.taken.names.len()
    }

    /// The values of all samples of a table or of images, `[samples, width]`.
    pub(crate) fn values_of_all(&self) -> Vec<f32> {
        self.values.clone()
    }

    /// Probabilities or numbers for points of the shape of all samples, point by point.
    pub(crate) fn answers(&self, points: &[f32]) -> Vec<f64> {
        let width = self.taken.input.values.dims()[1];
        let mut numbers = Vec::new();
        for start in (0..points.len() / width).step_by(self.batch) {
            let end = (start + self.batch).min(points.len() / width);
            let part = points[start * width..end * width].to_vec();
            let data = TensorData::new(part, [end - start, width]);
            let mask = self.taken.input.mask.clone();
            let input = Input {
                values: Tensor::from_data(data, &self.device()),
                dims: self.taken.input.dims.clone(),
                mask: mask.map(|mask| mask.narrow(0, start, end - start)),
            };
            numbers.extend(self.meaning.numbers(&self.model.outputs(&input)));
        }
        numbers
    }

    fn device(&self) -> Device {
        self.taken.input.values.device()
    }

    /// What the flattened dimensions of a sample are; of a text without its padding.
    pub(crate) fn dims(&self, sample: usize) -> Vec<usize> {
        let mut dims = self.taken.input.dims.clone();
        if let Parts::Tokens(texts) = &self.taken.parts {
            dims[0] = texts[sample].len();
        }
        dims
    }

    /// The values of a sample.
    pub(crate) fn point(&self, sample: usize) -> &[f32] {
        let width = self.taken.input.values.dims()[1];
        let own: usize = self.dims(sample).iter().product();
        &self.values[sample * width..][..own]
    }

    /// An input of these points, which are like a sample.
    pub(crate) fn input(&self, sample: usize, points: Tensor<2>) -> Input {
        let dims = self.dims(sample);
        let mask = self.taken.input.mask.as_ref().map(|_| {
            let shape = [points.dims()[0], dims[0]];
            Tensor::full(shape, true, &points.device())
        });
        Input {
            values: points,
            dims,
            mask,
        }
    }

    fn place(&self, sample: usize) -> Place {
        Place {
            device: self.device(),
            width: self.point(sample).len(),
            batch: self.batch,
        }
    }

    /// The output of a sample that is explained: a logit, or a number in the target's unit.
    pub(crate) fn logit(&self, sample: usize) -> Differentiated<impl Fn(Tensor<2>) -> Tensor<1>> {
        let target = self.targets[sample];
        let (factor, summand) = self.meaning.unit();
        Differentiated {
            of: move |points| {
                let outputs = self.model.outputs(&self.input(sample, points));
                outputs.narrow(1, target, 1).squeeze_dim::<1>(1) * factor + summand
            },
            place: self.place(sample),
        }
    }

    /// The probability, or the number in the target's unit, of an output for points that are like a sample.
    pub(crate) fn answer(
        &self,
        sample: usize,
        target: usize,
    ) -> Valued<impl Fn(Tensor<2>) -> Vec<f64>> {
        let count = self.meaning.classes().len().max(1);
        Valued {
            of: move |points| {
                let outputs = self.model.outputs(&self.input(sample, points));
                let numbers = self.meaning.numbers(&outputs).into_iter();
                numbers.skip(target).step_by(count).collect()
            },
            place: self.place(sample),
        }
    }

    /// The name of the class that is explained of a sample.
    pub(crate) fn class(&self, sample: usize) -> Option<&str> {
        let classes = self.meaning.classes();
        classes.get(self.targets[sample]).map(String::as_str)
    }

    /// The number that is explained, in words.
    pub(crate) fn of(&self, is_logit: bool) -> String {
        let number = if is_logit { "logit" } else { "probability" };
        match &self.target {
            Some(name) => format!("{number} of {name:?}"),
            None if self.meaning.classes().is_empty() => "prediction".to_owned(),
            None => format!("{number} of the predicted class"),
        }
    }
}

/// Samples that go through the model at once, where gradients take memory: rows are small.
fn batch(taken: &Taken) -> usize {
    match taken.parts {
        Parts::Columns { .. } => 4096,
        Parts::Pixels { .. } | Parts::Tokens(_) => 16,
    }
}

fn unknown_class(name: &str, classes: &[String]) -> String {
    if classes.is_empty() {
        return "the run predicts a number: there is no class to name".into();
    }
    let known = classes.iter().take(20).map(|class| format!("{class:?}"));
    let known = known.collect::<Vec<_>>().join(", ");
    let more = if classes.len() > 20 { ", ..." } else { "" };
    let close = did_you_mean(name, classes.iter().map(String::as_str));
    let close = close.map_or_else(String::new, |close| format!(" Did you mean {close:?}?"));
    format!("the run has no class {name:?}; it has {known}{more}.{close}")
}
