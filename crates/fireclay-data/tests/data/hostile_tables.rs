//! Tables in which something is easily read as something else.

use arrow::array::AsArray;
use arrow::datatypes::Float64Type;
use fireclay_data::{
    ColumnKind, Guess, OddCells, Preprocess, ReadOptions, Split, Table, TableConfig, TableData,
    TableFormat, TargetKind, Unseen, arrow, guess, guess_for, stream,
};

use crate::{Files, all_train, csv, messages, refused, with};

/// A configuration for this file, whose rows all train.
fn config(path: &str, target: &str) -> TableConfig {
    with(TableConfig::new(path, target), |config| {
        config.split = all_train();
    })
}

fn load(config: &TableConfig, kind: TargetKind) -> TableData {
    let format = TableFormat::from_path(config.path.as_ref()).unwrap();
    TableData::load(format, config, 1, kind).unwrap()
}

/// The numbers of a column, once the table was read as this configuration says.
fn numbers(config: &TableConfig, column: &str) -> Vec<Option<f64>> {
    let format = TableFormat::from_path(config.path.as_ref()).unwrap();
    let table = Table::load(format, config).unwrap();
    let cells = arrow::compute::cast(
        table.column(column).unwrap(),
        &arrow::datatypes::DataType::Float64,
    );
    cells
        .unwrap()
        .as_primitive::<Float64Type>()
        .iter()
        .collect()
}

/// What `predict` would give the model for the first feature of each row, unscaled, and what it would say.
fn predicted(
    files: &Files,
    preprocess: &Preprocess,
    config: &TableConfig,
    rows: &str,
) -> (Vec<f32>, String) {
    let path = files.write("rows.jsonl", rows);
    let options = preprocess.options(TableFormat::Jsonl, config);
    let (mut features, mut unseen) = (Vec::new(), Unseen::default());
    for piece in stream(&path, &options).unwrap() {
        let piece = piece.unwrap();
        features.extend(preprocess.encode(&piece).unwrap().numeric);
        unseen.add(preprocess, &piece).unwrap();
    }
    (features, messages(&unseen.notes(config)))
}

fn said(guess: &Guess) -> String {
    guess.notes.join("\n")
}

fn reason<'a>(guess: &'a Guess, name: &str) -> &'a str {
    let mut columns = guess.columns.iter();
    &columns.find(|column| column.name == name).unwrap().reason
}

#[test]
fn a_member_that_is_no_file_is_no_table() {
    use std::io::Write;

    let files = Files::new();
    let zipped = |mode: u32, content: &[u8]| {
        let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default().unix_permissions(0o644);
        archive.start_file("a.csv", options).unwrap();
        archive.write_all(content).unwrap();
        let mut bytes = archive.finish().unwrap().into_inner();
        // The kind of the file is in the upper half of the attributes of the entry at the end.
        let entry = bytes
            .windows(4)
            .rposition(|four| four == b"PK\x01\x02")
            .unwrap();
        bytes[entry + 38..entry + 42].copy_from_slice(&(mode << 16).to_le_bytes());
        bytes
    };
    let read = |mode| {
        let path = files.write("a.csv", zipped(mode, b"x,y\n1,a\n2,b\n"));
        Table::read(&path, &ReadOptions::new(TableFormat::Csv))
    };
    read(0o100_644).unwrap();
    for mode in [0o120_777, 0o010_644, 0o020_644] {
        refused(read(mode), &["a link, a device"]);
    }
}

/// Looking each column up among all others would take seconds.
#[test]
fn many_columns_are_looked_at_in_time_that_grows_with_them() {
    const COLUMNS: usize = 80_000;
    let files = Files::new();
    let names: Vec<String> = (0..COLUMNS).map(|name| format!("column_{name}")).collect();
    let row = |row: usize| {
        let cells: Vec<String> = (0..COLUMNS)
            .map(|column| ((row * 7 + column) % 11).to_string())
            .collect();
        format!("{},{}", cells.join(","), row % 2)
    };
    let path = files.write("wide.csv", csv(&format!("{},y", names.join(",")), 12, row));
    let config = config(&path, "y");
    let data = load(&config, TargetKind::Class);
    let table = Table::load(TableFormat::Csv, &config).unwrap();
    let mut unseen = Unseen::default();
    let begun = std::time::Instant::now();
    unseen.add(&data.preprocess, table.batch()).unwrap();
    // With the square of the columns it would take minutes.
    assert!(begun.elapsed().as_secs() < 30, "{:?}", begun.elapsed());
}

