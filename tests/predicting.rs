//! Tables to predict for as they come: other spellings, bad rows, pipes; texts, sets of labels, weights.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Stdio;

use fireclay_data::{ReadOptions, Table, TableFormat, column};
use serde_json::Value;

use crate::support::{Project, Ran};

/// Numbers that look random and are the same each time.
fn random() -> impl FnMut(usize) -> usize {
    let mut state = 99_u64;
    move |below| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    }
}

/// Rows whose target follows from a grade, which is a number or X; `spell` writes the number.
fn grades(rows: usize, spell: impl Fn(usize) -> String) -> String {
    let (mut random, mut text) = (random(), String::from("age,grade,bought\n"));
    for _ in 0..rows {
        let (age, grade) = (20 + random(50), random(9));
        let bought = if grade % 2 == 0 { "yes" } else { "no" };
        let grade = if grade == 8 { "X".into() } else { spell(grade) };
        let _ = writeln!(text, "{age},{grade},{bought}");
    }
    text
}

/// A config for `table.csv` with more lines for `[data]`, and the task.
fn config(data: &str, task: &str) -> String {
    format!(
        "[device]\nbackend = \"flex\"\n[data]\ntype = \"csv\"\npath = \"table.csv\"\n{data}\n[model]\ntype = \"mlp\"\n\
         [task]\ntype = \"{task}\"\n[optimizer]\ntype = \"adamw\"\nlearning_rate = 1e-2\n[train]\nepochs = 25\n"
    )
}

/// A project with a table, trained.
fn trained(table: &str, data: &str, task: &str) -> Project {
    let project = Project::with(&config(data, task));
    project.write("table.csv", table);
    project.ok("train run.toml -q");
    project
}

fn accuracy(project: &Project, data: &str) -> (f64, String) {
    let ran = project.ok(&format!("evaluate runs/run/1 --data {data} --json"));
    let accuracy = ran.json()[data]["metrics"]["accuracy"].as_f64().unwrap();
    (accuracy, ran.err)
}

/// Runs `line` with this standard input.
fn piped(project: &Project, line: &str, input: &str) -> Ran {
    let mut command = project.command(line.split(' '));
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    Ran::from(child.wait_with_output().unwrap())
}

#[test]
fn the_same_number_is_the_same_category_and_others_are_counted() {
    let table = grades(600, |grade| grade.to_string());
    let project = trained(
        &table,
        "target = \"bought\"\ncolumns.grade.kind = \"categorical\"",
        "classification",
    );
    project.write("reals.csv", &grades(200, |grade| format!("{grade}.0")));
    let (right, said) = accuracy(&project, "reals.csv");
    assert!(
        right > 0.95 && !said.contains("training did not have"),
        "{right} {said}"
    );
    let other = grades(200, |grade| format!("grade {grade}"));
    let unknown = other.matches("grade ").count();
    project.write("words.csv", &other);
    let (_, said) = accuracy(&project, "words.csv");
    let expected = format!(
        "column \"grade\": {unknown} of 200 rows have categories that training did not have (grade "
    );
    assert!(said.contains(&expected), "{said}");
    let said = project.ok("predict runs/run/1 words.csv -o p.csv").err;
    assert!(
        said.contains(&expected) && said.contains(", ...)"),
        "{said}"
    );
    project.write("gaps.csv", "age,grade,bought\n,3,yes\n40,,no\n41,2,yes\n");
    let said = project.ok("predict runs/run/1 gaps.csv -o p.csv").err;
    for column in ["age", "grade"] {
        let expected = format!("column \"{column}\": 1 of 3 rows have no value");
        assert!(said.contains(&expected), "{said}");
    }
}

