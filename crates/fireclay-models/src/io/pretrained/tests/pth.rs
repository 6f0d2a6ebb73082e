//! Tests of `.pth` files that are made here, byte by byte.

use std::fs;
use std::io::{Read, Write};

use super::super::*;
use super::{SHAPE, load, path, strict};
use crate::io::tensors::to_tensors;

/// A `.pth` with this pickle, and the storages of another.
fn write_pth(path: &Path, pickle: &[u8], storages: &[(String, Vec<u8>)]) {
    let mut archive = zip::ZipWriter::new(fs::File::create(path).unwrap());
    let stored =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let pickle = ("model/data.pkl".to_string(), pickle.to_vec());
    for (name, bytes) in [&pickle].into_iter().chain(storages) {
        archive.start_file(name, stored).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap();
}

/// The pickle of the basic network, and its storages.
fn pth_parts() -> (Vec<u8>, Vec<(String, Vec<u8>)>) {
    let file = fs::File::open(path("resnet-tiny-basic/model.pth")).unwrap();
    let mut archive = zip::ZipArchive::new(file).unwrap();
    let (mut pickle, mut storages) = (Vec::new(), Vec::new());
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        let name = entry.name().unwrap().into_owned();
        match name.rsplit_once('/').unwrap() {
            (_, "data.pkl") => pickle = bytes,
            (folder, key) if folder.ends_with("/data") => {
                storages.push((format!("model/data/{key}"), bytes));
            }
            _ => {}
        }
    }
    (pickle, storages)
}

fn text(value: &str) -> Vec<u8> {
    let length = (value.len() as u32).to_le_bytes();
    [b"X".as_slice(), &length, value.as_bytes()].concat()
}

#[test]
fn a_state_dict_beside_other_things_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let (plain, _) = load(&path("resnet-tiny-basic/model.pth"), &SHAPE, &strict()).unwrap();
    let (pickle, storages) = pth_parts();
    // Between the protocol's two bytes and the stop there is one value.
    let value = &pickle[2..pickle.len() - 1];
    for key in ["state_dict", "model_state_dict", "model"] {
        // {"epoch": 7, key: value}
        let wrapped = [
            b"\x80\x02}(".as_slice(),
            &text("epoch"),
            b"K\x07",
            &text(key),
            value,
            b"u.",
        ];
        let path = folder.path().join("wrapped.pt");
        write_pth(&path, &wrapped.concat(), &storages);
        let (model, _) = load(&path, &SHAPE, &strict()).unwrap();
        assert_eq!(to_tensors(&model), to_tensors(&plain), "{key}");
    }
}

/// A pickle of `{"fc.weight": tensor}` where the tensor has a million rows and columns, in a
/// storage of `numel` numbers which `stride` walks.
fn huge(numel: i32, stride: i32) -> Vec<u8> {
    let number = |value: i32| [b"J".as_slice(), &value.to_le_bytes()].concat();
    [
        b"\x80\x02}".as_slice(),
        &text("fc.weight"),
        b"ctorch._utils\n_rebuild_tensor_v2\n((",
        &text("storage"),
        b"ctorch\nFloatStorage\n",
        &text("0"),
        &text("cpu"),
        &number(numel),
        b"tQK\x00(",
        &number(1 << 20),
        &number(1 << 20),
        b"t(",
        &number(stride),
        &number(stride),
        b"t\x89ccollections\nOrderedDict\n)RtRs.",
    ]
    .concat()
}

#[test]
fn a_claim_of_gigabytes_in_a_pth_takes_no_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("huge.pth");
    for (numel, stride) in [(1, 1), (i32::MAX, 1), (1, 0)] {
        let storage = ("model/data/0".to_string(), vec![0; 4]);
        write_pth(&path, &huge(numel, stride), &[storage]);
        let error = load(&path, &SHAPE, &strict()).unwrap_err();
        let text = error.to_string();
        assert!(
            matches!(error, WeightsError::Damaged(_) | WeightsError::Tensors(_)),
            "{text}"
        );
    }
}