#[test]
fn a_row_of_a_million_keys_is_refused() {
    let files = Files::new();
    let keys: String = (0..1_000_000).map(|key| format!("\"k{key}\":1,")).collect();
    let rows = "{\"x\": 1, \"y\": 0}\n{\"x\": 2, \"y\": 1}\n".repeat(10);
    let path = files.write(
        "keys.jsonl",
        format!("{rows}{{{keys}\"x\": 3, \"y\": 1}}\n"),
    );
    let begun = std::time::Instant::now();
    let error = Table::load(TableFormat::Jsonl, &config(&path, "y")).unwrap_err();
    let error = error.to_string();
    assert!(error.contains("1000002 columns"), "{error}");
    // With the square of the keys it would take hours.
    assert!(begun.elapsed().as_secs() < 60, "{:?}", begun.elapsed());
}

#[test]
fn a_number_of_json_is_never_read_by_the_custom_of_a_country() {
    let files = Files::new();
    let rows = |row: usize| format!("\"{},{}\",{}", row % 9, 125 + row % 7, row % 2);
    let path = files.write("comma.csv", csv("x,y", 60, rows));
    let mut config = config(&path, "y");
    config.numeric = fireclay_data::NumericScaling::None;
    let data = load(&config, TargetKind::Class);
    let asked =
        "{\"x\": 2.125, \"y\": 0}\n{\"x\": \"2,125\", \"y\": 0}\n{\"x\": \"1.234,5\", \"y\": 1}\n";
    let (found, notes) = predicted(&files, &data.preprocess, &config, asked);
    assert_eq!(found, [2.125, 2.125, 1234.5]);
    assert_eq!(notes.lines().count(), 1, "{notes}");
    assert!(
        notes.contains("1 of 3 rows have numbers far outside"),
        "{notes}"
    );
}

#[test]
fn numbers_of_json_beside_texts_with_commas_are_themselves_in_training() {
    let files = Files::new();
    let row = |row: usize| {
        let x = format!("{}.{}", 1 + row % 9, 125 + row);
        format!(
            "{{\"x\": {x}, \"price\": \"{},5\", \"y\": {}}}\n",
            row * 3,
            row % 2
        )
    };
    let path = files.write("a.jsonl", (0..60).map(row).collect::<String>());
    let config = config(&path, "y");
    assert_eq!(numbers(&config, "x")[..2], [Some(1.125), Some(2.126)]);
    assert_eq!(numbers(&config, "price")[..2], [Some(0.5), Some(3.5)]);
    let mixed = |row: usize| {
        let x = match row {
            7 => "\"3,5\"".to_owned(),
            _ => format!("{}.{}", 1 + row % 9, 125 + row),
        };
        format!("{{\"x\": {x}, \"y\": {}}}\n", row % 2)
    };
    let path = files.write("b.jsonl", (0..60).map(mixed).collect::<String>());
    let config = self::config(&path, "y");
    let found = numbers(&config, "x");
    assert_eq!((found[0], found[7]), (Some(1.125), None));
    let told = messages(&load(&config, TargetKind::Class).notes);
    assert!(told.contains("\"3,5\" (row 8)"), "{told}");
    let given = with(config, |config| config.decimal = Some(",".into()));
    assert_eq!(numbers(&given, "x")[0], Some(1.125));
}

#[test]
fn whole_numbers_in_a_table_with_decimal_commas_leave_room_for_thousands() {
    let files = Files::new();
    let row = |row: usize| {
        format!(
            "{},{}0;{};{}",
            row % 9,
            row % 7 + 1,
            row % 50 + 100,
            row % 2
        )
    };
    let path = files.write("a.csv", csv("price;n;y", 60, row));
    let config = with(config(&path, "y"), |config| {
        config.delimiter = Some(";".into());
        config.numeric = fireclay_data::NumericScaling::None;
    });
    let data = load(&config, TargetKind::Class);
    let (found, _) = predicted(
        &files,
        &data.preprocess,
        &config,
        "{\"price\": 1, \"n\": \"1.234\"}\n",
    );
    assert_eq!(found, [1.0, 1234.0]);
}

#[test]
fn whole_numbers_too_long_for_a_real_are_told_of() {
    let files = Files::new();
    let card = |row: usize| 9_300_000_000_000_001_u64 + (row as u64 * 7919) % 1000;
    let rows = |row: usize| format!("{},{},{}", card(row), row % 13, row * row % 3 % 2);
    let path = files.write("cards.csv", csv("card,age,y", 90, rows));
    let found = guess(&path).unwrap();
    assert_eq!(found.ignore, ["card"]);
    assert!(
        said(&found).contains("\"card\" has whole numbers beyond 2^53, such as 9300000000000001")
    );
    let told = messages(&load(&config(&path, "y"), TargetKind::Class).notes);
    assert!(
        told.contains("column \"card\": whole numbers beyond 2^53"),
        "{told}"
    );
}

