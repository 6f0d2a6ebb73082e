//! Parts of a page.

use crate::chart::Chart;
use crate::html::{Html, el, tag};
use crate::table::Table;

/// A part of the page with its own heading.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    /// What links name it.
    pub id: &'static str,
    /// Its heading.
    pub title: String,
    /// What is in it, in order.
    pub blocks: Vec<Block>,
}

/// Something in a part.
#[derive(Clone, Debug)]
pub(crate) enum Block {
    /// A paragraph.
    Words(String),
    /// A heading inside.
    Heading(String),
    /// Charts, beside each other where there is room.
    Charts(Vec<Chart>),
    /// A table.
    Table(Table),
    /// Text to be copied, under a line that opens it.
    Folded(String, String),
    /// Other markup.
    Own(Html),
}

impl Section {
    /// A part; none if there is nothing in it.
    pub fn of(id: &'static str, title: impl Into<String>, blocks: Vec<Block>) -> Option<Self> {
        (!blocks.is_empty()).then(|| Self {
            id,
            title: title.into(),
            blocks,
        })
    }

    /// The charts in it.
    pub fn charts(&self) -> impl Iterator<Item = &Chart> {
        self.blocks.iter().flat_map(|block| match block {
            Block::Charts(charts) => charts.as_slice(),
            _ => &[],
        })
    }

    /// The same, to be changed.
    pub fn charts_mut(&mut self) -> impl Iterator<Item = &mut Chart> {
        self.blocks.iter_mut().flat_map(|block| match block {
            Block::Charts(charts) => charts.as_mut_slice(),
            _ => &mut [],
        })
    }

    /// The part as markup.
    pub fn html(&self) -> Html {
        let heading = format!("{}-heading", self.id);
        let mut inside = el("h2", &[("id", &heading)], self.title.as_str());
        inside.push(self.blocks.iter().map(Block::html).collect());
        el(
            "section",
            &[("id", self.id), ("aria-labelledby", &heading)],
            inside,
        )
    }
}

impl Block {
    fn html(&self) -> Html {
        match self {
            Self::Words(text) => tag("p", text.as_str()),
            Self::Heading(text) => tag("h3", text.as_str()),
            Self::Charts(charts) => el(
                "div",
                &[("class", "charts")],
                charts.iter().map(Chart::html).collect::<Html>(),
            ),
            Self::Table(table) => table.html(),
            Self::Folded(summary, text) => {
                let frame = [
                    ("class", "scroll"),
                    ("role", "region"),
                    ("tabindex", "0"),
                    ("aria-label", summary.as_str()),
                ];
                let text = el("pre", &frame, text.as_str());
                tag(
                    "details",
                    [tag("summary", summary.as_str()), text]
                        .into_iter()
                        .collect::<Html>(),
                )
            }
            Self::Own(html) => html.clone(),
        }
    }
}
