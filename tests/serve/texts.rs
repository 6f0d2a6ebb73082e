//! Language models and translations.

use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::server::Server;
use crate::support::{Project, SMALL_GPT, poem};

const TRANSFORMER: &str = r#"
[device]
backend = "flex"
[data]
type = "parallel"
path = "train.de"
target_path = "train.en"
[tokenizer]
type = "char"
[model]
type = "transformer"
layers = 1
heads = 2
width = 16
mlp_width = 32
context_length = 40
[task]
type = "seq2seq"
[optimizer]
type = "adamw"
learning_rate = 5e-3
[train]
max_steps = 20
"#;

/// A template of the kind that comes with models that talk.
const TEMPLATE: &str =
    "{% for message in messages %}{{ message['content'].strip() }}\n{% endfor %}";

pub fn writer() -> Project {
    let project = Project::with(&SMALL_GPT.replace("context_length = 16", "context_length = 64"));
    project.write("poem.txt", &poem());
    project.ok("train run.toml -q");
    project
}

fn events(text: &str) -> Vec<String> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("data: "));
    lines.map(String::from).collect()
}

#[test]
fn a_text_is_what_generate_writes_streamed_or_not() {
    let project = writer();
    let line = "generate runs/run/1 -p one -n 24 -t 0.7 --seed 5 --json";
    let wanted = project.ok_json(line);
    let server = Server::start(&project, "poet=runs/run");
    let mut request =
        json!({"model": "poet", "prompt": "one", "max_tokens": 24, "temperature": 0.7, "seed": 5});
    let answer = server.post_json("/v1/completions", &request).ok();
    assert_eq!(answer["choices"][0]["text"], wanted["text"]);
    assert_eq!(answer["choices"][0]["finish_reason"], "length");
    assert_eq!(
        answer["usage"],
        json!({"prompt_tokens": 3, "completion_tokens": 24, "total_tokens": 27})
    );
    request["stream"] = true.into();
    request["stream_options"] = json!({"include_usage": true});
    let reply = server.post_json("/v1/completions", &request);
    assert!(reply.head.contains("text/event-stream"), "{}", reply.head);
    let mut events = events(reply.text());
    assert_eq!(events.pop().unwrap(), "[DONE]");
    let events: Vec<Value> = events
        .iter()
        .map(|event| serde_json::from_str(event).unwrap())
        .collect();
    let text = events
        .iter()
        .filter_map(|event| event["choices"][0]["text"].as_str());
    assert_eq!(text.collect::<String>(), wanted["text"].as_str().unwrap());
    assert_eq!(events.last().unwrap()["usage"], answer["usage"]);
    // Several texts of a prompt are those of `--samples`, and of a list each has its own.
    let wanted = project
        .ok("generate runs/run/1 -p one -n 8 --seed 5 --samples 3 --json")
        .out;
    let wanted: Vec<Value> = wanted
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let request = json!({"model": "poet", "prompt": "one", "max_tokens": 8, "seed": 5, "n": 3});
    let answer = server.post_json("/v1/completions", &request).ok();
    for (choice, wanted) in answer["choices"].as_array().unwrap().iter().zip(&wanted) {
        assert_eq!(choice["text"], wanted["text"]);
    }
    let request = json!({"model": "poet", "prompt": ["one", "two"], "max_tokens": 4, "stop": "\n"});
    assert_eq!(
        server.post_json("/v1/completions", &request).ok()["choices"][1]["index"],
        1
    );
    // Without a seed the answer says which it was, and with it the text comes again.
    let request = json!({"model": "poet", "prompt": "one", "max_tokens": 30});
    let first = server.post_json("/v1/completions", &request).ok();
    let mut again = request;
    again["seed"] = first["seed"].clone();
    assert_eq!(
        server.post_json("/v1/completions", &again).ok()["choices"],
        first["choices"]
    );
}

#[test]
fn texts_are_the_same_alone_and_in_company() {
    let project = writer();
    let server = Server::start(&project, "poet=runs/run --no-log");
    let ask = |seed: usize| {
        let request = json!({"model": "poet", "prompt": "three", "max_tokens": 80, "seed": seed});
        server.post_json("/v1/completions", &request).ok()["choices"].clone()
    };
    let alone: Vec<Value> = (0..12).map(ask).collect();
    std::thread::scope(|scope| {
        let asked: Vec<_> = (0..12).map(|seed| scope.spawn(move || ask(seed))).collect();
        for (asked, alone) in asked.into_iter().zip(&alone) {
            assert_eq!(&asked.join().unwrap(), alone);
        }
    });
}

