//! Whole pages, lists and comparisons of run folders.

use std::fs;

use crate::testing::{EVIL, Runs};
use crate::{ReportError, RunFolder, State, card, compare, list, plots, report};

#[test]
fn the_numbers_are_those_of_the_evaluation() {
    let runs = Runs::new();
    for path in [runs.classifier("c/1", 7), runs.regression("r/1", 3.0)] {
        let run = RunFolder::open(&path).expect("a run");
        let page = report(&run);
        for report in run.evaluation.values() {
            for (name, value) in &report.metrics {
                assert!(
                    page.contains(&format!("<data value=\"{value}\">")),
                    "{name} {value}"
                );
            }
        }
    }
}

#[test]
fn strings_of_the_data_are_no_markup_and_nothing_is_loaded() {
    let runs = Runs::new();
    let run = RunFolder::open(&runs.classifier("c/1", 7)).expect("a run");
    let page = report(&run);
    assert!(page.contains("&lt;script&gt;alert"), "the class is shown");
    for found in [
        "<script>alert",
        "<b>",
        "<i>",
        "src=",
        "<link",
        "@import",
        "url(",
    ] {
        assert!(!page.contains(found), "{found}");
    }
    let addresses = page.matches("http").count();
    assert_eq!(
        addresses,
        page.matches("http://www.w3.org/2000/svg").count() + page.matches("http-equiv").count()
    );
    assert!(!card(&run).contains("<script>"));
    for plot in plots(&run).expect("drawn").charts {
        let (name, svg) = (plot.name, plot.svg);
        assert!(
            svg.starts_with("<svg xmlns=") && !svg.contains(EVIL),
            "{name}"
        );
        assert!(svg.contains("<title ") && svg.contains("<desc "), "{name}");
        assert!(plot.png.starts_with(b"\x89PNG\r\n"), "{name}");
    }
}

#[test]
fn charts_of_like_names_have_files_of_their_own() {
    let runs = Runs::new();
    let path = runs.classifier("c/1", 7);
    let bars = serde_json::json!({ "p": 1.0, "q": 2.0, "r": 3.0 });
    let long = "x".repeat(400);
    let found = serde_json::json!({ "age (y)": bars, "age-(y)": bars, "AGE  Y-": bars, "年齢": bars, "性別": bars, "deep": { "inner": bars }, long: bars });
    fs::write(path.join("explanations.json"), found.to_string()).expect("written");
    let run = RunFolder::open(&path).expect("a run");
    let names = || -> Vec<String> {
        let charts = plots(&run).expect("drawn").charts.into_iter();
        charts.map(|plot| plot.name).collect()
    };
    let found = names();
    let mut distinct = found.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(found.len(), distinct.len(), "{found:?}");
    assert!(found.iter().all(|name| name.len() < 100), "{found:?}");
    assert!(
        found.iter().filter(|name| name.contains("age")).count() >= 3,
        "{found:?}"
    );
    assert_eq!(found, names());
}

/// A run whose evaluation of the test split is changed by `change`.
fn changed(path: &std::path::Path, change: impl Fn(&mut serde_json::Value)) -> RunFolder {
    let file = path.join("evaluation.json");
    let text = fs::read_to_string(&file).expect("read");
    let mut evaluation: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    change(&mut evaluation["test"]);
    fs::write(&file, evaluation.to_string()).expect("written");
    RunFolder::open(path).expect("a run")
}

#[test]
fn a_few_samples_are_not_judged() {
    let runs = Runs::new();
    let verdict = |n: usize| {
        let path = runs.classifier(&format!("c/{n}"), 7);
        let page = report(&changed(&path, |test| test["n"] = n.into()));
        let start = page.find("<section id=\"verdict\"").expect("a verdict");
        let length = page[start..].find("</section>").expect("an end");
        page[start..start + length].to_owned()
    };
    let few = verdict(29);
    assert!(
        few.contains("The test split has 29 samples: too few to judge"),
        "{few}"
    );
    for judged in [
        "trivial answer",
        "fails a group",
        "Probabilities",
        "found less",
    ] {
        assert!(!few.contains(judged), "{judged}: {few}");
    }
    assert!(!verdict(30).contains("too few to judge the model"));
}