#[test]
fn whole_numbers_that_lose_digits_without_scaling_are_told_of() {
    let files = Files::new();
    let rows = |row: usize| format!("{},{}", 16_777_217 + row % 13, row % 2);
    let path = files.write("a.csv", csv("x,y", 60, rows));
    let expected =
        "column \"x\": whole numbers beyond 2^24, such as 16777217, lose their last digits";
    let plain = config(&path, "y");
    assert!(!messages(&load(&plain, TargetKind::Class).notes).contains("lose their last"));
    let bare = with(plain, |config| {
        config.numeric = fireclay_data::NumericScaling::None
    });
    assert!(messages(&load(&bare, TargetKind::Class).notes).contains(expected));
}

#[test]
fn cells_of_a_target_that_cannot_be_read_are_shown_in_evaluation() {
    let files = Files::new();
    let rows = |row: usize| format!("{},\"{},5\"", row % 11, row % 11);
    let path = files.write("a.csv", csv("x,price", 80, rows));
    let mut config = config(&path, "price");
    config.missing_target = fireclay_data::MissingTarget::Drop;
    let data = load(&config, TargetKind::Number);
    let options = ReadOptions::new(TableFormat::Csv);
    let few = |row: usize| match row {
        3 => "1,USD".to_owned(),
        _ => rows(row),
    };
    let few = files.write("few.csv", csv("x,price", 60, few));
    let (split, notes) = Split::load(&few, &options, &data.preprocess, &config).unwrap();
    assert_eq!(split.len(), 59);
    let told = messages(&notes);
    let expected = "column \"price\": 1 of 60 cells are not what training read there and are read as missing: \"USD\" (row 4)";
    assert!(told.contains(expected), "{told}");
    let many = files.write(
        "many.csv",
        csv("x,price", 60, |row| format!("{row},{row} USD")),
    );
    let loaded = Split::load(&many, &options, &data.preprocess, &config).map(drop);
    refused(
        loaded,
        &[
            "60 of 60 cells are not what training read there",
            "\"0 USD\" (row 1)",
        ],
    );
    config.missing_target = fireclay_data::MissingTarget::Error;
    let loaded = Split::load(&few, &options, &data.preprocess, &config).map(drop);
    refused(loaded, &["row 4 of ", "\"USD\" is read as missing"]);
}

#[test]
fn points_that_may_stand_between_thousands_are_told_of() {
    let files = Files::new();
    let rows = |row: usize| format!("{}.{};{}", row % 9 + 1, 125 + row, row % 2);
    let path = files.write("a.csv", csv("x;y", 60, rows));
    let found = guess_for(&path, "y").unwrap();
    let expected = "numbers such as \"1.125\" are read with a decimal point; where points stand between thousands, set thousands";
    assert!(said(&found).contains(expected), "{}", said(&found));
    let config = with(config(&path, "y"), |config| {
        config.delimiter = Some(";".into())
    });
    assert!(messages(&load(&config, TargetKind::Class).notes).contains(expected));
    assert_eq!(numbers(&config, "x")[0], Some(1.125));
    let thousands = with(config, |config| {
        config.decimal = Some(",".into());
        config.thousands = Some(".".into());
    });
    assert_eq!(numbers(&thousands, "x")[0], Some(1125.0));
}

#[test]
fn a_title_with_as_many_commas_as_columns_is_no_header() {
    let files = Files::new();
    let body = csv("age,income,city", 50, |row| {
        format!("{},{}.5,{}", row % 40, row * 3, ["Oslo", "Rome"][row % 2])
    });
    for (title, key) in [
        ("Sales report, region north, 2024", "skip_rows"),
        ("Report,,", "skip_rows"),
        ("# written by a tool, version 2, in May", "comment"),
    ] {
        let path = files.write("a.csv", format!("{title}\n{body}"));
        let found = guess_for(&path, "city").unwrap();
        let names: Vec<_> = found
            .columns
            .iter()
            .map(|column| column.name.as_str())
            .collect();
        assert_eq!(names, ["age", "income", "city"], "{title}");
        assert_eq!(found.dialect.keys()[0].0, key, "{title}");
    }
    let units = files.write("a.csv", body.replacen('\n', "\nyears,euros,name\n", 1));
    let found = guess_for(&units, "city").unwrap();
    assert_eq!(found.columns[0].name, "age");
    assert!(
        said(&found).contains("set skip_rows = 1 if they are"),
        "{}",
        said(&found)
    );
}

