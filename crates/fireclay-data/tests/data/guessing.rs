use fireclay_data::{
    ColumnKind, Guess, SplitConfig, TableConfig, TableData, TableFormat, TargetKind, guess,
};

use crate::Files;

fn guess_csv(header: &str, row: impl Fn(usize) -> String) -> Guess {
    let files = Files::new();
    let rows: String = (0..200).map(|index| row(index) + "\n").collect();
    let path = files.write("table.csv", format!("{header}\n{rows}"));
    let guess = guess(&path).unwrap();
    trains(&path, &guess);
    guess
}

/// The guess, written down as it is, loads.
fn trains(path: &str, guess: &Guess) {
    let mut config = TableConfig::new(path, &guess.target);
    config.id.clone_from(&guess.id);
    config.ignore.clone_from(&guess.ignore);
    config.delimiter.clone_from(&guess.delimiter);
    config.split = SplitConfig {
        stratify: guess.stratify,
        ..Default::default()
    };
    assert_eq!(config.validate(guess.format), []);
    TableData::load(guess.format, &config, 1, guess.target_kind).unwrap();
}

fn kind(guess: &Guess, name: &str) -> ColumnKind {
    guess
        .columns
        .iter()
        .find(|column| column.name == name)
        .unwrap()
        .kind
}

#[test]
fn passengers() {
    let guess = guess_csv(
        "PassengerId,Survived,Pclass,Name,Sex,Age,Ticket,Fare,Cabin,Embarked",
        |i| {
            let cabin = if i % 4 == 0 {
                format!("C{i}")
            } else {
                String::new()
            };
            let age = if i % 5 == 0 {
                String::new()
            } else {
                (i % 60).to_string()
            };
            format!(
                "{},{},{},\"Name, Mr. {i}\",{},{age},T {},{}.25,{cabin},{}",
                i + 1,
                i * i % 3 % 2,
                i % 3 + 1,
                ["male", "female"][i % 2],
                i * 2 / 3,
                i % 91,
                ["S", "C", "Q", ""][i % 4]
            )
        },
    );
    assert_eq!(
        (
            guess.target.as_str(),
            guess.target_kind,
            guess.id.as_deref()
        ),
        ("Survived", TargetKind::Class, Some("PassengerId"))
    );
    assert_eq!(guess.ignore, ["Name", "Ticket", "Cabin"]);
    assert_eq!(
        (kind(&guess, "Sex"), kind(&guess, "Age")),
        (ColumnKind::Categorical, ColumnKind::Numeric)
    );
    assert!(guess.stratify);
}

#[test]
fn the_passengers_that_tell_twice() {
    let guess = guess_csv("survived,pclass,sex,class,alive,alone", |i| {
        let alive = usize::from(i % 5 < 2);
        format!(
            "{alive},{},{},{},{},{}",
            i % 3,
            ["m", "f"][i * i % 3 % 2],
            ["First", "Second", "Third"][i % 3],
            ["no", "yes"][alive],
            ["True", "False"][i / 3 % 2]
        )
    });
    assert_eq!(guess.target, "survived");
    assert_eq!(guess.ignore, ["alive"]);
    assert_eq!(kind(&guess, "alone"), ColumnKind::Boolean);
    assert!(
        guess
            .notes
            .iter()
            .any(|note| note.contains("tells the target by itself"))
    );
}

#[test]
fn incomes_with_spaces_and_question_marks() {
    let guess = guess_csv(
        "age, workclass, education-num, native-country, income",
        |i| {
            format!(
                "{}, {}, {}, {}, {}",
                i % 60,
                ["Private", "?", "State-gov"][i % 3],
                i % 16,
                ["US", "?"][i % 2],
                ["<=50K", ">50K"][i * i % 7 % 2]
            )
        },
    );
    assert_eq!(
        (guess.target.as_str(), guess.target_kind),
        ("income", TargetKind::Class)
    );
    assert!(
        guess.columns[1]
            .reason
            .contains("2 different texts, missing in 67 of 200 rows"),
        "{:?}",
        guess.columns[1]
    );
}

