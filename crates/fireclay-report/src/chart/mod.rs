//! Charts in SVG: they are drawn here, named for those who do not see them, and come with their numbers as
//! a table.

mod axis;
mod bars;
mod heat;
mod mark;
mod pixels;
mod plane;

pub(crate) use axis::{Axis, extremes};
pub(crate) use bars::{Bar, bars};
pub(crate) use heat::heat;
pub(crate) use pixels::Painter;
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

/// How a file of its own looks on a light ground, and on a dark one where that is preferred.
const LIGHT: &str = include_str!("chart.css");
const DARK: &str = include_str!("dark.css");

/// The room for the title above a drawing that is a file of its own, and the height of a line of its legend.
const HEAD: f64 = 24.0;
const LINE: f64 = 18.0;

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
            self.svg(
                [0.0, 0.0, self.size.0, self.size.1],
                Html::default(),
                Html::default(),
            ),
        );
        let numbers = tag(
            "details",
            [tag("summary", "Numbers"), self.table.html()]
                .into_iter()
                .collect::<Html>(),
        );
        let inside = [self.caption(), self.legend(), plot, numbers];
        let id = format!("chart-{}", self.id);
        el(
            "figure",
            &[("id", &id)],
            inside.into_iter().collect::<Html>(),
        )
    }

    fn caption(&self) -> Html {
        let words = [
            tag("strong", self.title.as_str()),
            " ".into(),
            self.description.as_str().into(),
        ];
        tag("figcaption", words.into_iter().collect::<Html>())
    }

    /// The chart as a file of its own.
    pub fn file(&self) -> String {
        let style = [LIGHT, DARK].map(|css| el("style", &[], Html::own(css)));
        self.alone(style.into_iter().collect())
    }

    /// The same for what draws pixels: it has no dark ground, and knows only plain rules.
    fn plain(&self) -> String {
        self.alone(el("style", &[], Html::own(LIGHT)))
    }

    /// The drawing with its title above and the names of the series below.
    fn alone(&self, style: Html) -> String {
        let (mut more, lines) = self.legend_drawn();
        let middle = format!("{:.0}", self.size.0 / 2.0);
        more.push(mark::words(
            "title",
            (&middle, "-8"),
            "middle",
            self.title.as_str(),
        ));
        let view = [
            0.0,
            -HEAD,
            self.size.0,
            HEAD + self.size.1 + LINE * lines as f64,
        ];
        self.svg(view, style, more).as_str().to_owned()
    }

    /// What is seen of the drawing: from where on the left and above, so wide and so high.
    fn svg(&self, view: [f64; 4], style: Html, more: Html) -> Html {
        let (title, description) = (format!("{}-title", self.id), format!("{}-desc", self.id));
        let view = view.map(|edge| edge.to_string()).join(" ");
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

    /// The names of the series below the drawing, for a file of its own, and how many lines they take.
    fn legend_drawn(&self) -> (Html, usize) {
        const LEFT: f64 = 52.0;
        if self.series.len() < 2 {
            return (Html::default(), 0);
        }
        let (mut x, mut line) = (LEFT, 1);
        let mut drawn = Html::default();
        for (index, name) in self.series.iter().enumerate() {
            let width = 30.0 + 7.2 * name.chars().count() as f64;
            if x > LEFT && x + width > self.size.0 {
                (x, line) = (LEFT, line + 1);
            }
            let class = format!("key s{}", index % COLOURS);
            let [at, y] = [x, self.size.1 + LINE * line as f64 - 6.0].map(|v| format!("{v:.0}"));
            let attributes = [("class", class.as_str()), ("x", &at), ("y", &y)];
            drawn.push(el("text", &attributes, format!("— {name}")));
            x += width;
        }
        (drawn, line)
    }
}
