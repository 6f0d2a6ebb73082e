//! A crate outside the workspace that depends on the models alone gives the same numbers.

use std::fs;
use std::path::Path;
use std::process::Command;

use fireclay_data::{TableConfig, TableData, TableFormat, TargetKind};

use crate::support::{Project, root};

#[test]
fn a_crate_with_the_models_alone_predicts_the_same_numbers() {
    let project = Project::new();
    project.ok(
        "train configs/tabular/diabetes.toml -q --set train.epochs=5 --set device.backend=flex",
    );
    let run = project.path("runs/diabetes/1");
    project.ok("predict runs/diabetes/1 datasets/diabetes/data.csv -o p.csv");

    let preprocess = fireclay_data::Preprocess::load(&run.join("preprocess.json")).unwrap();
    let data = root().join("datasets/diabetes/data.csv");
    let config = TableConfig::new(data.to_str().unwrap(), "progression");
    let table = fireclay_data::Table::load(TableFormat::Csv, &config).unwrap();
    let features = preprocess.encode(table.batch()).unwrap();
    let rows = features.numeric.chunks(features.numeric_width);
    let line = |row: &[f32]| row.iter().map(f32::to_string).collect::<Vec<_>>().join(",");
    let text: Vec<String> = rows.map(line).collect();
    let path = project.write("features.csv", &text.join("\n"));

    let outputs = outside(&project, &run.join("model.safetensors"), &path);
    let (mean, std) = preprocess.target_mean_std().unwrap();
    let predictions = project.read("p.csv");
    let expected = predictions
        .lines()
        .skip(1)
        .map(|line| line.split(',').nth(1).unwrap());
    let mut count = 0;
    for (output, expected) in outputs.lines().zip(expected) {
        let found = output.parse::<f32>().unwrap() as f64 * std + mean;
        let expected: f64 = expected.parse().unwrap();
        assert!(
            (found - expected).abs() <= 1e-9 * expected.abs(),
            "{found} and {expected}"
        );
        count += 1;
    }
    assert_eq!(count, 442);
    // The splits of the run are a function of its config alone; nobody needs its process.
    assert!(TableData::load(TableFormat::Csv, &config, 42, TargetKind::Number).is_ok());
}

/// Builds the crate in `tests/outside` with the versions of our own lock file, and runs it.
fn outside(project: &Project, model: &Path, features: &Path) -> String {
    let folder = project.path("outside");
    fs::create_dir_all(folder.join("src")).unwrap();
    let source = root().join("tests/outside");
    fs::copy(source.join("src/main.rs"), folder.join("src/main.rs")).unwrap();
    fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    let manifest = fs::read_to_string(source.join("Cargo.toml")).unwrap();
    let models = root().join("crates/fireclay-models");
    let manifest = manifest.replace("../../crates/fireclay-models", models.to_str().unwrap());
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    // Beside our own build products, so that what both need is compiled once.
    let target = Path::new(env!("CARGO_BIN_EXE_fireclay"))
        .ancestors()
        .nth(2)
        .unwrap();
    let output = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--release", "--"])
        .args([model, features])
        .env("CARGO_TARGET_DIR", target)
        .current_dir(&folder)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}
