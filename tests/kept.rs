//! What a run keeps of its last evaluation to be looked at, against numbers that are computed here in another way.

use std::collections::HashMap;

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};

use crate::encoder::{BERT, MASKED, pots, sentence};
use crate::images::PICTURES;
use crate::language::GPT;
use crate::reports::{assert_sound, browser};
use crate::support::{EVERYTHING, Project, poem};
use crate::translation::{TRANSFORMER, pairs};

/// The files of a run that must be the same whatever is kept.
const RESULTS: [&str; 3] = ["model.safetensors", "metrics.jsonl", "evaluation.json"];

/// Two verses on which the model of [`GPT`] is judged, with numbers.
fn verses() -> String {
    let verse = "two potters turn the clay,\nthree potters wait; all potters shape: 12 wheels, 3 kilns.\n\n";
    verse.repeat(7)
}

/// A language model that is judged by [`verses`].
fn gpt() -> Project {
    let config = GPT.replace(
        "split = { train = 0.8, valid = 0.1, test = 0.1 }",
        "split = { train = 0.9, valid = 0.1, test = 0.0 }\ntest_path = \"verses.txt\"",
    );
    let project = Project::with(&config);
    project.write("poem.txt", &("12345678: 90 (;)\n".to_owned() + &poem()));
    project.write("verses.txt", &verses());
    project
}

fn lines(project: &Project, name: &str) -> Vec<Value> {
    let text = project.read(name);
    let lines = text.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().unwrap()
}

/// The numbers of tokens of the parts of a list add up to all, and their means to the mean.
#[track_caller]
fn assert_whole(kept: &Value, part: &str, report: &Value) {
    let n = |one: &Value| one["n"].as_f64().unwrap();
    let parts = kept[part].as_array().unwrap();
    let all: f64 = parts.iter().map(n).sum();
    assert_eq!(json!(all as u64), report["n"], "{part}");
    let sum: f64 = parts
        .iter()
        .map(|one| n(one) * one["loss"].as_f64().unwrap())
        .sum();
    let loss = report["metrics"]["loss"].as_f64().unwrap();
    assert!(
        (sum / all - loss).abs() < 1e-6,
        "{part}: {} is not {loss}",
        sum / all
    );
}

/// How many of the letters after the first are of each kind, told letter by letter.
fn kinds(text: &str) -> HashMap<&'static str, u64> {
    let letters: Vec<char> = text.chars().collect();
    let mut counts = HashMap::new();
    for pair in letters.windows(2) {
        let kind = match (pair[0], pair[1]) {
            (_, ' ' | '\n') => "white space",
            (_, '0'..='9') => "number",
            (before, letter) if letter.is_alphabetic() && before.is_alphanumeric() => {
                "word-internal"
            }
            (_, letter) if letter.is_alphabetic() => "word-initial",
            _ => "punctuation",
        };
        *counts.entry(kind).or_default() += 1;
    }
    counts
}

#[test]
fn a_language_model_keeps_where_it_loses_and_what_it_writes() {
    let project = gpt();
    project.ok("train run.toml -q");
    let kept = project.json("runs/run/1/language.json");
    let report = &project.json("runs/run/1/evaluation.json")["test"];
    assert_eq!(kept["split"], "test");
    for part in ["positions", "classes", "bands"] {
        assert_whole(&kept, part, report);
    }
    let text = verses();
    let predicted = text.chars().count() - 1;
    for (index, position) in kept["positions"].as_array().unwrap().iter().enumerate() {
        // Windows of 16 side by side: so many have a token at this place.
        let windows = (0..predicted).filter(|at| at % 16 == index).count();
        assert_eq!(position["n"], json!(windows), "{position}");
        assert_eq!(position["from"], json!(index + 1));
        assert!(position["error"].as_f64().unwrap() >= 0.0);
    }
    let found = kept["classes"].as_array().unwrap().iter();
    let found = found.map(|class| {
        (
            class["name"].as_str().unwrap(),
            class["n"].as_u64().unwrap(),
        )
    });
    assert_eq!(found.collect::<HashMap<_, _>>(), kinds(&text));

    let texts = kept["texts"].as_array().unwrap();
    assert_eq!(texts.len(), 3);
    let most = kept["max_tokens"].as_u64().unwrap();
    for written in texts {
        let [prompt, followed] = ["prompt", "followed"].map(|key| written[key].as_str().unwrap());
        assert!(text.contains(&format!("{prompt}{followed}")), "{written}");
        project.write("prompt.txt", prompt);
        for (key, how) in [("greedy", "--temperature 0"), ("sampled", "--seed 42")] {
            let mut command = project.command(["generate", "runs/run/1", "--json", "-p", prompt]);
            command.args(["-n", &most.to_string()]).args(how.split(' '));
            let ran = crate::support::Ran::from(command.output().unwrap());
            assert_eq!(ran.json()["text"], written[key], "{}", ran.err);
        }
    }
}

