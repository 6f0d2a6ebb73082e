//! The main job: a TOML file in, a trained and evaluated model out.

use std::collections::BTreeSet;

use crate::support::{EVERYTHING, Project};

#[test]
fn a_run_leaves_everything_that_its_folder_promises() {
    let project = Project::with(EVERYTHING);
    let out = project.ok("train run.toml").out;
    assert!(out.contains("runs/run/1"), "{out}");
    assert!(out.contains("fireclay predict runs/run/1"), "{out}");
    for name in [
        "config.toml",
        "run.lock",
        "metrics.jsonl",
        "timing.jsonl",
        "preprocess.json",
        "postprocess.json",
        "model.safetensors",
        "evaluation.json",
    ] {
        let path = project.path(&format!("runs/run/1/{name}"));
        assert!(path.is_file(), "{name}");
    }
    let evaluation = project.json("runs/run/1/evaluation.json");
    assert_eq!(evaluation["test"]["n"], 85);
    assert!(evaluation["test"]["metrics"]["accuracy"].as_f64().unwrap() > 0.8);
    let lock: toml::Table = project.read("runs/run/1/run.lock").parse().unwrap();
    assert_eq!(lock["seed"].as_integer(), Some(42));
    assert_eq!(lock["precision"].as_str(), Some("f32"));
    assert_eq!(
        lock["data_sha256"]["0-data.csv"].as_str(),
        Some("518936fa92ca3d8a78c420aee22030c4e519ffcba3be15dd23e83f2fc22e20e5"),
    );
}

#[test]
fn metrics_are_lines_of_step_epoch_split_and_values_by_name() {
    let project = Project::with(EVERYTHING);
    project.ok("train run.toml -q");
    let mut seen = BTreeSet::new();
    for line in project.record("run/1") {
        assert!(line["step"].is_u64() && line["epoch"].is_u64(), "{line}");
        let split = line["split"].as_str().unwrap();
        let values = line.as_object().unwrap().iter();
        let names = values.filter(|(_, value)| value.is_f64());
        seen.extend(names.map(|(name, _)| format!("{split}/{name}")));
    }
    for name in [
        "train/loss",
        "train/learning_rate",
        "train/grad_norm",
        "valid/loss",
        "valid/roc_auc",
    ] {
        assert!(seen.contains(name), "{name} is not in {seen:?}");
    }
}

#[test]
fn the_resolved_config_gives_the_same_run_again() {
    let project = Project::with(EVERYTHING);
    project.ok("train run.toml -q --set train.epochs=2");
    project.ok("train runs/run/1/config.toml -q");
    for name in [
        "model.safetensors",
        "metrics.jsonl",
        "evaluation.json",
        "config.toml",
    ] {
        let again = project.bytes(&format!("runs/config/1/{name}"));
        let own = project.bytes(&format!("runs/run/1/{name}"));
        assert!(own == again, "{name} differs");
    }
}

#[test]
fn the_number_of_loader_threads_changes_nothing() {
    let project = Project::with(EVERYTHING);
    for threads in [0, 2, 5] {
        project.ok(&format!(
            "train run.toml -q --set train.loader_threads={threads}"
        ));
    }
    for name in ["model.safetensors", "metrics.jsonl"] {
        let read = |run: u32| project.bytes(&format!("runs/run/{run}/{name}"));
        for (run, threads) in [(2, 2), (3, 5)] {
            assert!(read(run) == read(1), "{name} with {threads} threads");
        }
    }
}

#[test]
fn accumulated_small_batches_equal_the_large_one() {
    let config = EVERYTHING
        .replace("dropout = 0.3", "")
        .replace("norm = \"batch\"", "");
    let project = Project::with(&config);
    project.ok(
        "train run.toml -q --set train.batch_size=48 --set train.gradient_accumulation_steps=1",
    );
    project.ok(
        "train run.toml -q --set train.batch_size=16 --set train.gradient_accumulation_steps=3",
    );
    let losses = |run| -> Vec<f64> {
        let lines = project.record(&format!("run/{run}")).into_iter();
        lines.filter_map(|line| line["loss"].as_f64()).collect()
    };
    let (large, small) = (losses(1), losses(2));
    assert_eq!(large.len(), small.len());
    for (large, small) in large.iter().zip(&small) {
        let most = 1e-4 * large.abs().max(0.1);
        assert!((large - small).abs() < most, "{large} and {small}");
    }
}

#[test]
fn full_batch_gradient_descent_takes_one_step_an_epoch() {
    let project = Project::new();
    let ran =
        project.ok("train configs/tabular/gradient-descent.toml --json -q --set train.epochs=30");
    assert_eq!(ran.json()["step"], 30);
}

