//! The methods on a finished run.

mod against;
mod attribute;
mod columns;
mod explanation;
mod method;
mod page;
mod picture;
mod request;
mod subject;
mod summary;

pub use explanation::{Column, Explanation, Sample, Step, Sums};
pub use method::Method;
pub use request::{Baseline, ExplainError, Explained, Request};

use fireclay_config::did_you_mean;
use fireclay_metrics::{Direction, Metric};
use fireclay_run::run::InputKind;
use fireclay_run::{Differentiable, On, Parts, Run};

use crate::rank_correlation;
use against::Against;
use attribute::{Attribution, attribute};
use explanation::by_size;
use method::{Fits, refusal, usual};
use picture::{Shown, alone, failed};
use subject::Subject;

/// A file: its name from the folder of `explanations.json`, and its bytes.
type Files = Vec<(String, Vec<u8>)>;

/// Samples that are compared with those of a model with shuffled weights.
const COMPARED: usize = 10;

/// Explains samples of a finished run.
///
/// # Errors
///
/// If the run predicts tokens, a method, class, column or baseline does not fit it, or its data cannot be read.
pub fn explain(run: &dyn Run, request: &Request<'_>) -> Result<Explained, ExplainError> {
    let model = run.differentiable().ok_or_else(|| {
        let message = "a model that predicts tokens has no input that could be explained; \
                       explain is for tables, images and texts with labels";
        ExplainError::Usage(message.into())
    })?;
    let taken = run.take(request.on, rows(run, request)?)?;
    let subject = Subject::new((run, model), &taken, request.target)?;
    let first = taken.input.head();
    let fits = Fits {
        truth: taken.truth.is_some(),
        maps: model.maps(&first).is_some(),
        attention: !model.attentions(&first).is_empty(),
    };
    let methods = methods(request, &taken.parts, fits)?;
    let explainer = Explainer {
        run,
        model,
        request,
        against: Against::new(run, &taken, request, &methods)?,
        subject,
    };
    let mut explained = Explained {
        explanations: Vec::new(),
        notes: taken.notes.clone(),
        files: Vec::new(),
    };
    for method in methods {
        let explanation = explainer.explain(method, &mut explained.files)?;
        explained.explanations.push(explanation);
    }
    Ok(explained)
}

/// How many samples are taken.
fn rows(run: &dyn Run, request: &Request<'_>) -> Result<usize, ExplainError> {
    if request.rows == Some(0) || request.steps == 0 {
        return Err(ExplainError::Usage(
            "--rows and --steps must be at least 1".into(),
        ));
    }
    let kind = run
        .schema()
        .columns
        .first()
        .map(|column| column.kind.clone());
    let usual = match (request.on, kind) {
        (On::File { .. }, _) => 10,
        (_, Some(InputKind::Image { .. })) => 16,
        (_, Some(InputKind::Text { .. })) => 50,
        _ => 200,
    };
    Ok(request.rows.unwrap_or(usual))
}

/// The methods that are asked for, or that people expect.
fn methods(request: &Request<'_>, parts: &Parts, fits: Fits) -> Result<Vec<Method>, ExplainError> {
    for method in &request.methods {
        if let Some(reason) = refusal(*method, parts, fits) {
            let message = format!("{} {reason}", method.name());
            return Err(ExplainError::Usage(message));
        }
    }
    let methods = match request.methods.is_empty() {
        true => usual(parts, fits),
        false => request.methods.clone(),
    };
    let has = |method: Method| methods.contains(&method);
    if request.metric.is_some() && !has(Method::Permutation) {
        return Err(unread("--metric", Method::Permutation));
    }
    if !request.columns.is_empty() {
        if !has(Method::PartialDependence) {
            return Err(unread("--column", Method::PartialDependence));
        }
        request
            .columns
            .iter()
            .try_for_each(|name| known(name, parts))?;
    }
    Ok(methods)
}

fn unread(flag: &str, method: Method) -> ExplainError {
    let method = method.name();
    ExplainError::Usage(format!(
        "{flag} is read by the method {method}, which is not asked for"
    ))
}

/// Refuses a column that the model does not read.
fn known(name: &str, parts: &Parts) -> Result<(), ExplainError> {
    let Parts::Columns { columns, .. } = parts else {
        return Ok(());
    };
    let names = || columns.iter().map(|part| part.name.as_str());
    if names().any(|known| known == name) {
        return Ok(());
    }
    let close = did_you_mean(name, names());
    let help = match close {
        Some(close) => format!("did you mean {close:?}?"),
        None => format!("it reads {}", names().collect::<Vec<_>>().join(", ")),
    };
    Err(ExplainError::Usage(format!(
        "the model reads no column {name:?}; {help}"
    )))
}

