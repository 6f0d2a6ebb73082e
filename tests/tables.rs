//! From a table that nobody has described to predictions, with no hand editing.

use std::fmt::Write;

use serde_json::Value;

use crate::support::Project;

/// A table with numbers, categories, dates, truths, gaps, an id and a useless column, whose target
/// follows from some of them.
fn mixed(rows: usize) -> String {
    let mut text = String::from("customer_id,age,income,city,joined,member,notes,churn\n");
    let mut state = 12345_u64;
    let mut random = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / f64::from(1_u32 << 31)
    };
    for row in 0..rows {
        let (age, income, city) = (
            20.0 + 50.0 * random(),
            1000.0 * random(),
            (random() * 4.0) as usize,
        );
        let member = random() > 0.5;
        let score =
            (age - 45.0) / 15.0 + if member { -1.0 } else { 1.0 } + [0.0, 1.0, -1.0, 0.5][city];
        let churn = score + 0.5 * (random() - 0.5) > 0.3;
        let city = ["Oslo", "Bergen", "Tromsø", "Ås, \"north\""][city].replace('"', "\"\"");
        let income = match random() < 0.1 {
            true => String::new(),
            false => format!("{income:.2}"),
        };
        let (month, day) = (1 + (random() * 12.0) as u32, 1 + (random() * 28.0) as u32);
        let _ = writeln!(
            text,
            "C{row:05},{age:.1},{income},\"{city}\",2024-{month:02}-{day:02},{member},free text {row},{}",
            if churn { "yes" } else { "no" },
        );
    }
    text
}

#[test]
fn a_mixed_table_goes_from_init_to_predict() {
    let project = Project::new();
    project.write("customers.csv", &mixed(800));
    let said = project.ok("init customers.csv").out;
    assert!(said.contains("target   churn (classification)"), "{said}");
    let config = project.read("customers.toml");
    assert!(config.contains("id = \"customer_id\""));
    project.ok("check customers.toml");
    let ran = project.ok_json("train customers.toml --json -q --set device.backend=flex");
    let accuracy = &ran["evaluation"]["test"]["metrics"]["accuracy"];
    let accuracy = accuracy.as_f64().unwrap();
    assert!(accuracy > 0.85, "accuracy {accuracy}");
    project.ok("predict runs/customers/1 customers.csv -o predictions.csv");
    let predictions = project.read("predictions.csv");
    let mut lines = predictions.lines();
    let header = "customer_id,prediction,probability_no,probability_yes";
    assert_eq!(lines.next(), Some(header));
    assert!(lines.next().unwrap().starts_with("C00000,"));
    assert_eq!(lines.count(), 799);
}

#[test]
fn a_table_in_another_dialect_goes_from_init_to_predict() {
    let project = Project::new();
    let row = |i: usize| {
        let (city, class) = (
            ["Tromsø", "Ås", "Bodø"][i % 3],
            ["low", "high"][i * i % 7 % 2],
        );
        format!("{};{}.5;{city};{class}\n", i * 7 % 40, i % 11)
    };
    let text = String::from("# measured in 2024\n") + &(0..300).map(row).collect::<String>();
    // The first 256 characters of Unicode are those of Latin-1.
    let latin: Vec<u8> = text.chars().map(|c| c as u8).collect();
    std::fs::write(project.path("cities.data"), &latin).unwrap();
    let said = project.ok("init cities.data").out;
    assert!(said.contains("windows-1252"), "{said}");
    assert!(said.contains("the first line looks like data"), "{said}");
    let config = project.read("cities.toml");
    for key in [
        "delimiter = \";\"",
        "comment = \"#\"",
        "header = false",
        "encoding = \"windows-1252\"",
    ] {
        assert!(config.contains(&format!("{key}\n")), "no {key} in {config}");
    }
    project.ok("check cities.toml");
    project.ok("train cities.toml -q --set device.backend=flex --set train.epochs=2");
    assert!(
        project
            .read("runs/cities/1/preprocess.json")
            .contains("Tromsø")
    );
    project.ok("predict runs/cities/1 cities.data -o answers.csv");
    assert_eq!(project.read("answers.csv").lines().count(), 301);
    project.refused(
        "predict runs/cities/1 cities.data -o answers.csv.gz",
        2,
        &["answers.csv.gz"],
    );
    // Nothing is guessed in training: the error names the keys.
    let wrong = "train cities.toml --set data.comment=% --set data.encoding=utf-8";
    project.refused(wrong, 1, &["cities.data:", "windows-1252"]);
}