#[test]
fn early_stopping_keeps_the_best_weights() {
    let project = Project::with(EVERYTHING);
    project.write(
        "early.toml",
        "extends = \"run.toml\"\n[early_stopping]\npatience = 3\n",
    );
    let ran = project.ok_json("train early.toml --json -q --set train.epochs=200");
    assert_eq!(ran["reason"], "early_stopped");
    let record = project.record("early/1");
    let losses = record.iter().filter(|line| line["split"] == "valid");
    let losses = losses.map(|line| line["loss"].as_f64().unwrap());
    let best = losses.fold(f64::INFINITY, f64::min);
    let metrics = &ran["evaluation"]["valid"]["metrics"];
    let chosen = metrics["log_loss"].as_f64().unwrap();
    assert!((best - chosen).abs() < 1e-5, "best {best}, chosen {chosen}");
}

#[test]
fn divergence_exits_with_3_and_keeps_the_last_good_checkpoint() {
    let project = Project::with(&EVERYTHING.replace("type = \"adamw\"", "type = \"sgd\""));
    let sets = "--set optimizer.learning_rate=1e30 --set train.max_steps=50";
    project.refused(&format!("train run.toml -q {sets}"), 3, &["diverged"]);
    let checkpoints = std::fs::read_dir(project.path("runs/run/1/checkpoints")).unwrap();
    assert!(checkpoints.count() >= 1);
    assert!(!project.path("runs/run/1/model.safetensors").exists());
    // The list and the page say so, until the run goes on from before it.
    let run = &project.ok_json("runs --json")[0];
    let step = run["diverged_at"].as_u64().unwrap();
    assert_eq!(run["state"], "diverged");
    assert!(step > 0 && step <= 50, "{step}");
    let said = project.ok("runs --filter state=diverged").out;
    assert!(said.contains(&format!("diverged at step {step}")), "{said}");
    project.ok("report runs/run");
    let page = project.read("runs/run/1/report.html");
    assert!(page.contains(&format!("The training diverged at step {step}.")));
    project.ok("resume runs/run -q --set optimizer.learning_rate=0.001");
    let run = &project.ok_json("runs --json")[0];
    assert_eq!(
        (&run["state"], &run["diverged_at"]),
        (&"finished".into(), &serde_json::Value::Null)
    );
}

#[test]
fn a_tuned_threshold_is_used_by_evaluation_and_prediction() {
    let project = Project::with(EVERYTHING);
    project.ok("train run.toml -q --set task.threshold=tune --set task.class_weights=balanced");
    let threshold = &project.json("runs/run/1/postprocess.json")["threshold"];
    let threshold = threshold.as_f64().unwrap();
    project.ok("predict runs/run/1 datasets/breast-cancer/data.csv -o p.csv");
    for line in project.read("p.csv").lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let positive = cells[3].parse::<f64>().unwrap() >= threshold;
        assert_eq!(cells[1] == "malignant", positive, "{line} at {threshold}");
    }
}

/// A model without batch statistics, which can be computed in parts.
fn divisible() -> String {
    EVERYTHING.replace("norm = \"batch\"", "norm = \"layer\"")
}

#[test]
fn shards_change_the_rounding_and_nothing_else() {
    let project = Project::with(&divisible());
    for shards in [1, 3, 3] {
        project.ok(&format!(
            "train run.toml -q --set train.cpu_shards={shards} --set train.epochs=3"
        ));
    }
    for (one, three) in project.record("run/1").iter().zip(project.record("run/2")) {
        for name in ["loss", "grad_norm", "roc_auc"] {
            let values = (one[name].as_f64(), three[name].as_f64());
            if let (Some(one), Some(three)) = values {
                assert!((one - three).abs() < 1e-5, "{name}: {one} and {three}");
            }
        }
    }
    for name in ["model.safetensors", "metrics.jsonl"] {
        let [first, again] = [2, 3].map(|run| project.bytes(&format!("runs/run/{run}/{name}")));
        assert!(first == again, "{name} of two runs in three parts");
    }
    for file in ["config.toml", "run.lock"] {
        let text = project.read(&format!("runs/run/2/{file}"));
        assert!(text.contains("cpu_shards = 3"), "{text}");
    }
}

#[test]
fn what_is_forgotten_is_computed_again_to_the_bit() {
    let project = Project::with(&divisible());
    for settings in ["", " --set train.gradient_checkpointing=true"] {
        for shards in [1, 2] {
            project.ok(&format!(
                "train run.toml -q --set train.cpu_shards={shards} --set train.epochs=2{settings}"
            ));
        }
    }
    for (remembered, forgotten) in [(1, 3), (2, 4)] {
        for name in ["model.safetensors", "metrics.jsonl"] {
            let [one, other] =
                [remembered, forgotten].map(|run| project.bytes(&format!("runs/run/{run}/{name}")));
            assert!(one == other, "{name} of runs {remembered} and {forgotten}");
        }
    }
}

