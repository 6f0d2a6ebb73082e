//! Encoders of the hub: a folder alone says which model it is; it learns, is exported, and makes vectors of texts.

use serde_json::{Value, json};

use crate::encoder::{pots, sentence};
use crate::support::Project;

const RUN: &str = r#"
[device]
backend = "flex"

[data]
type = "text"
path = "pots.txt"

[model]
pretrained = "hub/NAME"

[task]
type = "masked_lm"

[optimizer]
type = "adamw"
learning_rate = 5e-3

[train]
max_steps = 12
batch_size = 8

[eval]
every_steps = 6
"#;

const CLASSES: &str = r#"
[device]
backend = "flex"

[data]
type = "text_table"
path = "pots.csv"
target = "mark"
id = "id"

[model]
pretrained = "hub/NAME"
allow_missing = MISSING

[task]
type = "classification"

[optimizer]
type = "adamw"
learning_rate = 5e-3

[train]
epochs = 2
batch_size = 16
"#;

const MADE: &str = "crates/fireclay-models/tests/data/encoders";

/// Folders as the hub has them.
fn project(names: &[&str]) -> Project {
    let project = Project::with(RUN);
    project.write("pots.csv", &pots(120));
    let lines: String = (0..200).map(|row| sentence(row).0 + ".\n").collect();
    project.write("pots.txt", &lines);
    for name in names {
        let files = [
            "config.json",
            "model.safetensors",
            "tokenizer.json",
            "tokenizer_config.json",
        ];
        let more = [
            "modules.json",
            "1_Pooling/config.json",
            "sentence_bert_config.json",
            "config_sentence_transformers.json",
        ];
        let is_sentence = name.starts_with("sentence");
        project.write(&format!("hub/{name}/1_Pooling/here"), "");
        for file in files.iter().chain(more.iter().filter(|_| is_sentence)) {
            project.copy(
                &format!("{MADE}/{name}/{file}"),
                &format!("hub/{name}/{file}"),
            );
        }
        project.write(&format!("{name}.toml"), &RUN.replace("NAME", name));
    }
    project
}

fn loss(project: &Project, model: &str) -> f64 {
    let found = project.ok_json(&format!("evaluate {model} --data pots.txt --json"));
    found["pots.txt"]["metrics"]["loss"].as_f64().unwrap()
}

/// The vectors in a file of lines of JSON, by the order of the numbers in a name.
fn vectors(project: &Project, path: &str) -> Vec<Vec<f64>> {
    let line = |line: &str| {
        let row: Value = serde_json::from_str(line).unwrap();
        let number = |index: usize| row[format!("embedding_{index}")].as_f64();
        (1..).map_while(number).collect()
    };
    project.read(path).lines().map(line).collect()
}

#[test]
fn a_folder_alone_learns_and_is_exported() {
    let names = ["roberta-masked", "distilbert-masked", "modernbert-masked"];
    let project = project(&names);
    for name in names {
        let kind = name.split('-').next().unwrap();
        let out = project.ok(&format!("check {name}.toml")).out;
        assert!(out.contains(&format!("\"{kind}\"")), "{out}");
        project.ok(&format!("plan {name}.toml"));
        project.ok(&format!("train {name}.toml -q"));
        let lines = project.record(&format!("{name}/1"));
        let valid = lines.iter().filter(|line| line["split"] == "valid");
        let valid: Vec<f64> = valid.map(|line| line["loss"].as_f64().unwrap()).collect();
        assert!(valid.last() < valid.first(), "{name}: {valid:?}");

        project.ok(&format!("export runs/{name}/1 --output out/{name}"));
        let ours = project.json(&format!("out/{name}/config.json"));
        let theirs = project.json(&format!("{MADE}/{name}/config.json"));
        for key in ["model_type", "architectures", "max_position_embeddings"] {
            assert_eq!(ours[key], theirs[key], "{name}");
        }
        if kind == "roberta" {
            assert_eq!(ours["pad_token_id"], 1);
        }
        // What is exported answers as it is, and as the run does.
        let off =
            loss(&project, &format!("out/{name}")) - loss(&project, &format!("runs/{name}/1"));
        assert!(off.abs() < 1e-6, "{name}: {off}");
    }
}

