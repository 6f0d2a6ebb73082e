//! One table, written in the ways in which people have them.

use std::io::Write;

use arrow::array::AsArray;
use fireclay_data::{
    DataError, Dialect, ExtraField, ReadOptions, Table, TableFormat, arrow, guess_for,
};

use crate::{Files, refused};

const HEADER: [&str; 4] = ["age", "score", "colour", "bought"];

/// The rows of the table: numbers, a word with a letter beyond ASCII, a class.
fn rows() -> Vec<[String; 4]> {
    let row = |i: usize| {
        let (age, score) = (
            format!("{}.5", 20 + i * 7 % 40),
            format!("-{}.25", i * i % 13),
        );
        let (colour, bought) = (["rød", "blå", "grün"][i % 3], ["no", "yes"][i * i % 5 % 2]);
        [age, score, colour.to_owned(), bought.to_owned()]
    };
    (0..40).map(row).collect()
}

/// The lines of the table with its header.
fn lines(delimiter: &str) -> Vec<String> {
    let header = HEADER.join(delimiter);
    std::iter::once(header)
        .chain(rows().iter().map(|row| row.join(delimiter)))
        .collect()
}

fn text(lines: &[String]) -> String {
    lines.join("\n") + "\n"
}

fn each(lines: Vec<String>, change: impl Fn(usize, String) -> String) -> String {
    let changed = lines
        .into_iter()
        .enumerate()
        .map(|(index, line)| change(index, line));
    text(&changed.collect::<Vec<_>>())
}

/// The cells of columns, row by row.
fn cells(table: &Table, columns: &[String]) -> Vec<Vec<String>> {
    let column = |name: &String| {
        let cells = fireclay_data::plain_text(table.column(name).unwrap());
        let cells = cells.as_string::<i32>().iter();
        cells
            .map(|cell| cell.unwrap_or("missing").to_owned())
            .collect::<Vec<_>>()
    };
    let columns: Vec<_> = columns.iter().map(column).collect();
    (0..table.rows())
        .map(|row| columns.iter().map(|column| column[row].clone()).collect())
        .collect()
}

/// Fails unless `init` sees exactly these keys (as TOML, joined by blanks), the table is then read cell
/// by cell as it is, and without them either as well or not without naming them.
#[track_caller]
fn is_read(name: &str, content: impl AsRef<[u8]>, keys: &str) {
    let files = Files::new();
    let path = files.write(name, content);
    let target = if keys.contains("header") {
        "column_4"
    } else {
        "bought"
    };
    let guess = guess_for(&path, target).unwrap();
    let found = guess
        .dialect
        .keys()
        .into_iter()
        .map(|(key, value)| format!("{key}={value}"));
    assert_eq!(
        found.collect::<Vec<_>>().join(" "),
        keys,
        "{:?}",
        guess.notes
    );
    let mut options = ReadOptions::new(guess.format);
    options.dialect = guess.dialect;
    let table = Table::read(&path, &options).unwrap();
    let columns = table.columns();
    let columns = &columns[columns.len() - 4..];
    if target == "bought" {
        assert_eq!(columns, HEADER);
    }
    assert_eq!(cells(&table, columns), rows());
    let plain = Table::read(&path, &ReadOptions::new(guess.format));
    match plain {
        Ok(plain) if keys.is_empty() => {
            assert_eq!(cells(&plain, &HEADER.map(String::from)), rows())
        }
        Ok(plain) => assert_ne!(plain.columns(), HEADER, "read wrongly without a word"),
        Err(error) => {
            let error = error.to_string();
            let advised = |(key, value)| error.contains(&format!("{key} = {value}"));
            assert!(options.dialect.keys().into_iter().all(advised), "{error}");
        }
    }
}

