//! Problems as text, in the form that rustc gave its name to.

use std::fmt::{self, Write};

use crate::plain::{acts, shortened};
use crate::problem::{ConfigError, Problem, SourceText, Span};

/// The most columns of a line that are shown: with its number they fit a terminal of 80 columns.
const WIDTH: usize = 70;
/// How many columns of a longer line are shown before the marked location.
const BEFORE: usize = 30;
/// The most problems that are shown.
const SHOWN: usize = 20;

impl ConfigError {
    /// The first twenty problems with their lines and carets, and how many there are; in colour for a terminal
    /// if asked. Messages are broken between words into lines of so many columns, if that is given.
    pub fn render(&self, color: bool, columns: Option<usize>) -> String {
        render(self, Style { color, columns })
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.render(false, None).trim_end())
    }
}

/// The problems of an error, each followed by an empty line; the last line says how many there are.
fn render(error: &ConfigError, style: Style) -> String {
    let mut text = String::new();
    for problem in error.problems.iter().take(SHOWN) {
        write_problem(&mut text, problem, &error.sources, style).expect("a string takes all text");
    }
    let count = error.problems.len();
    if count > 1 {
        let rest = match count.saturating_sub(SHOWN) {
            0 => String::new(),
            rest => format!("; {rest} more are not shown"),
        };
        let line = style.paint(RED, &format!("{count} problems found{rest}"));
        writeln!(text, "{line}").expect("a string takes all text");
    }
    text
}

fn write_problem(
    text: &mut String,
    problem: &Problem,
    sources: &[SourceText],
    style: Style,
) -> fmt::Result {
    let message = style.paint(BOLD, &format!(": {}", clean(&problem.message)));
    let message = format!("{}{message}", style.paint(RED, "error"));
    writeln!(text, "{}", style.broken(&message, 2))?;
    let mut margin = " ".to_string();
    if let Some(span) = &problem.span {
        let source = &sources[span.source];
        let number = match source.is_override() {
            true => String::new(),
            false => problem.line.to_string(),
        };
        margin = " ".repeat(number.len().max(1));
        let arrow = style.paint(BLUE, "-->");
        writeln!(text, "{margin}{arrow} {}", position(problem, source))?;
        if span.range != (0..0) {
            let snippet = Snippet::new(source, span);
            let label = clean(&problem.label);
            write_snippet(text, &snippet, (&number, &label), style)?;
        }
    }
    if let Some(help) = &problem.help {
        let sign = style.paint(BLUE, "=");
        let (word, help) = (style.paint(CYAN, "help:"), clean(help));
        let help = format!("{margin} {sign} {word} {help}");
        writeln!(text, "{}", style.broken(&help, margin.len() + 3))?;
    }
    writeln!(text)
}

fn position(problem: &Problem, source: &SourceText) -> String {
    match source.is_override() {
        true => "command line".to_string(),
        false => {
            let file = clean(&problem.file);
            format!("{file}:{}:{}", problem.line, problem.column)
        }
    }
}

/// The line with this number, and carets below it with a label.
fn write_snippet(
    text: &mut String,
    snippet: &Snippet,
    (number, label): (&str, &str),
    style: Style,
) -> fmt::Result {
    let bar = style.paint(BLUE, "|");
    let margin = " ".repeat(number.len().max(1));
    let number = style.paint(BLUE, &format!("{number:1}"));
    let indent = " ".repeat(snippet.indent);
    let carets = "^".repeat(snippet.width);
    let marked = style.paint(RED, format!("{carets} {label}").trim_end());
    writeln!(text, "{margin} {bar}")?;
    writeln!(text, "{number} {bar} {}", snippet.line)?;
    writeln!(text, "{margin} {bar} {indent}{marked}")
}

/// One line of a source as it is shown, and the columns to underline.
struct Snippet {
    line: String,
    indent: usize,
    width: usize,
}

impl Snippet {
    fn new(source: &SourceText, span: &Span) -> Self {
        let text = &source.text;
        let start = text.floor_char_boundary(span.range.start);
        let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = text[start..].find('\n');
        let line_end = line_end.map_or(text.len(), |newline| start + newline);
        let line_end = line_start.max(text[..line_end].trim_end_matches('\r').len());
        let start = start.min(line_end);
        let end = text.floor_char_boundary(span.range.end);
        let end = end.clamp(start, line_end);
        let before = shown(&text[line_start..start]);
        let marked = shown(&text[start..end]);
        let after = shown(&text[end..line_end]);
        let (indent, width) = (columns(&before), columns(&marked).max(1));
        let snippet = Self {
            line: before + &marked + &after,
            indent,
            width,
        };
        match columns(&snippet.line) > WIDTH {
            true => snippet.shortened(),
            false => snippet,
        }
    }

