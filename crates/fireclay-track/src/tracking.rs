//! Following a run while it trains, or at once.

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use crate::error::TrackError;
use crate::follow::{Follower, Record};
use crate::run::Run;
use crate::tracker::{Ending, Tracker};

/// How often a run is looked at.
const PAUSE: Duration = Duration::from_secs(1);
/// How long after a server was away it is asked again.
const REST: Duration = Duration::from_secs(10);

/// Follows a run on a thread of its own, until it ends.
pub struct Tracking {
    ending: Sender<Ending>,
    thread: JoinHandle<()>,
    notes: Receiver<String>,
}

impl Tracking {
    /// Tells `trackers` about the run in `folder` from now on.
    ///
    /// # Errors
    ///
    /// If its configuration cannot be read.
    pub fn start(folder: &Path, trackers: Vec<Box<dyn Tracker>>) -> Result<Self, TrackError> {
        let run = Run::open(folder)?;
        let (ending, ended) = channel();
        let (note, notes) = channel();
        let mut followed = trackers.into_iter().map(Followed::new).collect::<Vec<_>>();
        // Those who only write files begin before the run does, and are told from its first line on.
        let work = move || {
            let say = |text: String| _ = note.send(text);
            let ending = loop {
                followed
                    .iter_mut()
                    .for_each(|one| one.look(&run, now, &say));
                match ended.recv_timeout(PAUSE) {
                    Ok(ending) => break ending,
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => break Ending::Failed,
                }
            };
            for one in &mut followed {
                one.end(&run, ending, now, &say);
            }
        };
        let thread = Builder::new().name("tracking".into()).spawn(work);
        let thread = thread.map_err(TrackError::Thread)?;
        Ok(Self {
            ending,
            thread,
            notes,
        })
    }

    /// What the user should know since this was last asked.
    pub fn notes(&self) -> Vec<String> {
        self.notes.try_iter().collect()
    }

    /// Tells the trackers how the training ended, and waits until they know. The result is what the user should know.
    pub fn finish(self, ending: Ending) -> Vec<String> {
        // A thread that is gone has said why.
        let told = self.ending.send(ending);
        if told.is_ok() && self.thread.join().is_err() {
            return vec!["following the run ended with an error of its own".to_owned()];
        }
        self.notes.try_iter().collect()
    }
}

/// Tells `tracker` everything about a run that has ended.
///
/// # Errors
///
/// See [`TrackError`].
pub fn send(folder: &Path, mut tracker: Box<dyn Tracker>) -> Result<(), TrackError> {
    let run = Run::open(folder)?;
    let times = run.times();
    let mut follower = Follower::new(folder, tracker.begin(&run)?);
    forward(&mut follower, tracker.as_mut(), &|step| times.of(step))?;
    let is_finished = folder.join("evaluation.json").is_file();
    let ending = match is_finished {
        true => Ending::Finished,
        false => Ending::Interrupted,
    };
    tracker.end(&run, ending)
}

/// Hands all that is new from the run to the tracker.
fn forward(
    follower: &mut Follower,
    tracker: &mut dyn Tracker,
    time: &dyn Fn(u64) -> SystemTime,
) -> Result<(), TrackError> {
    loop {
        let before = follower.position();
        let news = follower.read()?;
        if news.is_empty() {
            return Ok(());
        }
        let dated = |record: Record| (record.clone(), time(record.step));
        let news: Vec<_> = news.into_iter().map(dated).collect();
        if let Err(error) = tracker.take(&news, follower.position()) {
            follower.back_to(before);
            return Err(error);
        }
    }
}

fn now(_step: u64) -> SystemTime {
    SystemTime::now()
}

/// A tracker, and how far it is.
struct Followed {
    tracker: Box<dyn Tracker>,
    state: State,
}

enum State {
    /// It does not know of the run yet.
    New,
    /// It is told what is new.
    Follows(Follower),
    /// It does not answer, and is asked again after a while.
    Away(Option<Follower>, Instant),
    /// It is told nothing more.
    Gone,
}

impl Followed {
    fn new(tracker: Box<dyn Tracker>) -> Self {
        let state = State::New;
        Self { tracker, state }
    }

    /// Tells it what is new.
    fn look(&mut self, run: &Run, time: fn(u64) -> SystemTime, say: &dyn Fn(String)) {
        let (follower, was_away) = match std::mem::replace(&mut self.state, State::Gone) {
            State::Gone => return,
            State::Away(follower, since) if since.elapsed() < REST => {
                self.state = State::Away(follower, since);
                return;
            }
            State::Away(follower, _) => (follower, true),
            State::Follows(follower) => (Some(follower), false),
            State::New => (None, false),
        };
        self.state = match self.tell(run, follower, time) {
            Ok(follower) => {
                if was_away {
                    say(format!(
                        "{} answers again, and has everything",
                        self.tracker.name()
                    ));
                }
                State::Follows(follower)
            }
            Err((TrackError::Away(error), follower)) => {
                if !was_away {
                    let name = self.tracker.name();
                    say(format!(
                        "{name} does not answer ({error}); the run goes on, and is told when it answers"
                    ));
                }
                State::Away(follower, Instant::now())
            }
            Err((error, _)) => {
                say(format!(
                    "{} is told no more of the run: {error}",
                    self.tracker.name()
                ));
                State::Gone
            }
        };
    }

    fn tell(
        &mut self,
        run: &Run,
        follower: Option<Follower>,
        time: fn(u64) -> SystemTime,
    ) -> Result<Follower, (TrackError, Option<Follower>)> {
        let mut follower = match follower {
            Some(follower) => follower,
            None => {
                let position = self.tracker.begin(run).map_err(|error| (error, None))?;
                Follower::new(&run.folder, position)
            }
        };
        match forward(&mut follower, self.tracker.as_mut(), &time) {
            Ok(()) => Ok(follower),
            Err(error) => Err((error, Some(follower))),
        }
    }

    /// Tells it the rest, and how the training ended.
    fn end(
        &mut self,
        run: &Run,
        ending: Ending,
        time: fn(u64) -> SystemTime,
        say: &dyn Fn(String),
    ) {
        if let State::Away(_, since) = &mut self.state {
            *since = since.checked_sub(REST).unwrap_or(*since);
        }
        self.look(run, time, say);
        let ended = match &self.state {
            State::Follows(_) => self.tracker.end(run, ending),
            State::Away(..) => Err(TrackError::Away("it does not answer".into())),
            State::New | State::Gone => return,
        };
        match ended {
            Ok(()) => {}
            Err(TrackError::Away(error)) => say(format!(
                "{} does not have all of the run ({error}); `fireclay track {} --mlflow` sends the rest",
                self.tracker.name(),
                quoted(&run.folder),
            )),
            Err(error) => say(format!(
                "{} does not have all of the run: {error}",
                self.tracker.name()
            )),
        }
    }
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    // No path can hold a NUL.
    shlex::try_quote(&text).map_or_else(|_| text.clone(), Into::into)
}
