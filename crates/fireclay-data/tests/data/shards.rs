//! Archives that a manifest lists, behind a small server on this machine: fetched when they are needed, and thrown out when
//! others need the room.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};

use fireclay_data::ImageFormat::Webdataset;
use fireclay_data::{ImageData, ImageDataConfig, TargetKind, Upcoming, epoch_order, sha256_file};

use crate::images::{classes, levels, load, picture, put, tar};
use crate::{Files, all_train, refused, with};

/// Serves files by their names, and remembers which were asked for.
pub(crate) struct Server {
    pub(crate) address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(crate) fn new(files: BTreeMap<String, Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let head: Vec<_> = lines
                    .map(Result::unwrap)
                    .take_while(|line| !line.is_empty())
                    .collect();
                let name = head[0].split(' ').nth(1).unwrap().trim_start_matches('/');
                log.lock().unwrap().push(name.to_owned());
                let content = &files[name];
                let length = content.len();
                let _ = write!(
                    stream,
                    "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
                );
                let _ = stream.write_all(content);
            }
        });
        Self { address, asked }
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

/// Images in an archive.
const EACH: usize = 5;

fn archive(number: usize) -> Vec<u8> {
    let sample = |index: usize| {
        let level = (number * EACH + index) as u8;
        let class = ["cat", "dog"][index % 2];
        [
            (format!("{level:03}.png"), picture("a.png", 4, level)),
            (format!("{level:03}.cls"), class.as_bytes().to_vec()),
        ]
    };
    let members: Vec<_> = (0..EACH).flat_map(sample).collect();
    let members: Vec<_> = members
        .iter()
        .map(|(name, bytes)| (name.as_str(), &bytes[..]))
        .collect();
    tar(&members)
}

/// Twelve archives on a server, the same as files, and a configuration whose cache has room for two of them beside those
/// that are mixed.
fn shards(files: &Files) -> (Server, ImageDataConfig, u64) {
    let archives: BTreeMap<_, _> = (0..12)
        .map(|number| (format!("{number:02}.tar"), archive(number)))
        .collect();
    let mut lines = String::new();
    let most = archives.values().map(Vec::len).max().unwrap() as u64;
    let server = Server::new(archives.clone());
    for (name, bytes) in &archives {
        put(files, &format!("here/{name}"), bytes);
        let hash = sha256_file(&files.path(&format!("here/{name}"))).unwrap();
        lines += &format!("{hash}  {}/{name}\n", server.address);
    }
    let config = with(
        ImageDataConfig::new(put(files, "train.sha256", lines)),
        |config| {
            config.split = all_train();
            config.shard_cache_dir = Some(files.path("cache").display().to_string());
            config.shard_cache_bytes = Some(6 * most);
            config.shards_mixed = Some(2);
        },
    );
    (server, config, 6 * most)
}

pub(crate) fn bytes_in(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    let archives = entries.filter(|entry| {
        entry
            .path()
            .extension()
            .is_none_or(|ending| ending != "json")
    });
    archives.map(|entry| entry.metadata().unwrap().len()).sum()
}

