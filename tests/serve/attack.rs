//! Clients that mean no good, or have no time.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::server::{Server, read};
use super::texts::writer;
use crate::support::Project;

fn iris() -> Project {
    let project = Project::new();
    project.ok("train configs/tabular/iris.toml -q --set device.backend=flex --set train.epochs=2");
    project
}

fn row() -> serde_json::Value {
    json!({"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2})
}

/// Whether the other side has closed a connection, within a time.
fn is_closed_within(mut stream: TcpStream, seconds: u64) -> bool {
    stream
        .set_read_timeout(Some(Duration::from_secs(seconds)))
        .unwrap();
    let mut rest = Vec::new();
    let start = Instant::now();
    _ = stream.read_to_end(&mut rest);
    start.elapsed() < Duration::from_secs(seconds)
}

#[test]
fn garbage_slow_and_large_requests_end_and_others_are_answered() {
    let project = iris();
    let server = Server::start(
        &project,
        "runs/iris --max-body 5000 --read-timeout 1 --max-connections 30 --max-rows 20",
    );
    let mut garbage = server.connect();
    garbage
        .write_all(b"\x16\x03\x01\x00\xff no HTTP\r\n\r\n")
        .unwrap();
    assert!(is_closed_within(garbage, 10));
    // A head that never ends, a byte at a time or none at all.
    let mut slow = server.connect();
    slow.write_all(b"GET /v2 HTTP/1.1\r\nHost: localhost\r\nX: ")
        .unwrap();
    let silent = server.connect();
    let mut body = server.connect();
    let head = format!(
        "POST /predict/iris HTTP/1.1\r\nHost: {}\r\nContent-Type: text/csv\r\nContent-Length: 400\r\n\r\na,",
        server.address
    );
    body.write_all(head.as_bytes()).unwrap();
    let start = Instant::now();
    read(body).refused(408, &["within 1 seconds"]);
    assert!(is_closed_within(slow, 10) && is_closed_within(silent, 10));
    assert!(start.elapsed() < Duration::from_secs(12));
    let large = "x".repeat(6000);
    server
        .post("/predict/iris", "text/csv", &large)
        .refused(413, &["5000 bytes"]);
    let mut chunked = server.connect();
    let head = format!(
        "POST /predict/iris HTTP/1.1\r\nHost: {}\r\nContent-Type: text/csv\r\nTransfer-Encoding: chunked\r\n\r\n",
        server.address
    );
    chunked.write_all(head.as_bytes()).unwrap();
    for _ in 0..10 {
        // The server may have closed the connection by then.
        _ = chunked.write_all(format!("3e8\r\n{}\r\n", "y".repeat(1000)).as_bytes());
    }
    read(chunked).refused(413, &["5000 bytes"]);
    let packed: [&[u8]; 3] = [
        b"\x1f\x8b\x08\0\0\0\0\0\x02\x03K\xd4I\xe22\xd41\xe2\x02\0{\x07\x97\n\x08\0\0\0",
        b"\x28\xb5\x2f\xfd\0",
        b"PK\x03\x04\x14\0",
    ];
    for packed in packed {
        server
            .post("/predict/iris", "text/csv", packed)
            .refused(415, &["send it unpacked"]);
    }
    let many = vec![json!({"a": 1}); 21];
    server
        .post_json("/predict/iris", &json!(many))
        .refused(413, &["20 rows"]);
    let header = format!("X-Large: {}\r\n", "z".repeat(500_000));
    let stream = server.send("GET", "/v2", &header, b"");
    assert!(is_closed_within(stream, 10));
    for path in [
        "/../etc/passwd",
        "/predict/%2e%2e%2f",
        "/v2/models/%00",
        "/predict/iris/x",
        "//",
    ] {
        let status = server.post(path, "application/json", "{}").status;
        assert!((400..500).contains(&status), "{path}: {status}");
    }
    // More silent connections than are allowed hold nobody up for long.
    let silent: Vec<TcpStream> = (0..60).map(|_| server.connect()).collect();
    server.post_json("/predict/iris", &row()).ok();
    drop(silent);
    // The line of a request may be written a moment after its answer.
    let of_iris = r#""model":"iris""#;
    let said = server.said_once(|said| said.contains(of_iris));
    assert!(!said.contains("panicked"), "{said}");
    let line = said.lines().rfind(|line| line.contains(of_iris)).unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(
        (&line["model"], &line["count"]),
        (&json!("iris"), &json!(1)),
        "{said}"
    );
}

#[test]
fn a_token_is_asked_for_and_other_sites_are_refused() {
    let project = iris();
    {
        let server = Server::start(&project, "runs/iris");
        let row = row().to_string();
        let foreign = "Host: elsewhere.example\r\nContent-Type: application/json\r\n";
        server
            .ask("POST", "/predict/iris", foreign, row.as_bytes())
            .refused(421, &["under that name"]);
        let page = "Origin: http://elsewhere.example\r\nContent-Type: text/plain\r\n";
        server
            .ask("POST", "/predict/iris", page, row.as_bytes())
            .refused(403, &["other sites"]);
        let own = format!(
            "Origin: http://{}\r\nContent-Type: application/json\r\n",
            server.address
        );
        server
            .ask("POST", "/predict/iris", &own, row.as_bytes())
            .ok();
    }
    project.write("token", "open-sesame\n");
    project.write("two words", "open sesame");
    let server = Server::start(&project, "runs/iris --token-file token");
    server
        .post_json("/predict/iris", &row())
        .refused(401, &["Authorization: Bearer"]);
    for token in ["open-sesam", "open-sesame!", "", "OPEN-SESAME"] {
        let headers = format!("Authorization: Bearer {token}\r\n");
        assert_eq!(
            server.ask("GET", "/metrics", &headers, b"").status,
            401,
            "{token}"
        );
    }
    let reply = server.ask("GET", "/v1/models", "Authorization: Bearer no\r\n", b"");
    assert!(
        reply
            .head
            .to_ascii_lowercase()
            .contains("www-authenticate: bearer")
    );
    assert_eq!(reply.json()["error"]["type"], "invalid_request_error");
    for path in ["/", "/v2/health/live", "/v2/health/ready"] {
        assert_eq!(server.get(path).status, 200, "{path}");
    }
    let headers = "authorization: bearer open-sesame\r\nContent-Type: application/json\r\n";
    server
        .ask(
            "POST",
            "/predict/iris",
            headers,
            row().to_string().as_bytes(),
        )
        .ok();
    let said = server.said.lock().unwrap().clone();
    assert!(!said.contains("open-sesame"), "{said}");
    let mut command = project.command([
        "serve",
        "--port",
        "0",
        "runs/iris",
        "--token-file",
        "two words",
    ]);
    let ran = command.output().unwrap();
    assert_eq!(ran.status.code(), Some(2));
}

#[cfg(unix)]
#[test]
fn a_full_queue_is_told_and_the_end_answers_what_is_in_flight() {
    let project = writer();
    let mut server = Server::start(
        &project,
        "poet=runs/run --slots 1 --max-queue 2 --max-tokens 100000 --deadline 120",
    );
    let ask = |tokens: usize| {
        let request =
            json!({"model": "poet", "prompt": "one", "max_tokens": tokens, "temperature": 0});
        let headers = "Content-Type: application/json\r\n";
        server.send(
            "POST",
            "/v1/completions",
            headers,
            request.to_string().as_bytes(),
        )
    };
    let first = ask(20_000);
    server.until("begun", |server| {
        server.metric("fireclay_tokens_total{model=\"poet\"}") > 0.0
    });
    let waiting = [ask(5), ask(5)];
    server.until("waiting", |server| {
        server.metric("fireclay_waiting{model=\"poet\"}") == 2.0
    });
    let refused = read(ask(5));
    assert!(
        refused.head.to_ascii_lowercase().contains("retry-after: 1"),
        "{}",
        refused.head
    );
    refused.refused(429, &["too many requests"]);
    let address = server.address.clone();
    server.signal("-TERM");
    for stream in waiting.into_iter().chain([first]) {
        let answer = read(stream).ok();
        let reason = &answer["choices"][0]["finish_reason"];
        assert!(*reason == "length" || *reason == "stop", "{answer}");
    }
    assert_eq!(server.program.wait().unwrap().code(), Some(0));
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn what_waits_too_long_is_told() {
    let project = writer();
    let server = Server::start(
        &project,
        "poet=runs/run --slots 1 --max-tokens 1000000 --deadline 1",
    );
    let request = json!({"model": "poet", "prompt": "one", "max_tokens": 1_000_000, "temperature": 0, "stream": true});
    let headers = "Content-Type: application/json\r\n";
    let _busy = server.send(
        "POST",
        "/v1/completions",
        headers,
        request.to_string().as_bytes(),
    );
    server.until("begun", |server| {
        server.metric("fireclay_tokens_total{model=\"poet\"}") > 0.0
    });
    let request = json!({"model": "poet", "prompt": "one", "max_tokens": 1});
    server
        .post_json("/v1/completions", &request)
        .refused(503, &["deadline"]);
}

#[test]
fn a_certificate_makes_it_https() {
    let project = iris();
    let mut openssl = Command::new("openssl");
    openssl.args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -keyout key.pem -out cert.pem".split(' '));
    let made = openssl.current_dir(project.path("")).output();
    if !made.is_ok_and(|made| made.status.success()) {
        eprintln!("skipped: no openssl makes a certificate here");
        return;
    }
    project.refused(
        "serve --port 0 runs/iris --tls-cert key.pem --tls-key key.pem",
        2,
        &["key.pem"],
    );
    let server = Server::start(&project, "runs/iris --tls-cert cert.pem --tls-key key.pem");
    let mut curl = Command::new("curl");
    curl.args(["-sS", "--cacert", "cert.pem", "--resolve"]);
    let port = server.address.rsplit(':').next().unwrap();
    curl.arg(format!("localhost:{port}:127.0.0.1"));
    curl.arg(format!("https://localhost:{port}/v2/health/live"));
    let Ok(ran) = curl.current_dir(project.path("")).output() else {
        eprintln!("skipped: there is no curl");
        return;
    };
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(
        said.contains("\"live\":true"),
        "{said}{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    let plain = server.send("GET", "/v2/health/live", "", b"");
    assert!(is_closed_within(plain, 30));
}

/// Clients of every kind at once: no answer is lost, mixed up or of another shape, and memory does not grow.
#[cfg(target_os = "linux")]
#[test]
fn a_crowd_of_good_and_bad_clients_leaves_no_trace() {
    let project = iris();
    let server = Server::start(&project, "runs/iris --no-log --read-timeout 1");
    let memory = || {
        let status = fs::read_to_string(format!("/proc/{}/status", server.program.id())).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .unwrap();
        line.split_whitespace()
            .next()
            .unwrap()
            .parse::<u64>()
            .unwrap()
    };
    let files = || {
        fs::read_dir(format!("/proc/{}/fd", server.program.id()))
            .unwrap()
            .count()
    };
    let wave = || {
        thread::scope(|scope| {
            for client in 0..10 {
                let server = &server;
                scope.spawn(move || {
                    for round in 0..30 {
                        match (client + round) % 5 {
                            0 => drop(server.send(
                                "POST",
                                "/predict/iris",
                                "Content-Type: application/json\r\n",
                                row().to_string().as_bytes(),
                            )),
                            1 => server
                                .post("/predict/iris", "text/csv", "a,b\n1,2\n")
                                .refused(400, &["sepal_length"]),
                            2 => drop(server.connect()),
                            _ => {
                                let answer = server
                                    .post_json("/predict/iris", &json!(vec![row(); 1 + round]))
                                    .ok();
                                assert_eq!(
                                    answer["predictions"].as_array().unwrap().len(),
                                    1 + round
                                );
                            }
                        }
                    }
                });
            }
        });
    };
    wave();
    wave();
    let before = memory();
    (0..6).for_each(|_| wave());
    thread::sleep(Duration::from_secs(2));
    let (after, open) = (memory(), files());
    assert!(after < before + 20_000, "{before} kB became {after} kB");
    assert!(open < 60, "{open} files are open");
}