#[test]
fn lines_that_are_no_rows() {
    let table = text(&lines(","));
    is_read("a.csv", &table, "");
    is_read(
        "a.csv",
        format!("# exported\n# by tool, x\n{table}"),
        "comment=\"#\"",
    );
    is_read("a.csv", format!("% exported\n{table}"), "comment=\"%\"");
    is_read(
        "a.csv",
        each(lines(","), |i, line| {
            if i == 7 {
                format!("# a note\n{line}")
            } else {
                line
            }
        }),
        "comment=\"#\"",
    );
    is_read(
        "a.csv",
        format!("Sales report 2024\n{table}"),
        "skip_rows=1",
    );
    is_read(
        "a.csv",
        format!("Sales, 2024\n\"by region\"\n{table}"),
        "skip_rows=2",
    );
    is_read("a.csv", format!("\n\n{table}\n\n"), "");
    is_read(
        "a.csv",
        format!("sep=;\n{}", text(&lines(";"))),
        "delimiter=\";\" skip_rows=1",
    );
    is_read("a.csv", format!("sep=,\r\n{table}"), "skip_rows=1");
    // A title with a blank line below it.
    let files = Files::new();
    let path = files.write("a.csv", format!("Sales report 2024\n\n{table}"));
    assert_eq!(guess_for(&path, "bought").unwrap().columns.len(), 4);
}

#[test]
fn delimiters_and_quotes() {
    is_read("a.csv", text(&lines(";")), "delimiter=\";\"");
    is_read("a.csv", text(&lines("\t")), "delimiter=\"\\t\"");
    is_read("a.tsv", text(&lines("\t")), "");
    is_read("a.csv", text(&lines("|")), "delimiter=\"|\"");
    is_read("a.data", text(&lines("   ")), "delimiter=\" \"");
    is_read(
        "a.txt",
        each(lines("  "), |i, line| {
            format!(" {} ", line.replacen("  ", "\t", i % 3))
        }),
        "delimiter=\" \"",
    );
    let quoted = |delimiter: &str, quote: &str| {
        let between = format!("{quote}{delimiter}{quote}");
        each(lines(&between), |_, line| format!("{quote}{line}{quote}"))
    };
    is_read("a.csv", quoted(",", "\""), "");
    is_read("a.csv", quoted(",", "'"), "quote=\"'\"");
    is_read("a.csv", quoted(";", "'"), "delimiter=\";\" quote=\"'\"");
}

#[test]
fn blanks_that_align_columns_are_one_delimiter() {
    let files = Files::new();
    // As in the file on miles per gallon of UCI: a tab before the name alone.
    let car = |i: usize| {
        format!(
            "{}.0   {}   {}.5      {}\t\"car no {i}\"\n",
            10 + i % 30,
            4 + i % 3 * 2,
            i % 90,
            i % 3
        )
    };
    let path = files.write("a.data", (0..60).map(car).collect::<String>());
    let guess = guess_for(&path, "column_4").unwrap();
    assert_eq!(
        (guess.dialect.delimiter.as_deref(), guess.columns.len()),
        (Some(" "), 5)
    );
    // As in the file on seeds: some fields with two tabs between them.
    let seed = |i: usize| {
        format!(
            "{}.5{}{}.25\t{}\n",
            i % 19,
            ["\t", "\t\t"][usize::from(i % 20 == 3)],
            i % 13,
            i % 3
        )
    };
    let path = files.write("b.txt", (0..60).map(seed).collect::<String>());
    let guess = guess_for(&path, "column_3").unwrap();
    assert_eq!(
        (guess.dialect.delimiter.as_deref(), guess.columns.len()),
        (Some(" "), 3)
    );
}

#[test]
fn decimal_commas_are_no_delimiters() {
    let files = Files::new();
    for (header, key) in [("a;b;c;y\n", None), ("", Some(false))] {
        let rows = (0..50).map(|i| {
            format!(
                "{},5;{},25;{},5;{}\n",
                i % 7,
                i % 5,
                i % 3,
                ["u", "v"][i % 2]
            )
        });
        let path = files.write("a.csv", format!("{header}{}", rows.collect::<String>()));
        let target = if key.is_none() { "y" } else { "column_4" };
        let guess = guess_for(&path, target).unwrap();
        assert_eq!(guess.dialect.delimiter.as_deref(), Some(";"));
        assert_eq!((guess.dialect.header, guess.columns.len()), (key, 4));
    }
}

