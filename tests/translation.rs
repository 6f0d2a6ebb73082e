//! Translation: from pairs of texts to a model that translates.

use std::fs;

use crate::support::Project;
#[cfg(all(feature = "flex", feature = "wgpu"))]
use crate::support::{Wgpu, wgpu};

/// A small Transformer with all that is drawn at random while training.
pub(crate) const TRANSFORMER: &str = r#"
[device]
backend = "flex"

[data]
type = "parallel"
path = "train.de"
target_path = "train.en"
test_path = "test.de"
test_target_path = "test.en"
batch_tokens = 400

[tokenizer]
type = "char"

[model]
type = "transformer"
layers = 1
heads = 2
width = 32
mlp_width = 64
context_length = 40
dropout = 0.1

[task]
type = "seq2seq"
label_smoothing = 0.1

[optimizer]
type = "adamw"
learning_rate = 5e-3

[lr_scheduler]
type = "cosine"
warmup_steps = 10

[train]
max_steps = 400
gradient_accumulation_steps = 2
max_grad_norm = 1.0

[eval]
every_steps = 100

[checkpoint]
every_steps = 100
"#;

const WORDS: [(&str, &str); 6] = [
    ("rot", "red"),
    ("blau", "blue"),
    ("gelb", "yellow"),
    ("und", "and"),
    ("nicht", "not"),
    ("sehr", "very"),
];

/// Some of the sentences of two to four of the words, and their translations word for word.
fn sentences(part: usize) -> (String, String) {
    let (mut german, mut english) = (String::new(), String::new());
    for number in (0..1296_usize).filter(|number| number % 5 == part) {
        let length = 2 + number % 3;
        let words = (0..length).map(|position| WORDS[number / 6_usize.pow(position as u32) % 6]);
        let (from, to): (Vec<_>, Vec<_>) = words.unzip();
        german += &(from.join(" ") + "\n");
        english += &(to.join(" ") + "\n");
    }
    (german, english)
}

pub(crate) fn pairs(config: &str) -> Project {
    let project = Project::with(config);
    for (name, part) in [("train", 0), ("test", 1)] {
        let (german, english) = sentences(part);
        project.write(&format!("{name}.de"), &german);
        project.write(&format!("{name}.en"), &english);
    }
    project
}

#[test]
fn pairs_of_texts_become_a_model_that_translates() {
    let project = pairs(TRANSFORMER);
    let err = project.ok("check run.toml").err;
    assert!(err.contains("pairs") && err.contains("batches"), "{err}");
    let out = project.ok("train run.toml").out;
    assert!(
        out.contains("bleu") && out.contains("predict  fireclay predict runs/run/1"),
        "{out}"
    );
    let report = project.json("runs/run/1/evaluation.json");
    let metrics = &report["test"]["metrics"];
    assert!(metrics["bleu"].as_f64().unwrap() > 60.0, "{report}");
    assert!(metrics["chrf"].as_f64().unwrap() > 60.0, "{report}");
    let again = project.ok_json("evaluate runs/run/1 --json");
    assert_eq!(again["test"], report["test"]);
    let own = project.ok_json("evaluate runs/run/1 --data test.de --target-data test.en --json");
    assert_eq!(own["test.de"]["metrics"], report["test"]["metrics"]);

    project.write("new.de", "rot und blau\n\nsehr gelb\n");
    project.ok("predict runs/run/1 new.de -o new.en");
    let lines = project.read("new.en");
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert_eq!(lines[1], "");
    let out = project.ok("predict runs/run/1 new.de").out;
    assert_eq!(out, project.read("new.en"));
    let text = project.read("new.de");
    let piped = project.run_with("predict runs/run/1 -", &text);
    assert_eq!((piped.code, piped.out), (0, out), "{}", piped.err);
    let piped = project.run_with("predict runs/run/1 - -o piped.en", &text);
    assert_eq!(piped.code, 0, "{}", piped.err);
    assert_eq!(project.read("piped.en"), project.read("new.en"));
}

#[test]
fn what_it_writes_can_choose_the_weights() {
    let config = TRANSFORMER
        .replace("max_steps = 400", "max_steps = 60")
        .replace("= 100", "= 20")
        .replace("test_", "valid_");
    let project = pairs(&config);
    project.ok("train run.toml -q");
    project.ok("train run.toml -q --set checkpoint.monitor=valid/bleu");
    let scores = |run: u32| -> Vec<f64> {
        let record = project.record(&format!("run/{run}")).into_iter();
        let valid = record.filter(|line| line["split"] == "valid");
        valid.filter_map(|line| line["bleu"].as_f64()).collect()
    };
    assert!(scores(1).is_empty(), "nobody asked for it");
    let best = scores(2).into_iter().fold(0.0, f64::max);
    assert_eq!(scores(2).len(), 3);
    let chosen = project.metric(2, "valid", "bleu");
    assert!(
        (chosen - best).abs() < 1e-9,
        "{chosen} is not the best of {:?}",
        scores(2)
    );
    let line = "check --no-data run.toml --set checkpoint.monitor=valid/blue";
    project.refused(line, 2, &["did you mean `valid/bleu`?"]);
}

#[test]
fn interrupted_while_learning_to_translate_it_resumes_to_the_same_bits() {
    let config = TRANSFORMER
        .replace("max_steps = 400", "max_steps = 24")
        .replace("= 100", "= 10");
    let files = ["model.safetensors", "metrics.jsonl", "evaluation.json"];
    pairs(&config).resumes("step-00000024", &files);
}

