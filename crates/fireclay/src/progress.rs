//! Training on a terminal, or in a pipe.

use std::io::IsTerminal;
use std::time::Duration;

use burn::train::Interrupter;
use burn::train::renderer::MetricsRenderer;
use burn::train::renderer::tui::TuiMetricsRendererWrapper;
use fireclay_train::observer::{Evaluation, Observer, Start, Step};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::failure::Failure;
use crate::screen::Screen;
use crate::text::{number, say, warn};

/// How a training is shown.
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
    /// Write a trace of every step to trace.json in the run folder, for Perfetto
    #[arg(long)]
    pub profile: bool,
}

/// How many metrics a line of progress shows after the loss.
const SHOWN: usize = 2;

/// The observer, and Burn's dashboard if it is asked for.
///
/// # Errors
///
/// If the dashboard is asked for and there is no terminal to show it on.
pub fn watch(
    show: ShowArgs,
    headline: &'static [&'static str],
    interrupter: &Interrupter,
) -> Result<Watchers, Failure> {
    let terminal = std::io::stderr().is_terminal() && std::io::stdout().is_terminal();
    if show.dashboard {
        if !terminal {
            return Err(Failure::Usage("--dashboard needs a terminal".into()));
        }
        let dashboard = TuiMetricsRendererWrapper::new(interrupter.clone(), None);
        return Ok((Box::new(Notices::default()), Some(Box::new(dashboard))));
    }
    if show.quiet {
        return Ok((Box::new(Notices::default()), None));
    }
    let target = match terminal {
        true => ProgressDrawTarget::stderr(),
        false => ProgressDrawTarget::hidden(),
    };
    let bar = ProgressBar::with_draw_target(None, target);
    let lines = Lines {
        bar,
        headline,
        terminal,
        json: show.json,
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
        notices.for_each(|message| warn!("note: {message}"));
    }
}

/// A bar that moves with every step, and a line for every evaluation. In a pipe, the lines alone;
/// on standard error if standard output is for JSON.
struct Lines {
    bar: ProgressBar,
    headline: &'static [&'static str],
    terminal: bool,
    json: bool,
}

impl Lines {
    fn print(&self, line: &str) {
        if self.terminal {
            self.bar.println(line);
        } else if self.json {
            eprintln!("{line}");
        } else {
            say!("{line}");
        }
    }
}

impl Observer for Lines {
    fn started(&mut self, start: &Start) {
        let template = "{bar:30} {pos}/{len} steps  {per_sec}  {msg}  {eta} left";
        let style = ProgressStyle::with_template(template).expect("a fixed template");
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
        if self.terminal {
            self.bar
                .set_message(format!("epoch {}  loss {}", step.epoch, number(step.loss)));
        }
    }

    fn evaluated(&mut self, evaluation: &Evaluation) {
        let screen = match self.terminal {
            true => Screen::err().columns(),
            false => None,
        };
        self.print(&line(evaluation, self.headline, screen));
    }

    fn noticed(&mut self, message: &str) {
        let note = format!("note: {message}");
        self.print(&match self.terminal {
            true => Screen::err().prose(2, &note),
            false => note,
        });
    }

    fn ended(&mut self, _reason: fireclay_train::StopReason) {
        self.bar.finish_and_clear();
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
    let end = format!("  {}{}", clock(*elapsed), if *improved { "  *" } else { "" });
    for (name, value) in loss.into_iter().chain(chosen.take(SHOWN)) {
        let metric = format!("  valid/{name} {:<8}", number(*value));
        if columns.is_none_or(|columns| line.len() + metric.len() + end.len() <= columns) {
            line += &metric;
        }
    }
    line + &end
}

fn clock(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    match seconds {
        0..60 => format!("{:.1}s", elapsed.as_secs_f64()),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
    }
}
