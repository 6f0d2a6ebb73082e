//! Encoders of text: from a table of texts to predictions, and from plain text to a model to start
//! from.

use crate::support::Project;

/// A small encoder with all that is drawn at random while training.
pub(crate) const BERT: &str = r#"
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
dropout = 0.1

[task]
type = "classification"

[optimizer]
type = "adamw"
learning_rate = 5e-3

[lr_scheduler]
type = "cosine"
warmup_steps = 5

[train]
epochs = 12
batch_size = 12
max_grad_norm = 1.0

[checkpoint]
every_steps = 20
"#;

/// The same encoder, to learn to read.
pub(crate) const MASKED: &str = r#"
[device]
backend = "flex"

[data]
type = "text"
path = "pots.txt"
split = { train = 0.8, valid = 0.1, test = 0.1 }

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
dropout = 0.1

[task]
type = "masked_lm"

[optimizer]
type = "adamw"
learning_rate = 5e-3

[train]
max_steps = 40
batch_size = 8

[eval]
every_steps = 20

[checkpoint]
every_steps = 10
"#;

/// The texts of [`BERT`] for an LSTM of two layers, with everything that is drawn at random.
fn lstm() -> String {
    let bert =
        "type = \"bert\"\nlayers = 1\nheads = 2\nwidth = 32\ncontext_length = 16\ndropout = 0.1";
    let lstm = "type = \"lstm\"\nlayers = 2\nwidth = 16\nhidden = 16\ncontext_length = 16\ndropout = 0.1\nembedding_dropout = 0.1";
    let config = BERT.replace(bert, lstm);
    assert!(config.contains(lstm));
    config
}

const FINE: [&str; 4] = ["fine", "smooth", "lovely", "even"];
const POOR: [&str; 4] = ["cracked", "crooked", "dull", "brittle"];

pub(crate) fn sentence(row: usize) -> (String, &'static str) {
    let (words, mark) = match row.is_multiple_of(2) {
        true => (FINE, "good"),
        false => (POOR, "bad"),
    };
    let pot = ["bowl", "cup", "jug", "vase", "plate"][row / 2 % 5];
    let word = words[row / 10 % 4];
    (format!("A {word} {pot}, number {}", row % 7), mark)
}

/// Sentences whose one adjective decides.
pub(crate) fn pots(rows: usize) -> String {
    (0..rows).fold("id,text,mark\n".to_owned(), |table, row| {
        let (text, mark) = sentence(row);
        table + &format!("P{row},\"{text}\",{mark}\n")
    })
}

/// The same with a number to predict.
fn numbers(rows: usize) -> String {
    (0..rows).fold("text,mark\n".to_owned(), |table, row| {
        let text = sentence(row).0.replace(',', "");
        table + &format!("{text},{}\n", 3 + 4 * (row % 2))
    })
}

fn plain(rows: usize) -> String {
    (0..rows).map(|row| sentence(row).0 + ".\n").collect()
}

fn project(config: &str) -> Project {
    let project = Project::with(config);
    project.write("pots.csv", &pots(160));
    project.write("pots.txt", &plain(300));
    project
}