#[test]
fn words_that_are_read_as_missing_are_named_and_can_be_kept() {
    let files = Files::new();
    let rows = |row: usize| {
        let country = ["NA", "DE", "ZA"][row % 3];
        format!(
            "{country},{},{}",
            ["None", "low", "high"][row / 3 % 3],
            row % 2
        )
    };
    let path = files.write("a.csv", csv("country,damage,y", 90, rows));
    let found = guess_for(&path, "y").unwrap();
    let expected = "read as missing: \"NA\" in \"country\" (30 cells), \"None\" in \"damage\" (30 cells); columns.NAME.null_values = []";
    assert!(said(&found).contains(expected), "{}", said(&found));
    let classes = |config: &TableConfig| {
        load(config, TargetKind::Class)
            .preprocess
            .feature_names()
            .join(" ")
    };
    let config = config(&path, "y");
    assert!(messages(&load(&config, TargetKind::Class).notes).contains(expected));
    assert!(
        classes(&config).contains("country.missing") && classes(&config).contains("damage.missing")
    );
    let kept = with(config.clone(), |config| {
        config
            .columns
            .entry("country".into())
            .or_default()
            .null_values = Some(Vec::new());
    });
    assert!(classes(&kept).contains("country=NA") && classes(&kept).contains("damage.missing"));
    let more = with(config, |config| {
        config.extra_null_values = vec!["ZA".into()]
    });
    assert!(!classes(&more).contains("country=ZA") && classes(&more).contains("damage.missing"));
}

#[test]
fn a_row_of_sums_is_no_sample() {
    let files = Files::new();
    let rows = |row: usize| {
        format!(
            "{},{},{}",
            ["a", "b", "c"][row % 3],
            row % 7,
            row % 7 * 3 + row % 5
        )
    };
    let body = csv("shop,staff,sales", 80, rows);
    let sums = |line: &str| files.write("a.csv", format!("{body}{line}\n"));
    let path = sums("Total,238,874");
    let found = guess_for(&path, "sales").unwrap();
    assert_eq!(found.dialect.footer.as_deref(), Some("Total"));
    let with_footer = with(config(&path, "sales"), |config| {
        config.footer = Some("Total".into())
    });
    let data = load(&with_footer, TargetKind::Number);
    assert_eq!(data.train.len(), 80);
    assert!(messages(&data.notes).contains("the last row is left out, which \"Total\" stands in"));
    let without = load(&config(&path, "sales"), TargetKind::Number);
    assert!(messages(&without.notes).contains("\"Total\" stands in one of the last rows"));
    let short = sums("Total,238");
    assert_eq!(
        load(
            &with(with_footer, |config| config.path = short),
            TargetKind::Number
        )
        .train
        .len(),
        80
    );
    let two = sums("Average,3,11\nTotal,238,874");
    assert_eq!(
        guess_for(&two, "sales").unwrap().dialect.footer.as_deref(),
        Some("Average")
    );
    let cut = with(config(&two, "sales"), |config| {
        config.footer = Some("Average".into())
    });
    let data = load(&cut, TargetKind::Number);
    assert_eq!(data.train.len(), 80);
    assert!(
        messages(&data.notes).contains("the last 2 rows are left out, which \"Average\" stands in")
    );
    let total: usize = (0..80).map(|row| row % 7 * 3 + row % 5).sum();
    let bare = sums(&format!(",,{total}"));
    let told = messages(&load(&config(&bare, "sales"), TargetKind::Number).notes);
    assert!(
        told.contains(&format!(
            "the last row holds the sum of the others, {total}"
        )),
        "{told}"
    );
    assert!(!told.contains("tells the target"), "{told}");
}

#[test]
fn rows_without_a_group_are_told_of() {
    let files = Files::new();
    let rows = |row: usize| {
        format!(
            "{},{},{}",
            if row.is_multiple_of(9) {
                String::new()
            } else {
                format!("p{}", row % 20)
            },
            row % 7,
            row % 2
        )
    };
    let path = files.write("a.csv", csv("patient,x,y", 90, rows));
    let mut config = TableConfig::new(&path, "y");
    config.split.group = Some("patient".into());
    let told = messages(&load(&config, TargetKind::Class).notes);
    assert!(
        told.contains("column \"patient\": 10 of 90 rows have no value in split.group"),
        "{told}"
    );
}

#[test]
fn yes_and_no_are_the_same_in_every_spelling_for_a_finished_run() {
    let files = Files::new();
    let options = ReadOptions::new(TableFormat::Csv);
    for (no, yes) in [("no", "yes"), ("0", "1"), ("false", "true"), ("N", "Y")] {
        let rows = |row: usize| {
            format!(
                "{},{},{}",
                row % 9,
                [no, yes][row % 2],
                [no, yes][row / 2 % 2]
            )
        };
        let path = files.write("a.csv", csv("x,flag,y", 60, rows));
        let config = config(&path, "y");
        let data = load(&config, TargetKind::Class);
        let rows = |row: usize| {
            let spell = |is_yes: usize| {
                [["NO", "Yes"], ["0", "1"], ["False", "TRUE"], ["no", "YES"]][row % 2 + 2][is_yes]
            };
            format!("{},{},{}", row % 9, spell(row % 2), spell(row / 2 % 2))
        };
        let other = files.write("b.csv", csv("x,flag,y", 60, rows));
        let (split, _) = Split::load(&other, &options, &data.preprocess, &config).unwrap();
        assert_eq!(split.labels, data.train.labels, "{no} {yes}");
        assert_eq!(split.features, data.train.features, "{no} {yes}");
    }
}