/// Texts of other lengths that begin and leave at other times, more of them than there are slots and longer than the
/// context, streamed or whole: none has another byte than alone.
#[test]
fn texts_that_come_and_go_at_any_time_are_the_same_alone_and_in_company() {
    let project = writer();
    let server = Server::start(&project, "poet=runs/run --no-log --slots 5");
    let poem = poem();
    let request = |index: usize| {
        // From one letter to more than a piece of a prompt, and than the context of 64 tokens.
        let (start, length) = (index * 13 % 60, 1 + index * 17 % 90);
        let prompt: String = poem.chars().cycle().skip(start).take(length).collect();
        let temperature = [0.0, 0.7, 1.3][index % 3];
        json!({
            "model": "poet", "prompt": prompt, "max_tokens": 1 + index * 29 % 120, "seed": index,
            "temperature": temperature, "stream": index.is_multiple_of(2),
        })
    };
    let ask = |index: usize| {
        let reply = server.post_json("/v1/completions", &request(index));
        assert_eq!(reply.status, 200, "{}", reply.text());
        if index % 2 == 1 {
            return reply.json()["choices"][0]["text"]
                .as_str()
                .unwrap()
                .to_owned();
        }
        let events = events(reply.text())
            .into_iter()
            .filter(|event| event != "[DONE]");
        let events = events.map(|event| serde_json::from_str::<Value>(&event).unwrap());
        events
            .map(|event| event["choices"][0]["text"].as_str().unwrap().to_owned())
            .collect()
    };
    let alone: Vec<String> = (0..24).map(ask).collect();
    let counts = || {
        ["count", "sum"]
            .map(|end| server.metric(&format!("fireclay_batch_size_{end}{{model=\"poet\"}}")))
    };
    let before = counts();
    let headers = "Content-Type: application/json\r\n";
    std::thread::scope(|scope| {
        let asked: Vec<_> = (0..24)
            .map(|index| {
                let (ask, server, request) = (&ask, &server, &request);
                scope.spawn(move || {
                    std::thread::sleep(Duration::from_millis((index * 7 % 40) as u64));
                    // One of four leaves before its end.
                    if index % 4 == 3 {
                        let mut body = request(index);
                        body["stream"] = true.into();
                        let body = body.to_string();
                        let reply =
                            server.send("POST", "/v1/completions", headers, body.as_bytes());
                        // By its first event a text has begun.
                        let begun = BufReader::new(reply).lines().map_while(Result::ok);
                        begun
                            .take_while(|line| !line.starts_with("data: "))
                            .for_each(drop);
                    }
                    ask(index)
                })
            })
            .collect();
        for (asked, alone) in asked.into_iter().zip(&alone) {
            assert_eq!(&asked.join().unwrap(), alone);
        }
    });
    let [steps, texts] = [0, 1].map(|of| counts()[of] - before[of]);
    assert!(
        texts > 1.05 * steps,
        "{texts} texts in {steps} steps shared none"
    );
}

#[test]
fn a_conversation_needs_a_template() {
    let project = writer();
    let request = json!({"model": "run", "max_tokens": 8, "temperature": 0, "messages": [
        {"role": "user", "content": [{"type": "text", "text": " one potter "}]},
    ]});
    {
        let server = Server::start(&project, "runs/run");
        server
            .post_json("/v1/chat/completions", &request)
            .refused(400, &["no chat template", "/v1/completions"]);
    }
    project.write("runs/run/1/chat_template.jinja", TEMPLATE);
    let server = Server::start(&project, "runs/run");
    let answer = server.post_json("/v1/chat/completions", &request).ok();
    assert_eq!(answer["object"], "chat.completion");
    let same = json!({"model": "run", "max_tokens": 8, "temperature": 0, "prompt": "one potter\n"});
    let same = server.post_json("/v1/completions", &same).ok();
    assert_eq!(
        answer["choices"][0]["message"]["content"],
        same["choices"][0]["text"]
    );
    let mut stream = request;
    stream["stream"] = true.into();
    let reply = server.post_json("/v1/chat/completions", &stream);
    assert!(
        reply.text().contains("chat.completion.chunk"),
        "{}",
        reply.text()
    );
    assert!(
        reply.text().contains("\"role\":\"assistant\""),
        "{}",
        reply.text()
    );
}

