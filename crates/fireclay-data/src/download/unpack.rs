//! Archives, unpacked as if whoever made them meant harm.
//!
//! Members go into a temporary folder first and are moved out of it at the end, so that a refused
//! archive leaves nothing behind. Nothing but plain files and folders with relative names is taken.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Component, Path, PathBuf};

use flate2::read::MultiGzDecoder;
use zip::ZipArchive;

use super::moving::{is_there, move_all, remove};
use crate::error::DataError;
use crate::metered::{Allowance, MEMBER_HEADERS, Metered};

/// No archive has more members; each costs a file however small it is.
const MOST_MEMBERS: u64 = 20_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Tar,
    TarGz,
    Zip,
    Gz,
}

impl Kind {
    /// What the ending of a name stands for.
    pub(super) fn of(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let ends = |ending: &str| name.len() > ending.len() && name.ends_with(ending);
        if ends(".tar") {
            Some(Self::Tar)
        } else if ends(".tar.gz") || ends(".tgz") {
            Some(Self::TarGz)
        } else if ends(".zip") {
            Some(Self::Zip)
        } else if ends(".gz") {
            Some(Self::Gz)
        } else {
            None
        }
    }
}

/// Whether this is the name of something in a folder, on any operating system.
pub(super) fn is_plain_name(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\\', ':', '\0'])
}

/// The most bytes that an archive may have of which `most` may come out: headers need room.
pub(super) fn most_archived(most: u64) -> u64 {
    most.saturating_add(most / 4).saturating_add(64 << 20)
}

/// Unpacks an archive into a folder, writing at most `most` bytes.
///
/// Before anything is moved there, `intend` is told the names of what will be: a call that is
/// interrupted after that is made good by another with those names as `known`, which moves what is
/// missing and leaves the rest as it is.
///
/// # Errors
/// [`DataError::Damaged`] for an archive that cannot be read, has more in it, or has a member that
/// is a link or a device or would lie outside the folder; [`DataError::Write`], also where
/// something of the same name is in the folder already that `known` does not list.
pub(super) fn unpack(
    archive: &Path,
    folder: &Path,
    most: u64,
    known: &[String],
    intend: impl FnOnce(&[String]) -> Result<(), DataError>,
) -> Result<(), DataError> {
    let name = archive
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let temporary = folder.join(format!(".{name}.unpacking"));
    // What an interrupted call left is of no use.
    remove(&temporary)?;
    fs::create_dir(&temporary).map_err(|source| DataError::write(&temporary, source))?;
    let mut target = Destination {
        archive,
        folder: temporary.clone(),
        most,
        left: most,
        members: 0,
    };
    let unpacked = target
        .unpack(Kind::of(name))
        .and_then(|()| move_all(&temporary, folder, known, intend));
    let removed = remove(&temporary);
    unpacked.and(removed)
}

/// Where members go, and how much may still be written.
struct Destination<'a> {
    archive: &'a Path,
    folder: PathBuf,
    most: u64,
    left: u64,
    members: u64,
}