#[test]
fn the_order_of_days_and_months_can_be_given() {
    let files = Files::new();
    let rows = |row: usize| {
        format!(
            "{:02}/{:02}/2024,{},{}",
            1 + row % 9,
            1 + row % 5,
            row % 7,
            row % 2
        )
    };
    let path = files.write("a.csv", csv("day,x,y", 60, rows));
    let found = guess_for(&path, "y").unwrap();
    let expected = "the dates are read as month/day/year, though another order of day and month fits as well; columns.\"day\".date_order = \"dmy\"";
    assert!(
        said(&found).contains(&format!("column \"day\": {expected}")),
        "{}",
        said(&found)
    );
    let plain = config(&path, "y");
    let first = load(&plain, TargetKind::Class);
    assert!(messages(&first.notes).contains(expected));
    let given = with(plain.clone(), |config| {
        config.columns.entry("day".into()).or_default().date_order =
            Some(fireclay_data::DateOrder::Dmy);
    });
    let second = load(&given, TargetKind::Class);
    assert!(!messages(&second.notes).contains("fits as well"));
    assert_ne!(first.train.features, second.train.features);
    let mut timed = with(plain, |config| {
        config.split = fireclay_data::SplitConfig::default();
        config.split.time = Some("day".into());
        config.ignore = vec!["day".into()];
    });
    let told = messages(&load(&timed, TargetKind::Class).notes);
    assert!(
        told.contains("the rows are ordered by it; the dates are read as month/day/year"),
        "{told}"
    );
    let by_month = load(&timed, TargetKind::Class).test.carried.rows;
    timed.columns.entry("day".into()).or_default().date_order = Some(fireclay_data::DateOrder::Dmy);
    assert_eq!(timed.validate(TableFormat::Csv), []);
    assert_ne!(load(&timed, TargetKind::Class).test.carried.rows, by_month);
}

#[test]
fn a_file_in_utf_8_is_read_so_by_a_run_of_another_encoding() {
    let files = Files::new();
    let rows = |row: usize| format!("{},{}", ["Köln", "Århus", "Rome"][row % 3], row % 2);
    let text = csv("city,y", 60, rows);
    let latin: Vec<u8> = text.chars().map(|c| c as u8).collect();
    let path = files.write("latin.csv", latin);
    let config = with(config(&path, "y"), |config| {
        config.encoding = Some("windows-1252".into())
    });
    let data = load(&config, TargetKind::Class);
    let options = data.preprocess.options(TableFormat::Csv, &config);
    let other = files.write("utf8.csv", text);
    let (split, notes) = Split::load(&other, &options, &data.preprocess, &config).unwrap();
    assert_eq!(split.features, data.train.features);
    let told = messages(&notes);
    assert!(
        told.contains("the text is UTF-8, not windows-1252 as `encoding` says"),
        "{told}"
    );
    assert!(!told.contains("training did not have"), "{told}");
}

#[test]
fn a_column_of_two_kinds_is_called_so_and_can_be_kept() {
    let files = Files::new();
    for (odd, kind, fitting) in [
        ("about {}", ColumnKind::Numeric, "numbers in 60 of 80 cells"),
        (
            "{} o'clock",
            ColumnKind::Numeric,
            "numbers in 60 of 80 cells",
        ),
    ] {
        let cell = |row: usize| match row % 4 {
            0 => odd.replace("{}", &row.to_string()),
            _ => format!("{}.5", row * 7),
        };
        let rows = |row: usize| format!("{},{},{}", cell(row), row % 7, row % 2);
        let path = files.write("a.csv", csv("length,x,y", 80, rows));
        let found = guess_for(&path, "y").unwrap();
        let why = reason(&found, "length");
        assert!(
            why.contains(fitting) && !why.contains("names rows"),
            "{why}"
        );
        let expected = "columns.\"length\" = { kind = \"numeric\", odd_cells = \"missing\" } reads them as missing";
        assert!(said(&found).contains(expected), "{}", said(&found));
        let plain = config(&path, "y");
        assert!(messages(&load(&plain, TargetKind::Class).notes).contains(fitting));
        let kept = with(plain, |config| {
            let column = config.columns.entry("length".into()).or_default();
            (column.kind, column.odd_cells) = (Some(kind), Some(OddCells::Missing));
        });
        assert_eq!(kept.validate(TableFormat::Csv), []);
        assert_eq!(numbers(&kept, "length")[..2], [None, Some(7.5)]);
    }
}