#[test]
fn what_cannot_be_written_is_refused() {
    let project = writer();
    let server = Server::start(&project, "poet=runs/run");
    let cases = [
        (
            json!({"model": "poet", "prompt": ""}),
            400,
            "the prompt has no token",
        ),
        (
            json!({"model": "poet", "prompt": [1, 2]}),
            400,
            "not tokens",
        ),
        (
            json!({"model": "poet", "prompt": "one", "logprobs": 2}),
            400,
            "logprobs is not supported",
        ),
        (
            json!({"model": "poet", "prompt": "one", "temperature": -1}),
            400,
            "temperature must be 0 or more",
        ),
        (
            json!({"model": "poet", "prompt": "one", "max_tokens": 999_999}),
            400,
            "max_tokens may be 4096",
        ),
        (
            json!({"model": "bard", "prompt": "one"}),
            404,
            "there are poet",
        ),
        (json!({"model": "poet"}), 400, "completions need `prompt`"),
        (json!({"model": "poet", "prompt": "one \u{1F600}"}), 200, ""),
    ];
    for (request, status, words) in cases {
        let reply = server.post_json("/v1/completions", &request);
        match status {
            // The character tokenizer says itself what it has no token for.
            200 => assert!([200, 400].contains(&reply.status), "{}", reply.text()),
            status => reply.refused(status, &[words]),
        }
    }
    server
        .post("/v1/completions", "application/json", "{")
        .refused(400, &["no request"]);
    server
        .post_json("/predict/poet", &json!({"text": "a"}))
        .refused(400, &["/v1/completions"]);
    assert_eq!(server.get("/v1/models").ok()["data"][0]["id"], "poet");
    assert_eq!(server.get("/v1/models/bard").status, 404);
}

#[test]
fn a_client_that_leaves_stops_its_text() {
    let project = writer();
    let server = Server::start(&project, "poet=runs/run --max-tokens 1000000 --slots 1");
    let request = json!({"model": "poet", "prompt": "one", "max_tokens": 1_000_000, "temperature": 0, "stream": true});
    let headers = "Content-Type: application/json\r\n";
    let stream = server.send(
        "POST",
        "/v1/completions",
        headers,
        request.to_string().as_bytes(),
    );
    let mut lines = BufReader::new(stream).lines();
    lines
        .find(|line| line.as_ref().unwrap().starts_with("data: "))
        .unwrap()
        .unwrap();
    drop(lines);
    let start = Instant::now();
    let short = json!({"model": "poet", "prompt": "one", "max_tokens": 4});
    server.post_json("/v1/completions", &short).ok();
    assert!(start.elapsed() < Duration::from_secs(20));
    server.until("counted", |server| {
        server.metric("fireclay_left_total{model=\"poet\"}") == 1.0
    });
}

#[test]
fn translations_are_those_of_predict() {
    let project = Project::with(TRANSFORMER);
    let words = [("rot", "red"), ("blau", "blue"), ("haus", "house")];
    let side = |at: fn(&(&str, &str)) -> String| {
        let lines =
            (0..60).map(|line| format!("{} {}", at(&words[line % 3]), at(&words[line / 3 % 3])));
        lines.collect::<Vec<_>>().join("\n") + "\n"
    };
    project.write("train.de", &side(|pair| pair.0.to_owned()));
    project.write("train.en", &side(|pair| pair.1.to_owned()));
    project.ok("train run.toml -q");
    project.write("in.txt", "rot haus\n\nblau\n");
    project.ok("predict runs/run/1 in.txt -o out.txt");
    let wanted: Vec<String> = project.read("out.txt").lines().map(String::from).collect();
    let server = Server::start(&project, "de-en=runs/run");
    let of = |answer: Value| -> Vec<String> {
        let predictions = answer["predictions"].as_array().unwrap().iter();
        predictions
            .map(|row| row["prediction"].as_str().unwrap().to_owned())
            .collect()
    };
    let answer = server
        .post("/predict/de-en", "text/plain", "rot haus\n\nblau\n")
        .ok();
    assert!(
        answer["notes"]
            .to_string()
            .contains("1 of 3 lines are blank"),
        "{answer}"
    );
    assert_eq!(of(answer), wanted);
    let rows = json!([{"text": "rot haus"}, {"text": ""}, {"text": "blau"}]);
    assert_eq!(of(server.post_json("/predict/de-en", &rows).ok()), wanted);
    server
        .post_json("/predict/de-en", &json!([{"txt": "a"}]))
        .refused(400, &["entry 1", "\"text\""]);
    let long = "rot ".repeat(40);
    server
        .post_json("/predict/de-en", &json!({"text": long}))
        .refused(400, &["tokens", "looks at 40"]);
}

const BERT: &str = r#"
[device]
backend = "flex"
[data]
type = "text_table"
path = "pots.csv"
target = "mark"
[tokenizer]
type = "wordpiece"
vocabulary_size = 80
[model]
type = "bert"
layers = 1
heads = 2
width = 16
context_length = 12
[task]
type = "classification"
[optimizer]
type = "adamw"
learning_rate = 5e-3
[train]
epochs = 2
batch_size = 12
"#;

fn judge() -> Project {
    let project = Project::with(BERT);
    let row = |number: usize| match number % 2 {
        0 => format!("the {number} pots are whole and fine,good\n"),
        _ => format!("the {number} pots are cracked and dull,bad\n"),
    };
    let rows: String = (0..80).map(row).collect();
    project.write("pots.csv", &format!("text,mark\n{rows}"));
    project.ok("train run.toml -q");
    project
}