impl Destination<'_> {
    fn unpack(&mut self, kind: Option<Kind>) -> Result<(), DataError> {
        let file =
            File::open(self.archive).map_err(|source| DataError::read(self.archive, source))?;
        let file = BufReader::new(file);
        match kind {
            Some(Kind::Tar) => self.tar(file),
            Some(Kind::TarGz) => self.tar(MultiGzDecoder::new(file)),
            Some(Kind::Zip) => self.zip(file),
            Some(Kind::Gz) => self.gz(file),
            None => Err(self.damaged("no archive of a known kind")),
        }
    }

    fn tar(&mut self, reader: impl Read) -> Result<(), DataError> {
        // The end of the data counts as well: padding without end would never be a member.
        let limit = most_archived(self.most);
        let allowance = Allowance::default();
        let reader = Metered::new(reader.take(limit), allowance.clone());
        let mut archive = tar::Archive::new(reader);
        let mut entries = archive.entries().map_err(|error| self.damaged(error))?;
        let mut unread = 0;
        loop {
            allowance.set(MEMBER_HEADERS.saturating_add(unread));
            let Some(entry) = entries.next() else { break };
            let mut entry = entry.map_err(|error| self.damaged(error))?;
            allowance.lift();
            unread = entry.size();
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let kind = entry.header().entry_type();
            if kind.is_dir() {
                self.make_folder(&name)?;
            } else if kind.is_file() || kind.is_contiguous() {
                let size = entry.size();
                self.write(&name, Some(size), &mut entry)?;
                unread = 0;
            } else if !kind.is_pax_global_extensions() {
                return Err(self.damaged(format!("member {name:?} is a link, a device or the like ({kind:?}); only files and folders are unpacked")));
            }
        }
        if archive.into_inner().into_inner().limit() == 0 {
            return Err(self.too_large());
        }
        Ok(())
    }

    fn zip(&mut self, reader: BufReader<File>) -> Result<(), DataError> {
        let mut archive = ZipArchive::new(reader).map_err(|error| self.damaged(error))?;
        for index in 0..archive.len() {
            let mut member = archive
                .by_index(index)
                .map_err(|error| self.damaged(error))?;
            let name = member
                .name()
                .map_err(|error| self.damaged(error))?
                .into_owned();
            // The kind of file is in the upper bits of the mode, where the archive gives one.
            let kind = member.unix_mode().map_or(0, |mode| mode & 0o170_000);
            if member.is_symlink() || ![0, 0o100_000, 0o040_000].contains(&kind) {
                return Err(self.damaged(format!("member {name:?} is a link, a device or the like; only files and folders are unpacked")));
            }
            if member.is_dir() {
                self.make_folder(&name)?;
            } else {
                let size = member.size();
                self.write(&name, Some(size), &mut member)?;
            }
        }
        Ok(())
    }

    fn gz(&mut self, reader: BufReader<File>) -> Result<(), DataError> {
        let name = self
            .archive
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        self.write(&name, None, &mut MultiGzDecoder::new(reader))
    }

    fn make_folder(&mut self, name: &str) -> Result<(), DataError> {
        let path = self.path(name)?;
        fs::create_dir_all(&path).map_err(|source| DataError::write(&path, source))
    }

    fn write(
        &mut self,
        name: &str,
        claimed: Option<u64>,
        reader: &mut impl Read,
    ) -> Result<(), DataError> {
        if claimed.is_some_and(|claimed| claimed > self.left) {
            return Err(self.too_large());
        }
        let path = self.path(name)?;
        if path == self.folder {
            return Err(self.damaged(format!("member {name:?} is a file without a name")));
        }
        let fail = |source| DataError::write(&path, source);
        fs::create_dir_all(path.parent().unwrap_or(&self.folder)).map_err(fail)?;
        if is_there(&path) {
            return Err(self.damaged(format!("member {name:?} is there twice")));
        }
        let mut file = File::create_new(&path).map_err(fail)?;
        let left = self.left;
        while let Some(piece) = self.read(name, reader)? {
            io::Write::write_all(&mut file, &piece).map_err(fail)?;
        }
        let written = left - self.left;
        match claimed {
            Some(claimed) if claimed != written => Err(self.damaged(format!(
                "member {name:?} has {written} bytes where {claimed} are claimed"
            ))),
            _ => Ok(()),
        }
    }

    /// The next bytes of a member. They are counted, whatever the archive claimed.
    fn read(&mut self, name: &str, reader: &mut impl Read) -> Result<Option<Vec<u8>>, DataError> {
        let mut piece = vec![0; 1 << 16];
        let read = reader.read(&mut piece);
        let read = read.map_err(|error| self.damaged(format!("member {name:?}: {error}")))?;
        let left = self.left.checked_sub(read as u64);
        self.left = left.ok_or_else(|| self.too_large())?;
        piece.truncate(read);
        Ok((read > 0).then_some(piece))
    }

    /// Where a member goes: below the folder, or nowhere.
    fn path(&mut self, name: &str) -> Result<PathBuf, DataError> {
        self.members += 1;
        if self.members > MOST_MEMBERS {
            return Err(self.damaged(format!("more than {MOST_MEMBERS} members")));
        }
        let mut path = self.folder.clone();
        for component in Path::new(name).components() {
            match component {
                Component::Normal(part) if part.to_str().is_some_and(is_plain_name) => {
                    path.push(part)
                }
                Component::CurDir => {}
                _ => {
                    return Err(
                        self.damaged(format!("member {name:?} would lie outside the folder"))
                    );
                }
            }
        }
        Ok(path)
    }

    fn too_large(&self) -> DataError {
        self.damaged(format!(
            "more than max_unpacked_bytes = {} bytes come out of it",
            self.most
        ))
    }

    fn damaged(&self, message: impl ToString) -> DataError {
        DataError::damaged(self.archive, message.to_string())
    }
}