#[test]
fn numbers_in_several_units_and_dates_in_several_orders_are_called_so() {
    let files = Files::new();
    let price = |row: usize| match row % 4 {
        0 => format!("${}.99", row),
        1 => format!("\"{},49 EUR\"", row),
        2 => format!("{row}%"),
        _ => format!("{row} kg"),
    };
    let day = |row: usize| match row % 3 {
        0 => format!("2024-01-{:02}", 1 + row % 28),
        1 => format!("{}/1/2024", 13 + row % 9),
        _ => format!("1/{}/2024", 13 + row % 9),
    };
    let rows = |row: usize| format!("{},{},{},{}", price(row), day(row), row % 7, row % 2);
    let path = files.write("a.csv", csv("price,day,x,y", 90, rows));
    let found = guess_for(&path, "y").unwrap();
    let expected = "numbers in 90 of 90 cells, written in several ways: \"$0.99\", \"1,49 EUR\", \"2%\", \"3 kg\"";
    assert!(
        reason(&found, "price").contains(expected),
        "{}",
        reason(&found, "price")
    );
    assert!(said(&found).contains(expected), "{}", said(&found));
    let expected =
        "dates in 90 of 90 cells, written in several ways: \"2024-01-01\", \"14/1/2024\"";
    assert!(said(&found).contains(expected), "{}", said(&found));
}

#[test]
fn letters_for_thousands_and_times_of_day_are_numbers() {
    let files = Files::new();
    let installs = |row: usize| match row % 3 {
        0 => format!("{}.5M", row + 1),
        1 => format!("{}K", row * 7),
        _ => format!("{}", row * 11),
    };
    let rows = |row: usize| {
        format!(
            "{},{}:{:02},{}",
            installs(row),
            8 + row % 12,
            row * 7 % 60,
            row % 2
        )
    };
    let path = files.write("a.csv", csv("installs,opened,y", 90, rows));
    let config = config(&path, "y");
    let installs = numbers(&config, "installs");
    assert_eq!(installs[..3], [Some(1_500_000.0), Some(7000.0), Some(22.0)]);
    assert_eq!(
        numbers(&config, "opened")[1],
        Some(9.0 * 3600.0 + 7.0 * 60.0)
    );
    let told = messages(&load(&config, TargetKind::Class).notes);
    for part in [
        "letters for thousands (K), millions (M)",
        "such as \"1.5M\" as 1500000",
        "times such as \"8:00\" are read as seconds",
    ] {
        assert!(told.contains(part), "{told}");
    }
}

#[test]
fn no_config_is_written_for_what_cannot_be_learned() {
    let files = Files::new();
    let three = files.write("three.csv", "x,y\n1,a\n2,b\n3,a\n");
    refused(
        guess(&three),
        &[
            "this table of 3 rows cannot be learned from",
            "split is empty",
        ],
    );
    let one = files.write("one.csv", csv("same,y", 60, |row| format!("7,{}", row % 2)));
    refused(guess_for(&one, "y"), &["no column is left to learn from"]);
}

#[test]
fn numbers_that_are_infinite_are_missing() {
    let files = Files::new();
    for word in ["inf", "-Infinity", "1e400"] {
        let rows = |row: usize| {
            format!(
                "{},{}",
                if row == 5 {
                    word.into()
                } else {
                    format!("{}.5", row % 40)
                },
                row % 2
            )
        };
        let path = files.write("a.csv", csv("x,y", 80, rows));
        let found = guess_for(&path, "y").unwrap();
        assert!(
            said(&found).contains(&format!("{word:?} (row 6)")),
            "{}",
            said(&found)
        );
        assert_eq!(numbers(&config(&path, "y"), "x")[5], None);
    }
    let rows = |row: usize| {
        format!(
            "{{\"x\": {}, \"y\": {}}}\n",
            if row == 5 {
                "1e999".into()
            } else {
                format!("{row}.5")
            },
            row % 2
        )
    };
    let path = files.write("a.jsonl", (0..60).map(rows).collect::<String>());
    assert_eq!(numbers(&config(&path, "y"), "x")[5], None);
}

#[test]
fn the_footer_is_left_out_of_each_file_that_has_it_and_of_no_other() {
    let files = Files::new();
    files.write("a.csv", "x,Total\n1,2\nTotal,2\n");
    files.write("b.csv", "x,Total\nTotal,5\n3,4\n5,6\n7,8\n");
    let mut options = ReadOptions::new(TableFormat::Csv);
    options.dialect.footer = Some("Total".into());
    let pattern = files.path("*.csv").to_str().unwrap().to_owned();
    let table = Table::read(&pattern, &options).unwrap();
    let cells: Vec<_> = table
        .column("x")
        .unwrap()
        .as_string::<i32>()
        .iter()
        .flatten()
        .map(str::to_owned)
        .collect();
    assert_eq!(cells, ["1", "Total", "3", "5", "7"]);
}

