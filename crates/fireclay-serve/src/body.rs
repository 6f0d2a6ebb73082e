//! The body of a request: no larger and no slower than it may be, and all of them together no larger than there is room.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use futures_util::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::error::Refusal;
use crate::settings::Limits;

/// What room is counted in, in bytes.
const UNIT: usize = 1024;
/// Bodies of the largest size that there is room for.
const BODIES: usize = 16;

/// Room that there is in any case: a body takes some before it is known how large it is.
const LEAST: usize = 256 << 20;
/// Room that a body takes at a time.
const STEP: usize = 64 * UNIT;

/// The room for all bodies.
#[derive(Clone, Debug)]
pub struct Room(Arc<Semaphore>);

/// A body, and the room that it takes until it is answered.
#[derive(Debug)]
pub struct Whole {
    pub bytes: Bytes,
    pub taken: Taken,
}

/// Room that a body takes, or what was made of it.
#[derive(Debug)]
pub struct Taken {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Room {
    pub fn new(limits: &Limits) -> Self {
        let units = (limits.body / UNIT + 1).saturating_mul(BODIES);
        let units = units.max(LEAST / UNIT);
        Self(Arc::new(Semaphore::new(units.min(Semaphore::MAX_PERMITS))))
    }

    /// Takes room for so many bytes more.
    fn take(&self, bytes: usize, taken: &mut Option<OwnedSemaphorePermit>) -> Result<(), Refusal> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).map_err(|_| no_room())?;
        let more = self.0.clone().try_acquire_many_owned(units);
        let more = more.map_err(|_| no_room())?;
        match taken {
            Some(taken) => taken.merge(more),
            None => *taken = Some(more),
        }
        Ok(())
    }

    /// Reads a body.
    ///
    /// # Errors
    ///
    /// If it is too large, takes too long or ends too early, or there is no room for it.
    pub async fn read(
        &self,
        headers: &HeaderMap,
        body: Body,
        limits: &Limits,
    ) -> Result<Whole, Refusal> {
        let length = headers.get(header::CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        if length.is_some_and(|length| length > limits.body) {
            return Err(too_large(limits));
        }
        let whole = timeout(limits.slow, self.whole(body, limits)).await;
        whole.unwrap_or_else(|_| {
            let seconds = limits.slow.as_secs();
            let message = format!("the body did not come within {seconds} seconds");
            Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, message))
        })
    }

    async fn whole(&self, body: Body, limits: &Limits) -> Result<Whole, Refusal> {
        let mut stream = body.into_data_stream();
        let (mut whole, mut taken, mut room) = (Vec::new(), None, 0);
        while let Some(piece) = stream.next().await {
            let piece = piece.map_err(|_| Refusal::bad("the body ends too early"))?;
            let needed = whole.len() + piece.len();
            if needed > limits.body {
                return Err(too_large(limits));
            }
            if needed > room {
                let more = (needed - room).max(STEP.min(limits.body));
                self.take(more, &mut taken)?;
                room += more;
            }
            whole.extend_from_slice(&piece);
        }
        Ok(Whole {
            bytes: whole.into(),
            taken: Taken { _permit: taken },
        })
    }
}

fn no_room() -> Refusal {
    let message = "there is no room for more bodies; ask again in a second";
    Refusal::new(StatusCode::TOO_MANY_REQUESTS, message)
}

fn too_large(limits: &Limits) -> Refusal {
    let message = format!("the body may have {} bytes", limits.body);
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_take_room_until_they_are_answered() {
        let limits = Limits {
            body: LEAST / 4,
            ..Limits::default()
        };
        let room = Room::new(&limits);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        runtime.expect("a runtime").block_on(async {
            let headers = HeaderMap::new();
            let body = Bytes::from(vec![7; limits.body]);
            let read = || room.read(&headers, Body::from(body.clone()), &limits);
            // Held without their bytes, which would take much memory here.
            let mut held = Vec::new();
            let refusal = loop {
                match read().await {
                    Ok(whole) => held.push(whole.taken),
                    Err(refusal) => break refusal,
                }
                assert!(held.len() <= BODIES + 1, "there is no end of the room");
            };
            assert!(held.len() >= BODIES, "{} bodies", held.len());
            assert_eq!(refusal, no_room());
            held.pop();
            assert_eq!(read().await.expect("room again").bytes.len(), body.len());
        });
    }

    #[test]
    fn small_bodies_leave_room_for_others() {
        let limits = Limits {
            body: 5000,
            ..Limits::default()
        };
        let room = Room::new(&limits);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        runtime.expect("a runtime").block_on(async {
            let headers = HeaderMap::new();
            let mut held = Vec::new();
            for _ in 0..1000 {
                let whole = room.read(&headers, Body::from(vec![7; 1000]), &limits);
                held.push(whole.await.expect("room"));
            }
        });
    }
}
