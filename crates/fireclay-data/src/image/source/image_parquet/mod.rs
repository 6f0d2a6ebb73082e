//! Parquet files with the bytes of the images inside, as Hugging Face's `datasets` writes them: a
//! column of structures with `bytes` and `path`, or one of plain bytes.

mod schema;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, LargeBinaryArray, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ParquetRecordBatchReaderBuilder, RowSelection, RowSelector,
};

use self::schema::{check_column, declared_names, metadata, open_file, project};
use super::{Format, Found, Raw, Source, columns};
use crate::error::{DataError, absolute};
use crate::files::expand;
use crate::image::config::ImageDataConfig;
use crate::labels::TargetKind;
use crate::panics::caught;
use crate::table::{ParquetEnds, damaged, simplify};

pub(super) const FORMAT: Format = Format {
    open,
    keys: &[
        "image_column",
        "target",
        "targets",
        "label_separator",
        "valid_path",
        "test_path",
    ],
    has_columns: false,
    is_folder: |_| false,
    usual: |_| None,
};

/// Images of more bytes in all stay in their files and are read one by one.
const HELD_BYTES: u64 = 2 << 30;

/// Files of images.
#[derive(Debug)]
struct ParquetImages {
    column: String,
    files: Vec<ParquetFile>,
    /// The encoded images in pieces, each with the index of its first; empty where they are too
    /// large to be held.
    held: Vec<(usize, LargeBinaryArray)>,
}

#[derive(Debug)]
struct ParquetFile {
    path: PathBuf,
    start: usize,
    metadata: ArrowReaderMetadata,
}

impl ParquetFile {
    fn rows(&self) -> usize {
        let metadata = self.metadata.metadata().file_metadata();
        usize::try_from(metadata.num_rows()).unwrap_or(0)
    }

    /// Refuses a file in which another number of rows was found than it declares.
    fn check_rows(&self, found: usize) -> Result<(), DataError> {
        let declared = self.rows();
        let message = format!("{found} rows where {declared} are declared");
        match found == declared {
            true => Ok(()),
            false => Err(DataError::damaged(&self.path, message)),
        }
    }
}

impl Source for ParquetImages {
    fn len(&self) -> usize {
        self.files.last().map_or(0, |file| file.start + file.rows())
    }

    fn name(&self, index: usize) -> String {
        let (file, row) = self.find(index);
        format!("{}#{row}", file.path.display())
    }

    fn read(&self, index: usize) -> Result<Raw<'_>, DataError> {
        if self.held.is_empty() {
            return self.read_one(index).map(|bytes| Raw::Encoded(bytes.into()));
        }
        let piece = self.held.partition_point(|(start, _)| *start <= index) - 1;
        let (start, piece) = &self.held[piece];
        Ok(Raw::Encoded(piece.value(index - start).into()))
    }
}

fn read_all(
    builder: ParquetRecordBatchReaderBuilder<ParquetEnds>,
) -> Result<Vec<RecordBatch>, ArrowError> {
    builder.build()?.map(|batch| simplify(&batch?)).collect()
}

impl ParquetImages {
    fn find(&self, index: usize) -> (&ParquetFile, usize) {
        let file = self.files.partition_point(|file| file.start <= index) - 1;
        (&self.files[file], index - self.files[file].start)
    }

    /// One image out of its row group.
    fn read_one(&self, index: usize) -> Result<Vec<u8>, DataError> {
        let (file, row) = self.find(index);
        caught(&file.path, || self.read_row(file, row))?
    }

    fn read_row(&self, file: &ParquetFile, row: usize) -> Result<Vec<u8>, DataError> {
        let (mut group, mut position) = (0, row);
        for metadata in file.metadata.metadata().row_groups() {
            let rows = usize::try_from(metadata.num_rows()).unwrap_or(0);
            if position < rows {
                break;
            }
            position -= rows;
            group += 1;
        }
        let selection =
            RowSelection::from(vec![RowSelector::skip(position), RowSelector::select(1)]);
        let builder = open_file(file)?
            .with_row_groups(vec![group])
            .with_row_selection(selection)
            .with_projection(project(&file.metadata, &[&self.column]));
        let batch = caught(&file.path, || builder.build()?.next().transpose())?;
        let batch = batch.map_err(|error| damaged(&file.path, &error))?;
        let batch = batch.ok_or_else(|| {
            DataError::damaged(&file.path, format!("row {} cannot be read", row + 1))
        })?;
        let images = images(&file.path, &self.column, &batch, row)?;
        Ok(images.value(0).to_vec())
    }

