//! The binary files of CIFAR-10 and CIFAR-100 (<https://www.cs.toronto.edu/~kriz/cifar.html>):
//! records of one or two label bytes and 3072 bytes of red, green and blue planes, 32 by 32.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{ClassNames, Format, Found, ImageLabels, Raw, Source};
use crate::error::{DataError, absolute};
use crate::files::{OpenFile, read_small};
use crate::image::config::{ImageDataConfig, LabelLevel};
use crate::image::pixels::{Channels, Pixels};

const SIDE: usize = 32;
const PLANE: usize = SIDE * SIDE;

pub(super) const FORMAT: Format = Format {
    open: |config, _| open(config),
    keys: &["labels"],
    has_columns: false,
    is_folder: |_| true,
    usual: |config| {
        let classes = match config.labels {
            None => 10,
            Some(LabelLevel::Fine) => 100,
            Some(LabelLevel::Coarse) => 20,
        };
        Some((SIDE, Channels::Rgb, classes))
    },
};

/// Files of records.
#[derive(Debug)]
struct Cifar {
    files: Vec<(OpenFile, usize)>,
    /// The label bytes of a record.
    labels: usize,
    count: usize,
}

impl Source for Cifar {
    fn len(&self) -> usize {
        self.count
    }

    fn read(&self, index: usize) -> Result<Raw<'_>, DataError> {
        let (file, record) = self.find(index);
        let offset = record * self.record() + self.labels;
        let planes = file.read(offset as u64, 3 * PLANE)?;
        let pixel = |at: usize| [planes[at], planes[PLANE + at], planes[2 * PLANE + at]];
        let data = (0..PLANE).flat_map(pixel).collect();
        Ok(Raw::Pixels(Pixels {
            width: SIDE,
            height: SIDE,
            channels: 3,
            data,
        }))
    }

    fn name(&self, index: usize) -> String {
        let (file, record) = self.find(index);
        format!("{}#{record}", file.path.display())
    }
}

impl Cifar {
    fn record(&self) -> usize {
        self.labels + 3 * PLANE
    }

    fn find(&self, index: usize) -> (&OpenFile, usize) {
        let file = self.files.partition_point(|(_, start)| *start <= index) - 1;
        let (file, start) = &self.files[file];
        (file, index - start)
    }

    /// Adds the records of a file, whose labels must be below `classes`.
    fn add(&mut self, path: &Path, byte: usize, names: &mut ClassNames) -> Result<(), DataError> {
        let file = OpenFile::open(path)?;
        let record = self.record() as u64;
        if !file.length.is_multiple_of(record) {
            let bytes = file.length;
            return Err(file.damaged(format!(
                "{bytes} bytes are no whole number of records of {record} bytes: the file is cut short or of another kind"
            )));
        }
        let count = (file.length / record) as usize;
        for number in 0..count {
            let label = file.read(number as u64 * record + byte as u64, 1)?[0];
            let classes = names.names().len();
            if usize::from(label) >= classes {
                let record = format!("record {} has label {label}", number + 1);
                let message = format!("{record}, but there are {classes} classes");
                return Err(file.damaged(message));
            }
            names.push_index(u32::from(label));
        }
        self.files.push((file, self.count));
        self.count += count;
        Ok(())
    }
}

fn open(config: &ImageDataConfig) -> Result<Found, DataError> {
    let folder = Path::new(&config.path);
    let layout = Layout::of(folder, config.labels)?;
    let mut names = ClassNames::declared(layout.names()?);
    let mut cifar = Cifar {
        files: Vec::new(),
        labels: layout.labels,
        count: 0,
    };
    for path in &layout.train {
        cifar.add(path, layout.byte, &mut names)?;
    }
    let train = cifar.count;
    if let Some(path) = &layout.test {
        cifar.add(path, layout.byte, &mut names)?;
    }
    let test = layout.test.as_ref().map(|_| train..cifar.count);
    Ok(Found {
        source: Arc::new(cifar),
        labels: ImageLabels::Classes(names),
        valid: None,
        test,
        table: None,
        notes: Vec::new(),
        files: layout.train.into_iter().chain(layout.test).collect(),
    })
}

