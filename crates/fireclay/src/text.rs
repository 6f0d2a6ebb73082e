//! Plain text for people.

/// Prints a line to standard output. Unlike `println!` it does not panic when the reader has closed the
/// pipe, as `| head` does: the training continues.
macro_rules! say {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout(), $($text)*);
    }};
}
pub(crate) use say;

/// Tells a line to people on standard output: as `say!`, with breaks between words where the terminal is too
/// narrow. What goes on is indented by the first argument.
macro_rules! tell {
    ($hang:expr, $($text:tt)*) => {
        $crate::text::say!("{}", $crate::screen::Screen::out().prose($hang, &format!($($text)*)))
    };
}
pub(crate) use tell;

/// Warns people on standard error, likewise.
macro_rules! warn {
    ($($text:tt)*) => {
        eprintln!("{}", $crate::screen::Screen::err().prose(2, &format!($($text)*)))
    };
}
pub(crate) use warn;

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
