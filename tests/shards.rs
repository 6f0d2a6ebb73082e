//! Trainings on shards behind an address.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use fireclay_data::arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use fireclay_data::parquet_bytes;

use crate::language::GPT;
use crate::resume::{kill, wait_for_a_record};
use crate::support::Project;

/// Serves the files in a folder, a few bytes at a time, and says its address.
fn serve(folder: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let head: Vec<String> = lines
                .map_while(Result::ok)
                .take_while(|line| !line.is_empty())
                .collect();
            let name = head[0].split(' ').nth(1).unwrap().trim_start_matches('/');
            let bytes = fs::read(folder.join(name)).unwrap();
            let length = bytes.len();
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
            );
            for part in bytes.chunks(200) {
                // Whoever does not want it any more hangs up.
                if stream.write_all(part).is_err() {
                    break;
                }
                thread::sleep(Duration::from_millis(4));
            }
        }
    });
    address
}

/// A GPT on ten shards of tokens behind an address, of which the cache holds six, and a manifest of the same as files.
fn project() -> Project {
    let data = "type = \"tokens\"\npath = \"train.sha256\"\nvocabulary = 50\nshards_mixed = 2\n\
                shard_cache_dir = \"kept\"\nshard_cache_bytes = 7200";
    let config = GPT
        .replace("type = \"text\"\npath = \"poem.txt\"", data)
        .replace("[tokenizer]\ntype = \"char\"\n", "");
    let project = Project::with(&config);
    let address = serve(project.path(""));
    let (mut there, mut here) = (String::new(), String::new());
    for number in 0..10_u16 {
        let name = format!("{number}.bin");
        let tokens = (0..600).map(|at: u16| (number + 1) * at % 50);
        let bytes: Vec<u8> = tokens.flat_map(u16::to_le_bytes).collect();
        fs::write(project.path(&name), bytes).unwrap();
        let hash = fireclay_data::sha256_file(&project.path(&name)).unwrap();
        there += &format!("{hash}  {address}/{name}\n");
        here += &format!("{hash}  {name}\n");
    }
    project.write("train.sha256", &there);
    project.write("here.sha256", &here);
    project
}

#[test]
fn shards_that_are_fetched_ahead_train_to_the_bits_of_files() {
    let project = project();
    project.ok("train run.toml -q");
    project.ok("train run.toml -q --set data.path=here.sha256");
    project.ok("train run.toml -q --set train.loader_threads=2");
    let weights = |run: u32| project.bytes(&format!("runs/run/{run}/model.safetensors"));
    assert!(weights(1) == weights(2), "fetched, they are others");
    assert!(weights(1) == weights(3), "threads make a difference");
    project.refused(
        "train run.toml -q --set data.shard_cache_bytes=3600",
        1,
        &["data.shards_mixed", "data.shard_cache_bytes"],
    );
}