/// What explains.
struct Explainer<'a> {
    run: &'a dyn Run,
    model: &'a dyn Differentiable,
    request: &'a Request<'a>,
    against: Against,
    subject: Subject<'a>,
}

impl Explainer<'_> {
    fn explain(&self, method: Method, files: &mut Files) -> Result<Explanation, ExplainError> {
        match method {
            Method::Permutation => self.permutation(),
            Method::PartialDependence => self.dependence(),
            _ => self.local(method, files),
        }
    }

    /// An explanation without anything in it.
    fn blank(&self, method: Method, of: String, meaning: &str) -> Explanation {
        let taken = self.subject.taken;
        Explanation {
            method,
            of,
            over: taken.from.clone(),
            n: self.subject.len(),
            baseline: self.against.words(method, &taken.parts),
            meaning: meaning.to_owned(),
            columns: Vec::new(),
            samples: Vec::new(),
            completeness: None,
            randomised: None,
            file: None,
        }
    }

    fn permutation(&self) -> Result<Explanation, ExplainError> {
        let Parts::Columns { columns, .. } = &self.subject.taken.parts else {
            unreachable!("checked: the samples are rows");
        };
        let metric = self.metric()?;
        let by = (metric.name, metric.better);
        let mut found = columns::permuted(&self.subject, columns, by, self.request.seed)?;
        by_size(&mut found);
        let worse = match metric.better {
            Direction::Higher => "lower",
            Direction::Lower => "higher",
        };
        let meaning = format!(
            "how much {worse} {} is when the column is shuffled: the mean of 10 shuffles (other metrics: --metric)",
            metric.name
        );
        let of = self.run.base().config().task.name().to_owned();
        Ok(Explanation {
            columns: found,
            ..self.blank(Method::Permutation, of, &meaning)
        })
    }

    /// The metric that is named, or the first that the task shows.
    fn metric(&self) -> Result<Metric, ExplainError> {
        let facts = self.run.base().config().task.facts();
        let name = self.request.metric.unwrap_or(facts.headline[0]);
        let found = facts.metrics.iter().find(|metric| metric.name == name);
        found.copied().ok_or_else(|| {
            let known = facts.metrics.iter().map(|metric| metric.name);
            let known = known.collect::<Vec<_>>().join(", ");
            ExplainError::Usage(format!(
                "there is no metric {name:?} of this task; it has {known}"
            ))
        })
    }

    fn dependence(&self) -> Result<Explanation, ExplainError> {
        let Parts::Columns { columns, cells } = &self.subject.taken.parts else {
            unreachable!("checked: the samples are rows");
        };
        let target = most_frequent(&self.subject.targets);
        let of = match self.subject.meaning.classes().get(target) {
            Some(class) => format!("probability of {class:?}"),
            None => "prediction".to_owned(),
        };
        let of = match (&self.subject.target, self.subject.meaning.classes()) {
            (None, [_, ..]) => format!("{of}, the most frequent answer (others: --target)"),
            _ => of,
        };
        let mut found =
            columns::dependences(&self.subject, (columns, cells), self.request, target)?;
        by_size(&mut found);
        let meaning =
            "the standard deviation of the curve: how much the mean answer changes with the column";
        Ok(Explanation {
            columns: found,
            ..self.blank(Method::PartialDependence, of, meaning)
        })
    }

    /// A method that explains sample by sample.
    fn local(&self, method: Method, files: &mut Files) -> Result<Explanation, ExplainError> {
        let subject = &self.subject;
        let how = (self.request, &self.against);
        let one = |sample| attribute(subject, method, sample, how);
        let found: Vec<Attribution> = (0..subject.len()).map(one).collect();
        if found
            .iter()
            .any(|sample| sample.values.iter().any(|value| !value.is_finite()))
        {
            let message = format!("{} is not finite on these samples", method.name());
            return Err(ExplainError::Usage(message));
        }
        let shown = found.iter().enumerate().take(self.shown());
        let samples = shown.map(|(number, found)| summary::one(subject, number, found));
        let sums = found.iter().filter_map(|sample| sample.completeness);
        let worst = sums.max_by(|a, b| a.error().abs().total_cmp(&b.error().abs()));
        let meaning = summary::meaning(&subject.taken.parts);
        let mut explanation = Explanation {
            columns: summary::global(subject, &found),
            samples: samples.collect::<Result<_, _>>()?,
            completeness: worst.map(Sums::from),
            randomised: self.randomised(method, &found),
            ..self.blank(method, subject.of(method.is_of_logits()), meaning)
        };
        self.draw(&mut explanation, &found, files)?;
        Ok(explanation)
    }

    /// How many samples are shown.
    fn shown(&self) -> usize {
        let usual = match self.request.on {
            On::File { .. } => usize::MAX,
            _ => 3,
        };
        self.request.shown.unwrap_or(usual)
    }

    /// The mean rank correlation with the attributions of a model with shuffled weights.
    fn randomised(&self, method: Method, found: &[Attribution]) -> Option<f64> {
        if !self.request.randomised {
            return None;
        }
        let model = self.model.randomised(self.request.seed);
        let subject = self.subject.with_model(&*model);
        let how = (self.request, &self.against);
        let some = found.iter().enumerate().take(COMPARED);
        let alike = some.filter_map(|(sample, found)| {
            let other = attribute(&subject, method, sample, how);
            rank_correlation(&found.values, &other.values)
        });
        let alike: Vec<f64> = alike.collect();
        (!alike.is_empty()).then(|| alike.iter().sum::<f64>() / alike.len() as f64)
    }

    /// Pictures of images, and a page of texts.
    fn draw(
        &self,
        explanation: &mut Explanation,
        found: &[Attribution],
        files: &mut Files,
    ) -> Result<(), ExplainError> {
        let (method, folder) = (explanation.method.name(), folder(&explanation.over));
        match &self.subject.taken.parts {
            Parts::Columns { .. } => {}
            Parts::Tokens(_) => {
                let name = format!("{folder}/{method}.html");
                for (number, sample) in explanation.samples.iter_mut().enumerate() {
                    sample.file = Some(format!("{name}#s{}", number + 1));
                }
                files.push((name.clone(), page::page(explanation).into_bytes()));
                explanation.file = Some(name);
            }
            Parts::Pixels { mean, std } => {
                for (number, sample) in explanation.samples.iter_mut().enumerate() {
                    let name = format!("{folder}/{method}-{}.png", number + 1);
                    let shown = self.image(number, (mean, std));
                    let drawn = shown.with_map(&found[number].values);
                    files.push((name.clone(), drawn.map_err(failed(&name))?));
                    sample.file = Some(name);
                }
                let name = format!("{folder}/{method}-mean.png");
                let dims = self.subject.dims(0);
                let drawn = alone(&mean_map(found), [dims[1], dims[2]]);
                files.push((name.clone(), drawn.map_err(failed(&name))?));
                explanation.file = Some(name);
            }
        }
        Ok(())
    }

    /// An image as it was before it was normalised.
    fn image(&self, sample: usize, (mean, std): (&[f64], &[f64])) -> Shown {
        let dims = self.subject.dims(sample);
        let pixels = dims[1] * dims[2];
        let values = self.subject.point(sample).iter().enumerate();
        let pixels = values.map(|(at, value)| {
            let channel = at / pixels;
            f64::from(*value) * std[channel] + mean[channel]
        });
        Shown {
            pixels: pixels.collect(),
            dims: [dims[0], dims[1], dims[2]],
        }
    }
}

/// The mean of the sizes of maps.
fn mean_map(found: &[Attribution]) -> Vec<f64> {
    let mut means = vec![0.0; found.first().map_or(0, |sample| sample.values.len())];
    for sample in found {
        let pairs = means.iter_mut().zip(&sample.values);
        pairs.for_each(|(mean, value)| *mean += value.abs() / found.len() as f64);
    }
    means
}

/// The output that most samples have for their target; among equals the first.
fn most_frequent(targets: &[usize]) -> usize {
    let count = |target: usize| targets.iter().filter(|other| **other == target).count();
    let most = targets
        .iter()
        .copied()
        .max_by_key(|target| (count(*target), usize::MAX - target));
    most.unwrap_or(0)
}

/// Where the files of samples go: `explanations/` and the name of the split, or what is left of a path.
fn folder(over: &str) -> String {
    let name = over
        .rsplit(['/', '\\'])
        .find(|part| !part.is_empty())
        .unwrap_or("input");
    let plain = |letter: char| {
        if letter.is_ascii_alphanumeric() {
            letter
        } else {
            '_'
        }
    };
    let name: String = name.chars().map(plain).take(40).collect();
    format!("explanations/{name}")
}