#[test]
fn a_table_of_texts_becomes_a_classifier() {
    let project = project(&BERT.replace("target = ", "id = \"id\"\ntarget = "));
    let err = project.ok("check run.toml").err;
    assert!(err.contains("texts") && err.contains("tokens"), "{err}");
    let out = project.ok("train run.toml").out;
    assert!(out.contains("fireclay predict runs/run/1"), "{out}");
    assert_eq!(project.metric(1, "test", "accuracy"), 1.0);
    let again = project.ok_json("evaluate runs/run/1 --split test --json");
    let report = project.json("runs/run/1/evaluation.json");
    assert_eq!(again["test"], report["test"]);
    let all = project.ok_json("evaluate runs/run/1 --data pots.csv --json");
    assert_eq!(all["pots.csv"]["n"], 160);

    project.write(
        "new.jsonl",
        "{\"id\": 1, \"text\": \"a Lovely vase\"}\n{\"id\": 2, \"text\": \"a brittle cup\"}\n",
    );
    project.ok("predict runs/run/1 new.jsonl -o out.csv");
    let out = project.read("out.csv");
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[0], "id,prediction,probability_bad,probability_good");
    assert!(lines[1].starts_with("1,good,"), "{out}");
    assert!(lines[2].starts_with("2,bad,"), "{out}");
    let long = "a brittle cup ".repeat(20);
    project.write(
        "long.csv",
        &format!("id,text,mark\n1,a fine jug,good\n2,{long},bad\n"),
    );
    let err = project.ok("predict runs/run/1 long.csv -o long.jsonl").err;
    assert!(
        err.contains("1 of 2 texts have more than 16 tokens"),
        "{err}"
    );
    let err = project.ok("evaluate runs/run/1 --data long.csv").err;
    assert!(err.contains("1 texts have more than 16 tokens"), "{err}");
    project.write("gap.jsonl", "{\"id\": 1, \"text\": null}\n");
    let ran = project.run("predict runs/run/1 gap.jsonl -o gap.csv");
    ran.refused(1, &["gap.jsonl", "row 1", "text is missing"]);
    let ran = project.run("predict runs/run/1 pots.csv -o pots.csv");
    ran.refused(1, &["pots.csv is both input and output"]);
    project.refused("predict runs/run/1 pots.csv", 2, &["-o predictions.csv"]);
    let ran = project.run("generate runs/run/1 --prompt a");
    ran.refused(2, &["no model that writes"]);
}

#[test]
fn an_lstm_learns_a_table_of_texts_and_goes_on_from_its_own_weights() {
    for pooling in ["final", "mean", "max"] {
        let config = lstm().replace(
            "type = \"lstm\"",
            &format!("type = \"lstm\"\npooling = \"{pooling}\""),
        );
        let project = project(&config);
        project.ok("train run.toml -q");
        assert_eq!(project.metric(1, "test", "accuracy"), 1.0, "{pooling}");
        let again = project.ok_json("evaluate runs/run/1 --split test --json");
        let report = project.json("runs/run/1/evaluation.json");
        assert_eq!(again["test"], report["test"]);
        project.write("new.jsonl", "{\"text\": \"a lovely vase\"}\n");
        project.ok("predict runs/run/1 new.jsonl -o out.csv");
        let out = project.read("out.csv");
        assert!(out.contains("1,good,"), "{out}");
        assert!(!project.path("runs/run/1/config.json").exists());
    }
    let project = project(&lstm());
    project.ok("train run.toml -q --set train.max_steps=6");
    let start = "--set model.pretrained=runs/run/1/model.safetensors";
    let out = project.ok(&format!(
        "train run.toml {start} --set train.max_steps=6 --set train.layer_decay=0.5 \
         --set model.freeze=[\"embedding.*\",\"lstm.*_l0*\"]"
    ));
    assert!(out.out.contains("19 tensors loaded"), "{}", out.out);
}

#[test]
fn an_lstm_becomes_a_regressor() {
    let config = lstm()
        .replace("type = \"classification\"", "type = \"regression\"")
        .replace(", stratify = true", "");
    let project = project(&config);
    project.write("pots.csv", &numbers(160));
    project.ok("train run.toml -q");
    let r2 = project.metric(1, "test", "r2");
    assert!(r2 > 0.9, "{r2}");
}

#[test]
fn an_interrupted_lstm_resumes_to_the_same_bits() {
    let files = ["model.safetensors", "metrics.jsonl", "evaluation.json"];
    project(&lstm()).resumes("step-00000120", &files);
}