#[test]
fn a_column_of_the_name_of_an_answer_is_renamed() {
    let table = grades(200, |grade| grade.to_string());
    let mut named = String::from("prediction,probability_no,age,grade,bought\n");
    for (row, line) in table.lines().skip(1).enumerate() {
        let _ = writeln!(named, "r{row},{row},{line}");
    }
    let data = "target = \"bought\"\nid = \"prediction\"\nextra_columns = [\"probability_no\"]";
    let project = trained(&named, data, "classification");
    let said = project.ok("predict runs/run/1 table.csv -o p.csv").err;
    assert!(
        said.contains("\"prediction\" is written as \"column.prediction\""),
        "{said}"
    );
    let out = project.read("p.csv");
    let header = "column.prediction,prediction,probability_no,probability_yes";
    assert_eq!(out.lines().next(), Some(header));
    assert!(out.lines().nth(1).unwrap().starts_with("r0,"));
}

#[test]
fn rows_without_a_target_are_left_out_of_an_evaluation_too() {
    let table = grades(200, |grade| grade.to_string()) + "30,2,\n31,3,\n";
    let project = trained(
        &table,
        "target = \"bought\"\nmissing_target = \"drop\"",
        "classification",
    );
    let ran = project.ok("evaluate runs/run/1 --data table.csv --json");
    assert_eq!(ran.json()["table.csv"]["n"], 200);
    assert!(
        ran.err.contains("2 rows have no target and are left out"),
        "{}",
        ran.err
    );
    project.write("none.csv", "age,grade,bought\n30,2,\n");
    let none = project.run("evaluate runs/run/1 --data none.csv");
    none.refused(1, &["no row has a target", "bought"]);
}

#[test]
fn tables_come_and_go_through_pipes() {
    let table = grades(200, |grade| grade.to_string());
    let project = trained(&table, "target = \"bought\"", "classification");
    project.ok("predict runs/run/1 table.csv -o p.csv");
    let file = project.read("p.csv");
    let ran = piped(&project, "predict runs/run/1 -", &table);
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (0, file.as_str()),
        "{}",
        ran.err
    );
    assert!(
        ran.err.contains("200 rows to standard output"),
        "{}",
        ran.err
    );
    assert_eq!(project.ok("predict runs/run/1 table.csv -o -").out, file);
    let json = "{\"age\": 30, \"grade\": 2}\n{\"age\": 31, \"grade\": \"X\"}\n";
    let ran = piped(&project, "predict runs/run/1 - -o - --format jsonl", json);
    let rows = ran
        .out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    assert_eq!(
        rows.filter(|row| row["prediction"].is_string()).count(),
        2,
        "{}",
        ran.err
    );
    piped(&project, "predict runs/run/1 - -o q.csv", &table);
    assert_eq!(project.read("q.csv"), file);
    let bad = piped(
        &project,
        "predict runs/run/1 -",
        &table.replacen(",X,", ",X,1,", 1),
    );
    bad.refused(1, &["standard input:", "4 fields where the header has 3"]);
    assert_eq!(bad.out, "");
    let ran = piped(&project, "evaluate runs/run/1 --data - --json", &table);
    assert_eq!(ran.json()["-"]["n"], 200, "{}", ran.err);
    let useless = project.run("predict runs/run/1 table.csv -o p.csv --format csv");
    useless.refused(2, &["--format has no effect"]);
    project.refused(
        "predict runs/run/1 table.csv -o p.xlsx --format ods",
        2,
        &["csv, jsonl, parquet"],
    );
}

