use std::sync::Arc;

use arrow::json::ReaderBuilder;
use arrow::json::reader::infer_json_schema;
use serde_json::{Value, json};

use super::row::Row;
use super::*;
use crate::testing::Folder;

fn made(format: QuestionFormat, row: &Value) -> Result<Asked, String> {
    let made = format.made(&Row(row.as_object().expect("an object")));
    made.map(|made| made.asked)
}

fn choices(format: QuestionFormat, row: &Value) -> (Vec<[String; 2]>, usize) {
    match made(format, row).expect("a question") {
        Asked::Choices { choices, answer } => {
            let pair = |choice: Choice| [choice.context, choice.continuation];
            (choices.into_iter().map(pair).collect(), answer)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn rows_of_the_allen_institute_and_of_the_hub_are_the_same() {
    let hub = json!({"question": "Why?", "choices": {"text": ["so", "not"], "label": ["1", "2"]}, "answerKey": "2"});
    let own = json!({"question": {"stem": "Why?", "choices": [{"text": "so", "label": "1"}, {"text": "not", "label": "2"}]},
        "answerKey": "2"});
    let expected =
        ["so", "not"].map(|text| ["Question: Why?\nAnswer:".to_owned(), text.to_owned()]);
    for row in [hub, own] {
        assert_eq!(choices(QuestionFormat::Arc, &row), (expected.to_vec(), 1));
    }
}

#[test]
fn marks_of_hellaswag_are_cleaned() {
    let row = json!({"activity_label": "Fixing", "ctx_a": "[header] How to fix [title] Ask.", "ctx_b": "then HE",
        "endings": ["[substeps] runs  off [step] now", "a [b"], "label": "1"});
    let (found, answer) = choices(QuestionFormat::HellaSwag, &row);
    let context = "Fixing: How to fix. Ask. Then he";
    assert_eq!(found, [[context, " runs off now"], [context, "a [b"]]);
    assert_eq!(answer, 1);
}

#[test]
fn winogrande_has_a_context_for_each_choice() {
    let row = json!({"sentence": "Ann met Eve, and _ left.", "option1": "Ann", "option2": "Eve", "answer": "2"});
    let (found, answer) = choices(QuestionFormat::WinoGrande, &row);
    assert_eq!(
        found,
        [
            ["Ann met Eve, and Ann", "left."],
            ["Ann met Eve, and Eve", "left."]
        ]
    );
    assert_eq!(answer, 1);
    for answer in ["", "0"] {
        let row =
            json!({"sentence": "a _ b", "option1": "Ann", "option2": "Eve", "answer": answer});
        assert!(made(QuestionFormat::WinoGrande, &row).is_err());
    }
}

#[test]
fn an_answer_is_an_index_a_letter_or_a_text_and_never_a_guess() {
    let answer = |choices: Value, answer: Value| {
        let row = json!({"context": "a", "choices": choices, "answer": answer});
        made(QuestionFormat::Plain, &row).map(|asked| match asked {
            Asked::Choices { answer, .. } => answer,
            other => panic!("{other:?}"),
        })
    };
    assert_eq!(answer(json!(["x", "y"]), json!(1)), Ok(1));
    assert_eq!(answer(json!(["x", "y"]), json!("B")), Ok(1));
    assert_eq!(answer(json!(["x", "y"]), json!("y")), Ok(1));
    assert_eq!(answer(json!(["A", "B"]), json!("B")), Ok(1));
    for (choices, wrong) in [
        (json!(["B", "A"]), json!("B")),
        (json!(["x", "x"]), json!("x")),
        (json!(["x", "y"]), json!("1")),
        (json!(["x", "y"]), json!(-1)),
        (json!(["x", "y"]), json!(0.5)),
    ] {
        assert!(answer(choices, wrong.clone()).is_err(), "{wrong}");
    }
}

#[test]
fn the_last_word_of_lambada_is_guessed() {
    let asked = made(QuestionFormat::Lambada, &json!({"text": "he is a man"}));
    let (context, end) = ("he is a".to_owned(), " man".to_owned());
    assert_eq!(asked, Ok(Asked::End { context, end }));
}

#[test]
fn what_is_wrong_with_a_file_is_said_with_its_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.jsonl");
    let good = r#"{"question": "Why?", "choices": ["so", "not"], "answer": 0}"#;
    let load = |text: &str| {
        std::fs::write(&path, text).expect("written");
        Questions::load(path.to_str().expect("a path"), QuestionFormat::Plain)
    };
    assert_eq!(
        load(&format!("\n{good}\n\n{good}")).expect("two").questions[1].line,
        4
    );
    for (bad, words) in [
        (
            r#"{"question": "Why?", "choices": ["so"], "answer": 0}"#,
            "two at least",
        ),
        (
            r#"{"question": "Why?", "choices": ["so", "not"], "answer": 2}"#,
            "there are 2 choices",
        ),
        (
            r#"{"question": "Why?", "choices": ["so", " "], "answer": 0}"#,
            "choice 1, counted from 0, is empty",
        ),
        (
            r#"{"goal": "a", "sol1": "b", "sol2": "c", "label": 0}"#,
            "--format piqa",
        ),
        (
            r#"{"prompt": "a", "answers": ["b"]}"#,
            "the other way round",
        ),
        (r#"{"prompt": "a", "answers": []}"#, "\"answers\" is empty"),
        ("[1]", "is no object"),
        ("{", "is no JSON"),
    ] {
        let error = load(&format!("{good}\n{bad}")).expect_err(bad).to_string();
        assert!(
            error.contains("a.jsonl:2: ") && error.contains(words),
            "{error}"
        );
    }
    let error = load("\n \n").expect_err("empty").to_string();
    assert!(error.contains("is empty"), "{error}");
}

#[test]
fn rows_of_parquet_are_those_of_json_lines() {
    let rows = [
        r#"{"prompt": "What is fired?", "answers": ["clay", "a pot"], "id": 1}"#,
        r#"{"prompt": "And glazed?", "answers": ["a bowl"]}"#,
    ];
    let text = rows.join("\n");
    let (schema, _) = infer_json_schema(text.as_bytes(), None).unwrap();
    let reader = ReaderBuilder::new(Arc::new(schema)).build(text.as_bytes());
    let batches = reader.unwrap().collect::<Result<Vec<_>, _>>().unwrap();
    let bytes = crate::table::parquet_bytes(&batches).unwrap();
    let folder = Folder::new(&[("a.jsonl", text.as_bytes()), ("a.parquet", &bytes)]);
    let load = |name| Questions::load(&folder.path(name), QuestionFormat::Plain);
    let [lines, table] = ["a.jsonl", "a.parquet"].map(|name| load(name).unwrap().questions);
    assert_eq!(lines.len(), 2);
    assert_eq!(lines, table);
    let error = Questions::load(&folder.path("a.parquet"), QuestionFormat::Piqa);
    let error = error.expect_err("no goal").to_string();
    assert!(error.contains("a.parquet:1: "), "{error}");
}
