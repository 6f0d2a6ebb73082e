//! The connections: so many at most, none slower than it may be, all answered before the end.

use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
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

use crate::error::ServeError;
use crate::settings::Limits;

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
    /// Serves until `stop` ends, then answers what is in flight, for at most the deadline of a request.
    ///
    /// # Errors
    ///
    /// If the system does not let connections be accepted.
    pub async fn serve(
        self,
        router: Router,
        stop: impl Future<Output = ()>,
    ) -> Result<(), ServeError> {
        let accept = |source| ServeError::Accept(source);
        self.listener.set_nonblocking(true).map_err(accept)?;
        let listener = tokio::net::TcpListener::from_std(self.listener).map_err(accept)?;
        let graceful = GracefulShutdown::new();
        let room = Arc::new(Semaphore::new(self.limits.connections));
        let mut stop = pin!(stop);
        loop {
            let next = async {
                let room = room.clone().acquire_owned().await;
                (room, listener.accept().await)
            };
            let (room, accepted) = tokio::select! {
                next = next => next,
                () = &mut stop => break,
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
            let tls = self.tls.clone();
            tokio::spawn(async move {
                let _room = room;
                connection.serve(stream, tls).await;
            });
        }
        drop(listener);
        // What takes longer than a request may is cut off.
        let _ = timeout(self.limits.deadline, graceful.shutdown()).await;
        Ok(())
    }
}

struct Connection {
    router: Router,
    slow: Duration,
    watcher: Watcher,
}

impl Connection {
    async fn serve(self, stream: TcpStream, tls: Option<TlsAcceptor>) {
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
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.slow)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(self.router));
        let _ = self.watcher.watch(connection).await;
    }
}
