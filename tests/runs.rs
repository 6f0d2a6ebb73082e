//! Finished runs, opened by another Rust program, as a service or an explanation would.

use std::fs::File;

use burn::tensor::{Device, Tensor};
use fireclay_data::arrow::array::RecordBatch;
use fireclay_data::arrow::util::display::array_value_to_string;
use fireclay_data::{ReadOptions, TableFormat, stream};
use fireclay_run::{On, Run, open};
use serde_json::json;

use crate::resume::interrupted;
use crate::support::{EVERYTHING, Project, poem};

/// The rows of a table.
fn rows(project: &Project, name: &str) -> RecordBatch {
    let path = project.path(name);
    let format = TableFormat::from_path(&path).unwrap();
    let options = ReadOptions::new(format);
    let mut batches = stream(&path.display().to_string(), &options).unwrap();
    batches.next().unwrap().unwrap()
}

fn cell(rows: &RecordBatch, name: &str, index: usize) -> String {
    array_value_to_string(rows.column_by_name(name).unwrap(), index).unwrap()
}

fn opened(project: &Project, run: &str) -> Box<dyn Run> {
    open(&project.path(run), &Device::flex()).unwrap()
}

#[test]
fn a_run_answers_as_its_training_and_predict_did() {
    let project = Project::new();
    // This test opens the run from another folder than its training.
    let data = project.path("datasets/iris/data.csv");
    project.ok(&format!(
        "train configs/tabular/iris.toml -q --set device.backend=flex --set train.epochs=20 --set data.path={}",
        data.display()
    ));
    let run = opened(&project, "runs/iris/1");
    let evaluation = project.json("runs/iris/1/evaluation.json");
    for (number, name) in [(1, "valid"), (2, "test")] {
        let evaluated = run.evaluate(On::Split(number)).unwrap();
        assert_eq!(json!(evaluated.report), evaluation[name], "{name}");
    }
    let columns = run.schema().columns.into_iter();
    let names: Vec<_> = columns.map(|column| column.name).collect();
    let expected = "sepal_length sepal_width petal_length petal_width";
    assert_eq!(names.join(" "), expected);

    project.ok("predict runs/iris/1 datasets/iris/data.csv -o answers.parquet");
    let written = rows(&project, "answers.parquet");
    let answers = run
        .answers(&rows(&project, "datasets/iris/data.csv"))
        .unwrap()
        .answers;
    let classes = run.meaning().unwrap().classes();
    assert_eq!(classes, ["setosa", "versicolor", "virginica"]);
    for (name, column) in answers.by_class(classes) {
        assert_eq!(written.column_by_name(&name), Some(&column), "{name}");
    }
    let predictions = answers.predictions(classes, ";");
    assert_eq!(written.column_by_name("prediction"), Some(&predictions));
}

#[test]
fn a_run_keeps_its_predictions_with_what_is_carried_beside_them() {
    let project = Project::new();
    let set = "--set device.backend=flex --set train.max_steps=5 --set lr_scheduler.warmup_steps=0";
    let extra = "--set data.extra_columns=[\"mean_radius\"]";
    project.ok(&format!(
        "train configs/tabular/breast-cancer.toml -q {set} {extra}"
    ));
    let kept = rows(&project, "runs/breast-cancer/1/predictions.parquet");
    let evaluation = project.json("runs/breast-cancer/1/evaluation.json");
    let data = rows(&project, "datasets/breast-cancer/data.csv");
    for split in ["valid", "test"] {
        let of_split = (0..kept.num_rows()).filter(|index| cell(&kept, "split", *index) == split);
        let of_split: Vec<usize> = of_split.collect();
        assert_eq!(json!(of_split.len()), evaluation[split]["n"], "{split}");
        let is_right = |i: &&usize| cell(&kept, "truth", **i) == cell(&kept, "prediction", **i);
        let hits = of_split.iter().filter(is_right).count();
        let accuracy = hits as f64 / of_split.len() as f64;
        let expected = evaluation[split]["metrics"]["accuracy"].as_f64().unwrap();
        assert!((accuracy - expected).abs() < 1e-12, "{split}: {accuracy}");
    }
    for index in 0..kept.num_rows() {
        let row: f64 = cell(&kept, "row", index).parse().unwrap();
        let carried = cell(&kept, "mean_radius", index);
        assert_eq!(carried, cell(&data, "mean_radius", row as usize - 1));
    }

    let off = "--set eval.keep_predictions=false";
    project.ok(&format!(
        "train configs/tabular/breast-cancer.toml -q {set} {off}"
    ));
    let path = project.path("runs/breast-cancer/2/predictions.parquet");
    assert!(File::open(path).is_err());
}

