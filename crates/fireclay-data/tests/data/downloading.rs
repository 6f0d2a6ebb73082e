//! Downloads from a small server on this machine, and archives that mean harm.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};

use ::tar::EntryType;
use ::zip::write::SimpleFileOptions;
use fireclay_data::{
    DataError, DownloadConfig, ImageDataConfig, ImageFormat, Note, download, sha256_file,
};

use crate::images::{gzip, put, tar};
use crate::{Files, refused, with};

/// What the server does with a request for `/file.bin`.
#[derive(Clone, Copy)]
enum Mood {
    Serve,
    Missing,
    /// Says the whole length and hangs up after so many bytes.
    HangUpAfter(usize),
    /// Does not say how long the file is.
    NoLength,
    /// Knows no ranges: sends everything whatever was asked for.
    NoRanges,
}

struct Server {
    address: String,
    mood: Arc<Mutex<Mood>>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn new(content: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let mood = Arc::new(Mutex::new(Mood::Serve));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (state, log) = (Arc::clone(&mood), Arc::clone(&requests));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut head = String::new();
                for line in BufReader::new(stream.try_clone().unwrap()).lines() {
                    let line = line.unwrap();
                    if line.is_empty() {
                        break;
                    }
                    head += &format!("{}\n", line.to_lowercase());
                }
                let mood = *state.lock().unwrap();
                let range = head.lines().find_map(|line| {
                    line.strip_prefix("range: bytes=")?
                        .strip_suffix('-')?
                        .parse::<usize>()
                        .ok()
                });
                log.lock().unwrap().push(head);
                let _ = answer(&mut stream, mood, &content, range);
            }
        });
        Self {
            address,
            mood,
            requests,
        }
    }

    fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    fn requests(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    fn entry(&self, name: &str, content: &[u8]) -> DownloadConfig {
        DownloadConfig::new(
            format!("{}/{name}?download=true", self.address),
            hash(content),
        )
    }
}

fn answer(
    stream: &mut impl Write,
    mood: Mood,
    content: &[u8],
    range: Option<usize>,
) -> std::io::Result<()> {
    let length = content.len();
    let start = range
        .filter(|_| !matches!(mood, Mood::NoRanges))
        .unwrap_or(0);
    let end = match mood {
        Mood::Missing => {
            return write!(
                stream,
                "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\nConnection: close\r\n\r\nnone"
            );
        }
        Mood::HangUpAfter(bytes) => start + bytes,
        _ => length,
    };
    if start > 0 && start >= length {
        return write!(
            stream,
            "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */{length}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
    }
    if let Mood::NoLength = mood {
        write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
        return stream.write_all(content);
    }
    let status = if start > 0 {
        format!(
            "206 Partial Content\r\nContent-Range: bytes {start}-{}/{length}",
            length - 1
        )
    } else {
        "200 OK".to_owned()
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        length - start
    )?;
    stream.write_all(&content[start..end])
}

fn hash(content: &[u8]) -> String {
    let files = Files::new();
    sha256_file(Path::new(&files.write("x", content))).unwrap()
}

fn content() -> Vec<u8> {
    (0..200_000u32).map(|i| ((i * i) >> 7) as u8).collect()
}

#[test]
fn of_downloads_that_begin_together_one_fetches_it() {
    let content: Vec<u8> = (0..3_000_000_u32).map(|i| (i % 251) as u8).collect();
    let server = Server::new(content.clone());
    let files = Files::new();
    let folder = files.path("here");
    let entry = server.entry("file.bin", &content);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| download(std::slice::from_ref(&entry), folder.as_ref()).unwrap());
        }
    });
    assert_eq!(server.requests(), 1);
    assert_eq!(fs::read(files.path("here/file.bin")).unwrap(), content);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
}

#[test]
fn a_file_is_fetched_once() {
    let (files, server) = (Files::new(), Server::new(content()));
    let entry = server.entry("file.bin", &content());
    let fetch = || fetch(&files, &entry, "deep/folder").unwrap();
    let notes = fetch();
    assert!(read(&files, "deep/folder/file.bin") == content());
    assert!(notes.len() == 1 && notes[0].message.contains("file.bin"));
    assert!(fetch().is_empty());
    assert_eq!(server.requests(), 1);
    files.write("deep/folder/file.bin", "something else");
    fetch();
    assert!(read(&files, "deep/folder/file.bin") == content());
}

