//! A hundred ways to be wrong: each gets an exit code, a message that says where, and no panic.

use std::fs;

use crate::support::{EVERYTHING, Project, cases};

/// Overrides of a good config, and the words that the message must contain.
const SETS: &str = r#"
train.epochs=0                       | epochs | at least 1
train.epochs=-1                      | epochs
train.epochs=1.5                     | epochs | whole number
train.epochs=five                    | epochs
train.epochs=99999999999999999999    | train.epochs
train.epoch=5                        | epoch | did you mean `epochs`
train.max_steps=0                    | max_steps
train.batch_size=0                   | batch_size | at least 1
train.batch_size=-4                  | batch_size
train.batch_size=half                | batch_size | full
train.batch_size=1                   | batch_size | batch statistics
train.gradient_accumulation_steps=0  | gradient_accumulation_steps
train.max_grad_norm=0                | max_grad_norm
train.max_grad_norm=-1               | max_grad_norm
train.max_grad_norm=nan              | max_grad_norm
train.max_grad_norm=inf              | max_grad_norm
train.ema_decay=1                    | ema_decay | between 0 and 1
train.ema_decay=0                    | ema_decay
train.loader_threads=-1              | loader_threads
train.shuffle=1                      | shuffle
train.drop_last="yes"                | drop_last
train.on_non_finite=ignore           | on_non_finite | skip
train.max_skipped_batches=3          | max_skipped_batches | no effect
optimizer.type=adamv                 | adamv | did you mean `adam
optimizer.learning_rate=0            | learning_rate
optimizer.learning_rate=-0.1         | learning_rate
optimizer.learning_rate=nan          | learning_rate
optimizer.learning_rate=fast         | learning_rate
optimizer.betas=[0.9]                | betas
optimizer.betas=[0.9,1.0]            | betas
optimizer.betas=[0.9,0.99,0.999]     | betas
optimizer.epsilon=-1                 | epsilon
optimizer.weight_decay=-1            | weight_decay
optimizer.momentum=0.9               | momentum
lr_scheduler.type=cosin              | cosin | did you mean `cosine`
lr_scheduler.warmup_steps=100000     | warmup_steps
lr_scheduler.warmup_steps=-1         | warmup_steps
lr_scheduler.gamma=0.5               | gamma
lr_scheduler.min_learning_rate=-1    | min_learning_rate
model.type=mpl                       | mpl | did you mean `mlp`
model.type=resnet                    | resnet | images | csv
model.hidden=[]                      | hidden
model.hidden=[0]                     | hidden
model.hidden=[-3]                    | hidden
model.hidden=64                      | hidden
model.hidden=["a"]                   | hidden
model.hiden=[3]                      | hiden | did you mean `hidden`
model.dropout=1.0                    | dropout
model.dropout=-0.1                   | dropout
model.dropout=nan                    | dropout
model.activation=rellu               | rellu | did you mean `relu`
model.norm=batchnorm                 | batchnorm | batch
model.embedding_dim=0                | embedding_dim
task.type=clasification              | did you mean `classification`
task.label_smoothing=1               | label_smoothing
task.label_smoothing=-0.1            | label_smoothing
task.focal_gamma=-1                  | focal_gamma
task.threshold=1.5                   | threshold
task.threshold=best                  | threshold | tune
task.class_weights=even              | class_weights | balanced
task.class_weights={ benign = -1 }   | class_weights
task.class_weights={ bening = 1 }    | class_weights | bening
task.tune_metric=f1                  | tune_metric | no effect
task.loss=mse                        | loss
eval.every_steps=0                   | every_steps
eval.batch_size=0                    | batch_size
checkpoint.keep_last=0               | keep_last
checkpoint.every_steps=0             | every_steps
checkpoint.monitor=valid/acuracy     | did you mean `valid/accuracy`
checkpoint.monitor=accuracy          | valid/accuracy
checkpoint.monitor=test/accuracy     | test/accuracy
checkpoint.monitor=train/accuracy    | train/accuracy | valid/accuracy
early_stopping.patience=0            | patience
early_stopping.min_delta=-1          | min_delta
early_stopping.monitor=valid/rmse    | rmse
logging.every_steps=0                | every_steps
device.backend=gpu                   | gpu | wgpu
device.precision=f64                 | f64 | f32
device.device_index=-1               | device_index
device.memory_gb=0                   | memory_gb | above 0
seed=-1                              | seed
seed="a"                             | seed
output_dir=3                         | output_dir
sed=1                                | sed | did you mean `seed`
lora.rank=4                          | lora
tokenizer.type=bpe                   | tokenizer
data.type=cvs                        | cvs | did you mean `csv`
data.path=nothing.csv                | data.path | nothing.csv
data.path=datasets/*/nothing.csv     | nothing.csv
data.path=datasets                   | datasets | directory
data.path=""                         | path
data.target=diagnose                 | diagnose | diagnosis
data.target=""                       | target
data.id=nope                         | nope
data.id=diagnosis                    | id | target
data.ignore=["nope"]                 | nope
data.delimiter=ab                    | delimiter
data.delimiter=;                     | diagnosis
data.quote=ab                        | quote
data.comment=""                      | comment
data.skip_rows=-1                    | skip_rows
data.header=maybe                    | header | true or false
data.extra_field=middle              | extra_field | first
data.encoding=latin-9000             | encoding | windows-1252
data.numeric=zscore                  | zscore | standard
data.max_categories=0                | max_categories
data.columns.nope.kind=numeric       | nope
data.columns.mean_radius.kind=number | number | numeric
data.columns.mean_radius.kind=date   | mean_radius
data.split.train=0.9                 | split
data.split.train=1.5                 | train
data.split.train=0                   | split
data.split.group=nope                | group
data.split.column=mean_radius        | split
data.split.stratify=1                | stratify
data.split.sratify=true              | did you mean `stratify`
extends="x.toml"                     | extends
novalue                              | novalue
=3                                   | --set
"#;

#[test]
fn every_wrong_setting_is_refused_before_anything_is_made() {
    let project = Project::with(EVERYTHING);
    let mut wrong = Vec::new();
    for (set, words) in cases(SETS) {
        let output = project
            .command(["train", "run.toml", "-q", "--set", set])
            .output()
            .unwrap();
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        let code = output.status.code();
        let missing: Vec<_> = words.iter().filter(|word| !err.contains(**word)).collect();
        if !matches!(code, Some(1 | 2)) || err.contains("panicked") || !missing.is_empty() {
            wrong.push(format!(
                "--set {set}: exit {code:?}, lacks {missing:?}\n{err}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(
        !project.path("runs").exists(),
        "a run folder was made for a config that is wrong"
    );
}

#[test]
fn five_mistakes_are_five_messages_each_at_its_line() {
    let config = "\
[data]
type = \"csv\"
path = \"datasets/iris/data.csv\"
target = \"species\"
[model]
type = \"mlp\"
hiden = [3]
dropout = 2.0
[task]
type = \"clasification\"
[train]
epochs = \"five\"
batch_size = 0
";
    let project = Project::with(config);
    let ran = project.run("check run.toml");
    ran.refused(
        2,
        &[
            "run.toml:7:1",
            "run.toml:8:11",
            "run.toml:10:8",
            "run.toml:12:10",
            "run.toml:13:14",
        ],
    );
    assert!(ran.err.contains("5 problems"), "{}", ran.err);
    assert_eq!(ran.out, "");
}

/// Tables that cannot be trained on, and the words of the message.
const TABLES: &[(&str, &str, &[&str])] = &[
    ("empty", "", &["empty"]),
    ("header only", "a,y\n", &["no rows"]),
    ("ragged", "a,y\n1,x\n2,y,3\n", &["table.csv:3", "3 fields"]),
    (
        "one class",
        "a,y\n1,x\n2,x\n3,x\n4,x\n5,x\n6,x\n7,x\n",
        &["y"],
    ),
    (
        "duplicate column",
        "a,a,y\n1,2,x\n",
        &["two columns", "\"a\""],
    ),
    (
        "missing target",
        "a,y\n1,x\n2,\n3,z\n4,x\n5,z\n6,x\n7,z\n8,x\n",
        &["\"y\"", "row 2"],
    ),
    (
        "no feature",
        "y\nx\nz\nx\nz\nx\nz\nx\nz\nx\n",
        &["column is left"],
    ),
    ("too few rows", "a,y\n1,x\n2,z\n", &["split"]),
];

#[test]
fn every_wrong_table_is_refused_with_its_line() {
    let config = EVERYTHING.replace("datasets/breast-cancer/data.csv", "table.csv");
    let config = config.replace("\"diagnosis\"", "\"y\"");
    let project = Project::with(&config);
    for (name, table, words) in TABLES {
        project.write("table.csv", table);
        for verb in ["train", "check"] {
            let ran = project.run(&format!("{verb} run.toml"));
            assert!(
                ran.code == 1 || ran.code == 2,
                "{name}: {verb} exits {}: {}",
                ran.code,
                ran.err
            );
            ran.refused(ran.code, words);
        }
    }
    fs::write(project.path("table.csv"), b"a,y\n1,\xff\n").unwrap();
    project.refused("train run.toml", 1, &["table.csv:2", "UTF-8"]);
    assert!(!project.path("runs").exists());
}

#[test]
fn what_is_no_run_is_refused_by_every_command_that_needs_one() {
    let project = Project::new();
    fs::create_dir(project.path("nothing")).unwrap();
    for line in [
        "resume nothing",
        "evaluate nothing",
        "predict nothing datasets/iris/data.csv -o p.csv",
    ] {
        project.refused(line, 1, &["is not a run folder"]);
    }
    project.refused("resume no/such/folder", 1, &["folder does not exist"]);
}

#[test]
fn damaged_files_of_a_run_are_named() {
    let project = Project::new();
    project.ok("train configs/tabular/iris.toml -q --set train.epochs=2 --set device.backend=flex");
    let damage: &[(&str, &str)] = &[
        ("model.safetensors", "not weights"),
        ("preprocess.json", "{"),
        ("postprocess.json", "[]"),
        ("config.toml", "seed = ["),
    ];
    for (name, text) in damage {
        let good = project.bytes(&format!("runs/iris/1/{name}"));
        project.write(&format!("runs/iris/1/{name}"), text);
        let ran = project.run("predict runs/iris/1 datasets/iris/data.csv -o p.csv");
        assert!(ran.code == 1 || ran.code == 2, "{name}: {}", ran.code);
        ran.refused(ran.code, &[name]);
        fs::write(project.path(&format!("runs/iris/1/{name}")), good).unwrap();
    }
    // What is kept to be looked at is not needed for an answer.
    fs::remove_file(project.path("runs/iris/1/predictions.parquet")).unwrap();
    project.ok("predict runs/iris/1 datasets/iris/data.csv -o p.csv");
    project.ok("evaluate runs/iris/1");
    project.refused("report runs/iris/1", 1, &["predictions.parquet", "is gone"]);
    let config = project.path("runs/iris/1/config.toml");
    fs::rename(&config, project.path("config.toml")).unwrap();
    for verb in ["evaluate runs/iris/1", "report runs/iris/1"] {
        project.refused(verb, 1, &["config.toml", "is gone", "run.lock"]);
    }
    fs::rename(project.path("config.toml"), &config).unwrap();
    fs::remove_file(project.path("runs/iris/1/model.safetensors")).unwrap();
    let ran = project.run("predict runs/iris/1 datasets/iris/data.csv -o p.csv");
    ran.refused(1, &["model.safetensors", "fireclay resume"]);
}

#[test]
fn predictions_go_neither_to_their_input_nor_to_an_unknown_format() {
    let project = Project::new();
    project.ok("train configs/tabular/iris.toml -q --set train.epochs=2 --set device.backend=flex");
    let data = project.read("datasets/iris/data.csv");
    project.write("rows.csv", &data);
    let ran = project.run("predict runs/iris/1 rows.csv -o rows.csv");
    ran.refused(1, &["both input and output"]);
    assert_eq!(project.read("rows.csv"), data);
    let ran = project.run("predict runs/iris/1 rows.csv -o rows.xlsx");
    ran.refused(2, &[".csv", "rows.xlsx"]);
}
