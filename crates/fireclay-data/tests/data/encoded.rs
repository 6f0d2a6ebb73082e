//! Tables whose training rows stay in files.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray,
};
use fireclay_data::{
    DataError, EpochOrder, MissingTarget, TableConfig, TableData, TableFormat, TargetKind, arrow,
    epoch_order, parquet_bytes, sha256_file,
};
use proptest::prelude::*;

use crate::shards::{Server, bytes_in};
use crate::{Files, refused, with};

const FILES: usize = 4;
const ROWS: usize = 50;

/// Rows from one on: numbers with gaps, categories, whole numbers, weights, and a target that a few lack.
fn rows(first: usize, count: usize) -> Vec<u8> {
    let numbers = || first..first + count;
    let some = |every: usize, row: usize| row % every != every - 1;
    let infinite = |row: usize| row == 61;
    let x = |row: usize| {
        if infinite(row) {
            f64::INFINITY
        } else {
            (row as f64 * 0.7).sin() * 3.0
        }
    };
    let x = numbers().map(|row| some(7, row).then(|| x(row)));
    let word = numbers().map(|row| some(11, row).then_some(["red", "green", "blue"][row % 3]));
    let whole = numbers().map(|row| (row * row % 13) as i64);
    let weight = numbers().map(|row| 1.0 + (row % 4) as f64);
    let y = numbers().map(|row| some(9, row).then_some(["no", "yes"][usize::from(row % 5 > 2)]));
    let price = numbers().map(|row| row as f64 * 0.1);
    let columns: [(&str, ArrayRef); 6] = [
        ("x", Arc::new(Float64Array::from_iter(x))),
        ("word", Arc::new(StringArray::from_iter(word))),
        ("count", Arc::new(Int64Array::from_iter_values(whole))),
        ("weight", Arc::new(Float64Array::from_iter_values(weight))),
        ("y", Arc::new(StringArray::from_iter(y))),
        ("price", Arc::new(Float64Array::from_iter_values(price))),
    ];
    parquet_bytes(&[RecordBatch::try_from_iter(columns).unwrap()]).unwrap()
}

/// A table of several files, with others to validate and to test.
fn table(files: &Files) -> TableConfig {
    for file in 0..FILES {
        files.write(&format!("train-{file}.parquet"), rows(file * ROWS, ROWS));
    }
    let glob = files.path("train-*.parquet").display().to_string();
    with(TableConfig::new(glob, "y"), |config| {
        config.valid_path = Some(files.write("valid.parquet", rows(1000, 30)));
        config.test_path = Some(files.write("test.parquet", rows(2000, 30)));
        config.missing_target = MissingTarget::Drop;
        config.shard_cache_dir = Some(files.path("cache").display().to_string());
        config.weight = Some("weight".into());
        config.ignore = vec!["price".into()];
    })
}

fn in_files(config: TableConfig, rows: usize, mixed: usize) -> TableConfig {
    with(config, |config| {
        config.fit_rows = Some(rows);
        config.shards_mixed = Some(mixed);
    })
}

fn load(config: &TableConfig) -> Result<TableData, DataError> {
    TableData::load(TableFormat::Parquet, config, 5, TargetKind::Class)
}

fn order(data: &TableData, epoch: u64) -> EpochOrder {
    let order = epoch_order(5, epoch, 0..data.train.len() as u32);
    data.train.arrange(order, (5, epoch))
}

fn keys(problems: Vec<(String, String)>) -> Vec<String> {
    problems.into_iter().map(|(key, _)| key).collect()
}