#[test]
fn one_field_more_than_the_header() {
    let below = |change: fn(usize, String) -> String| {
        move |i: usize, line: String| if i == 0 { line } else { change(i, line) }
    };
    let last = below(|_, line| line + ",");
    is_read("a.csv", each(lines(","), last), "extra_field=\"last\"");
    let first = below(|i, line| format!("{i},{line}"));
    is_read("a.csv", each(lines(","), first), "extra_field=\"first\"");
    // As R's write.table writes by default.
    let table = each(lines("\" \""), |i, line| match i {
        0 => format!("\"{line}\""),
        _ => format!("\"{i}\" \"{line}\""),
    });
    is_read("a.txt", &table, "delimiter=\" \" extra_field=\"first\"");
    let files = Files::new();
    let path = files.write("a.txt", table);
    let guess = guess_for(&path, "bought").unwrap();
    assert_eq!(
        (guess.columns[0].name.as_str(), &*guess.ignore),
        ("Unnamed: 0", &["Unnamed: 0".to_owned()][..])
    );
}

#[test]
fn a_field_that_should_be_empty_is_not_dropped() {
    let files = Files::new();
    let path = files.write("a.csv", "a,b\n1,2,\n3,4,5\n");
    let mut options = ReadOptions::new(TableFormat::Csv);
    options.dialect.extra_field = Some(ExtraField::Last);
    refused(
        Table::read(&path, &options),
        &["a.csv: the last field of line 3 is not empty"],
    );
}

#[test]
fn a_table_without_a_header() {
    let data = text(&lines(",")[1..]);
    is_read("a.csv", &data, "header=false");
    is_read(
        "a.csv",
        format!("# no names\n{data}"),
        "comment=\"#\" header=false",
    );
    is_read(
        "a.data",
        text(&lines(" ")[1..]),
        "delimiter=\" \" header=false",
    );
    let files = Files::new();
    let guess = guess_for(&files.write("a.csv", &data), "column_4").unwrap();
    let note = "the first line looks like data, so the columns are named column_1, column_2 and so on: header = false";
    assert!(guess.notes[0].starts_with(note), "{:?}", guess.notes);
    // Without the key the first row is lost; where two cells are alike, that is said.
    let rows = "4,a,4\n5,b,6\n4,a,7\n".repeat(10);
    let error = Table::read(
        &files.write("b.csv", rows),
        &ReadOptions::new(TableFormat::Csv),
    );
    refused(
        error,
        &["two columns named \"4\": by its first lines it needs header = false in [data]"],
    );
}

#[test]
fn names_that_are_numbers_stay_names() {
    let files = Files::new();
    let rows = (0..50).map(|i| format!("{i},{}.5,{}.5,{}\n", i % 7, i % 5, i % 3));
    let path = files.write("a.csv", format!(",0,1,2\n{}", rows.collect::<String>()));
    let guess = guess_for(&path, "2").unwrap();
    assert_eq!(guess.dialect, Dialect::default());
    assert!(
        guess.notes[0].contains("set header = false if it is data"),
        "{:?}",
        guess.notes
    );
}

#[test]
fn encodings() {
    let table = text(&lines(","));
    let latin = encoding_rs::WINDOWS_1252.encode(&table).0;
    is_read("a.csv", &latin, "encoding=\"windows-1252\"");
    let wide = |mark: &[u8], bytes: fn(u16) -> [u8; 2]| {
        let units = table.encode_utf16().flat_map(bytes);
        mark.iter().copied().chain(units).collect::<Vec<u8>>()
    };
    is_read("a.csv", wide(b"\xff\xfe", u16::to_le_bytes), "");
    is_read("a.csv", wide(b"\xfe\xff", u16::to_be_bytes), "");
    is_read(
        "a.csv",
        wide(b"", u16::to_le_bytes),
        "encoding=\"utf-16le\"",
    );
    is_read("a.csv", format!("\u{feff}{table}"), "");
    let files = Files::new();
    let russian = "цвет,класс\nкрасный,да\nсиний,нет\n".repeat(20);
    let (russian, ..) = encoding_rs::WINDOWS_1251.encode(&russian);
    let error = Table::read(
        &files.write("r.csv", russian),
        &ReadOptions::new(TableFormat::Csv),
    );
    refused(
        error,
        &[
            "r.csv:1: not valid UTF-8",
            "set encoding = \"windows-1251\" in [data]",
        ],
    );
    // What the named encoding does not have is not replaced in silence.
    let path = files.write("s.csv", b"a,b\n\x81\x01,2\n");
    let mut options = ReadOptions::new(TableFormat::Csv);
    options.dialect.encoding = Some("shift_jis".into());
    refused(Table::read(&path, &options), &["s.csv: ", "not Shift_JIS"]);
    let json = encoding_rs::WINDOWS_1252
        .encode("{\"café\": \"déjà\"}\n{\"café\": \"été\"}\n")
        .0;
    let error = Table::read(
        &files.write("j.jsonl", json),
        &ReadOptions::new(TableFormat::Jsonl),
    );
    refused(
        error,
        &["j.jsonl:1: not valid UTF-8", "encoding = \"windows-1252\""],
    );
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(content).unwrap();
    packer.finish().unwrap()
}