#[test]
fn init_does_not_overwrite_and_takes_a_named_target() {
    let project = Project::new();
    project.write("customers.csv", &mixed(60));
    project.ok("init customers.csv");
    project.refused("init customers.csv", 2, &["exists already", "--force"]);
    let said = project.ok("init customers.csv --force --target age").out;
    assert!(said.contains("target   age (regression)"), "{said}");
    let ran = project.run("init customers.csv --force --target nope");
    ran.refused(1, &["nope", "customer_id"]);
}

#[test]
fn formats_answer_alike() {
    let project = Project::new();
    project.ok("train configs/tabular/iris.toml -q --set train.epochs=5 --set device.backend=flex");
    let run = "runs/iris/1";
    for output in ["a.csv", "a.jsonl", "a.parquet"] {
        project.ok(&format!("predict {run} datasets/iris/data.csv -o {output}"));
    }
    let text = project.read("a.jsonl");
    let rows = text.lines().map(|line| serde_json::from_str(line).unwrap());
    let rows: Vec<Value> = rows.collect();
    assert_eq!(rows.len(), 150);
    let csv = project.read("a.csv");
    for (line, row) in csv.lines().skip(1).zip(&rows) {
        let cells: Vec<&str> = line.split(',').collect();
        assert_eq!(cells[1], row["prediction"].as_str().unwrap());
        // The default precision of numbers round-trips: both texts are the same f64.
        let (text, json) = (
            cells[2].parse::<f64>().unwrap(),
            row["probability_setosa"].as_f64().unwrap(),
        );
        assert!(text.to_bits() == json.to_bits(), "{line} and {row}");
    }
}

#[test]
fn an_unseen_category_has_an_answer_and_a_missing_column_an_error() {
    let project = Project::new();
    project.write("customers.csv", &mixed(300));
    project.ok("init customers.csv");
    project.ok("train customers.toml -q --set train.epochs=3 --set device.backend=flex");
    let run = "runs/customers/1";
    let unseen = "customer_id,age,income,city,joined,member\nX1,30,,Atlantis,2024-05-05,true\n";
    project.write("unseen.csv", unseen);
    project.ok(&format!("predict {run} unseen.csv -o out.csv"));
    let out = project.read("out.csv");
    assert!(out.lines().nth(1).unwrap().starts_with("X1,"));
    project.write(
        "short.csv",
        "customer_id,age,income,joined,member\nX1,30,1,2024-05-05,true\n",
    );
    let ran = project.run(&format!("predict {run} short.csv -o other.csv"));
    ran.refused(1, &["city", "short.csv"]);
    assert!(!project.path("other.csv").exists());
    project.write("word.csv", &unseen.replace("30", "thirty"));
    let ran = project.run(&format!("predict {run} word.csv -o out.csv"));
    ran.refused(1, &["age", "row 1", "thirty"]);
    assert!(
        project.read("out.csv").contains("X1"),
        "a failed prediction cost the last one"
    );
}

/// Prices written as in Germany, with words among the numbers, of which some have no target.
fn german(rows: usize) -> String {
    let mut text = String::from(";größe;zustand;preis\n");
    for row in 0..rows {
        let size = 40 + row * 37 % 101;
        let cell = match row % 50 {
            7 => "unbekannt".to_owned(),
            _ => format!("{size},5"),
        };
        let price = match row % 40 {
            3 => "-".to_owned(),
            _ => format!("{}.{:03},00 €", 1 + size * size / 1000, row * 389 % 1000),
        };
        let state = ["gut", "Gut"][row % 2];
        let _ = writeln!(text, "{};{cell};{state};{price}", 3 * row);
    }
    text
}

