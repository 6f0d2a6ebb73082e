//! Whether the processes of a training train the same.

use fireclay_data::sha256_file;
use serde::{Deserialize, Serialize};

use super::{Exchange, Lost};
use crate::checkpoint::{Difference, Fingerprints, differences};

/// Why the processes do not train together.
#[derive(Debug, thiserror::Error)]
pub enum Unlike {
    /// They would train something else; what differs and where.
    #[error("the processes were not started alike:{}", .0.iter().map(|line| format!("\n  {line}")).collect::<String>())]
    Parts(Vec<String>),
    /// One of them has ended.
    #[error(transparent)]
    Lost(#[from] Lost),
}

#[derive(Serialize, Deserialize)]
struct Told {
    place: String,
    parts: Fingerprints,
}

/// What tells this build of the program from others: its version and the SHA-256 of its file.
pub fn program() -> String {
    let hash = std::env::current_exe().ok().map(|file| sha256_file(&file));
    let hash = hash.and_then(Result::ok).unwrap_or_default();
    format!("{} {hash}", env!("CARGO_PKG_VERSION"))
}

/// Compares `parts` of the run across all processes. Every process finds the same.
///
/// # Errors
///
/// [`Unlike`].
pub fn same(exchange: &mut dyn Exchange, parts: Fingerprints) -> Result<(), Unlike> {
    let own = Told {
        place: exchange.place(),
        parts,
    };
    let own = serde_json::to_vec(&own).expect("plain data");
    let all = exchange.gather(own)?;
    let read = |bytes: &Vec<u8>| serde_json::from_slice::<Told>(bytes);
    let all: Result<Vec<Told>, _> = all.iter().map(read).collect();
    let all = all.map_err(|error| Lost(format!("a process runs another version: {error}")))?;
    let Some((first, others)) = all.split_first() else {
        return Ok(());
    };
    let lines = others.iter().flat_map(|other| {
        let found = differences(&first.parts, &other.parts).into_iter();
        found.map(|difference| line(&difference, [&first.place, &other.place]))
    });
    let lines: Vec<_> = lines.collect();
    match lines.is_empty() {
        true => Ok(()),
        false => Err(Unlike::Parts(lines)),
    }
}

fn line(difference: &Difference, [first, other]: [&str; 2]) -> String {
    let show = |value: &Option<serde_json::Value>| {
        value
            .as_ref()
            .map_or("not there".into(), ToString::to_string)
    };
    let (was, now) = (show(&difference.was), show(&difference.now));
    format!("{}: {was} in {first}, {now} in {other}", difference.path)
}
