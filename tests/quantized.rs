//! Weights in few bits: adapters beside a base that has them.

use std::fs;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::support::{Project, SMALL_GPT, poem};

/// A small Llama.
fn base() -> String {
    SMALL_GPT
        .replace(
            "type = \"gpt\"",
            "type = \"llama\"\nkv_heads = 1\nmlp_width = 96",
        )
        .replace("width = 32", "width = 64")
        .replace("dropout = 0.0\n", "")
        .replace(
            "path = \"poem.txt\"",
            "path = \"poem.txt\"\nsplit = { train = 0.8, valid = 0.1, test = 0.1 }",
        )
}

/// The same, which adapts to another text.
const ADAPTED: &str = r#"
extends = "base.toml"

[data]
path = "song.txt"

[tokenizer]
type = "file"
path = "runs/base/1/tokenizer.json"

[model]
pretrained = "runs/base/1"
quantize = "nf4"

[lora]
rank = 4
alpha = 8
targets = ["all-linear"]

[train]
max_steps = 40
gradient_accumulation_steps = 2
max_grad_norm = 1.0

[eval]
every_steps = 10

[checkpoint]
every_steps = 10
"#;

fn project() -> Project {
    let project = Project::new();
    project.write("poem.txt", &poem());
    let song = "day after day the clay turns to pots,\nthe pots turn to clay,\n\n".repeat(90);
    project.write("song.txt", &song);
    project.write("base.toml", &base());
    project.write("fine.toml", ADAPTED);
    project.ok("train base.toml -q");
    project
}

fn loss(project: &Project, run: &str) -> f64 {
    let report = project.json(&format!("runs/{run}/evaluation.json"));
    report["test"]["metrics"]["loss"].as_f64().unwrap()
}

#[test]
fn adapters_learn_beside_a_base_in_few_bits() {
    let project = project();
    let before = project.ok_json("evaluate runs/base/1 --data song.txt --json");
    let before = before["song.txt"]["metrics"]["loss"].as_f64().unwrap();
    for (run, bits) in [(1, "nf4"), (2, "q8")] {
        let said = project.ok(&format!("train fine.toml --set model.quantize={bits}"));
        let said = said.out + &said.err;
        let words = "the weights of 14 linear layers are kept in few bits";
        assert!(said.contains(words), "{said}");
        let after = loss(&project, &format!("fine/{run}"));
        assert!(after < 0.7 * before, "{before} became {after}");
        let report = project.json(&format!("runs/fine/{run}/evaluation.json"));
        let again = project.ok_json(&format!("evaluate runs/fine/{run} --json"));
        assert_eq!(again["test"], report["test"]);
    }
    assert_ne!(loss(&project, "fine/1"), loss(&project, "fine/2"));
    // Beside the same base in other bits they are nothing.
    for name in ["config.toml", "run.lock"] {
        let path = format!("runs/fine/2/{name}");
        let text = project.read(&path).replace("\"q8\"", "\"nf4\"");
        project.write(&path, &text);
    }
    let ran = project.run("evaluate runs/fine/2");
    assert_ne!(ran.code, 0, "{}", ran.out);
    let words = "its weights are not those that the adapters were trained beside";
    assert!(ran.err.contains(words), "no {words:?} in {}", ran.err);
}

#[test]
fn interrupted_they_resume_to_the_same_bits() {
    let project = project();
    let half = "--set device.precision=bf16 --set train.gradient_checkpointing=true";
    let dora = "--set lora.dora=true --set lora.dropout=0.1";
    let again =
        "--set lora.dora=true --set train.gradient_checkpointing=true --set train.cpu_shards=1";
    for more in ["", half, dora, again] {
        let _ = fs::remove_dir_all(project.path("runs/fine"));
        project.ok(format!("train fine.toml -q {more}").trim_end());
        project.ok(format!("train fine.toml -q --set train.loader_threads=2 {more}").trim_end());
        let files = [
            "adapter_model.safetensors",
            "metrics.jsonl",
            "evaluation.json",
        ];
        let read = |run: u32| files.map(|name| project.bytes(&format!("runs/fine/{run}/{name}")));
        assert!(read(1) == read(2), "the same run is another: {more}");
        fs::remove_dir_all(project.path("runs/fine/2/checkpoints/step-00000040")).unwrap();
        for name in [
            "adapter_model.safetensors",
            "adapter_config.json",
            "evaluation.json",
        ] {
            fs::remove_file(project.path(&format!("runs/fine/2/{name}"))).unwrap();
        }
        project.ok("resume runs/fine/2 -q");
        assert!(read(1) == read(2), "the resumed run is another: {more}");
    }
}

#[test]
fn merged_they_are_whole_weights() {
    let project = project();
    project.ok("train fine.toml -q");
    let said = project.ok("export runs/fine/1 --output merged --merge").err;
    assert!(said.contains("model.quantize"), "{said}");
    let text = |model: &str| {
        let line = format!("generate {model} --prompt day -n 40 -t 0 --json");
        project.ok_json(&line)["text"].clone()
    };
    assert_eq!(text("merged"), text("runs/fine/1"));
    // A checkpoint of them is a start, too.
    let still = ADAPTED
        .replace(
            "runs/base/1\"\nquantize = \"nf4\"",
            "runs/fine/1/checkpoints/step-00000040\"",
        )
        .replace(
            "[lora]\nrank = 4\nalpha = 8\ntargets = [\"all-linear\"]\n",
            "",
        )
        .replace("max_steps = 40", "max_steps = 1")
        + "\n[optimizer]\nlearning_rate = 1e-30\n";
    project.write("still.toml", &still);
    project.ok("train still.toml -q");
    let difference = (loss(&project, "still/1") - loss(&project, "fine/1")).abs();
    assert!(difference < 1e-5, "{difference}");
}

