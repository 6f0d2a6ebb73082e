//! A server of the program, and the plainest client.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::Project;

/// A program that serves, which ends with the test.
pub struct Server {
    pub program: Child,
    pub address: String,
    /// What it said so far.
    pub said: Arc<Mutex<String>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        _ = self.program.kill();
        _ = self.program.wait();
    }
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The answer, which must be one.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text());
        self.json()
    }

    /// Fails unless it is a refusal with this status and these words, and no path of the machine in it.
    #[track_caller]
    pub fn refused(self, status: u16, words: &[&str]) {
        assert_eq!(self.status, status, "{}", self.text());
        let message = &self.json()["error"];
        let message = message["message"].as_str().or(message.as_str()).unwrap();
        for word in words {
            assert!(message.contains(word), "no {word:?} in {message}");
        }
        let folder = std::env::temp_dir().display().to_string();
        assert!(!message.contains(&folder), "{message}");
    }
}

impl Server {
    /// Starts `serve` with these arguments on a port that is free.
    pub fn start(project: &Project, line: &str) -> Self {
        let mut command = project.command(format!("serve --port 0 {line}").split(' '));
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut program = command.spawn().unwrap();
        let mut lines = BufReader::new(program.stderr.take().unwrap()).lines();
        let said = Arc::new(Mutex::new(String::new()));
        let address = loop {
            let line = match lines.next() {
                Some(line) => line.unwrap(),
                None => panic!("it does not serve: {}", said.lock().unwrap()),
            };
            if let Some((_, address)) = line.split_once("listening on http") {
                break address.split_once("//").unwrap().1.to_owned();
            }
            *said.lock().unwrap() += &format!("{line}\n");
        };
        let heard = said.clone();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                *heard.lock().unwrap() += &format!("{line}\n");
            }
        });
        Self {
            program,
            address,
            said,
        }
    }

    /// What it has said, once that holds; or after ten seconds, whatever it is. A line follows its answer, not the other way.
    pub fn said_once(&self, holds: impl Fn(&str) -> bool) -> String {
        let end = Instant::now() + Duration::from_secs(10);
        loop {
            let said = self.said.lock().unwrap().clone();
            if holds(&said) || Instant::now() > end {
                return said;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        let limit = Some(Duration::from_secs(60));
        stream.set_read_timeout(limit).unwrap();
        stream
    }

    /// Sends a request and leaves the connection to be read.
    pub fn send(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> TcpStream {
        let mut stream = self.connect();
        let host = match headers.contains("Host:") {
            true => String::new(),
            false => format!("Host: {}\r\n", self.address),
        };
        let head = format!(
            "{method} {path} HTTP/1.1\r\n{host}{headers}Content-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        // What is refused may find the connection closed.
        _ = stream.write_all(head.as_bytes());
        _ = stream.write_all(body);
        stream
    }

    pub fn ask(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Reply {
        read(self.send(method, path, headers, body))
    }

    pub fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, "", b"")
    }

    pub fn post(&self, path: &str, kind: &str, body: impl AsRef<[u8]>) -> Reply {
        let headers = format!("Content-Type: {kind}\r\n");
        self.ask("POST", path, &headers, body.as_ref())
    }

    pub fn post_json(&self, path: &str, body: &Value) -> Reply {
        self.post(path, "application/json", body.to_string())
    }

    /// The value of a metric, labels and all.
    pub fn metric(&self, name: &str) -> f64 {
        let reply = self.get("/metrics");
        let line = reply
            .text()
            .lines()
            .find_map(|line| line.strip_prefix(name));
        line.map_or(0.0, |value| value.trim().parse().unwrap())
    }

    /// Waits until something is so.
    #[track_caller]
    pub fn until(&self, what: &str, mut is: impl FnMut(&Self) -> bool) {
        let start = Instant::now();
        while !is(self) {
            assert!(start.elapsed() < Duration::from_secs(30), "never {what}");
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    #[cfg(unix)]
    pub fn signal(&self, name: &str) {
        let mut kill = std::process::Command::new("kill");
        let id = self.program.id().to_string();
        assert!(kill.args([name, &id]).status().unwrap().success());
    }
}

/// Reads an answer to its end.
pub fn read(stream: TcpStream) -> Reply {
    let mut bytes = Vec::new();
    // A connection may be reset after the answer to a body that was not read.
    _ = BufReader::new(stream).read_to_end(&mut bytes);
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no head: {:?}", String::from_utf8_lossy(&bytes)));
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let body = &bytes[end + 4..];
    let body = match head
        .to_ascii_lowercase()
        .contains("transfer-encoding: chunked")
    {
        true => unchunked(body),
        false => body.to_vec(),
    };
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Reply { status, head, body }
}

fn unchunked(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(end) = body.windows(2).position(|two| two == b"\r\n") {
        let length = std::str::from_utf8(&body[..end]).unwrap();
        let length = usize::from_str_radix(length, 16).unwrap();
        whole.extend_from_slice(&body[end + 2..end + 2 + length]);
        body = &body[(end + 4 + length).min(body.len())..];
    }
    whole
}
