//! Images: the same job as for tables, from files of pictures to a model that answers.

use std::fs;
use std::path::Path;

use image::{ImageBuffer, Rgb};
use safetensors::SafeTensors;
use serde_json::Value;

#[cfg(feature = "flex")]
use crate::backends::{assert_close, weights};
use crate::support::Project;
#[cfg(all(feature = "flex", feature = "wgpu"))]
use crate::support::{Wgpu, wgpu};

/// A small network on the shipped digits, with all that is drawn at random while training.
const DIGITS: &str = r#"
[device]
backend = "flex"

[data]
type = "image_parquet"
path = "datasets/digits/data.parquet"
split = { train = 0.7, valid = 0.15, test = 0.15, stratify = true }

[data.augment]
random_crop = { padding = 1 }
rotation = 10.0
random_erasing = { probability = 0.3 }
mixup = 0.2

[model]
type = "resnet"
depth = 20
width = 4
drop_path_rate = 0.1

[task]
type = "classification"
label_smoothing = 0.1

[optimizer]
type = "sgd"
learning_rate = 0.05
momentum = 0.9

[lr_scheduler]
type = "cosine"
warmup_steps = 3

[train]
max_steps = 12
batch_size = 32
gradient_accumulation_steps = 2
ema_decay = 0.9

[eval]
every_steps = 5

[checkpoint]
every_steps = 4
"#;

/// A folder with pictures of two kinds, `bright` and `dark`, ten of each, of several sizes.
pub(crate) fn pictures(project: &Project, folder: &str) {
    for (class, level) in [("bright", 200), ("dark", 40)] {
        for number in 0..10_u8 {
            let (width, height) = (16 + u32::from(number), 20);
            let picture = ImageBuffer::from_fn(width, height, |x, y| {
                let noise = ((x * 7 + y * 13 + u32::from(number) * 29) % 31) as u8;
                Rgb([level + noise, level, level - noise])
            });
            let path = project.path(&format!("{folder}/{class}/{number}.png"));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            picture.save(path).unwrap();
        }
    }
}

pub(crate) const PICTURES: &str = r#"
[device]
backend = "flex"

[data]
type = "image_folder"
path = "pictures"
image_size = 16
split = { train = 0.6, valid = 0.2, test = 0.2, stratify = true }

[model]
type = "cnn"
widths = [4, 8]

[task]
type = "classification"

[train]
epochs = 10
batch_size = 4
"#;

fn tensors(project: &Project, path: &str) -> Vec<(String, Vec<usize>, Vec<u8>)> {
    let bytes = project.bytes(path);
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut tensors: Vec<_> = file
        .tensors()
        .into_iter()
        .map(|(name, view)| (name, view.shape().to_vec(), view.data().to_vec()))
        .collect();
    tensors.sort();
    tensors
}

#[test]
fn pictures_in_folders_become_a_model_that_answers() {
    let project = Project::with(PICTURES);
    pictures(&project, "pictures");
    let out = project.ok("train run.toml").out;
    assert!(out.contains("spent on data"), "{out}");
    let metrics = &project.json("runs/run/1/evaluation.json")["test"]["metrics"];
    assert_eq!(metrics["accuracy"], 1.0, "{metrics}");

    let out = project.ok("predict runs/run/1 pictures/dark/3.png").out;
    let answer: Vec<&str> = out.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(
        answer[..3],
        ["pictures/dark/3.png", "dark", "dark"],
        "{out}"
    );
    assert!(answer[3].parse::<f64>().unwrap() > 0.5, "{out}");
    let before = project.bytes("runs/run/1/metrics.jsonl");
    let ran = project.run("predict runs/run/1 pictures -o runs/run/1/metrics.jsonl");
    ran.refused(1, &["belongs to the run"]);
    assert!(project.bytes("runs/run/1/metrics.jsonl") == before);

    project.ok("predict runs/run/1 pictures -o answers.jsonl");
    let answers = project.read("answers.jsonl");
    assert_eq!(answers.lines().count(), 20);
    for line in answers.lines() {
        let answer: Value = serde_json::from_str(line).unwrap();
        let image = answer["image"].as_str().unwrap();
        let class = answer["prediction"].as_str().unwrap();
        assert!(image.contains(class), "{line}");
        assert_eq!(answer["class_1"], answer["prediction"]);
        let sum =
            answer["probability_1"].as_f64().unwrap() + answer["probability_2"].as_f64().unwrap();
        assert!((sum - 1.0).abs() < 1e-6, "{line}");
    }
    project.ok("predict runs/run/1 pictures/*/1.png -o answers.csv --top 1");
    assert_eq!(project.read("answers.csv").lines().count(), 3);

    let out = project.ok("evaluate runs/run/1 --split train").out;
    for word in ["train: 12 rows", "by class", "confusion matrix"] {
        assert!(out.contains(word), "{out}");
    }
    pictures(&project, "others");
    let report = project.ok_json("evaluate runs/run/1 --data others --json");
    assert_eq!(report["others"]["n"], 20);
}

