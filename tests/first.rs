//! What somebody meets who uses the program for the first time.

use serde_json::Value;

use crate::support::{Project, poem};

/// Reviews that a word tells apart.
fn reviews() -> String {
    let rows = (0..120).map(|row| {
        let (word, mark) = [("lovely", "good"), ("dreadful", "bad")][row % 2];
        format!("\"film number {row} was a {word} one, and long\",{mark}\n")
    });
    "review,label\n".to_owned() + &rows.collect::<String>()
}

/// Points of two classes that a line tells apart.
fn points(rows: usize) -> String {
    let row = |row: usize| {
        let x = (row % 2) as f64 * 8.0 + row as f64 / 1000.0;
        format!("{x:.3},{}.5,{}\n", row * 7 % 31, ["no", "yes"][row % 2])
    };
    "a,b,y\n".to_owned() + &(0..rows).map(row).collect::<String>()
}

fn images(project: &Project) {
    for (class, level) in [("dark", 20), ("light", 230)] {
        for number in 0..10 {
            let pixels = image::GrayImage::from_pixel(8, 8, image::Luma([level + number]));
            let path = project.write(&format!("pictures/{class}/{number}.png"), "");
            pixels.save(path).unwrap();
        }
    }
}

const QUICK: &str = "--set device.backend=flex --set lr_scheduler.warmup_ratio=0.0";

#[test]
fn init_sees_what_texts_are_for() {
    let project = Project::new();
    project.write("reviews.csv", &reviews());
    project.write("poem.txt", &poem());
    project.write("poems/one.txt", &poem());
    let lines = |word: &str| {
        (0..60)
            .map(|row| format!("{word} {row}\n"))
            .collect::<String>()
    };
    project.write("train.de", &lines("das Haus Nummer"));
    project.write("train.en", &lines("the house with number"));
    let cases = [
        (
            "reviews.csv",
            "text_table",
            "lstm",
            "target   label (classification, 2 classes)",
        ),
        ("poem.txt", "text", "gpt", "running text"),
        ("poems", "text", "gpt", "running text"),
        (
            "train.de train.en",
            "parallel",
            "transformer",
            "60: lines of train.de",
        ),
    ];
    for (data, kind, model, words) in cases {
        let said = project.ok(&format!("init {data} -o run.toml --force")).out;
        assert!(said.contains(words), "{data}: {said}");
        let config: toml::Table = toml::from_str(&project.read("run.toml")).unwrap();
        assert_eq!(config["data"]["type"].as_str(), Some(kind), "{data}");
        assert_eq!(config["model"]["type"].as_str(), Some(model), "{data}");
        project.ok("check run.toml");
        project.ok(&format!(
            "train run.toml -q --set train.max_steps=2 {QUICK}"
        ));
    }
    let ran = project.run("init train.de poem.txt -o run.toml --force");
    ran.refused(2, &["60 lines", "translation"]);
}

#[test]
fn a_line_of_an_init_config_can_be_uncommented() {
    let project = Project::new();
    project.write("points.csv", &points(60));
    project.write("reviews.csv", &reviews());
    project.write("poem.txt", &poem());
    images(&project);
    let of = [
        "points.csv",
        "points.csv --target a",
        "reviews.csv",
        "poem.txt",
        "pictures",
    ];
    for data in of {
        project.ok(&format!("init {data} -o run.toml --force"));
        let text = project.read("run.toml");
        let mut options = 0;
        for (number, line) in text.lines().enumerate() {
            let Some(option) = line.strip_prefix("# ").filter(|line| line.contains(" = ")) else {
                continue;
            };
            options += 1;
            let with = |(at, line)| if at == number { option } else { line };
            let lines: Vec<&str> = text.lines().enumerate().map(with).collect();
            project.write("other.toml", &lines.join("\n"));
            let ran = project.run("check other.toml --no-data");
            assert_eq!(ran.code, 0, "{data}: {option}\n{}", ran.err);
        }
        assert!(
            options > 0 || data.ends_with(".txt") || data.starts_with("reviews"),
            "{data}"
        );
    }
}