    /// A window of the line around the marked location, with `…` where something is left out.
    fn shortened(self) -> Self {
        let from = self.indent.saturating_sub(BEFORE);
        let mut line = String::new();
        let (mut column, mut skipped) = (0, 0);
        for char in self.line.chars() {
            if column < from {
                skipped = column + width(char);
            } else if column < from + WIDTH {
                line.push(char);
            }
            column += width(char);
        }
        let (left, right) = (from > 0, column > from + WIDTH);
        let [before, after] = [left, right].map(|is_cut| if is_cut { "…" } else { "" });
        let line = format!("{before}{line}{after}");
        let indent = self.indent - skipped + usize::from(left);
        let left_over = columns(&line).saturating_sub(indent + usize::from(right));
        let width = self.width.min(left_over);
        Self {
            line,
            indent,
            width: width.max(1),
        }
    }
}

/// Text as a terminal may show it: tabs are four columns, no character acts.
fn shown(text: &str) -> String {
    let mut line = String::new();
    for char in text.chars() {
        match char {
            '\t' => line.push_str("    "),
            '\u{feff}' => {}
            char if char == '\n' || acts(char) => line.push('\u{fffd}'),
            char => line.push(char),
        }
    }
    line
}

/// A message may quote the file, so line breaks and control characters are taken out of it too.
fn clean(text: &str) -> String {
    shown(&shortened(text)).trim_end().to_string()
}

fn columns(text: &str) -> usize {
    text.chars().map(width).sum()
}

/// How many columns a terminal gives a character: combining marks none, East Asian wide letters
/// and emoji two (the blocks of Unicode Standard Annex 11 that matter in practice).
fn width(char: char) -> usize {
    match char as u32 {
        0x300..=0x36f | 0x200b..=0x200f | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff => 2,
        0xfe30..=0xfe6f | 0xff01..=0xff60 | 0xffe0..=0xffe6 => 2,
        0x1f300..=0x1faff | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

const RED: &str = "1;31";
const BLUE: &str = "1;34";
const CYAN: &str = "1;36";
const BOLD: &str = "1";

#[derive(Clone, Copy)]
struct Style {
    color: bool,
    columns: Option<usize>,
}

impl Style {
    fn paint(self, code: &str, text: &str) -> String {
        match self.color {
            true => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            false => text.to_string(),
        }
    }

    /// A line, broken between words; what goes on is indented by `hang`.
    fn broken(self, line: &str, hang: usize) -> String {
        let Some(columns) = self.columns else {
            return line.to_owned();
        };
        let indent = " ".repeat(hang);
        let options = textwrap::Options::new(columns)
            .subsequent_indent(&indent)
            .word_splitter(textwrap::WordSplitter::NoHyphenation)
            .break_words(false);
        textwrap::fill(line, options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snippet(text: &str, marked: &str) -> (String, usize, usize) {
        let start = text.find(marked).expect("the text holds what is marked");
        let source = SourceText {
            name: "x".into(),
            text: text.into(),
            path: None,
        };
        let span = Span {
            source: 0,
            range: start..start + marked.len(),
        };
        let snippet = Snippet::new(&source, &span);
        (snippet.line, snippet.indent, snippet.width)
    }

    #[test]
    fn carets_line_up_after_tabs_wide_letters_and_line_ends() {
        for (text, marked, line, indent, width) in [
            ("a = 1\r\n\tb = 2\r\n", "b", "    b = 2", 4, 1),
            ("表 = \"é\", b", "b", "表 = \"é\", b", 10, 1),
            ("a = [1,\n2]\n", "[1,\n2]", "a = [1,", 4, 3),
            ("\u{feff}a = 1", "a", "a = 1", 0, 1),
        ] {
            assert_eq!(snippet(text, marked), (line.into(), indent, width));
        }
    }

    #[test]
    fn a_long_line_is_cut_around_the_marked_location() {
        let text = format!("{} key = 1 {}", "x".repeat(300), "y".repeat(300));
        let (line, indent, width) = snippet(&text, "key");
        assert!(columns(&line) <= WIDTH + 2, "{line}");
        let chars: Vec<_> = line.chars().skip(indent).take(width).collect();
        assert_eq!(chars.iter().collect::<String>(), "key");
        let (line, indent, width) = snippet(&text, &"y".repeat(300));
        assert!(indent + width <= columns(&line));
    }

    #[test]
    fn of_many_problems_twenty_are_shown() {
        let many = |count: usize| {
            let problems = (0..count).map(|n| Problem::new(format!("problem number {n}")));
            ConfigError::new(problems.collect(), Vec::new()).render(false, None)
        };
        let shown = many(50);
        assert_eq!(shown.matches("error: ").count(), 20);
        assert!(shown.ends_with("50 problems found; 30 more are not shown\n"));
        assert!(many(20).ends_with("20 problems found\n"));
    }

    #[test]
    fn messages_break_between_words() {
        let problem = Problem::new("one two three four five").help(Some("six seven eight".into()));
        let error = ConfigError::new(vec![problem], Vec::new());
        let shown = "error: one two\n  three four\n  five\n  = help: six\n    seven eight\n\n";
        assert_eq!(error.render(false, Some(15)), shown);
        let colored = error.render(true, Some(15));
        assert_eq!(colored.lines().count(), shown.lines().count());
    }

    #[test]
    fn no_control_character_of_a_file_reaches_the_terminal() {
        let (line, ..) = snippet("a = \"\u{1b}[31m\u{202e}\"", "a");
        assert!(!line.contains(['\u{1b}', '\u{202e}']), "{line:?}");
    }
}
