//! Questions for language models, against lm-evaluation-harness: what it makes of the same models and questions is in
//! `questions/expected.json`, by `questions/make.py`.

use serde_json::{Value, json};

use crate::support::{Project, root};

/// With the folder `made`, which has the models and the questions.
fn project() -> Project {
    let project = Project::new();
    std::os::unix::fs::symlink(root().join("tests/questions"), project.path("made")).unwrap();
    project
}

/// Fails unless both are the same within `bound`.
#[track_caller]
fn near(found: &Value, expected: &Value, bound: f64) {
    let [found, expected] = [found, expected].map(|value| value.as_f64().unwrap());
    let greatest = expected.abs().max(1.0);
    assert!(
        (found - expected).abs() <= bound * greatest,
        "{found} and {expected}"
    );
}

/// The logarithms of an answer.
fn scores(answer: &Value) -> Vec<Value> {
    match answer["choices"].as_array() {
        Some(choices) => choices
            .iter()
            .map(|choice| choice["log_probability"].clone())
            .collect(),
        None => vec![answer["log_probability"].clone()],
    }
}

/// Fails unless the answers and metrics are those of the harness. Of the metrics, those that it tells of this format.
#[track_caller]
fn agrees(expected: &Value, marks: &Value, answers: &[&Value]) {
    let all = expected["scores"].as_array().unwrap();
    assert_eq!(
        (marks["n"].as_u64(), answers.len()),
        (Some(all.len() as u64), all.len())
    );
    for (answer, all) in answers.iter().zip(all) {
        let (found, all) = (scores(answer), all.as_array().unwrap());
        assert_eq!(found.len(), all.len());
        found
            .iter()
            .zip(all)
            .for_each(|(found, score)| near(found, score, 2e-5));
    }
    for (name, value) in expected["metrics"].as_object().unwrap() {
        near(&marks["metrics"][name], value, 2e-5);
    }
    for (name, value) in expected["stderr"].as_object().unwrap() {
        near(&marks["stderr"][name], value, 1e-9);
    }
}

#[test]
fn questions_are_judged_as_the_harness_judges_them() {
    let project = project();
    let cases = project.json("made/expected.json");
    for case in cases.as_array().unwrap() {
        let (model, format) = (
            case["model"].as_str().unwrap(),
            case["format"].as_str().unwrap(),
        );
        let mut line = format!(
            "evaluate made/{model} --questions made/{format}.jsonl --format {format} --json --output out.jsonl"
        );
        if case["shots"] != 0 {
            line += &format!(
                " --shots {} --examples made/{format}-examples.jsonl",
                case["shots"]
            );
        }
        if case["chat"] == true {
            line += " --chat";
        }
        let marks = project.ok_json(&line)[format!("made/{format}.jsonl")].clone();
        let lines = project.read("out.jsonl");
        let answers: Vec<Value> = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        match case["subjects"].as_object() {
            None => agrees(case, &marks, &answers.iter().collect::<Vec<_>>()),
            Some(subjects) => {
                for (name, expected) in subjects {
                    let own = answers.iter().filter(|answer| answer["subject"] == **name);
                    agrees(expected, &marks["subjects"][name], &own.collect::<Vec<_>>());
                }
            }
        }
    }
    assert_eq!(cases.as_array().unwrap().len(), 21);
}

fn lines(project: &Project, name: &str, rows: &[Value]) {
    let text: String = rows.iter().map(|row| format!("{row}\n")).collect();
    project.write(name, &text);
}