#[test]
fn data_in_the_place_of_a_config_is_named_as_what_it_is() {
    let project = Project::new();
    project.write("points.csv", &points(60));
    project.write("rows.jsonl", "{\"a\":1}\n");
    project.write("poem.txt", &poem());
    project.write("rows.dat", &points(4000));
    images(&project);
    for verb in ["train", "check", "plan"] {
        for (data, what) in [
            ("points.csv", "this is a table: fireclay init points.csv"),
            ("rows.jsonl", "this is a table: fireclay init rows.jsonl"),
            (
                "datasets/digits/data.parquet",
                "this is a table: fireclay init datasets",
            ),
            ("poem.txt", "this is a text: fireclay init poem.txt"),
            (
                "pictures",
                "this is a folder of data: fireclay init pictures",
            ),
            (
                "rows.dat",
                "if this is data and no config: fireclay init rows.dat",
            ),
        ] {
            let ran = project.run(&format!("{verb} {data}"));
            ran.refused(2, &[what]);
            assert!(ran.err.lines().count() <= 6, "{}", ran.err);
        }
    }
    project.write("wrong.toml", &points(4000));
    let ran = project.run("train wrong.toml");
    ran.refused(2, &["3981 more are not shown"]);
    assert_eq!(ran.err.matches("error: ").count(), 20);
}

#[test]
fn a_key_as_a_flag_points_to_set() {
    let project = Project::new();
    let line = "train configs/tabular/iris.toml --epochs 5";
    project.refused(line, 2, &["--set train.epochs=5"]);
}

#[test]
fn nothing_is_wider_than_the_terminal() {
    let project = Project::new();
    project.write("points.csv", &points(80));
    project.write(
        "wide.toml",
        "[data]\ntype = \"csv\"\npath = \"points.csv\"\ntraget = \"y\"\n",
    );
    let narrow = |line: &str| {
        let output = project
            .command(line.split(' '))
            .env("COLUMNS", "80")
            .output()
            .unwrap();
        let both = [output.stdout, output.stderr].concat();
        let text = String::from_utf8(both).unwrap();
        // A table inside a line of TOML is one line.
        let is_one = |line: &&str| line.contains("/tmp") || line.starts_with("split = ");
        for line in text.lines().filter(|line| !is_one(line)) {
            assert!(line.chars().count() <= 80, "{line}");
        }
        text
    };
    let config = "configs/tabular/breast-cancer.toml";
    let train = format!("train {config} --set device.backend=flex --set train.epochs=2");
    for line in [
        "--help",
        "train --help",
        "predict --help",
        "generate --help",
        "init points.csv",
        "check points.toml",
        "check wide.toml",
        &format!("check {config}"),
        &format!("plan {config}"),
        "plan configs/language/gpt3-175b.toml --on a100",
        "models",
        "datasets",
        "devices",
        &train,
        "evaluate runs/breast-cancer/1",
    ] {
        narrow(line);
    }
    let said = narrow("evaluate runs/breast-cancer/1");
    assert!(said.contains("baseline: always \"benign\""), "{said}");
}

/// Trains on points that are told apart without an error, with these overrides.
fn told_apart(project: &Project, sets: &str) -> Value {
    project.write("points.csv", &points(340));
    project.ok("init points.csv --force");
    let line = format!("train points.toml --json -q {QUICK} --set train.epochs=30 {sets}");
    project.ok_json(&line)["evaluation"]["test"].clone()
}

#[test]
fn all_right_is_no_certainty_and_no_better_than_what_it_beats() {
    let project = Project::new();
    let test = told_apart(&project, "--set optimizer.learning_rate=0.02");
    let rows = test["n"].as_f64().unwrap();
    assert_eq!(test["metrics"]["accuracy"], 1.0);
    let interval = &test["interval"];
    assert_eq!(
        (&interval["method"], &interval["high"]),
        (&"wilson".into(), &1.0.into())
    );
    let low = interval["low"].as_f64().unwrap();
    assert!((low - rows / (rows + 1.96 * 1.96)).abs() < 1e-4, "{low}");
    let baseline = &test["baseline"];
    assert!(baseline["answer"].as_str().unwrap().starts_with("always "));
    let accuracy = baseline["metrics"]["accuracy"].as_f64().unwrap();
    assert!((accuracy - 0.5).abs() < 0.05, "{accuracy}");
    let evaluated = project.ok_json("evaluate runs/points --json");
    assert_eq!(evaluated["test"], test);
    let said = project.ok("evaluate runs/points");
    assert!(said.err.contains("run: runs/points/1"), "{}", said.err);
    assert!(said.out.contains("(Wilson's score)"), "{}", said.out);
}

