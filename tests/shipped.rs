//! Every config in the checkout: parsed, and trained for a few steps.

use std::fs;

use crate::support::{Project, configs, is_elsewhere, root};

#[test]
fn every_shipped_config_is_valid_and_trains() {
    let project = Project::new();
    let mut count = 0;
    for config in configs() {
        let text = fs::read_to_string(root().join(&config)).unwrap();
        assert!(
            text.starts_with("#:schema ../fireclay.schema.json\n"),
            "{config} has no schema line"
        );
        assert!(
            !["EXPECTED", "   TIME", "   RESULT"]
                .iter()
                .any(|word| text.contains(word)),
            "{config} promises a number that was not filled in"
        );
        count += 1;
        if is_elsewhere(&text) {
            // Its data is not part of the checkout.
            project.ok(&format!("check {config} --no-data"));
            continue;
        }
        project.ok(&format!("check {config}"));
        project.ok(&format!(
            "train {config} -q --set train.max_steps=3 --set device.backend=flex \
             --set lr_scheduler.type=constant --set lr_scheduler.warmup_steps=0"
        ));
    }
    assert!(count >= 25, "only {count} configs");
}

#[test]
fn the_default_example_reaches_what_its_comment_says() {
    let project = Project::new();
    let ran =
        project.ok("train configs/tabular/breast-cancer.toml --json -q --set device.backend=flex");
    let metrics = &ran.json()["evaluation"]["test"]["metrics"];
    assert!(metrics["accuracy"].as_f64().unwrap() >= 0.94, "{metrics}");
    assert!(metrics["roc_auc"].as_f64().unwrap() >= 0.96, "{metrics}");
}

#[test]
fn the_wgpu_example_is_one_changed_line() {
    let text = fs::read_to_string(root().join("configs/tabular/breast-cancer-wgpu.toml")).unwrap();
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    assert_eq!(
        lines,
        [
            "extends = \"breast-cancer.toml\"",
            "[device]",
            "backend = \"wgpu\""
        ]
    );
}

#[test]
fn the_data_sets_are_what_their_readme_says() {
    use sha2::{Digest, Sha256};
    let readme = fs::read_to_string(root().join("datasets/README.md")).unwrap();
    for file in [
        "datasets/breast-cancer/data.csv",
        "datasets/crude-oil/data.csv",
        "datasets/crude-oil/prices.csv",
        "datasets/iris/data.csv",
        "datasets/diabetes/data.csv",
        "datasets/digits/data.parquet",
    ] {
        let bytes = fs::read(root().join(file)).unwrap();
        let hash: String = Sha256::digest(&bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert!(
            readme.contains(&format!("{hash}  {file}")),
            "{file}: {hash}"
        );
    }
}