#[test]
fn what_is_kept_is_the_same_again_and_changes_nothing_else() {
    let project = gpt();
    project.ok("train run.toml -q");
    project.ok("train run.toml -q --set eval.keep_predictions=false");
    project.ok("train run.toml -q --set eval.texts=0");
    assert!(!project.path("runs/run/2/language.json").exists());
    for name in RESULTS {
        let bytes = |run: u32| project.bytes(&format!("runs/run/{run}/{name}"));
        assert!(bytes(1) == bytes(2) && bytes(1) == bytes(3), "{name}");
    }
    let without = project.json("runs/run/3/language.json");
    assert!(without.get("texts").is_none(), "{without}");
    let before = project.bytes("runs/run/1/language.json");
    project.ok("resume runs/run/1 -q");
    assert!(project.bytes("runs/run/1/language.json") == before);
    // It is sealed, and a run without it still has a page.
    project.ok("report runs/run/2");
    project.write("runs/run/1/language.json", "{}");
    project.refused("report runs/run/1", 1, &["language.json", "is damaged"]);
    for (set, words) in [
        ("eval.texts=51", "at most 50"),
        (
            "task.type=masked_lm --set model.type=bert --set tokenizer.type=wordpiece --set eval.texts=1",
            "go on with a text",
        ),
        (
            "eval.texts=2 --set eval.keep_predictions=false",
            "keep_predictions is true",
        ),
    ] {
        project.refused(
            &format!("check --no-data run.toml --set {set}"),
            2,
            &[words],
        );
    }
}

#[test]
fn documents_in_rows_begin_at_position_one() {
    let project = gpt();
    let story = |number: usize| {
        let text = "potters wait. ".repeat(1 + number % 3);
        format!("{}\n", json!({ "text": text.trim_end() }))
    };
    project.write("stories.jsonl", &(0..60).map(story).collect::<String>());
    let config = project.read("run.toml").replace(
        "type = \"text\"\npath = \"poem.txt\"",
        "type = \"text_jsonl\"\npath = \"stories.jsonl\"\npacking = \"documents\"",
    );
    let config = config.replace(
        "split = { train = 0.9, valid = 0.1, test = 0.0 }\ntest_path = \"verses.txt\"",
        "split = { train = 0.5, valid = 0.1, test = 0.4 }",
    );
    let config = config.replace("context_length = 16", "context_length = 64");
    project.write("run.toml", &config);
    project.ok("train run.toml -q --set train.max_steps=10");
    let kept = project.json("runs/run/1/language.json");
    let report = &project.json("runs/run/1/evaluation.json")["test"];
    for part in ["positions", "classes", "bands"] {
        assert_whole(&kept, part, report);
    }
    // Each document has a first position. The longest has 3 * 14 - 1 letters, of which all but the first are predicted,
    // and then its end.
    let positions = kept["positions"].as_array().unwrap();
    let first = positions[0]["n"].as_u64().unwrap();
    assert!((20..=28).contains(&first), "{first}");
    let last = positions.last().unwrap()["to"].as_u64().unwrap();
    assert!((41..=42).contains(&last), "{last}");
}

#[test]
fn a_masked_language_model_keeps_where_it_loses() {
    let project = Project::with(MASKED);
    let text: String = (0..300).map(|row| sentence(row).0 + ".\n").collect();
    project.write("pots.txt", &text);
    project.ok("train run.toml -q");
    let kept = project.json("runs/run/1/language.json");
    let report = &project.json("runs/run/1/evaluation.json")["test"];
    for part in ["positions", "classes", "bands"] {
        assert_whole(&kept, part, report);
    }
    let classes = kept["classes"].as_array().unwrap();
    assert!(
        classes.iter().all(|class| class["name"] != "special"),
        "{kept}"
    );
    assert!(
        classes.iter().any(|class| class["name"] == "word-initial"),
        "{kept}"
    );
    assert!(kept.get("texts").is_none());
    // The marks of a text are never masked: what is predicted is between them.
    let positions = kept["positions"].as_array().unwrap();
    let [first, last] = [&positions[0]["from"], &positions.last().unwrap()["to"]];
    assert!(
        first.as_u64() >= Some(2) && last.as_u64() <= Some(15),
        "{first} {last}"
    );
}

