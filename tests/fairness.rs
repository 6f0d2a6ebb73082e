//! Groups that are compared, what is done for them, calibrated probabilities and stated coverage.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::Value;

use crate::support::Project;

/// Numbers in [0, 1) from a seed.
fn draws(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// People of two sexes. Women have a lower `score` at the same chance of "yes", so that one threshold for
/// all finds fewer of them; `cost` is a number with noise. The splits are as large as `sizes` says.
fn people(seed: u64, sizes: [usize; 3]) -> String {
    let mut draw = draws(seed);
    let mut text = String::from("split,sex,age,score,other,cost,label\n");
    for (split, rows) in ["train", "valid", "test"].into_iter().zip(sizes) {
        for _ in 0..rows {
            let is_woman = draw() < 0.4;
            let chance = 4.0 * (draw() - 0.5);
            let label = draw() < 1.0 / (1.0 + (-2.0 * chance).exp());
            let score = chance - if is_woman { 0.8 } else { 0.0 };
            let (age, other) = (18.0 + (60.0 * draw()).floor(), draw() - 0.5);
            let cost = 3.0 * chance + other + (draw() - 0.5) * (1.0 + 4.0 * draw());
            let _ = writeln!(
                text,
                "{split},{},{age},{score:.4},{other:.4},{cost:.4},{}",
                if is_woman { "F" } else { "M" },
                if label { "yes" } else { "no" }
            );
        }
    }
    text
}

const CONFIG: &str = r#"
[device]
backend = "flex"

[data]
type = "csv"
path = "people.csv"
target = "label"
ignore = ["sex", "age", "cost"]
split = { column = "split" }

[model]
type = "mlp"
hidden = [8]

[task]
type = "classification"

[optimizer]
type = "adamw"
learning_rate = 1e-2

[train]
epochs = 4
batch_size = 64
"#;

const GROUPS: &str = "\n[fairness]\ngroups = [\"sex\", \"age\"]\n";

/// A project with people and this config.
fn project(config: &str) -> Project {
    let project = Project::with(config);
    project.write("people.csv", &people(7, [900, 600, 1000]));
    project
}

/// A CSV file as rows of cells by their column.
fn rows(project: &Project, name: &str) -> Vec<BTreeMap<String, String>> {
    let text = project.read(name);
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    let row = |line: &str| {
        let cells = header.iter().zip(line.split(','));
        cells
            .map(|(name, cell)| ((*name).to_owned(), cell.to_owned()))
            .collect()
    };
    lines.map(row).collect()
}

/// The test rows of `people.csv` as a file of their own.
fn write_test(project: &Project) {
    let text = project.read("people.csv");
    let lines = text
        .lines()
        .filter(|line| !line.starts_with("train") && !line.starts_with("valid"));
    let test: Vec<&str> = lines.collect();
    project.write("test.csv", &(test.join("\n") + "\n"));
}

fn attribute<'a>(report: &'a Value, name: &str) -> &'a Value {
    let attributes = report["fairness"]["attributes"].as_array().unwrap();
    let found = attributes.iter().find(|one| one["name"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {report:#}"))
}

fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("{value} is no number"))
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-9
}

