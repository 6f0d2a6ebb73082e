//! Texts whose tokens are coloured: a page that needs nothing else.

use std::fmt::Write;

use super::explanation::{Explanation, Sample};

/// The samples of an explanation of texts as HTML.
pub(crate) fn page(explanation: &Explanation) -> String {
    let (method, of) = (explanation.method.name(), escaped(&explanation.of));
    let title = format!("{}: {of}", method.replace('_', " "));
    let legend = match explanation.method.is_signed() {
        true => "red speaks for it, blue against it",
        false => "the redder, the more it counts",
    };
    let samples = explanation.samples.iter().enumerate();
    let samples: String = samples
        .map(|(number, sample)| section(number, sample))
        .collect();
    let baseline = explanation.baseline.as_deref().map(escaped);
    let baseline = baseline.map_or_else(String::new, |words| format!(" Compared with {words}."));
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>\n<style>{STYLE}</style></head>\n\
         <body><h1>{title}</h1>\n<p>{legend}.{baseline}</p>\n{samples}</body></html>\n"
    )
}

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:16px/1.7 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.3rem}h2{font-size:1rem;margin-bottom:.2rem}\
p.text{overflow-wrap:anywhere}\
span{border-radius:3px;padding:1px 2px;white-space:pre-wrap}";

fn section(number: usize, sample: &Sample) -> String {
    let most = sample.columns.iter().map(|token| token.value.abs());
    let most = most.fold(0.0, f64::max);
    let target = sample.target.as_deref().map(escaped);
    let target = target.map_or_else(String::new, |target| format!(", {target}"));
    let name = escaped(&sample.name);
    let mut section = format!(
        "<section id=\"s{}\"><h2>{name}{target}: {:.4}</h2>\n<p class=\"text\">",
        number + 1,
        sample.value
    );
    for token in &sample.columns {
        let share = if most > 0.0 { token.value / most } else { 0.0 };
        let color = if share < 0.0 {
            "60,120,255"
        } else {
            "230,60,60"
        };
        // Writing to a string does not fail.
        let _ = write!(
            section,
            "<span style=\"background:rgba({color},{:.3})\" title=\"{:.5}\">{}</span> ",
            0.75 * share.abs(),
            token.value,
            escaped(&token.name)
        );
    }
    section + "</p></section>\n"
}

/// Text as HTML has it.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_no_markup() {
        assert_eq!(escaped("<b> & \"x\""), "&lt;b&gt; &amp; &quot;x&quot;");
    }
}
