//! Plain text for people.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write, stderr, stdout};
use std::sync::OnceLock;

/// Prints a line to standard output. It never panics: what cannot be written is known at the end of the
/// program, by [`lost`].
macro_rules! say {
    ($($text:tt)*) => {
        $crate::text::put(format_args!("{}\n", format_args!($($text)*)))
    };
}
pub(crate) use say;

/// Prints a line to standard error, which may be closed: then nobody wants to read it.
macro_rules! tell {
    ($($text:tt)*) => {
        $crate::text::put_aside(format_args!("{}\n", format_args!($($text)*)))
    };
}
pub(crate) use tell;

/// Why standard output could not be written for the first time.
static LOST: OnceLock<std::io::Error> = OnceLock::new();

/// Writes a text to standard output.
pub fn put(text: Arguments<'_>) {
    keep(stdout().write_fmt(text));
}

/// Writes a text to standard output, where it is seen at once.
pub fn put_now(text: Arguments<'_>) {
    put(text);
    keep(stdout().flush());
}

/// Writes a text to standard error.
pub fn put_aside(text: Arguments<'_>) {
    // There is no other place to say that this failed.
    let _ = stderr().write_fmt(text);
}

/// Remembers why standard output could not be written. A reader that stopped reading, as `| head` does,
/// has what it wanted.
pub fn keep(written: std::io::Result<()>) {
    if let Err(error) = written
        && error.kind() != ErrorKind::BrokenPipe
    {
        // The first reason is the one that counts.
        let _ = LOST.set(error);
    }
}

/// Why something that was printed is lost, if it is.
pub fn lost() -> Option<&'static std::io::Error> {
    keep(stdout().flush());
    LOST.get()
}

/// Rows of cells as left-aligned columns, two spaces apart; cells that look like numbers are
/// aligned to the right.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    rows.iter().map(|row| line(row, &widths) + "\n").collect()
}

fn line(row: &[String], widths: &[usize]) -> String {
    let cells = row
        .iter()
        .zip(widths)
        .map(|(cell, &width)| match cell.parse::<f64>() {
            Ok(_) => format!("{cell:>width$}"),
            Err(_) => format!("{cell:<width$}"),
        });
    cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

/// A number with four significant digits, or as many as a count has.
pub fn number(value: f64) -> String {
    let digits = value.abs().log10().floor();
    match digits {
        _ if !value.is_finite() || value == 0.0 => format!("{value}"),
        d if d < -4.0 => format!("{value:.3e}"),
        d if d >= 4.0 => format!("{value:.1}"),
        d if d >= 0.0 => format!("{value:.*}", (3 - d as usize).max(1)),
        _ => format!("{value:.4}"),
    }
}

/// A whole number with a comma after every three digits.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev();
    let groups = groups.map(|group| String::from_utf8_lossy(group));
    groups.collect::<Vec<_>>().join(",")
}

/// A number with three digits, in thousands, millions and so on of a unit.
pub fn with_unit(value: f64, unit: &str) -> String {
    const PREFIXES: [&str; 9] = ["", "k", "M", "G", "T", "P", "E", "Z", "Y"];
    let mut scaled = value;
    let mut prefix = 0;
    while scaled >= 999.5 && prefix + 1 < PREFIXES.len() {
        scaled /= 1000.0;
        prefix += 1;
    }
    let digits = match scaled {
        _ if prefix == 0 => 0,
        s if s >= 99.95 => 0,
        s if s >= 9.995 => 1,
        _ => 2,
    };
    format!("{scaled:.digits$} {}{unit}", PREFIXES[prefix])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [
            ["", "rows", "loss"],
            ["train", "398", "0.1"],
            ["test", "8", "0.25"],
        ];
        let rows = rows.map(|row| row.map(String::from).to_vec());
        let shown = "       rows  loss\ntrain   398   0.1\ntest      8  0.25\n";
        assert_eq!(table(&rows), shown);
    }

    #[test]
    fn numbers_are_short() {
        let shown = [0.97674, 0.000012, 0.0, 54.1234, 3012.77, 123456.0].map(number);
        let wanted = ["0.9767", "1.200e-5", "0", "54.12", "3012.8", "123456.0"];
        assert_eq!(shown, wanted);
    }

    #[test]
    fn counts_have_commas() {
        let shown = [0, 999, 1000, 174_604_259_328].map(count);
        assert_eq!(shown, ["0", "999", "1,000", "174,604,259,328"]);
    }

    #[test]
    fn units_have_prefixes() {
        let values = [0.0, 999.0, 1000.0, 12_345.0, 999_600.0, 3.149e23];
        let shown = values.map(|value| with_unit(value, "B"));
        let wanted = ["0 B", "999 B", "1.00 kB", "12.3 kB", "1.00 MB", "315 ZB"];
        assert_eq!(shown, wanted);
    }
}
