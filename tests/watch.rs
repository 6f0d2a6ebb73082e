//! The page of a training: what it is sent, and who may see it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::Project;

const RUN: &str = "runs/breast-cancer/1";

/// A program with a page, which ends with the test.
struct Page {
    program: Child,
    address: String,
}

impl Drop for Page {
    fn drop(&mut self) {
        _ = self.program.kill();
        _ = self.program.wait();
    }
}

impl Page {
    fn of(project: &Project, line: &str) -> Self {
        let mut command = project.command(line.split(' '));
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut program = command.spawn().unwrap();
        let mut lines = BufReader::new(program.stderr.take().unwrap()).lines();
        let address = lines.find_map(|line| {
            let line = line.unwrap();
            Some(line.split_once("http://")?.1.to_owned())
        });
        let page = Self {
            program,
            address: address.expect("the program says where the page is"),
        };
        // The rest is read away, so that the program is never stopped by a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        page
    }

    fn ask(&self, method: &str, path: &str, headers: &str) -> BufReader<TcpStream> {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        let host = match headers.contains("Host:") {
            true => String::new(),
            false => format!("Host: {}\r\n", self.address),
        };
        let request = format!(
            "{method} {path} HTTP/1.1\r\n{host}{headers}Content-Length: 0\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        BufReader::new(stream)
    }

    /// The status of a request.
    fn status(&self, method: &str, path: &str, headers: &str) -> u16 {
        let mut line = String::new();
        self.ask(method, path, headers)
            .read_line(&mut line)
            .unwrap();
        line.split(' ').nth(1).unwrap().parse().unwrap()
    }

    /// Events until one that is looked for.
    fn event(&self, mut is: impl FnMut(&Value) -> bool) -> Value {
        let start = Instant::now();
        for line in self.ask("GET", "/events", "").lines() {
            let line = line.unwrap();
            let Some(data) = line.strip_prefix("data: ") else {
                continue;
            };
            let event = serde_json::from_str(data).unwrap();
            if is(&event) {
                return event;
            }
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "the event does not come"
            );
        }
        panic!("the events have ended");
    }
}

#[test]
fn a_page_has_every_point_of_the_record() {
    let project = Project::new();
    project.ok("train configs/tabular/breast-cancer.toml -q --set train.epochs=3 --set lr_scheduler.warmup_steps=0");
    let page = Page::of(&project, &format!("watch {RUN}"));
    let record = project.record("breast-cancer/1");
    let losses = record.iter().filter(|line| line["split"] == "valid");
    let losses: Vec<Value> = losses
        .map(|line| serde_json::json!([line["step"], line["loss"]]))
        .collect();
    let is_whole = |event: &Value| {
        event["curves"]["valid/loss"]
            .as_array()
            .is_some_and(|curve| !curve.is_empty())
    };
    // The first look is the server's, a moment after it says where it is.
    let event = (0..50).find_map(|_| {
        std::thread::sleep(Duration::from_millis(100));
        let event = page.event(|event| event["curves"].is_object());
        is_whole(&event).then_some(event)
    });
    let event = event.expect("the curves");
    assert_eq!(event["curves"]["valid/loss"], Value::Array(losses));
    assert_eq!(
        (&event["name"], &event["state"]),
        (&"breast-cancer/1".into(), &"finished".into())
    );
    let mut text = String::new();
    page.ask("GET", "/", "").read_to_string(&mut text).unwrap();
    assert!(text.contains("<title>fireclay</title>") && text.contains("id=\"control\" hidden"));
    // Nobody who calls this machine by another name, and nobody without a control.
    assert_eq!(
        page.status("GET", "/events", "Host: elsewhere.example\r\n"),
        421
    );
    assert_eq!(
        page.status("POST", "/control/stop", "X-Fireclay: 1\r\n"),
        403
    );
}

#[test]
fn a_page_with_control_pauses_a_training_and_stops_it() {
    let project = Project::new();
    let line = "train configs/tabular/breast-cancer.toml -q --watch --control --set train.epochs=1000000 \
                --set unset=early_stopping --set lr_scheduler.type=constant --set unset=lr_scheduler.warmup_steps";
    let mut page = Page::of(
        &project,
        &line.split_whitespace().collect::<Vec<_>>().join(" "),
    );
    page.event(|event| event["points"].is_array());
    assert_eq!(page.status("POST", "/control/pause", ""), 403);
    assert_eq!(
        page.status("POST", "/control/pause", "X-Fireclay: 1\r\n"),
        204
    );
    std::thread::sleep(Duration::from_millis(500));
    let before = project.record("breast-cancer/1").len();
    std::thread::sleep(Duration::from_millis(700));
    assert_eq!(project.record("breast-cancer/1").len(), before);
    assert_eq!(
        page.status("POST", "/control/continue", "X-Fireclay: 1\r\n"),
        204
    );
    page.event(|event| event["points"].is_array());
    assert!(project.record("breast-cancer/1").len() > before);
    assert_eq!(
        page.status("POST", "/control/stop", "X-Fireclay: 1\r\n"),
        204
    );
    assert_eq!(page.program.wait().unwrap().code(), Some(4));
}

#[test]
fn connections_that_ask_nothing_are_closed_and_hold_up_nobody() {
    let project = Project::new();
    project.ok("train configs/tabular/breast-cancer.toml -q --set train.max_steps=4 --set lr_scheduler.warmup_steps=0");
    let page = Page::of(&project, &format!("watch {RUN}"));
    let half = || {
        let mut stream = TcpStream::connect(&page.address).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHo").unwrap();
        stream
    };
    let streams: Vec<TcpStream> = (0..100).map(|_| half()).collect();
    std::thread::sleep(Duration::from_millis(200));
    let open = std::fs::read_dir(format!("/proc/{}/fd", page.program.id()));
    if let Ok(open) = open {
        assert!(
            open.count() < 100,
            "the files of a training need descriptors too"
        );
    }
    // The places of those that ask nothing come free.
    assert_eq!(page.status("GET", "/", ""), 200);
    for mut stream in streams {
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        // It says that this took too long, or nothing.
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said);
        assert!(!said.starts_with(b"HTTP/1.1 200"));
    }
}