#[test]
fn the_positive_class_is_chosen_and_said() {
    let project = Project::new();
    let weak = "--set train.max_steps=1";
    let second = told_apart(&project, weak);
    let first = told_apart(&project, &format!("{weak} --set task.positive=no"));
    assert_eq!(
        (&second["positive"], &first["positive"]),
        (&"yes".into(), &"no".into())
    );
    assert_eq!(second["confusion_matrix"], first["confusion_matrix"]);
    for name in ["precision", "recall", "f1"] {
        assert_eq!(second["metrics"][name], second["per_class"][1][name]);
        assert_eq!(first["metrics"][name], first["per_class"][0][name]);
    }
    let said = project.ok("check points.toml");
    assert!(said.err.contains("positive class: \"yes\""), "{}", said.err);
    let other = project.ok("compare runs/points/1 runs/points/2").out;
    for words in [
        "of different classes: \"yes\" in",
        "\"no\" in",
        "[task] positive",
    ] {
        assert!(other.contains(words), "no {words:?} in {other}");
    }
    let same = project.ok("compare runs/points/1 runs/points/1").out;
    assert!(!same.contains("of different classes"), "{same}");
    // init says the same before there is a config.
    let said = project.ok("init points.csv -o again.toml").out;
    let words = "positive class: \"yes\" ([task] positive = \"no\" chooses the other one)";
    assert!(said.contains(words), "{said}");
    let config = project.read("again.toml");
    assert!(config.contains("\n# positive = \"no\""), "{config}");
    let ran = project.run("check points.toml --set task.positive=maybe");
    ran.refused(2, &["task.positive", "maybe", "no class"]);
    project.ok("predict runs/points points.csv -o p.csv");
}

#[test]
fn macro_means_are_over_the_classes_that_occur() {
    let project = Project::new();
    let row = |row: usize| {
        let x = (row % 3) as f64 * 8.0 + row as f64 / 1000.0;
        format!("{x:.3},{}.5,{}\n", row * 7 % 31, ["p", "q", "r"][row % 3])
    };
    let rows = |kept: &[usize]| -> String {
        let rows = (0..90).filter(|n| kept.contains(&(n % 3))).map(row);
        "a,b,y\n".to_owned() + &rows.collect::<String>()
    };
    project.write("rows.csv", &rows(&[0, 1, 2]));
    project.write("test.csv", &rows(&[0, 1]));
    project.ok("init rows.csv");
    let sets = "--set data.test_path=test.csv --set data.split={train=0.8,valid=0.2,test=0.0}";
    let ran = project.ok_json(&format!(
        "train rows.toml --json -q {QUICK} {sets} --set optimizer.learning_rate=0.05"
    ));
    let test = &ran["evaluation"]["test"];
    assert_eq!(test["metrics"]["accuracy"], 1.0, "{test}");
    for name in [
        "f1_macro",
        "precision_macro",
        "recall_macro",
        "balanced_accuracy",
    ] {
        assert_eq!(test["metrics"][name], 1.0, "{name}");
    }
    let said = project.ok("evaluate runs/rows").out;
    assert!(
        said.contains("no row of test has the class \"r\""),
        "{said}"
    );
}

#[test]
fn a_text_run_is_evaluated_on_its_validation_split_and_says_so() {
    let project = Project::new();
    project.write("poem.txt", &poem());
    project.ok("init poem.txt");
    project.ok(&format!(
        "train poem.toml -q --set train.max_steps=30 {QUICK}"
    ));
    let ran = project.ok("evaluate runs/poem --json");
    assert!(ran.err.contains("no test split"), "{}", ran.err);
    let report = project.json("runs/poem/1/evaluation.json");
    assert_eq!(ran.json(), report);
    let (loss, unigram) = (
        &report["valid"]["metrics"]["loss"],
        &report["valid"]["baseline"]["metrics"]["loss"],
    );
    assert!(loss.as_f64() < unigram.as_f64(), "{report}");
    let ran = project.run("evaluate runs/poem --split test");
    ran.refused(2, &["no test split"]);
}
