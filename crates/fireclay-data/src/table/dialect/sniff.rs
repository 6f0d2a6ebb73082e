//! How a file of text is written, from its first records.

use std::collections::VecDeque;
use std::path::Path;

use csv::ByteRecord;

use super::encoding;
use super::footer::{LAST_ROWS, is_footer};
use super::header::{Verdict, number};
use super::layout::Layout;
use super::marks::{Marks, cells, reader};
use super::{Dialect, ExtraField};
use crate::error::DataError;
use crate::files::{Text, head, open_text};

/// Bytes that are looked at.
const HEAD: u64 = 1 << 18;

/// What a file seems to be written like, and what a person should know of that, in sentences.
#[derive(Debug, Default)]
pub(crate) struct Sniffed {
    pub dialect: Dialect,
    pub notes: Vec<String>,
    /// What cuts the lines into cells, if anything does.
    pub delimiter: Option<u8>,
}

/// Looks at the start of a file; `usual` is the delimiter that its name stands for.
///
/// # Errors
/// [`DataError::Read`], [`DataError::Damaged`].
pub(crate) fn sniff(path: &Path, usual: u8) -> Result<Sniffed, DataError> {
    let mut sniffed = Sniffed::default();
    let encoding = encoding::guess(path)?;
    let mut text = open_text(path, encoding)?;
    let bytes = head(&mut text, HEAD).map_err(|source| DataError::read(path, source))?;
    let whole = (bytes.len() as u64) < HEAD;
    // The last line may be cut off.
    let last = bytes.iter().rposition(|byte| *byte == b'\n');
    let end = if whole {
        bytes.len()
    } else {
        last.map_or(bytes.len(), |index| index + 1)
    };
    let text = String::from_utf8_lossy(&bytes[..end]);
    if let Some(encoding) = encoding {
        sniffed.set_encoding(encoding.name(), &text);
    }
    let (skipped, table, delimiters) = match separator_line(&text) {
        Some((delimiter, rest)) => (1, rest, vec![delimiter]),
        None => (0, &*text, b",;\t| ".to_vec()),
    };
    match best(table, &delimiters) {
        Some(layout) => {
            let is_cut = layout.marks.delimiter != b' ' || is_aligned(table);
            sniffed.delimiter = is_cut.then_some(layout.marks.delimiter);
            sniffed.set_layout(&layout, skipped, usual, &text);
            // Reading tells of it.
            sniffed.dialect.footer = last_words(
                open_text(path, encoding)?,
                layout.marks,
                skipped + layout.before,
            );
        }
        None if skipped > 0 => sniffed.set_skipped(skipped, &text),
        None => {}
    }
    Ok(sniffed)
}

/// The keys that would read a file which these do not, as far as its start tells.
pub(crate) fn advice(path: &Path, given: &Dialect, usual: u8) -> Option<String> {
    let found = sniff(path, usual).ok()?.dialect.keys();
    let given = given.keys();
    let missing = found.into_iter().filter(|key| !given.contains(key));
    let missing: Vec<String> = missing
        .map(|(key, value)| format!("{key} = {value}"))
        .collect();
    (!missing.is_empty()).then(|| missing.join(", "))
}

/// The delimiter in the line `sep=;` that Excel reads, and the text below it.
fn separator_line(text: &str) -> Option<(u8, &str)> {
    let (line, rest) = text.split_once('\n')?;
    let line = line.trim_end_matches('\r').trim_matches('"');
    let value = line.get(..4).filter(|key| key.eq_ignore_ascii_case("sep="));
    match (value, line.as_bytes().get(4..)?) {
        (Some(_), [delimiter]) if delimiter.is_ascii() => Some((*delimiter, rest)),
        _ => None,
    }
}

/// The layout with the least that is no table, and of those that with the most columns.
fn best(text: &str, delimiters: &[u8]) -> Option<Layout> {
    let quote = Some(if is_single_quoted(text) { b'\'' } else { b'"' });
    let layouts = delimiters.iter().filter_map(|&delimiter| {
        let marks = Marks {
            delimiter,
            quote,
            comment: None,
        };
        with_comments(text, marks)
    });
    let mut layouts: Vec<Layout> = layouts.collect();
    // Words are between spaces in any text, unless the spaces align columns.
    let is_aligned = is_aligned(text);
    let is_blank = |layout: &Layout| layout.marks.delimiter == b' ' && !is_aligned;
    layouts.sort_by_key(|layout| (is_blank(layout), layout.before, usize::MAX - layout.width));
    let (first, others) = layouts.split_first()?;
    let mut others = others.iter().filter(|other| other.before == first.before);
    let instead = others.find(|other| match first.marks.delimiter {
        // Each field between semicolons has at most one decimal comma.
        b',' if other.marks.delimiter != b' ' => first.width <= other.width + 1,
        // Runs of tabs are one delimiter.
        _ => other.odd < first.odd && other.width >= first.width,
    });
    Some(instead.unwrap_or(first).clone())
}

/// Whether most lines have several spaces in a row.
fn is_aligned(text: &str) -> bool {
    let lines = || {
        text.lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .take(200)
    };
    let aligned = lines().filter(|line| line.contains("  ")).count();
    2 * aligned > lines().count()
}