    /// Adds a file and what its other columns say.
    fn add(&mut self, path: &Path, wanted: &[&str]) -> Result<RecordBatch, DataError> {
        let metadata = metadata(path)?;
        for name in wanted.iter().chain([&self.column.as_str()]) {
            check_column(path, &metadata, name)?;
        }
        let file = ParquetFile {
            path: path.to_owned(),
            start: self.len(),
            metadata,
        };
        let projection = project(&file.metadata, wanted);
        let builder = open_file(&file)?.with_projection(projection);
        let batches = caught(path, || read_all(builder))?;
        let batches = batches.map_err(|error| damaged(path, &error))?;
        let Some(first) = batches.first() else {
            let path = absolute(path);
            return Err(DataError::NoRows { path });
        };
        let batch = concat_batches(&first.schema(), &batches)?;
        file.check_rows(batch.num_rows())?;
        self.files.push(file);
        Ok(batch)
    }

    /// An error in a row of all files with the file and the row in it.
    fn locate(&self, error: DataError) -> DataError {
        let DataError::BadValue { row, .. } = error else {
            return error;
        };
        let (file, position) = self.find(row);
        error.map_row(|_| position).in_file(&file.path)
    }

    /// The bytes of the encoded images, as far as the files tell.
    fn bytes(&self) -> u64 {
        let files = self.files.iter();
        let groups = files.flat_map(|file| file.metadata.metadata().row_groups());
        let columns = groups.flat_map(|group| group.columns());
        let images =
            columns.filter(|column| column.column_path().parts().first() == Some(&self.column));
        let sizes = images.map(|column| u64::try_from(column.uncompressed_size()).unwrap_or(0));
        sizes.fold(0, u64::saturating_add)
    }

    /// Reads all images into memory.
    fn hold(&mut self) -> Result<(), DataError> {
        let average = self.bytes() / (self.len() as u64).max(1);
        // Few enough rows that a piece stays far below what Arrow can address.
        let piece = (64 << 20) / average.max(1);
        let piece = usize::try_from(piece.clamp(1, 1024)).unwrap_or(1);
        let held = self.files.iter().map(|file| {
            let read = || self.pieces(file, piece);
            caught(&file.path, read)?
        });
        let held = held.collect::<Result<Vec<_>, DataError>>()?;
        self.held.extend(held.into_iter().flatten());
        Ok(())
    }

    /// The images of a file in pieces of so many rows, each with the index of its first.
    fn pieces(
        &self,
        file: &ParquetFile,
        piece: usize,
    ) -> Result<Vec<(usize, LargeBinaryArray)>, DataError> {
        let projection = project(&file.metadata, &[&self.column]);
        let reader = open_file(file)?
            .with_batch_size(piece)
            .with_projection(projection)
            .build();
        let (mut row, mut pieces) = (0, Vec::new());
        for batch in reader.map_err(|error| damaged(&file.path, &error))? {
            let batch = batch.map_err(|error| damaged(&file.path, &error))?;
            let images = images(&file.path, &self.column, &batch, row)?;
            pieces.push((file.start + row, images));
            row += batch.num_rows();
        }
        file.check_rows(row)?;
        Ok(pieces)
    }
}

fn open(config: &ImageDataConfig, target: TargetKind) -> Result<Found, DataError> {
    // Each file names itself where it can be told which of them it is.
    caught(Path::new(&config.path), || {
        open_with(config, target, HELD_BYTES)
    })?
}

