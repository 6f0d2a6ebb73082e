//! The run configuration: what it accepts, what it says about what it does not.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use fireclay_config::Problem;
use fireclay_data::{
    ChatFormat, ImageFormat, PairFormat, PreferenceFormat, TextFormat, TokenizerKind,
};
use fireclay_models::{
    EncoderConfig, Family, ImageConfig, LanguageConfig, TabularConfig, TranslationConfig,
};
use fireclay_run::config::{BatchSize, DataConfig, RunConfig, TaskConfig};
use fireclay_run::schema;
use fireclay_run::task::{ClassWeights, Threshold};
use fireclay_train::optim::OptimizerConfig;
use fireclay_train::schedule::LrSchedulerConfig;
use insta::assert_snapshot;
use serde_json::{Value, json};

const MINIMAL: &str = "\
[data]
type = \"csv\"
path = \"data.csv\"
target = \"y\"

[model]
type = \"mlp\"

[task]
type = \"classification\"

[train]
epochs = 3
";

fn parse(text: &str) -> RunConfig {
    match RunConfig::parse("run.toml", text, &[]) {
        Ok(loaded) => loaded.config,
        Err(error) => panic!("{error}"),
    }
}

fn errors(text: &str) -> String {
    RunConfig::parse("run.toml", text, &[])
        .expect_err("the text is wrong")
        .to_string()
}

fn set(sets: &[&str]) -> Result<RunConfig, String> {
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_string()).collect();
    let loaded = RunConfig::parse("run.toml", MINIMAL, &sets);
    loaded
        .map(|loaded| loaded.config)
        .map_err(|error| error.to_string())
}

#[test]
fn five_mistakes_are_five_problems_at_their_places() {
    let text = "\
seed = 42

[data]
type = \"csv\"
path = \"data.csv\"

[model]
type = \"mlp\"
hiden = [64, 32]
dropout = 1.5

[task]
type = \"clasification\"

[train]
epochs = \"ten\"
";
    let error = RunConfig::parse("run.toml", text, &[]).unwrap_err();
    let places: Vec<_> = error
        .problems
        .iter()
        .map(|problem| (problem.line, problem.column))
        .collect();
    assert_eq!(places, [(3, 1), (9, 1), (10, 11), (13, 8), (16, 10)]);
    assert_snapshot!(error);
}

#[test]
fn unknown_tables_and_misplaced_keys_are_named() {
    let text = format!(
        "epochs = 3\nsede = 1\n\n{MINIMAL}seed = 1\nhidden = [1]\nbananas = true\n\n\
         [optimiser]\ntype = \"sgd\"\n\n[serving]\nport = 80\n\n[optimizer]\ntype = \"adamw\"\nnesterov = true\n"
    );
    assert_snapshot!(errors(&text));
}

#[test]
fn wrong_types_are_shown_at_the_value() {
    let text = MINIMAL.replace("epochs = 3", "epochs = 3.5\nbatch_size = \"all\"\nshuffle = \"true\"\nmax_grad_norm = nan\nloader_threads = -1\nmax_steps = 99999999999999999999")
        .replace("type = \"mlp\"", "type = \"mlp\"\nhidden = [64, \"32\", 1.5]\nactivation = \"rleu\"\nnorm = 3")
        .replace("[data]", "[device]\nbackend = \"gpu\"\n\n[optimizer]\ntype = \"adamw\"\nlr = \"1e-3\"\nbetas = [0.9]\n\n[data]");
    assert_snapshot!(errors(&text));
}

#[test]
fn all_missing_keys_and_tables_are_reported() {
    assert_snapshot!(errors(
        "[data]\ntype = \"csv\"\n\n[optimizer]\nlearning_rate = 0.1\n\n[train]\nbatch_size = 8\n"
    ));
}

#[test]
fn impossible_values_are_reported_together() {
    let text = format!(
        "{MINIMAL}batch_size = 0\nema_decay = 1.0\nmax_steps = 10\n\n[task.class_weights]\na = -1\n\n\
         [lr_scheduler]\ntype = \"cosine\"\nwarmup_steps = 20\n\n[eval]\nevery_steps = 5\nevery_epochs = 1\n\n\
         [early_stopping]\nmonitor = \"valid/acuracy\"\npatience = 0\n\n[checkpoint]\nmonitor = \"rmse\"\nkeep_last = 0\n"
    )
    .replace("target = \"y\"", "target = \"y\"\nsplit = { train = 0.9, valid = 0.2, test = 0.2 }");
    assert_snapshot!(errors(&text));
}

