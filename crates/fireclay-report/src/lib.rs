//! What a run folder says, as a page.
//!
//! [`report`] makes one self-contained HTML file of a run: the verdict first, then curves, errors, slices,
//! cost, and how to get the same run again. [`plots`] gives its charts as SVG files, [`card`] a model card.
//! [`compare`] puts runs beside each other, and [`list`] lists those below a folder.
//!
//! Nothing here knows a model: everything comes from the files that a run leaves.

mod card;
mod chart;
mod compare;
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
pub use folder::RunFolder;
pub use list::{Filter, Listed, Sort, State, list};
pub use text::with_unit;

/// The report of a run as one HTML file.
pub fn report(run: &RunFolder) -> String {
    page::page(run)
}

/// The charts of a run: the name of a file without its end, and an SVG that stands alone.
pub fn plots(run: &RunFolder) -> Vec<(String, String)> {
    let charts = page::charts(run).into_iter();
    charts
        .map(|chart| (chart.id.clone(), chart.file()))
        .collect()
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