fn open_with(config: &ImageDataConfig, target: TargetKind, most: u64) -> Result<Found, DataError> {
    let mut source = ParquetImages {
        column: config.image_column().to_owned(),
        files: Vec::new(),
        held: Vec::new(),
    };
    let targets = targets(config);
    let mut batches: Vec<RecordBatch> = Vec::new();
    let mut add = |path: &String| {
        let start = source.len();
        for file in expand(path)? {
            let batch = caught(&file, || source.add(&file, &targets))??;
            let others = batches.first().map(RecordBatch::schema);
            if others.is_some_and(|others| others != batch.schema()) {
                return Err(other_types(&file, &targets, &source.files[0].path));
            }
            batches.push(batch);
        }
        Ok::<Range<usize>, DataError>(start..source.len())
    };
    add(&config.path)?;
    let valid = config.valid_path.as_ref().map(&mut add).transpose()?;
    let test = config.test_path.as_ref().map(&mut add).transpose()?;
    let names = declared_names(&source.files[0].metadata, config.target());
    let batch = concat_batches(&batches[0].schema(), &batches)?;
    let labels = columns::labels(&batch, config, target, names);
    let labels = labels.map_err(|error| source.locate(error))?;
    if source.bytes() <= most {
        source.hold()?;
    }
    Ok(Found {
        files: source.files.iter().map(|file| file.path.clone()).collect(),
        source: Arc::new(source),
        labels,
        valid,
        test,
        table: None,
        notes: Vec::new(),
    })
}

fn other_types(file: &Path, targets: &[&str], first: &Path) -> DataError {
    let first = first.display();
    let message = format!("its columns {targets:?} are of other types than those of {first}");
    DataError::damaged(file, message)
}

/// The columns to predict.
fn targets(config: &ImageDataConfig) -> Vec<&str> {
    match &config.targets[..] {
        [] => vec![config.target()],
        several => several.iter().map(String::as_str).collect(),
    }
}

/// The bytes of each image; `row` is that of the first in the file.
fn images(
    path: &Path,
    name: &str,
    batch: &RecordBatch,
    row: usize,
) -> Result<LargeBinaryArray, DataError> {
    let array = crate::column::column(batch, name)?;
    let (bytes, outer): (ArrayRef, Option<&ArrayRef>) = match array.as_struct_opt() {
        None => (array.clone(), None),
        Some(structure) => {
            let bytes = structure.column_by_name("bytes").ok_or_else(|| {
                let message = "holds structures without a field \"bytes\"";
                DataError::damaged(path, format!("column {name:?} {message}"))
            })?;
            (bytes.clone(), Some(array))
        }
    };
    let is_missing =
        |index: &usize| bytes.is_null(*index) || outer.is_some_and(|outer| outer.is_null(*index));
    if let Some(index) = (0..bytes.len()).find(is_missing) {
        let at = format!("column {name:?}, row {}", row + index + 1);
        let message =
            "the image has no bytes (a path alone leads to a file that is not in the table)";
        return Err(DataError::damaged(path, format!("{at}: {message}")));
    }
    match bytes.data_type() {
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => {
            let bytes = cast(&bytes, &DataType::LargeBinary)?;
            Ok(bytes.as_binary::<i64>().clone())
        }
        other => Err(DataError::Type {
            column: name.into(),
            found: other.to_string(),
            wanted: "images: bytes, or a structure with bytes and path",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn held_or_not_the_bytes_are_the_same() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../datasets/digits/data.parquet"
        );
        let config = ImageDataConfig::new(path);
        let read = |most| {
            let found = open_with(&config, TargetKind::Class, most);
            found.expect("the digits are there").source
        };
        let (held, lazy) = (read(u64::MAX), read(0));
        assert_eq!((held.len(), lazy.len()), (1797, 1797));
        for index in [0, 599, 600, 1234, 1796] {
            let bytes = |source: &dyn Source| match source.read(index) {
                Ok(Raw::Encoded(bytes)) => bytes.into_owned(),
                other => panic!("{other:?}"),
            };
            assert_eq!(bytes(&*held), bytes(&*lazy));
            assert_eq!(held.name(index), lazy.name(index));
        }
    }
}
