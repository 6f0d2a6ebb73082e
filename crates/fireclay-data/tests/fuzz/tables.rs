use std::path::Path;

use fireclay_data::arrow::array::RecordBatch;
use fireclay_data::{
    Preprocess, ReadOptions, Table, TableConfig, TableData, TableFormat, TargetKind, guess,
    parquet_bytes,
};
use fireclay_fuzz::fuzz;

use crate::{gzip, text, zipped};

const CSV: &str = "id,size,when,word,y\n\
    1,0.5,2024-01-02,red,a\n2,1e3,2024-02-03,\"gr,een\",b\n3,,2024-03-04,\"a \"\"b\"\"\",a\n\
    4,-7,2024-04-05,red,b\n5,2.25,2024-05-06,\"two\nlines\",a\n6,9,2024-06-07,blue,b\n";

const SEMICOLONS: &str =
    "# a comment\n\"x\";\"y\"\n\"1,5\";\"a\"\n\"2,5\";\"b\"\n\"1.234,5\";\"a\"\n\"3\";\"b\"\n";

const JSONL: &str = "{\"x\": 1, \"n\": {\"a\": [1, 2]}, \"y\": \"a\"}\n{\"x\": 2.5, \"y\": \"b\"}\n\
    {\"x\": null, \"y\": \"a\", \"n\": {\"a\": []}}\n{\"x\": NaN, \"y\": \"\\u00e4\"}\n";

/// A table is loaded with its splits and its preprocessing, and guessed at.
fn load(format: TableFormat, path: &Path) {
    let path = text(path);
    let mut config = TableConfig::new(&path, "y");
    config.split.valid = 0.0;
    config.split.test = 0.0;
    config.split.train = 1.0;
    if let Ok(data) = TableData::load(format, &config, 1, TargetKind::Class) {
        let rows = data.train.len().min(4) as u32;
        let rows: Vec<u32> = (0..rows).collect();
        data.train.gather(&rows).expect("rows in memory");
    }
    let _ = guess(&path);
}

/// The rows of a text as one batch of Parquet's types.
fn batch(name: &str, content: &str) -> RecordBatch {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    let format = TableFormat::from_path(&path).unwrap();
    let table = Table::read(&text(&path), &ReadOptions::new(format)).unwrap();
    table.batch().clone()
}

#[test]
fn csv() {
    let seeds = [CSV, SEMICOLONS, "y\tx\na\t1\nb\t2\n"].map(|text| text.as_bytes().to_vec());
    fuzz("table.csv", &seeds, |path| load(TableFormat::Csv, path));
}

#[test]
fn packed_csv() {
    let zstd = zstd::bulk::compress(CSV.as_bytes(), 3).unwrap();
    let seeds = [gzip(CSV.as_bytes()), zstd, zipped("a.csv", CSV.as_bytes())];
    fuzz("table.csv", &seeds, |path| load(TableFormat::Csv, path));
}

#[test]
fn jsonl() {
    let array = b"[{\"x\": 1, \"y\": \"a\"}, {\"x\": 2, \"y\": \"b\"}]".to_vec();
    let seeds = [JSONL.as_bytes().to_vec(), array];
    fuzz("table.jsonl", &seeds, |path| load(TableFormat::Jsonl, path));
}

#[test]
fn parquet() {
    let rows = [batch("a.csv", CSV), batch("a.jsonl", JSONL)];
    let seeds = rows.map(|rows| parquet_bytes(&[rows]).unwrap());
    fuzz("table.parquet", &seeds, |path| {
        load(TableFormat::Parquet, path);
    });
}

#[test]
fn preprocessing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.csv");
    std::fs::write(&path, CSV).unwrap();
    let mut config = TableConfig::new(text(&path), "y");
    (config.split.train, config.split.valid, config.split.test) = (1.0, 0.0, 0.0);
    let data = TableData::load(TableFormat::Csv, &config, 1, TargetKind::Class).unwrap();
    let rows = batch("a.csv", CSV);
    let seeds = [data.preprocess.to_json().into_bytes()];
    fuzz("preprocess.json", &seeds, |path| {
        if let Ok(preprocess) = Preprocess::load(path) {
            let _ = preprocess.encode(&rows);
            let _ = preprocess.encode_classes(&rows);
        }
    });
}