#[test]
fn texts_with_labels_are_the_same_bits_alone_and_in_company() {
    let project = judge();
    let server = Server::start(&project, "pots=runs/run --no-log --batch-wait 5");
    let text = |number: usize| {
        ["the pots", "are fine", "cracked", "and dull 7"]
            .iter()
            .cycle()
            .skip(number % 4)
            .take(1 + number % 7)
            .copied()
            .collect::<Vec<_>>()
            .join(" ")
    };
    let ask = |numbers: std::ops::Range<usize>| {
        let rows: Vec<Value> = numbers
            .map(|number| json!({"text": text(number)}))
            .collect();
        let mut answer = server.post_json("/predict/pots", &json!(rows)).ok();
        let mut rows = answer["predictions"].as_array_mut().unwrap().clone();
        rows.iter_mut().for_each(|row| {
            row.as_object_mut().unwrap().remove("row");
        });
        rows
    };
    let together = ask(0..40);
    let before = server.metric("fireclay_batch_size_count{model=\"pots\"}");
    std::thread::scope(|scope| {
        for client in 0..8 {
            let (ask, together) = (&ask, &together);
            scope.spawn(move || {
                for round in 0..10 {
                    let start = (client * 11 + round * 5) % 30;
                    let end = start + 1 + (client + round) % 9;
                    assert_eq!(ask(start..end), together[start..end]);
                }
            });
        }
    });
    let batches = server.metric("fireclay_batch_size_count{model=\"pots\"}") - before;
    assert!(batches < 80.0, "no requests were computed together");
}

#[test]
fn texts_of_another_kind_are_seen_at_drift() {
    let project = judge();
    let server = Server::start(&project, "pots=runs/run --no-log");
    let report = || server.get("/drift/pots").json();
    server.until("compared", |server| server.get("/drift/pots").status == 200);
    let index = |report: &Value, name: &str| {
        let columns = report["columns"].as_array().unwrap();
        let found = columns.iter().find(|column| column["name"] == name);
        found.unwrap()["psi"].as_f64().unwrap()
    };
    let rows = project.read("pots.csv");
    let rows: String = rows
        .lines()
        .map(|line| format!("{}\n", line.split(',').next().unwrap()))
        .collect();
    server.post("/predict/pots", "text/csv", &rows).ok();
    server.until("counted", |_| report()["n"] == 64);
    let before = report();
    let other = format!("text\n{}", "dull\n".repeat(60));
    for _ in 0..3 {
        server.post("/predict/pots", "text/csv", &other).ok();
    }
    server.until("counted", |_| report()["n"] == 244);
    let after = report();
    for name in ["length in tokens", "tokens"] {
        assert!(
            index(&after, name) > 0.25 + 3.0 * index(&before, name),
            "{name} {before} {after}"
        );
    }
    project.write("drift.json", &after.to_string());
    project.ok("report runs/run/1 --drift drift.json -o page.html");
    let page = project.read("page.html");
    assert!(
        page.contains("244 served samples of pots"),
        "the page has a part on drift"
    );
    project.refused(
        "report runs/run/1 --drift pots.csv",
        1,
        &["pots.csv", "no answer of /drift"],
    );
}

#[test]
fn texts_with_labels_are_answered_as_predict_answers_them() {
    let project = judge();
    let long = "fine ".repeat(30);
    let table = format!("text\nthe pot is fine\n{long}\n");
    project.write("new.csv", &table);
    let said = project.ok("predict runs/run/1 new.csv -o out.jsonl").err;
    let wanted = project.read("out.jsonl");
    let wanted: Vec<Value> = wanted
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let server = Server::start(&project, "pots=runs/run");
    let answer = server.post("/predict/pots", "text/csv", &table).ok();
    // `predict` pads the texts to one length, which changes the last digits.
    for (row, wanted) in wanted.iter().enumerate() {
        let found = &answer["predictions"][row];
        assert_eq!(found["prediction"], wanted["prediction"]);
        let [found, wanted] = [found, wanted].map(|row| row["probability_bad"].as_f64().unwrap());
        assert!((found - wanted).abs() < 1e-6, "{answer} {wanted}");
    }
    let note = answer["notes"][0].as_str().unwrap();
    assert!(
        note.contains("1 of 2 texts have more than 12 tokens")
            && said.replace("\n  ", " ").contains(note),
        "{note} {said}"
    );
    let request = json!({"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["the pot is fine"]}]});
    let answer = server.post_json("/v2/models/pots/infer", &request).ok();
    assert_eq!(answer["outputs"][0]["data"][0], wanted[0]["prediction"]);
    server
        .post_json("/predict/pots", &json!([{"text": ""}]))
        .refused(400, &["column \"text\"", "row 1"]);
}