#[test]
fn numbers_of_parquet_are_themselves_beside_decimal_commas() {
    use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
    let files = Files::new();
    let rows = |row: usize| format!("\"{},{}\",{}", row % 9, 125 + row % 7, row % 2);
    let path = files.write("comma.csv", csv("x,y", 60, rows));
    let mut config = config(&path, "y");
    config.numeric = fireclay_data::NumericScaling::None;
    let data = load(&config, TargetKind::Class);
    let x: ArrayRef = std::sync::Arc::new(Float64Array::from(vec![2.125]));
    let batch = RecordBatch::try_from_iter([("x", x)]).unwrap();
    assert_eq!(data.preprocess.encode(&batch).unwrap().numeric, [2.125]);
    let numbers = (0..60).map(|row| match row {
        5 => f64::INFINITY,
        _ => f64::from(row) * 1.125,
    });
    let numbers: ArrayRef = std::sync::Arc::new(numbers.collect::<Float64Array>());
    let texts = (0..60).map(|row| Some(format!("{row},5")));
    let texts: ArrayRef = std::sync::Arc::new(texts.collect::<StringArray>());
    let labels = (0..60).map(|row| Some(["a", "b"][row % 2]));
    let labels: ArrayRef = std::sync::Arc::new(labels.collect::<StringArray>());
    let batch = RecordBatch::try_from_iter([("f", numbers), ("s", texts), ("y", labels)]).unwrap();
    let mut table = Table::from_batch(batch);
    table.interpret(&config).unwrap();
    let cells = |name: &str| {
        let cells = table.column(name).unwrap().as_primitive::<Float64Type>();
        cells.iter().collect::<Vec<_>>()
    };
    assert_eq!((cells("f")[1], cells("f")[5]), (Some(1.125), None));
    assert_eq!(cells("s")[3], Some(3.5));
    let data = TableData::from_table(&table, &config, 1, TargetKind::Class).unwrap();
    assert!(messages(&data.notes).contains("1 cells are infinite and read as missing"));
}

#[test]
fn a_table_with_blanks_in_its_cells_is_cut_at_its_semicolons() {
    let files = Files::new();
    let rows = |row: usize| {
        format!(
            "A;{}.{:03},50 EUR;{}",
            row % 9 + 1,
            row * 7 % 1000,
            ["x", "y"][row % 2]
        )
    };
    let path = files.write(
        "a.csv",
        format!("Report;2024;\n{}", csv("land;sum;y", 80, rows)),
    );
    let found = guess_for(&path, "y").unwrap();
    let keys = found.dialect.keys();
    assert_eq!(keys[0], ("delimiter", "\";\"".to_owned()));
    assert_eq!(keys[1], ("skip_rows", "1".to_owned()));
}

#[test]
fn a_label_that_says_that_there_is_none_is_told_of() {
    let files = Files::new();
    let rows = |row: usize| {
        format!(
            "{},{}",
            row % 9,
            if row.is_multiple_of(20) {
                "-"
            } else {
                ["on", "off"][row % 2]
            }
        )
    };
    let path = files.write("a.csv", csv("x,y", 80, rows));
    let expected = "\"-\" is learned as a class, though it seems to mean that there is none; add it to extra_null_values";
    assert!(said(&guess_for(&path, "y").unwrap()).contains(expected));
    assert!(messages(&load(&config(&path, "y"), TargetKind::Class).notes).contains(expected));
}

#[test]
fn a_file_without_the_title_of_training_is_read_from_its_header() {
    let files = Files::new();
    let row = |row: usize| format!("{row},{},{}", row % 9, row % 2);
    let table = csv("id,x,y", 40, row);
    let path = files.write("a.csv", format!("Orders of 2024\n{table}"));
    let mut config = config(&path, "y");
    (config.skip_rows, config.id) = (Some(1), Some("id".to_owned()));
    let data = load(&config, TargetKind::Class);
    let options = data.preprocess.options(TableFormat::Csv, &config);
    let read = |text: &str| {
        let path = files.write("new.csv", text);
        let mut pieces = stream(&path, &options)?;
        let rows: usize = pieces.by_ref().map(|piece| piece.unwrap().num_rows()).sum();
        Ok::<_, fireclay_data::DataError>((rows, pieces.notes().join("\n")))
    };
    let moved = "line 1 names the columns of training, so the table is read from there, though skip_rows = 1";
    for (text, rows) in [("id,x,y\n1,2,0\n", 1), ("id,x,y\n1,2,0\n2,3,1\n", 2)] {
        let (found, notes) = read(text).unwrap();
        assert!(found == rows && notes.contains(moved), "{found} {notes}");
    }
    for titled in ["Orders of 2025\nid,x,y\n1,2,0\n", "id,x,y\nid,x,y\n1,2,0\n"] {
        assert_eq!(read(titled).unwrap(), (1, String::new()));
    }
    let error = read("id,z,y\n1,2,0\n2,3,1\n").unwrap_err().to_string();
    let expected = "skip_rows = 1 of the run left out the line id,z,y";
    assert!(
        error.contains("no column \"x\"") && error.ends_with(expected),
        "{error}"
    );
}