#[test]
fn a_run_that_diverged_says_where() {
    let runs = Runs::new();
    let path = runs.begun("c/1", "classification", 0.1);
    let record = path.join("metrics.jsonl");
    let text = fs::read_to_string(&record).expect("read");
    let end = "{\"step\":61,\"epoch\":7,\"split\":\"train\",\"loss\":null}\n";
    fs::write(&record, format!("{text}{end}")).expect("written");
    let listed = list(
        runs.root.path(),
        &["state=diverged".parse().expect("a filter")],
        None,
    );
    let listed = listed.expect("a list");
    assert_eq!(
        (listed[0].state, listed[0].diverged_at),
        (State::Diverged, Some(61))
    );
    let page = report(&RunFolder::open(&path).expect("a run"));
    assert!(page.contains("The training diverged at step 61."));
    assert!(!page.contains("The run has not finished."));
}

#[test]
fn thresholds_by_group_and_coverage_by_class_are_shown() {
    let runs = Runs::new();
    let path = runs.classifier("c/1", 7);
    assert!(report(&RunFolder::open(&path).expect("a run")).contains("The run decides at 0.5000."));
    let answer = path.join("postprocess.json");
    let text = fs::read_to_string(&answer).expect("read");
    let mut known: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    known["groups"] = serde_json::json!({
        "columns": [{ "name": "sex" }, { "name": "age" }],
        "thresholds": { "f & old": 0.375, "m & old": 0.625 },
    });
    fs::write(&answer, known.to_string()).expect("written");
    let rate = |value: f64| serde_json::json!({ "value": value, "n": 30, "low": 0.0, "high": 1.0 });
    let page = report(&changed(&path, |test| {
        test["fairness"] = serde_json::json!({ "min_group_size": 20, "attributes": [{
            "name": "sex & age",
            "groups": [{ "name": "f & old", "n": 30, "rates": { "selection_rate": rate(0.4375) } }],
            "differences": {},
            "findings": [],
        }]});
        test["coverage"] = serde_json::json!({
            "method": "lac_by_class", "stated": 0.9, "mean_size": 1.25,
            "measured": { "value": 0.925, "n": 60, "low": 0.82, "high": 0.97 },
            "by_class": [{ "class": "plain", "least": 0.125, "measured": { "value": 0.75, "n": 28, "low": 0.6, "high": 0.9 } }],
        });
    }));
    for words in [
        "Above the threshold of its group by sex &amp; age the answer is",
        "A sample of any other group is decided at 0.5000.",
        "0.375",
        "0.625",
        "<data value=\"0.4375\">",
        "Coverage by class of the test split",
        "60.0\u{a0}% to 90.0\u{a0}%",
        "<data value=\"0.125\">",
    ] {
        assert!(page.contains(words), "{words}");
    }
    assert!(!page.contains("The run decides at"));
}

