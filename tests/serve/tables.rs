//! Tables and images: the answers of `predict`, whoever else asks.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::{Value, json};

use super::server::Server;
use crate::support::Project;

const TRAIN: &str = "train configs/tabular/breast-cancer.toml -q --set device.backend=flex --set train.epochs=3 --set lr_scheduler.warmup_steps=0";

fn iris() -> Project {
    let project = Project::new();
    project
        .ok("train configs/tabular/iris.toml -q --set device.backend=flex --set train.epochs=20");
    project
}

/// The first rows of a table of the checkout.
fn head(project: &Project, path: &str, rows: usize) -> String {
    let text = project.read(path);
    let lines: Vec<&str> = text.lines().take(rows + 1).collect();
    lines.join("\n") + "\n"
}

/// The rows of CSV, as objects of texts.
fn objects(csv: &str) -> Vec<Value> {
    let mut lines = csv.lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').collect();
    let object = |line: &str| {
        let cells = line.split(',').map(Value::from);
        names
            .iter()
            .map(|name| name.to_string())
            .zip(cells)
            .collect()
    };
    lines.map(object).collect()
}

#[test]
fn rows_are_answered_as_predict_answers_them_in_every_form() {
    let project = iris();
    let csv = head(&project, "datasets/iris/data.csv", 20);
    project.write("rows.csv", &csv);
    project.ok("predict runs/iris/1 rows.csv -o answers.jsonl");
    let text = project.read("answers.jsonl");
    let wanted = text.lines().map(|line| serde_json::from_str(line).unwrap());
    let wanted: Vec<Value> = wanted.collect();
    let server = Server::start(&project, "runs/iris");
    let predictions = |kind: &str, body: String| {
        let mut answer = server.post("/predict/iris", kind, body).ok();
        assert_eq!(answer["model"], "iris");
        assert_eq!(answer["notes"], json!([]));
        answer["predictions"].take()
    };
    let wanted = Value::Array(wanted);
    assert_eq!(predictions("text/csv", csv.clone()), wanted);
    let rows = objects(&csv);
    assert_eq!(
        predictions("application/json", json!(rows).to_string()),
        wanted
    );
    let lines: Vec<String> = rows.iter().map(Value::to_string).collect();
    assert_eq!(
        predictions("application/x-ndjson", lines.join("\n")),
        wanted
    );
    // curl says that JSON is a form.
    let form = "application/x-www-form-urlencoded";
    assert_eq!(predictions(form, rows[0].to_string())[0], wanted[0]);
    project.ok("predict runs/iris/1 rows.csv -o answers.csv");
    let headers = "Content-Type: text/csv\r\nAccept: text/csv\r\n";
    let reply = server.ask("POST", "/predict/iris", headers, csv.as_bytes());
    assert_eq!(reply.text(), project.read("answers.csv"));
}

