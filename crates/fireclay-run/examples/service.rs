//! A service that answers from a finished run, for rows of JSON over HTTP.
//!
//! ```sh
//! fireclay train configs/tabular/iris.toml
//! cargo run --release -p fireclay-run --example service --features burn/flex -- runs/iris/1 127.0.0.1:8080
//! curl -d '{"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}' 127.0.0.1:8080
//! ```
//!
//! One connection at a time, to show the run rather than a server.

use std::error::Error;
use std::io::{BufRead, BufReader, Cursor, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use fireclay_data::arrow::array::RecordBatch;
use fireclay_data::arrow::json::reader::infer_json_schema;
use fireclay_data::arrow::json::{ArrayWriter, ReaderBuilder};
use fireclay_run::{Run, open};

/// The largest body that is read, in bytes.
const LARGEST: usize = 1 << 20;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(run), Some(address)) = (args.next(), args.next()) else {
        return Err("usage: service RUN ADDRESS".into());
    };
    let run = open(Path::new(&run), &Device::flex())?;
    println!("asks for {}", serde_json::to_string(&run.schema())?);
    let listener = TcpListener::bind(&address)?;
    println!("listens on {}", listener.local_addr()?);
    for stream in listener.incoming() {
        if let Err(error) = serve(&*run, stream?) {
            eprintln!("a client left: {error}");
        }
    }
    Ok(())
}

/// Answers one request.
fn serve(run: &dyn Run, mut stream: TcpStream) -> Result<(), Box<dyn Error>> {
    let (status, body) = match body(&stream).and_then(|rows| answer(run, &rows)) {
        Ok(body) => ("200 OK", body),
        Err(error) => {
            let message = serde_json::json!({ "error": error.to_string() });
            ("400 Bad Request", message.to_string())
        }
    };
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    )?;
    Ok(())
}

/// The body of a request.
fn body(stream: &TcpStream) -> Result<String, Box<dyn Error>> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.by_ref().take(8192).read_line(&mut line)?;
        let header = line.trim_end().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
    }
    if length > LARGEST {
        return Err(format!("the body may have {LARGEST} bytes, not {length}").into());
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(String::from_utf8(body)?)
}

/// Rows of JSON, one object a line, to answers in a JSON array.
fn answer(run: &dyn Run, rows: &str) -> Result<String, Box<dyn Error>> {
    let (schema, _) = infer_json_schema(&mut Cursor::new(rows), None)?;
    let reader = ReaderBuilder::new(Arc::new(schema)).build(Cursor::new(rows))?;
    let mut written = ArrayWriter::new(Vec::new());
    for batch in reader {
        let answers = run.answers(&batch?)?.answers;
        let classes = run.meaning().map_or(&[][..], |meaning| meaning.classes());
        let by_class = answers.by_class(classes);
        let first = [("prediction".to_owned(), answers.predictions(classes, ";"))];
        let columns = first.into_iter().chain(by_class);
        written.write(&RecordBatch::try_from_iter(columns)?)?;
    }
    written.finish()?;
    Ok(String::from_utf8(written.into_inner())?)
}
