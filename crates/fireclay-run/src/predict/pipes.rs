//! Tables that come through a pipe, and answers that go into one.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use fireclay_data::DataError;
use fireclay_train::cluster::company;
use fireclay_train::files::Output;
use fireclay_train::run_folder::{self, FolderError};
use fireclay_train::scratch::Scratch;

use crate::run::RunError;

/// What stands for standard input and standard output.
const STANDARD: &str = "-";

/// A table to read. What comes through a pipe is kept in a file meanwhile, because a table is read more
/// than once: for its columns and for its rows.
pub(crate) struct InputTable {
    path: String,
    /// What the user calls it, and the folder of the copy.
    piped: Option<(String, Scratch)>,
}

impl InputTable {
    /// A file, a pattern, a pipe, or standard input.
    ///
    /// # Errors
    ///
    /// If a pipe cannot be read, or its copy not be written.
    pub(crate) fn open(given: &str) -> Result<Self, RunError> {
        if !is_stream(Path::new(given)) {
            let path = given.to_owned();
            return Ok(Self { path, piped: None });
        }
        refuse_devices(Path::new(given))?;
        if company().world > 1 {
            return Err(RunError::Usage(
                "what comes through a pipe is there for one process alone; several need a file that all of them read"
                    .into(),
            ));
        }
        let (name, mut reader): (String, Box<dyn Read>) = match given {
            STANDARD => ("standard input".into(), Box::new(io::stdin().lock())),
            path => (
                path.into(),
                Box::new(open(Path::new(path), "read", |path| File::open(path))?),
            ),
        };
        Self::copy(&mut reader, name)
    }

    /// A table that is in memory already; errors call it `name`.
    ///
    /// # Errors
    ///
    /// If its copy cannot be written.
    pub(crate) fn of_bytes(mut bytes: &[u8], name: &str) -> Result<Self, RunError> {
        Self::copy(&mut bytes, name.to_owned())
    }

    fn copy(reader: &mut dyn Read, name: String) -> Result<Self, RunError> {
        let folder = scratch()?;
        let path = folder.path().join("table");
        let read = |source| run_folder::io("read", Path::new(&name), source);
        let whole = not_only_zeros(reader).map_err(read)?;
        copy(whole, &path, read)?;
        Ok(Self {
            path: path.display().to_string(),
            piped: Some((name, folder)),
        })
    }

    /// The file or the pattern to read.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// What the user calls it.
    pub(crate) fn name(&self) -> &str {
        match &self.piped {
            Some((name, _)) => name,
            None => &self.path,
        }
    }

    /// An error with the name that the user knows, and advice that fits a finished run.
    pub(crate) fn named(&self, error: RunError) -> RunError {
        match (&self.piped, error) {
            (Some((name, _)), RunError::Data(error)) => {
                let error = error.of_run().to_string();
                RunError::Piped(error.replace(&self.path, name))
            }
            (None, RunError::Data(error)) => RunError::Data(error.of_run()),
            (_, error) => error,
        }
    }

    /// A text with the name that the user knows.
    pub(crate) fn renamed(&self, text: &str) -> String {
        match &self.piped {
            Some((name, _)) => text.replace(&self.path, name),
            None => text.to_owned(),
        }
    }

    /// The same for an error that is only told.
    pub(crate) fn told(&self, error: DataError) -> String {
        self.named(error.into()).to_string()
    }
}

/// What the process has open already, whether a file, a pipe or a terminal.
const OWN: [&str; 5] = [
    "/dev/fd",
    "/dev/stdin",
    "/dev/stdout",
    "/dev/stderr",
    "/dev/tty",
];

fn is_own(path: &Path) -> bool {
    OWN.iter().any(|name| path.starts_with(name))
}

/// Refuses a device: what it gives has no end, and would fill the disk.
#[cfg(unix)]
fn refuse_devices(path: &Path) -> Result<(), RunError> {
    use std::os::unix::fs::FileTypeExt;

    let found = path.metadata();
    let is_device = found.is_ok_and(|found| found.file_type().is_char_device());
    match is_device && !is_own(path) {
        true => {
            let source = io::Error::other("it is a device, which holds no table, image or text");
            Err(run_folder::io("read", path, source).into())
        }
        false => Ok(()),
    }
}