#[test]
fn an_interrupted_training_leaves_no_half_of_a_shard() {
    let project = project();
    let long = "train run.toml -q --set train.max_steps=1000000";
    let child = project
        .command(long.split(' '))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_for_a_record(&project, "runs/run/1");
    kill("-TERM", child.id());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    let names = fs::read_dir(project.path("kept")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let whole = |name: &String| name.ends_with(".shard") || name.ends_with(".json");
    let others: Vec<String> = names.filter(|name| !whole(name)).collect();
    assert!(others.is_empty(), "{others:?}");
}

/// An MLP on a table in four Parquet files behind an address.
const TABLE: &str = r#"
[device]
backend = "flex"

[data]
type = "parquet"
path = "train.sha256"
target = "side"
shard_cache_dir = "kept"

[model]
type = "mlp"
hidden = [8]

[task]
type = "classification"

[train]
max_steps = 30
batch_size = 16
"#;

/// Fifty rows, of which the sum of two numbers decides the class.
fn rows(number: u32) -> Vec<u8> {
    let pairs = (0..50).map(|row| {
        let place = number * 50 + row;
        (f64::from(place * 37 % 101), f64::from(place * 53 % 97))
    });
    let side = |(a, b): (f64, f64)| if a + b > 99.0 { "over" } else { "under" };
    let a: ArrayRef = Arc::new(Float64Array::from_iter_values(
        pairs.clone().map(|pair| pair.0),
    ));
    let b: ArrayRef = Arc::new(Float64Array::from_iter_values(
        pairs.clone().map(|pair| pair.1),
    ));
    let sides: ArrayRef = Arc::new(StringArray::from_iter_values(pairs.map(side)));
    let batch = RecordBatch::try_from_iter([("a", a), ("b", b), ("side", sides)]);
    parquet_bytes(&[batch.unwrap()]).unwrap()
}

#[test]
fn a_table_behind_an_address_trains_to_the_bits_of_its_files() {
    let project = Project::with(TABLE);
    let address = serve(project.path(""));
    let mut lines = String::new();
    for number in 0..4 {
        let name = format!("{number}.parquet");
        fs::write(project.path(&name), rows(number)).unwrap();
        let hash = fireclay_data::sha256_file(&project.path(&name)).unwrap();
        lines += &format!("{hash}  {address}/{name}\n");
    }
    project.write("train.sha256", &lines);
    project.ok("check run.toml");
    project.ok("train run.toml -q");
    project.ok("train run.toml -q --set data.path=*.parquet");
    let weights = |run: u32| project.bytes(&format!("runs/run/{run}/model.safetensors"));
    assert!(weights(1) == weights(2), "fetched, they are others");
    let lock = project.read("runs/run/1/run.lock");
    assert!(lock.contains(&format!("{address}/3.parquet")), "{lock}");
    project.ok("evaluate runs/run/1");
    let (first, others) = lines.split_at(64);
    project.write(
        "train.sha256",
        &format!("{}{others}", "0".repeat(first.len())),
    );
    project.refused("train run.toml -q", 1, &["0.parquet", "its SHA-256 is"]);
    project.write("run.toml", &TABLE.replace("\"parquet\"", "\"csv\""));
    project.refused("train run.toml -q", 2, &["shard_cache_dir", "parquet only"]);
}

/// The same table in five Parquet files, of which the last one is to validate and to test.
fn table_in_files() -> Project {
    let held_out = "valid_path = \"held/4.parquet\"\ntest_path = \"held/4.parquet\"";
    let config = TABLE.replace(
        "path = \"train.sha256\"",
        &format!("path = \"*.parquet\"\n{held_out}"),
    );
    let project = Project::with(&config);
    fs::create_dir(project.path("held")).unwrap();
    for number in 0..4 {
        fs::write(project.path(&format!("{number}.parquet")), rows(number)).unwrap();
    }
    fs::write(project.path("held/4.parquet"), rows(4)).unwrap();
    project
}

/// The same, with rows that stay in files.
pub(crate) fn rows_in_files(parts: &str) -> Project {
    let project = table_in_files();
    let config = project.read("run.toml");
    let config = config.replace("[model]", "fit_rows = 60\nshards_mixed = 2\n\n[model]");
    project.write("run.toml", &format!("{config}{parts}"));
    project
}

#[test]
fn rows_that_stay_in_files_train_to_the_bits_of_rows_in_memory() {
    let project = table_in_files();
    let all = "--set data.fit_rows=1000 --set data.shards_mixed=4";
    project.ok("train run.toml -q");
    project.ok(&format!("train run.toml -q {all}"));
    project.ok(&format!(
        "train run.toml -q {all} --set train.loader_threads=2"
    ));
    let weights = |run: u32| project.bytes(&format!("runs/run/{run}/model.safetensors"));
    assert!(weights(1) == weights(2), "in files, they are others");
    assert!(weights(1) == weights(3), "threads make a difference");
    let metrics = |run: u32| {
        project
            .read(&format!("runs/run/{run}/metrics.jsonl"))
            .lines()
            .count()
    };
    assert_eq!(metrics(1), metrics(2));
}

#[test]
fn rows_that_stay_in_files_are_checked_resumed_and_explained() {
    let project = rows_in_files("");
    let said = project.ok("check run.toml");
    let said = format!("{}{}", said.out, said.err);
    assert!(
        said.contains("of 200 training rows, by data.fit_rows"),
        "{said}"
    );
    project.ok("train run.toml -q");
    project.ok("train run.toml -q --set train.max_steps=17");
    project.ok("resume runs/run/2 -q --set train.max_steps=30");
    let weights = |run: u32| project.bytes(&format!("runs/run/{run}/model.safetensors"));
    assert!(weights(1) == weights(2), "interrupted, they are others");
    project.ok("evaluate runs/run/1");
    project.ok("evaluate runs/run/1 --split train");
    project.ok("explain runs/run/1 --split train --samples 5");
    project.ok("predict runs/run/1 0.parquet -o answers.csv");
    project.refused(
        "train run.toml -q --set fairness.groups=[\"a\"]",
        2,
        &["`fit_rows`", "[fairness]"],
    );
    project.refused(
        "train run.toml -q --set data.valid_path=none.parquet",
        2,
        &["none.parquet"],
    );
}
