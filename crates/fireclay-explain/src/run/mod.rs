//! The methods on a finished run.

mod affordable;
mod against;
mod ask;
mod attribute;
mod columns;
mod draw;
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

use fireclay_metrics::{Direction, Metric};
use fireclay_run::{Differentiable, On, Parts, Run};

use crate::rank_correlation;
use affordable::affordable;
use against::Against;
use ask::{methods, rows};
use attribute::{Attribution, attribute};
use draw::{Files, draw};
use explanation::by_size;
use method::Fits;
use subject::Subject;

/// Samples that are compared with those of a model with shuffled weights.
const COMPARED: usize = 10;

/// Explains samples of a finished run.
///
/// # Errors
///
/// If the run predicts tokens, a method, class, column or baseline does not fit it, or its data cannot be read.
pub fn explain(run: &dyn Run, request: &Request<'_>) -> Result<Explained, ExplainError> {
    let model = run
        .differentiable()
        .ok_or_else(|| ExplainError::Usage(unexplained(run)))?;
    let (rows, fewer) = rows(run, request)?;
    let taken = run.take(request.on, rows)?;
    let subject = Subject::new((run, model), &taken, request.target)?;
    let first = taken.input.head();
    let fits = Fits {
        truth: taken.truth.is_some(),
        maps: model
            .maps(&first)
            .map(|maps| [maps.dims()[2], maps.dims()[3]]),
        attention: !model.attentions(&first).is_empty(),
    };
    let methods = methods(request, &taken.parts, fits)?;
    let size = (subject.len(), subject.point(0).len());
    let (methods, left_out) = match request.methods.is_empty() {
        true => affordable(methods, request, (&taken.parts, size)),
        false => (methods, Vec::new()),
    };
    let explainer = Explainer {
        run,
        model,
        request,
        against: Against::new(run, &taken, request, &methods)?,
        subject,
    };
    let mut explained = Explained {
        explanations: Vec::new(),
        notes: taken
            .notes
            .iter()
            .cloned()
            .chain(fewer)
            .chain(left_out)
            .collect(),
        files: Vec::new(),
    };
    for method in methods {
        let explanation = explainer.explain(method, &mut explained.files)?;
        explained.explanations.push(explanation);
    }
    Ok(explained)
}

/// Why what has no inputs to explain is refused.
fn unexplained(run: &dyn Run) -> String {
    let base = run.base();
    match base.is_run() {
        true => "a model that predicts tokens has no input that could be explained; explain is for tables, images and \
                 texts with labels"
            .into(),
        false => format!(
            "{} was not trained here: of such models explain is for classifiers of images alone",
            base.run.display()
        ),
    }
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
        Ok(Explanation {
            columns: found,
            ..self.blank(Method::Permutation, metric.name.to_owned(), &meaning)
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
        draw(subject, &mut explanation, &found, files)?;
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
