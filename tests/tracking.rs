//! Runs that TensorBoard, MLflow and spreadsheets read, by their own clients.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Project, python, root};

const TRAIN: &str = "train configs/tabular/breast-cancer.toml -q --set train.epochs=3 --set lr_scheduler.warmup_steps=0";
const RUN: &str = "runs/breast-cancer/1";

/// What a script in `tests/clients` prints.
pub fn client(python: &PathBuf, script: &str, arguments: &[&str]) -> Value {
    let script = root().join("tests/clients").join(script);
    let ran = Command::new(python)
        .arg(script)
        .args(arguments)
        .output()
        .unwrap();
    let err = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{err}");
    serde_json::from_slice(&ran.stdout).unwrap()
}

/// Every metric of the record of a run, as (split/name, steps and values).
fn recorded(project: &Project, run: &str) -> Vec<(String, Vec<(u64, f64)>)> {
    let mut found: Vec<(String, Vec<(u64, f64)>)> = Vec::new();
    for line in project.record(run) {
        let step = line["step"].as_u64().unwrap();
        let split = line["split"].as_str().unwrap();
        for (name, value) in line.as_object().unwrap() {
            let Some(value) = value
                .as_f64()
                .filter(|_| !["step", "epoch"].contains(&name.as_str()))
            else {
                continue;
            };
            let tag = format!("{split}/{name}");
            match found.iter_mut().find(|(found, _)| *found == tag) {
                Some((_, points)) => points.push((step, value)),
                None => found.push((tag, vec![(step, value)])),
            }
        }
    }
    found
}

#[track_caller]
fn assert_points(found: &Value, expected: &[(u64, f64)], tag: &str) {
    let found: Vec<(u64, f64)> = serde_json::from_value(found.clone()).unwrap();
    assert_eq!(found.len(), expected.len(), "{tag}: {found:?}");
    for (found, expected) in found.iter().zip(expected) {
        let is_near = (found.1 - expected.1).abs() <= 1e-6 * expected.1.abs();
        assert!(
            found.0 == expected.0 && is_near,
            "{tag}: {found:?} for {expected:?}"
        );
    }
}

#[test]
fn a_table_has_every_metric_of_the_record() {
    let project = Project::new();
    project.ok(&format!("{TRAIN} --set logging.csv=true"));
    let table = project.read(&format!("{RUN}/metrics.csv"));
    let mut lines = table.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    assert_eq!(header[..3], ["step", "epoch", "split"]);
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    let record = project.record("breast-cancer/1");
    assert_eq!(rows.len(), record.len());
    for (row, line) in rows.iter().zip(&record) {
        for (name, cell) in header.iter().zip(row) {
            let expected = match &line[*name] {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                other => panic!("{other}"),
            };
            let same = *cell == expected || cell.parse::<f64>() == expected.parse::<f64>();
            assert!(same, "{name}: {cell} for {expected}");
        }
    }
    project.ok(&format!("track {RUN} --csv later.csv"));
    assert_eq!(project.read("later.csv"), table);
}

#[test]
fn tensorboard_reads_a_run_and_what_came_after_its_interruption() {
    let Some(python) = python("tensorboard") else {
        return;
    };
    let project = Project::new();
    let train = format!("{TRAIN} --set logging.tensorboard=true");
    project.ok(&format!("{train} --set train.max_steps=20"));
    project.ok(&format!("resume {RUN} -q --set train.max_steps=100"));
    let folder = project.path(RUN).display().to_string();
    let found = client(&python, "tensorboard_reads.py", &[&folder]);
    for (tag, points) in recorded(&project, "breast-cancer/1") {
        assert_points(&found["scalars"][&tag], &points, &tag);
    }
    let evaluation = project.json(&format!("{RUN}/evaluation.json"));
    let accuracy = evaluation["test"]["metrics"]["accuracy"].as_f64().unwrap();
    let finals = found["scalars"]["final/test/accuracy"].as_array().unwrap();
    let last = finals.last().unwrap()[1].as_f64().unwrap();
    assert!((last - accuracy).abs() < 1e-6, "{last} for {accuracy}");
    assert_eq!(found["parameters"]["seed"], json!(42.0));
    assert_eq!(found["parameters"]["model.type"], json!("mlp"));
    assert!(
        found["texts"]["config"]
            .as_str()
            .unwrap()
            .contains("[model]")
    );
}

