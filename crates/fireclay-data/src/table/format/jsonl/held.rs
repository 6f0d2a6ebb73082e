//! JSON that a program holds in memory, read in one pass where nothing is to be said of it.

use std::collections::HashMap;
use std::fmt;

use arrow::array::RecordBatch;
use encoding_rs::UTF_8;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::row::cell;
use crate::files::LONGEST_LINE;
use crate::table::format::text::TextColumns;
use crate::table::stream::ReadOptions;

/// Keys beside those that are wanted.
const MOST_OTHERS: usize = 1000;

/// What may stand between values.
const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];

/// What JSON in memory holds.
#[derive(Clone, Debug, PartialEq)]
pub enum JsonRows {
    /// Rows of which there is nothing to say.
    Read(RecordBatch),
    /// More rows than there may be: so many.
    TooMany(usize),
    /// What the reader of files has more to find out or to say of: an error, a note, no row, no key of a wanted column, an
    /// object in an object, over a thousand other keys, or another encoding.
    Unclear,
}

/// Reads the `wanted` columns of JSON in memory, in this order, as [`stream`](crate::stream) reads them from a file, and
/// after them the column `id` where a row has that key; `most` rows at most.
pub fn json_rows(
    bytes: &[u8],
    options: &ReadOptions,
    (wanted, id): (&[String], Option<&str>),
    most: usize,
) -> JsonRows {
    let is_utf8 = options.dialect.encoding().is_none_or(|it| it == UTF_8);
    // A mark of the encoding is left to the reader of files: JSON cannot begin with it.
    let text = std::str::from_utf8(bytes).ok().filter(|_| is_utf8);
    let Some(text) = text.filter(|text| text.len() <= LONGEST_LINE) else {
        return JsonRows::Unclear;
    };
    let id = id.filter(|id| wanted.iter().all(|name| name != id));
    let names: Vec<String> = wanted.iter().cloned().chain(id.map(String::from)).collect();
    let mut rows = Rows::new(&names, most);
    match rows.read(text) {
        Ok(()) if rows.count > most => JsonRows::TooMany(rows.count),
        Ok(()) => rows
            .finish(wanted.len())
            .map_or(JsonRows::Unclear, JsonRows::Read),
        Err(_) => JsonRows::Unclear,
    }
}

/// The rows under construction.
struct Rows<'a> {
    columns: TextColumns,
    index: HashMap<&'a str, usize>,
    names: &'a [String],
    /// Whether a row has the key of a column.
    seen: Vec<bool>,
    /// The column after that of the last key: most rows have their keys in the order of the first.
    next: usize,
    /// The other keys, each with the row that had it last.
    others: HashMap<String, usize>,
    /// Rows so far, of which the first `most` are kept.
    count: usize,
    most: usize,
}

impl<'a> Rows<'a> {
    fn new(names: &'a [String], most: usize) -> Self {
        let index = names.iter().enumerate();
        Self {
            columns: TextColumns::new(names.to_vec()),
            index: index.map(|(at, name)| (name.as_str(), at)).collect(),
            names,
            seen: vec![false; names.len()],
            next: 0,
            others: HashMap::new(),
            count: 0,
            most,
        }
    }

    /// Objects one after the other, or one array of them.
    fn read(&mut self, text: &str) -> serde_json::Result<()> {
        let mut rest = text.trim_start_matches(BLANKS);
        if rest.starts_with('[') {
            let mut parser = serde_json::Deserializer::from_str(rest);
            parser.deserialize_seq(Array(self))?;
            return parser.end();
        }
        while !rest.is_empty() {
            let mut objects = serde_json::Deserializer::from_str(rest).into_iter::<&RawValue>();
            let Some(object) = objects.next().transpose()? else {
                return Err(Error::custom("no object"));
            };
            let end = objects.byte_offset();
            match object.get().starts_with('{') {
                true => self.count += 1,
                false => return Err(Error::custom("no object")),
            }
            if self.count <= self.most {
                let mut parser = serde_json::Deserializer::from_str(object.get());
                Object(self).deserialize(&mut parser)?;
            }
            rest = rest[end..].trim_start_matches(BLANKS);
        }
        Ok(())
    }

