//! Why a run answers what it answers: tables, images and texts, from the command line.

use std::fs;

use image::{ImageBuffer, Luma};
use serde_json::Value;

use crate::support::{EVERYTHING, Project, poem};

/// Glazes that crack: the clay and the heat decide, and the shelf does not.
fn glazes(rows: usize) -> String {
    let clays = ["red", "white", "black"];
    (0..rows).fold("clay,heat,shelf,cracked\n".to_owned(), |table, row| {
        let (clay, heat) = (clays[row % 3], 900 + row * 37 % 300);
        let heats = row % 11 == 5;
        let shelf = row * 7 % 5;
        let heat_cell = if heats {
            String::new()
        } else {
            heat.to_string()
        };
        let cracked = if clay == "red" || (heat > 1100 && !heats) {
            "yes"
        } else {
            "no"
        };
        table + &format!("{clay},{heat_cell},{shelf},{cracked}\n")
    })
}

/// A small network on the glazes, whose categories are encoded in one of two ways.
fn glaze_config(encoding: &str) -> String {
    format!(
        r#"
[device]
backend = "flex"

[data]
type = "csv"
path = "glazes.csv"
target = "cracked"
split = {{ train = 0.6, valid = 0.2, test = 0.2, stratify = true }}

[data.columns.clay]
kind = "categorical"
encoding = "{encoding}"

[model]
type = "mlp"
hidden = [16]

[task]
type = "classification"

[optimizer]
type = "adamw"
learning_rate = 2e-2

[train]
epochs = 40
batch_size = 32
"#
    )
}

fn entry<'a>(found: &'a Value, method: &str) -> &'a Value {
    let entries = found.as_array().unwrap().iter();
    let mut named = entries.filter(|entry| entry["method"] == method);
    named
        .next()
        .unwrap_or_else(|| panic!("no {method} in {found}"))
}

fn names(columns: &Value) -> Vec<&str> {
    let columns = columns.as_array().unwrap().iter();
    columns
        .map(|column| column["name"].as_str().unwrap())
        .collect()
}

fn value(columns: &Value, name: &str) -> f64 {
    let columns = columns.as_array().unwrap().iter();
    let mut named = columns.filter(|column| column["name"] == name);
    named.next().unwrap()["value"].as_f64().unwrap()
}

/// What the columns of a sample add, and the base, are what is explained.
#[track_caller]
fn assert_adds_up(sample: &Value, most: f64) {
    let columns = sample["columns"].as_array().unwrap().iter();
    let sum: f64 = columns
        .map(|column| column["value"].as_f64().unwrap())
        .sum();
    let [value, base] = ["value", "base"].map(|key| sample[key].as_f64().unwrap());
    assert!(
        (base + sum - value).abs() < most,
        "{base} + {sum} is not {value}"
    );
}

#[test]
fn the_columns_of_a_table_are_explained() {
    for encoding in ["onehot", "embedding"] {
        let project = Project::with(&glaze_config(encoding));
        project.write("glazes.csv", &glazes(330));
        project.ok("train run.toml -q");
        let out = project.ok("explain runs/run/1").out;
        for words in ["permutation", "clay", "completeness", "explanations.json"] {
            assert!(out.contains(words), "no {words}: {out}");
        }
        let found = project.json("runs/run/1/explanations.json");
        for method in [
            "permutation",
            "shapley",
            "integrated_gradients",
            "partial_dependence",
        ] {
            let columns = &entry(&found, method)["columns"];
            let mut known = names(columns);
            assert_ne!(known[2], "clay", "{method}: {columns}");
            assert_eq!(known.pop(), Some("shelf"), "{method}: {columns}");
            known.sort_unstable();
            assert_eq!(known, ["clay", "heat"], "{method}");
        }
        for sample in entry(&found, "shapley")["samples"].as_array().unwrap() {
            assert_adds_up(sample, 1e-4);
            assert_eq!(sample["target"], "yes");
        }
        let integrated = entry(&found, "integrated_gradients");
        let error = integrated["completeness"]["error"].as_f64().unwrap();
        assert!(error.abs() < 0.1, "{integrated}");
        integrated["samples"]
            .as_array()
            .unwrap()
            .iter()
            .for_each(|sample| assert_adds_up(sample, 0.1));

        let curves = entry(&found, "partial_dependence")["columns"]
            .as_array()
            .unwrap();
        let clay = curves
            .iter()
            .find(|column| column["name"] == "clay")
            .unwrap();
        let steps = clay["curve"].as_array().unwrap().iter();
        let red = steps.clone().find(|step| step["at"] == "red").unwrap()["value"]
            .as_f64()
            .unwrap();
        assert_eq!(steps.len(), 3);
        assert!(
            steps
                .clone()
                .all(|step| step["value"].as_f64().unwrap() <= red),
            "{clay}"
        );
    }
}