/// Which files there are and how their records begin.
struct Layout {
    train: Vec<PathBuf>,
    test: Option<PathBuf>,
    /// The label bytes of a record, and which of them is meant.
    labels: usize,
    byte: usize,
    /// The file with the names of the classes, and how many there are without it.
    names: PathBuf,
    classes: usize,
}

impl Layout {
    fn of(folder: &Path, level: Option<LabelLevel>) -> Result<Self, DataError> {
        let batches = batches(folder)?;
        let file = |name: &str| Some(folder.join(name)).filter(|path| path.is_file());
        let shown = absolute(folder);
        let shown = shown.display();
        let problem = match (batches.is_empty(), file("train.bin")) {
            (false, None) if level.is_none() => {
                return Ok(Self {
                    train: batches,
                    test: file("test_batch.bin"),
                    labels: 1,
                    byte: 0,
                    names: folder.join("batches.meta.txt"),
                    classes: 10,
                });
            }
            (true, Some(train)) => return Ok(Self::of_100(folder, train, file("test.bin"), level)),
            (true, None) => format!(
                "{shown} holds neither data_batch_1.bin and so on (CIFAR-10) nor train.bin (CIFAR-100)"
            ),
            (false, Some(_)) => {
                format!("{shown} holds both CIFAR-10 and CIFAR-100: give each a folder of its own")
            }
            (false, None) => {
                "data.labels is for CIFAR-100 only: CIFAR-10 has one label for each image".into()
            }
        };
        Err(DataError::Unusable(problem))
    }

    fn of_100(
        folder: &Path,
        train: PathBuf,
        test: Option<PathBuf>,
        level: Option<LabelLevel>,
    ) -> Self {
        let (names, byte, classes) = match level {
            Some(LabelLevel::Coarse) => ("coarse_label_names.txt", 0, 20),
            Some(LabelLevel::Fine) | None => ("fine_label_names.txt", 1, 100),
        };
        Self {
            train: vec![train],
            test,
            labels: 2,
            byte,
            names: folder.join(names),
            classes,
        }
    }

    /// The names of the classes, which are their numbers where no file gives them.
    fn names(&self) -> Result<Vec<String>, DataError> {
        if !self.names.is_file() {
            return Ok((0..self.classes).map(|class| class.to_string()).collect());
        }
        let text = read_small(&self.names, 1 << 20)?;
        let text = String::from_utf8_lossy(&text);
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let names: Vec<String> = lines.map(str::to_owned).collect();
        let (wanted, found) = (self.classes, names.iter().collect::<HashSet<_>>().len());
        if names.len() != wanted || found != wanted {
            let message =
                format!("expected {wanted} different names of classes, but found {found}");
            return Err(DataError::damaged(&self.names, message));
        }
        Ok(names)
    }
}

/// The training files of CIFAR-10 in a folder, in their order.
fn batches(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let list = std::fs::read_dir(folder).map_err(|source| DataError::read(folder, source))?;
    let mut batches: Vec<PathBuf> = list.flatten().map(|entry| entry.path()).collect();
    batches.retain(|path| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with("data_batch_") && name.ends_with(".bin"))
    });
    batches.sort();
    match missing_batch(&batches) {
        None => Ok(batches),
        Some(missing) => Err(DataError::Unusable(format!(
            "{} holds {} training files but no data_batch_{missing}.bin: fetch the archive again",
            absolute(folder).display(),
            batches.len()
        ))),
    }
}

/// The first number that is left out of `data_batch_1.bin`, `data_batch_2.bin` and so on.
fn missing_batch(batches: &[PathBuf]) -> Option<usize> {
    (1..=batches.len()).find(|number| {
        let name = format!("data_batch_{number}.bin");
        !batches.iter().any(|path| path.ends_with(&name))
    })
}
