//! Training on a terminal, or in a pipe.

use std::io::IsTerminal;
use std::time::Duration;

use burn::train::Interrupter;
use burn::train::renderer::MetricsRenderer;
use burn::train::renderer::tui::TuiMetricsRendererWrapper;
use fireclay_train::observer::{Evaluation, Observer, Silent, Start, Step};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::ShowArgs;
use crate::text::number;

/// How many metrics a line shows after the loss.
const SHOWN: usize = 2;

/// The observer, and Burn's dashboard if it is asked for.
pub fn watch(
    show: ShowArgs,
    headline: &'static [&'static str],
    interrupter: &Interrupter,
) -> (Box<dyn Observer>, Option<Box<dyn MetricsRenderer>>) {
    let terminal = std::io::stderr().is_terminal() && std::io::stdout().is_terminal();
    if show.quiet {
        (Box::new(Silent), None)
    } else if show.dashboard && terminal {
        let dashboard = TuiMetricsRendererWrapper::new(interrupter.clone(), None);
        (Box::new(Silent), Some(Box::new(dashboard)))
    } else {
        let target = if terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        (Box::new(Lines { bar: ProgressBar::with_draw_target(None, target), headline, terminal }), None)
    }
}

/// A bar that moves with every step, and a line for every evaluation. In a pipe, the lines alone.
struct Lines {
    bar: ProgressBar,
    headline: &'static [&'static str],
    terminal: bool,
}

impl Lines {
    fn print(&self, line: &str) {
        if self.terminal {
            self.bar.println(line);
        } else {
            println!("{line}");
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
            self.print(&format!("resumed after step {} of {}", start.step, start.total_steps));
        }
    }

    fn stepped(&mut self, step: &Step) {
        self.bar.set_position(step.step);
        if self.terminal {
            self.bar.set_message(format!("epoch {}  loss {}", step.epoch, number(step.loss)));
        }
    }

    fn evaluated(&mut self, evaluation: &Evaluation) {
        self.print(&line(evaluation, self.headline));
    }

    fn noticed(&mut self, message: &str) {
        self.print(&format!("note: {message}"));
    }

    fn ended(&mut self, _reason: fireclay_train::StopReason) {
        self.bar.finish_and_clear();
    }
}

/// One evaluation in one line; a star where it is the best so far.
fn line(evaluation: &Evaluation, headline: &[&str]) -> String {
    let Evaluation { step, epoch, train_loss, metrics, improved, elapsed } = evaluation;
    let mut line = format!("epoch {epoch:>4}  step {step:>6}  train/loss {:<8}", number(*train_loss));
    let chosen = headline.iter().filter_map(|name| metrics.iter().find(|(found, _)| found == name));
    let loss = metrics.iter().find(|(name, _)| name == "loss");
    for (name, value) in loss.into_iter().chain(chosen.take(SHOWN)) {
        line += &format!("  valid/{name} {:<8}", number(*value));
    }
    line += &format!("  {}", clock(*elapsed));
    if *improved { line + "  *" } else { line }
}

fn clock(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    match seconds {
        0..60 => format!("{:.1}s", elapsed.as_secs_f64()),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
    }
}
