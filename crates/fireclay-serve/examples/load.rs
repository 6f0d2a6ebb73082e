//! Asks a server the same thing from several connections for some seconds, and prints how fast it answers, as JSON.
//!
//! ```sh
//! cargo run --release -p fireclay-serve --example load -- 127.0.0.1:8080 /predict/iris application/json row.json 8 10
//! ```
//!
//! A connection asks again when it has its answer, so the load is what the server can take at so many requests at once.

use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [address, path, kind, file, connections, seconds] = &args[..] else {
        return Err("usage: load ADDRESS PATH CONTENT-TYPE FILE CONNECTIONS SECONDS".into());
    };
    let body = std::fs::read(file)?;
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let request = [head.into_bytes(), body].concat();
    let connections: usize = connections.parse()?;
    let time = Duration::from_secs(seconds.parse()?);
    // Whatever the first requests wait for is no part of what is measured.
    ask(address, &request, Duration::from_secs(1))?;
    let start = Instant::now();
    let asked: Vec<_> = thread::scope(|scope| {
        let asking: Vec<_> = (0..connections)
            .map(|_| {
                scope.spawn(|| ask(address, &request, time).map_err(|error| error.to_string()))
            })
            .collect();
        let joined = asking.into_iter().map(|asking| asking.join());
        joined
            .map(|asked| asked.map_err(|_| "a connection panicked".to_owned())?)
            .collect()
    });
    let took = start.elapsed().as_secs_f64();
    let all = asked.into_iter().collect::<Result<Vec<_>, String>>()?;
    print(all.concat(), connections, took);
    Ok(())
}

fn print(mut all: Vec<f64>, connections: usize, took: f64) {
    all.sort_by(f64::total_cmp);
    let at = |share: f64| all[((all.len() - 1) as f64 * share) as usize];
    println!(
        "{{\"connections\": {connections}, \"requests\": {}, \"per_second\": {:.0}, \"ms_p50\": {:.3}, \"ms_p99\": {:.3}, \"ms_max\": {:.3}}}",
        all.len(),
        all.len() as f64 / took,
        at(0.5),
        at(0.99),
        at(1.0)
    );
}

/// The milliseconds of each answer on one connection; any status but 200 is an error.
fn ask(address: &str, request: &[u8], time: Duration) -> Result<Vec<f64>, Box<dyn Error>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut took, mut body) = (Vec::new(), Vec::new());
    let start = Instant::now();
    while start.elapsed() < time {
        let sent = Instant::now();
        stream.write_all(request)?;
        let (mut status, mut length) = (String::new(), 0);
        reader.read_line(&mut status)?;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse()?;
            }
        }
        body.resize(length, 0);
        reader.read_exact(&mut body)?;
        if !status.contains(" 200 ") {
            return Err(format!("{}: {}", status.trim(), String::from_utf8_lossy(&body)).into());
        }
        took.push(sent.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(took)
}
