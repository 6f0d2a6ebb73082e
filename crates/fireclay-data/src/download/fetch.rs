//! One file over HTTP: resumable, and kept only if its hash is right.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::Duration;

use ureq::http::{Response, StatusCode, header};
use ureq::{Agent, Body};

use crate::error::DataError;
use crate::hash::sha256_file;
use crate::kept;
use crate::stop::Stop;

/// A connection that says nothing for so long is given up; what came until then is kept.
const PATIENCE: Duration = Duration::from_secs(60);

/// Fetches `url` to `file`, whose hash must be `sha256` in small letters.
///
/// Until it is whole it is called `….part`; a later call goes on where this one stopped. Nothing is
/// kept of a file of more than `most` bytes, and of one that `stop` says is no longer wanted.
pub(crate) fn fetch(
    url: &str,
    sha256: &str,
    file: &Path,
    most: u64,
    stop: &Stop,
) -> Result<(), DataError> {
    let part = kept::part(file);
    if received(&part) > 0 && sha256_file(&part)? == sha256 {
        // The last call was stopped between the last byte and the new name.
        return rename(&part, file);
    }
    receive(url, &part, most, stop)?;
    let found = sha256_file(&part)?;
    if found != sha256 {
        fs::remove_file(&part).map_err(|source| DataError::write(&part, source))?;
        let advice = "so nothing of it is kept; compare the address and the hash";
        let message = format!("its SHA-256 is {found} and not {sha256}, {advice}");
        return Err(fail(url, message));
    }
    rename(&part, file)
}

fn received(part: &Path) -> u64 {
    part.metadata().map_or(0, |metadata| metadata.len())
}

fn rename(part: &Path, file: &Path) -> Result<(), DataError> {
    fs::rename(part, file).map_err(|source| DataError::write(file, source))
}

/// Appends what is missing to the part.
fn receive(url: &str, part: &Path, most: u64, stop: &Stop) -> Result<(), DataError> {
    let (response, start) = respond(url, received(part))?;
    let expected = response.body().content_length().map(|rest| start + rest);
    if expected.is_some_and(|expected| expected > most) {
        return Err(too_large(url, part, most));
    }
    let mut file = open(part, start)?;
    // One byte more tells a file that is too large from one that just fits.
    let body = response.into_body().into_reader();
    let left = most.saturating_sub(start).saturating_add(1);
    let copied = copy(&mut body.take(left), &mut file, stop);
    if let Err(error) = stop.check() {
        drop(file);
        fs::remove_file(part).map_err(|source| DataError::write(part, source))?;
        return Err(error);
    }
    let saved = file.sync_all();
    drop(file);
    let length = received(part);
    if length > most {
        return Err(too_large(url, part, most));
    }
    match copied {
        Err(CopyError::Read(error)) => return Err(interrupted(url, length, &error.to_string())),
        Err(CopyError::Write(source)) => return Err(DataError::write(part, source)),
        Ok(()) => saved.map_err(|source| DataError::write(part, source))?,
    }
    match expected {
        Some(expected) if length < expected => {
            let reason = format!("{expected} bytes were announced");
            Err(interrupted(url, length, &reason))
        }
        _ => Ok(()),
    }
}

/// A response with the bytes from `start` on, or with all of them, and where it starts.
fn respond(url: &str, start: u64) -> Result<(Response<Body>, u64), DataError> {
    let response = request(url, start)?;
    match response.status() {
        StatusCode::OK => Ok((response, 0)),
        StatusCode::PARTIAL_CONTENT if starts_at(&response, start) => Ok((response, start)),
        // Another part than was asked for, or none because the start is past the end.
        StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
            let response = request(url, 0)?;
            match response.status() {
                StatusCode::OK => Ok((response, 0)),
                status => Err(refused(url, status)),
            }
        }
        status => Err(refused(url, status)),
    }
}

fn request(url: &str, start: u64) -> Result<Response<Body>, DataError> {
    let agent = Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(PATIENCE))
        .timeout_recv_response(Some(PATIENCE))
        .timeout_per_read(Some(PATIENCE));
    // Behind a proxy the environment says which; this machine needs none to reach itself.
    let agent = match is_local(url) {
        true => agent.proxy(None),
        false => agent,
    };
    let agent: Agent = agent.build().into();
    // Compressed on the way, a file would have another length and could not be resumed.
    let mut request = agent.get(url).header(header::ACCEPT_ENCODING, "identity");
    if start > 0 {
        request = request.header(header::RANGE, format!("bytes={start}-"));
    }
    request.call().map_err(|error| fail(url, error.to_string()))
}

fn is_local(url: &str) -> bool {
    let host = url.split("://").nth(1).unwrap_or_default();
    ["127.0.0.1", "localhost", "[::1]"].iter().any(|local| {
        host.strip_prefix(local)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/']))
    })
}

/// Whether the server gives the part that was asked for: `bytes 100-199/200`.
fn starts_at(response: &Response<Body>, start: u64) -> bool {
    let range = response.headers().get(header::CONTENT_RANGE);
    let range = range.and_then(|range| range.to_str().ok()?.strip_prefix("bytes "));
    let first = range.and_then(|range| range.split('-').next()?.parse().ok());
    first == Some(start)
}

fn open(part: &Path, start: u64) -> Result<File, DataError> {
    let mut options = OpenOptions::new();
    options.create(true).write(true);
    let options = match start {
        0 => options.truncate(true),
        _ => options.append(true),
    };
    let file = options.open(part);
    file.map_err(|source| DataError::write(part, source))
}

enum CopyError {
    Read(io::Error),
    Write(io::Error),
}

/// Copies to the end, or until `stop` is told.
fn copy(reader: &mut impl Read, file: &mut File, stop: &Stop) -> Result<(), CopyError> {
    let mut buffer = vec![0; 1 << 16];
    while !stop.is_told() {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => file.write_all(&buffer[..read]).map_err(CopyError::Write)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(CopyError::Read(error)),
        }
    }
    Ok(())
}

fn refused(url: &str, status: StatusCode) -> DataError {
    fail(url, format!("the server answers {status}"))
}

fn too_large(url: &str, part: &Path, most: u64) -> DataError {
    match fs::remove_file(part) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => DataError::write(part, error),
        _ => {
            let allowed = "the most that max_unpacked_bytes allows, so nothing of it is kept";
            fail(url, format!("it has more than {most} bytes, {allowed}"))
        }
    }
}

fn interrupted(url: &str, length: u64, reason: &str) -> DataError {
    let advice = "run the same command again to go on from there";
    let message = format!("the connection ended after {length} bytes ({reason}); {advice}");
    fail(url, message)
}

fn fail(url: &str, message: String) -> DataError {
    DataError::Download {
        url: url.to_owned(),
        message,
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    #[test]
    fn nothing_is_left_of_what_nobody_wants_any_more() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/endless", listener.local_addr().unwrap());
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
            while stream.write_all(&[7; 1000]).is_ok() {
                thread::sleep(Duration::from_millis(1));
            }
        });
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shard");
        let (hash, stop) = ("0".repeat(64), Stop::default());
        thread::scope(|scope| {
            let fetching = scope.spawn(|| fetch(&url, &hash, &path, u64::MAX, &stop));
            while received(&kept::part(&path)) == 0 && !fetching.is_finished() {
                thread::sleep(Duration::from_millis(1));
            }
            stop.tell();
            let error = fetching.join().unwrap().unwrap_err().to_string();
            assert!(error.contains("nobody wants it"), "{error}");
        });
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