#[test]
fn wine_between_semicolons() {
    let guess = guess_csv("\"fixed acidity\";\"alcohol\";\"quality\"", |i| {
        format!("{}.4;{}.1;{}", i % 11, i % 7, 3 + i * i % 6)
    });
    assert_eq!(
        (
            guess.delimiter.as_deref(),
            guess.target.as_str(),
            guess.target_kind
        ),
        (Some(";"), "quality", TargetKind::Class)
    );
    assert!(guess.notes.iter().any(|note| note.contains("regression")));
}

#[test]
fn houses_have_a_price() {
    let guess = guess_csv(
        "longitude,latitude,median_house_value,ocean_proximity",
        |i| {
            format!(
                "-{}.1,{}.2,{},{}",
                i % 120,
                i % 40,
                i * 977 % 1009 * 100,
                ["INLAND", "NEAR BAY"][i % 2]
            )
        },
    );
    assert_eq!(
        (guess.target.as_str(), guess.target_kind, guess.stratify),
        ("median_house_value", TargetKind::Number, false)
    );
}

#[test]
fn penguins_come_with_row_numbers() {
    let guess = guess_csv(",species,island,bill_length_mm,sex,year", |i| {
        format!(
            "{i},{},{},{}.5,{},{}",
            ["Adelie", "Gentoo", "Chinstrap"][i * i % 5 % 3],
            ["Biscoe", "Dream"][i % 2],
            i % 40,
            ["male", "female", "NA"][i % 3],
            2007 + i % 3
        )
    });
    assert_eq!(
        (guess.target.as_str(), guess.ignore.as_slice(), guess.id),
        ("species", ["Unnamed: 0".to_owned()].as_slice(), None)
    );
}

#[test]
fn hearts_have_a_target_in_the_last_column() {
    let guess = guess_csv("age,sex,cp,chol,target", |i| {
        format!(
            "{},{},{},{},{}",
            i % 50,
            i % 2,
            i % 4,
            200 + i * 3 % 77,
            i * i % 5 % 2
        )
    });
    assert_eq!(
        (guess.target.as_str(), guess.target_kind),
        ("target", TargetKind::Class)
    );
    let unnamed = guess_csv("a,b,c", |i| {
        format!("{},{}.5,{}.25", i % 50, i % 9, i * 31 % 199)
    });
    assert_eq!(
        (unnamed.target.as_str(), unnamed.target_kind),
        ("c", TargetKind::Number)
    );
    assert!(unnamed.notes[0].contains("it is the last column"));
}

#[test]
fn the_format_is_seen_in_the_first_bytes() {
    let files = Files::new();
    let lines: String = (0..50)
        .map(|i| {
            format!(
                "{{\"x\": {}, \"label\": \"{}\"}}\n",
                i * 7 % 13,
                ["a", "b"][i % 2]
            )
        })
        .collect();
    let path = files.write("no-extension", lines);
    let guess = guess(&path).unwrap();
    assert_eq!(
        (guess.format, guess.target.as_str()),
        (TableFormat::Jsonl, "label")
    );
    trains(&path, &guess);
}

#[test]
fn what_cannot_be_learned_is_said() {
    let files = Files::new();
    let rows: String = (0..20).map(|i| format!("{i},same\n")).collect();
    let message = guess(&files.write("a.csv", format!("id,k\n{rows}")))
        .unwrap_err()
        .to_string();
    assert!(message.contains("no column can be a target"), "{message}");
    let numbers: String = (0..20)
        .map(|i| format!("{}.5,{}\n", i * 3 % 7, i % 2))
        .collect();
    let noted = guess(&files.write("b.csv", numbers)).unwrap();
    assert!(
        noted.notes[0].contains("the first line of"),
        "{:?}",
        noted.notes
    );
}
