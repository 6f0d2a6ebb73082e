//! What a file system may have kept when the power was cut, as POSIX leaves it: what was synced, and of what was
//! not, anything. A file that was not synced may be empty, cut, or full of zeros; a name that was made, changed or
//! removed may be so on disk only once its folder was synced.

use std::collections::BTreeMap;
use std::fs;
use std::io::Result;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use fireclay_train::files::gate::{Gate, Operation};

/// An operation that was made.
#[derive(Clone, Debug)]
pub struct Made {
    pub path: PathBuf,
    pub what: What,
}

/// As [`Operation`], for keeping.
#[derive(Clone, Debug)]
pub enum What {
    Create,
    Open,
    Write(Vec<u8>),
    Cut(u64),
    Sync,
    SyncFolder,
    Rename(PathBuf),
    CreateFolder,
    Remove,
}

impl What {
    /// The operation that was kept.
    pub fn operation(&self) -> Operation<'_> {
        match self {
            Self::Create => Operation::Create,
            Self::Open => Operation::Open,
            Self::Write(bytes) => Operation::Write(bytes),
            Self::Cut(bytes) => Operation::Cut(*bytes),
            Self::Sync => Operation::Sync,
            Self::SyncFolder => Operation::SyncFolder,
            Self::Rename(to) => Operation::Rename(to),
            Self::CreateFolder => Operation::CreateFolder,
            Self::Remove => Operation::Remove,
        }
    }

    fn of(operation: &Operation<'_>) -> Self {
        match *operation {
            Operation::Create => Self::Create,
            Operation::Open => Self::Open,
            Operation::Write(bytes) => Self::Write(bytes.into()),
            Operation::Cut(bytes) => Self::Cut(bytes),
            Operation::Sync => Self::Sync,
            Operation::SyncFolder => Self::SyncFolder,
            Operation::Rename(to) => Self::Rename(to.into()),
            Operation::CreateFolder => Self::CreateFolder,
            Operation::Remove => Self::Remove,
        }
    }
}

/// Keeps every operation, in order.
#[derive(Debug, Default)]
pub struct Recorder(pub Mutex<Vec<Made>>);

impl Gate for Recorder {
    fn pass(&self, path: &Path, operation: &Operation<'_>) -> Result<()> {
        let made = Made {
            path: path.into(),
            what: What::of(operation),
        };
        self.0.lock().unwrap().push(made);
        Ok(())
    }
}

/// What is kept of what was not synced.
#[derive(Clone, Copy, Debug)]
pub enum Keeps {
    /// Nothing of it.
    Nothing,
    /// All of it.
    All,
    /// The names; of the files nothing.
    Names,
    /// The names, and files as long as they were, with zeros.
    Zeros,
    /// The names, and half of what was added to the files.
    Halves,
    /// Anything, drawn from this seed.
    Any(u64),
}

#[derive(Clone, Debug)]
enum Node {
    File { now: Vec<u8>, synced: Vec<u8> },
    Folder(Folder),
}

/// A name and what has it.
type Named = (String, usize);

#[derive(Clone, Debug, Default)]
struct Folder {
    now: BTreeMap<String, usize>,
    synced: BTreeMap<String, usize>,
    /// What was changed since: each change is a name that goes and a name that comes.
    changes: Vec<(Option<String>, Option<Named>)>,
}

impl Folder {
    fn change(&mut self, gone: Option<&str>, come: Option<(&str, usize)>) {
        let change = (
            gone.map(str::to_owned),
            come.map(|(name, node)| (name.to_owned(), node)),
        );
        apply(&mut self.now, &change);
        self.changes.push(change);
    }
}

fn apply(names: &mut BTreeMap<String, usize>, change: &(Option<String>, Option<(String, usize)>)) {
    let (gone, come) = change.clone();
    gone.map(|name| names.remove(&name));
    come.map(|(name, node)| names.insert(name, node));
}

/// The files and folders under a root that is on disk.
#[derive(Clone, Debug)]
pub struct Disk {
    root: PathBuf,
    nodes: Vec<Node>,
}

