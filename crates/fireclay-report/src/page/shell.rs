//! What is around the parts of every page: head, navigation, style and script, all in one file.

use crate::html::{Html, el, tag, void};
use crate::section::Section;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// What a browser may do with the page: nothing is loaded, and only what stands in it runs.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";

const WRITTEN_BY: &str = concat!(
    "Written by fireclay ",
    env!("CARGO_PKG_VERSION"),
    " from the files of the run. Nothing was loaded from a network."
);

/// A whole page.
pub(crate) fn shell(title: &str, header: Html, sections: &[Section]) -> String {
    let parts = [
        tag("head", head(title)),
        tag("body", body(header, sections)),
    ];
    let html = el(
        "html",
        &[("lang", "en")],
        parts.into_iter().collect::<Html>(),
    );
    format!("<!doctype html>\n{}\n", html.as_str())
}

fn head(title: &str) -> Html {
    let head = [
        void("meta", &[("charset", "utf-8")]),
        meta("viewport", "width=device-width, initial-scale=1"),
        meta("color-scheme", "light dark"),
        void(
            "meta",
            &[
                ("http-equiv", "Content-Security-Policy"),
                ("content", POLICY),
            ],
        ),
        tag("title", title),
        tag("style", Html::own(STYLE)),
    ];
    head.into_iter().collect()
}

fn meta(name: &str, content: &str) -> Html {
    void("meta", &[("name", name), ("content", content)])
}

fn body(header: Html, sections: &[Section]) -> Html {
    let skip = [("class", "skip"), ("href", "#content")];
    let body = [
        el("a", &skip, "To the content"),
        tag("header", header),
        navigation(sections),
        el(
            "main",
            &[("id", "content")],
            sections.iter().map(Section::html).collect::<Html>(),
        ),
        tag("footer", tag("p", WRITTEN_BY)),
        tag("script", Html::own(SCRIPT)),
    ];
    body.into_iter().collect()
}

/// A link to each part of the page.
fn navigation(sections: &[Section]) -> Html {
    let link = |section: &Section| {
        let target = format!("#{}", section.id);
        tag("li", el("a", &[("href", &target)], section.title.as_str()))
    };
    let links: Html = sections.iter().map(link).collect();
    el(
        "nav",
        &[("aria-label", "Parts of this page")],
        tag("ul", links),
    )
}
