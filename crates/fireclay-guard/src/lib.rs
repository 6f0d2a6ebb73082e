//! Files of others: plain ones alone are opened, none is read without a bound, and a reader that panics on a damaged
//! one gives an error.
#![forbid(unsafe_code)]

use std::any::Any;
use std::cell::Cell;
use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind, set_hook, take_hook};
use std::path::Path;
use std::sync::mpsc::channel;
use std::sync::{Mutex, Once, PoisonError};
use std::thread::{Builder, scope};
use std::time::Duration;

/// Opens a file for reading. A pipe would wait for a writer, and a device may never end.
///
/// # Errors
///
/// If the system refuses, or it is no plain file.
pub fn open(path: &Path) -> Result<File> {
    match path.metadata()?.is_file() {
        true => File::open(path),
        false => Err(Error::other("it is no plain file")),
    }
}

/// The content of a plain file of at most `most` bytes. Memory is taken as bytes come, not as the metadata claim.
///
/// # Errors
///
/// If the system refuses, or it is something else.
pub fn read(path: &Path, most: u64) -> Result<Vec<u8>> {
    let file = open(path)?;
    let size = file.metadata()?.len();
    if size > most {
        let message = format!("it has {size} bytes; {most} are the most");
        return Err(Error::other(message));
    }
    bounded(file, most)
}

fn bounded(file: File, most: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > most {
        true => Err(Error::other(format!("it has more than {most} bytes"))),
        false => Ok(bytes),
    }
}

/// The content of a file that a user names, of at most `most` bytes: of a plain one, or what comes through a pipe, such
/// as a shell makes for `<(command)`.
///
/// # Errors
///
/// If the system refuses, it is something else, or nobody opens the other end of the pipe.
pub fn given(path: &Path, most: u64) -> Result<Vec<u8>> {
    if !is_pipe(path)? {
        return read(path, most);
    }
    let named = path.to_owned();
    bounded(patiently(move || File::open(named))?, most)
}

/// The same as text.
///
/// # Errors
///
/// As [`given`], or if it is not UTF-8.
pub fn given_text(path: &Path, most: u64) -> Result<String> {
    let bytes = given(path, most)?;
    String::from_utf8(bytes).map_err(|error| Error::new(ErrorKind::InvalidData, error))
}

#[cfg(unix)]
fn is_pipe(path: &Path) -> Result<bool> {
    use std::os::unix::fs::FileTypeExt;

    Ok(path.metadata()?.file_type().is_fifo())
}

#[cfg(not(unix))]
fn is_pipe(_: &Path) -> Result<bool> {
    Ok(false)
}

/// The same as text.
///
/// # Errors
///
/// As [`read`], or if it is not UTF-8.
pub fn text(path: &Path, most: u64) -> Result<String> {
    String::from_utf8(read(path, most)?).map_err(|error| Error::new(ErrorKind::InvalidData, error))
}

/// More bytes than a file of records, results or settings has that is read whole.
pub const LARGEST: u64 = 1 << 30;

/// What `read` makes of some bytes; where it panics, what it said. Nothing is printed then.
///
/// What `read` changed before it panicked must not be used again.
///
/// # Errors
///
/// The message of the panic.
pub fn caught<T>(read: impl FnOnce() -> T) -> std::result::Result<T, String> {
    quieten();
    let before = IS_QUIET.replace(true);
    let caught = catch_unwind(AssertUnwindSafe(read));
    IS_QUIET.set(before);
    caught.map_err(|panic| message(&*panic).to_owned())
}

/// How long somebody may take to open the other end of a pipe.
const PATIENCE: Duration = Duration::from_secs(5);

/// The file that `open` opens, which may be a pipe. Its other end has to be opened too, and soon.
///
/// # Errors
///
/// If the system refuses, or nobody opens the other end.
pub fn patiently(open: impl FnOnce() -> Result<File> + Send + 'static) -> Result<File> {
    let problem = match within(PATIENCE, open) {
        Some(Ok(opened)) => return opened,
        Some(Err(problem)) => problem,
        None => format!(
            "it is a pipe, and for {} s nobody opened its other end",
            PATIENCE.as_secs()
        ),
    };
    Err(Error::other(problem))
}