#[test]
fn rows_in_files_are_those_in_memory() {
    let files = Files::new();
    let config = table(&files);
    let whole = load(&config).unwrap();
    let embedded = with(config.clone(), |config| config.max_categories = 2);
    let files_of = |config: &TableConfig| load(&in_files(config.clone(), 1000, FILES)).unwrap();
    let stay = files_of(&config);
    assert!(stay.train.is_in_files() && !whole.train.is_in_files());
    assert_eq!(stay.preprocess, whole.preprocess);
    assert_eq!(stay.train.labels, whole.train.labels);
    let carried = |data: &TableData| {
        let splits = [&data.train, &data.valid, &data.test];
        splits.map(|split| (split.carried.rows.clone(), split.carried.weights.clone()))
    };
    assert_eq!(carried(&stay), carried(&whole));
    let few = load(&in_files(config.clone(), 20, FILES)).unwrap();
    let rows = |data: &TableData| carried(data).map(|(rows, _)| rows);
    assert_eq!(rows(&few), rows(&whole));
    assert_eq!(stay.valid.features, whole.valid.features);
    assert_eq!(stay.test.features, whole.test.features);
    // The hashes of what was encoded are known.
    assert_eq!((stay.files.len(), stay.hashes.len()), (2, FILES));
    assert_eq!(whole.files.len(), 2 + FILES);
    // All files are mixed at once, as if there were no files.
    let order = (order(&stay, 3).into_list(), order(&whole, 3).into_list());
    assert_eq!(order.0, order.1);
    let same = |rows: &[u32]| {
        let found = [&stay, &whole].map(|data| data.train.gather(rows).unwrap());
        assert_eq!(found[0], found[1]);
    };
    same(&order.0);
    same(&[3, 0, 3, 171]);
    same(&[]);
    // Each again, of what was found out before.
    let made = fs::read_dir(files.path("cache")).unwrap().count();
    let again = files_of(&config);
    assert_eq!(again.train.labels, whole.train.labels);
    assert_eq!(fs::read_dir(files.path("cache")).unwrap().count(), made);
    // Another preprocessing makes other files.
    let other = files_of(&with(embedded, |config| {
        config.categorical = fireclay_data::CategoricalEncoding::Embedding;
    }));
    let batch = other.train.gather(&[0, 1]).unwrap();
    assert_eq!(batch.features.cardinalities.len(), 1);
    assert!(batch.features.categories.iter().any(|index| *index > 0));
}

#[test]
fn an_epoch_needs_a_few_files_at_a_time() {
    let files = Files::new();
    let data = load(&in_files(table(&files), 1000, 1)).unwrap();
    let rows = data.train.len() / FILES;
    for epoch in 0..2 {
        let mut order = order(&data, epoch).into_list();
        let groups: Vec<u32> = order.iter().map(|row| *row / (rows as u32 + 1)).collect();
        let changes = groups.windows(2).filter(|pair| pair[0] != pair[1]);
        assert!(changes.count() < 2 * FILES, "{groups:?}");
        order.sort_unstable();
        assert!(order.into_iter().eq(0..data.train.len() as u32));
    }
}

