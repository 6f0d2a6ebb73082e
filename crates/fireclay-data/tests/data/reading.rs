use std::path::Path;

use arrow::array::{Array, AsArray, Float64Array, RecordBatch, StringArray};
use arrow::datatypes::DataType;
use fireclay_data::arrow;
use fireclay_data::{
    ColumnKind, DataError, ReadOptions, Table, TableFormat, TableWriter, infer_kind, plain_text,
    stream,
};
use proptest::prelude::*;

use crate::{Files, csv, refused};

fn read(files: &Files, name: &str, content: impl AsRef<[u8]>) -> Result<Table, DataError> {
    let path = files.write(name, content);
    let format = TableFormat::from_path(Path::new(name)).unwrap();
    Table::read(&path, &ReadOptions::new(format))
}

fn cells(table: &Table, column: &str) -> Vec<Option<String>> {
    let cells = plain_text(table.column(column).unwrap());
    let cells = cells.as_string::<i32>().iter();
    cells.map(|cell| cell.map(str::to_owned)).collect()
}

/// Fails unless this content is refused by the file's absolute path and for this reason.
#[track_caller]
fn refuses(name: &str, content: impl AsRef<[u8]>, reason: &str) {
    let files = Files::new();
    let path = files.path(name).to_str().unwrap().to_owned();
    refused(read(&files, name, content), &[&path, reason]);
}

#[test]
fn the_odd_but_valid_is_read() {
    let files = Files::new();
    let csv = "\u{feff}a, b ,\r\n1, x y ,NA\r\n\"2\",\"line\nbreak, \"\"q\"\"\",?\r\n";
    let table = read(&files, "a.csv", csv).unwrap();
    assert_eq!(table.columns(), ["a", "b", "Unnamed: 2"]);
    assert_eq!(
        cells(&table, "b"),
        [Some("x y".into()), Some("line\nbreak, \"q\"".into())]
    );
    assert_eq!(table.column("Unnamed: 2").unwrap().null_count(), 2);
    let json = "\u{feff}{\"a\": 1.50, \"b\": null}\r\n\n{\"b\": \"x\", \"c\": {\"d\": [1]}, \"a\": true}\n";
    let table = read(&files, "a.jsonl", json).unwrap();
    assert_eq!(table.columns(), ["a", "b", "c.d"]);
    let a = [Some("1.50".into()), Some("true".into())];
    assert_eq!(cells(&table, "a"), a);
    assert_eq!(cells(&table, "c.d"), [None, Some("[1]".into())]);
    let tabs = read(&files, "a.tsv", "a\tb\n1\t2,3\n").unwrap();
    assert_eq!(cells(&tabs, "b"), [Some("2,3".into())]);
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    for (name, content, reason) in [
        ("a.csv", "", "is empty"),
        ("a.csv", "\n\n", "is empty"),
        ("a.csv", "a,b\n", "no rows"),
        ("a.csv", "a,b,a\n1,2,3\n", "two columns named \"a\""),
        (
            "a.csv",
            "a,b\n\"x\ny\",2\n3\n",
            "a.csv:4: 1 fields where the header has 2",
        ),
        (
            "a.jsonl",
            "{\"a\": 1}\n\n{\"a\": }\n",
            "a.jsonl:3: not a JSON object: expected value",
        ),
        (
            "a.jsonl",
            "{\"a\": 1}\n[1]\n",
            "a.jsonl:2: not a JSON object",
        ),
        (
            "a.jsonl",
            "{\"a\": 1, \"a\": 2}\n",
            "the key \"a\" comes twice",
        ),
        ("a.jsonl", "\n", "is empty"),
        ("a.parquet", "", "is empty"),
        ("a.parquet", "PAR1 not really PAR1", "a.parquet: "),
    ] {
        refuses(name, content, reason);
    }
    refuses("a.csv", b"a,b\n1,2\n3,\xff\n", "a.csv:3: not valid UTF-8");
    refuses("a.csv", b"a\xff,b\n1,2\n", "a.csv:1: not valid UTF-8");
    let text = b"{\"a\": \"\xff\"}\n";
    refuses("a.jsonl", text, "a.jsonl:1: not valid UTF-8");
}

#[test]
fn paths_that_lead_nowhere_are_shown_in_full() {
    let files = Files::new();
    let options = ReadOptions::new(TableFormat::Csv);
    let folder = files.path("").to_str().unwrap().to_owned();
    let refuses = |path: &str, part: &str| refused(Table::read(path, &options), &[part]);
    refuses(&folder, "is a directory");
    refuses(&format!("{folder}/*.csv"), "no file matches /");
    refuses(&format!("{folder}/none.csv"), "none.csv: ");
    let here = std::env::current_dir().unwrap();
    refuses("not/there.csv", here.to_str().unwrap());
    refuses("a/***", "not a valid glob");
}