#[test]
fn rows_of_a_file_are_explained_and_other_entries_stay() {
    let project = Project::with(&glaze_config("onehot"));
    project.write("glazes.csv", &glazes(330));
    project.ok("train run.toml -q");
    project.ok("explain runs/run/1 --method permutation --method saliency --method smooth_grad");
    project.write("new.csv", "clay,heat,shelf\nred,,1\nwhite,950,2\n");
    let line = "explain runs/run/1 new.csv --json --randomised --method shapley --method occlusion";
    let found = project.ok_json(line);
    assert_eq!(found, project.ok_json(line));
    let shapley = entry(&found, "shapley");
    assert!(
        shapley["baseline"]
            .as_str()
            .unwrap()
            .contains("100 training rows")
    );
    let samples = shapley["samples"].as_array().unwrap();
    assert_eq!(
        (samples.len(), &samples[0]["name"]),
        (2, &Value::from("row 1"))
    );
    assert!(
        value(&samples[0]["columns"], "clay") > 0.1,
        "{}",
        samples[0]
    );
    assert!(
        value(&samples[1]["columns"], "clay") < 0.0,
        "{}",
        samples[1]
    );
    let heat = samples[0]["columns"].as_array().unwrap().iter();
    let heat = heat
        .clone()
        .find(|column| column["name"] == "heat")
        .unwrap();
    assert_eq!(heat["cell"], Value::Null);
    let alike = shapley["randomised"].as_f64().unwrap();
    assert!((-1.0..=1.0).contains(&alike), "{alike}");

    let all = project.json("runs/run/1/explanations.json");
    assert_eq!(all.as_array().unwrap().len(), 5);
    let no =
        project.ok_json("explain runs/run/1 new.csv --json --target no --method shapley -o other");
    let of_no = value(&entry(&no, "shapley")["samples"][0]["columns"], "clay");
    let of_yes = value(&samples[0]["columns"], "clay");
    assert!((of_no + of_yes).abs() < 1e-4, "{of_no} {of_yes}");
    assert_eq!(project.json("other/explanations.json"), no);
    // It opens as before, and answers.
    project.ok("predict runs/run/1 new.csv -o out.csv");
}

/// A linear model has one explanation: what is learned of a column times what its number is above the mean.
#[test]
fn all_ways_agree_on_a_linear_model() {
    let project = Project::with(
        &EVERYTHING
            .replace(
                "type = \"mlp\"\nhidden = [16, 16]\nnorm = \"batch\"\ndropout = 0.3",
                "type = \"linear\"",
            )
            .replace(
                "target = \"diagnosis\"",
                "target = \"mean_radius\"\nignore = [\"diagnosis\"]",
            )
            .replace(", stratify = true", "")
            .replace("type = \"classification\"", "type = \"regression\""),
    );
    project.ok("train run.toml -q");
    let line = "explain runs/run/1 --rows 5 --samples 5 --json --method shapley --method integrated_gradients --method occlusion";
    let found = project.ok_json(line);
    let [shapley, integrated, occlusion] =
        ["shapley", "integrated_gradients", "occlusion"].map(|method| entry(&found, method));
    assert_eq!(shapley["of"], "prediction");
    for number in 0..5 {
        let sample = &shapley["samples"][number];
        assert_adds_up(sample, 1e-3);
        for name in names(&sample["columns"]) {
            let of = |found: &Value| value(&found["samples"][number]["columns"], name);
            let [a, b, c] = [shapley, integrated, occlusion].map(of);
            assert!(
                (a - b).abs() < 2e-3 && (a - c).abs() < 2e-3,
                "{name}: {a} {b} {c}"
            );
        }
    }
}