/// The layout without or with lines of comment, whichever makes more sense.
fn with_comments(text: &str, marks: Marks) -> Option<Layout> {
    let plain = Layout::find(text, marks);
    if plain.as_ref().is_some_and(Layout::is_clean) {
        return plain;
    }
    let starts = |mark: u8| {
        text.lines()
            .any(|line| line.as_bytes().first() == Some(&mark))
    };
    for comment in b"#%".iter().copied().filter(|mark| starts(*mark)) {
        let commented = Layout::find(
            text,
            Marks {
                comment: Some(comment),
                ..marks
            },
        );
        let (Some(commented), Some(plain)) = (&commented, &plain) else {
            if commented.is_some() {
                return commented;
            }
            continue;
        };
        // The names of the columns may stand in a comment.
        let is_name = plain.names[0].as_bytes().first() == Some(&comment);
        let has_names = is_name && plain.first == Verdict::Header;
        if !has_names && (commented.before < plain.before || commented.odd < plain.odd) {
            return Some(commented.clone());
        }
    }
    plain
}

/// Whether fields stand between single quotes, which other apostrophes do not.
fn is_single_quoted(text: &str) -> bool {
    let is_edge = |byte: Option<&u8>| byte.is_none_or(|byte| b",;\t|\r".contains(byte));
    let (mut lines, mut quoted, mut all, mut pairs) = (0, 0, 0, 0);
    for line in text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .take(200)
    {
        let bytes = line.as_bytes();
        let at = |index: &usize| bytes[*index] == b'\'';
        let marks: Vec<usize> = (0..bytes.len()).filter(at).collect();
        let before = |index: usize| index.checked_sub(1).map(|index| &bytes[index]);
        let opening = marks
            .iter()
            .filter(|index| is_edge(before(**index)))
            .count();
        let closing = marks
            .iter()
            .filter(|index| is_edge(bytes.get(**index + 1)))
            .count();
        lines += 1;
        all += marks.len();
        pairs += opening.min(closing);
        quoted += usize::from(opening > 0 && opening == closing);
    }
    2 * quoted >= lines && pairs > 0 && 10 * 2 * pairs >= 8 * all
}

/// The word by which the last records of a text say that they sum up the others, if no other record has such
/// a word: that of the first of them. So many records are before the table.
fn last_words(text: Text, marks: Marks, before: usize) -> Option<String> {
    let (mut reader, mut record) = (reader(text, marks), ByteRecord::new());
    // The names of the columns are no row.
    for _ in 0..=before {
        reader.read_byte_record(&mut record).ok()?;
    }
    let (mut found, mut last) = (0, VecDeque::new());
    while reader.read_byte_record(&mut record).ok()? {
        let mut texts = cells(&record).filter_map(|cell| std::str::from_utf8(cell).ok());
        let word = texts.find(|cell| is_footer(cell)).map(str::to_owned);
        found += usize::from(word.is_some());
        last.push_back(word);
        if last.len() > LAST_ROWS {
            last.pop_front();
        }
    }
    let words: Vec<String> = last
        .into_iter()
        .skip_while(Option::is_none)
        .flatten()
        .collect();
    words.first().filter(|_| words.len() == found).cloned()
}

impl Sniffed {
    fn set_encoding(&mut self, name: &str, text: &str) {
        let name = name.to_ascii_lowercase();
        let is_example = |word: &&str| !word.is_ascii();
        let example = text.split(|c: char| !c.is_alphanumeric()).find(is_example);
        let example = example
            .map(|word| format!(", with words such as {word:?}"))
            .unwrap_or_default();
        self.notes.push(format!(
            "the text is not UTF-8 and is read as {name}{example}: set `encoding` if that is wrong"
        ));
        self.dialect.encoding = Some(name);
    }

    fn set_layout(&mut self, layout: &Layout, skipped: usize, usual: u8, text: &str) {
        let marks = layout.marks;
        let word = |byte: u8| Some(char::from(byte).to_string());
        if marks.delimiter != usual {
            self.dialect.delimiter = word(marks.delimiter);
        }
        if marks.quote == Some(b'\'') {
            self.dialect.quote = word(b'\'');
            self.notes
                .push("fields stand between single quotes: quote = \"'\"".into());
        }
        if let Some(comment) = marks.comment {
            self.dialect.comment = word(comment);
            let comment = char::from(comment);
            self.notes.push(format!(
                "lines that start with {comment} are left out as comments: comment = \"{comment}\""
            ));
        }
        let above = if layout.before > 0 {
            layout.line as usize - 1
        } else {
            0
        };
        if skipped + above > 0 {
            self.set_skipped(skipped + above, text);
        }
        self.set_extra(layout.extra);
        self.set_header(layout);
    }

    fn set_skipped(&mut self, rows: usize, text: &str) {
        self.dialect.skip_rows = Some(rows);
        let first: String = text
            .lines()
            .next()
            .unwrap_or_default()
            .chars()
            .take(60)
            .collect();
        self.notes.push(format!("the table starts below {rows} other lines, the first of them {first:?}: skip_rows = {rows}"));
    }

    fn set_extra(&mut self, extra: Option<ExtraField>) {
        self.dialect.extra_field = extra;
        match extra {
            Some(ExtraField::First) => self.notes.push("each row has one field more than the header, which is taken for the name of the row: extra_field = \"first\"".into()),
            Some(ExtraField::Last) => self.notes.push("each row ends with a delimiter that the header lacks: extra_field = \"last\"".into()),
            None => {}
        }
    }

    fn set_header(&mut self, layout: &Layout) {
        let names = || layout.names.iter().filter(|name| !name.is_empty());
        if layout.first == Verdict::Data {
            self.dialect.header = Some(false);
            self.notes.push("the first line looks like data, so the columns are named column_1, column_2 and so on: header = false; take that out if the line names the columns".into());
        } else if layout.has_two_headers {
            let rows = layout.line;
            self.notes.push(format!("the line below the names of the columns looks like names, too: set skip_rows = {rows} if they are, or take it out if it holds units"));
        } else if names().all(|name| number(name).is_some()) {
            self.notes.push("the first line is taken for the names of the columns, though they are numbers: set header = false if it is data".into());
        }
    }
}