#[test]
fn groups_are_compared_although_the_model_does_not_see_them() {
    let project = project(&format!("{CONFIG}{GROUPS}"));
    let ran = project.ok("train run.toml --set data.columns.other.kind=numeric");
    let said = ran.out;
    for words in [
        "\"age\" is cut into 4 bands",
        "fairness.bands.age = [...]",
        "by sex (test), with 95 % intervals",
        "by sex & age (test)",
        "sex: \"yes\" is predicted for",
        "false alarms (FPR)",
    ] {
        assert!(said.contains(words), "no {words:?} in {said}");
    }
    assert!(!project.read("runs/run/1/preprocess.json").contains("sex"));
    let evaluation = project.json("runs/run/1/evaluation.json");
    let names: Vec<&Value> = evaluation["test"]["fairness"]["attributes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["name"])
        .collect();
    assert_eq!(names, ["sex", "age", "sex & age"]);
    // The same block, whichever way it is asked for.
    write_test(&project);
    let split = project.ok_json("evaluate runs/run/1 --json");
    assert_eq!(split["test"]["fairness"], evaluation["test"]["fairness"]);
    let file = project.ok_json("evaluate runs/run/1 --data test.csv --json");
    assert_eq!(file["test.csv"]["fairness"], evaluation["test"]["fairness"]);
    // Counted anew from what `predict` writes.
    project.ok("predict runs/run/1 test.csv -o answers.csv");
    let (truth, answers) = (rows(&project, "test.csv"), rows(&project, "answers.csv"));
    for group in attribute(&evaluation["test"], "sex")["groups"]
        .as_array()
        .unwrap()
    {
        let both = truth.iter().zip(&answers);
        let own: Vec<_> = both
            .filter(|(row, _)| group["name"] == row["sex"].as_str())
            .collect();
        let count = |is: &dyn Fn(&str, &str) -> bool| {
            let rows = own.iter();
            rows.filter(|(row, answer)| is(&row["label"], &answer["prediction"]))
                .count() as f64
        };
        let yes = count(&|label, _| label == "yes");
        let expected = [
            (
                "selection_rate",
                count(&|_, answer| answer == "yes") / own.len() as f64,
            ),
            (
                "true_positive_rate",
                count(&|l, a| l == "yes" && a == "yes") / yes,
            ),
            (
                "false_positive_rate",
                count(&|l, a| l == "no" && a == "yes") / (own.len() as f64 - yes),
            ),
            ("accuracy", count(&|l, a| l == a) / own.len() as f64),
        ];
        assert_eq!(group["n"], own.len());
        for (name, expected) in expected {
            let found = number(&group["rates"][name]["value"]);
            assert!(close(found, expected), "{name}: {found}, not {expected}");
        }
    }
}

#[test]
fn a_group_that_the_model_sees_is_said_and_small_ones_are_left_out() {
    let project = project(&format!(
        "{CONFIG}{GROUPS}min_group_size = 250\nbands = {{ age = [30, 50] }}\n"
    ));
    let line = "train run.toml --set data.ignore=[\"cost\"] --set train.epochs=1";
    let said = project.ok(line).out;
    assert!(
        said.contains("the model is given \"sex\", \"age\" as well"),
        "{said}"
    );
    assert!(said.contains("fewer than 250 rows: < 30"), "{said}");
    assert!(said.contains("sex & age: nothing is compared"), "{said}");
    let told = project
        .ok("check run.toml --set data.ignore=[\"cost\"]")
        .err;
    assert!(
        told.contains("data.ignore = [\"sex\", \"age\"] keeps it out"),
        "{told}"
    );
    let ages = project.json("runs/run/1/evaluation.json");
    let groups = attribute(&ages["test"], "age")["groups"]
        .as_array()
        .unwrap();
    let names: Vec<&Value> = groups.iter().map(|group| &group["name"]).collect();
    assert_eq!(names, ["< 30", "30 to < 50", ">= 50"]);
    assert_eq!(groups[0]["small"], true);
    // Tables of a narrow terminal break neither names nor intervals.
    let ran = project.ok("evaluate runs/run/1");
    let header = ran.out.lines().find(|line| line.starts_with("sex & age  "));
    let header = header.unwrap_or_else(|| panic!("no table in {}", ran.out));
    assert!(header.ends_with("false alarms (FPR), 95 %"), "{header}");
}

#[test]
fn groups_stay_apart_whatever_they_are_called() {
    let project = project(&format!(
        "{CONFIG}\n[fairness]\ngroups = [\"sex\", \"home\"]\nmin_group_size = 1\n"
    ));
    let text = project.read("people.csv");
    let hostile = [
        "A & B",
        "A",
        "(missing)",
        "",
        "\u{1b}[31mred",
        "\u{202e}back",
    ];
    let homes = ["C", "B & C", "x", "x", "x", "x"];
    let lines = text.lines().enumerate().map(|(row, line)| {
        let Some(row) = row.checked_sub(1) else {
            return format!("{line},home");
        };
        let line = line.replacen(",F,", ",M,", 1);
        let line = line.replacen(",M,", &format!(",{},", hostile[row % 6]), 1);
        format!("{line},{}", homes[row % 6])
    });
    project.write("people.csv", &(lines.collect::<Vec<_>>().join("\n") + "\n"));
    let ran = project.ok(
        "train run.toml --set train.epochs=1 --set data.ignore=[\"sex\",\"age\",\"cost\",\"home\"]",
    );
    let report = project.json("runs/run/1/evaluation.json");
    let both = attribute(&report["test"], "sex & home");
    let groups = both["groups"].as_array().unwrap();
    assert_eq!(groups.len(), 6, "{both:#}");
    let rows: Vec<u64> = groups
        .iter()
        .map(|group| group["n"].as_u64().unwrap())
        .collect();
    assert!(rows.iter().all(|n| (166..=167).contains(n)), "{rows:?}");
    // What a cell holds acts on no terminal.
    for said in [&ran.out, &ran.err] {
        assert!(!said.contains(['\u{1b}', '\u{202e}']), "{said:?}");
    }
    assert!(ran.out.contains("\\u001b[31mred"), "{}", ran.out);
}

#[test]
fn odd_cells_are_a_group_of_their_own_and_numbers_still_have_bands() {
    let project = project(&format!("{CONFIG}{GROUPS}"));
    let text = project.read("people.csv");
    let odd = |(row, line): (usize, &str)| {
        let cells: Vec<&str> = line.split(',').collect();
        match row % 25 {
            24 => line.replacen(&format!(",{},", cells[2]), ",k.A.,", 1),
            _ => line.to_owned(),
        }
    };
    let lines: Vec<String> = text.lines().enumerate().map(odd).collect();
    project.write("people.csv", &(lines.join("\n") + "\n"));
    let told = project.ok("check run.toml").err;
    for words in ["\"age\" is cut into 4 bands", "read as missing: \"k.A.\""] {
        assert!(told.contains(words), "no {words:?} in {told}");
    }
    let bands = "--set fairness.bands.age=[30,50]";
    project.ok(&format!("train run.toml -q {bands}"));
    let names = |report: &Value| {
        let groups = attribute(report, "age")["groups"].as_array().unwrap();
        let names = groups.iter().map(|group| group["name"].as_str().unwrap());
        names.map(str::to_owned).collect::<Vec<_>>()
    };
    let kept = &project.json("runs/run/1/evaluation.json")["test"];
    assert_eq!(names(kept), ["< 30", "30 to < 50", ">= 50", "(missing)"]);
    write_test(&project);
    let again = project.ok_json("evaluate runs/run/1 --data test.csv --json");
    assert_eq!(again["test.csv"]["fairness"], kept["fairness"]);
    // The key that the note names is read although the model does not see the column.
    let texts = "--set data.columns.age.kind=categorical";
    let told = project.ok(&format!("check run.toml {texts}")).err;
    assert!(!told.contains("is cut into"), "{told}");
    let other = "check run.toml --set data.columns.cost.kind=categorical";
    project.refused(
        other,
        2,
        &["data.columns.cost", "the column is not a feature"],
    );
}

#[test]
fn what_stops_a_mitigation_is_said_with_the_counts() {
    let config = format!("{CONFIG}{GROUPS}mitigation = \"thresholds\"\n");
    let project = project(&config);
    let said = |set: &str| {
        project
            .ok(&format!("train run.toml --set train.epochs=1 {set}"))
            .out
    };
    let small = said("--set fairness.min_group_size=500");
    for words in [
        "nothing is mitigated",
        "0 of the 8 groups by sex & age have the 500 validation rows of fairness.min_group_size, and the next largest has",
        "name fewer columns in fairness.groups",
    ] {
        assert!(small.contains(words), "no {words:?} in {small}");
    }
    let again = project.ok("evaluate runs/run/1").out;
    assert!(again.contains("0 of the 8 groups"), "{again}");
    let dear = said(
        "--set fairness.groups=[\"sex\"] --set fairness.max_loss=0 --set task.threshold=tune --set task.tune_metric=accuracy",
    );
    let is_said = dear.contains("thresholds by group for") || dear.contains("could be reached");
    assert!(is_said, "{dear}");
}

#[test]
fn every_class_is_covered_where_it_is_asked_for() {
    let project = Project::with(CONFIG);
    project.write("people.csv", &people(5, [600, 1600, 2400]));
    let sets = "--set task.coverage=0.8 --set task.threshold=0.75";
    let told = project.ok(&format!("check run.toml {sets}")).err;
    for words in [
        "task.coverage_by_class = true states it of every class",
        "task.threshold decides predictions",
    ] {
        assert!(told.contains(words), "no {words:?} in {told}");
    }
    let ran = project.ok(&format!(
        "train run.toml {sets} --set task.coverage_by_class=true"
    ));
    for words in [
        "decision threshold 0.75",
        "coverage by class on test: \"",
        "of the predictions on test are not in their own set",
    ] {
        assert!(ran.out.contains(words), "no {words:?} in {}", ran.out);
    }
    let coverage = &project.json("runs/run/1/evaluation.json")["test"]["coverage"];
    assert_eq!(coverage["method"], "lac_by_class");
    for class in coverage["by_class"].as_array().unwrap() {
        let measured = number(&class["measured"]["value"]);
        assert!(is_covered(measured, 0.8), "{coverage}");
    }
    write_test(&project);
    let told = project.ok("predict runs/run/1 test.csv -o answers.csv");
    let least = &project.json("runs/run/1/postprocess.json")["least_by_class"];
    let mut outside = 0;
    for row in rows(&project, "answers.csv") {
        let is_in = |(at, class): &(usize, &str)| {
            let probability: f64 = row[&format!("probability_{class}")].parse().unwrap();
            probability >= number(&least[at])
        };
        let classes = ["no", "yes"].into_iter().enumerate().filter(is_in);
        let classes: Vec<&str> = classes.map(|(_, class)| class).collect();
        assert_eq!(row["prediction_set"], classes.join(";"));
        outside += usize::from(!classes.contains(&row["prediction"].as_str()));
    }
    let share = number(&coverage["outside"]);
    assert!(
        outside > 0 && close(share, outside as f64 / 2400.0),
        "{outside}, {share}"
    );
    let note = format!(
        "{outside} of 2400 predictions are not in their own prediction_set: task.threshold decides"
    );
    assert!(told.err.contains(&note), "no {note:?} in {}", told.err);
    #[cfg(feature = "flex")]
    {
        use fireclay_run::{Device, Raw, TableFormat, open};
        let run = open(&project.path("runs/run/1"), &Device::flex()).unwrap();
        let test = project.bytes("test.csv");
        let replies = run.ask(Raw::Rows(&test, TableFormat::Csv)).unwrap();
        assert_eq!(replies.notes, told.notes());
    }
    let refused = "check run.toml --set task.coverage_by_class=true";
    project.refused(
        refused,
        2,
        &["coverage_by_class", "it is read if coverage is given"],
    );
}

#[test]
fn reweighing_is_a_column_of_the_published_weights() {
    let project = project(&CONFIG.replace("age\"", "age\", \"w\""));
    // The weights of Kamiran and Calders, written by hand.
    let all = rows(&project, "people.csv");
    let train: Vec<_> = all.iter().filter(|row| row["split"] == "train").collect();
    let count = |is: &dyn Fn(&BTreeMap<String, String>) -> bool| {
        train.iter().filter(|row| is(row)).count() as f64
    };
    let mut text = String::from("split,sex,age,score,other,cost,label,w\n");
    for row in &all {
        let (sex, label) = (&row["sex"], &row["label"]);
        let (group, class) = (
            count(&|r| r["sex"] == *sex),
            count(&|r| r["label"] == *label),
        );
        let both = count(&|r| r["sex"] == *sex && r["label"] == *label);
        // In the order in which the program computes it, so that the last bit is the same.
        let weight = (group / train.len() as f64 * class / both) as f32;
        let cells = ["split", "sex", "age", "score", "other", "cost", "label"];
        let cells: Vec<&str> = cells.iter().map(|name| row[*name].as_str()).collect();
        let _ = writeln!(text, "{},{weight}", cells.join(","));
    }
    project.write("people.csv", &text);
    let last = "--set checkpoint.keep_best=false";
    let line = format!("train run.toml -q {last}");
    let fair = "--set fairness.groups=[\"sex\"] --set fairness.mitigation=reweighing";
    project.ok(&line);
    project.ok(&format!("{line} {fair}"));
    project.ok(&format!(
        "{line} --set data.weight=w --set data.ignore=[\"sex\",\"age\",\"cost\"]"
    ));
    let weights = |run: u32| project.bytes(&format!("runs/run/{run}/model.safetensors"));
    assert!(weights(1) != weights(2), "the weights made no difference");
    assert!(weights(2) == weights(3), "the weights are others");
    let said = project.ok(&format!("train run.toml {last} {fair}")).out;
    assert!(said.contains("--set fairness.mitigation=none"), "{said}");
}

#[test]
fn a_constraint_in_the_loss_brings_groups_together() {
    let config = format!("{CONFIG}\n[fairness]\ngroups = [\"sex\"]\n");
    let project = project(&config.replace("epochs = 4", "epochs = 8"));
    let difference = |more: &str| {
        let ran = project.ok_json(&format!("train run.toml --json -q{more}"));
        let sex = attribute(&ran["evaluation"]["test"], "sex").clone();
        let [a, b] =
            [0, 1].map(|group| number(&sex["groups"][group]["values"]["mean_probability"]));
        (a - b).abs()
    };
    let constraint = " --set fairness.mitigation=constraint";
    let (free, bound) = (
        difference(""),
        difference(&format!("{constraint} --set fairness.strength=30")),
    );
    assert!(free > 0.1 && bound < free / 2.0, "{free} and {bound}");
    // The penalty is that of the whole batch, in however many parts a CPU would compute it.
    for (set, words) in [
        ("train.cpu_shards=2", "the covariance of score and group"),
        (
            "train.gradient_accumulation_steps=2",
            "must be 1 with fairness.mitigation",
        ),
    ] {
        project.refused(
            &format!("check run.toml{constraint} --set {set}"),
            2,
            &[words],
        );
    }
}

#[test]
fn thresholds_by_group_bring_groups_together_and_are_applied() {
    let config = format!("{CONFIG}\n[fairness]\ngroups = [\"sex\"]\n");
    let project = project(&format!("{config}mitigation = \"thresholds\"\n"));
    let said = project.ok("train run.toml").out;
    assert!(
        said.contains("thresholds by group for equalized odds (F "),
        "{said}"
    );
    let own = "decision threshold 0.5000, but for groups with one of their own, by which the metrics above are too: F 0.";
    assert!(said.contains(own), "{said}");
    let evaluation = project.json("runs/run/1/evaluation.json");
    let price = &evaluation["test"]["fairness"]["thresholds"];
    let [before, after] = ["difference_before", "difference"].map(|name| number(&price[name]));
    assert!(before > 0.15 && after < before / 2.0, "{price}");
    // The price is that of the run without them.
    project.write("plain.toml", &config);
    let plain = project.ok_json("train plain.toml --json -q");
    let plain = &plain["evaluation"]["test"];
    assert_eq!(price["accuracy_before"], plain["metrics"]["accuracy"]);
    let same = &attribute(plain, "sex")["differences"]["equalized_odds_difference"];
    assert_eq!(price["difference_before"], *same);
    assert_eq!(price["accuracy"], evaluation["test"]["metrics"]["accuracy"]);
    // What predict, evaluate and a checkpoint answer.
    let kept = project.json("runs/run/1/postprocess.json");
    let thresholds = &kept["groups"]["thresholds"];
    assert!(
        number(&thresholds["F"]) < number(&thresholds["M"]),
        "{kept:#}"
    );
    write_test(&project);
    let again = project.ok_json("evaluate runs/run/1 --json");
    assert_eq!(again["test"], evaluation["test"]);
    let best = project.ok_json("evaluate runs/run/1 --checkpoint best --json");
    assert_eq!(best["test"], evaluation["test"]);
    project.ok("predict runs/run/1 test.csv -o answers.csv");
    let (people, answers) = (rows(&project, "test.csv"), rows(&project, "answers.csv"));
    let mut differs = 0;
    for (row, answer) in people.iter().zip(&answers) {
        let probability: f64 = answer["probability_yes"].parse().unwrap();
        let is_yes = probability >= number(&thresholds[&row["sex"]]);
        assert_eq!(answer["prediction"], if is_yes { "yes" } else { "no" });
        differs += usize::from(is_yes != (probability >= 0.5));
    }
    assert!(differs > 50, "{differs} answers depend on the group");
    // Without the column there is no answer, and a group that was never seen is said.
    let without: Vec<String> = project
        .read("test.csv")
        .lines()
        .map(|line| line.replacen(",sex,", ",gender,", 1))
        .collect();
    project.write("without.csv", &(without.join("\n") + "\n"));
    project.refused("predict runs/run/1 without.csv -o no.csv", 1, &["\"sex\""]);
    let strange = project.read("test.csv").replacen("test,F", "test,X", 3);
    project.write("strange.csv", &strange);
    let told = project
        .ok("predict runs/run/1 strange.csv -o answers.csv")
        .err;
    assert!(
        told.contains("3 rows are of groups by sex that have no threshold"),
        "{told}"
    );
}

#[test]
fn every_criterion_makes_its_own_difference_small() {
    let config = format!("{CONFIG}\n[fairness]\ngroups = [\"sex\"]\nmitigation = \"thresholds\"\n");
    let project = project(&config);
    for criterion in ["demographic_parity", "equal_opportunity", "equalized_odds"] {
        let line = format!("train run.toml --json -q --set fairness.criterion={criterion}");
        let ran = project.ok_json(&line);
        let price = &ran["evaluation"]["valid"]["fairness"]["thresholds"];
        let [before, after] = ["difference_before", "difference"].map(|name| number(&price[name]));
        assert!(after < before / 3.0, "{criterion}: {price}");
        let [before, after] = ["accuracy_before", "accuracy"].map(|name| number(&price[name]));
        assert!(after >= before - 0.05, "{criterion}: {price}");
    }
}

#[test]
fn a_temperature_is_fitted_kept_and_used() {
    // Smoothed labels make a model less sure than it may be.
    let smoothed = CONFIG.replace(
        "classification\"",
        "classification\"\nlabel_smoothing = 0.4",
    );
    let project = project(&smoothed);
    project.ok("train run.toml -q");
    let said = project.ok("train run.toml --set task.calibrate=true").out;
    assert!(said.contains("calibrated with temperature 0."), "{said}");
    let plain = project.json("runs/run/1/evaluation.json");
    let report = project.json("runs/run/2/evaluation.json");
    for split in ["valid", "test"] {
        let found = &report[split]["calibration"];
        assert_eq!(
            found["log_loss_before"],
            plain[split]["metrics"]["log_loss"]
        );
        assert_eq!(found["ece_before"], plain[split]["metrics"]["ece"]);
        assert_eq!(found["log_loss"], report[split]["metrics"]["log_loss"]);
        assert_eq!(found["ece"], report[split]["metrics"]["ece"]);
        assert!(
            number(&found["log_loss"]) < number(&found["log_loss_before"]),
            "{found}"
        );
        assert!(
            number(&found["ece"]) < number(&found["ece_before"]),
            "{found}"
        );
        // A temperature moves no answer of two classes over the half.
        let accuracy = |report: &Value| report[split]["metrics"]["accuracy"].clone();
        assert_eq!(accuracy(&report), accuracy(&plain));
    }
    let temperature = number(&project.json("runs/run/2/postprocess.json")["temperature"]);
    assert!(temperature < 0.9, "{temperature}");
    assert_eq!(
        project.ok_json("evaluate runs/run/2 --json")["test"],
        report["test"]
    );
    let last = "evaluate runs/run/2 --checkpoint best --json";
    assert_eq!(project.ok_json(last)["test"], report["test"]);
    write_test(&project);
    project.ok("predict runs/run/1 test.csv -o plain.csv");
    project.ok("predict runs/run/2 test.csv -o calibrated.csv");
    let (plain, calibrated) = (
        rows(&project, "plain.csv"),
        rows(&project, "calibrated.csv"),
    );
    for (plain, calibrated) in plain.iter().zip(&calibrated) {
        let of = |row: &BTreeMap<String, String>| row["probability_yes"].parse::<f64>().unwrap();
        let logit = (of(plain) / (1.0 - of(plain))).ln() / temperature;
        let wanted = 1.0 / (1.0 + (-logit).exp());
        assert!(
            (of(calibrated) - wanted).abs() < 1e-6,
            "{wanted}: {calibrated:?}"
        );
    }
}

/// The stated coverage, within four standard deviations of what 800 rows for the limit and 1200 for the
/// measure leave to chance.
fn is_covered(measured: f64, stated: f64) -> bool {
    let spread = (stated * (1.0 - stated) * (1.0 / 800.0 + 1.0 / 1200.0)).sqrt();
    (measured - stated).abs() < 4.0 * spread
}

#[test]
fn sets_of_classes_hold_the_truth_as_often_as_stated() {
    let project = Project::with(CONFIG);
    let mut run = 0;
    for (seed, stated) in [(1, 0.9), (2, 0.8), (3, 0.95), (4, 0.6)] {
        project.write("people.csv", &people(seed, [600, 800, 1200]));
        run += 1;
        let said = project
            .ok(&format!("train run.toml --set task.coverage={stated}"))
            .out;
        assert!(
            said.contains("the validation rows also decided which checkpoint"),
            "{said}"
        );
        let found = project.json(&format!("runs/run/{run}/evaluation.json"));
        let coverage = &found["test"]["coverage"];
        let measured = number(&coverage["measured"]["value"]);
        assert!(is_covered(measured, stated), "{coverage}");
        assert!(coverage["note"].as_str().unwrap().contains("exchangeable"));
    }
    // The column says what the numbers say.
    write_test(&project);
    let said = project.ok("evaluate runs/run/3 --data test.csv").out;
    assert!(
        said.contains("of the sets on test.csv hold the truth"),
        "{said}"
    );
    project.ok("predict runs/run/3 test.csv -o answers.csv");
    let least = number(&project.json("runs/run/3/postprocess.json")["least"]);
    for row in rows(&project, "answers.csv") {
        let classes = ["no", "yes"].into_iter();
        let classes = classes
            .filter(|class| row[&format!("probability_{class}")].parse::<f64>().unwrap() >= least);
        assert_eq!(row["prediction_set"], classes.collect::<Vec<_>>().join(";"));
    }
}

#[test]
fn intervals_hold_the_number_as_often_as_stated() {
    let config = CONFIG
        .replace("\"label\"", "\"cost\"")
        .replace("\"age\", \"cost\"", "\"age\", \"label\"")
        .replace("classification", "regression");
    let project = Project::with(&format!("{config}\n[fairness]\ngroups = [\"sex\"]\n"));
    let mut run = 0;
    for (seed, stated) in [(1, 0.9), (2, 0.8), (3, 0.5)] {
        project.write("people.csv", &people(seed, [600, 800, 1200]));
        run += 1;
        project.ok(&format!("train run.toml -q --set task.coverage={stated}"));
        let found = project.json(&format!("runs/run/{run}/evaluation.json"));
        let coverage = &found["test"]["coverage"];
        let measured = number(&coverage["measured"]["value"]);
        assert!(is_covered(measured, stated), "{coverage}");
    }
    write_test(&project);
    project.ok("predict runs/run/3 test.csv -o answers.csv");
    let reach = number(&project.json("runs/run/3/postprocess.json")["reach"]);
    for row in rows(&project, "answers.csv") {
        let [low, middle, high] = ["prediction_lower", "prediction", "prediction_upper"]
            .map(|name| row[name].parse::<f64>().unwrap());
        assert!((middle - low - reach).abs() < 1e-6 && (high - middle - reach).abs() < 1e-6);
    }
    // Groups are compared by their residuals: the score says less of women.
    let found = project.json("runs/run/3/evaluation.json");
    let sex = attribute(&found["test"], "sex");
    assert!(
        number(&sex["differences"]["mean_residual_difference"]) > 0.5,
        "{sex}"
    );
    assert!(
        sex["findings"][0]
            .as_str()
            .unwrap()
            .contains("is predicted too"),
        "{sex}"
    );
}

#[test]
fn a_tuned_threshold_finds_as_many_as_it_is_told_to() {
    let project = project(CONFIG);
    let tuned =
        "train run.toml -q --json --set task.threshold=tune --set task.tune_metric=accuracy";
    let plain = project.ok_json(tuned);
    let found = project.ok_json(&format!("{tuned} --set task.least_recall=0.97"));
    let recall = |ran: &Value| number(&ran["evaluation"]["valid"]["metrics"]["recall"]);
    assert!(recall(&plain) < 0.97 && recall(&found) >= 0.97);
    assert!(
        recall(&found) < 0.98,
        "no further than asked: {}",
        recall(&found)
    );
    // Validation rows of one class choose none.
    let people = project.read("people.csv");
    let one_sided = people.lines().map(|line| match line.starts_with("valid,") {
        true => line.replace(",yes", ",no"),
        false => line.to_owned(),
    });
    let one_sided: Vec<String> = one_sided.collect();
    project.write("one.csv", &(one_sided.join("\n") + "\n"));
    let words = [
        "`threshold` is \"tune\"",
        "of the class \"yes\"",
        "a number such as 0.5",
    ];
    for verb in ["check", "train"] {
        let line = format!("{verb} run.toml --set data.path=one.csv --set task.threshold=tune");
        project.refused(&line, 2, &words);
    }
    project.ok("check run.toml --set data.path=one.csv");
    let refused = "check run.toml --set task.least_recall=0.9";
    project.refused(
        refused,
        2,
        &["least_recall", "it is read if threshold is \"tune\""],
    );
}

#[test]
fn what_cannot_be_compared_or_stated_is_refused() {
    let project = project(&format!("{CONFIG}{GROUPS}"));
    project.refuses_each(
        "check run.toml",
        r#"
        fairness.groups=[] | must name at least one column
        fairness.groups=["sex","sex"] | names a column twice
        fairness.groups=["sexx"] | no column "sexx" | did you mean "sex"?
        fairness.groups=["label"] | contains the target "label"
        fairness.groups=["score"] | 
        fairness.bands.sex=[1] | is for columns whose cells are numbers
        fairness.bands.age=[3,2] | each above the one before
        fairness.bands.score=[3] | groups does not name the column
        fairness.quantiles=1 | must be from 2 to 20
        fairness.tolerance=0.1 | it is read if mitigation is "thresholds"
        fairness.min_group_size=0 | must be at least 1
        task.coverage=1.0 | must be between 0 and 1
        task.coverage=0.999 | takes 999 validation rows at least, and there are 600
        "#
        .replace("        fairness.groups=[\"score\"] | \n", "")
        .as_str(),
    );
    let config = project.read("run.toml");
    project.write(
        "sum.toml",
        &config
            .replace("\"label\"", "\"cost\"")
            .replace("\"cost\"]", "\"label\"]"),
    );
    let line = "check sum.toml --set task.type=regression --set fairness.mitigation=reweighing";
    project.refused(line, 2, &["rows with a number as target are compared only"]);
    let text = project.read("people.csv").replace("valid,", "train,");
    project.write("people.csv", &text);
    for (set, words) in [
        (
            "task.calibrate=true",
            "fitting the temperature needs a validation split",
        ),
        (
            "task.coverage=0.9",
            "a stated coverage needs a validation split",
        ),
        (
            "fairness.mitigation=thresholds",
            "choosing thresholds by group needs a validation split",
        ),
    ] {
        project.refused(&format!("check run.toml --set {set}"), 2, &[words]);
    }
    let images = "configs/vision/digits-cnn.toml";
    let line = format!("check {images} --no-data --set fairness.groups=[\"a\"]");
    project.refused(&line, 2, &["fairness", "needs a table"]);
}

#[test]
fn a_run_without_these_keys_writes_what_it_wrote_before() {
    let project = project(CONFIG);
    project.ok("train run.toml -q");
    let kept = project.json("runs/run/1/postprocess.json");
    let keys: Vec<&String> = kept.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["classes", "counts", "task", "threshold"]);
    let config = project.read("runs/run/1/config.toml");
    for key in [
        "fairness",
        "calibrate",
        "coverage",
        "least_recall",
        "extra_columns",
    ] {
        assert!(!config.contains(key), "{key} in {config}");
    }
    let report = project.json("runs/run/1/evaluation.json");
    for key in ["fairness", "calibration", "coverage"] {
        assert!(report["test"].get(key).is_none());
    }
}
