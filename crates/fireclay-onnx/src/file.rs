//! The file of an ONNX model.

use std::fs::remove_file;
use std::io::{Error, Write};
use std::path::{Path, PathBuf};

use fireclay_train::files;
use prost::Message;

use crate::error::OnnxError;
use crate::proto::{EXTERNAL, Entry, ModelProto};

/// The bytes that a file may have: messages of two gigabytes cannot be read.
const MOST: usize = (1 << 31) - (1 << 20);

/// Bytes from which on a constant is put into the file beside, if there is one.
const LARGE: usize = 1024;

/// Where weights begin in the file beside: pages are mapped whole.
const PAGE: usize = 4096;

/// Writes the model to `output`, and weights of too many bytes to a file beside it, of that name with `.data`.
pub(crate) fn write(model: ModelProto, output: &Path) -> Result<Vec<PathBuf>, OnnxError> {
    write_at_most(model, output, MOST)
}

fn write_at_most(
    mut model: ModelProto,
    output: &Path,
    most: usize,
) -> Result<Vec<PathBuf>, OnnxError> {
    let mut written = vec![output.to_path_buf()];
    if model.encoded_len() > most {
        let mut beside = output.as_os_str().to_owned();
        beside.push(".data");
        let beside = PathBuf::from(beside);
        let data = apart(&mut model, &beside);
        publish(&beside, &data)?;
        written.push(beside);
    }
    if let Err(error) = publish(output, &model.encode_to_vec()) {
        // Without its model it is of no use. What cannot be removed changes nothing of the error.
        written
            .iter()
            .skip(1)
            .for_each(|beside| drop(remove_file(beside)));
        return Err(error);
    }
    Ok(written)
}

/// Takes the numbers of large constants out of the model; where they are in the file that they go to is said
/// there.
fn apart(model: &mut ModelProto, file: &Path) -> Vec<u8> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let entry = |key: &str, value: String| Entry {
        key: key.into(),
        value,
    };
    let mut data = Vec::new();
    let constants = model
        .graph
        .iter_mut()
        .flat_map(|graph| &mut graph.initializer);
    for constant in constants {
        let is_large = |bytes: &mut Vec<u8>| bytes.len() >= LARGE;
        let Some(bytes) = constant.raw_data.take_if(is_large) else {
            continue;
        };
        data.resize(data.len().next_multiple_of(PAGE), 0);
        constant.data_location = Some(EXTERNAL);
        constant.external_data = vec![
            entry("location", name.clone().into_owned()),
            entry("offset", data.len().to_string()),
            entry("length", bytes.len().to_string()),
        ];
        data.extend(bytes);
    }
    data
}

/// A reader sees the old file or the new one.
fn publish(path: &Path, bytes: &[u8]) -> Result<(), OnnxError> {
    let write = || -> Result<(), Error> {
        if let Some(folder) = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
        {
            files::create_folders(folder)?;
        }
        let file = files::beside(path)?;
        file.handle()?.write_all(bytes)?;
        file.publish(path)
    };
    write().map_err(|source| OnnxError::File {
        path: path.to_path_buf(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::tensor;
    use crate::proto::{FLOAT, GraphProto};

    #[test]
    fn weights_of_more_than_a_file_takes_go_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/model.onnx");
        let large = vec![7; 3 * LARGE];
        let model = || ModelProto {
            graph: Some(GraphProto {
                initializer: [&large[..], &[1; 4], &large[LARGE..]]
                    .map(|bytes| tensor(FLOAT, vec![bytes.len() as i64 / 4], bytes.to_vec()))
                    .to_vec(),
                ..GraphProto::default()
            }),
            ..ModelProto::default()
        };
        let whole = write(model(), &path).unwrap();
        assert_eq!((whole.len(), &whole[0]), (1, &path));
        let written = write_at_most(model(), &path, LARGE).unwrap();
        assert_eq!(written.len(), 2);
        let found = ModelProto::decode(&*std::fs::read(&path).unwrap()).unwrap();
        let data = std::fs::read(&written[1]).unwrap();
        let constants = found.graph.unwrap().initializer;
        assert_eq!(constants[1].raw_data, Some(vec![1; 4]));
        for (constant, length) in [(&constants[0], 3 * LARGE), (&constants[2], 2 * LARGE)] {
            assert_eq!(constant.raw_data, None);
            let value = |at: usize| constant.external_data[at].value.clone();
            assert_eq!(value(0), "model.onnx.data");
            let [offset, count] = [value(1), value(2)].map(|n| n.parse::<usize>().unwrap());
            assert_eq!(count, length);
            assert_eq!(data[offset..offset + count], large[..length]);
        }
    }
}