#[test]
fn a_broken_connection_is_resumed() {
    for last in [Mood::Serve, Mood::NoRanges] {
        let (files, server) = (Files::new(), Server::new(content()));
        let entry = server.entry("file.bin", &content());
        server.set(Mood::HangUpAfter(70_000));
        for _ in 0..2 {
            refused(fetch(&files, &entry, "."), &["run the same command again"]);
            assert!(!files.path("file.bin").exists());
        }
        assert_eq!(read(&files, "file.bin.part").len(), 140_000);
        server.set(last);
        fetch(&files, &entry, ".").unwrap();
        assert!(read(&files, "file.bin") == content());
        assert!(!files.path("file.bin.part").exists());
        assert!(server.requests.lock().unwrap()[2].contains("range: bytes=140000-"));
    }
}

#[test]
fn a_part_that_is_whole_or_too_long_does_no_harm() {
    let (files, server) = (Files::new(), Server::new(content()));
    let entry = server.entry("file.bin", &content());
    files.write("file.bin.part", content());
    fetch(&files, &entry, ".").unwrap();
    assert_eq!(server.requests(), 0);
    fs::remove_file(files.path("file.bin")).unwrap();
    files.write("file.bin.part", vec![0; 300_000]);
    fetch(&files, &entry, ".").unwrap();
    assert!(read(&files, "file.bin") == content());
}

#[test]
fn what_the_server_refuses_or_forges_is_not_kept() {
    let (files, server) = (Files::new(), Server::new(content()));
    server.set(Mood::Missing);
    let entry = server.entry("file.bin", &content());
    refused(fetch(&files, &entry, "."), &["404", &server.address]);
    server.set(Mood::Serve);
    let wrong = server.entry("file.bin", b"another file");
    refused(
        fetch(&files, &wrong, "."),
        &["nothing of it is kept", &hash(&content())],
    );
    assert_eq!(fs::read_dir(files.path(".")).unwrap().count(), 0);
}

/// Downloads one file into a folder.
fn fetch(files: &Files, entry: &DownloadConfig, folder: &str) -> Result<Vec<Note>, DataError> {
    download(std::slice::from_ref(entry), &files.path(folder))
}

fn read(files: &Files, name: &str) -> Vec<u8> {
    fs::read(files.path(name)).unwrap()
}

/// Fetches and unpacks an archive into a folder of its own.
fn unpack(name: &str, archive: &[u8], most: u64) -> (Files, Result<(), DataError>) {
    let files = Files::new();
    let server = Server::new(archive.to_vec());
    let entry = DownloadConfig {
        unpack: true,
        max_unpacked_bytes: most,
        ..server.entry(name, archive)
    };
    let result = fetch(&files, &entry, "here").map(drop);
    if result.is_ok() {
        fs::remove_file(files.path("here").join(name)).unwrap();
        fetch(&files, &entry, "here").unwrap();
        let requests = server.requests();
        assert_eq!(requests, 1, "what was unpacked is not fetched again");
    }
    (files, result)
}

fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ::zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in members {
        let options = SimpleFileOptions::default();
        writer.start_file(*name, options).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn archives_are_unpacked() {
    let members: [(&str, &[u8]); 2] = [("data/a.txt", b"one"), ("./data/deep/b.txt", b"two")];
    for (name, archive) in [
        ("x.tar", tar(&members)),
        ("x.tar.gz", gzip(&tar(&members))),
        ("x.tgz", gzip(&tar(&members))),
        ("x.zip", zip(&members)),
    ] {
        let (files, result) = unpack(name, &archive, 6);
        result.unwrap();
        assert_eq!(read(&files, "here/data/a.txt"), b"one");
        assert_eq!(read(&files, "here/data/deep/b.txt"), b"two");
    }
    let (files, result) = unpack("labels.csv.gz", &gzip(b"a,b\n"), 100);
    result.unwrap();
    assert_eq!(read(&files, "here/labels.csv"), b"a,b\n");
}

#[test]
fn archives_that_mean_harm_leave_nothing() {
    let zeros = vec![0; 1 << 20];
    let mut link = ::tar::Builder::new(Vec::new());
    let mut header = ::tar::Header::new_gnu();
    header.set_entry_type(EntryType::Symlink);
    header.set_size(0);
    link.append_link(&mut header, "way-out", "/etc").unwrap();
    let mut device = ::tar::Builder::new(Vec::new());
    let mut header = ::tar::Header::new_gnu();
    header.set_entry_type(EntryType::Char);
    header.set_size(0);
    header.set_path("null").unwrap();
    header.set_cksum();
    device.append(&header, &b""[..]).unwrap();
    let mut zip_link = ::zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default();
    zip_link.add_symlink("way-out", "/etc", options).unwrap();
    let twice_zeros: [(&str, &[u8]); 2] = [("a", &zeros[..60_000]), ("b", &zeros[..60_000])];
    let cut_gzip = gzip(&tar(&[("a", &zeros[..5000])]))[..60].to_vec();
    let escaping: [(&str, &[u8]); 2] = [("ok.txt", b"x"), ("../escaped.txt", b"x")];
    for (name, archive, part) in [
        ("a.tar", tar(&escaping), "outside"),
        ("b.tar", tar(&[("/tmp/escaped.txt", b"x")]), "outside"),
        ("c.tar", tar(&[("a/../../escaped.txt", b"x")]), "outside"),
        ("d.zip", zip(&escaping), "outside"),
        ("e.zip", zip(&[("..\\escaped.txt", b"x")]), "outside"),
        ("f.tar", link.into_inner().unwrap(), "is a link"),
        ("g.tar", device.into_inner().unwrap(), "is a link, a device"),
        (
            "h.zip",
            zip_link.finish().unwrap().into_inner(),
            "is a link",
        ),
        ("i.zip", zip(&[("zeros", &zeros)]), "max_unpacked_bytes"),
        (
            "j.tar.gz",
            gzip(&tar(&[("zeros", &zeros)])),
            "max_unpacked_bytes",
        ),
        ("k.gz", gzip(&zeros), "max_unpacked_bytes"),
        ("l.tar", tar(&twice_zeros), "max_unpacked_bytes"),
        ("m.tar", tar(&[("same", b"x"), ("same", b"y")]), "twice"),
        (
            "p.tar",
            tar(&[(".p.tar.unpacked", b"{}")]),
            "a member of this name",
        ),
        ("n.tar.gz", cut_gzip, "n.tar.gz"),
        ("o.zip", zip(&[("a", b"x")])[..40].to_vec(), "o.zip"),
    ] {
        let (files, result) = unpack(name, &archive, 100_000);
        refused(result, &[part, name]);
        let left = fs::read_dir(files.path("here")).unwrap();
        let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, [name], "only the archive itself is left");
        assert!(!files.path("escaped.txt").exists());
    }
}

/// An archive of one member whose name has so many bytes, as GNU's tar writes it.
pub fn long_name(bytes: usize) -> Vec<u8> {
    extended(EntryType::GNULongName, &vec![b'n'; bytes])
}

/// An archive of one member `plain` that another header says more about.
fn extended(kind: EntryType, content: &[u8]) -> Vec<u8> {
    let mut builder = ::tar::Builder::new(Vec::new());
    let mut header = ::tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(content.len() as u64);
    header.set_cksum();
    builder.append(&header, content).unwrap();
    let mut header = ::tar::Header::new_gnu();
    header.set_path("plain").unwrap();
    header.set_mode(0o644);
    header.set_size(1);
    header.set_cksum();
    builder.append(&header, &b"x"[..]).unwrap();
    builder.into_inner().unwrap()
}

#[test]
fn long_names_are_read_and_endless_ones_are_not() {
    let (files, result) = unpack("x.tar", &long_name(200), 1000);
    result.unwrap();
    assert!(files.path("here").join("n".repeat(200)).is_file());
    let global = [&b"12 comment=x\n"[..], &[b' '; 2 << 20]].concat();
    let global = extended(EntryType::XGlobalHeader, &global);
    // What nobody reads does no harm.
    unpack("x.tar", &global, 1000).1.unwrap();
    let endless = [
        EntryType::GNULongName,
        EntryType::GNULongLink,
        EntryType::XHeader,
    ];
    for archive in endless.map(|kind| extended(kind, &vec![b'n'; 2 << 20])) {
        for (name, archive) in [("x.tar", &archive), ("x.tar.gz", &gzip(&archive))] {
            let (_, result) = unpack(name, archive, 100 << 20);
            refused(result, &["headers of a member are too long"]);
        }
    }
}

