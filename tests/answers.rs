//! Answers with the truth beside them, an image from standard input, and a run in a program of one's own.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

#[cfg(feature = "flex")]
use fireclay_run::{Device, Raw, Run, TableFormat, open};
use serde_json::Value;

use crate::encoder::{BERT, pots};
use crate::images::{PICTURES, pictures};
use crate::support::{Project, Ran};
use crate::translation::{TRANSFORMER, pairs};

/// A project with pictures, trained.
fn trained_pictures() -> Project {
    let project = Project::with(PICTURES);
    pictures(&project, "pictures");
    project.ok("train run.toml -q");
    project
}

fn trained_pots() -> Project {
    let project = Project::with(&BERT.replace("target = ", "id = \"id\"\ntarget = "));
    project.write("pots.csv", &pots(160));
    project.ok("train run.toml -q --set train.epochs=3");
    project
}

fn trained_pairs() -> Project {
    let project = pairs(TRANSFORMER);
    project.ok("train run.toml -q --set train.max_steps=40");
    project
}

/// The lines of JSON that `line` writes to standard output.
#[track_caller]
fn lines(project: &Project, line: &str) -> Vec<Value> {
    let ran = project.ok(line);
    let lines = ran.out.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().unwrap()
}

/// Answers for a split of the run in this project, and the report on it of `evaluate`.
fn split(project: &Project, run: &str, name: &str) -> (Vec<Value>, Value) {
    let rows = lines(
        project,
        &format!("predict {run} --split {name} -o - --format jsonl"),
    );
    let report = project.ok_json(&format!("evaluate {run} --split {name} --json"));
    assert!(rows.iter().all(|row| row["split"] == name), "{rows:?}");
    assert_eq!(rows.len() as u64, report[name]["n"], "{name}");
    (rows, report[name]["metrics"].clone())
}

/// The share of rows whose answer is the truth.
fn right(rows: &[Value]) -> f64 {
    let right = rows.iter().filter(|row| row["truth"] == row["prediction"]);
    right.count() as f64 / rows.len() as f64
}

#[test]
fn a_split_of_a_table_is_answered_with_the_truth_beside() {
    let project = Project::new();
    project
        .ok("train configs/tabular/iris.toml -q --set device.backend=flex --set train.epochs=30");
    let data = "datasets/iris/data.csv";
    let all = lines(
        &project,
        &format!("predict runs/iris {data} -o - --format jsonl"),
    );
    let source = project.read(data);
    let truths: Vec<&str> = source.lines().skip(1).collect();
    let mut count = 0;
    for name in ["train", "valid", "test"] {
        let (rows, metrics) = split(&project, "runs/iris", name);
        let accuracy = metrics["accuracy"].as_f64().unwrap();
        assert!((right(&rows) - accuracy).abs() < 1e-12, "{name}");
        for row in &rows {
            let at = row["row"].as_u64().unwrap() as usize - 1;
            assert_eq!(row["prediction"], all[at]["prediction"], "{row}");
            assert!(truths[at].ends_with(row["truth"].as_str().unwrap()));
        }
        count += rows.len();
    }
    assert_eq!(count, truths.len());
    // A file is written whole, and never over the run or its data.
    let ran = project.ok("predict runs/iris --split test -o test.csv");
    let header = project.read("test.csv");
    assert!(
        header.starts_with("split,row,truth,prediction,probability_"),
        "{header}"
    );
    assert!(ran.out.contains("rows to test.csv"), "{}", ran.out);
    fs::write(project.path("runs/iris/1/answers.csv"), "mine").unwrap();
    project.refused(
        "predict runs/iris/1 --split test -o runs/iris/1/answers.csv",
        1,
        &["belongs to the run"],
    );
    project.refused("predict runs/iris", 2, &["INPUT"]);
    let split = "--set data.split.valid=0.3 --set data.split.test=0 --set train.epochs=1 \
                 --set lr_scheduler.warmup_steps=0";
    project.ok(&format!(
        "train configs/tabular/iris.toml -q --set device.backend=flex {split}"
    ));
    let missing = "predict runs/iris/2 --split test";
    project.refused(missing, 2, &["the run has no test split"]);
    let both = format!("predict runs/iris {data} --split test");
    project.refused(&both, 2, &["cannot be used with"]);
}

