//! A service of one's own around a finished run: axum in front, and behind it the thread that holds the run.
//!
//! ```sh
//! fireclay train configs/tabular/iris.toml
//! cargo run --release -p fireclay-run --example service --features burn/flex -- runs/iris/1 127.0.0.1:8080
//! curl -d '{"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}' 127.0.0.1:8080
//! ```
//!
//! `fireclay serve` is the whole of it: batches, limits, and the reader of `predict` for rows as they are written.

use std::error::Error;
use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use burn::tensor::Device;
use fireclay_data::arrow::array::RecordBatch;
use fireclay_data::arrow::json::reader::infer_json_schema;
use fireclay_data::arrow::json::{ArrayWriter, ReaderBuilder};
use fireclay_run::{Run, answer_columns, open};
use tokio::sync::oneshot;

/// Rows of JSON, and where their answers go.
type Question = (String, oneshot::Sender<Result<String, String>>);
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
        let told =
            told.send(serde_json::to_string(&run.schema()).map_err(|error| error.to_string()));
        for (rows, reply) in questions {
            // Who has left needs no answer.
            let _ = reply.send(answer(&*run, &rows).map_err(|error| error.to_string()));
        }
        told
    });
    println!("asks for {}", opened.blocking_recv()??);
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
    rows: String,
) -> Result<String, (StatusCode, String)> {
    let (reply, answer) = oneshot::channel();
    let busy = |_| (StatusCode::TOO_MANY_REQUESTS, "ask again".to_owned());
    ask.try_send((rows, reply)).map_err(busy)?;
    let gone = |_| {
        (
            StatusCode::INTERNAL_SERVER_ERROR,
            "the run is gone".to_owned(),
        )
    };
    let answer = answer.await.map_err(gone)?;
    answer.map_err(|error| (StatusCode::BAD_REQUEST, error))
}

/// Rows of JSON, one object a line, to answers in a JSON array.
fn answer(run: &dyn Run, rows: &str) -> Result<String, Box<dyn Error>> {
    let (schema, _) = infer_json_schema(&mut Cursor::new(rows), None)?;
    let reader = ReaderBuilder::new(Arc::new(schema)).build(Cursor::new(rows))?;
    let mut written = ArrayWriter::new(Vec::new());
    for batch in reader {
        let answers = run.answers(&batch?)?.answers;
        let columns = answer_columns(run, answers);
        written.write(&RecordBatch::try_from_iter(columns)?)?;
    }
    written.finish()?;
    Ok(String::from_utf8(written.into_inner())?)
}