    /// The columns, if there are rows and all that are wanted are there; a last one only if a row has it.
    fn finish(mut self, wanted: usize) -> Option<RecordBatch> {
        let has_wanted = self.seen[..wanted].iter().all(|seen| *seen);
        if self.columns.rows() == 0 || !has_wanted {
            return None;
        }
        let batch = self.columns.finish().ok()?;
        match self.seen[wanted..].contains(&false) {
            true => batch.project(&(0..wanted).collect::<Vec<_>>()).ok(),
            false => Some(batch),
        }
    }

    /// The column of a key; none of one that is not wanted.
    fn column<E: Error>(&mut self, key: &str) -> Result<Option<usize>, E> {
        let is_next = self.names.get(self.next).is_some_and(|name| name == key);
        let found = match is_next {
            true => Some(self.next),
            false => self.index.get(key).copied(),
        };
        match found {
            Some(column) => self.next = column + 1,
            None => self.other(key)?,
        }
        Ok(found)
    }

    fn other<E: Error>(&mut self, key: &str) -> Result<(), E> {
        let row = self.columns.rows();
        if let Some(last) = self.others.get_mut(key) {
            return match std::mem::replace(last, row) == row {
                true => Err(E::custom("a key twice")),
                false => Ok(()),
            };
        }
        self.others.insert(key.to_owned(), row);
        match self.others.len() > MOST_OTHERS {
            true => Err(E::custom("many columns")),
            false => Ok(()),
        }
    }
}

/// The array of all rows.
struct Array<'r, 'a>(&'r mut Rows<'a>);

impl<'de> Visitor<'de> for Array<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        while self.0.count < self.0.most {
            match rows.next_element_seed(Object(self.0))? {
                Some(()) => self.0.count += 1,
                None => return Ok(()),
            }
        }
        while rows.next_element::<IgnoredAny>()?.is_some() {
            self.0.count += 1;
        }
        Ok(())
    }
}

/// A row.
struct Object<'r, 'a>(&'r mut Rows<'a>);

impl<'de> DeserializeSeed<'de> for Object<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let rows = self.0;
        rows.next = 0;
        while let Some(column) = map.next_key_seed(Key(rows))? {
            let raw = map.next_value::<&RawValue>()?.get();
            let Some(column) = column else {
                // An escape of half a letter is no text, and nobody looks at it here.
                match raw.starts_with('{') || raw.contains("\\u") {
                    true => return Err(A::Error::custom("an object in an object, or an escape")),
                    false => continue,
                }
            };
            if raw.starts_with('{') || rows.columns.is_filled(column) {
                return Err(A::Error::custom("no plain row"));
            }
            rows.seen[column] = true;
            cell(&mut rows.columns, column, raw).map_err(A::Error::custom)?;
        }
        rows.columns.end_row();
        Ok(())
    }
}

/// The name of a value.
struct Key<'r, 'a>(&'r mut Rows<'a>);

impl<'de> DeserializeSeed<'de> for Key<'_, '_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_, '_> {
    type Value = Option<usize>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Self::Value, E> {
        self.0.column(key)
    }
}

#[cfg(test)]
mod tests {
    use arrow::compute::concat_batches;
    use proptest::prelude::*;

    use super::*;
    use crate::table::format::TableFormat;
    use crate::table::stream;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn held(text: &str, wanted: &[&str], id: Option<&str>) -> Option<RecordBatch> {
        let options = ReadOptions::new(TableFormat::Jsonl);
        match json_rows(text.as_bytes(), &options, (&names(wanted), id), 9) {
            JsonRows::Read(rows) => Some(rows),
            JsonRows::Unclear => None,
            JsonRows::TooMany(rows) => panic!("{rows} rows"),
        }
    }