/// chrF2 of one translation (Popović 2015): the mean precision and recall over runs of 1 to 6 letters.
fn chrf_by_hand(translation: &str, reference: &str) -> f64 {
    let runs = |text: &str, order: usize| -> HashMap<String, usize> {
        let letters: Vec<char> = text
            .chars()
            .filter(|letter| !letter.is_whitespace())
            .collect();
        let mut counts = HashMap::new();
        for run in letters.windows(order) {
            *counts.entry(run.iter().collect()).or_default() += 1;
        }
        counts
    };
    let (mut precisions, mut recalls) = (Vec::new(), Vec::new());
    for order in 1..=6 {
        let (own, others) = (runs(translation, order), runs(reference, order));
        let [n, m] = [&own, &others].map(|runs| runs.values().sum::<usize>() as f64);
        if n > 0.0 && m > 0.0 {
            let both = own
                .iter()
                .map(|(run, n)| n.min(others.get(run).unwrap_or(&0)));
            let both = both.sum::<usize>() as f64;
            precisions.push(both / n);
            recalls.push(both / m);
        }
    }
    let mean = |list: &[f64]| list.iter().sum::<f64>() / list.len() as f64;
    let (precision, recall) = (mean(&precisions), mean(&recalls));
    match precision > 0.0 && recall > 0.0 {
        true => 500.0 * precision * recall / (4.0 * precision + recall),
        false => 0.0,
    }
}

#[test]
fn translations_are_kept_with_their_scores() {
    let project = pairs(&TRANSFORMER.replace("max_steps = 400", "max_steps = 120"));
    project.ok("train run.toml -q --report");
    let all = lines(&project, "runs/run/1/translations.jsonl");
    let evaluation = project.json("runs/run/1/evaluation.json");
    let of =
        |split: &str| -> Vec<&Value> { all.iter().filter(|one| one["split"] == split).collect() };
    assert_eq!(json!(of("valid").len()), evaluation["valid"]["n"]);
    let kept = of("test");
    project.ok("predict runs/run/1 test.de -o test.out");
    let [sources, references, translations] =
        ["test.de", "test.en", "test.out"].map(|name| project.read(name));
    let rows = sources
        .lines()
        .zip(references.lines())
        .zip(translations.lines());
    let mut scores = Vec::new();
    for (index, ((source, reference), translation)) in rows.enumerate() {
        let line = kept[index];
        let expected = json!({ "split": "test", "row": index + 1, "chrf": line["chrf"],
            "source": source, "reference": reference, "translation": translation });
        assert_eq!(*line, expected);
        let score = line["chrf"].as_f64().unwrap();
        let by_hand = chrf_by_hand(translation, reference);
        assert!((score - by_hand).abs() < 1e-9, "{line}: {by_hand}");
        scores.push(score);
    }
    assert_eq!(kept.len(), scores.len());
    let page = project.read("runs/run/1/report.html");
    let (worst, best) = page.split_once("Best translations").unwrap();
    scores.sort_by(f64::total_cmp);
    assert!(worst.contains(&format!("<data value=\"{}\">", scores[0])));
    assert!(best.contains(&format!("<data value=\"{}\">", scores[scores.len() - 1])));
    assert!(scores[0] < scores[scores.len() - 1]);
}

#[test]
fn the_images_of_the_errors_are_kept() {
    let project = Project::new();
    let short = "--set device.backend=flex --set lr_scheduler.warmup_steps=0 --set train.epochs=1";
    project.ok(&format!(
        "train configs/vision/digits-cnn.toml -q {short} --report"
    ));
    let kept = lines(&project, "runs/digits-cnn/1/samples.jsonl");
    let evaluation = &project.json("runs/digits-cnn/1/evaluation.json")["test"];
    let n = evaluation["n"].as_f64().unwrap();
    let wrong = n * (1.0 - evaluation["metrics"]["accuracy"].as_f64().unwrap());
    let of = |why: &str| -> Vec<&Value> { kept.iter().filter(|one| one["why"] == why).collect() };
    assert_eq!(of("wrong").len(), (wrong.round() as usize).min(24));
    assert_eq!(of("unsure").len(), 12);
    for sample in &kept {
        assert_eq!(sample["split"], "test");
        assert!(sample["why"] != "wrong" || sample["truth"] != sample["prediction"]);
        let picture = sample["picture"].as_str().unwrap();
        let bytes = picture.strip_prefix("data:image/png;base64,").unwrap();
        let bytes = BASE64_STANDARD.decode(bytes).unwrap();
        let read = image::load_from_memory(&bytes).unwrap();
        assert_eq!((read.width(), read.height()), (8, 8));
    }
    for why in ["wrong", "unsure"] {
        let values: Vec<f64> = of(why)
            .iter()
            .map(|one| one["value"].as_f64().unwrap())
            .collect();
        assert!(values.is_sorted_by(|a, b| if why == "wrong" { a >= b } else { a <= b }));
    }
    let page = project.read("runs/digits-cnn/1/report.html");
    assert_eq!(page.matches("src=\"data:image/png").count(), kept.len());
    assert!(page.len() < 3_000_000);
}