#[test]
fn a_classifier_starts_from_a_masked_language_model() {
    let cases = [
        ("roberta-masked", "[\"classifier.*\"]"),
        (
            "distilbert-masked",
            "[\"pre_classifier.*\", \"classifier.*\"]",
        ),
        ("modernbert-masked", "[\"classifier.*\"]"),
    ];
    let project = project(&cases.map(|(name, _)| name));
    for (name, missing) in cases {
        let config = CLASSES.replace("NAME", name).replace("MISSING", missing);
        project.write(&format!("{name}.toml"), &config);
        let without = "--set model.allow_missing=[]";
        let words = ["model.allow_missing = [", "classifier"];
        project.refused(&format!("check {name}.toml {without}"), 2, &words);
        project.ok(&format!("train {name}.toml -q --set data.max_length=6"));
        let config = project.json(&format!("runs/{name}/1/config.json"));
        let class = config["architectures"][0].as_str().unwrap();
        assert!(class.ends_with("ForSequenceClassification"), "{class}");
        project.ok(&format!("predict runs/{name}/1 pots.csv -o out.csv"));
        exported_alike(&project, name);
        let all = "--embeddings -o vectors.jsonl";
        project.ok(&format!("predict runs/{name}/1 pots.csv {all}"));
        let found = vectors(&project, "vectors.jsonl");
        assert_eq!((found.len(), found[0].len()), (120, 24));
        let first = project.read("vectors.jsonl");
        assert!(first.starts_with("{\"id\":\"P0\","), "{first}");
        // Adapters find queries and values by the names that each has.
        project.write(
            &format!("{name}.toml"),
            &(project.read(&format!("{name}.toml")) + "\n[lora]\nrank = 2\n"),
        );
        project.ok(&format!("train {name}.toml -q --set train.max_steps=2"));
    }
}

/// What a run exports has the names of its classes and its length, and answers as the run does.
fn exported_alike(project: &Project, name: &str) {
    project.ok(&format!("export runs/{name}/1 --output out/{name}"));
    let config = project.json(&format!("out/{name}/config.json"));
    let tokenizer = project.json(&format!("out/{name}/tokenizer_config.json"));
    assert_eq!(tokenizer["model_max_length"], 6, "{name}");
    assert_eq!(config["problem_type"], "single_label_classification");
    for (number, class) in config["id2label"].as_object().unwrap() {
        let number: u64 = number.parse().unwrap();
        assert_eq!(config["label2id"][class.as_str().unwrap()], number);
    }
    let own = project.read("out.csv");
    let lines = (0..40).map(|row| json!({"text": sentence(row).0}).to_string() + "\n");
    project.write("texts.jsonl", &lines.collect::<String>());
    let ran = project.ok(&format!("predict out/{name} texts.jsonl -o theirs.csv"));
    assert!(
        ran.err.contains("6 tokens (model_max_length"),
        "{}",
        ran.err
    );
    let theirs = project.read("theirs.csv");
    let (head, _) = own.split_once('\n').unwrap();
    assert!(
        theirs.starts_with(&head.replacen("id", "row", 1)),
        "{theirs}"
    );
    let classes = |table: &str| -> Vec<String> {
        let class = |line: &str| line.split(',').nth(1).unwrap().to_owned();
        table.lines().take(41).map(class).collect()
    };
    assert_eq!(classes(&own), classes(&theirs), "{name}");
}

#[test]
fn texts_have_the_vectors_of_sentence_transformers() {
    let names = [
        "sentence-bert",
        "sentence-roberta",
        "sentence-distilbert",
        "sentence-modernbert",
    ];
    let project = project(&names);
    for name in names {
        let known = project.json(&format!("{MADE}/{name}/vectors.json"));
        let known = known.as_array().unwrap();
        let lines = known
            .iter()
            .map(|text| json!({"text": text["text"]}).to_string() + "\n");
        project.write("texts.jsonl", &lines.collect::<String>());
        let ran = project.ok(&format!("predict hub/{name} texts.jsonl -o out.jsonl"));
        let said = format!("{}{}", ran.out, ran.err);
        assert!(said.contains("the vector of a text is"), "{said}");
        let found = vectors(&project, "out.jsonl");
        assert_eq!(found.len(), known.len());
        for (found, known) in found.iter().zip(known) {
            let expected = known["vector"].as_array().unwrap();
            assert_eq!(found.len(), expected.len());
            for (a, b) in found.iter().zip(expected) {
                assert!(
                    (a - b.as_f64().unwrap()).abs() < 1e-4,
                    "{name} {known}: {a} is not {b}"
                );
            }
        }
        project.ok(&format!("predict hub/{name} texts.jsonl -o out.parquet"));
        let ran = project.ok(&format!("predict hub/{name} texts.jsonl -o -"));
        assert!(
            ran.out.starts_with("row,embedding_1,embedding_2,"),
            "{}",
            ran.out
        );
    }
    let ran = project.ok("predict hub/sentence-roberta texts.jsonl -o out.jsonl");
    assert!(
        ran.err.contains("\"query: \" is put before each text"),
        "{}",
        ran.err
    );
    // A model without a head predicts no tokens.
    let line = "evaluate hub/sentence-bert --data pots.txt";
    project.refused(line, 2, &["no head", "predict"]);
}