#[test]
fn a_threshold_is_tuned_and_every_tokenizer_works() {
    for (kind, more) in [
        ("char", ""),
        ("byte", ""),
        ("bpe", "vocabulary_size = 270"),
        ("unigram", "vocabulary_size = 80"),
    ] {
        let tokenizer = format!("type = \"{kind}\"\n{more}");
        let config = BERT
            .replace(
                "type = \"wordpiece\"\nvocabulary_size = 120\nlowercase = true",
                &tokenizer,
            )
            .replace(
                "type = \"classification\"",
                "type = \"classification\"\nthreshold = \"tune\"",
            )
            .replace("epochs = 12", "max_steps = 6");
        let project = project(&config);
        project.ok("train run.toml -q");
        let threshold = &project.json("runs/run/1/postprocess.json")["threshold"];
        assert!(threshold.is_number(), "{kind}: {threshold}");
        project.ok("predict runs/run/1 pots.csv -o out.parquet");
    }
}

#[test]
fn a_table_of_texts_becomes_a_regressor() {
    let config = BERT
        .replace("type = \"classification\"", "type = \"regression\"")
        .replace(", stratify = true", "");
    let project = project(&config);
    project.write("pots.csv", &numbers(160));
    project.ok("train run.toml -q");
    let r2 = project.metric(1, "test", "r2");
    assert!(r2 > 0.9, "{r2}");
    project.ok("predict runs/run/1 pots.csv -o out.csv");
    let out = project.read("out.csv");
    assert!(out.starts_with("row,prediction\n1,"), "{out}");
}

#[test]
fn texts_may_have_several_labels_or_none() {
    for config in [BERT.to_owned(), lstm()] {
        let config = config
            .replace("type = \"classification\"", "type = \"multilabel\"")
            .replace("target = ", "label_separator = \";\"\ntarget = ")
            .replace(", stratify = true", "");
        let project = project(&config);
        let row = |row: usize| {
            let (text, mark) = sentence(row);
            let pot = if text.contains("bowl") { "bowl" } else { "" };
            let good = if mark == "good" { "good; " } else { "" };
            format!("\"{text}\",{good}{pot}\n")
        };
        let rows: String = (0..160).map(row).collect();
        project.write("pots.csv", &("text,mark\n".to_owned() + &rows));
        project.ok("train run.toml -q --set train.epochs=40");
        let f1 = project.metric(1, "test", "f1_micro");
        assert!(f1 > 0.9, "{f1}");
        // As long as the texts that it learned from: what a small model makes of others may be another.
        let pots = ["lovely bowl", "lovely jug", "dull bowl", "dull jug"];
        let rows = pots.map(|pot| format!("\"A {pot}, number 3\"\n"));
        project.write("new.csv", &("text\n".to_owned() + &rows.concat()));
        project.ok("predict runs/run/1 new.csv -o out.csv");
        let out = project.read("out.csv");
        let answers: Vec<_> = out.lines().map(|line| line.split(',').nth(1)).collect();
        let expected = ["prediction", "bowl;good", "good", "bowl", ""].map(Some);
        assert_eq!(answers, expected, "{out}");
        let all = project.ok_json("evaluate runs/run/1 --data pots.csv --json");
        assert_eq!(all["pots.csv"]["n"], 160);
    }
}

#[test]
fn interrupted_while_learning_to_classify_texts_it_resumes_to_the_same_bits() {
    let files = [
        "model.safetensors",
        "metrics.jsonl",
        "evaluation.json",
        "tokenizer.json",
        "preprocess.json",
        "postprocess.json",
    ];
    project(BERT).resumes("step-00000120", &files);
}