#[test]
fn a_wrong_request_is_told_what_predict_would_say() {
    let project = iris();
    let server = Server::start(&project, "flowers=runs/iris/1");
    let bad =
        "sepal_length,sepal_width,petal_length,petal_width\n5.1,3.5,1.4,0.2\n5.1,oak,1.4,0.2\n";
    project.write("bad.csv", bad);
    let said = project.run("predict runs/iris/1 bad.csv -o p.csv").err;
    let said = said.replace(&format!(" of {}", project.path("bad.csv").display()), "");
    let said = said
        .trim()
        .trim_start_matches("error: ")
        .replace("\n  ", " ");
    server
        .post("/predict/flowers", "text/csv", bad)
        .refused(400, &[&said]);
    let missing = json!({"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4});
    let words = ["petal_width", "which the run needs", "the request"];
    server
        .post_json("/predict/flowers", &missing)
        .refused(400, &words[..2]);
    let json = "application/json";
    server
        .post("/predict/flowers", json, "{\"sepal_length\": ")
        .refused(400, &["not a JSON object", "the request"]);
    server
        .post("/predict/flowers", json, "[]")
        .refused(400, &["empty"]);
    server
        .post("/predict/flowers", "image/png", "x")
        .refused(415, &["rows", "text/csv"]);
    server
        .post("/predict/flowers", "application/pdf", "x")
        .refused(415, &["application/pdf"]);
    server
        .post("/predict/iris", json, "{}")
        .refused(404, &["there are flowers"]);
    assert_eq!(server.get("/predict/flowers").status, 405);
    server.get("/nowhere").refused(404, &["/openapi.json"]);
    let wide: serde_json::Map<_, _> = (0..1500).map(|key| (format!("k{key}"), json!(1))).collect();
    let reply = server.post_json("/predict/flowers", &json!(wide));
    reply.refused(400, &["1500 columns", "reads 4"]);
    // What a row has that training did not is said beside its answer.
    let mut odd = objects(&head(&project, "datasets/iris/data.csv", 1));
    odd[0]["petal_width"] = Value::Null;
    let answer = server.post_json("/predict/flowers", &json!(odd)).ok();
    assert!(
        answer["notes"].to_string().contains("have no value"),
        "{answer}"
    );
}

/// Asks for rows alone, together, and from twelve clients at once, each with requests of other sizes.
#[track_caller]
fn assert_same_in_company(server: &Server, name: &str, rows: &[Value]) {
    let path = format!("/predict/{name}");
    let ask = |rows: &[Value]| {
        let mut answer = server.post_json(&path, &json!(rows)).ok();
        let mut answers = answer["predictions"].take();
        // The number is that of the row in its request.
        for row in answers.as_array_mut().unwrap() {
            row.as_object_mut().unwrap().remove("row");
        }
        answers.as_array().unwrap().clone()
    };
    let together = ask(rows);
    for (row, wanted) in rows.iter().zip(&together).take(60) {
        assert_eq!(&ask(std::slice::from_ref(row))[0], wanted);
    }
    thread::scope(|scope| {
        for client in 0..12 {
            let (ask, together) = (&ask, &together);
            scope.spawn(move || {
                for round in 0..12 {
                    let start = (client * 23 + round * 7) % (rows.len() - 50);
                    let end = start + 1 + (client + 3 * round) % 45;
                    assert_eq!(ask(&rows[start..end]), together[start..end]);
                }
            });
        }
    });
}

#[test]
fn answers_are_the_same_bits_alone_and_in_company() {
    let project = Project::new();
    project.ok(TRAIN);
    project.ok(
        "train configs/tabular/diabetes.toml -q --set device.backend=flex --set train.epochs=3",
    );
    let line = "runs/breast-cancer runs/diabetes --batch-wait 5 --no-log";
    let server = Server::start(&project, line);
    for name in ["breast-cancer", "diabetes"] {
        let csv = head(&project, &format!("datasets/{name}/data.csv"), 300);
        assert_same_in_company(&server, name, &objects(&csv));
        let name = format!("fireclay_batch_size_count{{model=\"{name}\"}}");
        let (batches, requests) = (server.metric(&name), (1 + 60 + 12 * 12) as f64);
        assert!(batches < requests, "no requests were computed together");
    }
}

#[test]
fn an_error_of_one_request_is_not_that_of_its_company() {
    let project = iris();
    let server = Server::start(&project, "runs/iris --batch-wait 200 --no-log");
    let good =
        json!({"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2});
    let bad =
        json!({"sepal_length": 5.1, "sepal_width": "oak", "petal_length": 1.4, "petal_width": 0.2});
    thread::scope(|scope| {
        for client in 0..8 {
            let (server, good, bad) = (&server, &good, &bad);
            scope.spawn(move || match client % 2 {
                0 => assert_eq!(server.post_json("/predict/iris", good).status, 200),
                _ => server
                    .post_json("/predict/iris", bad)
                    .refused(400, &["row 1", "oak"]),
            });
        }
    });
}

#[test]
fn tensors_are_answered_by_the_open_inference_protocol() {
    let project = iris();
    let server = Server::start(&project, "runs/iris");
    assert_eq!(server.get("/v2/health/live").ok(), json!({"live": true}));
    assert_eq!(server.get("/v2/health/ready").ok(), json!({"ready": true}));
    assert_eq!(server.get("/v2").ok()["name"], "fireclay");
    let metadata = server.get("/v2/models/iris").ok();
    let names: Vec<&str> = metadata["inputs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|input| input["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        ["sepal_length", "sepal_width", "petal_length", "petal_width"]
    );
    assert_eq!(server.get("/v2/models/iris/ready").ok()["ready"], true);
    let column = |name: &str, data: Value| json!({"name": name, "shape": [2, 1], "datatype": "FP32", "data": data});
    let request = json!({"id": "7", "inputs": [
        column("sepal_length", json!([5.1, 7.0])),
        column("sepal_width", json!([3.5, 3.2])),
        column("petal_length", json!([[1.4], [4.7]])),
        column("petal_width", json!([0.2, 1.4])),
    ]});
    let answer = server.post_json("/v2/models/iris/infer", &request).ok();
    assert_eq!(
        (&answer["id"], &answer["model_name"]),
        (&json!("7"), &json!("iris"))
    );
    assert_eq!(
        answer["outputs"][0]["data"],
        json!(["setosa", "versicolor"])
    );
    let path = "/v2/models/iris/versions/1";
    let same = server.post_json(&format!("{path}/infer"), &request).ok();
    assert_eq!(same["outputs"], answer["outputs"]);
    assert_eq!(server.get(path).ok()["name"], "iris");
    server
        .get("/v2/models/iris/versions/2/ready")
        .refused(404, &["as version 1"]);
    assert_eq!(answer["outputs"][1]["shape"], json!([2, 3]));
    let rows = json!([
        {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2},
        {"sepal_length": 7.0, "sepal_width": 3.2, "petal_length": 4.7, "petal_width": 1.4},
    ]);
    let same = server.post_json("/predict/iris", &rows).ok();
    assert_eq!(
        answer["outputs"][1]["data"][0],
        same["predictions"][0]["probability_setosa"]
    );
    let mut short = request.clone();
    short["inputs"][1]["data"] = json!([3.5]);
    server
        .post_json("/v2/models/iris/infer", &short)
        .refused(400, &["sepal_width", "[2, 1]", "1 values"]);
    let mut wide = request.clone();
    wide["inputs"][1]["shape"] = json!([1, 2]);
    server
        .post_json("/v2/models/iris/infer", &wide)
        .refused(400, &["sepal_width", "[rows, 1]"]);
    let mut other = request.clone();
    other["inputs"][1]["name"] = "x".repeat(5000).into();
    let reply = server.post_json("/v2/models/iris/infer", &other);
    assert!(reply.body.len() < 300, "{}", reply.text());
    reply.refused(400, &["iris has no input", "xxx"]);
    other["inputs"][1]["name"] = "sepal_length".into();
    server
        .post_json("/v2/models/iris/infer", &other)
        .refused(400, &["sepal_length", "given twice"]);
    let column = |name: &str| json!({"name": name, "shape": [20_000], "datatype": "FP32", "data": vec![1; 20_000]});
    server
        .post_json(
            "/v2/models/iris/infer",
            &json!({"inputs": [column("sepal_length")]}),
        )
        .refused(413, &["16384 rows"]);
    let mut odd = request;
    odd["inputs"][0]["data"] = json!(["five", 7.0]);
    server
        .post_json("/v2/models/iris/infer", &odd)
        .refused(400, &["sepal_length", "row 1", "is no FP32"]);
}

#[test]
fn rows_without_their_id_are_numbered() {
    let project = Project::new();
    let csv = project.read("datasets/iris/data.csv");
    let mut lines = csv.lines();
    let first = format!("flower,{}\n", lines.next().unwrap());
    let named = lines
        .enumerate()
        .map(|(row, line)| format!("f{row},{line}\n"));
    project.write("named.csv", &(first + &named.collect::<String>()));
    project.ok("train configs/tabular/iris.toml -q --set device.backend=flex --set train.epochs=2 --set data.path=named.csv --set data.id=flower");
    let server = Server::start(&project, "runs/iris");
    let metadata = server.get("/v2/models/iris").ok();
    let inputs = metadata["inputs"].as_array().unwrap().iter();
    let column = |name: &Value, data: Value| json!({"name": name, "shape": [2], "datatype": "FP32", "data": data});
    let mut inputs: Vec<Value> = inputs
        .map(|input| column(&input["name"], json!([1.5, 2.5])))
        .collect();
    let ask = |inputs: &[Value]| {
        let request = json!({"inputs": inputs});
        server.post_json("/v2/models/iris/infer", &request).ok()["outputs"].take()
    };
    let without = ask(&inputs);
    assert_eq!(without[0]["shape"], json!([2]));
    inputs.push(json!({"name": "flower", "shape": [2], "datatype": "BYTES", "data": ["a", "b"]}));
    assert_eq!(ask(&inputs), without);
    let mut row =
        json!({"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2});
    let answer = server.post_json("/predict/iris", &row).ok();
    assert_eq!(answer["predictions"][0]["row"], 1);
    row["flower"] = "mine".into();
    let answer = server.post_json("/predict/iris", &row).ok();
    assert_eq!(answer["predictions"][0]["flower"], "mine");
}

#[test]
fn an_image_is_answered_as_predict_answers_it() {
    let project = Project::new();
    project.ok("train configs/vision/digits-cnn.toml -q --set device.backend=flex --set train.epochs=1 --set lr_scheduler.warmup_steps=0");
    let image = image::GrayImage::from_fn(8, 8, |x, y| image::Luma([(x * 30 + y) as u8]));
    image.save(project.path("a.png")).unwrap();
    project.ok("predict runs/digits-cnn/1 a.png -o answers.jsonl");
    let mut wanted: Value = serde_json::from_str(project.read("answers.jsonl").trim()).unwrap();
    wanted["image"] = "1".into();
    let server = Server::start(&project, "digits=runs/digits-cnn");
    let bytes = fs::read(project.path("a.png")).unwrap();
    let answer = server.post("/predict/digits", "image/png", &bytes).ok();
    assert_eq!(answer["predictions"], json!([wanted]));
    let headers = "Content-Type: image/png\r\nX-Fireclay-Top: 2\r\n";
    let answer = server.ask("POST", "/predict/digits", headers, &bytes).ok();
    assert!(
        answer["predictions"][0].get("class_3").is_none(),
        "{answer}"
    );
    server
        .post("/predict/digits", "image/png", b"GIF no")
        .refused(400, &["the request"]);
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(&bytes);
    let request = json!({"inputs": [{"name": "image", "shape": [2], "datatype": "BYTES", "data": [text, text]}]});
    let answer = server.post_json("/v2/models/digits/infer", &request).ok();
    assert_eq!(answer["outputs"][0]["data"][1], wanted["prediction"]);
    let mut odd = request;
    odd["inputs"][0]["data"][1] = "no base64".into();
    server
        .post_json("/v2/models/digits/infer", &odd)
        .refused(400, &["image 2", "base64"]);
}

/// A form with files, as `curl -F` and browsers send it.
fn form(files: &[(&str, &[u8])]) -> (String, Vec<u8>) {
    let mut body = Vec::new();
    for (name, bytes) in files {
        let head = format!(
            "--frame\r\nContent-Disposition: form-data; name=\"image\"; filename=\"{name}\"\r\nContent-Type: image/png\r\n\r\n"
        );
        body.extend([head.as_bytes(), *bytes, &b"\r\n"[..]].concat());
    }
    body.extend(b"--frame--\r\n");
    ("multipart/form-data; boundary=frame".to_owned(), body)
}

fn digits(epochs: usize) -> Project {
    let project = Project::new();
    project.ok(&format!("train configs/vision/digits-cnn.toml -q --set device.backend=flex --set train.epochs={epochs} --set lr_scheduler.warmup_steps=0"));
    project
}

/// The bytes of a picture of its own.
fn picture(project: &Project, number: usize) -> Vec<u8> {
    let image = image::GrayImage::from_fn(8, 8, |x, y| {
        image::Luma([((x as usize * 31 + y as usize * 7 + number * 53) % 256) as u8])
    });
    let path = project.path(&format!("picture-{number}.png"));
    image.save(&path).unwrap();
    fs::read(path).unwrap()
}

#[test]
fn several_images_come_in_a_form_and_are_the_same_bits_alone_and_in_company() {
    let project = digits(1);
    let server = Server::start(&project, "digits=runs/digits-cnn --no-log --batch-wait 5");
    let pictures: Vec<Vec<u8>> = (0..24).map(|number| picture(&project, number)).collect();
    let ask = |numbers: std::ops::Range<usize>| {
        let names: Vec<String> = numbers
            .clone()
            .map(|number| format!("{number}.png"))
            .collect();
        let files = names
            .iter()
            .map(String::as_str)
            .zip(numbers.map(|number| &pictures[number][..]));
        let (kind, body) = form(&files.collect::<Vec<_>>());
        let mut answer = server.post("/predict/digits", &kind, body).ok();
        answer["predictions"].take().as_array().unwrap().clone()
    };
    let together = ask(0..24);
    assert_eq!(together[7]["image"], "7.png");
    let alone = server
        .post("/predict/digits", "image/png", &pictures[7])
        .ok();
    for column in ["class_1", "probability_1", "probability_5"] {
        assert_eq!(alone["predictions"][0][column], together[7][column]);
    }
    let before = server.metric("fireclay_batch_size_count{model=\"digits\"}");
    thread::scope(|scope| {
        for client in 0..8 {
            let (ask, together) = (&ask, &together);
            scope.spawn(move || {
                for round in 0..10 {
                    let start = (client * 5 + round * 3) % 18;
                    let end = start + 1 + (client + round) % 6;
                    assert_eq!(ask(start..end), together[start..end]);
                }
            });
        }
    });
    let batches = server.metric("fireclay_batch_size_count{model=\"digits\"}") - before;
    assert!(batches < 80.0, "no requests were computed together");
    let (kind, body) = form(&[("good.png", &pictures[0]), ("bad.png", b"no image")]);
    server
        .post("/predict/digits", &kind, body)
        .refused(400, &["the request"]);
    let (kind, body) = form(&[]);
    server
        .post("/predict/digits", &kind, body)
        .refused(400, &["no file", "-F image=@a.png"]);
    server
        .post("/predict/digits", "multipart/form-data", "x")
        .refused(400, &["form cannot be read"]);
    let iris = iris();
    let server = Server::start(&iris, "runs/iris --no-log");
    let (kind, body) = form(&[("a.png", &pictures[0])]);
    server
        .post("/predict/iris", &kind, body)
        .refused(415, &["iris reads rows"]);
}

#[test]
fn images_of_another_kind_are_seen_at_drift() {
    let project = digits(1);
    let server = Server::start(&project, "digits=runs/digits-cnn --no-log");
    let report = || server.get("/drift/digits").json();
    server.until("compared", |server| {
        server.get("/drift/digits").status == 200
    });
    let white = image::GrayImage::from_fn(16, 12, |x, _| image::Luma([255 - x as u8]));
    white.save(project.path("white.png")).unwrap();
    let white = fs::read(project.path("white.png")).unwrap();
    let (kind, body) = form(&vec![("white.png", &white[..]); 60]);
    server.post("/predict/digits", &kind, body).ok();
    server.until("counted", |_| report()["n"] == 60);
    let report = report();
    let column = |name: &str| {
        let columns = report["columns"].as_array().unwrap();
        columns
            .iter()
            .find(|column| column["name"] == name)
            .unwrap()
            .clone()
    };
    for name in ["brightness", "deviation", "height", "width"] {
        let found = column(name);
        assert!(found["psi"].as_f64() > Some(0.25), "{report}");
    }
    assert_eq!(column("width")["unseen"], 1.0, "{report}");
    assert_eq!(
        (&report["model"], &report["version"]),
        (&json!("digits"), &json!("1"))
    );
}

#[cfg(unix)]
#[test]
fn a_newer_run_takes_over_without_a_lost_request() {
    let project = iris();
    let server = Server::start(&project, "runs/iris --no-log");
    let version = || server.get("/v2/models/iris").ok()["versions"][0].clone();
    assert_eq!(version(), "1");
    project.ok("train configs/tabular/iris.toml -q --set device.backend=flex --set train.epochs=2 --set seed=7");
    let row =
        json!({"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2});
    let is_loaded = AtomicBool::new(false);
    thread::scope(|scope| {
        let asking: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    // The last one is asked when the new run is there for certain.
                    let mut is_over = false;
                    while !is_over {
                        is_over = is_loaded.load(Ordering::SeqCst);
                        server.post_json("/predict/iris", &row).ok();
                    }
                })
            })
            .collect();
        let reply = server.ask("POST", "/v2/repository/models/iris/load", "", b"");
        is_loaded.store(true, Ordering::SeqCst);
        assert_eq!(reply.ok()["version"], "2");
        asking.into_iter().for_each(|asking| asking.join().unwrap());
    });
    assert_eq!(version(), "2");
    // A run that cannot be opened leaves the one of before.
    fs::create_dir_all(project.path("runs/iris/3")).unwrap();
    project.copy("runs/iris/2/config.toml", "runs/iris/3/config.toml");
    let reply = server.ask("POST", "/v2/repository/models/iris/load", "", b"");
    reply.refused(409, &["goes on answering"]);
    server.post_json("/predict/iris", &row).ok();
    fs::remove_dir_all(project.path("runs/iris/3")).unwrap();
    project.ok("train configs/tabular/iris.toml -q --set device.backend=flex --set train.epochs=2 --set seed=8");
    server.signal("-HUP");
    server.until("loaded anew", |_| version() == "3");
}

#[test]
fn runs_without_a_name_of_their_own_are_refused() {
    let project = iris();
    project.refused(
        "serve --port 0 runs/iris runs/iris/1",
        2,
        &["two runs are called iris", "NAME=RUN"],
    );
    project.refused(
        "serve --port 0 runs/nothing",
        1,
        &["runs/nothing", "does not exist"],
    );
    project.refused(
        "serve runs/iris --deadline 0",
        2,
        &["--deadline must be at least 1"],
    );
    for (flag, words) in [
        ("--max-tokens 0", "--max-tokens must be at least 1"),
        (
            "--deadline 18446744073709551615",
            "--deadline may be at most 86400",
        ),
        (
            "--batch-wait 18446744073709551615",
            "--batch-wait may be at most 60000",
        ),
        (
            "--max-connections 18446744073709551615",
            "--max-connections may be at most",
        ),
        (
            "--max-queue 18446744073709551615",
            "--max-queue may be at most",
        ),
    ] {
        project.refused(&format!("serve runs/iris {flag}"), 2, &[words]);
    }
    project.refused("serve runs/iris --tls-cert a.pem", 2, &["--tls-key"]);
}

#[test]
fn a_column_that_has_moved_is_seen_at_drift() {
    let project = iris();
    let server = Server::start(&project, "runs/iris --no-log");
    let report = || server.get("/drift/iris").json();
    server.until("compared", |server| server.get("/drift/iris").status == 200);
    let rows = objects(&project.read("datasets/iris/data.csv"));
    let index = |report: &Value, name: &str| {
        let columns = report["columns"].as_array().unwrap().iter();
        let mut found = columns.filter(|column| column["name"] == name);
        found.next().unwrap()["psi"].as_f64().unwrap()
    };
    let send = |rows: &[Value]| {
        for rows in rows.chunks(50) {
            server.post_json("/predict/iris", &json!(rows)).ok();
        }
    };
    send(&rows);
    server.until("counted", |_| report()["n"] == 150);
    let before = report();
    let mut moved = rows.clone();
    for row in &mut moved {
        let length: f64 = row["sepal_length"].as_str().unwrap().parse().unwrap();
        row["sepal_length"] = json!(length + 3.0);
    }
    send(&moved);
    server.until("counted", |_| report()["n"] == 300);
    let after = report();
    let (there, elsewhere) = ("sepal_length", "petal_length");
    assert_eq!(after["columns"][0]["name"], there, "{after}");
    assert!(
        index(&after, there) > 3.0 * index(&before, there),
        "{before} {after}"
    );
    assert!(
        index(&after, elsewhere) < 2.0 * index(&before, elsewhere),
        "{before} {after}"
    );
    {
        let server = Server::start(&project, "runs/iris --no-log --drift-rows 0");
        server.get("/drift/iris").refused(409, &["turned off"]);
    }
}