#[test]
fn what_makes_no_vectors_is_refused() {
    let names = ["roberta-masked", "distilbert-classes", "sentence-bert"];
    let project = project(&names);
    project.write(
        "texts.jsonl",
        "{\"text\": \"a bowl\"}\n{\"text\": \"a cup\"}\n",
    );
    // Nothing says how: the mean is taken, and that is said.
    let ran = project.ok("predict hub/roberta-masked texts.jsonl -o out.jsonl");
    assert!(ran.err.contains("modules.json"), "{}", ran.err);
    let found = vectors(&project, "out.jsonl");
    let length: f64 = found[0].iter().map(|x| x * x).sum();
    assert!((length - 1.0).abs() < 1e-5, "{length}");

    let line = "predict hub/distilbert-classes texts.jsonl -o out.csv";
    project.ok(line);
    let classes = project.read("out.csv");
    let columns = "row,prediction,probability_LABEL_0,probability_LABEL_1,probability_LABEL_2";
    assert!(classes.starts_with(columns), "{classes}");
    project.ok(&format!("{line} --embeddings"));
    assert!(project.read("out.csv").starts_with("row,embedding_1,"));
    let mut config = project.json("hub/distilbert-classes/config.json");
    config["problem_type"] = "multi_label_classification".into();
    project.write("hub/distilbert-classes/config.json", &config.to_string());
    project.refused(line, 2, &["problem_type", "--embeddings"]);
    project.refused(
        "predict hub/roberta-masked pots.txt -o out.csv",
        2,
        &["no table"],
    );
    project.write("words.jsonl", "{\"words\": \"a bowl\"}\n");
    project.refused(
        "predict hub/sentence-bert words.jsonl -o out.csv",
        1,
        &["text"],
    );
    project.refused(
        "generate hub/sentence-bert --prompt a",
        2,
        &["no model that writes"],
    );
    project.refused("serve hub/sentence-bert", 1, &["not served", "predict"]);
    let words = ["hub/sentence-bert was not trained here: of such models explain is for"];
    project.refused("explain hub/sentence-bert", 2, &words);
    let mut config = project.json("hub/roberta-masked/config.json");
    config["pad_token_id"] = 0.into();
    project.write("hub/roberta-masked/config.json", &config.to_string());
    let line = "predict hub/roberta-masked texts.jsonl -o out.csv";
    project.refused(line, 2, &["pad_token_id", "around each text"]);
    let mut modules = project.json("hub/sentence-bert/modules.json");
    modules[2]["type"] = "sentence_transformers.models.Dense".into();
    project.write("hub/sentence-bert/modules.json", &modules.to_string());
    let line = "predict hub/sentence-bert texts.jsonl -o out.csv";
    project.refused(line, 2, &["modules.json", "Dense"]);
    // A tokenizer that fills up with another token than the model counts from.
    let config = RUN.replace(
        "pretrained = \"hub/NAME\"",
        "type = \"roberta\"\nlayers = 1\nheads = 2\nwidth = 16\ncontext_length = 16",
    );
    let tokenizer = "\n[tokenizer]\ntype = \"wordpiece\"\nvocabulary_size = 120\n";
    project.write("own.toml", &(config + tokenizer));
    project.refused("check own.toml", 2, &["first_position", "set 1"]);
    project.ok("train own.toml -q --set model.first_position=1");
    assert_eq!(project.json("runs/own/1/config.json")["pad_token_id"], 0);
}