#[cfg(not(unix))]
fn refuse_devices(_: &Path) -> Result<(), RunError> {
    Ok(())
}

/// Keeps all that `reader` gives in a file. What cannot be read is another error than what cannot be kept.
fn copy(
    mut reader: impl Read,
    path: &Path,
    unread: impl Fn(io::Error) -> FolderError,
) -> Result<(), FolderError> {
    let full = |source| run_folder::io("write to", &std::env::temp_dir(), source);
    let mut file = File::create(path).map_err(full)?;
    let mut piece = vec![0; 1 << 16];
    loop {
        match reader.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(count) => file.write_all(&piece[..count]).map_err(full)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(unread(error)),
        }
    }
}

/// The same, unless it begins with zeros, of which there may be any number.
fn not_only_zeros(reader: &mut dyn Read) -> io::Result<impl Read> {
    let mut start = Vec::new();
    let mut first = (&mut *reader).take(64);
    first.read_to_end(&mut start)?;
    match start.len() == 64 && start.iter().all(|byte| *byte == 0) {
        true => Err(io::Error::other("it begins with zeros alone")),
        false => Ok(io::Cursor::new(start).chain(reader)),
    }
}

/// Whether a path is no file that could be written aside and renamed.
pub(super) fn is_stream(path: &Path) -> bool {
    let is_special = || {
        let metadata = path.metadata();
        metadata.is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
    };
    path == Path::new(STANDARD) || is_own(path) || is_special()
}

/// Whether a path stands for standard output, where a line about the answers would be taken for one of them.
pub fn is_standard_output(path: &Path) -> bool {
    [STANDARD, "/dev/stdout", "/dev/fd/1"]
        .map(Path::new)
        .contains(&path)
}

/// Lets `write` write a file, and sends the file to `output` when it is whole.
pub(super) fn through<T>(
    output: &Path,
    write: impl FnOnce(Output) -> Result<T, RunError>,
) -> Result<T, RunError> {
    let folder = scratch()?;
    let part: PathBuf = folder.path().join("answers");
    let created = Output::create(&part);
    let written = write(created.map_err(|source| run_folder::io("create", &part, source))?)?;
    let mut whole = open(&part, "read", |path| File::open(path))?;
    let (name, mut sink): (&Path, Box<dyn Write>) = match is_standard_output(output) {
        true => (Path::new("standard output"), Box::new(io::stdout().lock())),
        false => {
            let file = open(output, "write", |path| {
                File::options().write(true).open(path)
            })?;
            (output, Box::new(file))
        }
    };
    let sent = io::copy(&mut whole, &mut sink).and_then(|_| sink.flush());
    let sent = match sent {
        // Who stops reading standard output, as `| head` does, has what was wanted.
        Err(error) if is_standard_output(output) && error.kind() == io::ErrorKind::BrokenPipe => {
            Ok(())
        }
        sent => sent,
    };
    sent.map_err(|source| run_folder::io("write", name, source))?;
    Ok(written)
}

/// Lets `write` write a file that nobody reads: another process writes the same.
pub(super) fn nowhere<T>(write: impl FnOnce(Output) -> Result<T, RunError>) -> Result<T, RunError> {
    let folder = scratch()?;
    let part = folder.path().join("answers");
    let created = Output::create(&part);
    write(created.map_err(|source| run_folder::io("create", &part, source))?)
}

/// A folder that is gone at the end.
fn scratch() -> Result<Scratch, RunError> {
    let made = Scratch::new();
    Ok(made.map_err(|source| run_folder::io("write to", &std::env::temp_dir(), source))?)
}

fn open(
    path: &Path,
    action: &'static str,
    how: impl FnOnce(&Path) -> io::Result<File> + Send + 'static,
) -> Result<File, RunError> {
    let named = path.to_owned();
    let opened = fireclay_guard::patiently(move || how(&named));
    opened.map_err(|source| run_folder::io(action, path, source).into())
}