#[test]
fn a_decimal_character_that_does_not_fit_is_named() {
    let files = Files::new();
    let row = |row: usize| format!("{},{};{}", row * 7 % 90, row % 10, row % 2);
    let path = files.write("a.csv", csv("x;y", 90, row) + "10;0\n11;1\n");
    let mut config = config(&path, "y");
    config.delimiter = Some(";".to_owned());
    assert_eq!(numbers(&config, "x")[3], Some(21.3));
    config.decimal = Some(".".to_owned());
    let table = Table::load(TableFormat::Csv, &config).unwrap();
    let mut table = table;
    table.interpret(&config).unwrap();
    let splits = fireclay_data::split(&table, &config, 1, TargetKind::Class).unwrap();
    let report = fireclay_data::inspect(&table, &splits, &config, TargetKind::Class).unwrap();
    let said = messages(&report.warnings);
    let expected = "numbers in 92 of 92 cells, with a decimal comma, not as data.decimal = \".\" in [data] says";
    assert!(
        said.contains(expected) && said.contains("is not read as numbers"),
        "{said}"
    );
    assert!(!said.contains("read as categories"), "{said}");
}

#[test]
fn yes_is_positive_in_other_languages() {
    let files = Files::new();
    let row = |row: usize| {
        let paid = ["ja", "nein", "JA", "Nein"][row % 4];
        format!("{},{},{paid}", row % 9, ["Oui", "non", "oui"][row % 3])
    };
    let config = config(&files.write("a.csv", csv("x,member,paid", 80, row)), "paid");
    let data = load(&config, TargetKind::Class);
    let classes = data.preprocess.classes();
    assert_eq!(classes.len(), 2);
    assert!(classes[1].eq_ignore_ascii_case("ja"), "{classes:?}");
    assert_eq!(data.preprocess.feature_names(), ["x", "member"]);
    let notes = messages(&data.notes);
    for expected in [
        "labels of yes and no are read as two classes",
        "read as yes: \"Oui\", \"oui\"; as no: \"non\"",
    ] {
        assert!(notes.contains(expected), "{expected}: {notes}");
    }
}

#[test]
fn categories_that_differ_in_case_are_told_of() {
    let files = Files::new();
    let row = |row: usize| format!("{},{}", ["Ulm", "ULM", "Bonn"][row % 3], row % 2);
    let path = files.write("a.csv", csv("city,y", 90, row));
    let expected = "categories that differ only in case or blanks are different to the model: \"ULM\", \"Ulm\"; write them alike";
    assert!(said(&guess_for(&path, "y").unwrap()).contains(expected));
    let notes = messages(&load(&config(&path, "y"), TargetKind::Class).notes);
    assert!(notes.contains(expected), "{notes}");
}

#[test]
fn numbers_far_from_those_of_training_are_told_of() {
    let files = Files::new();
    let row = |row: usize| format!("{},{}", 20_000 + row * 2_000, row % 2);
    let config = config(&files.write("a.csv", csv("income,y", 66, row)), "y");
    let preprocess = load(&config, TargetKind::Class).preprocess;
    let rows = "{\"income\": 50}\n{\"income\": 19000}\n{\"income\": 151000}\n{\"income\": null}\n";
    let (_, said) = predicted(&files, &preprocess, &config, rows);
    let expected = "1 of 4 rows have numbers far outside the range of training, such as 50, where training had 20000 to 150000";
    assert!(said.contains(expected), "{said}");
    let old = preprocess.to_json();
    let start = old.find("\"range\"").unwrap();
    let end = start + old[start..].find(']').unwrap();
    let before = old[..start].trim_end().trim_end_matches(',');
    let old = format!("{before}{}", &old[end + 1..]);
    let old = Preprocess::from_json(&old).unwrap();
    assert!(old.encodes_as(&preprocess) && old != preprocess);
    let (_, said) = predicted(&files, &old, &config, rows);
    assert!(!said.contains("far outside"), "{said}");
}