/// Dark pictures, half of them with a bright spot at the top left.
fn spots(project: &Project) {
    for number in 0..24_u32 {
        let class = if number.is_multiple_of(2) {
            "spot"
        } else {
            "plain"
        };
        let picture = ImageBuffer::from_fn(24, 24, |x, y| {
            let is_spot = class == "spot" && (2..8).contains(&x) && (2..8).contains(&y);
            let noise = (x * 7 + y * 13 + number * 29) % 37;
            Luma([(if is_spot { 210 } else { 30 } + noise) as u8])
        });
        let path = project.path(&format!("pictures/{class}/{number}.png"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        picture.save(path).unwrap();
    }
}

const SPOTS: &str = r#"
[device]
backend = "flex"

[data]
type = "image_folder"
path = "pictures"
split = { train = 0.5, valid = 0.25, test = 0.25, stratify = true }

[model]
type = "cnn"
widths = [8, 8]

[task]
type = "classification"

[optimizer]
type = "adamw"
learning_rate = 1e-2

[train]
epochs = 30
batch_size = 4
"#;

#[test]
fn what_an_image_shows_is_found_in_its_place() {
    let project = Project::with(SPOTS);
    spots(&project);
    project.ok("train run.toml -q");
    let found = project.ok_json("explain runs/run/1 pictures/spot --rows 4 --target spot --json");
    for method in ["grad_cam", "integrated_gradients", "occlusion"] {
        let entry = entry(&found, method);
        assert_eq!(names(&entry["columns"])[0], "top left", "{entry}");
        let samples = entry["samples"].as_array().unwrap();
        assert_eq!(samples.len(), 4);
        let files = samples
            .iter()
            .map(|sample| &sample["file"])
            .chain([&entry["file"]]);
        for file in files {
            let path = format!("runs/run/1/{}", file.as_str().unwrap());
            image::load_from_memory(&project.bytes(&path)).unwrap();
        }
    }
    let words = ["is for transformers"];
    project.refused("explain runs/run/1 --method rollout", 2, &words);
    project.refused(
        "explain runs/run/1 --method shapley",
        2,
        &["columns of a table"],
    );
    project.refused("explain runs/run/1 pictures/none.png", 1, &["none.png"]);
    // Looking at a model of shuffled weights leaves the model as it is, its running statistics too.
    let line = "explain runs/run/1 --rows 4 --json --method saliency --method occlusion";
    let plain = project.ok_json(line);
    let checked = project.ok_json(&format!("{line} --randomised"));
    for method in ["saliency", "occlusion"] {
        let [plain, checked] = [&plain, &checked].map(|found| entry(found, method));
        assert_eq!(plain["columns"], checked["columns"]);
        assert_eq!(plain["samples"], checked["samples"]);
        assert!(checked["randomised"].as_f64().unwrap() < 0.9, "{checked}");
    }
    let out = project
        .ok("explain runs/run/1 --baseline black --method occlusion")
        .out;
    assert!(out.contains("a black image"), "{out}");
}

#[test]
fn a_vision_transformer_is_explained_by_its_attention() {
    let vit = "type = \"vit\"\nsize = \"tiny\"\npatch_size = 8\nlayers = 2\nhidden = 16\nheads = 2\nmlp = 32";
    let project = Project::with(
        &SPOTS
            .replace("type = \"cnn\"\nwidths = [8, 8]", vit)
            .replace("epochs = 30", "epochs = 1"),
    );
    spots(&project);
    project.ok("train run.toml -q");
    let found = project.ok_json("explain runs/run/1 --rows 2 --json --method rollout");
    let shares = entry(&found, "rollout")["columns"]
        .as_array()
        .unwrap()
        .iter();
    let sum: f64 = shares.map(|region| region["value"].as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-6, "{sum}");
    project.refused("explain runs/run/1 --method grad_cam", 2, &["convolutions"]);
}

const TEXTS: &str = r#"
[device]
backend = "flex"

[data]
type = "text_table"
path = "pots.csv"
target = "mark"
split = { train = 0.7, valid = 0.15, test = 0.15, stratify = true }

[tokenizer]
type = "wordpiece"
vocabulary_size = 120
lowercase = true

[model]
type = "bert"
layers = 1
heads = 2
width = 32
context_length = 16

[task]
type = "classification"

[optimizer]
type = "adamw"
learning_rate = 5e-3

[train]
epochs = 12
batch_size = 12
"#;

fn pots(rows: usize) -> String {
    let words = [["fine", "smooth"], ["cracked", "crooked"]];
    (0..rows).fold("text,mark\n".to_owned(), |table, row| {
        let pot = ["bowl", "cup", "jug", "vase", "plate"][row / 2 % 5];
        let (word, mark) = (words[row % 2][row / 10 % 2], ["good", "bad"][row % 2]);
        table + &format!("a {word} {pot} number {},{mark}\n", row % 7)
    })
}

#[test]
fn the_words_that_decide_a_text_are_found() {
    let project = Project::with(TEXTS);
    project.write("pots.csv", &pots(160));
    project.ok("train run.toml -q");
    let found = project.ok_json("explain runs/run/1 --json --rows 20");
    for method in ["integrated_gradients", "occlusion", "rollout"] {
        let entry = entry(&found, method);
        let file = entry["file"].as_str().unwrap();
        let page = project.read(&format!("runs/run/1/{file}"));
        assert!(
            page.contains("</html>") && page.contains("number"),
            "{page}"
        );
        let tokens = names(&entry["samples"][0]["columns"]);
        assert!(tokens.contains(&"number"), "{tokens:?}");
    }
    let deciding = ["fine", "smooth", "cracked", "crooked"];
    for method in ["integrated_gradients", "occlusion"] {
        let found = names(&entry(&found, method)["columns"]);
        assert!(deciding.contains(&found[0]), "{method}: {found:?}");
    }
    let sums = &entry(&found, "integrated_gradients")["completeness"];
    assert!(sums["error"].as_f64().unwrap().abs() < 0.05, "{sums}");
    project.write("new.csv", "text\na cracked cup\n");
    let found =
        project.ok_json("explain runs/run/1 new.csv --json --target bad --method occlusion");
    assert!(
        value(
            &entry(&found, "occlusion")["samples"][0]["columns"],
            "cracked"
        ) > 0.1,
        "{found}"
    );
}

#[test]
fn what_cannot_be_explained_is_refused() {
    let project = Project::with(&glaze_config("onehot"));
    project.write("glazes.csv", &glazes(120));
    project.ok("train run.toml -q --set train.epochs=1");
    project.write("new.csv", "clay,heat\nred,1000\n");
    let cases = [
        ("--target maybe", 2, "it has \"no\", \"yes\""),
        ("--target yess", 2, "did you mean"),
        ("--column claay", 2, "Did you mean \"clay\"?"),
        ("--method shapley --column clay", 2, "partial_dependence"),
        ("--metric acuracy", 2, "no metric \"acuracy\""),
        ("--method shapley --metric f1", 2, "permutation"),
        ("--baseline black", 2, "for images"),
        ("--method grad_cam", 2, "convolutions"),
        ("--rows 0", 2, "at least 1"),
        (
            "--randomised --method permutation --method partial_dependence",
            2,
            "here it is for shapley, integrated_gradients, occlusion, saliency, smooth_grad",
        ),
        ("-o new.csv", 1, "new.csv"),
        ("-o new.csv/below/that", 1, "cannot write into new.csv"),
        ("-o ~/there", 2, "./~/there"),
        ("new.csv", 1, "shelf"),
        ("none.csv", 1, "none.csv"),
        ("new.csv --split test", 2, "cannot be used with"),
        ("glazes.csv --method permutation", 2, "targets"),
        ("--background none.csv", 1, "none.csv"),
        ("--method lime", 2, "possible values"),
    ];
    for (flags, code, words) in cases {
        let ran = project.run(&format!("explain runs/run/1 {flags}"));
        let err = ran.err.to_lowercase();
        assert!(
            err.contains(&words.to_lowercase()),
            "{flags}: no {words:?} in {err}"
        );
        ran.refused(code, &[]);
    }
    assert!(!project.path("runs/run/1/explanations.json").exists());
    // It is found before the work, of which nothing is printed then.
    project.write("there/explanations.json", "[1]");
    let ran = project.run("explain runs/run/1 -o there");
    ran.refused(1, &["move it away"]);
    assert_eq!(ran.out, "");
    project.write("runs/run/1/explanations.json", "{}");
    project.refused("explain runs/run/1 --method saliency", 1, &["move it away"]);
    fs::remove_file(project.path("runs/run/1/explanations.json")).unwrap();
    let ran = project.ok("explain runs/run/1 --method saliency --checkpoint best");
    assert!(ran.err.contains("-o FOLDER"), "{}", ran.err);
    assert!(!project.path("runs/run/1/explanations.json").exists());
    project.write("poem.txt", &poem());
    let gpt = "[data]\ntype = \"text\"\npath = \"poem.txt\"\n[tokenizer]\ntype = \"char\"\n\
               [model]\ntype = \"gpt\"\nlayers = 1\nheads = 2\nwidth = 16\ncontext_length = 16\n\
               [task]\ntype = \"causal_lm\"\n[device]\nbackend = \"flex\"\n[train]\nmax_steps = 2\nbatch_size = 4\n";
    project.write("poem.toml", gpt);
    project.ok("train poem.toml -q");
    project.refused("explain runs/poem", 2, &["predicts tokens"]);
}
