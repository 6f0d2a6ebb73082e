//! The connections: so many at most, none slower than it may be, all answered before the end.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::timed::Timed;
use crate::error::ServeError;
use crate::settings::Limits;
use crate::signals::Stop;

/// How long to wait after an error of the system, such as too many open files.
const PAUSE: Duration = Duration::from_millis(50);

/// An address that is taken, and how its connections are served.
pub struct Connections {
    pub listener: TcpListener,
    pub address: SocketAddr,
    pub tls: Option<TlsAcceptor>,
    pub limits: Limits,
}

impl Connections {
    /// Serves until it is told to stop, then answers what is in flight, for at most the deadline of a request and until it
    /// is told again.
    ///
    /// # Errors
    ///
    /// If the system does not let connections be accepted.
    pub async fn serve(self, router: Router, mut stop: Stop) -> Result<(), ServeError> {
        let accept = |source| ServeError::Accept(source);
        self.listener.set_nonblocking(true).map_err(accept)?;
        let listener = tokio::net::TcpListener::from_std(self.listener).map_err(accept)?;
        let graceful = GracefulShutdown::new();
        let room = Arc::new(Semaphore::new(self.limits.connections));
        loop {
            let next = async {
                let room = room.clone().acquire_owned().await;
                (room, listener.accept().await)
            };
            let (room, accepted) = tokio::select! {
                next = next => next,
                () = stop.heard() => break,
            };
            let Ok((stream, _)) = accepted else {
                sleep(PAUSE).await;
                continue;
            };
            let connection = Connection {
                router: router.clone(),
                slow: self.limits.slow,
                watcher: graceful.watcher(),
            };
            tokio::spawn(connection.serve(stream, self.tls.clone(), room));
        }
        drop(listener);
        tokio::select! {
            // What takes longer than a request may is cut off.
            _ = timeout(self.limits.deadline, graceful.shutdown()) => {}
            () = stop.heard() => {}
        }
        Ok(())
    }
}

struct Connection {
    router: Router,
    slow: Duration,
    watcher: Watcher,
}

impl Connection {
    /// Serves it; `_room` is its place among the connections.
    async fn serve<T>(self, stream: TcpStream, tls: Option<TlsAcceptor>, _room: T) {
        // Without it answers are late, but right.
        let _ = stream.set_nodelay(true);
        match tls {
            None => self.answer(stream).await,
            Some(tls) => {
                if let Ok(Ok(stream)) = timeout(self.slow, tls.accept(stream)).await {
                    self.answer(stream).await;
                }
            }
        }
    }

    /// Errors of a connection concern nobody but its client, who has seen them.
    async fn answer(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let stream = Timed::new(stream, self.slow);
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.slow)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(self.router));
        let _ = self.watcher.watch(connection).await;
    }
}
