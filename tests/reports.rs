//! Pages, comparisons and lists of real runs.

use crate::support::{EVERYTHING, Project, root};

#[test]
fn a_report_has_the_numbers_of_the_evaluation_and_leaves_the_run_as_it_was() {
    let project = Project::with(EVERYTHING);
    project.ok("train run.toml -q --report");
    let page = project.read("runs/run/1/report.html");
    let evaluation = project.json("runs/run/1/evaluation.json");
    for split in ["valid", "test"] {
        let metrics = evaluation[split]["metrics"].as_object().unwrap();
        for (name, value) in metrics {
            assert!(
                page.contains(&format!("<data value=\"{}\">", value.as_f64().unwrap())),
                "{split}/{name}"
            );
        }
    }
    assert!(page.len() < 3_000_000);
    // The run is verified, and trains the same again.
    project.ok("evaluate runs/run/1 --json");
    project.ok("train run.toml -q");
    assert!(!project.path("runs/run/2/report.html").exists());
    for name in [
        "model.safetensors",
        "metrics.jsonl",
        "evaluation.json",
        "config.toml",
    ] {
        let [first, second] = [1, 2].map(|run| project.bytes(&format!("runs/run/{run}/{name}")));
        assert!(first == second, "{name}");
    }
}

#[test]
fn a_config_asks_for_reports() {
    let project = Project::with(&format!(
        "{EVERYTHING}\n[report]\ncard = true\nplots = true\n"
    ));
    let said = project.ok("train run.toml").out;
    assert!(said.contains("report   runs/run/1/report.html"), "{said}");
    assert!(
        project
            .read("runs/run/1/model-card.md")
            .contains("To be filled in by the author")
    );
    let loss = project.read("runs/run/1/plots/loss.svg");
    assert!(loss.starts_with("<svg "), "{loss}");
    assert!(project.read("runs/run/1/config.toml").contains("[report]"));
    project.refused(
        "check run.toml --set report.htm=true",
        2,
        &["did you mean `html`?"],
    );
    project.ok("resume runs/run/1 -q --set report.plots=false");
}

#[test]
fn a_report_is_written_where_it_is_asked_for() {
    let project = Project::with(EVERYTHING);
    project.ok("train run.toml -q");
    let said = project
        .ok("report runs/run -o page.html --plots figures/new --card card.md")
        .out;
    assert!(said.starts_with("page.html\n"), "{said}");
    assert!(
        said.contains("figures/new/calibration.svg") && said.contains("card.md"),
        "{said}"
    );
    assert!(project.read("page.html").starts_with("<!doctype html>"));
    assert!(project.path("figures/new/loss.svg").exists());
    project.refused("report nowhere", 1, &["is not a run folder"]);
    // Nothing that a run has made is written over, and a link stays a link.
    for line in [
        "report runs/run -o runs/run/1/model.safetensors",
        "report runs/run --card runs/run/1/config.toml",
        "compare runs/run/1 runs/run/1 --html runs/run/1/metrics.jsonl",
        "track runs/run --csv runs/run/1/run.lock",
    ] {
        project.refused(line, 2, &["belongs to the run"]);
    }
    project.ok("evaluate runs/run/1 --json");
    std::os::unix::fs::symlink("page.html", project.path("link.html")).unwrap();
    project.ok("report runs/run -o link.html");
    assert!(project.path("link.html").is_symlink());
    project.write("runs/run/1/evaluation.json", "{");
    project.refused("report runs/run", 1, &["evaluation.json is damaged"]);
}

#[test]
fn runs_are_compared_over_the_same_rows() {
    let project = Project::with(EVERYTHING);
    project.ok("train run.toml -q");
    project.ok("train run.toml -q --set optimizer.learning_rate=0.00001");
    let found = project.ok_json("compare runs/run/1 runs/run/2 --json --html both.html");
    let keys = found["differences"].as_array().unwrap();
    assert_eq!(keys.len(), 1, "{keys:?}");
    assert_eq!(keys[0]["key"], "optimizer.learning_rate");
    let paired = &found["paired"][0];
    assert_eq!(paired["metric"], "accuracy");
    let [first, second] = [1, 2].map(|run| project.metric(run, "test", "accuracy"));
    let difference = paired["difference"].as_f64().unwrap();
    assert!((difference - (second - first)).abs() < 1e-12, "{paired}");
    assert!(
        project
            .read("both.html")
            .contains("optimizer.learning_rate")
    );
    let said = project.ok("compare runs/run/1 runs/run/2").out;
    assert!(
        said.find("optimizer.learning_rate") < said.find("test/accuracy"),
        "{said}"
    );
    project.ok("train run.toml -q --set seed=9");
    let other = project.ok("compare runs/run/1 runs/run/3").out;
    assert!(other.contains("samples are not the same"), "{other}");
    project.refused("compare runs/run/1", 2, &["<RUNS>"]);
}

