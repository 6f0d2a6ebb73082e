use fireclay_data::{DataReport, Splits, Table, TableConfig, TargetKind, inspect};

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
            "class \"c\" (1 rows) is in no training row",
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