/// A real server, which ends with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // The server starts others: all of them are one group of processes.
        let group = format!("-{}", self.0.id());
        _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn serve(python: &PathBuf, project: &Project, port: u16) -> Server {
    use std::os::unix::process::CommandExt;

    let store = format!("sqlite:///{}", project.path("mlflow.db").display());
    let files = project.path("artifacts").display().to_string();
    let port_text = port.to_string();
    let mut command = Command::new(python);
    command.args([
        "-m",
        "mlflow",
        "server",
        "--host",
        "127.0.0.1",
        "--port",
        &port_text,
    ]);
    command.args([
        "--backend-store-uri",
        &store,
        "--artifacts-destination",
        &files,
        "--workers",
        "1",
    ]);
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    let server = Server(command.spawn().unwrap());
    let start = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(
            start.elapsed() < Duration::from_secs(120),
            "mlflow does not start"
        );
        std::thread::sleep(Duration::from_millis(200));
    }
    server
}

#[test]
fn an_mlflow_server_has_the_run_even_if_it_was_away() {
    let Some(python) = python("mlflow") else {
        return;
    };
    let project = Project::new();
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}");
    // Nobody listens yet: the run is trained all the same, and says what sends the rest.
    let mlflow = format!("--set logging.mlflow={{url=\"{url}\"}}");
    let ran = project.ok(&format!("{} {mlflow}", TRAIN.replace(" -q", "")));
    let said = ran.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        said.contains(&format!("/{RUN} --mlflow` sends the rest")),
        "{said}"
    );
    let _server = serve(&python, &project, port);
    project.ok(&format!("track {RUN} --mlflow"));
    // Once more: nothing is sent twice.
    project.ok(&format!("track {RUN} --mlflow"));
    let runs = client(&python, "mlflow_has.py", &[&url, "breast-cancer"]);
    let runs = runs.as_array().unwrap();
    assert_eq!(runs.len(), 1);
    let run = &runs[0];
    assert_eq!(
        (&run["name"], &run["status"]),
        (&json!("breast-cancer/1"), &json!("FINISHED"))
    );
    assert_eq!(run["parameters"]["model.type"], json!("mlp"));
    for (tag, points) in recorded(&project, "breast-cancer/1") {
        assert_points(&run["metrics"][&tag], &points, &tag);
    }
    let finals = run["metrics"]["final/test/accuracy"].as_array().unwrap();
    assert_eq!(finals.len(), 1);
    for file in ["config.toml", "model.safetensors", "evaluation.json"] {
        let size = project.bytes(&format!("{RUN}/{file}")).len();
        assert_eq!(run["files"][file], json!(size), "{file}");
    }

    // And a run that is followed while it trains.
    project.ok(&format!("{TRAIN} {mlflow}"));
    let runs = client(&python, "mlflow_has.py", &[&url, "breast-cancer"]);
    let runs = runs.as_array().unwrap();
    let second = runs
        .iter()
        .find(|run| run["name"] == "breast-cancer/2")
        .unwrap();
    assert_eq!(second["status"], "FINISHED");
    for (tag, points) in recorded(&project, "breast-cancer/2") {
        assert_points(&second["metrics"][&tag], &points, &tag);
    }
}

#[test]
fn what_cannot_be_followed_is_said() {
    let project = Project::new();
    project.refused(
        &format!("{TRAIN} --set logging.mlflow.url=\"localhost:5000\""),
        2,
        &["http://"],
    );
    for url in [
        "http://",
        "http://127.0.0.1:99999",
        "http://user:word@127.0.0.1:1",
    ] {
        let line =
            format!("check configs/tabular/breast-cancer.toml --set logging.mlflow.url=\"{url}\"");
        project.refused(&line, 2, &["mlflow.url"]);
    }
    project.ok(TRAIN);
    project.write("precious.csv", "id,name\n1,a\n");
    project.refused(
        &format!("track {RUN} --csv precious.csv"),
        1,
        &["no table of metrics"],
    );
    assert_eq!(project.read("precious.csv"), "id,name\n1,a\n");
    project.refused(&format!("track {RUN}"), 2, &["--tensorboard"]);
    project.refused(&format!("track {RUN} --mlflow"), 2, &["logging.mlflow"]);
    let port = free_port();
    project.refused(
        &format!("track {RUN} --mlflow http://127.0.0.1:{port}"),
        1,
        &["MLflow", "refused"],
    );
}