#[test]
fn what_a_task_would_not_read_is_refused() {
    let text = MINIMAL
        .replace(
            "\"classification\"",
            "\"regression\"\nclass_weights = \"balanced\"\nhuber_delta = 2\n",
        )
        .replace(
            "target = \"y\"",
            "target = \"y\"\nsplit = { stratify = true }",
        )
        + "max_skipped_batches = 3\n[early_stopping]\nmonitor = \"valid/accuracy\"\n";
    assert_snapshot!(errors(&text));
    let text = text.replace("class_weights = \"balanced\"\n", "");
    assert_snapshot!("what_a_task_would_not_read_across_tables", errors(&text));
}

#[test]
fn an_error_in_a_base_points_into_the_base() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write(
        "base/root.toml",
        &MINIMAL.replace("epochs = 3", "epochs = 3\nbatchsize = 4"),
    );
    write(
        "base/middle.toml",
        "extends = \"root.toml\"\n[model]\ndropout = 2\n",
    );
    write(
        "top.toml",
        "extends = \"base/middle.toml\"\n[train]\nepochs = 5\n[model]\nhiden = [3]\n",
    );
    let error = RunConfig::load(&folder.path().join("top.toml"), &[])
        .unwrap_err()
        .to_string();
    assert_snapshot!(error.replace(&folder.path().display().to_string(), "FOLDER"));

    write("base/root.toml", MINIMAL);
    write(
        "base/middle.toml",
        "extends = \"root.toml\"\n[model]\nhidden = [7]\ndropout = 0.5\n",
    );
    write(
        "top.toml",
        "extends = \"base/middle.toml\"\n[train]\nepochs = 5\n[model]\ntype = \"linear\"\n",
    );
    let loaded = RunConfig::load(&folder.path().join("top.toml"), &[]).unwrap();
    assert_eq!(loaded.name, "top");
    assert_eq!(loaded.files().count(), 3);
    assert_eq!(loaded.config.train.epochs, Some(5));
    assert_eq!(
        serde_json::to_value(&loaded.config.model).unwrap()["type"],
        "linear"
    );

    write("a.toml", "extends = \"b.toml\"\n");
    write("b.toml", "extends = \"a.toml\"\n");
    write("c.toml", "extends = \"nowhere.toml\"\n");
    for name in ["a.toml", "c.toml"] {
        let error = RunConfig::load(&folder.path().join(name), &[])
            .unwrap_err()
            .to_string();
        let shown = error.replace(&folder.path().display().to_string(), "FOLDER");
        assert_snapshot!(format!("extends_{}", &name[..1]), shown);
    }
}

#[test]
fn overrides_come_last_and_their_errors_show_the_argument() {
    let config = set(&[
        "train.epochs=7",
        "data.path=other data.csv",
        "model.hidden=[5]",
        "optimizer.type=sgd",
        "optimizer.lr=0.5",
    ])
    .unwrap();
    assert_eq!(config.train.epochs, Some(7));
    let DataConfig::Table(source) = &config.data else {
        panic!("a table, but {:?}", config.data);
    };
    assert_eq!(source.config.path, "other data.csv");
    assert_eq!(config.optimizer.learning_rate(), 0.5);
    let wrong = [
        "train.epochs=x",
        "train.epoch=3",
        "epochs",
        "model.hidden=[1,",
        "seed=",
        "a b=1",
        "extends=x",
    ];
    assert_snapshot!(set(&wrong).unwrap_err());
    assert_snapshot!(
        "overrides_of_a_readable_file",
        set(&wrong[..2]).unwrap_err()
    );
}

#[test]
fn places_are_right_in_unusual_texts() {
    let windows = MINIMAL
        .replace("epochs = 3", "epoch = 3")
        .replace('\n', "\r\n");
    assert_snapshot!("windows_line_ends", errors(&windows));
    let wide = MINIMAL.replace(
        "target = \"y\"",
        "target = \"y\"\nsplit = { column = \"größe 表\", trian = 1.0 }",
    );
    assert_snapshot!("letters_before_the_caret", errors(&wide));
    let marked = format!("\u{feff}sede = 1\n{MINIMAL}");
    assert_snapshot!("byte_order_mark", errors(&marked));
}

