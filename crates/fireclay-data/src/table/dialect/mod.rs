//! How files of text differ in the way they write a table.

mod encoding;
mod footer;
mod header;
mod keys;
mod layout;
mod marks;
mod sniff;

use encoding_rs::Encoding;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

pub(crate) use self::encoding::advice as encoding_advice;
pub(crate) use self::footer::{LAST_ROWS, is_footer};
pub(crate) use self::keys::with_dialect;
pub(crate) use self::marks::{Marks, cells, reader};
pub(crate) use self::sniff::{Sniffed, advice, sniff};
use crate::config::Problems;

/// The keys of `[data]` that say how a text holds a table, as they are given; see
/// [`TableConfig`](super::TableConfig) for what each means.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Dialect {
    /// The character between fields.
    pub delimiter: Option<String>,
    /// The character around fields.
    pub quote: Option<String>,
    /// The character that starts a line of comment.
    pub comment: Option<String>,
    /// The lines before the header.
    pub skip_rows: Option<usize>,
    /// Whether the first line names the columns.
    pub header: Option<bool>,
    /// The field that each row has and the header has not.
    pub extra_field: Option<ExtraField>,
    /// A text that tells that the last row is no sample.
    pub footer: Option<String>,
    /// The encoding of the text.
    pub encoding: Option<String>,
}

/// The field that each row has and the header has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExtraField {
    /// The first one names the row, as R's `write.table` has it: the column `Unnamed: 0`.
    First,
    /// The last one is empty, since each row ends with the delimiter: it is left out.
    Last,
}

impl Dialect {
    /// The keys that are given and their values as TOML writes them, in the order of the struct.
    pub fn keys(&self) -> Vec<(&'static str, String)> {
        let text = |text: &Option<String>| text.as_ref().map(|text| json!(text).to_string());
        let keys = [
            ("delimiter", text(&self.delimiter)),
            ("quote", text(&self.quote)),
            ("comment", text(&self.comment)),
            ("skip_rows", self.skip_rows.map(|rows| rows.to_string())),
            ("header", self.header.map(|header| header.to_string())),
            (
                "extra_field",
                self.extra_field.map(|field| json!(field).to_string()),
            ),
            ("footer", text(&self.footer)),
            ("encoding", text(&self.encoding)),
        ];
        keys.into_iter()
            .filter_map(|(key, value)| Some((key, value?)))
            .collect()
    }

    /// Whether the first line names the columns.
    pub(crate) fn has_header(&self) -> bool {
        self.header.unwrap_or(true)
    }

    /// The encoding that is given, if it is known.
    pub(crate) fn encoding(&self) -> Option<&'static Encoding> {
        Encoding::for_label(self.encoding.as_ref()?.as_bytes())
    }

    /// The characters with a meaning; `usual` is the delimiter where none is given.
    pub(crate) fn marks(&self, usual: u8) -> Marks {
        let first = |text: &Option<String>| text.as_ref().and_then(|text| text.bytes().next());
        Marks {
            delimiter: first(&self.delimiter).unwrap_or(usual),
            // An empty text is no quote at all.
            quote: if self.quote.is_some() {
                first(&self.quote)
            } else {
                Some(b'"')
            },
            comment: first(&self.comment),
        }
    }

    /// What is impossible about the values.
    pub(crate) fn validate(&self, problems: &mut Problems) {
        let is_mark = |text: &str| matches!(text.as_bytes(), [byte] if byte.is_ascii() && !b"\r\n\0".contains(byte));
        if let Some(delimiter) = &self.delimiter
            && !(is_mark(delimiter) && delimiter != "\"")
        {
            problems.add("delimiter", format!("must be one ASCII character other than a quote or line break, but is {delimiter:?}"));
        }
        if let Some(quote) = &self.quote
            && !(is_mark(quote) || quote.is_empty())
        {
            problems.add("quote", format!("must be one ASCII character, or empty for files in which quotes have no meaning, but is {quote:?}"));
        }
        if let Some(comment) = &self.comment
            && !is_mark(comment)
        {
            problems.add(
                "comment",
                format!("must be one ASCII character, but is {comment:?}"),
            );
        }
        let marks = self.marks(b',');
        if marks.quote == Some(marks.delimiter) || marks.comment == Some(marks.delimiter) {
            problems.add(
                "delimiter",
                "is also quote or comment; a character has one meaning",
            );
        }
        if self.extra_field.is_some() && !self.has_header() {
            problems.add("extra_field", "needs a header to compare the rows with");
        }
        problems.check_texts([("footer", self.footer.as_ref())]);
        if let Some(encoding) = &self.encoding
            && self.encoding().is_none()
        {
            problems.add("encoding", format!("is no encoding that is known: {encoding:?}; usual ones are \"utf-8\", \"windows-1252\" (Latin-1), \"utf-16le\", \"shift_jis\", \"gbk\""));
        }
    }
}