#[test]
fn the_texts_of_the_errors_are_kept() {
    let project = Project::with(BERT);
    let table = pots(160);
    project.write("pots.csv", &table);
    project.ok("train run.toml -q --report --set train.epochs=1");
    let kept = lines(&project, "runs/run/1/samples.jsonl");
    let rows: Vec<&str> = table.lines().skip(1).collect();
    for sample in &kept {
        let name = sample["name"].as_str().unwrap();
        let row: usize = name.strip_prefix("row ").unwrap().parse().unwrap();
        let (text, mark) = sentence(row - 1);
        assert!(rows[row - 1].contains(&text));
        let letters = |text: &str| text.to_lowercase().replace(' ', "");
        assert_eq!(
            letters(sample["text"].as_str().unwrap()),
            letters(&text),
            "{sample}"
        );
        assert_eq!(sample["truth"], mark);
    }
    let page = project.read("runs/run/1/report.html");
    assert!(
        page.contains("Texts: least sure"),
        "the texts are on the page"
    );
    assert!(page.contains(kept.last().unwrap()["text"].as_str().unwrap()));
}

#[test]
fn the_energy_is_measured_or_it_is_said_why_not() {
    let project = Project::with(EVERYTHING);
    project.ok("train run.toml -q --report");
    let cost = |run: u32| -> toml::Table {
        let lock: toml::Table = project
            .read(&format!("runs/run/{run}/run.lock"))
            .parse()
            .unwrap();
        lock["cost"].as_table().unwrap().clone()
    };
    let page = project.read("runs/run/1/report.html");
    let first = cost(1);
    match first.get("energy_unmeasured") {
        Some(reason) => {
            assert!(!first.contains_key("energy_joules"), "{first:?}");
            assert!(page.contains(reason.as_str().unwrap()), "{reason}");
        }
        None => assert!(first["energy_joules"].as_float().unwrap() > 0.0),
    }
    project.ok("train run.toml -q --set device.watts=50 --report");
    let second = cost(2);
    if first.contains_key("energy_unmeasured") {
        let number = |key: &str| second[key].as_float().unwrap();
        assert!(
            (number("energy_joules") - 50.0 * number("seconds")).abs() < 1e-6,
            "{second:?}"
        );
        assert_eq!(number("energy_watts"), 50.0);
        let page = project.read("runs/run/2/report.html");
        assert!(page.contains("an estimate: 50.00 W"), "{second:?}");
    }
    // A run that has ended can be told.
    project.ok("resume runs/run/1 -q --set device.watts=20");
    assert!(cost(1).contains_key("energy_joules"));
    project.ok("evaluate runs/run/1 --json");
    project.refused(
        "check run.toml --set device.watts=0",
        2,
        &["watts", "above 0"],
    );
}

#[test]
fn pages_of_what_is_kept_are_sound_in_a_browser() {
    let Some(browser) = browser() else {
        return;
    };
    let sound = |project: &Project, charts: u64| {
        assert_sound(&browser, &project.path("runs/run/1/report.html"), charts);
    };
    let project = gpt();
    project.ok("train run.toml -q --report");
    sound(&project, 7);
    let project = Project::with(MASKED);
    project.write(
        "pots.txt",
        &(0..300)
            .map(|row| sentence(row).0 + ".\n")
            .collect::<String>(),
    );
    project.ok("train run.toml -q --report");
    sound(&project, 6);
    let project = pairs(&TRANSFORMER.replace("max_steps = 400", "max_steps = 20"));
    project.ok("train run.toml -q --report");
    sound(&project, 3);
    let project = Project::with(BERT);
    project.write("pots.csv", &pots(160));
    project.ok("train run.toml -q --report --set train.epochs=1");
    sound(&project, 6);
    let project = Project::with(PICTURES);
    crate::images::pictures(&project, "pictures");
    project.ok("train run.toml -q --report");
    sound(&project, 4);
}
