//! What is asked for, checked: how many samples, which methods, which columns.

use fireclay_config::did_you_mean;
use fireclay_run::run::InputKind;
use fireclay_run::{On, Parts, Run};

use super::method::{Fits, Method, refusal, usual};
use super::request::{ExplainError, Request};

/// Nodes beyond which sums in 32 bits get no better.
const MOST_STEPS: usize = 10_000;

/// Cells of a table that are explained where nobody says how many rows, at most; some rows are, whatever their width.
const CELLS: usize = 2_000_000;
const FEWEST: usize = 10;

/// How many samples are taken, and what is to be said of that.
pub(super) fn rows(
    run: &dyn Run,
    request: &Request<'_>,
) -> Result<(usize, Option<String>), ExplainError> {
    if request.rows == Some(0) || request.steps == Some(0) {
        return Err(ExplainError::Usage(
            "--rows and --steps must be at least 1".into(),
        ));
    }
    if request.steps > Some(MOST_STEPS) {
        return Err(ExplainError::Usage(format!(
            "--steps must be at most {MOST_STEPS}"
        )));
    }
    if let Some(rows) = request.rows {
        return Ok((rows, None));
    }
    let columns = &run.schema().columns;
    let usual = match (request.on, columns.first().map(|column| &column.kind)) {
        (On::File { .. }, _) => 10,
        (_, Some(InputKind::Image { .. })) => 16,
        (_, Some(InputKind::Text { .. })) => 50,
        _ => 200,
    };
    let rows = usual.min((CELLS / columns.len().max(1)).max(FEWEST));
    let note = (rows < usual).then(|| {
        let columns = columns.len();
        format!("{rows} rows are explained, not {usual}, since each has {columns} columns; --rows asks for more")
    });
    Ok((rows, note))
}

/// The methods that are asked for, or that people expect.
pub(super) fn methods(
    request: &Request<'_>,
    parts: &Parts,
    fits: Fits,
) -> Result<Vec<Method>, ExplainError> {
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
    if request.randomised && !methods.iter().any(|method| method.is_local()) {
        let local = Method::ALL.into_iter().filter(|method| method.is_local());
        let fitting = local.filter(|method| refusal(*method, parts, fits).is_none());
        let fitting = fitting.map(Method::name).collect::<Vec<_>>().join(", ");
        return Err(ExplainError::Usage(format!(
            "--randomised compares what explains sample by sample, and no such method is asked for; here it is for {fitting}"
        )));
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
