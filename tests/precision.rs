//! Forward and backward in half precision, on weights that stay in single.

use std::fs;

use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

use crate::support::{EVERYTHING, Project, configs, is_elsewhere, root};

/// Whose first updates overflow: the targets are hundreds, and the scale of the losses begins at 65536.
const OVERFLOWS: &str = r#"
[device]
backend = "flex"
precision = "f16"

[data]
type = "csv"
path = "datasets/diabetes/data.csv"
target = "progression"
split = { train = 0.7, valid = 0.15, test = 0.15 }

[model]
type = "mlp"
hidden = [16]

[task]
type = "regression"
standardize_target = false

[train]
epochs = 4
batch_size = 32
ema_decay = 0.9

[checkpoint]
every_steps = 2
keep_last = 40

[logging]
every_steps = 1
"#;

/// The accuracy on the test split.
fn accuracy(project: &Project, line: &str) -> f64 {
    let ran = project.ok(&format!("train {line} --json -q --set device.backend=flex"));
    let metrics = &ran.json()["evaluation"]["test"]["metrics"];
    metrics["accuracy"].as_f64().unwrap()
}

#[test]
fn half_precision_learns_what_single_precision_learns_and_leaves_the_same_files() {
    let project = Project::new();
    for config in ["tabular/iris", "tabular/breast-cancer", "vision/digits-cnn"] {
        let quick = match config {
            "vision/digits-cnn" => " --set train.epochs=3",
            _ => "",
        };
        let line =
            |precision| format!("configs/{config}.toml{quick} --set device.precision={precision}");
        let single = accuracy(&project, &line("f32"));
        for precision in ["bf16", "f16"] {
            let half = accuracy(&project, &line(precision));
            // Two flowers of the smallest test split.
            assert!(
                half > single - 0.1,
                "{config} in {precision}: {half}, not {single}"
            );
        }
        let name = config.split('/').next_back().unwrap();
        for run in [1, 2, 3] {
            let bytes = project.bytes(&format!("runs/{name}/{run}/model.safetensors"));
            let file = SafeTensors::deserialize(&bytes).unwrap();
            let mut tensors = file.tensors().into_iter();
            assert!(tensors.all(|(_, tensor)| tensor.dtype() == Dtype::F32));
        }
        project.ok(&format!("evaluate runs/{name}/3"));
    }
}

/// As `every_shipped_config_is_valid_and_trains`, one step each: a tensor of the wrong kind panics.
#[test]
fn every_shipped_model_and_task_computes_in_both() {
    let project = Project::new();
    for config in configs() {
        if is_elsewhere(&fs::read_to_string(root().join(&config)).unwrap()) {
            continue;
        }
        for precision in ["bf16", "f16"] {
            project.ok(&format!(
                "train {config} -q --set train.max_steps=1 --set device.backend=flex \
                 --set lr_scheduler.type=constant --set lr_scheduler.warmup_steps=0 \
                 --set device.precision={precision}"
            ));
        }
    }
}

#[test]
fn an_overflow_leaves_the_update_out_and_halves_the_scale() {
    let project = Project::with(OVERFLOWS);
    let ran = project.ok("train run.toml");
    assert!(ran.err.contains("overflow f16") || ran.out.contains("overflow f16"));
    let lines = project.record("run/1");
    let train = || {
        let steps = lines.iter().filter(|line| line["split"] == "train");
        steps.filter(|line| line["loss"].is_number())
    };
    let (skipped, made): (Vec<_>, Vec<_>) = train().partition(|line| line["grad_norm"].is_null());
    assert!(!skipped.is_empty() && made.len() > skipped.len());
    let mut scale = 65536.0;
    for line in train() {
        if line["grad_norm"].is_null() {
            scale /= 2.0;
        }
        assert_eq!(line["loss_scale"], scale, "{line}");
    }
    let state = newest_state(&project, 1);
    assert_eq!(state["loss_scale"]["factor"], scale);
    assert_eq!(state["loss_scale"]["skipped"], skipped.len());
    assert_eq!(state["step"], train().count());
}