#[test]
fn a_download_has_a_limit() {
    for mood in [Mood::Serve, Mood::NoLength] {
        let (files, server) = (Files::new(), Server::new(content()));
        server.set(mood);
        let entry = |most| {
            with(server.entry("file.bin", &content()), |entry| {
                entry.max_unpacked_bytes = most
            })
        };
        let most = "more than 199999 bytes, the most that max_unpacked_bytes";
        refused(fetch(&files, &entry(199_999), "here"), &[most]);
        assert_eq!(fs::read_dir(files.path("here")).unwrap().count(), 0);
        fetch(&files, &entry(200_000), "here").unwrap();
    }
}

#[test]
fn what_is_gone_is_unpacked_again() {
    let files = Files::new();
    let archive = tar(&[
        ("one/a.txt", b"one"),
        ("two/b.txt", b"two"),
        ("c.txt", b"c"),
    ]);
    let server = Server::new(archive.clone());
    let entry = with(server.entry("x.tar", &archive), |entry| entry.unpack = true);
    let run = || fetch(&files, &entry, "here");
    run().unwrap();
    // As an interruption between two moves leaves it: members moved, moving and to be moved.
    fs::create_dir(files.path("here/.x.tar.unpacking")).unwrap();
    fs::rename(
        files.path("here/two"),
        files.path("here/.x.tar.unpacking/two"),
    )
    .unwrap();
    fs::remove_file(files.path("here/c.txt")).unwrap();
    files.write("here/one/a.txt", "edited since");
    run().unwrap();
    let read = |name: &str| fs::read_to_string(files.path(name)).unwrap();
    assert_eq!(read("here/two/b.txt"), "two");
    assert_eq!(read("here/c.txt"), "c");
    assert_eq!(read("here/one/a.txt"), "edited since");
    assert!(!files.path("here/.x.tar.unpacking").exists());
    assert_eq!(server.requests(), 1);
    // Without the archive it is fetched for that.
    fs::remove_file(files.path("here/x.tar")).unwrap();
    run().unwrap();
    assert_eq!(server.requests(), 1, "nothing is gone");
    fs::remove_file(files.path("here/c.txt")).unwrap();
    run().unwrap();
    assert_eq!((server.requests(), read("here/c.txt").as_str()), (2, "c"));
}

#[test]
fn nothing_is_overwritten() {
    let files = Files::new();
    put(&files, "data/mine.txt", "precious");
    let archive = tar(&[("data/a.txt", b"one")]);
    let server = Server::new(archive.clone());
    let entry = with(server.entry("x.tar", &archive), |entry| entry.unpack = true);
    refused(fetch(&files, &entry, "."), &["there already"]);
    assert!(!files.path("data/a.txt").exists());
}

#[test]
fn a_download_that_cannot_be_meant_is_refused() {
    let entry = |url: &str| DownloadConfig::new(url, "0".repeat(64));
    let mut config = ImageDataConfig::new("images");
    config.download = vec![
        DownloadConfig::new("ftp://host/a.bin", "abc"),
        DownloadConfig {
            unpack: true,
            max_unpacked_bytes: 0,
            ..entry("https://host/")
        },
        with(entry("https://host/b"), |it| it.name = Some("../b".into())),
        entry("https://host/c"),
        entry("https://host/c?x=1"),
    ];
    let problems = config.validate(ImageFormat::ImageFolder).into_iter();
    let keys: Vec<String> = problems.map(|(key, _)| key).collect();
    assert_eq!(
        keys,
        [
            "download[0].url",
            "download[0].sha256",
            "download[1].name",
            "download[1].unpack",
            "download[1].max_unpacked_bytes",
            "download[2].name",
            "download[4].name",
        ]
    );
}