#[test]
fn bad_rows_are_named_and_may_be_skipped() {
    let table = grades(200, |grade| grade.to_string());
    let project = trained(&table, "target = \"bought\"", "classification");
    project.ok("predict runs/run/1 table.csv -o good.csv");
    let mut lines: Vec<String> = table.lines().map(String::from).collect();
    lines[5] = "1e300,3,no".into();
    lines[9] = "30,3,no,1,2".into();
    lines[120] = "1e301,3,no".into();
    project.write("bad.csv", &(lines.join("\n") + "\n"));
    let stops = project.run("predict runs/run/1 bad.csv -o p.csv");
    stops.refused(1, &["column \"age\", row 5 of", "bad.csv", "\"1"]);
    assert!(!project.path("p.csv").exists());
    let ran = project.ok("predict runs/run/1 bad.csv -o p.csv --on-error skip");
    for part in [
        "3 rows have no answer",
        "row 5 of",
        "bad.csv:10: 5 fields",
        "row 120 of",
    ] {
        assert!(ran.err.contains(part), "{part} is not in {}", ran.err);
    }
    assert!(ran.out.contains("197 rows to p.csv"), "{}", ran.out);
    // The others keep their numbers, and their answers but for rounding.
    let (good, out) = (project.read("good.csv"), project.read("p.csv"));
    let key = |line: &str| line.split(',').take(2).collect::<Vec<_>>().join(",");
    let is_kept = |line: &&str| {
        ![5, 9, 120]
            .iter()
            .any(|row| line.starts_with(&format!("{row},")))
    };
    assert!(
        out.lines()
            .map(key)
            .eq(good.lines().filter(is_kept).map(key))
    );
    project.write("all.csv", "age,grade,bought\n1e300,3,no\n");
    let none = project.run("predict runs/run/1 all.csv -o n.csv --on-error skip");
    none.refused(1, &["1 row has no answer", "row 1 of"]);
    let jsonl = "{\"age\": 30, \"grade\": 2}\nnonsense\n{\"age\": 1e300, \"grade\": 2}\n{\"age\": 31, \"grade\": 3}\n";
    project.write("bad.jsonl", jsonl);
    let ran = project.ok("predict runs/run/1 bad.jsonl -o p.csv --on-error skip");
    assert!(
        ran.err.contains("bad.jsonl:2") && ran.err.contains("row 3 of"),
        "{}",
        ran.err
    );
    let rows: Vec<String> = project.read("p.csv").lines().skip(1).map(key).collect();
    assert!(
        rows[0].starts_with("1,") && rows[1].starts_with("4,") && rows.len() == 2,
        "{rows:?}"
    );
}

/// Rows with labels that follow from the columns; `old` and `big` as a set and as flags.
fn sets(rows: usize) -> String {
    let (mut random, mut text) = (random(), String::from("age,size,tags,old,big\n"));
    for _ in 0..rows {
        let (age, size) = (random(80), random(100));
        let (old, big) = (age > 40, size > 50);
        let tags = match (old, big) {
            (true, true) => "old; big",
            (true, false) => "old",
            (false, true) => "big",
            (false, false) => "",
        };
        let _ = writeln!(
            text,
            "{age},{size},{tags},{},{}",
            u8::from(old),
            u8::from(big)
        );
    }
    text
}

#[test]
fn rows_of_a_table_may_have_several_labels() {
    let in_one = "target = \"tags\"\nlabel_separator = \";\"\nignore = [\"old\", \"big\"]";
    let in_several = "targets = [\"big\", \"old\"]\nignore = [\"tags\"]";
    for data in [in_one, in_several] {
        let project = trained(&sets(400), data, "multilabel");
        let f1 = project.metric(1, "test", "f1_micro");
        assert!(f1 > 0.9, "{f1}");
        let again = project.ok_json("evaluate runs/run/1 --json");
        assert_eq!(
            again["test"],
            project.json("runs/run/1/evaluation.json")["test"]
        );
        let other = project.ok_json("evaluate runs/run/1 --data table.csv --json");
        assert_eq!(other["table.csv"]["n"], 400);
        project.write("new.csv", "age,size\n75,95\n3,4\n");
        project.ok("predict runs/run/1 new.csv -o p.csv");
        let out = project.read("p.csv");
        let lines: Vec<&str> = out.lines().collect();
        assert_eq!(lines[0], "row,prediction,probability_big,probability_old");
        assert!(
            lines[1].starts_with("1,big;old,") && lines[2].starts_with("2,,"),
            "{out}"
        );
        let checked = project.ok("check run.toml");
        assert!(
            checked.err.contains("400 rows, 2 features"),
            "{}",
            checked.err
        );
    }
    let project = Project::with(&config("target = \"tags\"", "multilabel"));
    project.write("table.csv", &sets(40));
    project.refused("check run.toml", 2, &["label_separator", "targets"]);
    project.write("run.toml", &config(in_one, "classification"));
    project.refused("train run.toml", 2, &["label_separator", "multilabel"]);
    project.write("run.toml", &config("", "classification"));
    project.refused("train run.toml", 2, &["target", "the column to predict"]);
    let said = project.ok("init table.csv --target tags").out;
    assert!(
        said.contains("target   tags (multilabel)") && said.contains("\";\""),
        "{said}"
    );
    project.ok("check table.toml");
}

