//! Classifiers of images of the hub answer without a training.

use std::fs;

use serde_json::{Value, json};

use crate::serve::server::Server;
use crate::support::{Project, root};

const MADE: &str = "crates/fireclay-models/tests/data/images";

const IMAGE: &str = "crates/fireclay-run/tests/data/timm/image.png";

/// The classes of the models: two have one name, as in ImageNet.
const CLASSES: [&str; 5] = ["cup", "bowl", "crane", "pot", "crane"];

/// The folder `hub` with this model as transformers writes it, and an image of two classes.
fn project(name: &str) -> (Project, Value) {
    let project = Project::new();
    project.write("hub/here", "");
    let weights = format!("{MADE}/{name}/model.safetensors");
    project.copy(&weights, "hub/model.safetensors");
    project.copy(&format!("{MADE}/{name}/config.json"), "hub/config.json");
    let mut config = project.json("hub/config.json");
    let names = CLASSES.iter().enumerate();
    let names = names.map(|(output, class)| (output.to_string(), json!(class)));
    config["id2label"] = Value::Object(names.collect());
    project.write("hub/config.json", &config.to_string());
    let made = root().join(format!("tests/classifiers/{name}.json"));
    let made: Value = serde_json::from_str(&fs::read_to_string(made).unwrap()).unwrap();
    let preprocessor = made["preprocessor"].to_string();
    project.write("hub/preprocessor_config.json", &preprocessor);
    for class in ["crane (2)", "cup"] {
        let path = format!("pictures/{class}/image.png");
        project.write(&path, "");
        project.copy(IMAGE, &path);
    }
    project.copy(IMAGE, "image.png");
    (project, made["probabilities"].clone())
}

/// The probability of each class, by its name.
fn answer(project: &Project, model: &str) -> Value {
    project.ok(&format!("predict {model} image.png --top 5 -o out.jsonl"));
    let row: Value = serde_json::from_str(project.read("out.jsonl").trim()).unwrap();
    let classes = (1..=CLASSES.len()).map(|rank| {
        let class = row[format!("class_{rank}")].as_str().unwrap().to_owned();
        (class, row[format!("probability_{rank}")].clone())
    });
    Value::Object(classes.collect())
}

#[test]
fn a_classifier_of_the_hub_answers_as_transformers_has_it() {
    for name in ["vit", "convnext"] {
        let (project, expected) = project(name);
        let found = answer(&project, "hub");
        let names = ["cup", "bowl", "crane (2)", "pot", "crane (4)"];
        for (output, class) in names.iter().enumerate() {
            let [a, b] = [&found[*class], &expected[output]].map(|p| p.as_f64().unwrap());
            // Pixels are Pillow's to a level of the 256.
            assert!((a - b).abs() < 0.03, "{name} {class}: {a} is not {b}");
        }
        let ran = project.ok("predict hub image.png");
        assert!(ran.err.contains("data.image_size"), "{}", ran.err);
        // What is exported has the same classes and pixels.
        project.ok("export hub --output out");
        assert_eq!(answer(&project, "out"), found);
        // A file of weights is the same model as its folder, and has the files beside it.
        assert_eq!(answer(&project, "hub/model.safetensors"), found);
        assert_eq!(answer(&project, "out/model.safetensors"), found);
        for model in ["hub", "hub/model.safetensors"] {
            project.ok(&format!("export {model} --format onnx --output out.onnx"));
            let bytes = fs::read(project.path("out.onnx")).unwrap();
            for key in ["preprocess", "postprocess", "classes"].map(|key| format!("fireclay.{key}"))
            {
                let is_there = bytes.windows(key.len()).any(|part| part == key.as_bytes());
                assert!(is_there, "{name} {model}: no {key}");
            }
            fs::remove_file(project.path("out.onnx")).unwrap();
        }
    }
}

#[test]
fn a_classifier_of_the_hub_is_served_without_training_data() {
    let (project, expected) = project("vit");
    let server = Server::start(&project, "hub");
    // Where its pixels come from is told.
    server.said_once(|said| said.contains("data.image_size"));
    let image = fs::read(project.path("image.png")).unwrap();
    let answered = server.post("/predict/hub", "image/png", &image).ok();
    assert!(answered.to_string().contains("crane (2)"), "{answered}");
    assert!(expected[2].as_f64() > Some(0.5));
    let words = ["whose training data is known"];
    server.get("/drift/hub").refused(409, &words);
    let document = server.get("/openapi.json").ok();
    assert!(document["paths"].get("/predict/hub").is_some());
    assert!(document["paths"].get("/drift/hub").is_none());
}

#[test]
fn a_classifier_of_the_hub_is_evaluated_and_explained() {
    let (project, _) = project("vit");
    let found = project.ok_json("evaluate hub --data pictures --json");
    let found = &found["pictures"];
    assert_eq!(
        (&found["n"], &found["metrics"]["accuracy"]),
        (&json!(2), &json!(0.5))
    );
    project.ok("explain hub image.png --method saliency -o why");
    let found = project.json("why/explanations.json");
    assert_eq!(found.as_array().map(Vec::len), Some(1));
    let ran = project.ok("explain hub image.png --method saliency");
    assert!(ran.err.contains("-o FOLDER"), "{}", ran.err);
    assert!(!project.path("hub/explanations.json").exists());
    for verb in ["evaluate hub", "explain hub", "predict hub --split test"] {
        project.refused(verb, 2, &["hub was not trained here"]);
    }
}

#[test]
fn a_classifier_of_which_the_pixels_are_not_known_is_refused() {
    let (project, _) = project("vit");
    let path = "hub/preprocessor_config.json";
    let mut preprocessor = project.json(path);
    preprocessor["size"] = json!({"height": 48, "width": 48});
    project.write(path, &preprocessor.to_string());
    project.refused("predict hub image.png", 1, &["another resolution"]);
    preprocessor["size"] = json!({"height": 32, "width": 32});
    preprocessor["image_mean"] = json!([0.5, 0.5, 0.5, 0.5]);
    project.write(path, &preprocessor.to_string());
    let words = ["preprocessor_config.json: image_mean is [0.5,0.5,0.5,0.5]"];
    project.refused("predict hub image.png", 2, &words);
    fs::remove_file(project.path(path)).unwrap();
    let words = ["nothing says the mean", "preprocessor_config.json"];
    project.refused("predict hub image.png", 2, &words);
}