#[test]
fn runs_are_listed_with_their_results() {
    let project = Project::with(EVERYTHING);
    project.ok("train run.toml -q");
    project.ok("train run.toml -q --name other --set train.epochs=2");
    let all = project.ok_json("runs --json");
    let names: Vec<&str> = all
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["other/1", "run/1"]);
    assert_eq!(
        all[1]["value"].as_f64(),
        Some(project.metric(1, "test", "accuracy"))
    );
    assert_eq!(all[1]["state"], "finished");
    let table = project
        .ok("runs runs --sort -steps --filter state=finished")
        .out;
    assert!(table.find("run/1") < table.find("other/1"), "{table}");
    assert!(
        project
            .ok("runs --filter name=oth*")
            .out
            .contains("other/1")
    );
    project.refused(
        "runs --filter accurancy>0",
        2,
        &["accurancy", "test/accuracy"],
    );
    project.refused("runs --filter accuracy", 2, &["KEY=VALUE"]);
    project.refused("runs nowhere", 1, &["cannot read nowhere"]);
}

/// Chromium and what drives it, if they are here. Where FIRECLAY_REQUIRE_BROWSER is set, as in CI, they must be.
pub(crate) fn browser() -> Option<std::path::PathBuf> {
    if let Some(folder) = std::env::var_os("FIRECLAY_BROWSER") {
        return Some(folder.into());
    }
    assert!(
        std::env::var_os("FIRECLAY_REQUIRE_BROWSER").is_none(),
        "FIRECLAY_REQUIRE_BROWSER is set, but not FIRECLAY_BROWSER"
    );
    eprintln!("skipped: FIRECLAY_BROWSER names no folder with what drives a browser");
    None
}

/// Fails unless a browser finds nothing wrong with a page, on a wide and on a narrow screen, light and dark.
#[track_caller]
pub(crate) fn assert_sound(browser: &std::path::Path, page: &std::path::Path, charts: u64) {
    let mut command = std::process::Command::new("node");
    command.arg(root().join("tests/clients/page.mjs"));
    command.args([
        browser.display().to_string(),
        format!("file://{}", page.display()),
    ]);
    let ran = command.output().unwrap();
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    let found: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    for wrong in ["errors", "requests", "violations", "silent", "wide"] {
        assert_eq!(
            found[wrong],
            serde_json::json!([]),
            "{wrong} of {}",
            page.display()
        );
    }
    assert!(found["charts"].as_u64().unwrap() >= charts, "{found}");
    assert!(std::fs::metadata(page).unwrap().len() < 3_000_000);
}

#[test]
fn pages_of_every_kind_of_run_are_sound_in_a_browser() {
    let Some(browser) = browser() else {
        return;
    };
    let project = Project::new();
    let short = "--report --set device.backend=flex --set lr_scheduler.warmup_steps=0";
    let runs = [
        ("tabular/breast-cancer", "--set train.epochs=4", 8),
        ("tabular/diabetes", "--set train.epochs=4", 6),
        ("vision/digits-cnn", "--set train.epochs=1", 8),
        (
            "language/own-source",
            "--set train.max_steps=20 --set eval.every_steps=10",
            4,
        ),
    ];
    for (config, sets, charts) in runs {
        project.ok(&format!("train configs/{config}.toml -q {short} {sets}"));
        let name = config.rsplit('/').next().unwrap();
        assert_sound(
            &browser,
            &project.path(&format!("runs/{name}/1/report.html")),
            charts,
        );
    }
    project.ok("train configs/tabular/breast-cancer.toml -q --set train.epochs=2");
    project.ok("compare runs/breast-cancer/1 runs/breast-cancer/2 --html both.html");
    assert_sound(&browser, &project.path("both.html"), 1);
}
