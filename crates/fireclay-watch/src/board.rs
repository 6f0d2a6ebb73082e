//! What is known of a run, and whom to tell what is new.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::sync::broadcast::{Receiver, Sender, channel};

/// Points that a curve keeps: with more of them every second one goes, which no screen shows.
const MOST: usize = 4000;
/// Events that a page may be behind before it has to begin anew.
const BEHIND: usize = 64;

#[derive(Debug)]
pub struct Board {
    known: Mutex<Known>,
    news: Sender<String>,
}

#[derive(Debug, Default)]
struct Known {
    name: String,
    curves: BTreeMap<String, Vec<(u64, f64)>>,
    state: &'static str,
}

impl Default for Board {
    fn default() -> Self {
        let known = Mutex::new(Known::default());
        let (news, _) = channel(BEHIND);
        Self { known, news }
    }
}

impl Board {
    pub fn begin(&self, name: &str) {
        let mut known = self.known();
        *known = Known {
            name: name.to_owned(),
            curves: BTreeMap::new(),
            state: "training",
        };
        self.tell(&known.whole());
    }

    /// Adds points: the curve, the step and the value of each.
    pub fn add(&self, points: Vec<(String, u64, f64)>) {
        let mut known = self.known();
        self.tell(&json!({ "points": points }));
        for (curve, step, value) in points {
            let curve = known.curves.entry(curve).or_default();
            curve.push((step, value));
            if curve.len() > MOST {
                let mut at = 0;
                curve.retain(|_| {
                    at += 1;
                    at % 2 == 0
                });
            }
        }
    }

    /// The run is in another state, such as `paused` or `finished`.
    pub fn set_state(&self, state: &'static str) {
        let mut known = self.known();
        known.state = state;
        self.tell(&json!({ "state": state }));
    }

    /// Everything so far, and whatever comes after it.
    pub fn follow(&self) -> (String, Receiver<String>) {
        let known = self.known();
        (known.whole().to_string(), self.news.subscribe())
    }

    /// Whoever has the lock tells, so that nobody hears of a point twice or never.
    fn tell(&self, event: &Value) {
        // Without a page nobody listens.
        _ = self.news.send(event.to_string());
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn whole(&self) -> Value {
        json!({ "name": self.name, "curves": self.curves, "state": self.state })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_gets_all_before_it_and_all_after_it_once() {
        let board = Board::default();
        board.begin("iris/1");
        board.add(vec![("train/loss".into(), 1, 0.5)]);
        let (whole, mut news) = board.follow();
        let whole: Value = serde_json::from_str(&whole).expect("JSON");
        assert_eq!(whole["curves"]["train/loss"], json!([[1, 0.5]]));
        board.add(vec![("train/loss".into(), 2, 0.25)]);
        board.set_state("finished");
        let mut next =
            || serde_json::from_str::<Value>(&news.try_recv().expect("news")).expect("JSON");
        assert_eq!(next(), json!({ "points": [["train/loss", 2, 0.25]] }));
        assert_eq!(next(), json!({ "state": "finished" }));
        assert!(news.try_recv().is_err());
    }

    #[test]
    fn a_long_run_keeps_a_bounded_curve_with_its_newest_point() {
        let board = Board::default();
        for step in 0..20_000 {
            board.add(vec![("train/loss".into(), step, 0.0)]);
        }
        let known = board.known();
        let curve = &known.curves["train/loss"];
        assert!(curve.len() <= MOST && curve.len() > MOST / 4);
        assert_eq!(curve.last().map(|point| point.0), Some(19_999));
    }
}