#[test]
fn a_folder_of_pictures_needs_no_config_of_ones_own() {
    let project = Project::new();
    pictures(&project, "pictures");
    let out = project.ok("init pictures").out;
    assert!(out.contains("20, of 2 classes"), "{out}");
    project.ok("check pictures.toml");
    project.ok("train pictures.toml -q --set train.max_steps=2 --set data.image_size=32 --set device.backend=flex");
    project.refused("init pictures", 2, &["pictures.toml", "--force"]);
    project.refused("init datasets", 1, &["datasets"]);
}

#[test]
fn interrupted_while_augmenting_it_resumes_to_the_same_bits() {
    let project = Project::with(DIGITS);
    let files = ["model.safetensors", "metrics.jsonl", "evaluation.json"];
    project.resumes("step-00000012", &files);
    let report = project.json("runs/run/2/evaluation.json");
    assert_eq!(report["valid"]["n"], 270);
}

#[test]
#[cfg(all(feature = "flex", feature = "ndarray"))]
fn a_network_trains_alike_on_flex_and_ndarray() {
    alike("ndarray", DIGITS);
}

#[test]
#[cfg(all(feature = "flex", feature = "wgpu"))]
fn a_tiny_network_trains_alike_on_flex_and_wgpu() {
    let project = Project::new();
    if wgpu(&project) == Wgpu::Absent {
        return;
    }
    let tiny = DIGITS
        .replace(
            "type = \"resnet\"\ndepth = 20\nwidth = 4\ndrop_path_rate = 0.1",
            "type = \"cnn\"\nwidths = [4]",
        )
        .replace("batch_size = 32", "batch_size = 8");
    alike("wgpu", &tiny);
}

/// A few steps without anything that is drawn on the device.
#[cfg(feature = "flex")]
fn alike(backend: &str, config: &str) {
    let config = config.replace("drop_path_rate = 0.1", "");
    let project = Project::with(&config);
    let sets = "-q --set train.max_steps=4 --set checkpoint.keep_best=false --set optimizer.learning_rate=0.01";
    project.ok(&format!("train run.toml {sets}"));
    project.ok(&format!(
        "train run.toml {sets} --set device.backend={backend}"
    ));
    assert_close(&weights(&project, 1), &weights(&project, 2), 2e-3);
}

#[test]
fn weights_of_one_run_start_another_with_other_classes() {
    let project = Project::with(DIGITS);
    project.ok("train run.toml -q");
    project.copy("runs/run/1/model.safetensors", "digits.safetensors");
    pictures(&project, "pictures");
    let config = PICTURES
        .replace("image_size = 16", "image_size = 8\nchannels = \"gray\"")
        .replace(
            "type = \"cnn\"\nwidths = [4, 8]",
            "type = \"resnet\"\ndepth = 20\nwidth = 4\npretrained = \"digits.safetensors\"\nfreeze = [\"conv1.*\", \"bn1.*\", \"layer1.*\"]",
        )
        .replace("epochs = 10", "epochs = 2\nlayer_decay = 0.7");
    project.write("fine.toml", &config);
    project.ok("train fine.toml -q");
    let before = tensors(&project, "digits.safetensors");
    let after = tensors(&project, "runs/fine/1/model.safetensors");
    let mut moved = 0;
    for ((name, shape, old), (other, new_shape, new)) in before.iter().zip(&after) {
        assert_eq!(name, other);
        let frozen = ["conv1.", "bn1.", "layer1."]
            .iter()
            .any(|p| name.starts_with(p));
        if name.starts_with("fc.") {
            assert_eq!((shape[0], new_shape[0]), (10, 2), "{name}");
        } else if frozen {
            assert!(old == new, "{name} is frozen and has moved");
        } else {
            moved += usize::from(old != new);
        }
    }
    assert!(moved > 20, "only {moved} tensors have moved");

    let deeper = config.replace("depth = 20", "depth = 32");
    project.write("deeper.toml", &deeper);
    let ran = project.run("train deeper.toml -q");
    ran.refused(
        2,
        &[
            "pretrained",
            "layer1.3.conv1.weight",
            "60 in all",
            "missing",
        ],
    );
    let all = config.replace("\"conv1.*\", \"bn1.*\", \"layer1.*\"", "\"*\"");
    project.write("all.toml", &all);
    project.refused("train all.toml -q", 2, &["freeze", "nothing to train"]);
    project.write("typo.toml", &config.replace("\"bn1.*\"", "\"bnn1.*\""));
    project.refused("train typo.toml -q", 2, &["freeze", "bnn1.*", "no tensor"]);
}

