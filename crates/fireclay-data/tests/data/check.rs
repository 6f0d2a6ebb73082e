use fireclay_data::{
    DataReport, Splits, Table, TableConfig, TableFormat, TargetKind, inspect, split,
};

use crate::{config, csv, messages, refused, table, with};

fn report(table: &Table, config: &TableConfig, target: TargetKind, cut: usize) -> DataReport {
    let splits = Splits {
        train: (0..cut).collect(),
        valid: (cut..table.rows()).collect(),
        test: Vec::new(),
    };
    inspect(table, &splits, config, target).unwrap()
}

#[test]
fn a_sound_table_has_no_findings() {
    let table = table(&csv("x,k,y", 60, |row| {
        let class = ["a", "b"][row * row % 7 % 2];
        format!("{}.5,{},{class}", row * 7 % 31, row % 5)
    }));
    let report = report(&table, &config("y"), TargetKind::Class, 40);
    assert_eq!(messages(&report.warnings), "");
    assert_eq!(messages(&report.errors), "");
    assert_eq!(report.features, 2);
    assert_eq!(report.splits[0].classes.values().sum::<usize>(), 40);
    let json = serde_json::to_string(&report).unwrap();
    assert!(json.contains("\"role\":\"target\""));
}

#[test]
fn leaks_identifiers_duplicates_and_rare_classes_are_warned_of() {
    let rows = csv("row,known,x,y", 60, |row| {
        let (known, class) = [("no", "a"), ("yes", "b")][usize::from(row < 3)];
        format!("{row},{known},{}.25,{class}", row * 13 % 17)
    });
    let table = table(&(rows + "59,no,1.25,a\n59,no,2.25,a\n59,no,2.25,a\n"));
    let config = with(config("y"), |config| config.ignore = vec!["row".into()]);
    let report = report(&table, &config, TargetKind::Class, 50);
    let warnings = messages(&report.warnings);
    for part in [
        "\"known\": tells the target by itself",
        "class \"b\" has only 3 rows",
        "very unequal",
        "in another split",
    ] {
        assert!(warnings.contains(part), "{part} is not in {warnings}");
    }
    assert_eq!(messages(&report.errors), "");
    let (first, second) = report.duplicates_within.example.unwrap();
    assert!(first > second);
    let ids = csv("num,x,y", 30, |row| {
        format!("{row},{},{}", row % 7, row % 2)
    });
    let (ids, config) = (crate::table(&ids), crate::config("y"));
    let warnings = messages(&self::report(&ids, &config, TargetKind::Class, 20).warnings);
    let id = "\"num\": is a different whole number in every row";
    assert!(warnings.contains(id), "{warnings}");
}

#[test]
fn a_target_on_one_line_with_a_feature_is_a_leak() {
    let row = |row| format!("{},{},{row}", row as f64 * 0.5 + 3.0, row * row % 11);
    let table = table(&csv("euro,x,y", 30, row));
    let warnings = messages(&report(&table, &config("y"), TargetKind::Number, 20).warnings);
    assert!(
        warnings.contains("\"euro\": tells the target"),
        "{warnings}"
    );
    assert!(!warnings.contains("\"x\": tells"), "{warnings}");
}

#[test]
fn what_cannot_be_trained_is_an_error() {
    for (rows, cut, expected) in [
        ("1,a\n2,a\n3,a\n", 2, "every row is \"a\""),
        (
            "1,a\n2,b\n3,c\n",
            2,
            "class \"c\" (1 row) is in no training row",
        ),
        ("1,a\n2,\n3,b\n4,\n", 3, "missing in 2 rows, first in row 2"),
        ("1,a\n2,b\ninf,b\n", 2, "\"inf\" is not finite"),
        ("1,a\n1,b\n1,b\n", 3, "no column is left to learn from"),
    ] {
        let table = table(&format!("x,y\n{rows}"));
        let errors = messages(&report(&table, &config("y"), TargetKind::Class, cut).errors);
        assert!(errors.contains(expected), "{errors}");
    }
    let nobody = Some("nobody".into());
    let absent = with(config("y"), |config| config.split.group = nobody);
    let table = table("x,y\n1,a\n2,b\n");
    let report = inspect(&table, &Splits::default(), &absent, TargetKind::Class);
    refused(report, &["no column \"nobody\""]);
}

