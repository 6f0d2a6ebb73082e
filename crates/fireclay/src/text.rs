//! Plain text for people.

/// Prints a line to standard output. Unlike `println!` it does not panic when nobody reads on, as
/// behind `| head`: a training goes on.
macro_rules! say {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout(), $($text)*);
    }};
}
pub(crate) use say;

/// Rows of cells as left-aligned columns, two spaces apart; cells that look like numbers are
/// aligned to the right.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
    };
    let widths: Vec<usize> = (0..columns)
        .map(|column| width(column).unwrap_or(0))
        .collect();
    rows.iter().map(|row| line(row, &widths) + "\n").collect()
}

fn line(row: &[String], widths: &[usize]) -> String {
    let cells = row.iter().zip(widths).map(|(cell, &width)| {
        if cell.parse::<f64>().is_ok() {
            format!("{cell:>width$}")
        } else {
            format!("{cell:<width$}")
        }
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
        assert_eq!(
            table(&rows),
            "       rows  loss\ntrain   398   0.1\ntest      8  0.25\n"
        );
    }

    #[test]
    fn numbers_are_short() {
        let shown = [0.97674, 0.000012, 0.0, 54.1234, 3012.77, 123456.0].map(number);
        assert_eq!(
            shown,
            ["0.9767", "1.200e-5", "0", "54.12", "3012.8", "123456.0"]
        );
    }
}