#[test]
fn labels_that_apply_together() {
    let project = Project::new();
    pictures(&project, "pictures");
    let mut table = String::from("file,tags\n");
    for number in 0..10 {
        let tag = if number % 2 == 0 { " even" } else { "" };
        table += &format!("bright/{number}.png,light{tag}\n");
        table += &format!("dark/{number}.png,{}\n", tag.trim());
    }
    project.write("pictures/tags.csv", &table);
    let config = PICTURES
        .replace(
            "type = \"image_folder\"\npath = \"pictures\"",
            "type = \"image_table\"\npath = \"pictures/tags.csv\"\nimage_column = \"file\"\ntarget = \"tags\"\nlabel_separator = \" \"",
        )
        .replace(", stratify = true", "")
        .replace("\"classification\"", "\"multilabel\"");
    project.write("run.toml", &config);
    project.ok("train run.toml -q --set checkpoint.monitor=valid/f1_micro");
    let report = &project.json("runs/run/1/evaluation.json")["test"];
    assert_eq!(report["classes"], serde_json::json!(["even", "light"]));
    assert!(report["metrics"]["hamming_loss"].as_f64().unwrap() <= 0.5);
    assert!(
        report["per_class"][1]["f1"].as_f64().unwrap() > 0.9,
        "{report}"
    );
}

#[test]
fn a_number_for_each_picture() {
    let project = Project::new();
    pictures(&project, "pictures");
    let mut table = String::from("image,label\n");
    for number in 0..10 {
        table += &format!("bright/{number}.png,{}\n", 2.0 + 0.01 * f64::from(number));
        table += &format!("dark/{number}.png,{}\n", -3.0 - 0.01 * f64::from(number));
    }
    project.write("pictures/values.csv", &table);
    let config = PICTURES
        .replace(
            "type = \"image_folder\"\npath = \"pictures\"",
            "type = \"image_table\"\npath = \"pictures/values.csv\"",
        )
        .replace(", stratify = true", "")
        .replace("\"classification\"", "\"regression\"");
    project.write("run.toml", &config);
    project.ok("train run.toml -q --set train.epochs=40 --set optimizer.type=adam --set optimizer.learning_rate=0.01");
    let metrics = &project.json("runs/run/1/evaluation.json")["test"]["metrics"];
    assert!(metrics["rmse"].as_f64().unwrap() < 1.0, "{metrics}");
    let out = project.ok("predict runs/run/1 pictures/bright/0.png").out;
    let answer = out.lines().nth(1).unwrap();
    let value: f64 = answer.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!((1.0..3.0).contains(&value), "{out}");
}

#[test]
fn what_is_wrong_with_images_is_said_before_the_first_step() {
    let project = Project::with(PICTURES);
    project.refused("train run.toml", 2, &["run.toml", "path", "pictures"]);
    pictures(&project, "pictures");
    let wrong = r#"
model.type=mlp                 | mlp | tables
data.image_size=0              | image_size
data.augment.horizontal_flip=2 | horizontal_flip
model.pretrained="nowhere.pth" | pretrained | nowhere.pth
train.layer_decay=0            | layer_decay
task.type=regression           | stratify
data.targt=1                   | targt | target
"#;
    project.refuses_each("train run.toml", wrong);
    assert!(!project.path("runs").exists(), "a run folder was made");
}

