//! Runs that onnxruntime answers from, in the place of the program.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::support::{Project, python, root};

/// Sentences whose one adjective decides, read by an encoder.
const TEXTS: &str = r#"
[device]
backend = "flex"

[data]
type = "text_table"
path = "pots.csv"
target = "mark"
split = { train = 0.8, valid = 0.2, test = 0.0 }

[tokenizer]
type = "wordpiece"
vocabulary_size = 120
lowercase = true

[model]
type = "bert"
layers = 1
heads = 2
width = 32
context_length = 24

[task]
type = "classification"
calibrate = true

[optimizer]
type = "adamw"
learning_rate = 5e-3

[train]
epochs = 4
batch_size = 12
"#;

fn pots() -> String {
    let marks = [
        ("fine", "good"),
        ("lovely and smooth", "good"),
        ("cracked", "bad"),
        ("dull and crooked", "bad"),
    ];
    (0..120).fold("text,mark\n".to_owned(), |table, row| {
        let (word, mark) = marks[row % 4];
        let pot = ["bowl", "cup", "jug", "vase", "plate"][row / 4 % 5];
        table + &format!("\"A {word} {pot}, number {}\",{mark}\n", row % 7)
    })
}

/// What a script in `tests/clients`, or a text, prints.
fn prints(python: &PathBuf, project: &Project, arguments: &[&str]) -> String {
    let mut command = Command::new(python);
    let ran = command
        .args(arguments)
        .current_dir(project.path(""))
        .output()
        .unwrap();
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    String::from_utf8(ran.stdout).unwrap()
}

/// The Python examples of the documentation, in their order.
fn examples() -> Vec<String> {
    let text = fs::read_to_string(root().join("docs/onnx.md")).unwrap();
    let blocks = text.split("```python\n").skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap().to_owned())
        .collect()
}

/// Fails unless `FILE.onnx` gives the probabilities of the predictions in `answers.csv` of the rows of `rows.csv`.
fn agrees(python: &PathBuf, project: &Project, file: &str, [rows, answers]: [&str; 2]) {
    let script = root().join("tests/clients/onnx_predicts.py");
    let found = prints(
        python,
        project,
        &[script.to_str().unwrap(), file, rows, answers],
    );
    let found: Value = serde_json::from_str(&found).unwrap();
    let difference = found["difference"].as_f64().unwrap();
    assert!(found["rows"].as_u64().unwrap() > 20, "{found}");
    assert!(difference < 1e-5, "{found}");
}

#[test]
fn a_table_is_answered_from_its_own_columns() {
    let project = Project::new();
    project.ok("train configs/tabular/iris.toml -q --set device.backend=flex");
    let out = project
        .ok("export runs/iris --format onnx -o iris.onnx")
        .out;
    assert_eq!(out, "iris.onnx\n");
    project.ok("train configs/tabular/breast-cancer.toml -q --set device.backend=flex --set train.epochs=3 --set lr_scheduler.warmup_steps=0");
    project.ok("export runs/breast-cancer --format onnx -o cancer.onnx");
    // Cells may be missing.
    let table = project.read("datasets/breast-cancer/data.csv");
    let mut lines: Vec<String> = table.lines().take(100).map(str::to_owned).collect();
    for line in lines.iter_mut().skip(1).step_by(3) {
        let (_, rest) = line.split_once(',').unwrap();
        *line = format!(",{rest}");
    }
    project.write("rows.csv", &lines.join("\n"));
    project.ok("predict runs/breast-cancer rows.csv -o answers.csv");
    let Some(python) = python("onnxruntime") else {
        return;
    };
    agrees(
        &python,
        &project,
        "cancer.onnx",
        ["rows.csv", "answers.csv"],
    );
    let printed = prints(&python, &project, &["-c", &examples()[0]]);
    assert_eq!(printed, "['setosa', 'virginica']\n");
}

#[test]
fn images_are_answered_as_in_the_documentation() {
    let project = Project::new();
    project.ok("train configs/vision/digits-cnn.toml -q --set device.backend=flex --set train.epochs=2 --set lr_scheduler.warmup_steps=0");
    project.ok("export runs/digits-cnn --format onnx -o digits.onnx");
    let mut digit = image::GrayImage::new(8, 8);
    (0..8).for_each(|row| digit.put_pixel(3, row, image::Luma([255])));
    digit.save(project.path("digit.png")).unwrap();
    project.ok("predict runs/digits-cnn digit.png -o digit.csv");
    let Some(python) = python("onnxruntime, PIL") else {
        return;
    };
    let printed = prints(&python, &project, &["-c", &examples()[1]]);
    let answers = project.read("digit.csv");
    let mut lines = answers
        .lines()
        .map(|line| line.split(',').collect::<Vec<_>>());
    let (names, cells) = (lines.next().unwrap(), lines.next().unwrap());
    let at = names.iter().position(|name| *name == "prediction").unwrap();
    assert_eq!(printed.trim(), cells[at], "{answers}");
}

#[test]
fn texts_are_answered_with_their_own_tokenizer() {
    let project = Project::with(TEXTS);
    project.write("pots.csv", &pots());
    project.ok("train run.toml -q");
    project.ok("export runs/run --format onnx -o texts.onnx");
    project.ok("predict runs/run pots.csv -o answers.csv");
    let Some(python) = python("onnxruntime, tokenizers") else {
        return;
    };
    agrees(&python, &project, "texts.onnx", ["pots.csv", "answers.csv"]);
    let printed = prints(&python, &project, &["-c", &examples()[2]]);
    assert_eq!(printed, "['good', 'bad']\n");
}

#[test]
fn what_cannot_be_written_is_refused() {
    let project = Project::new();
    project.ok("train configs/tabular/iris.toml -q --set device.backend=flex --set train.epochs=1 --set lr_scheduler.warmup_steps=0 --set checkpoint.every_steps=2 --set checkpoint.keep_last=9");
    project.refused(
        "export runs/iris --format onnx -o runs/iris/1/model.safetensors",
        2,
        &["does not end in .onnx"],
    );
    project.refused(
        "export runs/iris --format onnx --merge -o iris.onnx",
        2,
        &["--merge"],
    );
    project.refused(
        "export runs/none --format onnx -o iris.onnx",
        1,
        &["does not exist"],
    );
    assert!(!project.path("iris.onnx").exists());
    project.ok("export runs/iris --format onnx --checkpoint last -o new/iris.onnx");
    project.ok("export runs/iris --format onnx --checkpoint 2 -o new/earlier.onnx");
    let model = |name: &str| fs::read(project.path(name)).unwrap();
    assert_ne!(model("new/iris.onnx"), model("new/earlier.onnx"));
}