#[test]
fn some_rows_stand_for_all() {
    let files = Files::new();
    let mut config = table(&files);
    // Of the last twenty rows the 11th and the 18th are drawn; a class of one row alone is not passed over.
    let mut late: Vec<&str> = vec!["no"; 20];
    late[13] = "maybe";
    late[4] = "yes";
    let (mut x, mut words) = (vec![900.0; 20], vec!["violet"; 20]);
    for drawn in [10, 13, 17] {
        (x[drawn], words[drawn]) = (1.0, "red");
    }
    let columns: [(&str, ArrayRef); 5] = [
        ("x", Arc::new(Float64Array::from(x))),
        ("word", Arc::new(StringArray::from(words))),
        ("count", Arc::new(Int64Array::from(vec![1; 20]))),
        ("weight", Arc::new(Float64Array::from(vec![1.0; 20]))),
        ("y", Arc::new(StringArray::from(late))),
    ];
    let columns = columns.into_iter().chain([(
        "price",
        Arc::new(Float64Array::from(vec![0.0; 20])) as ArrayRef,
    )]);
    let bytes = parquet_bytes(&[RecordBatch::try_from_iter(columns).unwrap()]).unwrap();
    files.write("train-9.parquet", bytes);
    config = in_files(config, 40, 2);
    let data = load(&config).unwrap();
    assert_eq!(data.preprocess.classes(), ["maybe", "no", "yes"]);
    let said: Vec<String> = data.notes.iter().map(ToString::to_string).collect();
    let said = said.join("\n");
    for part in [
        "of 220 training rows, by data.fit_rows",
        "categories that training did not have",
        "violet",
        "22 of 220 training rows have no target",
        "far outside the range",
        "(all training rows)",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    // Every row is there all the same.
    assert_eq!(data.train.len(), 198);
    assert_eq!(data.hashes.len(), FILES + 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn as_many_rows_are_looked_at_as_were_asked_for(most in 1_usize..300, counts in prop::collection::vec(1_usize..60, 1..6)) {
        let files = Files::new();
        let mut first = 0;
        for (file, count) in counts.iter().enumerate() {
            files.write(&format!("train-{file}.parquet"), rows(first, *count));
            first += count;
        }
        let mut config = TableConfig::new(files.path("train-*.parquet").display().to_string(), "y");
        config.valid_path = Some(files.write("valid.parquet", rows(0, 9)));
        config.test_path.clone_from(&config.valid_path);
        let table = fireclay_data::Table::load_for(TableFormat::Parquet, &in_files(config, most, 1), TargetKind::Class).unwrap();
        let kept = table.rows() - 18;
        prop_assert!(kept <= most + 2, "{} of {}: and the first row of each class", kept, first);
        prop_assert!(kept == first || kept >= most / 8, "{} of {}", kept, first);
    }
}

#[test]
fn of_numbers_rows_are_looked_at_evenly() {
    let files = Files::new();
    let count = 5000;
    files.write("train-0.parquet", rows(0, count));
    let mut config = TableConfig::new(files.path("train-*.parquet").display().to_string(), "price");
    config.valid_path = Some(files.write("valid.parquet", rows(0, 10)));
    config.test_path.clone_from(&config.valid_path);
    config.shard_cache_dir = Some(files.path("cache").display().to_string());
    let config = in_files(config, 1000, 1);
    let table = fireclay_data::Table::load(TableFormat::Parquet, &config).unwrap();
    let kept = table.rows() - 20;
    assert!((450..=1000).contains(&kept), "{kept}");
    let data = TableData::load(TableFormat::Parquet, &config, 5, TargetKind::Number).unwrap();
    assert_eq!(data.train.len(), count);
    let mean = data.preprocess.target_mean_std().unwrap().0;
    assert!((mean - 249.95).abs() < 20.0, "{mean}");
    let batch = data.train.gather(&[4999]).unwrap();
    let fireclay_data::Labels::Numbers(numbers) = batch.labels else {
        panic!("numbers");
    };
    assert_eq!(numbers, [4999.0 * 0.1]);
}

#[test]
fn files_that_the_folder_has_no_room_for_are_fetched_again() {
    let files = Files::new();
    let config = table(&files);
    let whole = load(&config).unwrap();
    let (mut shards, mut lines) = (BTreeMap::new(), String::new());
    for file in 0..FILES {
        let name = format!("train-{file}.parquet");
        let hash = sha256_file(&files.path(&name)).unwrap();
        shards.insert(name.clone(), fs::read(files.path(&name)).unwrap());
        lines += &format!("{hash}  ADDRESS/{name}\n");
    }
    let server = Server::new(shards);
    let lines = lines.replace("ADDRESS", &server.address);
    let most = 40_000;
    let config = with(in_files(config, 1000, 1), |config| {
        config.path = files.write("train.sha256", lines);
        config.shard_cache_bytes = Some(most);
        config.shard_cache_dir = Some(files.path("small").display().to_string());
    });
    let data = load(&config).unwrap();
    assert_eq!(data.hashes.len(), FILES);
    for epoch in 0..2 {
        let order = order(&data, epoch).into_list();
        let upcoming = order.clone().into_iter().enumerate();
        let upcoming = upcoming.map(|(place, row)| (place + 1, row));
        let ahead = data.train.ahead(Box::new(upcoming)).unwrap();
        for (place, rows) in order.chunks(16).enumerate() {
            ahead.at(16 * place + 16);
            let found = data.train.gather(rows).unwrap();
            assert_eq!(found.features, whole.train.gather(rows).unwrap().features);
        }
    }
    assert!(bytes_in(&files.path("small")) <= most);
    let tiny = with(config, |config| config.shard_cache_bytes = Some(2000));
    refused(load(&tiny), &["data.shard_cache_bytes"]);
}

#[test]
fn what_was_damaged_on_the_disk_is_made_again() {
    let files = Files::new();
    let config = in_files(table(&files), 1000, FILES);
    let rows: Vec<u32> = (0..20).collect();
    let before = load(&config).unwrap().train.gather(&rows).unwrap();
    for entry in fs::read_dir(files.path("cache")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "shard") {
            let mut bytes = fs::read(&path).unwrap();
            bytes[40] ^= 1;
            fs::write(&path, bytes).unwrap();
        }
    }
    assert_eq!(load(&config).unwrap().train.gather(&rows).unwrap(), before);
    // Cut short, or empty.
    for length in [0, 3, 8, 100] {
        for entry in fs::read_dir(files.path("cache")).unwrap() {
            cut(&entry.unwrap().path(), length);
        }
        assert_eq!(load(&config).unwrap().train.gather(&rows).unwrap(), before);
    }
}

fn cut(path: &Path, length: usize) {
    let bytes = fs::read(path).unwrap();
    fs::write(path, &bytes[..length.min(bytes.len())]).unwrap();
}

#[test]
fn what_is_wrong_is_told_with_its_file_and_row() {
    let files = Files::new();
    let config = in_files(table(&files), 1, 1);
    // Row 9 of the first file has no target, and all rows to judge by have one.
    let held_out = files.write("few.parquet", rows(1000, 7));
    let strict = with(config.clone(), |config| {
        config.valid_path = Some(held_out.clone());
        config.test_path = Some(held_out);
        config.missing_target = MissingTarget::Error;
    });
    refused(
        load(&strict),
        &["train-0.parquet", "row 9", "target is missing"],
    );
    let many = with(config.clone(), |config| {
        config.max_categories = 1;
        config.fit_rows = Some(50);
    });
    refused(
        load(&many),
        &["\"word\"", "data.columns.word.encoding", "data.fit_rows"],
    );
    let problems = |config: &TableConfig, format| keys(config.validate(format));
    assert!(problems(&config, TableFormat::Parquet).is_empty());
    assert_eq!(
        problems(&config, TableFormat::Csv),
        ["shard_cache_dir", "fit_rows", "shards_mixed"]
    );
    let both = with(config.clone(), |config| {
        config.valid_path = Some(files.path("train-2.parquet").display().to_string());
    });
    refused(load(&both), &["train-2.parquet", "data.path", "valid_path"]);
    let split = with(config.clone(), |config| config.test_path = None);
    assert_eq!(problems(&split, TableFormat::Parquet), ["fit_rows"]);
    let target = with(config.clone(), |config| {
        config.categorical = fireclay_data::CategoricalEncoding::Target;
        config.shards_mixed = Some(0);
    });
    assert_eq!(
        problems(&target, TableFormat::Parquet),
        ["shards_mixed", "categorical"]
    );
    let alone = with(config, |config| config.fit_rows = None);
    assert_eq!(problems(&alone, TableFormat::Parquet), ["shards_mixed"]);
}

#[test]
fn files_whose_types_differ_are_read_as_one_table() {
    let files = Files::new();
    let write = |name: &str, a: ArrayRef| {
        let sides = (0..a.len()).map(|row| ["over", "under"][row % 2]);
        let columns: [(&str, ArrayRef); 2] = [
            ("a", a),
            ("y", Arc::new(StringArray::from_iter_values(sides))),
        ];
        let bytes = parquet_bytes(&[RecordBatch::try_from_iter(columns).unwrap()]);
        files.write(name, bytes.unwrap())
    };
    let numbers = || (0..150).map(|row| f64::from(row * 7 % 31));
    write(
        "train-0.parquet",
        Arc::new(Float64Array::from_iter_values(numbers())),
    );
    let whole = (0..40).map(|row| i64::from(row % 7));
    write(
        "train-1.parquet",
        Arc::new(Int64Array::from_iter_values(whole)),
    );
    let held_out = write(
        "held.parquet",
        Arc::new(Float64Array::from_iter_values(numbers())),
    );
    let odd: [(&str, ArrayRef); 3] = [
        ("truths", Arc::new(BooleanArray::from(vec![true; 4]))),
        ("dates", Arc::new(Date32Array::from(vec![18_000; 4]))),
        (
            "texts",
            Arc::new(StringArray::from(vec!["3", "oops", "4.5", "5"])),
        ),
    ];
    for (what, cells) in odd {
        write("train-2.parquet", cells);
        let glob = files.path("train-*.parquet").display().to_string();
        let config = with(TableConfig::new(glob, "y"), |config| {
            config.valid_path = Some(held_out.clone());
            config.test_path = Some(held_out.clone());
            config.shard_cache_dir = Some(files.path("cache").display().to_string());
        });
        let whole = load(&config).unwrap();
        let stay = load(&in_files(config, 1000, 3)).unwrap();
        assert_eq!(stay.preprocess, whole.preprocess, "{what}");
        let rows: Vec<u32> = (0..whole.train.len() as u32).collect();
        let found = [&stay, &whole].map(|data| data.train.gather(&rows).unwrap());
        assert_eq!(found[0], found[1], "{what}");
    }
}

#[test]
fn what_was_changed_beside_the_rows_is_found_out_again() {
    let files = Files::new();
    let config = in_files(table(&files), 1000, FILES);
    let labels = load(&config).unwrap().train.labels;
    for (from, to) in [("[1,", "[0,"), ("\"rows", "\"row"), ("{", "")] {
        for entry in fs::read_dir(files.path("cache")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|ending| ending == "json") {
                let text = fs::read_to_string(&path).unwrap().replace(from, to);
                fs::write(&path, text).unwrap();
            }
        }
        assert_eq!(load(&config).unwrap().train.labels, labels, "{from}");
    }
}