#[test]
fn a_damaged_picture_is_named_or_left_out_and_counted() {
    let project = Project::with(PICTURES);
    pictures(&project, "pictures");
    let victim = project.path("pictures/dark/7.png");
    truncate(&victim);
    project.refused("train run.toml", 1, &["pictures/dark/7.png"]);
    let skipping = PICTURES.replace("image_size = 16", "image_size = 16\non_damaged = \"skip\"");
    project.write("skip.toml", &skipping);
    let out = project.ok("train skip.toml").out;
    assert!(
        out.contains("1 damaged") || out.contains("1 image"),
        "{out}"
    );
}

#[test]
fn a_damaged_picture_that_is_held_out_is_found_before_the_first_step() {
    let project = Project::new();
    for split in ["train", "valid", "test"] {
        pictures(&project, &format!("pictures/{split}"));
    }
    let config = PICTURES.replace(
        "split = { train = 0.6, valid = 0.2, test = 0.2, stratify = true }\n",
        "",
    );
    project.write("run.toml", &config);
    truncate(&project.path("pictures/valid/dark/7.png"));
    project.write("pictures/test/bright/3.png", "<html>not found</html>");
    let both = [
        "valid/dark/7.png",
        "test/bright/3.png",
        "a web page",
        "2 images",
        "on_damaged",
    ];
    project.refused("check run.toml", 1, &both);
    project.refused("train run.toml", 1, &both);
    assert!(!project.path("runs").exists(), "a run folder was made");
    let err = project.ok("check run.toml --set data.on_damaged=skip").err;
    for part in [
        "2 damaged images are left out",
        "valid/dark/7.png",
        "test/bright/3.png",
    ] {
        assert!(err.contains(part), "{err}");
    }
}

#[test]
fn init_names_damaged_pictures_and_leaves_them_out() {
    let project = Project::new();
    pictures(&project, "pictures");
    project.write("pictures/dark/empty.png", "");
    truncate(&project.path("pictures/bright/7.png"));
    let out = project.ok("init pictures").out;
    for part in [
        "dark/empty.png: the file is empty",
        "bright/7.png",
        "19, of 2 classes",
    ] {
        assert!(out.contains(part), "{out}");
    }
    assert!(
        project
            .read("pictures.toml")
            .contains("on_damaged = \"skip\"")
    );
    project.ok("check pictures.toml");
}

#[test]
fn one_bad_picture_costs_no_other_its_answer() {
    let project = Project::with(PICTURES);
    pictures(&project, "pictures");
    project.ok("train run.toml -q");
    pictures(&project, "new");
    truncate(&project.path("new/dark/7.png"));
    project.write("new/bright/readme.txt", "nothing to see");
    let line = "predict runs/run/1 new -o answers.csv";
    let ran = project.run(line);
    ran.refused(
        1,
        &[
            "1 of 20 images have no answer",
            "new/dark/7.png",
            "--on-error skip",
            "readme.txt",
        ],
    );
    assert_eq!(project.read("answers.csv").lines().count(), 20);
    let ran = project.ok(&format!("{line} --on-error skip"));
    assert!(
        ran.err.contains("no answer for") && ran.err.contains("7.png"),
        "{}",
        ran.err
    );
    assert_eq!(project.read("answers.csv").lines().count(), 20);
    project.refused(
        "predict runs/run/1 new/dark/7.png",
        1,
        &["no image can be read", "7.png"],
    );

    let skipping = PICTURES.replace("image_size = 16", "image_size = 16\non_damaged = \"skip\"");
    project.write("skip.toml", &skipping);
    project.ok("train skip.toml -q");
    let err = project.ok("predict runs/skip/1 new -o answers.csv").err;
    assert!(err.contains("7.png"), "{err}");
}

#[test]
fn splits_in_folders_are_told_and_need_no_split() {
    let project = Project::new();
    pictures(&project, "pictures/Training");
    pictures(&project, "pictures/Test");
    let out = project.ok("init pictures").out;
    for part in ["40, of 2 classes", "Test (test)", "--no-split-folders"] {
        assert!(out.contains(part), "{out}");
    }
    project.ok("init pictures --no-split-folders -o plain.toml");
    let plain = project.read("plain.toml");
    assert!(plain.contains("\nsplit_folders = false\n"), "{plain}");
    project.ok("check plain.toml");
    assert!(
        project
            .read("pictures.toml")
            .contains("split = { stratify = true }")
    );
    let err = project.ok("check pictures.toml").err;
    assert!(err.contains("split_folders = false"), "{err}");
}

fn truncate(path: &Path) {
    let bytes = fs::read(path).unwrap();
    fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
}