#[test]
fn a_column_of_texts_beside_numbers_is_learned_from() {
    let (mut random, mut table) = (random(), String::from("review,price,verdict\n"));
    for _ in 0..300 {
        let good = random(2) == 0;
        let filler = ["the", "pot", "is", "on", "my", "table", "with", "a", "lid"];
        let mut words: Vec<&str> = (0..7).map(|_| filler[random(filler.len())]).collect();
        words.insert(
            random(7),
            if good {
                ["great", "lovely"][random(2)]
            } else {
                ["awful", "broken"][random(2)]
            },
        );
        let _ = writeln!(
            table,
            "{},{}.5,{}",
            words.join(" "),
            random(40),
            if good { "pos" } else { "neg" }
        );
    }
    let project = Project::new();
    project.write("table.csv", &table);
    let said = project.ok("init table.csv --target verdict").out;
    assert!(said.contains("texts of about 8 words"), "{said}");
    assert!(project.read("table.toml").contains("text = [\"review\"]"));
    project.ok("check table.toml");
    project.ok("train table.toml -q --set device.backend=flex");
    let report = project.json("runs/table/1/evaluation.json");
    let accuracy = report["test"]["metrics"]["accuracy"].as_f64().unwrap();
    assert!(accuracy > 0.9, "{accuracy}");
    project.write("new.csv", "review,price\nThe lid is AWFUL!,3\n,4\n");
    project.ok("predict runs/table/1 new.csv -o p.csv");
    assert!(
        project
            .read("p.csv")
            .lines()
            .nth(1)
            .unwrap()
            .starts_with("1,neg")
    );
    // Without the key the column is left out, and what learns from it is said.
    project.write(
        "run.toml",
        &config("target = \"verdict\"", "classification"),
    );
    let said = project.ok("check run.toml").err;
    assert!(
        said.contains("data.text = [\"review\"] learns from their words"),
        "{said}"
    );
    let wrong = "--set data.text=[\"verdict\"]";
    project.refused(
        &format!("check run.toml {wrong}"),
        2,
        &["data.text", "target"],
    );
}

#[test]
fn weights_are_for_training_and_evaluation_alone() {
    let table = grades(300, |grade| grade.to_string());
    let mut weighted = String::from("w,age,grade,bought\n");
    for (row, line) in table.lines().skip(1).enumerate() {
        let _ = writeln!(weighted, "{},{line}", row % 3);
    }
    let project = trained(
        &weighted,
        "target = \"bought\"\nweight = \"w\"",
        "classification",
    );
    project.write(
        "run.toml",
        &config("target = \"bought\"\nignore = [\"w\"]", "classification"),
    );
    project.ok("train run.toml -q");
    let weights = |run: u32| project.bytes(&format!("runs/run/{run}/model.safetensors"));
    assert!(weights(1) != weights(2), "the weights made no difference");
    project.write("plain.csv", &table);
    project.ok("predict runs/run/1 plain.csv -o p.csv");
    assert_eq!(project.read("p.csv").lines().count(), 301);
    project.ok("evaluate runs/run/1 --data table.csv");
    let lacks = project.run("evaluate runs/run/1 --data plain.csv");
    lacks.refused(1, &["data.weight", "\"w\""]);
}