#[test]
fn masked_words_are_found_and_a_classifier_starts_from_there() {
    let project = project(MASKED);
    let out = project.ok("train run.toml").out;
    assert!(out.contains("perplexity"), "{out}");
    assert!(!out.contains("generate"), "{out}");
    let loss = project.metric(1, "valid", "loss");
    assert!(loss < 3.5, "{loss}");
    assert!((project.metric(1, "valid", "perplexity") - loss.exp()).abs() < 1e-6);
    // A few steps learn how often each word is; what stands where takes thousands.
    assert!((0.0..=1.0).contains(&project.metric(1, "test", "accuracy")));
    let again = project.ok_json("evaluate runs/run/1 --split valid --json");
    let report = project.json("runs/run/1/evaluation.json");
    assert_eq!(again["valid"], report["valid"]);
    project.ok("evaluate runs/run/1 --data pots.txt");
    let ran = project.ok("predict runs/run/1 pots.csv -o out.csv");
    assert!(ran.err.contains("the mean of its tokens'"), "{}", ran.err);
    let vectors = project.read("out.csv");
    assert!(vectors.starts_with("row,embedding_1,"), "{vectors}");
    let ran = project.run("generate runs/run/1 --prompt a");
    ran.refused(2, &["no model that writes"]);
    let words = MASKED.replace("\"masked_lm\"", "\"masked_lm\"\nwhole_word = true");
    project.write(
        "words.toml",
        &words.replace("max_steps = 40", "max_steps = 2"),
    );
    project.ok("train words.toml -q");

    let start = "type = \"bert\"\npretrained = \"runs/run/1/model.safetensors\"\nallow_missing = [\"bert.pooler.*\", \"classifier.*\"]\nfreeze = [\"bert.embeddings.*\"]";
    let config = BERT
        .replace("type = \"bert\"", start)
        .replace(
            "type = \"wordpiece\"\nvocabulary_size = 120\nlowercase = true",
            "type = \"file\"\npath = \"runs/run/1/tokenizer.json\"",
        )
        .replace("epochs = 12", "max_steps = 6");
    project.write("tuned.toml", &config);
    let out = project.ok("train tuned.toml").out;
    assert!(out.contains("tensors loaded"), "{out}");
}

#[test]
fn interrupted_while_learning_to_read_it_resumes_to_the_same_bits() {
    let files = [
        "model.safetensors",
        "metrics.jsonl",
        "evaluation.json",
        "tokenizer.json",
    ];
    project(MASKED).resumes("step-00000040", &files);
}

#[test]
fn what_is_wrong_with_texts_is_said_before_the_first_step() {
    let project = Project::with(BERT);
    project.refused("train run.toml", 2, &["run.toml", "path", "pots.csv"]);
    project.write("pots.csv", "text,mark\na,good\n,bad\nb,bad\nc,good\n");
    project.refused("train run.toml --set data.split.valid=0.0 --set data.split.test=0.0 --set data.split.train=1.0", 1, &["pots.csv", "row 2", "text is missing"]);
    project.write("pots.csv", &pots(40));
    project.write("pots.txt", &plain(40));
    project.write("bad.json", "{}");
    let wrong = r#"
data.text=words            | data | words | "text"
data.text=mark             | text | is the target
data.target=verdict        | verdict | target
data.path=pots.png         | path | .csv | .jsonl
data.valid_path=pots.jsonl | valid_path | csv | jsonl
data.max_length=17         | max_length | 17 | 16 tokens
data.max_length=0          | max_length | at least 1
data.max_length=2          | tokenizer | of 2 none is left
data.type=csv              | bert | csv
model.type=mlp             | mlp | tables
model.heads=5              | 5 heads do not divide
task.type=multilabel       | label_separator | is needed
data.label_separator=;     | label_separator | multilabel
task.type=causal_lm        | causal_lm | text
task.type=masked_lm        | masked_lm | text
task.threshold=1.5         | threshold
model.pretrained="none.pt" | pretrained | none.pt
model.freeze=["head.*"]    | freeze | head.*
"#;
    project.refuses_each("train run.toml", wrong);
    let none = BERT.replace(
        "[tokenizer]\ntype = \"wordpiece\"\nvocabulary_size = 120\nlowercase = true",
        "",
    );
    project.write("none.toml", &none);
    project.refused("train none.toml", 2, &["[tokenizer]", "wordpiece"]);
    project.write("masked.toml", MASKED);
    let wrong = r#"
tokenizer.type=unigram      | tokenizer | [MASK] | <mask>
task.mask_probability=1.0   | mask_probability | below 1
data.packing=documents      | packing | causal_lm
task.type=causal_lm         | causal_lm | bert
task.type=regression        | regression | labels
model.type=lstm             | masked_lm | each token | lstm
checkpoint.monitor=valid/f1 | monitor | accuracy
"#;
    project.refuses_each("train masked.toml", wrong);
    assert!(!project.path("runs").exists(), "a run folder was made");
}