#[test]
fn a_table_of_another_country_with_odd_cells_goes_from_init_to_predict() {
    let project = Project::new();
    project.write("haus.csv", &german(400));
    let said = project.ok("init haus.csv --target preis").out;
    for part in [
        "target   preis (regression)",
        "392 of 400 cells are numbers, the others are read as missing: \"unbekannt\" (8 cells, first in row 8)",
        "390 of 400 cells are numbers",
        "a decimal comma",
        "data.decimal",
    ] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    let config = project.read("haus.toml");
    assert!(config.contains("ignore = [\"Unnamed: 0\"]"), "{config}");
    let checked = project.ok("check haus.toml").err;
    assert!(
        checked.contains("392 of 400") && checked.contains("390 of 400"),
        "{checked}"
    );
    let ran = project.run("train haus.toml --set train.epochs=30 --set device.backend=flex");
    assert!(ran.err.contains("392 of 400") || ran.out.contains("392 of 400"));
    project.ok("predict runs/haus/1 haus.csv -o p.csv");
    let predictions = project.read("p.csv");
    assert_eq!(predictions.lines().count(), 401);
    let mean = predictions
        .lines()
        .skip(1)
        .map(|line| line.split(',').nth(1).unwrap().parse::<f64>().unwrap())
        .sum::<f64>()
        / 400.0;
    assert!(
        (mean - 9_500.0).abs() < 3_000.0,
        "prices are thousands of euros: {mean}"
    );
    project.ok("evaluate runs/haus/1 --split test");
}

#[test]
fn evaluation_of_other_data_equals_that_of_the_split() {
    let project = Project::new();
    project
        .ok("train configs/tabular/iris.toml -q --set train.epochs=10 --set device.backend=flex");
    let run = "runs/iris/1";
    let all = project.ok_json(&format!(
        "evaluate {run} --data datasets/iris/data.csv --json"
    ));
    assert_eq!(all["datasets/iris/data.csv"]["n"], 150);
    let test = project.ok_json(&format!("evaluate {run} --json"));
    let report = project.json(&format!("{run}/evaluation.json"));
    assert_eq!(test["test"], report["test"]);
    let out = project.ok(&format!("evaluate {run} --split train")).out;
    assert!(out.contains("confusion matrix"));
}

#[test]
fn regression_reports_in_the_unit_of_the_target() {
    let project = Project::new();
    let ran =
        project.ok_json("train configs/tabular/diabetes.toml --json -q --set device.backend=flex");
    let rmse = &ran["evaluation"]["test"]["metrics"]["rmse"];
    let rmse = rmse.as_f64().unwrap();
    assert!((30.0..75.0).contains(&rmse), "rmse {rmse}");
    project.ok("predict runs/diabetes/1 datasets/diabetes/data.csv -o p.csv");
    let predictions = project.read("p.csv");
    let lines = predictions.lines().skip(1);
    let values = lines.map(|line| line.split(',').nth(1).unwrap().parse::<f64>().unwrap());
    let mean = values.sum::<f64>() / 442.0;
    assert!((mean - 152.0).abs() < 15.0, "mean {mean}");
}

/// A model for tables starts from a run or a checkpoint that read the same columns, and reads new rows as that
/// one did.
#[test]
fn a_table_model_starts_from_another_run() {
    let project = Project::with(crate::support::EVERYTHING);
    let data = project.read("datasets/breast-cancer/data.csv");
    let half: Vec<&str> = data.lines().step_by(2).collect();
    project.write("half.csv", &(half.join("\n") + "\n"));
    project.ok("train run.toml -q --set train.epochs=30");
    let start = "--set model.pretrained=runs/run/1";
    let line = "train run.toml --set train.max_steps=1 --set lr_scheduler.type=constant";
    let ran = project.ok(&format!("{line} --set data.path=half.csv {start}"));
    assert!(ran.out.contains("tensors loaded"), "{}", ran.out);
    assert_eq!(
        project.read("runs/run/1/preprocess.json"),
        project.read("runs/run/2/preprocess.json")
    );
    let [before, after] = [1, 2].map(|run| project.metric(run, "valid", "accuracy"));
    assert!(after > before - 0.1, "{before} {after}");
    let table = r#"
model.hidden=[16] | `pretrained` cannot be used | hidden
model.pretrained=nowhere | `pretrained` cannot be used | preprocess.json
"#;
    for (set, words) in crate::support::cases(table) {
        project.refused(&format!("{line} {start} --set {set}"), 2, &words);
    }
    let other = format!("check run.toml {start} --set data.ignore=[\"mean_radius\"]");
    project.refused(&other, 2, &["\"mean_radius\" is not there"]);
}
