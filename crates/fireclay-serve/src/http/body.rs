//! The body of a request: no larger and no slower than it may be.

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use futures_util::StreamExt;
use tokio::time::timeout;

use crate::error::Refusal;
use crate::settings::Limits;

/// Reads a body.
///
/// # Errors
///
/// If it is too large, takes too long, or ends too early.
pub async fn read(headers: &HeaderMap, body: Body, limits: &Limits) -> Result<Bytes, Refusal> {
    let too_large = || {
        let message = format!("the body may have {} bytes", limits.body);
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, message)
    };
    let length = headers.get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > limits.body) {
        return Err(too_large());
    }
    let whole = async {
        let mut stream = body.into_data_stream();
        let mut whole = Vec::with_capacity(length.unwrap_or(0));
        while let Some(piece) = stream.next().await {
            let piece = piece.map_err(|_| Refusal::bad("the body ends too early"))?;
            if whole.len() + piece.len() > limits.body {
                return Err(too_large());
            }
            whole.extend_from_slice(&piece);
        }
        Ok(Bytes::from(whole))
    };
    timeout(limits.slow, whole).await.unwrap_or_else(|_| {
        let seconds = limits.slow.as_secs();
        let message = format!("the body did not come within {seconds} seconds");
        Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, message))
    })
}
