//! The lines above a table that are no part of it. A file that a run is given may lack them.

use std::io::{BufRead, Cursor, Read};
use std::path::Path;

use super::usual_delimiter;
use crate::error::DataError;
use crate::files::read_line;
use crate::table::dialect::{Dialect, cells, reader};
use crate::table::stream::ReadOptions;

/// A text without the lines above its table.
pub(super) struct Below {
    pub text: Box<dyn BufRead + Send>,
    /// The lines that are left out.
    pub above: Vec<Vec<u8>>,
    /// What to say where fewer are left out than the configuration has it.
    pub note: Option<String>,
}

/// Leaves out the lines above the table. Where one of them names the columns that a run needs, and the line
/// below them does not, it is the header.
pub(super) fn below(
    mut text: Box<dyn BufRead + Send>,
    path: &Path,
    options: &ReadOptions,
) -> Result<Below, DataError> {
    let dialect = &options.dialect;
    let count = dialect.skip_rows.unwrap_or(0);
    let mut line = || {
        let mut line = Vec::new();
        let read = read_line(&mut text, &mut line);
        read.map_err(|source| DataError::read(path, source))?;
        Ok::<_, DataError>(line)
    };
    let lines = (0..count).map(|_| line());
    let mut above = lines.collect::<Result<Vec<_>, _>>()?;
    let wanted = wanted(options);
    if above.is_empty() || wanted.is_empty() || !dialect.has_header() {
        let note = None;
        return Ok(Below { text, above, note });
    }
    let first = line()?;
    let is_header = |line: &Vec<u8>| {
        let names = names(line, dialect, path);
        let mut wanted = wanted.iter();
        wanted.all(|wanted| names.iter().any(|name| name == wanted))
    };
    let header = above.iter().position(is_header);
    let header = header.filter(|_| !is_header(&first));
    let again = above.split_off(header.unwrap_or(count));
    let again = Cursor::new([again.concat(), first].concat());
    let note = header.map(|line| {
        let line = line + 1;
        format!("line {line} names the columns of training, so the table is read from there, though skip_rows = {count} of the run leaves it out")
    });
    Ok(Below {
        text: Box::new(again.chain(text)),
        above,
        note,
    })
}

/// The columns that a run needs, without those that have their name from this program.
pub(super) fn wanted(options: &ReadOptions) -> Vec<&str> {
    let wanted = options.wanted.iter().map(String::as_str);
    wanted
        .filter(|name| !name.starts_with("Unnamed: "))
        .collect()
}

/// The fields of a line.
fn names(line: &[u8], dialect: &Dialect, path: &Path) -> Vec<String> {
    let mut reader = reader(line, dialect.marks(usual_delimiter(path)));
    let record = reader.byte_records().next().and_then(Result::ok);
    let record = record.unwrap_or_default();
    let names = cells(&record).map(|cell| String::from_utf8_lossy(cell).into_owned());
    names.collect()
}
