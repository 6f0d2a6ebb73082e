//! The types of Parquet, and files that are damaged.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, Decimal128Array, DictionaryArray,
    DurationMillisecondArray, FixedSizeBinaryArray, Float64Array, Int64Array, ListArray,
    RecordBatch, StringArray, StructArray, Time32SecondArray, Time64NanosecondArray, UInt64Array,
};
use arrow::datatypes::{Field, Float64Type, Int8Type, Int32Type, Int64Type};
use fireclay_data::{
    ColumnKind, DataError, ReadOptions, Table, TableConfig, TableData, TableFormat, TargetKind,
    arrow, guess_for, infer_kind, parquet_bytes, sha256_file,
};
use proptest::prelude::*;

use crate::shards::{Server, bytes_in};
use crate::{Files, refused, with};

const ROWS: i64 = 60;

fn read(bytes: &[u8]) -> Result<Table, DataError> {
    let files = Files::new();
    let path = files.write("a.parquet", bytes);
    Table::read(&path, &ReadOptions::new(TableFormat::Parquet))
}

fn file(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    parquet_bytes(&[RecordBatch::try_from_iter(columns).unwrap()]).unwrap()
}

fn reals(table: &Table, name: &str) -> Vec<f64> {
    table
        .column(name)
        .unwrap()
        .as_primitive::<Float64Type>()
        .values()
        .to_vec()
}

fn texts(table: &Table, name: &str) -> Vec<String> {
    let array = arrow::compute::cast(
        table.column(name).unwrap(),
        &arrow::datatypes::DataType::Utf8,
    );
    array
        .unwrap()
        .as_string::<i32>()
        .iter()
        .map(|cell| cell.unwrap().to_owned())
        .collect()
}

#[test]
fn times_and_durations_are_seconds() {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("of_day", Arc::new(Time32SecondArray::from(vec![3600, 7]))),
        (
            "exact",
            Arc::new(Time64NanosecondArray::from(vec![1_500_000_000, 0])),
        ),
        (
            "took",
            Arc::new(DurationMillisecondArray::from(vec![-250, 2000])),
        ),
    ];
    let table = read(&file(columns)).unwrap();
    assert_eq!(reals(&table, "of_day"), [3600.0, 7.0]);
    assert_eq!(reals(&table, "exact"), [1.5, 0.0]);
    assert_eq!(reals(&table, "took"), [-0.25, 2.0]);
}

#[test]
fn whole_numbers_keep_every_digit() {
    let large = u64::MAX - 1;
    let wide = 12_345_678_901_234_567_890_123_i128;
    let decimal = |value: i128, digits, scale| -> ArrayRef {
        let array = Decimal128Array::from(vec![value]).with_precision_and_scale(digits, scale);
        Arc::new(array.unwrap())
    };
    let table = read(&file(vec![
        ("u", Arc::new(UInt64Array::from(vec![large]))),
        ("wide", decimal(wide, 38, 0)),
        ("short", decimal(1_234_567_890_123_456_789 / 10, 18, 0)),
        ("price", decimal(1999, 10, 2)),
    ]))
    .unwrap();
    assert_eq!(texts(&table, "u"), [large.to_string()]);
    assert_eq!(texts(&table, "wide"), [wide.to_string()]);
    let short = table.column("short").unwrap().as_primitive::<Int64Type>();
    assert_eq!(short.value(0), 123_456_789_012_345_678);
    assert_eq!(reals(&table, "price"), [19.99]);
    let kind = |name: &str| infer_kind(table.column(name).unwrap());
    assert!(
        ["u", "wide", "short", "price"]
            .iter()
            .all(|name| kind(name) == ColumnKind::Numeric)
    );
}

#[test]
fn categories_are_categories_whatever_their_names() {
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![10, 20]));
    let keys = arrow::array::Int8Array::from(vec![Some(0), Some(1), None, Some(0)]);
    let categories = DictionaryArray::<Int8Type>::try_new(keys, numbers).unwrap();
    let words: DictionaryArray<Int32Type> = vec!["a", "b", "a", "b"].into_iter().collect();
    let table = read(&file(vec![
        ("n", Arc::new(categories)),
        ("w", Arc::new(words)),
    ]))
    .unwrap();
    for name in ["n", "w"] {
        assert_eq!(
            infer_kind(table.column(name).unwrap()),
            ColumnKind::Categorical
        );
    }
    assert_eq!(texts(&table, "w"), ["a", "b", "a", "b"]);
    assert_eq!(table.column("n").unwrap().null_count(), 1);
}

#[test]
fn a_structure_is_its_fields() {
    let inner: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    let field = Arc::new(Field::new("b", inner.data_type().clone(), true));
    let nulls = arrow::buffer::NullBuffer::from(vec![true, false]);
    let structure = StructArray::try_new(vec![field].into(), vec![inner], Some(nulls)).unwrap();
    let table = read(&file(vec![("a", Arc::new(structure))])).unwrap();
    assert_eq!(table.columns(), ["a.b"]);
    assert_eq!(table.column("a.b").unwrap().null_count(), 1);
}

