//! The server: a page, its events, and what the page may ask for.

use std::convert::Infallible;
use std::io::{Error, Result};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread::Builder;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::sse::{Event, Sse};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::stream::{self, Stream, StreamExt};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::sync::broadcast::Receiver;
use tokio::time::sleep;

use crate::board::Board;
use crate::control::Control;

const PAGE: &str = include_str!("page.html");
/// A header that a page of another site cannot send without being asked first, which it never is.
const ASKED: &str = "x-fireclay";
/// Connections at a time: the files of a training need descriptors too.
const CONNECTIONS: usize = 64;
/// How long the head of a request may take.
const SLOW: Duration = Duration::from_secs(10);
/// How long to wait after an error of the system, such as too many open files.
const PAUSE: Duration = Duration::from_millis(50);

#[derive(Clone)]
struct Server {
    board: Arc<Board>,
    control: Option<Control>,
    address: SocketAddr,
}

/// Listens on 127.0.0.1, and serves on a thread of its own.
pub(crate) fn start(port: u16, board: Arc<Board>, control: Option<Control>) -> Result<SocketAddr> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    let address = listener.local_addr()?;
    listener.set_nonblocking(true)?;
    // tokio panics where no descriptor is left.
    let build = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build()
    };
    let runtime = fireclay_guard::caught(build).unwrap_or_else(|said| Err(Error::other(said)))?;
    let server = Server {
        board,
        control,
        address,
    };
    let listener = {
        let _inside = runtime.enter();
        TcpListener::from_std(listener)?
    };
    let serve = move || runtime.block_on(accept(listener, routes(server)));
    Builder::new().name("page".into()).spawn(serve)?;
    Ok(address)
}

/// Answers connections, so many at a time, as long as the program runs.
async fn accept(listener: TcpListener, routes: Router) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let place = room.clone().acquire_owned().await;
        match listener.accept().await {
            Ok((stream, _)) => _ = tokio::spawn(answer(stream, routes.clone(), place)),
            Err(_) => sleep(PAUSE).await,
        }
    }
}

/// Answers a connection; `_place` is its place among them. Its errors concern nobody but its client.
async fn answer<T>(stream: TcpStream, routes: Router, _place: T) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(SLOW)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes));
    _ = connection.await;
}

fn routes(server: Server) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/events", get(events))
        .route("/control/{what}", post(control))
        .layer(from_fn_with_state(server.clone(), only_by_this_name))
        .with_state(server)
}

/// Refuses requests to another name: a site whose name is made to lead here sees nothing of the run.
async fn only_by_this_name(State(server): State<Server>, request: Request, next: Next) -> Response {
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let port = server.address.port();
    let names = [format!("127.0.0.1:{port}"), format!("localhost:{port}")];
    match host.is_some_and(|host| names.iter().any(|name| name == host)) {
        true => next.run(request).await,
        false => StatusCode::MISDIRECTED_REQUEST.into_response(),
    }
}

async fn page(State(server): State<Server>) -> Html<String> {
    let control = match server.control {
        Some(_) => "",
        None => "hidden",
    };
    Html(PAGE.replace("{{control}}", control))
}

async fn events(
    State(server): State<Server>,
) -> Sse<impl Stream<Item = std::result::Result<Event, Infallible>>> {
    let (whole, news) = server.board.follow();
    let first = stream::iter([Ok(Event::default().data(whole))]);
    let rest = stream::unfold(news, |mut news: Receiver<String>| async {
        // A page that is too far behind is cut off; it connects again, and gets everything at once.
        let event = news.recv().await.ok()?;
        Some((Ok(Event::default().data(event)), news))
    });
    Sse::new(first.chain(rest))
}

async fn control(
    State(server): State<Server>,
    Path(what): Path<String>,
    headers: HeaderMap,
) -> StatusCode {
    let Some(control) = &server.control else {
        return StatusCode::FORBIDDEN;
    };
    if !headers.contains_key(ASKED) {
        return StatusCode::FORBIDDEN;
    }
    match what.as_str() {
        "pause" => {
            control.pause(true);
            server.board.set_state("paused");
        }
        "continue" => {
            control.pause(false);
            server.board.set_state("training");
        }
        "stop" => {
            control.stop();
            server.board.set_state("stopping");
        }
        _ => return StatusCode::NOT_FOUND,
    }
    StatusCode::NO_CONTENT
}