#[test]
fn what_is_not_toml_is_shown_in_the_same_form() {
    assert_snapshot!("syntax", errors("[data\ntype = csv\n"));
    assert_snapshot!(
        "duplicates",
        errors(&format!("{MINIMAL}epochs = 4\nbatchsize = 3\n"))
    );
    assert_snapshot!("empty", errors("# nothing\n"));
}

#[test]
fn files_that_cannot_be_read_are_named_in_full() {
    let folder = tempfile::tempdir().unwrap();
    let load = |path: &Path| RunConfig::load(path, &[]).unwrap_err().to_string();
    let missing = load(&folder.path().join("none.toml"));
    assert_eq!(
        missing,
        format!(
            "error: there is no file {}",
            folder.path().join("none.toml").display()
        )
    );
    assert!(load(folder.path()).contains("is a directory"));
    let binary = folder.path().join("binary.toml");
    fs::write(&binary, b"a = 1\nb = '\xff'\n").unwrap();
    assert!(
        load(&binary).contains("is not UTF-8 text: line 2"),
        "{}",
        load(&binary)
    );
    let relative = RunConfig::load(Path::new("no/such.toml"), &[])
        .unwrap_err()
        .to_string();
    let tried = std::env::current_dir().unwrap().join("no/such.toml");
    assert!(
        relative.contains(&tried.display().to_string()),
        "{relative}"
    );
}

/// What was to say the type of the model is not there: its message alone tells the mistake.
#[test]
fn weights_that_are_not_there_are_named_and_no_type_is_missed() {
    let folder = tempfile::tempdir().unwrap();
    let nothing = folder.path().join("nothing");
    for (path, word) in [
        (nothing.as_path(), "cannot be read"),
        (folder.path(), "holds no weights"),
    ] {
        let path = path.display().to_string();
        let model = format!("pretrained = {path:?}");
        let error = errors(&MINIMAL.replace("type = \"mlp\"", &model));
        assert!(error.contains(word) && error.contains(&path), "{error}");
        assert!(!error.contains("missing key"), "{error}");
        // A type that is written wrongly is another mistake.
        let model = format!("type = \"mlpp\"\n{model}");
        let error = errors(&MINIMAL.replace("type = \"mlp\"", &model));
        assert!(error.contains("unknown type `mlpp`"), "{error}");
    }
}

#[test]
fn the_resolved_configuration_says_every_default_and_reads_back() {
    let config = parse(MINIMAL);
    assert_snapshot!(config.to_toml());
    assert_eq!(parse(&config.to_toml()), config);
    assert_eq!(config.seed, 42);
    assert_eq!(
        config.train.batch_size,
        BatchSize::Samples(32.try_into().unwrap())
    );
    assert_eq!(
        (config.eval.every_epochs, config.eval.every_steps),
        (Some(1), None)
    );
}

#[test]
fn every_variant_reads_back() {
    let mut texts = Vec::new();
    for optimizer in [
        "sgd",
        "adam",
        "adamw",
        "rmsprop",
        "adagrad",
        "lion",
        "muon",
        "adafactor",
    ] {
        texts.push(format!("{MINIMAL}[optimizer]\ntype = \"{optimizer}\"\n"));
    }
    for name in [
        "constant",
        "exponential\"\ngamma = 0.9 #",
        "step\"\nstep_size = 3 #",
        "linear",
        "cosine",
        "one_cycle",
        "noam",
        "reduce_on_plateau",
    ] {
        texts.push(format!("{MINIMAL}[lr_scheduler]\ntype = \"{name}\"\n"));
    }
    texts.push(MINIMAL.replace(
        "\"classification\"",
        "\"regression\"\nloss = \"huber\"\nhuber_delta = 0.7",
    ));
    texts.push(MINIMAL.replace(
        "epochs = 3",
        "max_steps = 9\nbatch_size = \"full\"\nema_decay = 0.99\nmax_grad_norm = 1",
    ));
    texts.push(format!("{MINIMAL}[task.class_weights]\n\"a b\" = 1\nc = 0.25\n[eval]\nevery_steps = 3\n[early_stopping]\n"));
    texts.push(MINIMAL.replace(
        "\"classification\"",
        "\"classification\"\nthreshold = \"tune\"\ntune_metric = \"mcc\"\nfocal_gamma = 2",
    ));
    texts.push(MINIMAL.replace(
        "target = \"y\"",
        "target = \"y\"\n[data.columns.\"a.b \\\"c\\\"\\n\"]\nkind = \"date\"\n",
    ));
    for text in texts {
        let config = parse(&text);
        assert_eq!(parse(&config.to_toml()), config, "{}", config.to_toml());
        let json = serde_json::to_value(toml::from_str::<toml::Table>(&config.to_toml()).unwrap());
        let schema = schema();
        if let Err(problem) = validate(&schema, &schema, &json.unwrap(), "") {
            panic!("{problem}\n{}", config.to_toml());
        }
    }
}