#[test]
fn a_row_of_weight_two_trains_like_two_rows() {
    let table = |weighted: bool| {
        let mut text = String::from(if weighted { "x,y,w\n" } else { "x,y\n" });
        for index in 0..24 {
            let (x, y) = (index % 7, if index % 3 == 0 { "a" } else { "b" });
            let twice = index % 4 == 0;
            match weighted {
                true => text += &format!("{x},{y},{}\n", if twice { 2 } else { 1 }),
                false => text += &format!("{x},{y}\n").repeat(if twice { 2 } else { 1 }),
            }
        }
        text
    };
    let project = Project::new();
    project.write("twice.csv", &table(false));
    project.write("weighted.csv", &table(true));
    let config = |name: &str, weight: &str| {
        let text = format!(
            "[device]\nbackend = \"flex\"\n[data]\ntype = \"csv\"\npath = \"{name}.csv\"\n\
             target = \"y\"\n{weight}split = {{ train = 1.0, valid = 0.0, test = 0.0 }}\n\
             columns = {{ x = {{ scaling = \"none\" }} }}\n\
             [model]\ntype = \"linear\"\n[task]\ntype = \"classification\"\n\
             [optimizer]\ntype = \"sgd\"\nlearning_rate = 0.1\n\
             [train]\nepochs = 30\nbatch_size = \"full\"\n[checkpoint]\nmonitor = \"train/loss\"\n"
        );
        project.write(&format!("{name}.toml"), &text);
        project.ok(&format!("train {name}.toml -q"));
        let path = project.path(&format!("runs/{name}/1/metrics.jsonl"));
        std::fs::read_to_string(path).unwrap()
    };
    let last = |text: String| {
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        let mut losses = lines.filter_map(|line: serde_json::Value| line["loss"].as_f64());
        losses.next_back().unwrap()
    };
    let twice = last(config("twice", ""));
    let weighted = last(config("weighted", "weight = \"w\"\n"));
    assert!((twice - weighted).abs() < 1e-5, "{twice} {weighted}");
}

#[test]
fn what_a_run_cannot_do_is_said_before_anything_is_read() {
    let project = Project::new();
    let short = "--set device.backend=flex --set train.max_steps=20";
    project.ok(&format!("train configs/tabular/iris.toml -q {short}"));
    let run = opened(&project, "runs/iris/1");
    let refusal = run.writer().err().unwrap().to_string();
    assert!(refusal.contains("no model that writes"), "{refusal}");
    project
        .run("generate runs/iris/1 --prompt x")
        .refused(2, &["no model that writes"]);
    project
        .run("evaluate runs/iris/1 --data datasets/iris/data.csv --target-data x")
        .refused(2, &["two parallel files"]);
}

/// The gradient of an output with respect to the values of an input is its slope in each of them, and the
/// features before the head do not change with the way.
#[test]
fn outputs_have_gradients_with_respect_to_the_input() {
    let project = Project::new();
    let short = "-q --set device.backend=flex --set train.max_steps=20";
    project.ok(&format!("train configs/tabular/iris.toml {short}"));
    let run = opened(&project, "runs/iris/1");
    let model = run.differentiable().unwrap();
    let rows = rows(&project, "datasets/iris/data.csv").slice(40, 3);
    let input = run.input(&rows).unwrap();
    assert_eq!(input.dims, [4]);
    let plain = model.outputs(&input);

    let tracked = input.clone().tracked();
    let outputs = model.outputs(&tracked);
    let same = |a: Tensor<2>, b: Tensor<2>| {
        let (a, b) = (a.into_data(), b.into_data());
        a.iter::<f32>()
            .zip(b.iter::<f32>())
            .all(|(a, b)| (a - b).abs() < 1e-5)
    };
    assert!(same(outputs.clone().inner(), plain.clone()));
    let features = model.features(&tracked).inner();
    assert!(same(features, model.features(&input)));
    let gradients = outputs.slice([0..3, 1..2]).sum().backward();
    let gradient = tracked.values.grad(&gradients).unwrap();
    assert_eq!(gradient.dims(), [3, 4]);

    let step = 1e-2;
    for feature in 0..4 {
        let moved = |by: f32| {
            let mut other = input.clone();
            let column = other.values.clone().slice([0..3, feature..feature + 1]);
            let range = [0..3, feature..feature + 1];
            other.values = other.values.slice_assign(range, column + by);
            let outputs = model.outputs(&other).slice([0..3, 1..2]);
            outputs.sum().into_scalar::<f32>()
        };
        let slope = (moved(step) - moved(-step)) / (2.0 * step);
        let found = gradient.clone().slice([0..3, feature..feature + 1]);
        let found = found.sum().into_scalar::<f32>();
        let most = 2e-2 * (1.0 + slope.abs());
        assert!((slope - found).abs() < most, "{feature}: {slope} {found}");
    }
    let blank = input.blank().values.into_data();
    assert!(blank.iter::<f32>().all(|value| value == 0.0));
}

