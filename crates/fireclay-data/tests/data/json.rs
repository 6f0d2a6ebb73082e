//! JSON as programs write it.

use arrow::array::{Array, AsArray};
use fireclay_data::{DataError, ReadOptions, Table, TableFormat, arrow, guess, plain_text, stream};

use crate::{Files, refused};

fn read(content: &str) -> Table {
    let files = Files::new();
    let path = files.write("a.json", content);
    Table::read(&path, &ReadOptions::new(TableFormat::Jsonl)).unwrap()
}

fn column(table: &Table, name: &str) -> Vec<Option<String>> {
    let cells = plain_text(table.column(name).unwrap());
    let cells = cells.as_string::<i32>().iter();
    cells.map(|cell| cell.map(str::to_owned)).collect()
}

fn texts<const N: usize>(cells: [&str; N]) -> Vec<Option<String>> {
    cells.map(|cell| Some(cell.to_owned())).to_vec()
}

#[test]
fn an_array_is_as_good_as_lines() {
    let lines = read("{\"a\": 1, \"b\": \"x, {y}\"}\n{\"a\": 2, \"b\": \"]\\\"\"}\n");
    for text in [
        "[{\"a\": 1, \"b\": \"x, {y}\"}, {\"a\": 2, \"b\": \"]\\\"\"}]",
        "\u{feff}[\n  {\n    \"a\": 1,\n    \"b\": \"x, {y}\"\n  },\n  {\"a\": 2, \"b\": \"]\\\"\"}\n]\n",
        "{\n\"a\": 1,\n\"b\": \"x, {y}\"}\n{\"a\": 2, \"b\": \"]\\\"\"}",
    ] {
        assert_eq!(read(text).batch(), lines.batch(), "{text}");
    }
    assert_eq!(column(&lines, "b"), texts(["x, {y}", "]\""]));
}

#[test]
fn what_is_no_array_of_objects_is_named_with_its_line() {
    let files = Files::new();
    for (text, reason) in [
        (
            "[{\"a\": 1},\n{\"a\": }]",
            "a.json:2: not a JSON object: expected value",
        ),
        ("[{\"a\": 1}\n", "a.json:2: the array does not end"),
        ("[{\"a\": 1}\n{\"a\": 2}]", "a.json:2: not a JSON object"),
        ("[{\"a\": 1}]\nx", "a.json:2: not a JSON object"),
        ("[1, 2]", "a.json:1: not a JSON object"),
        (
            "{\"a\": {\n",
            "a.json:1: not a JSON object: it does not end",
        ),
        (
            "{\"a\": 1}\n{\"a\": \"x\n\"}",
            "a.json:2: not a JSON object: a text in it does not end",
        ),
        ("[]", "is empty"),
    ] {
        let path = files.write("a.json", text);
        refused(
            Table::read(&path, &ReadOptions::new(TableFormat::Jsonl)),
            &[reason],
        );
    }
}

#[test]
fn objects_in_objects_are_columns_of_their_own() {
    let table = read(
        "{\"a\": {\"b\": 1, \"c\": {\"d\": \"x\"}}, \"e\": [1, 2]}\n{\"a\": null}\n{\"a\": {\"b\": 3}, \"e\": null}\n",
    );
    assert_eq!(table.columns(), ["a.b", "a.c.d", "e"]);
    assert_eq!(
        column(&table, "a.b"),
        [Some("1".into()), None, Some("3".into())]
    );
    assert_eq!(column(&table, "a.c.d"), [Some("x".into()), None, None]);
    let files = Files::new();
    let path = files.write("a.json", "{\"a.b\": 1, \"a\": {\"b\": 2}}\n");
    let read = Table::read(&path, &ReadOptions::new(TableFormat::Jsonl));
    refused(read, &["the key \"a.b\" comes twice"]);
    // Depth without end is no way to end the program.
    let deep = format!("{}1{}", "{\"a\":".repeat(50_000), "}".repeat(50_000));
    let path = files.write("deep.json", deep);
    let _ = Table::read(&path, &ReadOptions::new(TableFormat::Jsonl));
}

#[test]
fn numbers_that_json_does_not_have_are_missing_and_counted() {
    let files = Files::new();
    let row = |i: usize| {
        let value = ["NaN", "Infinity", "-Infinity", "1.5", "-2.5"][i % 5];
        format!(
            "{{\"x\": {value}, \"NaN\": \"NaN {i}\", \"y\": \"{}\"}}\n",
            ["a", "b"][i % 2]
        )
    };
    let path = files.write("a.jsonl", (0..50).map(row).collect::<String>());
    let options = ReadOptions::new(TableFormat::Jsonl);
    let table = Table::read(&path, &options).unwrap();
    assert_eq!(table.column("x").unwrap().null_count(), 30);
    assert_eq!(column(&table, "NaN")[1], Some("NaN 1".into()));
    let notes = guess(&path).unwrap().notes;
    let note = "30 values are NaN or Infinity, which are read as missing";
    assert!(notes.iter().any(|found| found.ends_with(note)), "{notes:?}");
    let path = files.write("b.jsonl", "{\"x\": NaNs}\n");
    refused(
        Table::read(&path, &options),
        &["b.jsonl:1: not a JSON object"],
    );
}

#[test]
fn bad_objects_can_be_skipped() {
    let files = Files::new();
    let text =
        "{\"x\": 1}\n{\"x\": 2, \"y\"\n{\"x\": 3}\n{\"x\": \"4}\n[5]\n{\"x\":\n6}\n{\"x\": 7";
    let path = files.write("a.jsonl", text);
    let mut options = ReadOptions::new(TableFormat::Jsonl);
    assert!(stream(&path, &options).is_err());
    options.skip_bad_lines = true;
    let (mut rows, mut lines) = (0, Vec::new());
    for piece in stream(&path, &options).unwrap() {
        match piece {
            Ok(piece) => rows += piece.num_rows(),
            Err(DataError::Json { line, .. }) => lines.push(line),
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!((rows, lines), (3, vec![2, 4, 5, 8]));
}
