//! Charts as PNG: drawn by `resvg`, which needs no browser.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use resvg::tiny_skia::{Color, Pixmap, Transform};
use resvg::usvg::fontdb::{Database, ID, Source};
use resvg::usvg::{FontResolver, Options, Tree};

use super::Chart;
use crate::error::ReportError;

/// Pixels for each unit of a drawing.
const SCALE: f32 = 2.0;

/// DejaVu Sans, cut to Latin, Greek and Cyrillic letters and to signs: a machine may have no fonts at all, and a
/// chart looks the same on all of them. Its licence is beside it.
const FONT: &[u8] = include_bytes!("../../fonts/DejaVuSans-subset.ttf");
/// It is wider than the fonts that browsers take for the same size.
const SMALLER: &str = "svg{font-size:11px}";

/// What draws charts, with its fonts.
pub(crate) struct Painter {
    fonts: Arc<Database>,
    ours: Option<ID>,
    letters: Mutex<Letters>,
}

/// Letters that our font does not have.
#[derive(Default)]
struct Letters {
    /// Whether the fonts of the system have been looked for.
    searched: bool,
    /// Those that no font has.
    missing: BTreeSet<char>,
}

impl Painter {
    /// One that has our font alone. The fonts of the system are read for the first letter that it lacks.
    pub fn new() -> Self {
        let mut fonts = Database::new();
        let ours = fonts.load_font_source(Source::Binary(Arc::new(FONT)));
        Self {
            fonts: Arc::new(fonts),
            ours: ours.first().copied(),
            letters: Mutex::default(),
        }
    }

    /// The chart as a PNG file, on white.
    ///
    /// # Errors
    ///
    /// If the drawing cannot be read, or has more pixels than fit into memory.
    pub fn png(&mut self, chart: &Chart) -> Result<Vec<u8>, ReportError> {
        let failed = |reason: String| ReportError::Drawing {
            name: chart.id.clone(),
            reason,
        };
        let tree = Tree::from_str(&chart.plain(), &self.options());
        let tree = tree.map_err(|error| failed(error.to_string()))?;
        let size = tree.size();
        let [width, height] =
            [size.width(), size.height()].map(|side| (SCALE * side).ceil() as u32);
        let pixels = Pixmap::new(width, height);
        let mut pixels = pixels.ok_or_else(|| failed("it is too large".into()))?;
        pixels.fill(Color::WHITE);
        let scale = Transform::from_scale(SCALE, SCALE);
        resvg::render(&tree, scale, &mut pixels.as_mut());
        // With the fonts of the system, if they were read for it.
        self.fonts = tree.fontdb().clone();
        pixels
            .encode_png()
            .map_err(|error| failed(error.to_string()))
    }

    /// What is to be said of letters that no font of this machine has.
    pub fn note(&self) -> Option<String> {
        const SHOWN: usize = 12;
        let letters = self.letters.lock().unwrap_or_else(PoisonError::into_inner);
        let some: String = letters.missing.iter().take(SHOWN).collect();
        (!some.is_empty()).then(|| {
            let more = match letters.missing.len().saturating_sub(SHOWN) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            format!("the PNG files lack letters that no font of this machine has ({some}{more}): install a font for them, such as Noto; the SVG files have them")
        })
    }

    fn options(&self) -> Options<'_> {
        Options {
            fontdb: self.fonts.clone(),
            font_resolver: FontResolver {
                select_font: Box::new(|_, _| self.ours),
                select_fallback: Box::new(|letter, used, fonts| self.other(letter, used, fonts)),
            },
            style_sheet: Some(SMALLER.into()),
            ..Options::default()
        }
    }

    /// A font of the system for a letter that ours lacks.
    fn other(&self, letter: char, used: &[ID], fonts: &mut Arc<Database>) -> Option<ID> {
        let mut letters = self.letters.lock().unwrap_or_else(PoisonError::into_inner);
        if !letters.searched {
            letters.searched = true;
            Arc::make_mut(fonts).load_system_fonts();
        }
        let found = FontResolver::default_fallback_selector()(letter, used, fonts);
        if found.is_none() {
            letters.missing.insert(letter);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::{Bar, Words, bars};
    use crate::table::Table;

    fn chart(name: &str) -> Chart {
        let bar = Bar {
            name: name.into(),
            value: 0.5,
            interval: None,
            note: String::new(),
        };
        let words = Words {
            id: "bars",
            title: "Bars",
            description: String::new(),
            series: &[],
            table: Table::default(),
        };
        bars(&[bar], None, words)
    }

    fn pixels(png: &[u8]) -> Pixmap {
        Pixmap::decode_png(png).expect("a picture")
    }

    #[test]
    fn a_bar_and_its_name_are_drawn_on_white_in_their_colours() {
        let mut painter = Painter::new();
        let drawn = pixels(&painter.png(&chart("é Ω Ж ≤ —\u{202f}“b”")).expect("drawn"));
        let count = |is: &dyn Fn([u8; 3]) -> bool| {
            let pixels = drawn.pixels().iter();
            pixels
                .filter(|p| is([p.red(), p.green(), p.blue()]))
                .count()
        };
        // Twice 440 units wide, and a title of 24, a row of 22 and an edge of 8 high.
        assert_eq!((drawn.width(), drawn.height()), (880, 108));
        assert!(drawn.pixels().iter().all(|pixel| pixel.alpha() == 255));
        assert!(count(&|p| p == [255; 3]) > 20_000);
        // The bar is blue, and the letters are grey.
        assert!(count(&|p| p == [0x0b, 0x5c, 0xad]) > 5000);
        assert!(count(&|p| p == [0x4a, 0x55, 0x63]) > 50);
        assert_eq!(painter.note(), None);
    }

    #[test]
    fn letters_that_no_font_has_are_told() {
        let mut painter = Painter::new();
        // A letter of no script.
        painter.png(&chart("a\u{f8fe}b")).expect("drawn");
        let note = painter.note().expect("a note");
        assert!(
            note.contains('\u{f8fe}') && note.contains("install"),
            "{note}"
        );
        assert!(painter.png(&chart("a")).is_ok());
    }
}