#[test]
fn splits_of_images_and_texts_are_answered_with_the_truth_beside() {
    let project = trained_pictures();
    let (rows, metrics) = split(&project, "runs/run/1", "test");
    assert_eq!(Some(right(&rows)), metrics["accuracy"].as_f64());
    for row in &rows {
        let image = row["image"].as_str().unwrap();
        assert!(image.contains(row["truth"].as_str().unwrap()), "{row}");
        assert!(row["probability_bright"].is_number(), "{row}");
    }
    let project = trained_pots();
    let (rows, metrics) = split(&project, "runs/run/1", "valid");
    assert_eq!(Some(right(&rows)), metrics["accuracy"].as_f64());
    let pots = pots(160);
    for row in &rows {
        let line = format!("{},", row["id"].as_str().unwrap());
        let line = pots.lines().find(|pot| pot.starts_with(&line)).unwrap();
        assert!(line.ends_with(row["truth"].as_str().unwrap()), "{row}");
    }
}

#[test]
fn a_split_of_pairs_is_translated_with_the_reference_beside() {
    let project = trained_pairs();
    let (rows, _) = split(&project, "runs/run/1", "test");
    let (sources, targets) = (project.read("test.de"), project.read("test.en"));
    let translated = project.ok("predict runs/run/1 test.de").out;
    let texts = [
        ("text", &sources),
        ("truth", &targets),
        ("prediction", &translated),
    ];
    for (key, text) in texts {
        for row in &rows {
            let at = row["row"].as_u64().unwrap() as usize - 1;
            assert_eq!(row[key], text.lines().nth(at).unwrap(), "{key} of {row}");
        }
    }
}

/// Runs `line` with a file on standard input.
fn fed(project: &Project, line: &str, file: &Path) -> Ran {
    let mut command = project.command(line.split(' '));
    Ran::from(
        command
            .stdin(fs::File::open(file).unwrap())
            .output()
            .unwrap(),
    )
}

#[test]
fn an_image_comes_from_standard_input() {
    let project = trained_pictures();
    let picture = project.path("pictures/dark/3.png");
    project.ok("predict runs/run/1 pictures/dark/3.png -o file.csv");
    let named = project
        .read("file.csv")
        .replace("pictures/dark/3.png", "standard input");
    let ran = fed(&project, "predict runs/run/1 - -o -", &picture);
    assert_eq!((ran.code, ran.out), (0, named), "{}", ran.err);
    let shown = fed(&project, "predict runs/run/1 -", &picture);
    assert!(shown.out.contains("standard input"), "{}", shown.out);
    let wrong = project.write("wrong", "no image");
    let ran = fed(&project, "predict runs/run/1 - -o -", &wrong);
    ran.refused(1, &["no image can be read: standard input:"]);
    assert!(!ran.err.contains("/tmp"), "{}", ran.err);
}

/// What a program gets that opens the run itself, as rows of JSON without their numbers.
#[cfg(feature = "flex")]
fn asked(run: &dyn Run, raw: Raw<'_>) -> Vec<BTreeMap<String, Value>> {
    let replies = run.ask(raw).unwrap();
    let mut rows: Vec<BTreeMap<String, Value>> = serde_json::from_str(&replies.to_json()).unwrap();
    for (number, row) in (1..).zip(&mut rows) {
        assert_eq!(row.remove("row"), Some(Value::from(number)), "{row:?}");
    }
    rows
}

