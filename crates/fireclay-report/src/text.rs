//! Numbers and counts as people read them.

/// A number with four significant digits, or as many as a count has.
pub(crate) fn number(value: f64) -> String {
    let digits = value.abs().log10().floor();
    match digits {
        _ if !value.is_finite() || value == 0.0 => format!("{value}"),
        d if d < -4.0 => format!("{value:.3e}"),
        d if d >= 7.0 => format!("{value:.3e}"),
        d if d >= 4.0 => format!("{value:.1}"),
        d if d >= 0.0 => format!("{value:.*}", (3 - d as usize).max(1)),
        _ => format!("{value:.4}"),
    }
}

/// A number as the mark of an axis, of which the next is `step` away.
pub(crate) fn tick(value: f64, step: f64) -> String {
    let size = value.abs().max(step.abs());
    if value == 0.0 && size < 1e-2 {
        return "0".to_owned();
    }
    if size != 0.0 && !(1e-2..1e6).contains(&size) {
        let digits = value.abs().log10().floor() - step.abs().log10().floor();
        return format!("{value:.*e}", digits.clamp(0.0, 8.0) as usize);
    }
    let digits = (-step.abs().log10().floor()).clamp(0.0, 8.0) as usize;
    let text = format!("{value:.digits$}");
    // Rounding leaves a minus before zero.
    if text.trim_start_matches(['-', '0', '.']).is_empty() {
        text.replace('-', "")
    } else {
        text
    }
}

/// A whole number with a thin space after every three digits.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev();
    let groups = groups.map(|group| String::from_utf8_lossy(group));
    groups.collect::<Vec<_>>().join("\u{202f}")
}

/// A share in percent.
pub(crate) fn percent(share: f64) -> String {
    match 100.0 * share {
        p if p == 0.0 || p == 100.0 => format!("{p:.0}\u{a0}%"),
        p => format!("{p:.1}\u{a0}%"),
    }
}

/// A time, in the unit that fits it.
pub(crate) fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match seconds {
        s if s < 1e-3 => format!("{:.0} µs", s * 1e6),
        s if s < 1.0 => format!("{:.0} ms", s * 1e3),
        s if s < 119.5 => format!("{s:.1} s"),
        s if s < 7200.0 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
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

/// A count with its noun: "1 row", "2 rows".
pub(crate) fn plural(n: usize, noun: &str) -> String {
    let s = if n == 1 { "" } else { "s" };
    format!("{} {noun}{s}", count(n as u64))
}

/// Names in a sentence, of which at most `most` are said.
pub(crate) fn listed<S: AsRef<str>>(names: &[S], most: usize) -> String {
    let shown: Vec<&str> = names.iter().take(most).map(AsRef::as_ref).collect();
    match names.len().saturating_sub(most) {
        0 => shown.join(", "),
        rest => format!("{} and {rest} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let shown = [0.97674, 0.000012, 0.0, 54.1234, 3012.77, 123456.0, 1.5e9].map(number);
        let wanted = [
            "0.9767", "1.200e-5", "0", "54.12", "3012.8", "123456.0", "1.500e9",
        ];
        assert_eq!(shown, wanted);
        assert_eq!(
            [
                tick(0.25, 0.05),
                tick(-0.0, 0.5),
                tick(2e7, 1e7),
                tick(0.000_600_000_000_1, 2e-4)
            ],
            ["0.25", "0.0", "2e7", "6e-4"]
        );
        assert_eq!(
            [count(999), count(1234567)],
            ["999", "1\u{202f}234\u{202f}567"]
        );
        assert_eq!(
            [percent(0.5), percent(0.987), percent(1.0)],
            ["50.0\u{a0}%", "98.7\u{a0}%", "100\u{a0}%"]
        );
        let times = [0.0123, 2.79, 300.0, 9000.0].map(duration);
        assert_eq!(times, ["12 ms", "2.8 s", "5 min 0 s", "2 h 30 min"]);
        assert_eq!(listed(&["a", "b", "c"], 2), "a, b and 1 more");
    }
}
