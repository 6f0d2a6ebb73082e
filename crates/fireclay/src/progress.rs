//! Training on a terminal, or in a pipe.

use std::fmt::Write;
use std::io::IsTerminal;
use std::time::Duration;

use burn::train::Interrupter;
use burn::train::renderer::MetricsRenderer;
use burn::train::renderer::tui::TuiMetricsRendererWrapper;
use fireclay_train::observer::{Evaluation, Observer, Start, Step};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::beat::{Beat, Doing};
use crate::failure::Failure;
use crate::hang_up;
use crate::screen::Screen;
use crate::text::{number, plain, tell};

/// How a training is shown, and what it starts in spite of.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct ShowArgs {
    /// Show Burn's full-screen dashboard instead of a progress bar (on a terminal)
    #[arg(long)]
    pub dashboard: bool,
    /// Show nothing while training
    #[arg(short, long, conflicts_with = "dashboard")]
    pub quiet: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
    /// Show the curves in a browser, on a port of this machine alone; any that is free unless given
    #[arg(long, value_name = "PORT", num_args = 0..=1, default_missing_value = "0")]
    pub watch: Option<u16>,
    /// Let the page pause and stop the training
    #[arg(long, requires = "watch")]
    pub control: bool,
    /// Write report.html into the run folder at the end; so does a table `[report]` in the config
    #[arg(long)]
    pub report: bool,
    /// Write a trace of every step to trace.json in the run folder, for Perfetto
    #[arg(long)]
    pub profile: bool,
    /// Train even if the plan says that there is not enough memory
    #[arg(long)]
    pub force: bool,
}

/// How many metrics a line of progress shows after the loss.
const SHOWN: usize = 2;

impl ShowArgs {
    /// What is said where no bar moves: in a pipe, or on a terminal that has no cursor to move. Until the
    /// training begins, `doing` is what the program does.
    pub fn beat(self, doing: &'static str) -> Beat {
        match self.quiet || self.dashboard || !bar().is_hidden() {
            true => Beat::default(),
            false => Beat::start(self.json, doing),
        }
    }
}

/// A bar on the terminal. It is hidden where standard output or standard error goes elsewhere, and where
/// the terminal cannot move its cursor: TERM is "dumb", or not set.
fn bar() -> ProgressBar {
    let target = match std::io::stdout().is_terminal() {
        true => ProgressDrawTarget::stderr(),
        false => ProgressDrawTarget::hidden(),
    };
    ProgressBar::with_draw_target(None, target)
}

/// The observer, and Burn's dashboard if it is asked for.
///
/// # Errors
///
/// If the dashboard is asked for and there is no terminal to show it on.
pub fn watch(
    show: ShowArgs,
    headline: &'static [&'static str],
    interrupter: &Interrupter,
    beat: Beat,
) -> Result<Watchers, Failure> {
    let bar = bar();
    if show.dashboard {
        if bar.is_hidden() {
            return Err(Failure::Usage("--dashboard needs a terminal".into()));
        }
        hang_up::survive();
        let dashboard = TuiMetricsRendererWrapper::new(interrupter.clone(), None);
        return Ok((Box::new(Notices::default()), Some(Box::new(dashboard))));
    }
    if show.quiet {
        return Ok((Box::new(Notices::default()), None));
    }
    let lines = Lines {
        bar,
        headline,
        beat,
        total: 0,
    };
    Ok((Box::new(lines), None))
}

/// The observer of a training, and the renderer of Burn's metrics.
pub type Watchers = (Box<dyn Observer>, Option<Box<dyn MetricsRenderer>>);

/// Collects notices, and prints them after the training and its dashboard have ended.
#[derive(Default)]
struct Notices(Vec<String>);

impl Observer for Notices {
    fn noticed(&mut self, message: &str) {
        self.0.push(message.into());
    }
}

impl Drop for Notices {
    fn drop(&mut self) {
        let notices = self.0.iter();
        notices.for_each(|message| tell!("note: {message}"));
    }
}

