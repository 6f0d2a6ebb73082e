//! What is around the parts of every page: head, navigation, style and script, all in one file.

use crate::html::{Html, el, tag, void};
use crate::section::Section;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// A whole page.
pub(crate) fn shell(title: &str, header: Html, sections: &[Section]) -> String {
    let head = [
        void("meta", &[("charset", "utf-8")]),
        void(
            "meta",
            &[
                ("name", "viewport"),
                ("content", "width=device-width, initial-scale=1"),
            ],
        ),
        void(
            "meta",
            &[("name", "color-scheme"), ("content", "light dark")],
        ),
        void(
            "meta",
            &[
                ("http-equiv", "Content-Security-Policy"),
                (
                    "content",
                    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:",
                ),
            ],
        ),
        tag("title", title),
        tag("style", Html::own(STYLE)),
    ];
    let link = |section: &Section| {
        tag(
            "li",
            el(
                "a",
                &[("href", &format!("#{}", section.id))],
                section.title.as_str(),
            ),
        )
    };
    let links: Html = sections.iter().map(link).collect();
    let body = [
        el(
            "a",
            &[("class", "skip"), ("href", "#content")],
            "To the content",
        ),
        tag("header", header),
        el(
            "nav",
            &[("aria-label", "Parts of this page")],
            tag("ul", links),
        ),
        el(
            "main",
            &[("id", "content")],
            sections.iter().map(Section::html).collect::<Html>(),
        ),
        tag(
            "footer",
            tag(
                "p",
                concat!(
                    "Written by fireclay ",
                    env!("CARGO_PKG_VERSION"),
                    " from the files of the run. Nothing was loaded from a network."
                ),
            ),
        ),
        tag("script", Html::own(SCRIPT)),
    ];
    let html = el(
        "html",
        &[("lang", "en")],
        [
            tag("head", head.into_iter().collect::<Html>()),
            tag("body", body.into_iter().collect::<Html>()),
        ]
        .into_iter()
        .collect::<Html>(),
    );
    format!("<!doctype html>\n{}\n", html.as_str())
}
