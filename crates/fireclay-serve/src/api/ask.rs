//! Questions to the thread of a run.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use fireclay_data::arrow::array::RecordBatch;
use tokio::sync::oneshot;
use tokio::time::timeout_at;

use crate::body::Taken;
use crate::error::Refusal;
use crate::model::{Answer, Job, Model, Rows, Style};
use crate::state::State;

/// The answers for some rows, in time. If the client leaves, the question is taken back.
pub async fn ask(
    state: &State,
    model: &Model,
    (rows, taken): (RecordBatch, Taken),
    style: Style,
    until: Instant,
) -> Result<Answer, Refusal> {
    let most = model.facts.most(&state.settings.limits);
    if rows.num_rows() > most {
        return Err(too_many(rows.num_rows(), most));
    }
    let (reply, answer) = oneshot::channel();
    model.ask(Job::Rows(Rows {
        rows,
        style,
        _taken: taken,
        until,
        reply,
    }))?;
    match timeout_at(until.into(), answer).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Err(Refusal::internal("the model has stopped; load it again")),
        Err(_) => Err(Refusal::late()),
    }
}

pub fn too_many(rows: usize, most: usize) -> Refusal {
    let status = axum::http::StatusCode::PAYLOAD_TOO_LARGE;
    Refusal::new(
        status,
        format!("a request may have {most} rows, not {rows}"),
    )
}

/// Bytes that are read sooner than they are handed to another thread.
const FEW: usize = 64 * 1024;

/// Reads a body of so many bytes: one of few at once, a longer one where it holds up no other request.
pub async fn read<T: Send + 'static>(
    bytes: usize,
    until: Instant,
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    if bytes > FEW {
        return in_time(until, work).await;
    }
    // A panic must be told to the client on either way.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(unread()))
}

/// The same as [`aside`], before the deadline: what has not begun by then does not begin.
pub async fn in_time<T: Send + 'static>(
    until: Instant,
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let work = move || match until <= Instant::now() {
        true => Err(Refusal::late()),
        false => work(),
    };
    let done = timeout_at(until.into(), aside(work)).await;
    done.unwrap_or_else(|_| Err(Refusal::late()))
}

/// Does what takes a processor or a disk where it holds up no other request.
pub async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(unread()))
}

fn unread() -> Refusal {
    Refusal::internal("the request could not be read; this is a bug of the server")
}