#[test]
fn auto_says_what_it_took_and_keeps_batch_statistics_whole() {
    let project = Project::with(EVERYTHING);
    project.ok("train run.toml -q --set train.epochs=1");
    let text = project.read("runs/run/1/config.toml");
    assert!(text.contains("cpu_shards = 1"), "{text}");
    let ran = project.run("check run.toml --set train.cpu_shards=2");
    ran.refused(2, &["cpu_shards", "batch norm"]);
}

#[test]
fn a_run_says_what_it_cost_and_a_profile_changes_nothing() {
    let project = Project::with(EVERYTHING);
    project.ok("train run.toml -q --set train.epochs=2");
    let told = project.ok("train run.toml -q --json --profile --set train.epochs=2");
    let cost = &told.json()["cost"];
    // 398 training rows in two epochs.
    assert_eq!(cost["samples"], 796, "{cost}");
    let phases = ["data", "compute", "optimizer", "evaluation", "checkpoint"];
    let phases = phases.map(|name| cost[format!("{name}_seconds")].as_f64().unwrap());
    assert!(phases.iter().all(|seconds| *seconds > 0.0), "{cost}");
    let total = cost["seconds"].as_f64().unwrap();
    assert!(phases.iter().sum::<f64>() <= total, "{cost}");

    let plan = project.ok_json("plan run.toml --json");
    let flops = &plan["plan"]["flops"]["training_per_sample"];
    let flops = flops.as_f64().unwrap() * 796.0;
    let speed = &cost["speed"];
    let ratio = speed["flops"].as_f64().unwrap() / flops;
    assert!((ratio - 1.0).abs() < 1e-9, "{cost}");
    let utilisation = speed["utilisation"].as_f64().unwrap();
    assert!(utilisation > 0.0 && utilisation < 1.0, "{cost}");

    let lock: toml::Table = project.read("runs/run/2/run.lock").parse().unwrap();
    assert_eq!(lock["cost"]["samples"].as_integer(), Some(796));
    let flops = lock["cost"]["speed"]["flops"].as_float();
    assert_eq!(flops, speed["flops"].as_f64());
    let [plain, profiled] =
        [1, 2].map(|run| project.bytes(&format!("runs/run/{run}/metrics.jsonl")));
    assert!(plain == profiled, "a profile changed the record");
    assert!(!project.path("runs/run/1/trace.json").exists());
    let trace = project.json("runs/run/2/trace.json");
    let steps = cost["steps"].as_u64().unwrap();
    let events = trace.as_array().unwrap().iter();
    let updates = events.filter(|event| event["name"] == "optimizer").count() as u64;
    assert_eq!(updates, steps);
}

#[test]
fn every_row_is_predicted_by_the_fold_that_did_not_see_it() {
    let project = Project::new();
    let line = "train configs/tabular/iris.toml --folds 3 -q --set device.backend=flex --set train.epochs=5";
    let ran = project.ok(line);
    assert!(
        ran.out.contains("3 folds, each tested on rows"),
        "{}",
        ran.out
    );
    let folds = project.json("runs/iris/folds-1-3/folds.json");
    let accuracy = &folds["metrics"]["accuracy"];
    let by_fold: Vec<f64> = (1..=3)
        .map(|run| {
            let report = project.json(&format!("runs/iris/{run}/evaluation.json"));
            report["test"]["metrics"]["accuracy"].as_f64().unwrap()
        })
        .collect();
    assert_eq!(accuracy["by_fold"], serde_json::json!(by_fold));
    let mean = by_fold.iter().sum::<f64>() / 3.0;
    let squares: f64 = by_fold.iter().map(|value| (value - mean).powi(2)).sum();
    assert!((accuracy["mean"].as_f64().unwrap() - mean).abs() < 1e-12);
    assert!((accuracy["std"].as_f64().unwrap() - (squares / 2.0).sqrt()).abs() < 1e-12);
    assert_eq!(folds["n"], serde_json::json!([50, 50, 50]));
    // Each fold is a run like any other.
    let again = project.ok_json("evaluate runs/iris/2 --json");
    assert_eq!(again["test"]["metrics"]["accuracy"], accuracy["by_fold"][1]);
    let options = fireclay_data::ReadOptions::new(fireclay_data::TableFormat::Parquet);
    let path = project.path("runs/iris/folds-1-3/predictions.parquet");
    let table = fireclay_data::Table::read(&path.to_string_lossy(), &options).unwrap();
    assert_eq!(
        (table.rows(), &table.columns()[..2]),
        (150, &["fold".to_owned(), "row".into()][..])
    );
    let rows = fireclay_data::column(table.batch(), "row").unwrap();
    let rows = fireclay_data::cell_numbers("row", rows).unwrap();
    let mut rows: Vec<u64> = rows.iter().map(|row| row.unwrap() as u64).collect();
    rows.sort_unstable();
    assert_eq!(rows, (1..=150).collect::<Vec<_>>());
}

