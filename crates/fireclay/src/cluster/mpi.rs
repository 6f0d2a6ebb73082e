//! Processes that talk to each other by MPI.
//!
//! One thread has the communicator, and nothing else calls MPI (`MPI_THREAD_FUNNELED`); the others ask it through a
//! channel. The first process hears of all others before anything is exchanged, so it knows who is missing, and
//! what that one did last.

mod member;
mod message;
mod pause;
mod watch;
mod wire;

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use fireclay_train::cluster::{Exchange, Lost};
use fireclay_train::loader::Share;

use crate::failure::Failure;
use crate::text::{aloud, tell};
use member::{Member, Parted};

/// One of the processes. Clones are the same.
#[derive(Clone)]
pub struct Process {
    share: Share,
    here: Share,
    place: String,
    requests: Sender<Request>,
}

type Reply<T> = Sender<Result<T, Lost>>;

/// What is asked of the thread that has the communicator.
enum Request {
    Gather(Vec<u8>, Reply<Vec<Vec<u8>>>),
    Collect(Vec<u8>, Reply<Vec<Vec<u8>>>),
    AllToAll(Vec<f32>, Reply<Vec<f32>>),
    AllGather(Vec<f32>, usize, Reply<Vec<f32>>),
    Broadcast(Vec<u8>, Reply<Vec<u8>>),
    Timeout(Duration),
    /// How this process has ended: its exit code and what it says, where it has failed.
    End(Option<(u8, String)>, Sender<Parted>),
    /// Ends all processes, by this exit code.
    Abort(u8),
}

impl Process {
    /// Joins the others.
    ///
    /// # Errors
    ///
    /// If there is no MPI to join by.
    pub fn join() -> Result<Self, String> {
        let (requests, asked) = channel();
        let (known, knows) = channel();
        let serve = move || match Member::join() {
            Ok(member) => {
                let _ = known.send(Ok((member.share(), member.here(), member.place())));
                serve(member, &asked);
            }
            Err(error) => {
                let _ = known.send(Err(error));
            }
        };
        let thread = thread::Builder::new().name("mpi".into()).spawn(serve);
        thread.map_err(|error| format!("no thread for MPI: {error}"))?;
        let gone = |_| "MPI could not be started".to_owned();
        let (share, here, place) = knows.recv().map_err(gone)??;
        Ok(Self {
            share,
            here,
            place,
            requests,
        })
    }

    /// Which of the processes of this machine it is, and of how many.
    pub fn here(&self) -> Share {
        self.here
    }

    /// How long a process that ends no step is waited for.
    pub fn wait_at_most(&self, timeout: Duration) {
        let _ = self.requests.send(Request::Timeout(timeout));
    }

    fn ask<T>(&self, request: impl FnOnce(Reply<T>) -> Request) -> Result<T, Lost> {
        let gone = || Lost("the thread of MPI has ended".into());
        let (reply, answer) = channel();
        self.requests.send(request(reply)).map_err(|_| gone())?;
        answer.recv().map_err(|_| gone())?
    }

    /// Leaves the others. What has failed in several processes is said by the first of them; a process that has
    /// failed alone ends all.
    pub fn end(self, done: Result<(), Failure>) -> Result<(), Failure> {
        let failed = done.as_ref().err();
        let failed = failed.map(|failure| (failure.code(), failure.message()));
        let (reply, answer) = channel();
        let asked = self.requests.send(Request::End(failed, reply));
        let parted = asked.ok().and_then(|()| answer.recv().ok());
        match (done, parted.unwrap_or(Parted::Alone)) {
            (done, Parted::Together) if self.share.rank == 0 => done,
            (done, Parted::Together) => done.map_err(|failure| Failure::Elsewhere(failure.code())),
            (Ok(()), Parted::Because(code, why)) => {
                tell!("error: {why}");
                self.abort(code)
            }
            (done, _) => {
                let failure = done.err();
                self.say(failure.as_ref());
                self.abort(failure.map_or(1, |failure| failure.code()))
            }
        }
    }

    /// Says why all end, where this process is the one that knows.
    fn say(&self, failure: Option<&Failure>) {
        // The first that says it ends the others.
        thread::sleep(Duration::from_millis(200 * self.share.rank as u64));
        aloud();
        if self.share.rank > 0 {
            tell!("{} has failed; all end:", self.place);
        }
        if let Some(failure) = failure {
            failure.report();
        }
    }

    /// A bug has shown itself, or a device has no memory left. The others would wait for this process.
    pub fn panicked(self, said: &str) -> ! {
        aloud();
        let did = watch::last();
        tell!(
            "error: {} has panicked: {said}. It had {did}; all end",
            self.place
        );
        self.abort(101)
    }

    fn abort(&self, code: u8) -> ! {
        let _ = self.requests.send(Request::Abort(code));
        // The thread may be waiting for a process that does not come.
        thread::sleep(Duration::from_millis(500));
        std::process::exit(code.into());
    }
}

impl Exchange for Process {
    fn share(&self) -> Share {
        self.share
    }

    fn place(&self) -> String {
        self.place.clone()
    }

    fn did(&mut self, what: &str) {
        watch::did(what);
    }

    fn gather(&mut self, bytes: Vec<u8>) -> Result<Vec<Vec<u8>>, Lost> {
        self.ask(|reply| Request::Gather(bytes, reply))
    }

    fn collect(&mut self, bytes: Vec<u8>) -> Result<Vec<Vec<u8>>, Lost> {
        self.ask(|reply| Request::Collect(bytes, reply))
    }

    fn all_to_all(&mut self, values: Vec<f32>) -> Result<Vec<f32>, Lost> {
        self.ask(|reply| Request::AllToAll(values, reply))
    }

    fn all_gather(&mut self, values: Vec<f32>, length: usize) -> Result<Vec<f32>, Lost> {
        self.ask(|reply| Request::AllGather(values, length, reply))
    }

    fn broadcast(&mut self, bytes: Vec<u8>) -> Result<Vec<u8>, Lost> {
        self.ask(|reply| Request::Broadcast(bytes, reply))
    }
}

/// Does what is asked until this process leaves. Whoever has asked and is gone needs no answer.
fn serve(mut member: Member, requests: &Receiver<Request>) {
    for request in requests {
        match request {
            Request::Gather(bytes, reply) => drop(reply.send(member.gather(bytes))),
            Request::Collect(bytes, reply) => drop(reply.send(member.collect(bytes))),
            Request::AllToAll(values, reply) => drop(reply.send(member.all_to_all(values))),
            Request::AllGather(values, length, reply) => {
                drop(reply.send(member.all_gather(values, length)));
            }
            Request::Broadcast(bytes, reply) => drop(reply.send(member.broadcast(bytes))),
            Request::Timeout(timeout) => member.wait_at_most(timeout),
            Request::Abort(code) => member.abort(code),
            Request::End(failed, reply) => {
                let parted = member.end(failed);
                if matches!(parted, Parted::Together) {
                    member.leave();
                    drop(reply.send(parted));
                    return;
                }
                drop(reply.send(parted));
            }
        }
    }
}