#[test]
fn archives_are_fetched_when_they_are_needed_and_thrown_out_again() {
    let files = Files::new();
    let (server, config, most) = shards(&files);
    let data = load(Webdataset, &config);
    let here = with(config.clone(), |config| {
        config.path = files.path("here/*.tar").display().to_string();
        (
            config.shard_cache_dir,
            config.shard_cache_bytes,
            config.shards_mixed,
        ) = (None, None, None);
    });
    let local = load(Webdataset, &here);
    assert_eq!(levels(&data.train), levels(&local.train));
    assert_eq!(classes(&data.train), classes(&local.train));
    let none = || -> Upcoming { Box::new(std::iter::empty()) };
    assert!(data.train.ahead(none()).is_some() && local.train.ahead(none()).is_none());
    assert_eq!(data.preprocess.mean(), local.preprocess.mean());
    let hashes = data.hashes().unwrap();
    assert_eq!(hashes.len(), 13, "the archives and the manifest");
    assert!(bytes_in(&files.path("cache")) <= most);
    // What is in the archives is known now; what is still there is not fetched again.
    let asked = server.asked();
    assert!(asked >= 12);
    let found = ImageData::load(Webdataset, &config, 7, TargetKind::Class).unwrap();
    let listed = server.asked() - asked;
    assert!(
        listed <= 24,
        "{listed}: a pass to size the images, one to measure them, and none to list them"
    );
    // An epoch in its order fetches each archive about once, and no more is kept than may be.
    let before = server.asked();
    let order = found
        .train
        .arrange(epoch_order(3, 1, 0..60), (3, 1))
        .into_list();
    for batch in order.chunks(4) {
        found.train.batch(1, batch).unwrap();
        assert!(bytes_in(&files.path("cache")) <= most);
    }
    let fetched = server.asked() - before;
    assert!((6..=12).contains(&fetched), "{fetched}");
}

#[test]
fn the_order_mixes_a_few_archives_at_a_time() {
    let files = Files::new();
    let (_server, config, _) = shards(&files);
    let train = load(Webdataset, &config).train;
    let order = |seed, epoch| {
        train
            .arrange(epoch_order(seed, epoch, 0..60), (seed, epoch))
            .into_list()
    };
    assert_eq!(order(1, 0), order(1, 0));
    assert!(order(1, 0) != order(1, 1) && order(1, 0) != order(2, 0));
    let mut groups = Vec::new();
    for window in order(1, 0).chunks(2 * EACH) {
        let mut archives: Vec<_> = window
            .iter()
            .map(|sample| *sample as usize / EACH)
            .collect();
        assert!(
            archives.windows(2).any(|pair| pair[0] != pair[1]),
            "they are mixed"
        );
        archives.sort_unstable();
        archives.dedup();
        assert_eq!(archives.len(), 2);
        groups.extend(archives);
    }
    groups.sort_unstable();
    assert!(groups.into_iter().eq(0..12), "each of them once");
}

#[test]
fn what_cannot_be_fetched_is_told() {
    let files = Files::new();
    let (server, config, most) = shards(&files);
    let refuses = |config: &ImageDataConfig, parts: &[&str]| {
        refused(
            ImageData::load(Webdataset, config, 7, TargetKind::Class),
            parts,
        );
    };
    let small = with(config.clone(), |config| {
        config.shard_cache_bytes = Some(most / 2)
    });
    refuses(&small, &["data.shards_mixed", "data.shard_cache_bytes"]);
    let tiny = with(config.clone(), |config| {
        config.shard_cache_bytes = Some(most / 6);
        config.shard_cache_dir = Some(files.path("tiny").display().to_string());
    });
    refuses(&tiny, &["half of data.shard_cache_bytes"]);
    let other = format!("{}  {}/00.tar\n", "0".repeat(64), server.address);
    let wrong = with(config.clone(), |config| {
        config.path = put(&files, "wrong.sha256", other)
    });
    refuses(&wrong, &["00.tar", "its SHA-256 is"]);
    let here = format!("{}  here/00.tar\n", "0".repeat(64));
    let changed = with(config.clone(), |config| {
        config.path = put(&files, "changed.sha256", here)
    });
    refuses(
        &changed,
        &["00.tar", "its SHA-256 is", "changed.sha256 says 000"],
    );
    let broken = with(config, |config| {
        config.path = put(&files, "broken.sha256", "00.tar\n")
    });
    refuses(&broken, &["broken.sha256", "line 1"]);
    let unread = with(ImageDataConfig::new("x"), |config| {
        config.shards_mixed = Some(2)
    });
    let problems = unread.validate(fireclay_data::ImageFormat::Idx);
    assert!(
        problems.iter().any(|(key, _)| key == "shards_mixed"),
        "{problems:?}"
    );
}