#[test]
fn pairs_come_from_a_table_too() {
    let project = pairs("");
    let (german, english) = sentences(0);
    let rows = german.lines().zip(english.lines());
    let rows: String = rows.map(|(de, en)| format!("{de}\t{en}\n")).collect();
    project.write("pairs.tsv", &format!("de\ten\n{rows}"));
    let config = TRANSFORMER
        .replace("type = \"parallel\"\npath = \"train.de\"\ntarget_path = \"train.en\"\ntest_path = \"test.de\"\ntest_target_path = \"test.en\"", "type = \"pair_table\"\npath = \"pairs.tsv\"\nsource = \"de\"\ntarget = \"en\"")
        .replace("type = \"char\"", "type = \"bpe\"\nvocabulary_size = 280")
        .replace("max_steps = 400", "max_steps = 20");
    project.write("run.toml", &config);
    project.ok("train run.toml -q");
    project.metric(1, "valid", "bleu");
}

#[test]
fn what_is_wrong_with_pairs_is_said_before_the_first_step() {
    let project = pairs(TRANSFORMER);
    let wrong = r#"
train.batch_size=8     | batch_size | batch_tokens
model.type=gpt         | gpt | text
task.type=causal_lm    | causal_lm | text
task.beam_size=0       | beam_size
task.label_smoothing=1 | label_smoothing
data.batch_tokens=0    | batch_tokens
model.context_length=0 | context_length
data.max_length=40     | max_length | 40 tokens | one of them ends
data.path="none.de"    | path | none.de
"#;
    project.refuses_each("train run.toml", wrong);
    let (german, _) = sentences(1);
    project.write("test.de", &(german + "rot\n"));
    project.refused("train run.toml", 1, &["test.de", "test.en", "lines"]);
    fs::write(project.path("test.de"), b"rot\n\xff\n").unwrap();
    project.refused("train run.toml", 1, &["test.de:2", "UTF-8"]);
    assert!(!project.path("runs").exists(), "a run folder was made");
}

#[test]
fn what_is_wrong_with_a_text_to_translate_is_said() {
    let project = pairs(&TRANSFORMER.replace("max_steps = 400", "max_steps = 10"));
    project.ok("train run.toml -q");
    project.write("long.de", &format!("rot\n{}\n", "sehr ".repeat(20)));
    let ran = project.run("predict runs/run/1 long.de -o out.en");
    ran.refused(1, &["text 2", "101 tokens", "40"]);
    assert!(!project.path("out.en").exists());
    project.refused("predict runs/run/1 none.de", 1, &["none.de"]);
    project.refused("predict runs/run/1 test.de -o test.de", 1, &["test.de"]);
    project.refused("generate runs/run/1 --prompt rot", 2, &["predict"]);
    let ran = project.run("evaluate runs/run/1 --data test.de");
    ran.refused(1, &["translations of its lines"]);
}

#[test]
#[cfg(all(feature = "flex", feature = "wgpu"))]
fn a_tiny_transformer_trains_alike_on_flex_and_wgpu() {
    let project = Project::new();
    if wgpu(&project) == Wgpu::Absent {
        return;
    }
    let tiny = TRANSFORMER
        .replace("dropout = 0.1", "dropout = 0.0")
        .replace("learning_rate = 5e-3", "learning_rate = 1e-3")
        .replace("warmup_steps = 10", "warmup_steps = 1")
        .replace("label_smoothing = 0.1", "beam_size = 1")
        .replace("max_steps = 400", "max_steps = 3");
    let project = pairs(&tiny);
    let (german, english) = sentences(0);
    for (name, text) in [("test.de", &german), ("test.en", &english)] {
        let few: Vec<&str> = text.lines().take(4).collect();
        project.write(name, &(few.join("\n") + "\n"));
    }
    project.ok("train run.toml -q");
    project.ok("train run.toml -q --set device.backend=wgpu");
    let loss = |run| project.metric(run, "test", "loss");
    assert!((loss(1) - loss(2)).abs() < 1e-3, "{} {}", loss(1), loss(2));
}

/// A small T5 as transformers wrote it, and what it wrote of some texts.
const T5: &str = "crates/fireclay-models/tests/data/t5/relu-tied";

#[test]
fn a_t5_of_the_hub_translates_learns_and_is_exported() {
    let config = TRANSFORMER
        .replace("type = \"char\"", "type = \"bpe\"")
        .replace("max_steps = 400", "max_steps = 20");
    let (before, after) = config.split_once("[model]").unwrap();
    let (_, after) = after.split_once("[task]").unwrap();
    let task = format!("[model]\npretrained = \"{T5}\"\n[task]\nsource_prefix = \"fix: \"{after}");
    let project = pairs(&(before.to_owned() + &task));
    let said = project.json(&format!("{T5}/texts.json"));
    let column = |key: &str| -> String {
        let texts = said["texts"].as_array().unwrap().iter();
        texts
            .map(|text| text[key].as_str().unwrap().to_owned() + "\n")
            .collect()
    };
    project.write("a.txt", &column("text"));
    project.ok(&format!("predict {T5} a.txt -o b.txt"));
    assert_eq!(project.read("b.txt"), column("written"));
    project.ok(&format!("export {T5} --output out"));
    project.ok("predict out a.txt -o c.txt");
    assert_eq!(project.read("c.txt"), column("written"));

    // All of the model comes from the folder, and it goes back in the same words.
    let out = project.ok("train run.toml").out;
    assert!(out.contains("the tokenizer is"), "{out}");
    project.metric(1, "test", "bleu");
    let json = project.json("runs/run/1/config.json");
    let start = &json["decoder_start_token_id"];
    assert_eq!((start, &json["eos_token_id"]), (&0.into(), &1.into()));
    assert_eq!(json["architectures"][0], "T5ForConditionalGeneration");
    project.ok("predict runs/run/1 a.txt -o d.txt");
}