#[test]
fn a_plan_counts_their_bits() {
    let project = project();
    let weights = |more: &str| {
        let line = format!("plan fine.toml --json{more}");
        let plan = project.ok_json(&line)["plan"].take();
        let memory = plan["memory"]["weights"].as_u64();
        let trainable = plan["trainable"].as_u64();
        (
            memory.unwrap(),
            trainable.unwrap(),
            plan["parameters"].as_u64().unwrap(),
        )
    };
    let (few, trained, all) = weights("");
    let (eight, _, _) = weights(" --set model.quantize=q8");
    project.write("fine.toml", &ADAPTED.replace("quantize = \"nf4\"\n", ""));
    let (whole, trained_beside, all_beside) = weights("");
    assert_eq!((trained, all), (trained_beside, all_beside));
    // A training counts them too.
    for more in ["", " --set model.quantize=q8"] {
        let line = format!("train fine.toml --json -q --set train.max_steps=1{more}");
        assert_eq!(project.ok_json(&line)["parameters"], all, "{more}");
    }
    // Of two blocks, whose layers have 64 x 64 or 64 x 32 or 64 x 96 weights.
    let packed = 2 * (2 * 64 * 64 + 2 * 64 * 32 + 3 * 64 * 96);
    let saved = |bits: u64| packed * 4 - (whole - bits);
    let least = packed / 2 + packed / 64;
    assert!(
        (least..least + 14 * 16).contains(&saved(few)),
        "{few} of {whole}"
    );
    assert_eq!(saved(eight), packed / 32 * 34);
}

#[test]
fn what_cannot_be_in_few_bits_is_refused() {
    let project = project();
    let gpt = ADAPTED.replace("extends = \"base.toml\"", "extends = \"gpt.toml\"");
    project.write("gpt.toml", SMALL_GPT);
    project.write("other.toml", &gpt);
    let words = [
        "`quantize` is for",
        "no layer of \"gpt\" has weights in few bits",
    ];
    project.refused("train other.toml", 2, &words);
    project.write(
        "whole.toml",
        &ADAPTED.replace(
            "[lora]\nrank = 4\nalpha = 8\ntargets = [\"all-linear\"]\n",
            "",
        ),
    );
    project.refused("check whole.toml", 2, &["`quantize` needs [lora]"]);
    project.refused(
        "check fine.toml --set model.quantize=q3",
        2,
        &["cannot be `q3`", "did you mean `q8`"],
    );
}

/// The base as a folder of the hub, in 16 and in 32 bits: the same numbers.
fn published(project: &Project) {
    let bytes = project.bytes("runs/base/1/model.safetensors");
    let file = SafeTensors::deserialize(&bytes).unwrap();
    for (folder, dtype) in [("hub16", Dtype::BF16), ("hub32", Dtype::F32)] {
        let tensors = file.iter().map(|(name, view)| {
            let numbers = view.data().chunks_exact(4);
            let bytes: Vec<u8> = match dtype {
                Dtype::BF16 => numbers.flat_map(|bytes| [bytes[2], bytes[3]]).collect(),
                _ => numbers
                    .flat_map(|bytes| [0, 0, bytes[2], bytes[3]])
                    .collect(),
            };
            (name.to_owned(), view.shape().to_vec(), bytes)
        });
        let tensors: Vec<_> = tensors.collect();
        let views = tensors.iter().map(|(name, shape, bytes)| {
            (name, TensorView::new(dtype, shape.clone(), bytes).unwrap())
        });
        let written = safetensors::serialize(views, None).unwrap();
        for name in ["config.json", "tokenizer.json"] {
            let text = project.read(&format!("runs/base/1/{name}"));
            project.write(&format!("{folder}/{name}"), &text);
        }
        fs::write(
            project.path(&format!("{folder}/model.safetensors")),
            written,
        )
        .unwrap();
    }
}

#[test]
fn a_model_of_others_answers_from_the_bits_of_its_file() {
    let project = project();
    published(&project);
    let text = |model: &str| {
        let line = format!("generate {model} --prompt one -n 40 -t 0 --json");
        project.ok_json(&line)["text"].clone()
    };
    let loss = |model: &str| {
        let found = project.ok_json(&format!("evaluate {model} --data poem.txt --json"));
        found["poem.txt"]["metrics"]["loss"].as_f64().unwrap()
    };
    assert_eq!(text("hub16"), text("hub32"));
    let (half, whole) = (loss("hub16"), loss("hub32"));
    assert!((half - whole).abs() < 1e-6, "{half}, not {whole}");
    // What is exported has the numbers of the file.
    project.ok("export hub16 --output out");
    let read = |name: &str| {
        let bytes = project.bytes(&format!("{name}/model.safetensors"));
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let tensors = file
            .iter()
            .map(|(name, view)| (name.to_owned(), view.data().to_vec()));
        tensors.collect::<std::collections::BTreeMap<_, _>>()
    };
    assert!(read("out") == read("hub32"), "other numbers");
    for (bits, bound) in [("q8", 0.01), ("nf4", 0.3)] {
        for model in ["hub16", "hub32", "runs/base/1"] {
            let rounded = loss(&format!("{model} --quantize {bits}"));
            let off = (rounded - whole).abs();
            assert!(off < bound, "{bits} of {model}: {rounded}, not {whole}");
        }
    }
    for model in ["hub16", "hub32"] {
        let line = format!("generate {model} --prompt one -n 4 --quantize q8");
        let said = project.ok(&line).err;
        assert!(said.contains("16 weights are rounded"), "{said}");
    }
}
