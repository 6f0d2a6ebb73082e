//! Shows the curves of a run in a browser while it trains, on this machine alone.
//!
//! [`Watch`] is a [`Tracker`]: it hears what the training writes down, and sends it to every
//! page that is open, by server-sent events. A page can pause and stop the training only if a [`Control`] is given.
#![forbid(unsafe_code)]

mod board;
mod control;
mod server;

use std::io::Result;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use fireclay_track::{Ending, Record, Run, TrackError, Tracker};

use board::Board;
pub use control::Control;

/// Serves the curves of one run.
#[derive(Debug)]
pub struct Watch {
    board: Arc<Board>,
    address: SocketAddr,
}

impl Watch {
    /// Listens on a port of 127.0.0.1, on a thread of its own that ends with the program; 0 is any port that is
    /// free.
    ///
    /// # Errors
    ///
    /// If the port is taken.
    pub fn start(port: u16, control: Option<Control>) -> Result<Self> {
        let board = Arc::new(Board::default());
        let address = server::start(port, board.clone(), control)?;
        Ok(Self { board, address })
    }

    /// The page, such as `http://127.0.0.1:43210`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Tracker for Watch {
    fn name(&self) -> String {
        "the page".to_owned()
    }

    fn begin(&mut self, run: &Run) -> std::result::Result<u64, TrackError> {
        self.board.begin(&run.name);
        if run.folder.join("evaluation.json").is_file() {
            self.board.set_state("finished");
        }
        Ok(0)
    }

    fn take(
        &mut self,
        news: &[(Record, SystemTime)],
        _position: u64,
    ) -> std::result::Result<(), TrackError> {
        let points = news.iter().flat_map(|(record, _)| {
            record
                .tagged()
                .map(|(tag, value)| (tag, record.step, value))
        });
        self.board.add(points.collect());
        Ok(())
    }

    fn end(&mut self, _run: &Run, ending: Ending) -> std::result::Result<(), TrackError> {
        self.board.set_state(match ending {
            Ending::Finished => "finished",
            Ending::Interrupted => "interrupted",
            Ending::Failed => "failed",
        });
        Ok(())
    }
}