/// A table with columns that have no meaning as features, and one that has.
fn mixed() -> Vec<u8> {
    let bytes: Vec<Vec<u8>> = (0..ROWS).map(|i| vec![255, i as u8]).collect();
    let words: Vec<Vec<u8>> = (0..ROWS)
        .map(|i| format!("w{}", i % 3).into_bytes())
        .collect();
    let list = |i: i64| Some(vec![Some(i), Some(2)]);
    let classes = (0..ROWS).map(|i| ["u", "v"][(i * i % 5 % 2) as usize]);
    file(vec![
        (
            "x",
            Arc::new(Int64Array::from_iter_values((0..ROWS).map(|i| i * 7 % 11))),
        ),
        ("bin", Arc::new(BinaryArray::from_iter_values(&bytes))),
        ("word", Arc::new(BinaryArray::from_iter_values(&words))),
        (
            "fixed",
            Arc::new(FixedSizeBinaryArray::try_from_iter(bytes.iter()).unwrap()),
        ),
        (
            "list",
            Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(
                (0..ROWS).map(list),
            )),
        ),
        ("y", Arc::new(StringArray::from_iter_values(classes))),
    ])
}

#[test]
fn what_cannot_be_a_feature_is_told_by_its_type() {
    let files = Files::new();
    let guess = guess_for(&files.write("a.parquet", mixed()), "y").unwrap();
    let reason = |name: &str| {
        let mut columns = guess.columns.iter();
        columns
            .find(|column| column.name == name)
            .unwrap()
            .reason
            .clone()
    };
    assert_eq!(reason("bin"), "values of type Binary cannot be features");
    assert!(reason("fixed").starts_with("values of type FixedSizeBinary(2) cannot"));
    assert!(
        reason("list").starts_with("values of type List("),
        "{}",
        reason("list")
    );
    assert_eq!(reason("word"), "3 different texts");
}

#[test]
fn another_file_under_the_name_is_no_panic() {
    refused(read(b"a,b\n1,2\n"), &["a.parquet: cannot be read"]);
    let whole = mixed();
    refused(read(&whole[..whole.len() / 2]), &["a.parquet: "]);
}

/// Ten rows with the numbers x and, of this name, half of it.
fn rows(number: i32, half: &str) -> Vec<u8> {
    let x = (number * 10..number * 10 + 10).map(f64::from);
    let halves = x.clone().map(|x| x / 2.0);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("x", Arc::new(Float64Array::from_iter_values(x))),
        (half, Arc::new(Float64Array::from_iter_values(halves))),
    ];
    file(columns)
}

#[test]
fn the_files_of_a_manifest_are_one_table() {
    let files = Files::new();
    let shards = (0..4).map(|number| (format!("{number}.parquet"), rows(number, "y")));
    let mut shards: BTreeMap<String, Vec<u8>> = shards.collect();
    let mut hashes = BTreeMap::new();
    for (name, bytes) in &shards {
        let hash = sha256_file(files.write(name, bytes).as_ref()).unwrap();
        hashes.insert(name.clone(), hash);
    }
    let largest = shards.values().map(Vec::len).max().unwrap() as u64;
    shards.insert("other.parquet".into(), rows(9, "z"));
    let other = sha256_file(files.write("other.pq", &shards["other.parquet"]).as_ref()).unwrap();
    let server = Server::new(shards);
    let address = &server.address;
    let line = |(name, hash): (&String, &String)| format!("{hash}  {address}/{name}\n");
    let lines: String = hashes.iter().map(line).collect();
    let manifest = files.write("train.sha256", &lines);
    // There is not room for all of them.
    let options = with(ReadOptions::new(TableFormat::Parquet), |options| {
        options.shard_cache_dir = Some(files.path("cache").display().to_string());
        options.shard_cache_bytes = Some(4 * largest - 4);
    });
    let there = Table::read(&manifest, &options).unwrap();
    let glob = files.path("*.parquet").display().to_string();
    let here = Table::read(&glob, &options).unwrap();
    assert_eq!(there.batch(), here.batch());
    assert_eq!(there.rows(), 40);
    assert_eq!(
        there.files[1].display().to_string(),
        format!("{address}/1.parquet")
    );
    assert_eq!(server.asked(), 4);
    assert!(bytes_in(&files.path("cache")) <= 4 * largest - 4);
    let config = with(TableConfig::new(&manifest, "y"), |config| {
        config.shard_cache_dir.clone_from(&options.shard_cache_dir);
        config.valid_path = Some(files.path("3.parquet").display().to_string());
    });
    let data = TableData::load(TableFormat::Parquet, &config, 7, TargetKind::Number).unwrap();
    assert_eq!(
        (data.hashes.len(), data.files.len()),
        (4, 2),
        "{:?}",
        data.files
    );
    let refuses = |lines: &str, parts: &[&str]| {
        let manifest = files.write("wrong.sha256", lines);
        refused(Table::read(&manifest, &options), parts);
    };
    let columns = format!("{lines}{other}  {address}/other.parquet\n");
    let far = format!("{address}/other.parquet has no column \"y\"");
    refuses(&columns, &[&far, "0.parquet has"]);
    let zeros = "0".repeat(64);
    refuses(
        &format!("{zeros}  {address}/0.parquet\n"),
        &["0.parquet", "its SHA-256 is"],
    );
    refuses(
        &format!("{zeros}  0.parquet\n"),
        &["0.parquet", "wrong.sha256 says 000"],
    );
    refuses("\n", &["lists no file"]);
    let problems = config.validate(TableFormat::Csv);
    assert!(
        problems.iter().any(|(key, _)| key == "shard_cache_dir"),
        "{problems:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn damage_is_an_error_of_the_file(places in prop::collection::vec((0.0..1.0_f64, any::<u8>()), 1..6)) {
        let mut bytes = mixed();
        let length = bytes.len() as f64;
        for (place, byte) in places {
            bytes[(place * length) as usize] = byte;
        }
        if let Err(error) = read(&bytes) {
            prop_assert!(error.to_string().contains("a.parquet"), "{}", error);
        }
    }
}