fn newest_state(project: &Project, run: u32) -> Value {
    let folder = format!("runs/run/{run}/checkpoints");
    let names = fs::read_dir(project.path(&folder)).unwrap();
    let newest = names.map(|entry| entry.unwrap().file_name()).max().unwrap();
    project.json(&format!("{folder}/{}/state.json", newest.to_str().unwrap()))
}

/// With everything that a resumed run must restore, once in parts, and once amid overflows.
#[test]
fn it_resumes_to_the_same_bits() {
    let everything = EVERYTHING.replace("keep_last = 2", "keep_last = 40");
    let shards = everything.replace("norm = \"batch\"", "norm = \"layer\"");
    let cases = [
        (everything.as_str(), "--set device.precision=f16"),
        (everything.as_str(), "--set device.precision=bf16"),
        (
            shards.as_str(),
            "--set device.precision=f16 --set train.cpu_shards=2",
        ),
        (OVERFLOWS, ""),
    ];
    for (config, sets) in cases {
        let project = Project::with(config);
        let line = format!("train run.toml -q {sets}");
        let line = line.trim_end();
        project.ok(line);
        project.ok(line);
        // Without its newer checkpoints the run goes on from an older one, of the first steps.
        let folder = project.path("runs/run/2/checkpoints");
        let names = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
            .drain(2..)
            .for_each(|name| fs::remove_dir_all(name).unwrap());
        // Nor without its results is it a finished one.
        fs::remove_file(project.path("runs/run/2/evaluation.json")).unwrap();
        project.ok("resume runs/run/2 -q");
        for name in ["model.safetensors", "metrics.jsonl"] {
            let file = |run| project.bytes(&format!("runs/run/{run}/{name}"));
            assert!(file(1) == file(2), "{name} differs with {sets}");
        }
        assert_eq!(newest_state(&project, 1), newest_state(&project, 2));
    }
}

#[test]
fn another_precision_is_another_run() {
    let project = Project::with(EVERYTHING);
    project.ok("train run.toml -q --set device.precision=f16");
    let config = project.read("runs/run/1/config.toml");
    let changed = config.replace("precision = \"f16\"", "precision = \"bf16\"");
    assert_ne!(changed, config);
    project.write("runs/run/1/config.toml", &changed);
    let said = ["precision: was \"f16\", is now \"bf16\""];
    project.refused("resume runs/run/1", 1, &said);
}

#[test]
fn a_backend_without_it_is_refused_before_the_first_step() {
    let project = Project::with(EVERYTHING);
    let sets = "--set device.backend=ndarray --set device.precision=bf16";
    let said = [
        "`precision` is \"bf16\"",
        "backend \"ndarray\"",
        "\"f32\"",
        "\"flex\"",
    ];
    for verb in ["check", "train"] {
        project.refused(&format!("{verb} run.toml {sets}"), 2, &said);
    }
    assert!(!project.path("runs").exists());
}

#[test]
fn what_diverges_says_that_f16_is_narrow() {
    let project = Project::with(OVERFLOWS);
    // Outputs of a million are beyond f16, and not beyond bf16.
    let sets =
        "-q --set optimizer.type=adamw --set optimizer.learning_rate=1e4 --set train.epochs=30";
    let said = ["diverged", "bf16"];
    project.refused(&format!("train run.toml {sets}"), 3, &said);
}

#[test]
fn a_plan_counts_halves() {
    let project = Project::new();
    let memory = |precision: &str| {
        let line = format!(
            "plan configs/language/gpt2-124m.toml --no-data --json --set device.precision={precision} --set device.backend=cuda"
        );
        project.ok_json(&line)["plan"]["memory"].clone()
    };
    let [single, half] = ["f32", "bf16"].map(memory);
    let of = |memory: &Value, part: &str| memory[part].as_f64().unwrap();
    for part in ["weights", "gradients", "optimizer"] {
        assert_eq!(of(&single, part), of(&half, part), "{part}");
    }
    assert_eq!(of(&single, "halves"), 0.0);
    let share = of(&half, "halves") / of(&half, "weights");
    assert!((0.49..=0.5).contains(&share), "{share}");
    let share = of(&half, "activations") / of(&single, "activations");
    assert!((0.4..0.7).contains(&share), "{share}");
    // Were they kept by norms, GELU, softmax and the loss in f32, operation by operation, 39 GB.
    assert!(of(&half, "activations") < 13e9);
}