/// A bar that moves with every step, and a line for every evaluation. Where there is no bar, the lines
/// alone.
struct Lines {
    bar: ProgressBar,
    headline: &'static [&'static str],
    beat: Beat,
    total: u64,
}

impl Lines {
    fn print(&self, line: &str) {
        if !self.beat.print(line) {
            self.bar.println(plain(line));
        }
    }

    /// Where lines go: with a bar, to its terminal.
    fn screen(&self) -> Screen {
        match self.bar.is_hidden() {
            true => Screen::out(),
            false => Screen::err(),
        }
    }
}

impl Observer for Lines {
    fn started(&mut self, start: &Start) {
        let template = "{wide_bar} {pos}/{len} steps  {rate}  {msg}  {eta} left";
        let style = ProgressStyle::with_template(template).expect("a fixed template");
        let style = style.with_key("rate", |state: &ProgressState, line: &mut dyn Write| {
            // A line of text can always be written to.
            let _ = line.write_str(&rate(state.per_sec()));
        });
        self.total = start.total_steps;
        self.beat.now(Doing::Work("training begins"));
        self.bar.set_style(style);
        self.bar.set_length(start.total_steps);
        self.bar.set_position(start.step);
        self.bar.reset_eta();
        if start.step > 0 {
            let (step, total) = (start.step, start.total_steps);
            self.print(&format!("resumed after step {step} of {total}"));
        }
    }

    fn stepped(&mut self, step: &Step) {
        self.bar.set_position(step.step);
        if !self.bar.is_hidden() {
            self.bar
                .set_message(format!("epoch {}  loss {}", step.epoch, number(step.loss)));
        }
        self.beat.now(Doing::Steps {
            step: step.step,
            total: self.total,
            epoch: step.epoch,
            loss: step.loss,
        });
    }

    fn evaluated(&mut self, evaluation: &Evaluation) {
        let columns = self.screen().columns();
        self.print(&line(evaluation, self.headline, columns));
    }

    fn noticed(&mut self, message: &str) {
        let note = format!("note: {message}");
        self.print(&self.screen().prose(2, &note));
    }

    fn ended(&mut self, _reason: fireclay_train::StopReason) {
        self.bar.finish_and_clear();
        self.beat.now(Doing::Work("evaluating what was trained"));
    }
}

/// One evaluation in one line; a star where it is the best so far. On a narrow terminal the last metrics
/// are left out, so that the line stays one.
fn line(evaluation: &Evaluation, headline: &[&str], columns: Option<usize>) -> String {
    let Evaluation {
        step,
        epoch,
        train_loss,
        metrics,
        improved,
        elapsed,
    } = evaluation;
    let train_loss = number(*train_loss);
    let mut line = format!("epoch {epoch:>4}  step {step:>6}  train/loss {train_loss:<8}");
    let chosen = headline
        .iter()
        .filter(|name| **name != "loss")
        .filter_map(|name| metrics.iter().find(|(found, _)| found == name));
    let loss = metrics.iter().find(|(name, _)| name == "loss");
    let end = format!(
        "  {}{}",
        clock(*elapsed),
        if *improved { "  *" } else { "" }
    );
    for (name, value) in loss.into_iter().chain(chosen.take(SHOWN)) {
        let metric = format!("  valid/{name} {:<8}", number(*value));
        if columns.is_none_or(|columns| line.len() + metric.len() + end.len() <= columns) {
            line += &metric;
        }
    }
    line + &end
}

/// Steps a second, in few columns.
fn rate(per_second: f64) -> String {
    match per_second {
        0.0..0.995 => format!("{per_second:.2}/s"),
        0.0..9.95 => format!("{per_second:.1}/s"),
        _ => format!("{per_second:.0}/s"),
    }
}

fn clock(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    match seconds {
        0..60 => format!("{:.1}s", elapsed.as_secs_f64()),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_takes_few_columns() {
        let shown = [0.04, 0.4, 9.94, 9.96, 1432.377].map(rate);
        assert_eq!(shown, ["0.04/s", "0.40/s", "9.9/s", "10/s", "1432/s"]);
    }
}
