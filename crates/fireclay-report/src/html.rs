//! Markup that cannot hold an unescaped string: text and attributes are escaped where they come in, and
//! only what stands in this program's own source is markup as it is.

use std::fmt::Write;

/// A piece of HTML or SVG.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Html(String);

impl Html {
    /// A text, escaped.
    pub fn text(text: impl AsRef<str>) -> Self {
        Self(escape(text.as_ref()))
    }

    /// Markup from the program's own source.
    pub fn own(markup: &'static str) -> Self {
        Self(markup.to_owned())
    }

    /// Data for a script, as JSON that cannot end the element around it.
    pub fn json(value: &serde_json::Value) -> Self {
        Self(value.to_string().replace('<', "\\u003c"))
    }

    /// Adds what comes after it.
    pub fn push(&mut self, next: Self) {
        self.0.push_str(&next.0);
    }

    /// The markup.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromIterator<Html> for Html {
    fn from_iter<I: IntoIterator<Item = Html>>(pieces: I) -> Self {
        Self(pieces.into_iter().map(|piece| piece.0).collect())
    }
}

impl From<&str> for Html {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Html {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

/// An element with attributes and what is in it.
pub(crate) fn el(
    name: &'static str,
    attributes: &[(&'static str, &str)],
    inner: impl Into<Html>,
) -> Html {
    let mut markup = opening(name, attributes);
    let inner: Html = inner.into();
    // Writing to a string does not fail.
    let _ = write!(markup, "{}</{name}>", inner.0);
    Html(markup)
}

/// An element that has nothing in it and no end, such as `input`.
pub(crate) fn void(name: &'static str, attributes: &[(&'static str, &str)]) -> Html {
    Html(opening(name, attributes))
}

/// An element without attributes.
pub(crate) fn tag(name: &'static str, inner: impl Into<Html>) -> Html {
    el(name, &[], inner)
}

fn opening(name: &'static str, attributes: &[(&'static str, &str)]) -> String {
    let mut markup = format!("<{name}");
    for (key, value) in attributes {
        let _ = write!(markup, " {key}=\"{}\"", escape(value));
    }
    markup.push('>');
    markup
}

/// A number of a metric: as people read it, with all of its digits as the value.
pub(crate) fn value(number: f64) -> Html {
    let shown = crate::text::number(number);
    el("data", &[("value", &number.to_string())], shown)
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // Not allowed in XML, and of no use in HTML.
            letter if letter.is_control() && !"\n\t\r".contains(letter) => escaped.push('\u{fffd}'),
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_data_is_no_markup() {
        let name = "<script>alert(\"x\")</script> & 'y'\u{0}";
        let shown = el("td", &[("title", name)], name);
        assert!(!shown.as_str().contains("<script"), "{shown:?}");
        assert_eq!(shown.as_str().matches("&lt;script&gt;").count(), 2);
        assert_eq!(shown.as_str().matches('"').count(), 2);
        let data = Html::json(&serde_json::json!({ "a": "</script>" }));
        assert_eq!(data.as_str(), "{\"a\":\"\\u003c/script>\"}");
    }

    #[test]
    fn a_value_keeps_its_digits() {
        let shown = value(0.952_941_176_470_588_2);
        assert_eq!(
            shown.as_str(),
            "<data value=\"0.9529411764705882\">0.9529</data>"
        );
    }
}