#[test]
fn a_checkpoint_of_a_finished_run_answers_as_the_run_does() {
    let project = Project::with(EVERYTHING);
    project.ok("train run.toml -q --set task.threshold=tune --set checkpoint.keep_last=99");
    let input = "datasets/breast-cancer/data.csv";
    project.ok(&format!("predict runs/run/1 {input} -o run.csv"));
    let ran = project.ok(&format!(
        "predict runs/run/1 {input} -o best.csv --checkpoint best"
    ));
    assert!(ran.err.contains("weights of step"), "{}", ran.err);
    assert_eq!(project.read("run.csv"), project.read("best.csv"));
    project.ok(&format!(
        "predict runs/run/1 {input} -o first.csv --checkpoint 10"
    ));
    assert_ne!(project.read("run.csv"), project.read("first.csv"));
    let evaluation = project.json("runs/run/1/evaluation.json");
    let best = project.ok_json("evaluate runs/run/1 --json --checkpoint best");
    assert_eq!(best["test"]["metrics"], evaluation["test"]["metrics"]);
    let words = ["best, last or the number"];
    project.refused("evaluate runs/run/1 --checkpoint newest", 2, &words);
    project.refused(
        "evaluate runs/run/1 --checkpoint 1",
        1,
        &["no checkpoint of step 1"],
    );
}

#[test]
fn a_run_that_was_stopped_has_weights_all_the_same() {
    let project = Project::with(EVERYTHING);
    interrupted(&project, "runs/run/1", "--set eval.every_steps=1");
    let input = "datasets/breast-cancer/data.csv";
    let line = format!("predict runs/run/1 {input} -o out.csv");
    project.refused(&line, 1, &["did not finish", "--checkpoint best"]);
    project.ok(&format!("{line} --checkpoint best"));
    let report = project.ok_json("evaluate runs/run/1 --split valid --json --checkpoint best");
    let losses = project.record("run/1");
    let valid = losses.iter().filter(|line| line["split"] == "valid");
    let best = valid
        .filter_map(|line| line["loss"].as_f64())
        .fold(f64::MAX, f64::min);
    let found = report["valid"]["metrics"]["log_loss"].as_f64().unwrap();
    assert!(
        (found - best).abs() < 1e-6,
        "{found} is not the best loss {best}"
    );
    project.ok("export runs/run/1 --checkpoint last --output out");
    assert!(project.path("out/model.safetensors").exists());
    assert!(project.path("out/postprocess.json").exists());
    // Nothing was written into the run.
    assert!(!project.path("runs/run/1/model.safetensors").exists());
    // With as many steps as it has made, it ends, and is a run like any other.
    project.end("runs/run/1");
    project.ok(&line);
}

const WRITER: &str = r#"
[device]
backend = "flex"
[data]
type = "text"
path = "poem.txt"
[tokenizer]
type = "char"
[model]
type = "gpt"
layers = 1
heads = 2
width = 16
context_length = 16
dropout = 0.0
[task]
type = "causal_lm"
[train]
max_steps = 20
batch_size = 8
[checkpoint]
every_steps = 5
"#;

#[test]
fn a_checkpoint_is_a_start_for_another_run() {
    let project = Project::with(WRITER);
    project.write("poem.txt", &poem());
    let endless = "--no-data run.toml --set model.context_length=4294967296";
    for verb in ["check", "plan"] {
        project.refused(
            &format!("{verb} {endless}"),
            2,
            &["`context_length` must be at most"],
        );
    }
    project.ok("train run.toml -q");
    project.ok("generate runs/run/1 --prompt one -n 4 --checkpoint 15");
    let start = "--set model.pretrained=runs/run/1/checkpoints/step-00000015";
    let ran = project.ok(&format!("train run.toml {start} --set train.max_steps=1"));
    assert!(ran.out.contains("tensors loaded"), "{}", ran.out);
    let loss = |run: u32| {
        let record = project.record(&format!("run/{run}"));
        let valid = record.iter().find(|line| line["split"] == "valid").unwrap();
        valid["loss"].as_f64().unwrap()
    };
    assert!(
        loss(2) < loss(1) + 0.2,
        "it does not begin where the other one was"
    );
    // A run that has not ended names its checkpoints.
    std::fs::remove_file(project.path("runs/run/1/model.safetensors")).unwrap();
    project.refused(
        "check run.toml --set model.pretrained=runs/run/1",
        2,
        &["did not finish", "checkpoints/step-"],
    );
}
