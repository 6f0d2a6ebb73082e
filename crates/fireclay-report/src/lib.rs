//! What a run folder says, as a page.
//!
//! [`report`] makes one self-contained HTML file of a run: the verdict first, then curves, errors, slices,
//! cost, and how to get the same run again. [`plots`] gives its charts as SVG and PNG files, [`card`] a model card.
//! [`compare`] puts runs beside each other, and [`list`] lists those below a folder.
//!
//! Nothing here knows a model: everything comes from the files that a run leaves.
#![forbid(unsafe_code)]

mod card;
mod chart;
mod compare;
mod drift;
mod error;
mod folder;
mod history;
mod html;
mod kept;
mod list;
mod outcome;
mod page;
mod predictions;
mod section;
mod slices;
mod table;
mod text;
mod verdict;

pub use compare::{Comparison, Difference, MetricRow, PairedRow, compare};
pub use error::ReportError;
pub use folder::{RunFolder, check_record};
pub use list::{Filter, Listed, Sort, State, list};
pub use text::with_unit;

/// The report of a run as one HTML file.
pub fn report(run: &RunFolder) -> String {
    page::page(run)
}

/// The charts of a run as files.
#[derive(Debug)]
pub struct Plots {
    /// The charts, in the order of the page.
    pub charts: Vec<Plot>,
    /// What is to be said of how they were drawn.
    pub note: Option<String>,
}

/// A chart as files that stand alone.
#[derive(Debug)]
pub struct Plot {
    /// The name of its files without their ends; no other chart of the run has it.
    pub name: String,
    /// The drawing, dark where that is preferred.
    pub svg: String,
    /// Two pixels for each unit of the drawing, on white.
    pub png: Vec<u8>,
}

/// The charts of a run.
///
/// # Errors
///
/// If a chart cannot be drawn.
pub fn plots(run: &RunFolder) -> Result<Plots, ReportError> {
    let mut painter = chart::Painter::new();
    let plot = |chart: chart::Chart| {
        Ok(Plot {
            png: painter.png(&chart)?,
            svg: chart.file(),
            name: chart.id,
        })
    };
    let charts: Result<Vec<Plot>, ReportError> = page::charts(run).into_iter().map(plot).collect();
    Ok(Plots {
        charts: charts?,
        note: painter.note(),
    })
}

/// A model card in Markdown (Mitchell et al. 2019, Model Cards for Model Reporting). What the run cannot
/// know is left to be filled in, and says so.
pub fn card(run: &RunFolder) -> String {
    card::card(run)
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
