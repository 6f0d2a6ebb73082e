//! The server: a page, its events, and what the page may ask for.

use std::convert::Infallible;
use std::io::Result;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::sse::{Event, Sse};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::stream::{self, Stream, StreamExt};
use tokio::sync::broadcast::Receiver;

use crate::board::Board;
use crate::control::Control;

const PAGE: &str = include_str!("page.html");
/// A header that a page of another site cannot send without being asked first, which it never is.
const ASKED: &str = "x-fireclay";

#[derive(Clone)]
struct Server {
    board: Arc<Board>,
    control: Option<Control>,
    address: SocketAddr,
}

/// Listens on 127.0.0.1, and serves on a thread of its own.
pub(crate) fn start(port: u16, board: Arc<Board>, control: Option<Control>) -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    let address = listener.local_addr()?;
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let server = Server {
        board,
        control,
        address,
    };
    std::thread::spawn(move || {
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            axum::serve(listener, routes(server)).await
        })
    });
    Ok(address)
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
