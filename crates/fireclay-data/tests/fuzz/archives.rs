//! Archives that are downloaded, as far as unpacking them goes: whatever they say, plain files and folders come out,
//! in the folder alone, and no more bytes than are allowed.

use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;

use fireclay_data::{DownloadConfig, download, sha256_file};
use fireclay_fuzz::fuzz;
use tar::{Builder, EntryType, Header};

use crate::{gzip, text};

/// The most bytes that may come out.
const MOST: u64 = 1 << 20;

/// Unpacks a copy of the file, as if it had been fetched, into a folder of its own.
fn unpack(file: &Path) {
    let root = file.parent().unwrap();
    let (around, folder) = (root.join("around"), root.join("around/folder"));
    fs::create_dir_all(&folder).unwrap();
    let name = file.file_name().unwrap();
    fs::copy(file, folder.join(name)).unwrap();
    let url = format!("http://127.0.0.1:9/{}", name.to_str().unwrap());
    let mut config = DownloadConfig::new(url, sha256_file(file).unwrap());
    (config.unpack, config.max_unpacked_bytes) = (true, MOST);
    config.to = Some(text(&folder));
    let unpacked = download(std::slice::from_ref(&config), root);
    let found = names(&folder);
    let is_own = |found: &String| found.starts_with('.') || name == found.as_str();
    match unpacked {
        Ok(_) => assert!(size(&folder) <= MOST + fs::metadata(file).unwrap().len() + (1 << 12)),
        // What is refused leaves nothing.
        Err(_) => assert!(found.iter().all(is_own), "{found:?}"),
    }
    assert!(
        !found.iter().any(|name| name.ends_with(".unpacking")),
        "{found:?}"
    );
    assert_eq!(names(&around), ["folder"]);
    assert_eq!(names(root).len(), 2, "{:?}", names(root));
    fs::remove_dir_all(&around).unwrap();
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect()
}

/// The bytes in a folder, in which there are plain files and folders alone.
fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    let sizes = entries.map(|entry| {
        let found = entry.path().symlink_metadata().unwrap();
        assert!(found.is_dir() || found.is_file(), "{:?}", entry.path());
        match found.is_dir() {
            true => size(&entry.path()),
            false => found.len(),
        }
    });
    sizes.sum()
}

fn member(kind: EntryType, name: &str, size: u64) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    // As whoever means harm would, past the checks of the library.
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_size(size);
    header.set_mode(0o644);
    header.set_cksum();
    header
}

/// An archive with two files in a folder, and one more member.
fn archive(kind: EntryType, name: &str, size: u64, content: &[u8]) -> Vec<u8> {
    let mut archive = Builder::new(Vec::new());
    let folder = member(EntryType::Directory, "data/", 0);
    archive.append(&folder, &[][..]).unwrap();
    let file = member(EntryType::Regular, "data/a.csv", 4);
    archive.append(&file, &b"x,y\n"[..]).unwrap();
    let mut last = member(kind, name, size);
    if [EntryType::Symlink, EntryType::Link].contains(&kind) {
        last.set_link_name("../../outside").unwrap();
        last.set_cksum();
    }
    archive.append(&last, content).unwrap();
    let file = member(EntryType::Regular, "data/b.csv", 4);
    archive.append(&file, &b"1,2\n"[..]).unwrap();
    archive.into_inner().unwrap()
}

fn archives() -> Vec<Vec<u8>> {
    let long = b"29 path=data/a/longer/name.csv\n20 size=99999999999\n";
    vec![
        archive(EntryType::Regular, "c.csv", 600, &[b'7'; 600]),
        archive(EntryType::Regular, "../c.csv", 2, b"3\n"),
        archive(EntryType::Regular, "/c.csv", 2, b"3\n"),
        archive(EntryType::Regular, "data/a.csv/c.csv", 2, b"3\n"),
        archive(EntryType::Regular, "giant", 1 << 40, b"3\n"),
        archive(EntryType::Symlink, "link", 0, b""),
        archive(EntryType::Link, "link", 0, b""),
        archive(EntryType::Char, "device", 0, b""),
        archive(EntryType::Block, "device", 0, b""),
        archive(EntryType::Fifo, "pipe", 0, b""),
        archive(EntryType::GNUSparse, "sparse", 2, b"3\n"),
        archive(EntryType::GNULongName, "long", 9, b"data/long"),
        archive(EntryType::XHeader, "pax", long.len() as u64, long),
        archive(EntryType::XGlobalHeader, "pax", long.len() as u64, long),
    ]
}

/// Writes sums that fit into what looks like the header of a member, so that more than the sum is read.
fn with_sums(bytes: &mut [u8]) {
    for block in bytes.chunks_exact_mut(512) {
        if block[257..262] == *b"ustar" {
            block[148..156].fill(b' ');
            let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
            block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
    }
}

#[test]
fn tar() {
    fuzz("archive.tar", &archives(), unpack);
}

#[test]
fn tar_with_right_sums() {
    fuzz("sums.tar", &archives(), |path| {
        let mut bytes = fs::read(path).unwrap();
        with_sums(&mut bytes);
        fs::write(path, bytes).unwrap();
        unpack(path);
    });
}

#[test]
fn packed_tar() {
    let mut packed: Vec<_> = archives().iter().map(|archive| gzip(archive)).collect();
    // 64 MiB of nothing from 64 KiB.
    packed.push(gzip(&archive(
        EntryType::Regular,
        "bomb",
        64 << 20,
        &vec![0; 64 << 20],
    )));
    packed.push([gzip(&archives()[0]), gzip(&archives()[1])].concat());
    fuzz("archive.tar.gz", &packed, unpack);
}

#[test]
fn packed_file() {
    let files = [gzip(b"x,y\n1,2\n"), gzip(&vec![0; 8 << 20])];
    fuzz("data.csv.gz", &files, unpack);
}

#[test]
fn zip() {
    fuzz("archive.zip", &zips(), unpack);
}

fn zips() -> Vec<Vec<u8>> {
    let plain = zip::write::SimpleFileOptions::default();
    let stored = plain.compression_method(zip::CompressionMethod::Stored);
    let mut archives: Vec<_> = [
        "c.csv",
        "../c.csv",
        "/c.csv",
        "a/../../c.csv",
        "data/a.csv/c.csv",
    ]
    .into_iter()
    .map(|name| {
        let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
        archive.add_directory("data/", plain).unwrap();
        for (name, options) in [("data/a.csv", plain), ("data/b.csv", stored), (name, plain)] {
            archive.start_file(name, options).unwrap();
            archive.write_all(b"x,y\n1,2\n").unwrap();
        }
        archive.finish().unwrap().into_inner()
    })
    .collect();
    let mut linked = zip::ZipWriter::new(Cursor::new(Vec::new()));
    linked.add_symlink("link", "../../outside", plain).unwrap();
    archives.push(linked.finish().unwrap().into_inner());
    let mut bomb = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for number in 0..4 {
        bomb.start_file(format!("bomb{number}"), plain).unwrap();
        bomb.write_all(&vec![0; 2 << 20]).unwrap();
    }
    archives.push(bomb.finish().unwrap().into_inner());
    archives
}
