//! A service of one's own around a finished run: axum in front, and behind it the thread that holds the run.
//!
//! ```sh
//! fireclay train configs/tabular/iris.toml
//! cargo run --release -p fireclay-run --example service --features flex -- runs/iris/1 127.0.0.1:8080
//! curl 127.0.0.1:8080 -H 'Content-Type: application/json' \
//!     -d '{"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}'
//! curl 127.0.0.1:8080 -H 'Content-Type: image/png' --data-binary @seven.png
//! ```
//!
//! `fireclay serve` is the whole of it: several runs, batches, limits, streams of text, metrics.

use std::error::Error;
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::post;
use fireclay_run::{Device, Raw, Run, RunError, TableFormat, open};
use tokio::sync::oneshot;

/// What was sent, and where the answer goes.
type Question = (HeaderMap, Bytes, oneshot::Sender<Reply>);
/// An answer in JSON, or what is wrong with the question.
type Reply = Result<String, (StatusCode, String)>;
/// Questions that may wait.
const WAITING: usize = 64;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(run), Some(address)) = (args.next(), args.next()) else {
        return Err("usage: service RUN ADDRESS".into());
    };
    let (ask, questions) = sync_channel::<Question>(WAITING);
    let (told, opened) = oneshot::channel();
    // A run stays on the thread that opened it.
    std::thread::spawn(move || {
        let run = match open(Path::new(&run), &Device::flex()) {
            Ok(run) => run,
            Err(error) => return told.send(Err(error.to_string())),
        };
        let is_told = told.send(Ok(run.schema()));
        for (headers, body, reply) in questions {
            // Who has left needs no answer.
            let _ = reply.send(answer(&*run, &headers, &body));
        }
        is_told
    });
    println!("asks for {:?}", opened.blocking_recv()??);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(&address).await?;
        println!("listens on {}", listener.local_addr()?);
        let service = Router::new().route("/", post(predict)).with_state(ask);
        Ok(axum::serve(listener, service).await?)
    })
}

/// Answers one request.
async fn predict(
    State(ask): State<SyncSender<Question>>,
    headers: HeaderMap,
    body: Bytes,
) -> Reply {
    let (reply, answer) = oneshot::channel();
    let busy = |_| (StatusCode::TOO_MANY_REQUESTS, "ask again".to_owned());
    ask.try_send((headers, body, reply)).map_err(busy)?;
    let gone = "the run is gone".to_owned();
    let answer = answer.await;
    answer.unwrap_or(Err((StatusCode::INTERNAL_SERVER_ERROR, gone)))
}

/// Rows, an image, or texts of a line each, by what they are said to be.
fn answer(run: &dyn Run, headers: &HeaderMap, body: &[u8]) -> Reply {
    let kind = headers.get(header::CONTENT_TYPE);
    let replies = match kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default() {
        "application/json" => run.ask(Raw::Rows(body, TableFormat::Jsonl)),
        "text/csv" => run.ask(Raw::Rows(body, TableFormat::Csv)),
        "text/plain" => {
            let text = String::from_utf8_lossy(body);
            run.ask(Raw::Texts(&text.lines().collect::<Vec<_>>()))
        }
        kind if kind.starts_with("image/") => run.ask(Raw::Images(&[body])),
        kind => {
            let message = format!("{kind:?} is not read: send JSON, CSV, an image or plain text");
            return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
        }
    };
    let wrong = |error: RunError| (StatusCode::BAD_REQUEST, error.to_string());
    replies.map(|replies| replies.to_json()).map_err(wrong)
}