#[test]
fn every_shipped_recipe_reads_and_reads_back() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs/tabular");
    let files = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let recipes: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|end| end == "toml"))
        .collect();
    assert!(!recipes.is_empty());
    for path in recipes {
        let config = RunConfig::load(&path, &[])
            .unwrap_or_else(|error| panic!("{error}"))
            .config;
        assert_eq!(parse(&config.to_toml()), config);
    }
}

#[test]
fn numbers_and_words_share_a_key() {
    let text = MINIMAL.replace(
        "\"classification\"",
        "\"classification\"\nthreshold = 1\nclass_weights = { a = 2, b = 1.5 }",
    );
    let TaskConfig::Classification(task) = parse(&text).task else {
        panic!("{text}")
    };
    assert_eq!(task.threshold, Threshold::Fixed(1.0));
    let weights = [("a".to_string(), 2.0), ("b".to_string(), 1.5)];
    assert_eq!(task.class_weights, ClassWeights::ByName(weights.into()));
}

#[test]
fn later_problems_point_into_the_file() {
    let loaded = RunConfig::parse("run.toml", MINIMAL, &[]).unwrap();
    let found = vec![
        (
            "data.target".to_string(),
            "is no column of data.csv".to_string(),
        ),
        (
            "train.batch_size".to_string(),
            "must be at least 2".to_string(),
        ),
        (
            "optimizer.betas".to_string(),
            "must be two numbers".to_string(),
        ),
    ];
    assert_snapshot!(loaded.problems(found));
}

#[test]
fn the_schema_refuses_what_the_parser_refuses() {
    let schema = schema();
    let check = |text: &str| {
        let value = serde_json::to_value(toml::from_str::<toml::Table>(text).unwrap()).unwrap();
        validate(&schema, &schema, &value, "")
    };
    check(MINIMAL).unwrap();
    check("extends = \"base.toml\"\n[model]\ndropout = 0.1\n").unwrap();
    check(&format!(
        "{MINIMAL}[optimizer]\ntype = \"adamw\"\nlr = 1\neps = 1e-7\n"
    ))
    .unwrap();
    for wrong in [
        MINIMAL.replace("[model]", "[modl]"),
        MINIMAL.replace("\"mlp\"", "\"mpl\""),
        MINIMAL.replace("\"mlp\"", "\"mlp\"\nhiden = [1]"),
        MINIMAL.replace("epochs = 3", "epochs = \"3\""),
        MINIMAL.replace("epochs = 3", "epochs = 3\nbatch_size = \"all\""),
        MINIMAL.replace("path = \"data.csv\"", ""),
        MINIMAL.replace("[train]\nepochs = 3", ""),
    ] {
        assert!(check(&wrong).is_err(), "{wrong}");
        errors(&wrong);
    }
}

/// As much of JSON Schema as the schema uses.
fn validate(root: &Value, schema: &Value, value: &Value, path: &str) -> Result<(), String> {
    let Value::Object(rules) = schema else {
        return Ok(());
    };
    let fail = |what: &str| Err(format!("{path}: {what}: {value} by {schema}"));
    for (rule, argument) in rules {
        let is_valid = match rule.as_str() {
            "$ref" => {
                let pointer = argument.as_str().unwrap().trim_start_matches('#');
                let target = root.pointer(pointer).expect("a definition");
                validate(root, target, value, path)?;
                true
            }
            "type" => match argument {
                Value::Array(types) => types.iter().any(|name| has_type(value, name)),
                name => has_type(value, name),
            },
            "const" => value == argument,
            "enum" => argument.as_array().unwrap().contains(value),
            "minimum" => value
                .as_f64()
                .is_none_or(|value| value >= argument.as_f64().unwrap()),
            "maximum" => value
                .as_f64()
                .is_none_or(|value| value <= argument.as_f64().unwrap()),
            "required" => argument.as_array().unwrap().iter().all(|key| {
                value
                    .as_object()
                    .is_none_or(|object| object.contains_key(key.as_str().unwrap()))
            }),
            "oneOf" | "anyOf" => {
                let choices = argument.as_array().unwrap().iter();
                let count = choices
                    .filter(|choice| validate(root, choice, value, path).is_ok())
                    .count();
                if rule == "oneOf" {
                    count == 1
                } else {
                    count > 0
                }
            }
            "if" => {
                if validate(root, argument, value, path).is_err() {
                    validate(root, &rules["else"], value, path)?;
                }
                true
            }
            "properties" => {
                for (key, value) in value.as_object().into_iter().flatten() {
                    if let Some(schema) = argument.get(key) {
                        validate(root, schema, value, &format!("{path}.{key}"))?;
                    } else {
                        match rules.get("additionalProperties") {
                            Some(Value::Bool(false)) => return fail(&format!("unknown {key}")),
                            Some(other) => validate(root, other, value, path)?,
                            None => {}
                        }
                    }
                }
                true
            }
            "items" => {
                for item in value.as_array().into_iter().flatten() {
                    validate(root, argument, item, path)?;
                }
                true
            }
            _ => true,
        };
        if !is_valid {
            return fail(rule);
        }
    }
    Ok(())
}

