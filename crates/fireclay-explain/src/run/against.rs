//! What samples are compared with.

use fireclay_run::{On, Parts, Run, Taken};

use super::method::Method;
use super::request::{Baseline, ExplainError, Request};
use super::subject::Subject;

/// Background rows, at most.
pub(super) const ROWS: usize = 100;

/// What samples are compared with.
pub(crate) struct Against {
    baseline: Baseline,
    /// Rows of a table, `[rows, width]`, where a method needs them.
    pub background: Vec<f32>,
    /// What the rows are, in words.
    rows: String,
}

impl Against {
    /// What these methods compare with.
    pub(crate) fn new(
        run: &dyn Run,
        taken: &Taken,
        request: &Request<'_>,
        methods: &[Method],
    ) -> Result<Self, ExplainError> {
        let baseline = baseline(&taken.parts, request)?;
        let mut against = Self {
            baseline,
            background: Vec::new(),
            rows: String::new(),
        };
        let reads = |method: &Method| match method {
            Method::Shapley => true,
            Method::IntegratedGradients | Method::Occlusion => baseline == Baseline::Mean,
            _ => false,
        };
        if methods.iter().any(reads) {
            against.read(run, request.background)?;
        }
        Ok(against)
    }

    fn read(&mut self, run: &dyn Run, path: Option<&str>) -> Result<(), ExplainError> {
        let on = match path {
            Some(path) => On::File { path, targets: &[] },
            None => On::Split(0),
        };
        let taken = run.take(on, ROWS);
        let taken = match path {
            Some(_) => taken?,
            None => taken.map_err(ExplainError::Background)?,
        };
        self.background = taken.input.values.to_data().iter().collect();
        let count = taken.names.len();
        self.rows = match path {
            Some(path) => format!("{count} rows of {path}"),
            None => format!("{count} training rows"),
        };
        Ok(())
    }

    /// The baseline of a sample.
    pub(crate) fn point(&self, subject: &Subject<'_>, sample: usize) -> Vec<f32> {
        let width = subject.point(sample).len();
        let level = |wanted: f64| match &subject.taken.parts {
            Parts::Pixels { mean, std } => {
                let channels = mean.iter().zip(std);
                let values = channels.map(|(mean, std)| ((wanted - mean) / std) as f32);
                let pixels = width / mean.len();
                values
                    .flat_map(|value| std::iter::repeat_n(value, pixels))
                    .collect()
            }
            _ => vec![0.0; width],
        };
        match self.baseline {
            Baseline::Zero => vec![0.0; width],
            Baseline::Black => level(0.0),
            Baseline::White => level(1.0),
            Baseline::Mean => {
                let rows = self.background.chunks_exact(width);
                let count = rows.len() as f64;
                let sum = |at: usize| rows.clone().map(|row| f64::from(row[at])).sum::<f64>();
                (0..width).map(|at| (sum(at) / count) as f32).collect()
            }
        }
    }

    /// What a method compares with, in words, and the flags that say otherwise.
    pub(crate) fn words(&self, method: Method, parts: &Parts) -> Option<String> {
        match method {
            Method::Shapley => Some(format!("{} (other rows: --background FILE)", self.rows)),
            Method::IntegratedGradients | Method::Occlusion => Some(self.words_of_baseline(parts)),
            _ => None,
        }
    }

    fn words_of_baseline(&self, parts: &Parts) -> String {
        match (self.baseline, parts) {
            (Baseline::Mean, _) => {
                format!("the mean of {} (otherwise: --baseline zero)", self.rows)
            }
            (Baseline::Black, _) => "a black image".to_owned(),
            (Baseline::White, _) => "a white image".to_owned(),
            (Baseline::Zero, Parts::Columns { .. }) => {
                "every number at its training mean, and no category".to_owned()
            }
            (Baseline::Zero, Parts::Pixels { .. }) => {
                "the colour that images are centred on (otherwise: --baseline black or white)"
                    .to_owned()
            }
            (Baseline::Zero, Parts::Tokens(_)) => "no embedding of any token".to_owned(),
        }
    }
}

/// The baseline that is asked for, or that people expect.
fn baseline(parts: &Parts, request: &Request<'_>) -> Result<Baseline, ExplainError> {
    use Baseline::{Black, Mean, White, Zero};
    let is_table = matches!(parts, Parts::Columns { .. });
    let usual = if is_table { Mean } else { Zero };
    let asked = request.baseline.unwrap_or(usual);
    let fits = match asked {
        Zero => true,
        Mean => is_table,
        Black | White => matches!(parts, Parts::Pixels { .. }),
    };
    if !fits {
        let message =
            "--baseline mean is for tables, black and white are for images; zero is for all";
        return Err(ExplainError::Usage(message.into()));
    }
    if request.background.is_some() && !is_table {
        let message = "--background is for tables: images and texts are compared with no rows";
        return Err(ExplainError::Usage(message.into()));
    }
    Ok(asked)
}
