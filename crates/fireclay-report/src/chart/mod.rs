//! Charts in SVG: they are drawn here, named for those who do not see them, and come with their numbers as
//! a table.

mod axis;
mod bars;
mod heat;
mod mark;
mod plane;

pub(crate) use axis::{Axis, extremes};
pub(crate) use bars::{Bar, bars};
pub(crate) use heat::heat;
pub(crate) use plane::{Plane, thinned};

use crate::html::{Html, el, tag};
use crate::table::Table;

/// A chart.
#[derive(Clone, Debug)]
pub(crate) struct Chart {
    /// A name for files and links: letters and dashes.
    pub id: String,
    /// What it shows, in a few words.
    pub title: String,
    /// What there is to see, in a sentence.
    pub description: String,
    /// The names of the series that can be switched off, in their order.
    pub series: Vec<String>,
    /// Its numbers.
    pub table: Table,
    size: (f64, f64),
    drawing: Html,
}

/// What makes a drawing a chart.
pub(crate) struct Words<'a> {
    pub id: &'a str,
    pub title: &'a str,
    pub description: String,
    pub series: &'a [&'a str],
    pub table: Table,
}

/// So many series have a colour of their own.
const COLOURS: usize = 6;

const STYLE: &str = include_str!("chart.css");

impl Chart {
    fn new(words: Words<'_>, size: (f64, f64), drawing: Html) -> Self {
        Self {
            id: words.id.to_owned(),
            title: words.title.to_owned(),
            description: words.description,
            series: words.series.iter().map(|name| (*name).to_owned()).collect(),
            table: words.table,
            size,
            drawing,
        }
    }

    /// The chart on a page: a figure with the drawing, a legend and the numbers.
    pub fn html(&self) -> Html {
        let label = format!("{}. Arrow keys read the values.", self.title);
        let plot = el(
            "div",
            &[
                ("class", "plot"),
                ("tabindex", "0"),
                ("role", "group"),
                ("aria-label", &label),
            ],
            self.svg(Html::default(), Html::default()),
        );
        let numbers = tag(
            "details",
            [tag("summary", "Numbers"), self.table.html()]
                .into_iter()
                .collect::<Html>(),
        );
        let inside = [
            tag(
                "figcaption",
                [
                    tag("strong", self.title.as_str()),
                    " ".into(),
                    self.description.as_str().into(),
                ]
                .into_iter()
                .collect::<Html>(),
            ),
            self.legend(),
            plot,
            numbers,
        ];
        let id = format!("chart-{}", self.id);
        el(
            "figure",
            &[("id", &id)],
            inside.into_iter().collect::<Html>(),
        )
    }

    /// The chart as a file of its own.
    pub fn file(&self) -> String {
        let style = el("style", &[], Html::own(STYLE));
        self.svg(style, self.legend_drawn()).as_str().to_owned()
    }

    fn svg(&self, style: Html, more: Html) -> Html {
        let (title, description) = (format!("{}-title", self.id), format!("{}-desc", self.id));
        let view = format!("0 0 {} {}", self.size.0, self.size.1);
        let named = format!("{title} {description}");
        let attributes = [
            ("xmlns", "http://www.w3.org/2000/svg"),
            ("viewBox", view.as_str()),
            ("role", "img"),
            ("aria-labelledby", named.as_str()),
        ];
        let inside = [
            el("title", &[("id", &title)], self.title.as_str()),
            el("desc", &[("id", &description)], self.description.as_str()),
            style,
            self.drawing.clone(),
            more,
        ];
        el("svg", &attributes, inside.into_iter().collect::<Html>())
    }

    /// A button for each series; one alone has none.
    fn legend(&self) -> Html {
        if self.series.len() < 2 {
            return Html::default();
        }
        let button = |(index, name): (usize, &String)| {
            let class = format!("key s{}", index % COLOURS);
            let number = index.to_string();
            let attributes = [
                ("type", "button"),
                ("class", class.as_str()),
                ("aria-pressed", "true"),
                ("data-toggle", number.as_str()),
            ];
            el("button", &attributes, name.as_str())
        };
        let buttons: Html = self.series.iter().enumerate().map(button).collect();
        let label = format!("Series of: {}", self.title);
        el(
            "div",
            &[
                ("class", "legend"),
                ("role", "group"),
                ("aria-label", &label),
            ],
            buttons,
        )
    }

    /// The names of the series in the drawing, for a file of its own.
    fn legend_drawn(&self) -> Html {
        if self.series.len() < 2 {
            return Html::default();
        }
        let mut x = 52.0;
        let name = |(index, name): (usize, &String)| {
            let class = format!("key s{}", index % COLOURS);
            let at = format!("{x:.0}");
            x += 22.0 + 7.0 * name.chars().count() as f64;
            el(
                "text",
                &[("class", &class), ("x", &at), ("y", "11")],
                format!("— {name}"),
            )
        };
        self.series.iter().enumerate().map(name).collect()
    }
}