fn has_type(value: &Value, name: &Value) -> bool {
    match name.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "null" => value.is_null(),
        name => panic!("unknown type {name}"),
    }
}

/// The keys that the parser says it knows in a table.
fn known(table: &str, word: Option<&str>) -> BTreeSet<String> {
    let tag = word.map_or_else(String::new, |word| format!("type = \"{word}\"\n"));
    let text = format!("[{table}]\n{tag}\"?\" = true\n");
    let error = RunConfig::parse("probe.toml", &text, &[]).unwrap_err();
    let is_probe = |problem: &&Problem| problem.message.starts_with("unknown key `?`");
    let help = error.problems.iter().find(is_probe).unwrap().help.as_ref();
    let keys = help.unwrap().split('`').skip(1).step_by(2);
    keys.map(str::to_string).collect()
}

fn keys(schema: &Value) -> BTreeSet<String> {
    let properties = schema["properties"].as_object().unwrap();
    let keys = properties.keys().filter(|key| *key != "type");
    keys.cloned().collect()
}

#[test]
fn the_schema_has_the_keys_that_the_parser_accepts() {
    let names = |types: &[(&str, &str)]| -> Vec<String> {
        types.iter().map(|(name, _)| (*name).to_string()).collect()
    };
    let formats = [
        &["csv", "jsonl", "parquet"][..],
        &ImageFormat::ALL.map(|format| format.name()),
        &TextFormat::ALL.map(|format| format.name()),
        &ChatFormat::ALL.map(|format| format.name()),
        &PreferenceFormat::ALL.map(|format| format.name()),
        &PairFormat::ALL.map(|format| format.name()),
        &["text_table"],
    ];
    let formats = formats.concat().into_iter().map(str::to_string);
    let kinds = TokenizerKind::ALL.map(|kind| kind.name().to_string());
    let models = [
        names(TabularConfig::TYPES),
        names(ImageConfig::TYPES),
        names(LanguageConfig::TYPES),
        names(TranslationConfig::TYPES),
        names(EncoderConfig::TYPES),
    ];
    let mut types = BTreeMap::from([
        ("data", formats.collect()),
        ("tokenizer", kinds.to_vec()),
        ("model", models.concat()),
        ("task", names(&TaskConfig::types())),
        ("optimizer", names(OptimizerConfig::TYPES)),
        ("lr_scheduler", names(LrSchedulerConfig::TYPES)),
    ]);
    let schema = schema();
    for (table, schema) in schema["properties"].as_object().unwrap() {
        let Some(choices) = schema["oneOf"].as_array() else {
            if schema["properties"].is_object() {
                assert_eq!(keys(schema), known(table, None), "{table}");
            }
            continue;
        };
        // The last choice is for a file that extends another.
        let choices = &choices[..choices.len() - 1];
        let word = |choice: &Value| choice["properties"]["type"]["const"].clone();
        let words: Vec<_> = choices.iter().map(word).collect();
        assert_eq!(json!(types.remove(table.as_str()).unwrap()), json!(words));
        for choice in choices {
            let word = word(choice);
            let known = known(table, word.as_str());
            assert_eq!(keys(choice), known, "{table} {word}");
        }
    }
    assert!(types.is_empty(), "{types:?}");
}