#[test]
fn a_seed_of_the_split_keeps_its_rows() {
    let data = "target = \"bought\"\nsplit = { seed = 5 }";
    let project = trained(
        &grades(200, |grade| grade.to_string()),
        data,
        "classification",
    );
    project.ok("train run.toml -q --set seed=7");
    project.ok("train run.toml -q --set data.split.seed=6");
    let rows = |run: u32| {
        let path = project.path(&format!("runs/run/{run}/predictions.parquet"));
        let options = ReadOptions::new(TableFormat::Parquet);
        let table = Table::read(path.to_str().unwrap(), &options).unwrap();
        format!("{:?}", column(table.batch(), "row").unwrap())
    };
    assert_eq!(rows(1), rows(2));
    assert_ne!(rows(1), rows(3));
    let timed = "--set data.split.time=\"age\"";
    project.refused(
        &format!("check run.toml {timed}"),
        2,
        &["split.seed", "no effect"],
    );
}

#[test]
fn several_labels_of_an_answer_stand_between_the_separator_of_the_data() {
    let mut table = String::from("a,b,labels\n");
    for row in 0..120 {
        let (a, b) = (row % 2, row / 2 % 2);
        let labels = [(a, "red"), (b, "old")]
            .into_iter()
            .filter(|(is, _)| *is == 1);
        let labels: Vec<_> = labels.map(|(_, label)| label).collect();
        let _ = writeln!(table, "{a},{b},{}", labels.join("|"));
    }
    let data = "target = \"labels\"\nlabel_separator = \"|\"";
    let project = trained(&table, data, "multilabel");
    project.write("rows.csv", "a,b\n1,1\n");
    project.ok("predict runs/run/1 rows.csv -o p.csv");
    let said = project.read("p.csv");
    let both = ["1,old|red,", "1,red|old,"];
    assert!(both.iter().any(|both| said.contains(both)), "{said}");
}

#[test]
fn what_predict_says_of_a_table_helps_whoever_cannot_change_the_run() {
    let table = grades(200, |grade| grade.to_string());
    let project = trained(&table, "target = \"bought\"", "classification");
    let refused = |name: &str, content: &str, parts: &[&str]| {
        project.write(name, content);
        let ran = project.run(&format!("predict runs/run/1 {name} -o p.csv"));
        ran.refused(1, parts);
        for key in ["[data]", "null_values", "skip_rows", "kind"] {
            assert!(!ran.err.contains(key), "{key} in {}", ran.err);
        }
    };
    refused(
        "short.csv",
        "age,grade\n30,2\n31\n32,1\n",
        &["short.csv:3", "--on-error skip"],
    );
    refused(
        "other.csv",
        "age;grade\n30;2\n31;3\n32;1\n",
        &["no column \"age\"", "the same delimiter"],
    );
    refused(
        "word.csv",
        "age,grade\n30,2\nold,3\n",
        &["column \"age\", row 2", "\"old\" is not a number"],
    );
    let latin = b"age,grade\n30,2\n31,\xe5\n";
    std::fs::write(project.path("latin.csv"), latin).unwrap();
    let ran = project.run("predict runs/run/1 latin.csv -o p.csv");
    ran.refused(1, &["latin.csv:3", "the run reads UTF-8"]);
    assert!(!ran.err.contains("[data]"), "{}", ran.err);
    let packed = project.run("predict runs/run/1 table.csv -o p.csv.gz --format csv");
    packed.refused(
        2,
        &["p.csv.gz would not be packed", "pack what -o - writes"],
    );
}

#[test]
fn predict_tells_of_what_it_reads_as_missing() {
    let table = grades(200, |grade| grade.to_string());
    let project = trained(&table, "target = \"bought\"", "classification");
    project.write(
        "rows.jsonl",
        "{\"age\": NaN, \"grade\": 2}\n{\"age\": 31, \"grade\": \"X\"}\n",
    );
    let said = project.ok("predict runs/run/1 rows.jsonl -o p.csv").err;
    assert!(
        said.contains("1 values are NaN or Infinity, which are read as missing"),
        "{said}"
    );
    project.write("rows.csv", "age,grade\n30,None\nNA,3\n");
    let said = project.ok("predict runs/run/1 rows.csv -o p.csv").err;
    let expected = "read as missing: \"NA\" in \"age\" (1 cell), \"None\" in \"grade\" (1 cell)";
    assert!(said.contains(expected), "{said}");
}