impl Disk {
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_path_buf(),
            nodes: vec![Node::Folder(Folder::default())],
        }
    }

    /// Makes an operation.
    pub fn make(&mut self, made: &Made) {
        let path = made.path.strip_prefix(&self.root).unwrap().to_path_buf();
        let found = self.find(&path);
        match (&made.what, found) {
            (What::Create, _) | (What::Open, None) => {
                let empty = Node::File {
                    now: Vec::new(),
                    synced: Vec::new(),
                };
                self.add(&path, empty);
            }
            (What::CreateFolder, None) => self.add(&path, Node::Folder(Folder::default())),
            (What::Open | What::CreateFolder, Some(_)) => {}
            (What::Write(bytes), Some(node)) => self.file(node).0.extend(bytes),
            (What::Cut(bytes), Some(node)) => self.file(node).0.truncate(*bytes as usize),
            (What::Sync, Some(node)) => {
                let (now, synced) = self.file(node);
                synced.clone_from(now);
            }
            (What::SyncFolder, Some(node)) => {
                let folder = self.folder(node);
                folder.synced = folder.now.clone();
                folder.changes.clear();
            }
            (What::Rename(to), Some(node)) => {
                let (parent, from) = self.place(&path);
                let to = to.file_name().unwrap().to_str().unwrap();
                self.folder(parent).change(Some(&from), Some((to, node)));
            }
            (What::Remove, Some(node)) => self.remove(&path, node),
            // It is made of a file that is gone already, and fails.
            (_, None) => {}
        }
    }

    fn add(&mut self, path: &Path, node: Node) {
        self.nodes.push(node);
        let node = self.nodes.len() - 1;
        let (parent, name) = self.place(path);
        self.folder(parent).change(None, Some((&name, node)));
    }

    fn remove(&mut self, path: &Path, node: usize) {
        if let Node::Folder(folder) = &self.nodes[node] {
            let names: Vec<String> = folder.now.keys().cloned().collect();
            for name in names {
                let path = path.join(name);
                let node = self.find(&path).unwrap();
                self.remove(&path, node);
            }
        }
        let (parent, name) = self.place(path);
        self.folder(parent).change(Some(&name), None);
    }

    fn find(&self, path: &Path) -> Option<usize> {
        path.iter().try_fold(0, |node, name| {
            let Node::Folder(folder) = &self.nodes[node] else {
                return None;
            };
            folder.now.get(name.to_str().unwrap()).copied()
        })
    }

    /// The folder that a path is in, and its name there.
    fn place(&self, path: &Path) -> (usize, String) {
        let name = path.file_name().unwrap().to_str().unwrap();
        (self.find(path.parent().unwrap()).unwrap(), name.to_owned())
    }

    fn file(&mut self, node: usize) -> (&mut Vec<u8>, &mut Vec<u8>) {
        match &mut self.nodes[node] {
            Node::File { now, synced } => (now, synced),
            Node::Folder(_) => panic!("a folder is no file"),
        }
    }

    fn folder(&mut self, node: usize) -> &mut Folder {
        match &mut self.nodes[node] {
            Node::Folder(folder) => folder,
            Node::File { .. } => panic!("a file is no folder"),
        }
    }

    /// Writes what a disk that `keeps` so much has after a cut to the folder `to`, which is there.
    pub fn after_a_cut(&self, keeps: Keeps, to: &Path) {
        let mut drawn = Draws(match keeps {
            Keeps::Any(seed) => seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            _ => 1,
        });
        self.write(0, keeps, &mut drawn, to);
    }

    fn write(&self, node: usize, keeps: Keeps, drawn: &mut Draws, to: &Path) {
        let folder = match &self.nodes[node] {
            Node::File { now, synced } => {
                fs::write(to, kept(now, synced, keeps, drawn)).unwrap();
                return;
            }
            Node::Folder(folder) => folder,
        };
        let mut names = folder.synced.clone();
        for change in &folder.changes {
            let is_kept = match keeps {
                Keeps::Nothing => false,
                Keeps::Any(_) => drawn.next(2) == 0,
                _ => true,
            };
            if is_kept {
                apply(&mut names, change);
            }
        }
        for (name, node) in names {
            let path = to.join(name);
            if matches!(self.nodes[node], Node::Folder(_)) {
                fs::create_dir(&path).unwrap();
            }
            self.write(node, keeps, drawn, &path);
        }
    }
}

/// The bytes of a file that a disk has kept.
fn kept(now: &[u8], synced: &[u8], keeps: Keeps, drawn: &mut Draws) -> Vec<u8> {
    let halfway = synced.len().midpoint(now.len());
    let same = now
        .iter()
        .zip(synced)
        .take_while(|(now, synced)| now == synced)
        .count();
    let zeros = || {
        let mut bytes = now.to_vec();
        bytes[same..].fill(0);
        bytes
    };
    match keeps {
        Keeps::Nothing | Keeps::Names => synced.to_vec(),
        Keeps::All => now.to_vec(),
        Keeps::Zeros => zeros(),
        Keeps::Halves => now[..halfway.min(now.len())].to_vec(),
        Keeps::Any(_) => match drawn.next(4) {
            0 => synced.to_vec(),
            1 => now.to_vec(),
            2 => zeros(),
            _ => now[..halfway.min(now.len())].to_vec(),
        },
    }
}

/// Small numbers in an order that a seed fixes (xorshift).
struct Draws(u64);

impl Draws {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) % below
    }
}