fn zip(files: &[(&str, &[u8])], method: zip::CompressionMethod) -> Vec<u8> {
    let mut packer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(method);
    for (name, content) in files {
        packer.start_file(*name, options).unwrap();
        packer.write_all(content).unwrap();
    }
    packer.finish().unwrap().into_inner()
}

#[test]
fn packed_tables() {
    let table = text(&lines(","));
    is_read("a.csv.gz", gzip(table.as_bytes()), "");
    is_read("a.csv", gzip(table.as_bytes()), "");
    is_read(
        "a.csv.zst",
        zstd::encode_all(table.as_bytes(), 1).unwrap(),
        "",
    );
    let mac: [(&str, &[u8]); 3] = [
        ("__MACOSX/._a.csv", &b"x"[..]),
        ("in/", b""),
        ("in/a.csv", table.as_bytes()),
    ];
    is_read("a.zip", zip(&mac, zip::CompressionMethod::Deflated), "");
    is_read(
        "a.csv.zip",
        zip(&mac[2..], zip::CompressionMethod::Stored),
        "",
    );
    is_read("a.tsv.gz", gzip(text(&lines("\t")).as_bytes()), "");
    let row = |row: &[String; 4]| {
        format!(
            "{{\"age\":{},\"score\":{},\"colour\":\"{}\",\"bought\":\"{}\"}}\n",
            row[0], row[1], row[2], row[3]
        )
    };
    let json: String = rows().iter().map(row).collect();
    is_read("a.jsonl.gz", gzip(json.as_bytes()), "");
    is_read(
        "a.json.zst",
        zstd::encode_all(json.as_bytes(), 1).unwrap(),
        "",
    );
    assert_eq!(
        TableFormat::from_path("a.tsv.GZ".as_ref()),
        Some(TableFormat::Csv)
    );
    assert_eq!(TableFormat::to_write("a.csv.gz".as_ref()), None);
    assert_eq!(
        TableFormat::to_write("a.csv".as_ref()),
        Some(TableFormat::Csv)
    );
}

#[test]
fn what_is_packed_wrongly_is_named() {
    let files = Files::new();
    let read = |name: &str, content: &[u8]| -> Result<Table, DataError> {
        Table::read(
            &files.write(name, content),
            &ReadOptions::new(TableFormat::Csv),
        )
    };
    let table = text(&lines(","));
    let packed = gzip(table.as_bytes());
    refused(
        read("a.csv.gz", &packed[..packed.len() / 2]),
        &["cannot read", "a.csv.gz"],
    );
    let two: [(&str, &[u8]); 2] = [("a.csv", b"x"), ("b.csv", b"y")];
    let several = zip(&two, zip::CompressionMethod::Deflated);
    refused(
        read("a.zip", &several),
        &["is a zip archive of 2 files, such as a.csv and b.csv"],
    );
    let book: [(&str, &[u8]); 2] = [("[Content_Types].xml", b"x"), ("xl/workbook.xml", b"y")];
    refused(
        read("a.csv", &zip(&book, zip::CompressionMethod::Stored)),
        &["is an Excel workbook"],
    );
    let mut changed = zip(
        &[("a.csv", table.as_bytes())],
        zip::CompressionMethod::Stored,
    );
    changed[100] ^= 1;
    refused(read("a.zip", &changed), &["a.zip", "checksum differs"]);
    refused(
        read(
            "a.csv",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n",
        ),
        &["git lfs pull"],
    );
    refused(read("a.csv", b"\xfd7zXZ\0\0\x04"), &["is packed with xz"]);
}