    /// What the reader of files has of the same columns, if it has all and nothing to say.
    fn filed(text: &str, wanted: &[&str]) -> Option<RecordBatch> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), text).expect("a file");
        let path = file.path().display().to_string();
        let mut pieces = stream(&path, &ReadOptions::new(TableFormat::Jsonl)).ok()?;
        let read: Vec<RecordBatch> = pieces.by_ref().collect::<Result<_, _>>().ok()?;
        let whole = concat_batches(&read.first()?.schema(), &read).expect("one schema");
        let found = wanted.iter().map(|name| whole.schema().index_of(name).ok());
        let found: Vec<usize> = found.collect::<Option<_>>()?;
        let is_quiet = pieces.notes().is_empty() && whole.num_rows() > 0;
        is_quiet.then(|| whole.project(&found).expect("columns"))
    }

    #[test]
    fn rows_are_those_of_a_file() {
        let wanted = ["a", "b"];
        for text in [
            r#"{"a": 1, "b": "x"}"#,
            r#" [ {"b": " y ", "a": -2.50}, {"a": null, "c": [1, {"d": 2}]}, {"b": true} ] "#,
            "{\"a\": \"\", \"b\": 1e3}\n\n{\"b\": \"\\u00e9\", \"a\": 007e0}",
            "{\"a\": \"\", \"b\": 1e3}\n\n{\"b\": \"\\u00e9\", \"a\": 70}\n",
            r#"{"a": 1, "b": 2}{"a": 3, "b": 4}"#,
            "[{\"a\": \"NA\", \"b\": [1]}]",
        ] {
            let read = held(text, &wanted, None);
            assert_eq!(read, filed(text, &wanted), "{text}");
            assert_eq!(read.is_some(), !text.contains("007"), "{text}");
        }
    }

    #[test]
    fn what_more_is_to_be_said_of_is_left_to_the_reader_of_files() {
        let many: Vec<String> = (0..MOST_OTHERS + 1)
            .map(|at| format!("\"k{at}\":1"))
            .collect();
        let many = format!("{{\"a\": 1, {}}}", many.join(","));
        for text in [
            "",
            "[]",
            "{}",
            "7",
            "{\"b\": 1}",
            "{\"a\": 1",
            "{\"a\": 1} x",
            "{\"a\": NaN}",
            "{\"a\": 1, \"a\": 2}",
            "{\"a\": 1, \"c\": 1, \"c\": 2}",
            "{\"a\": 1}\u{c}{\"a\": 2}",
            "{\"a\": 1, \"c\": {\"d\": 2}}",
            "{\"a\": {\"b\": 2}}",
            "\u{feff}{\"a\": 1}",
            "[{\"a\": 1},]",
            "[{\"a\": 1}",
            "[{\"a\": 1}] {\"a\": 2}",
            "[[1]]",
            &many,
        ] {
            assert_eq!(held(text, &["a"], None), None, "{text}");
        }
        let options = ReadOptions::new(TableFormat::Jsonl);
        let read = |text: &[u8]| json_rows(text, &options, (&names(&["a"]), None), 9);
        assert_eq!(read(b"{\"a\": \"\xe9\"}"), JsonRows::Unclear);
        let lines = |rows: usize| "{\"a\": 1}\n".repeat(rows);
        let list = |rows: usize| format!("[{}]", lines(rows).trim_end().replace('\n', ","));
        for text in [&lines as &dyn Fn(usize) -> String, &list] {
            assert!(
                matches!(read(text(9).as_bytes()), JsonRows::Read(rows) if rows.num_rows() == 9)
            );
            assert_eq!(read(text(12).as_bytes()), JsonRows::TooMany(12));
            assert_eq!(read((text(12) + "}").as_bytes()), JsonRows::Unclear);
        }
    }

    #[test]
    fn an_id_is_there_if_a_row_has_one() {
        let columns =
            |text, wanted: &[&str]| held(text, wanted, Some("id")).map(|rows| rows.num_columns());
        assert_eq!(columns("{\"a\": 1}", &["a"]), Some(1));
        assert_eq!(columns("{\"a\": 1}{\"id\": 7}", &["a"]), Some(2));
        assert_eq!(columns("{\"id\": 7}", &["id"]), Some(1));
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_what_a_file_has(
            rows in proptest::collection::vec(proptest::collection::vec(("[abc]", "(-?[0-9]{1,3}(\\.[0-9])?|\"[ a-z\\\\n]{0,4}\"|null|true|\\[1, 2\\]|\\{\"a\": 1\\}|NaN)"), 0..4), 0..5),
            is_array: bool,
            cut in 0usize..200,
        ) {
            let object = |cells: &Vec<(String, String)>| {
                let cells: Vec<String> = cells.iter().map(|(key, value)| format!("\"{key}\": {value}")).collect();
                format!("{{{}}}", cells.join(", "))
            };
            let rows: Vec<String> = rows.iter().map(object).collect();
            let text = match is_array {
                true => format!("[{}]", rows.join(",")),
                false => rows.join("\n"),
            };
            let text: String = text.chars().take(if cut < 20 { cut } else { usize::MAX }).collect();
            if let Some(read) = held(&text, &["a", "b"], None) {
                prop_assert_eq!(Some(read), filed(&text, &["a", "b"]), "{}", text);
            }
        }
    }
}