#[test]
fn small_and_absent_classes_are_said_in_one_line_each() {
    let rows = csv("x,y", 60, |row| {
        let class = match row {
            0..40 => ["a", "b"][row % 2],
            40..44 => "c",
            44..46 => "d",
            _ => "a",
        };
        format!("{}.5,{class}", row * 7 % 31)
    });
    let table = table(&rows);
    let found = report(&table, &config("y"), TargetKind::Class, 46);
    let warnings = messages(&found.warnings);
    let small = "2 classes have fewer than 10 rows each, too few to learn or to judge: \"c\" (4 rows), \"d\" (2 rows)";
    let alone = "the valid split has class \"a\" alone (14 rows)";
    for part in [small, alone, "set split.stratify = true"] {
        assert!(warnings.contains(part), "{part} is not in {warnings}");
    }
    let stratified = with(config("y"), |config| config.split.stratify = true);
    let found = report(&table, &stratified, TargetKind::Class, 46);
    let warnings = messages(&found.warnings);
    assert!(
        warnings.contains(alone) && !warnings.contains("set split"),
        "{warnings}"
    );
}

#[test]
fn advice_for_classes_without_a_training_row_can_be_followed() {
    let table = table("x,y,s,g\n1,a,train,1\n2,a,train,2\n3,b,train,3\n4,c,test,4\n5,c,test,4\n");
    let advice = |change: &dyn Fn(&mut TableConfig)| {
        let config = with(config("y"), change);
        messages(&report(&table, &config, TargetKind::Class, 3).errors)
    };
    let random = advice(&|_| {});
    assert!(
        random.contains("class \"c\" (2 rows) is in no training row"),
        "{random}"
    );
    assert!(
        random.contains("set split.stratify = true, or leave them out"),
        "{random}"
    );
    let stratified = advice(&|config| config.split.stratify = true);
    assert!(!stratified.contains("stratify"), "{stratified}");
    let column = advice(&|config| config.split.column = Some("s".into()));
    assert!(column.contains("let column \"s\" give train"), "{column}");
    let few = advice(&|config| {
        (config.split.train, config.split.valid, config.split.test) = (0.2, 0.4, 0.4);
    });
    assert!(few.contains("add rows, or leave them out"), "{few}");
}

#[test]
fn classes_of_a_test_file_alone_are_not_blamed_on_the_split() {
    let files = crate::Files::new();
    let rows = |dot: &str| {
        csv("x,y", 30, |row| {
            format!("{row},{}{dot}", ["a", "b"][row % 2])
        })
    };
    let mut config = TableConfig::new(files.write("train.csv", rows("")), "y");
    config.test_path = Some(files.write("test.csv", rows(".")));
    let table = Table::load(TableFormat::Csv, &config).unwrap();
    let splits = split(&table, &config, 1, TargetKind::Class).unwrap();
    let report = inspect(&table, &splits, &config, TargetKind::Class).unwrap();
    let message = messages(&report.errors);
    for part in [
        "2 classes are in no training row, so they cannot be learned: \"a.\" (15 rows), \"b.\" (15 rows)",
        "\"a.\" looks like \"a\" written otherwise",
        "leave them out of test_path",
    ] {
        assert!(message.contains(part), "{part} is not in {message}");
    }
    assert!(!message.contains("stratify"), "{message}");
    refused(
        crate::preprocessing::load(&config),
        &["row 1 of", "test.csv", "\"a.\""],
    );
}

#[test]
fn rows_that_look_like_groups_are_pointed_out() {
    let rows = csv("patient,x,y", 200, |row| {
        let patient = row / 5;
        format!(
            "P{patient},{}.5,{}",
            row * 13 % 67,
            ["a", "b"][patient * 3 % 7 % 2]
        )
    });
    let table = table(&rows);
    let hint = "\"patient\": all rows of each of its 40 values have one target";
    let found = report(&table, &config("y"), TargetKind::Class, 150);
    assert!(
        messages(&found.warnings).contains(hint),
        "{:?}",
        found.warnings
    );
    let grouped = with(config("y"), |config| {
        config.split.group = Some("patient".into())
    });
    let found = report(&table, &grouped, TargetKind::Class, 150);
    assert!(!messages(&found.warnings).contains("all rows of each"));
}