#[test]
fn a_glob_is_one_table_with_columns_by_name() {
    let files = Files::new();
    files.write("b.csv", "y,x\n3,4\n");
    files.write("a.csv", "x,y\n1,2\n");
    let pattern = files.path("*.csv").to_str().unwrap().to_owned();
    let read = || Table::read(&pattern, &ReadOptions::new(TableFormat::Csv));
    let table = read().unwrap();
    assert_eq!(cells(&table, "x"), [Some("1".into()), Some("4".into())]);
    assert_eq!(table.files, [files.path("a.csv"), files.path("b.csv")]);
    files.write("c.csv", "x,z\n1,2\n");
    refused(read(), &["c.csv has no column \"y\", which"]);
}

#[test]
fn one_late_word_makes_a_column_text() {
    let csv = csv("n", 40_000, |row| row.to_string());
    let kind = |table: &Table| infer_kind(table.column("n").unwrap());
    assert_eq!(kind(&crate::table(&csv)), ColumnKind::Numeric);
    let table = crate::table(&(csv + "many\n"));
    assert_eq!(table.rows(), 40_001);
    assert_eq!(kind(&table), ColumnKind::Categorical);
}

#[test]
fn a_stream_gives_the_rows_of_the_table_in_pieces() {
    let files = Files::new();
    let rows = csv("id,x", 50_000, |row| format!("{row},{}", row % 7));
    let path = files.write("a.csv", &rows);
    let options = ReadOptions::new(TableFormat::Csv);
    let pieces: Result<Vec<_>, _> = stream(&path, &options).unwrap().collect();
    let pieces = pieces.unwrap();
    assert!(pieces.len() > 2);
    let joined = arrow::compute::concat_batches(&pieces[0].schema(), &pieces).unwrap();
    assert_eq!(&joined, Table::read(&path, &options).unwrap().batch());
    let broken = files.write("b.csv", rows + "1\n");
    let mut pieces = stream(&broken, &options).unwrap();
    assert!(pieces.by_ref().any(|piece| piece.is_err()));
    assert!(pieces.next().is_none());
}

#[test]
fn a_table_of_many_pieces_has_its_rows_in_order() {
    let files = Files::new();
    let rows = csv("id", 1_100_000, |row| row.to_string());
    let first = read(&files, "a.csv", rows).unwrap();
    let ids = first.column("id").unwrap().as_string::<i32>();
    let numbers = ids.iter().map(|id| id.unwrap().parse::<usize>().unwrap());
    assert!(numbers.eq(0..1_100_000));
}

#[test]
fn writing_to_a_folder_that_is_not_there_is_an_error() {
    let writer = TableWriter::create(Path::new("not/there.csv"), TableFormat::Csv);
    refused(writer, &["cannot write /", "not/there.csv"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn what_is_written_is_read_back(
        numbers in prop::collection::vec(prop::option::of(prop::num::f64::NORMAL | prop::num::f64::ZERO), 1..20),
        words in prop::collection::vec("[a-z ,;\"\n\\\\é]{0,6}[a-z]".prop_filter("means missing", |word| !["nan", "null"].contains(&word.trim())), 20),
    ) {
        let reals = Float64Array::from(numbers.clone());
        let names = StringArray::from(words[..numbers.len()].to_vec());
        let columns: [(&str, arrow::array::ArrayRef); 2] = [("x", std::sync::Arc::new(reals)), ("name", std::sync::Arc::new(names))];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        for format in [TableFormat::Csv, TableFormat::Jsonl, TableFormat::Parquet] {
            let files = Files::new();
            let path = files.path("out");
            let mut writer = TableWriter::create(&path, format).unwrap();
            writer.write(&batch).unwrap();
            writer.write(&batch).unwrap();
            writer.finish().unwrap();
            let table = Table::read(path.to_str().unwrap(), &ReadOptions::new(format)).unwrap();
            prop_assert_eq!(table.rows(), 2 * numbers.len());
            let x = arrow::compute::cast(table.column("x").unwrap(), &DataType::Float64).unwrap();
            let x: Vec<_> = x.as_primitive::<arrow::datatypes::Float64Type>().iter().take(numbers.len()).collect();
            prop_assert_eq!(x, numbers.clone());
            let read: Vec<_> = cells(&table, "name").into_iter().take(numbers.len()).flatten().collect();
            let written: Vec<_> = words[..numbers.len()].iter().map(|word| if format == TableFormat::Parquet { word.clone() } else { word.trim().to_owned() }).collect();
            prop_assert_eq!(read, written);
        }
    }
}