/// What `work` makes, or what it said where it panicked; none where that takes longer than `longest`.
///
/// Nothing ends a thread: what takes longer goes on until the process ends.
pub fn within<T: Send + 'static>(
    longest: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<std::result::Result<T, String>> {
    let (sender, receiver) = channel();
    let begun = Builder::new().spawn(move || {
        // Where nobody waits any more, nobody wants it.
        let _ = sender.send(caught(work));
    });
    match begun {
        Ok(_) => receiver.recv_timeout(longest).ok(),
        Err(error) => Some(Err(error.to_string())),
    }
}

/// What `work` makes of each share, in their order. Each has a thread of its own, or this one where the system gives no more.
///
/// # Panics
///
/// If `work` does.
pub fn side_by_side<S: Send, T: Send>(shares: Vec<S>, work: impl Fn(S) -> T + Sync) -> Vec<T> {
    let shares: Vec<_> = shares
        .into_iter()
        .map(|share| Mutex::new(Some(share)))
        .collect();
    let work = |share: &Mutex<Option<S>>| {
        let share = share.lock().unwrap_or_else(PoisonError::into_inner).take();
        work(share.expect("each is taken once"))
    };
    let work = &work;
    scope(|scope| {
        let begun: Vec<_> = shares
            .iter()
            .map(
                |share| match Builder::new().spawn_scoped(scope, move || work(share)) {
                    Ok(thread) => Ok(thread),
                    Err(_) => Err(work(share)),
                },
            )
            .collect();
        let ended = begun.into_iter().map(|begun| match begun {
            Ok(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
            Err(done) => done,
        });
        ended.collect()
    })
}

thread_local! {
    static IS_QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Panics of other threads are reported as ever.
fn quieten() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = take_hook();
        set_hook(Box::new(move |info| {
            if !IS_QUIET.get() {
                usual(info);
            }
        }));
    });
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or(panic.downcast_ref::<&str>().copied());
    text.unwrap_or("its reader gave up")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error() {
        assert_eq!(caught(|| 3), Ok(3));
        assert_eq!(
            caught(|| panic!("page {}", 7)),
            Err::<(), _>("page 7".into())
        );
    }

    #[test]
    fn shares_are_done_side_by_side_in_their_order() {
        let mut numbers = [1, 2, 3, 4, 5];
        let shares = numbers.chunks_mut(2).collect();
        let sums = side_by_side(shares, |share: &mut [i32]| {
            share[0] = 0;
            share.iter().sum::<i32>()
        });
        assert_eq!((sums, numbers), (vec![2, 4, 0], [0, 2, 0, 4, 0]));
        let none: Vec<i32> = side_by_side(Vec::<i32>::new(), |share| share);
        assert!(none.is_empty());
    }

    #[test]
    fn what_never_ends_is_not_waited_for() {
        let soon = Duration::from_millis(50);
        assert_eq!(within(Duration::from_secs(60), || 3), Some(Ok(3)));
        let panics = within(Duration::from_secs(60), || panic!("no"));
        assert_eq!(panics, Some(Err::<(), _>("no".into())));
        let endless = || std::thread::sleep(Duration::from_secs(60));
        assert_eq!(within(soon, endless), None);
    }

    #[test]
    fn only_plain_files_are_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a");
        std::fs::write(&path, "123").expect("written");
        assert_eq!(read(&path, 3).expect("it fits"), b"123");
        assert_eq!(text(&path, 3).expect("it is text"), "123");
        assert!(read(&path, 2).is_err() && open(folder.path()).is_err());
        assert_eq!(given_text(&path, 3).expect("it is text"), "123");
        assert!(given(folder.path(), 3).is_err());
        std::fs::write(&path, [0xff]).expect("written");
        assert!(text(&path, 3).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn what_a_user_names_may_come_through_a_pipe() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.expect("mkfifo").success());
        for (most, fits) in [(3, true), (2, false)] {
            let other = path.clone();
            let writer = std::thread::spawn(move || std::fs::write(other, "123"));
            assert_eq!(given(&path, most).is_ok(), fits);
            // Whoever writes to a pipe that is not read to its end is told.
            let _ = writer.join().expect("no panic");
        }
        assert!(given(Path::new("/dev/zero"), 3).is_err());
    }
}