#[test]
fn every_part_of_a_page_is_linked_and_named_once() {
    let runs = Runs::new();
    for path in [runs.classifier("c/1", 7), runs.regression("r/1", 3.0)] {
        let page = report(&RunFolder::open(&path).expect("a run"));
        let links: Vec<&str> = page
            .split("href=\"#")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .collect();
        assert!(links.len() > 5, "{links:?}");
        for link in links {
            assert_eq!(
                page.matches(&format!(" id=\"{link}\"")).count(),
                1,
                "{link}"
            );
        }
        let ids: Vec<&str> = page
            .split(" id=\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .collect();
        let mut distinct = ids.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(ids.len(), distinct.len(), "{ids:?}");
    }
}

#[test]
fn the_verdict_finds_what_is_wrong() {
    let runs = Runs::new();
    let page = report(&RunFolder::open(&runs.classifier("c/1", 7)).expect("a run"));
    assert!(
        page.contains("The model fails a group: group&lt;i&gt; = b."),
        "the slice"
    );
    assert!(
        page.contains("The model overfits from epoch 3 on."),
        "the curves"
    );
    assert!(page.contains("kept: epoch 3"), "the checkpoint");
}

#[test]
fn a_run_that_goes_on_has_a_page() {
    let runs = Runs::new();
    let path = runs.begun("c/1", "classification", 0.1);
    fs::write(path.join("metrics.jsonl"), "{\"step\":1,\"epo").expect("written");
    let run = RunFolder::open(&path).expect("a run");
    let page = report(&run);
    assert!(page.contains("The run has not finished.") && !run.is_finished());
    assert!(card(&run).contains("has not been evaluated"));
}

#[test]
fn other_predictions_are_refused() {
    let runs = Runs::new();
    let path = runs.classifier("c/1", 7).join("predictions.parquet");
    let mut bytes = fs::read(&path).expect("read");
    bytes[40] ^= 1;
    fs::write(&path, bytes).expect("written");
    let found = RunFolder::open(runs.root.path().join("c").as_path());
    assert!(
        matches!(found, Err(ReportError::Damaged { .. })),
        "{found:?}"
    );
    fs::write(path.with_file_name("evaluation.json"), "{").expect("written");
    let listed = list(runs.root.path(), &[], None).expect("a list");
    assert_eq!(
        (listed[0].state, listed[0].name.as_str()),
        (State::Damaged, "c/1")
    );
}

#[test]
fn a_difference_over_the_same_samples_is_judged() {
    let runs = Runs::new();
    let paths = [
        runs.classifier("c/1", 3),
        runs.classifier("c/2", 50),
        runs.classifier("c/3", 50),
    ];
    let open = paths.map(|path| RunFolder::open(&path).expect("a run"));
    let found = compare(&open).expect("three runs");
    let keys: Vec<&str> = found
        .differences
        .iter()
        .map(|row| row.key.as_str())
        .collect();
    assert_eq!(keys, ["optimizer.learning_rate"]);
    let accuracy = |first, second| {
        found
            .paired
            .iter()
            .find(|row| row.metric == "accuracy" && row.first == first && row.second == second)
            .expect("a pair")
    };
    assert_eq!(
        (accuracy(0, 1).real, accuracy(0, 1).better),
        (true, Some(1))
    );
    assert_eq!(
        (accuracy(1, 2).difference, accuracy(1, 2).better),
        (0.0, None)
    );
    let whole = |run: usize| {
        found
            .metrics
            .iter()
            .find(|row| row.split == "test" && row.metric == "accuracy")
            .expect("a row")
            .values[run]
            .expect("a value")
    };
    assert!((accuracy(0, 1).difference - (whole(1) - whole(0))).abs() < 1e-12);
    assert!(found.html(&open).contains("Which differences are real"));
}

#[test]
fn runs_of_other_samples_are_not_paired() {
    let runs = Runs::new();
    let paths = [runs.classifier("c/1", 3), runs.regression("r/1", 2.0)];
    let open = paths.map(|path| RunFolder::open(&path).expect("a run"));
    let found = compare(&open).expect("two runs");
    assert!(
        found.paired.is_empty() && found.notes[0].contains("one is for classification"),
        "{:?}",
        found.notes
    );
    let lock = open[0].path.join("run.lock");
    let other = fs::read_to_string(&lock)
        .expect("read")
        .replace("\"ab\"", "\"cd\"");
    let path = runs.classifier("c/2", 3);
    fs::write(&lock, other).expect("written");
    let open = [
        RunFolder::open(&open[0].path).expect("a run"),
        RunFolder::open(&path).expect("a run"),
    ];
    let found = compare(&open).expect("two runs");
    assert!(
        found.notes[0].contains("data files are not the same"),
        "{:?}",
        found.notes
    );
    assert!(compare(&open[..1]).is_err());
}

#[test]
fn runs_are_listed_filtered_and_sorted() {
    let runs = Runs::new();
    runs.classifier("c/9", 3);
    runs.classifier("c/10", 50);
    runs.begun("d/1", "regression", 0.5);
    let names = |filters: &[&str], sort: Option<&str>| -> Vec<String> {
        let filters: Vec<_> = filters
            .iter()
            .map(|text| text.parse().expect("a filter"))
            .collect();
        let sort = sort.map(|text| text.parse().expect("an order"));
        let found = list(runs.root.path(), &filters, sort.as_ref()).expect("a list");
        found.into_iter().map(|run| run.name).collect()
    };
    assert_eq!(names(&[], None), ["c/9", "c/10", "d/1"]);
    assert_eq!(names(&[], Some("-accuracy")), ["c/10", "c/9", "d/1"]);
    assert_eq!(names(&["state=unfinished"], None), ["d/1"]);
    assert_eq!(
        names(&["test/accuracy>0.7", "task=classification"], None),
        ["c/10"]
    );
    assert_eq!(names(&["optimizer.learning_rate=0.5"], None), ["d/1"]);
    let wrong = list(
        runs.root.path(),
        &["accurancy>1".parse().expect("a filter")],
        None,
    );
    assert!(
        wrong
            .expect_err("no such key")
            .to_string()
            .contains("accurancy")
    );
}

#[test]
fn fairness_and_explanations_are_shown_where_they_are_there() {
    let runs = Runs::new();
    let path = runs.classifier("c/1", 7);
    let file = path.join("evaluation.json");
    let text = fs::read_to_string(&file).expect("read");
    let mut evaluation: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let rate = |value: f64| serde_json::json!({ "value": value, "n": 300, "low": value - 0.1, "high": value + 0.1 });
    evaluation["test"]["fairness"] = serde_json::json!({
        "min_group_size": 20,
        "attributes": [{
            "name": "sex",
            "groups": [
                { "name": "<f>", "n": 30, "rates": { "selection_rate": rate(0.2) } },
                { "name": "m", "n": 30, "rates": { "selection_rate": rate(0.4) }, "values": { "ece": 0.125 } },
            ],
            "differences": { "demographic_parity_ratio": 0.5 },
            "four_fifths": false,
            "findings": ["sex: twice as often"],
        }],
    });
    evaluation["test"]["coverage"] = serde_json::json!({
        "method": "lac", "stated": 0.9, "measured": { "value": 0.925, "n": 60, "low": 0.82, "high": 0.97 }, "mean_size": 1.25,
    });
    fs::write(&file, evaluation.to_string()).expect("written");
    let found = serde_json::json!([{
        "method": "permutation", "of": "the log loss", "over": "valid", "n": 60, "meaning": "the rise of the loss",
        "columns": [{ "name": "age", "value": 0.25, "interval": [0.2, 0.3] }, { "name": "<i>", "value": 0.125 }],
        "samples": [{ "name": "row 3", "value": 0.75, "columns": [{ "name": "age", "value": 0.5, "cell": "41" }] }],
    }]);
    fs::write(path.join("explanations.json"), found.to_string()).expect("written");
    let page = report(&RunFolder::open(&path).expect("a run"));
    for words in [
        "By sex, a group is chosen less than four fifths as often as another.",
        "selection rate by sex",
        "0.2000 (0.1000 to 0.3000)",
        "<data value=\"0.5\">",
        "Importance by permutation",
        "age = 41: 0.5000",
        "does not hold",
        "stated coverage of 90.0\u{a0}% hold the truth of 92.5\u{a0}% of the samples",
    ] {
        assert!(page.contains(words), "{words}");
    }
    assert!(!page.contains("<f>") && !page.contains("<i>"));
    fs::write(
        path.join("explanations.json"),
        "{\"other\": {\"a\": 1.5, \"b\": \"x\"}}",
    )
    .expect("written");
    let page = report(&RunFolder::open(&path).expect("a run"));
    assert!(page.contains("<data value=\"1.5\">"));
}

#[test]
fn what_a_run_keeps_is_shown_and_sealed() {
    let runs = Runs::new();
    let path = runs.classifier("c/1", 7);
    let mean = |n: u64, loss: f64| serde_json::json!({ "n": n, "loss": loss, "error": 0.125 });
    let with = |mean: &serde_json::Value, more: serde_json::Value| {
        let mut all = mean.clone();
        let fields = all.as_object_mut().expect("an object");
        fields.extend(more.as_object().expect("an object").clone());
        all
    };
    let (first, second) = (mean(40, 3.25), mean(60, 1.5));
    let language = serde_json::json!({
        "split": "test", "n": 100, "loss": 2.2, "counted": 1000,
        "positions": [
            with(&first, serde_json::json!({ "from": 1, "to": 1 })),
            with(&second, serde_json::json!({ "from": 33, "to": 34 })),
        ],
        "classes": [with(&first, serde_json::json!({ "name": "word-initial" }))],
        "bands": [with(&second, serde_json::json!({ "from": 10, "to": 99 }))],
        "temperature": 1.0, "seed": 42, "max_tokens": 16,
        "texts": [{ "window": 3, "prompt": "<b>one", "followed": " two", "greedy": " tree", "sampled": EVIL }],
    });
    fs::write(path.join("language.json"), language.to_string()).expect("written");
    let line = |row: u64, chrf: f64| {
        let line = serde_json::json!({ "split": "test", "row": row, "chrf": chrf, "source": format!("source {row}"),
            "reference": "r", "translation": EVIL });
        format!("{line}\n")
    };
    let lines: String = (1..=40).map(|row| line(row, row as f64 + 0.125)).collect();
    fs::write(path.join("translations.jsonl"), lines).expect("written");
    let sample = |why: &str, key: &str, shown: &str| {
        let sample = serde_json::json!({ "split": "test", "name": "a<i>.png", "why": why, "truth": "plain",
            "prediction": EVIL, "value": 0.875, key: shown });
        format!("{sample}\n")
    };
    let samples = [
        sample("wrong", "picture", "data:image/png;base64,AAAA"),
        sample("wrong", "picture", "https://example.org/a.png"),
        sample("unsure", "text", "<b>a text"),
    ];
    fs::write(path.join("samples.jsonl"), samples.concat()).expect("written");
    let run = RunFolder::open(&path).expect("a run");
    let page = report(&run);
    for words in [
        "<data value=\"3.25\">",
        "33 to 34",
        "word-initial",
        "10 to 99 times",
        "&lt;b&gt;one",
        "source 40",
        "source 1<",
        "<img src=\"data:image/png;base64,AAAA\" alt=\"a&lt;i&gt;.png is plain, answered ",
        "Texts: least sure",
        "&lt;b&gt;a text",
    ] {
        assert!(page.contains(words), "{words}");
    }
    let parts = page.split_once("Best translations").expect("both tables");
    assert!(parts.1.contains("source 40") && !parts.1.contains("source 20<"));
    for found in ["<b>", "<i>", "<script>alert", "example.org"] {
        assert!(!page.contains(found), "{found}");
    }
    let drawn = plots(&run).expect("charts");
    let names: Vec<String> = drawn.charts.into_iter().map(|chart| chart.name).collect();
    for name in [
        "loss-by-position",
        "loss-by-kind",
        "loss-by-frequency",
        "chrf-of-texts",
    ] {
        assert!(names.iter().any(|found| found == name), "{names:?}");
    }
    fs::write(path.join("samples.jsonl"), "{\"split\":").expect("written");
    let found = RunFolder::open(&path);
    assert!(
        matches!(found, Err(ReportError::Damaged { .. })),
        "{found:?}"
    );
}

#[test]
fn a_saved_answer_about_drift_is_a_part_of_the_page_of_its_run() {
    let runs = Runs::new();
    let path = runs.classifier("c/1", 7);
    let open = || RunFolder::open(&path).expect("a run");
    assert!(!report(&open()).contains("id=\"drift\""));
    let file = runs.root.path().join("drift.json");
    let answer = |version: &str, n: u64| {
        let columns = serde_json::json!([
            {"name": EVIL, "n": n, "psi": 0.9, "psi_by_chance": 0.01, "unseen": 0.25},
            {"name": "chance", "n": n, "psi": 0.5, "psi_by_chance": 0.4},
        ]);
        serde_json::json!({"model": "c", "version": version, "n": n, "training_rows": 1200, "columns": columns})
    };
    let with = |text: String| {
        fs::write(&file, text).expect("written");
        open().with_drift(&file)
    };
    let page = report(&with(answer("1", 3400).to_string()).expect("an answer"));
    for wanted in [
        "id=\"drift\"",
        "3\u{202f}400 served samples of c",
        "1\u{202f}200 of the training",
        "0.25",
    ] {
        assert!(page.contains(wanted), "{wanted}");
    }
    assert!(
        page.contains("by chance, are: &lt;script"),
        "one column has moved"
    );
    assert!(!page.contains("alert(&#39;x&#39;)</script>&quot;&amp;, chance."));
    let page = report(&with(answer("1", 0).to_string()).expect("an answer"));
    assert!(page.contains("Nothing can be said yet"));
    let error = with(answer("2", 5).to_string()).expect_err("another run");
    assert!(error.to_string().contains("about run 2 of c"), "{error}");
    let error = with("{\"error\": \"turned off\"}".into()).expect_err("no answer");
    assert!(error.to_string().contains("no answer of /drift"), "{error}");
}