#[test]
fn a_set_of_folds_that_was_interrupted_goes_on() {
    let project = Project::new();
    let line = "train configs/tabular/iris.toml --folds 3 -q --set device.backend=flex --set train.epochs=5";
    project.ok(line);
    let whole = project.read("runs/iris/folds-1-3/folds.json");
    let latest = project.ok("evaluate runs/iris");
    assert!(
        latest.err.contains("which is fold 3 of 3"),
        "{}",
        latest.err
    );
    // As it is after a power cut in the second of three folds.
    for folder in ["folds-1-3", "3"] {
        std::fs::remove_dir_all(project.path(&format!("runs/iris/{folder}"))).unwrap();
    }
    let made = project.made("runs/iris/2");
    let newest = format!("runs/iris/2/checkpoints/step-{made:08}");
    std::fs::remove_dir_all(project.path(&newest)).unwrap();
    for name in ["evaluation.json", "model.safetensors"] {
        std::fs::remove_file(project.path(&format!("runs/iris/2/{name}"))).unwrap();
    }
    let model = project.bytes("runs/iris/1/model.safetensors");
    let ran = project.ok(&format!("{line} --resume auto"));
    for words in ["runs/iris/1 has trained this fold", "resumes runs/iris/2"] {
        assert!(ran.err.contains(words), "no {words:?} in {}", ran.err);
    }
    assert_eq!(project.read("runs/iris/folds-1-3/folds.json"), whole);
    assert!(project.bytes("runs/iris/1/model.safetensors") == model);
    // A set that is whole is done: the next one is another.
    let ran = project.ok(&format!("{line} --resume auto"));
    assert!(ran.out.contains("folds-4-6"), "{}", ran.out);
    // One fold alone says that it is one.
    std::fs::remove_file(project.path("runs/iris/5/evaluation.json")).unwrap();
    let ran = project.ok("resume runs/iris/5 -q");
    assert!(ran.err.contains("this is fold 2 of 3 alone"), "{}", ran.err);
}

#[test]
fn what_cannot_happen_in_a_run_is_said() {
    let project = Project::new();
    let iris = "configs/tabular/iris.toml --set device.backend=flex --set train.epochs=4";
    let early = "--set early_stopping.patience=3";
    let words = [
        "early_stopping cannot stop this run",
        "early_stopping.patience = 3",
        "eval.every_epochs = 1 there are 3",
    ];
    let said = |line: &str| {
        let ran = project.ok(line);
        ran.out + &ran.err
    };
    for verb in ["check", "train"] {
        let told = said(&format!("{verb} {iris} {early}"));
        for words in words {
            assert!(told.contains(words), "no {words:?} in {told}");
        }
        let told = said(&format!("{verb} {iris} --set early_stopping.patience=2"));
        assert!(!told.contains("cannot stop this run"), "{told}");
    }
    // Another seed is another split, where the same data is trained on once more.
    let check = said(&format!("check {iris} {early} --set seed=7"));
    assert!(check.contains("seed = 7 also draws the split"), "{check}");
    let own = said(&format!("check {iris} {early} --set data.split.seed=1"));
    assert!(!own.contains("also draws the split"), "{own}");
    let train = |sets: &str| said(&format!("train {iris} -q --name seeds {sets}"));
    let other = "also draws another split";
    assert!(!train("--set seed=1").contains(other));
    assert!(!train("--set seed=1").contains(other));
    let told = train("--set seed=2");
    assert!(
        told.contains(other) && told.contains("data.split.seed = 1"),
        "{told}"
    );
    assert!(!train("--set seed=3 --set data.split.seed=1").contains(other));
    assert!(!train("--set seed=4 --set data.split.seed=1").contains(other));
}

#[test]
fn folds_that_cannot_be_are_refused() {
    let project = Project::new();
    let iris = "check configs/tabular/iris.toml";
    for (set, words) in [
        ("data.split.folds=1", "must be at least 2"),
        ("data.split.fold=1", "it is read if folds is given"),
        (
            "data.split.folds=3 --set data.split.fold=4",
            "must be from 1 to 3",
        ),
    ] {
        project.refused(&format!("{iris} --set {set}"), 2, &[words]);
    }
    project.refused(
        "train configs/tabular/iris.toml --folds 200 -q",
        2,
        &["folds"],
    );
}