#[test]
fn what_was_written_is_compared_with_answers() {
    let project = project();
    let generated = project.ok_json("generate made/llama --prompt the -n 6 -t 0 --json");
    let text = generated["text"].as_str().unwrap().trim().to_owned();
    let rows = [
        json!({"prompt": "the", "answers": ["never said", format!("The {text}!")]}),
        json!({"prompt": "the", "answers": "never said"}),
    ];
    lines(&project, "q.jsonl", &rows);
    let line = "evaluate made/llama --questions q.jsonl --max-tokens 6 --stop zzz";
    let found = project.ok_json(&format!("{line} --json --output out.jsonl"))["q.jsonl"].clone();
    assert_eq!(found["n"], 2);
    assert_eq!(found["metrics"]["exact_match"], 0.5);
    assert_eq!(found["stderr"]["exact_match"], 0.5);
    let first: Value =
        serde_json::from_str(project.read("out.jsonl").lines().next().unwrap()).unwrap();
    assert_eq!((&first["text"], &first["f1"]), (&json!(text), &json!(1.0)));
    let ran = project.ok(line);
    let said = ran.err.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("up to 6 of them or to [\"zzz\"]"), "{said}");
    assert!(said.contains("--chat applies it"), "{said}");
    assert!(ran.out.contains("exact_match"), "{}", ran.out);
}

#[test]
fn a_question_is_no_example_for_itself_and_what_is_cut_is_said() {
    let project = project();
    let same = "made/plain-examples.jsonl";
    let ran = project.ok(&format!(
        "evaluate made/llama --questions {same} --shots 4 --examples {same} --json --output out.jsonl"
    ));
    let said = ran.err.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        said.contains("no question is an example for itself"),
        "{said}"
    );
    let long =
        json!({"context": "river town lamp ".repeat(200), "choices": ["x", "x"], "answer": 1});
    lines(&project, "long.jsonl", &[long]);
    let ran = project.ok("evaluate made/gpt2 --questions long.jsonl --json");
    let said = ran.err.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("1 of the questions are longer"), "{said}");
    assert!(said.contains("the same choice twice"), "{said}");
    let found = ran.json()["long.jsonl"].clone();
    // Of equal choices the first is taken, and one value has no error.
    assert_eq!(
        (&found["metrics"]["acc"], &found["stderr"]["acc"]),
        (&json!(0.0), &Value::Null)
    );
}

#[test]
fn questions_that_cannot_be_judged_are_refused() {
    let project = project();
    let good = json!({"question": "a", "choices": ["b", "c"], "answer": 0});
    lines(&project, "good.jsonl", &[good.clone(), good.clone()]);
    let refused = |bad: Value, words: &[&str]| {
        lines(&project, "bad.jsonl", &[good.clone(), bad]);
        let words = [&["bad.jsonl:2: "], words].concat();
        project.refused("evaluate made/gpt2 --questions bad.jsonl", 1, &words);
    };
    refused(
        json!({"question": "a", "choices": ["b"], "answer": 0}),
        &["two at least"],
    );
    refused(
        json!({"question": "a", "choices": ["b", "c"], "answer": "D"}),
        &["there are 2 choices"],
    );
    refused(
        json!({"question": "a", "choices": ["b", ""], "answer": 0}),
        &["choice 1", "is empty"],
    );
    let long = "river ".repeat(100);
    refused(
        json!({"question": "a", "choices": ["b", long], "answer": 0}),
        &["choice 1", "the model reads 64"],
    );
    project.write("empty.jsonl", "\n");
    let run = "evaluate made/gpt2 --questions";
    project.refused(&format!("{run} empty.jsonl"), 1, &["is empty"]);
    project.refused(&format!("{run} none.jsonl"), 1, &["cannot read"]);
    project.refused(
        &format!("{run} good.jsonl --chat"),
        2,
        &["has no chat template"],
    );
    project.refused(&format!("{run} good.jsonl --shots 2"), 2, &["--examples"]);
    project.refused(
        &format!("{run} good.jsonl --shots 2 --examples good.jsonl"),
        2,
        &["needs 3 examples", "has 2"],
    );
    project.refused(
        &format!("{run} good.jsonl --format tapir"),
        2,
        &["arc", "winogrande"],
    );
    project.refused(
        &format!("{run} good.jsonl --data good.jsonl"),
        2,
        &["cannot be used with"],
    );
    project.refused(
        &format!("{run} good.jsonl --output good.jsonl"),
        1,
        &["both input and output"],
    );
    let written = json!({"prompt": "a", "answers": ["b"]});
    lines(&project, "written.jsonl", &[written]);
    project.refused(
        &format!("{run} written.jsonl --max-tokens 64"),
        2,
        &["leaves no room"],
    );
}