#[cfg(feature = "flex")]
#[test]
fn a_program_asks_a_run_for_rows_images_and_texts() {
    let flex = Device::flex();
    let project = Project::new();
    project.ok("train configs/tabular/iris.toml -q --set device.backend=flex --set train.epochs=5");
    let iris = open(&project.path("runs/iris/1"), &flex).unwrap();
    let flower =
        r#"{"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}"#;
    project.write("one.jsonl", flower);
    let file = lines(&project, "predict runs/iris one.jsonl -o - --format jsonl");
    let table = "sepal_length,sepal_width,petal_length,petal_width\n5.1,3.5,1.4,0.2\n";
    for raw in [
        Raw::Rows(flower.as_bytes(), TableFormat::Jsonl),
        Raw::Rows(format!("[{flower}]").as_bytes(), TableFormat::Jsonl),
        Raw::Rows(table.as_bytes(), TableFormat::Csv),
    ] {
        for (name, value) in &asked(&*iris, raw)[0] {
            assert_eq!(file[0][name], *value, "{name}");
        }
    }
    let refused = |raw: Raw<'_>| iris.ask(raw).unwrap_err().to_string();
    let short = refused(Raw::Rows(b"sepal_length\n5\n", TableFormat::Csv));
    assert!(
        short.contains("sepal_width") && !short.contains("/tmp"),
        "{short}"
    );
    let ragged = refused(Raw::Rows(b"a,b\n1\n", TableFormat::Csv));
    assert!(ragged.contains("the rows"), "{ragged}");
    assert!(refused(Raw::Images(&[b"x"])).contains("it reads rows of a table"));
    assert!(refused(Raw::Texts(&["x"])).contains("it reads rows of a table"));

    let project = trained_pictures();
    let run = open(&project.path("runs/run/1"), &flex).unwrap();
    let names = ["pictures/dark/3.png", "pictures/bright/8.png"];
    let images = names.map(|name| project.bytes(name));
    let answers = asked(&*run, Raw::Images(&[&images[0], &images[1]]));
    for (name, answer) in names.iter().zip(answers) {
        let file = lines(
            &project,
            &format!("predict runs/run/1 {name} -o - --format jsonl"),
        );
        assert_eq!(file[0]["class_1"], answer["class_1"], "{name}");
        let p = |value: &Value| value.as_f64().unwrap();
        let (file, own) = (p(&file[0]["probability_1"]), p(&answer["probability_1"]));
        assert!((file - own).abs() < 1e-6, "{name}: {file} and {own}");
    }
    let wrong = run
        .ask(Raw::Images(&[&images[0], b"no image"]))
        .unwrap_err();
    assert!(wrong.to_string().contains("image 2:"), "{wrong}");
    let none = run.ask(Raw::Images(&[])).unwrap_err();
    assert!(none.to_string().contains("no rows"), "{none}");

    let project = trained_pots();
    let run = open(&project.path("runs/run/1"), &flex).unwrap();
    project.write("new.csv", "id,text\n1,a lovely vase\n2,a brittle cup\n");
    let file = lines(&project, "predict runs/run/1 new.csv -o - --format jsonl");
    let answers = asked(&*run, Raw::Texts(&["a lovely vase", "a brittle cup"]));
    for (row, answer) in answers.iter().enumerate() {
        assert_eq!(file[row]["prediction"], answer["prediction"], "{row}");
    }

    let long = "a lovely vase ".repeat(12);
    project.write("long.csv", &format!("id,text\n1,a brittle cup\n2,{long}\n"));
    let told = project
        .ok("predict runs/run/1 long.csv -o long.out.csv")
        .notes();
    assert!(told[0].starts_with("1 of 2 texts have more"), "{told:?}");
    let replies = run.ask(Raw::Texts(&["a brittle cup", &long])).unwrap();
    assert_eq!(replies.notes, told);

    let project = trained_pairs();
    let run = open(&project.path("runs/run/1"), &flex).unwrap();
    project.write("new.de", "rot und blau\nsehr gelb\n");
    let file = project.ok("predict runs/run/1 new.de").out;
    let answers = asked(&*run, Raw::Texts(&["rot und blau", "sehr gelb"]));
    let answers: Vec<&str> = answers
        .iter()
        .map(|row| row["prediction"].as_str().unwrap())
        .collect();
    assert_eq!(answers, file.lines().collect::<Vec<_>>());
}
