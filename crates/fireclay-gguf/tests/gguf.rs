//! Files that the package `gguf` wrote (`make.py`), and files that are wrong.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use fireclay_fuzz::fuzz;
use fireclay_gguf::{Gguf, Value, is_gguf};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name)
}

fn expected(name: &str) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(data(name)).unwrap()).unwrap()
}

#[test]
fn numbers_of_every_kind_are_the_bits_of_the_package() {
    let file = Gguf::open(&data("kinds.gguf")).unwrap();
    let expected = expected("kinds.json");
    assert_eq!(file.tensors.len(), expected.as_object().unwrap().len());
    for tensor in &file.tensors {
        assert_eq!(
            (tensor.kind.name(), &tensor.shape[..]),
            (&*tensor.name, &[2, 256][..])
        );
        let numbers = file.read(tensor).unwrap();
        let bits: Vec<u64> = numbers
            .iter()
            .map(|number| number.to_bits().into())
            .collect();
        let expected = &expected[&tensor.name];
        let first: Vec<u64> = serde_json::from_value(expected["first"].clone()).unwrap();
        assert_eq!(bits[..first.len()], first, "{}", tensor.name);
        let weighted = bits.iter().zip(1..).map(|(bits, at)| bits * at);
        assert_eq!(bits.iter().sum::<u64>(), expected["sum"], "{}", tensor.name);
        assert_eq!(
            weighted.sum::<u64>(),
            expected["weighted"],
            "{}",
            tensor.name
        );
    }
}

#[test]
fn metadata_of_every_kind_is_read() {
    let file = Gguf::open(&data("kinds.gguf")).unwrap();
    assert_eq!(file.text("general.architecture"), Some("llama"));
    let integers = [
        ("u8", 200),
        ("i8", -3),
        ("u16", 60_000),
        ("i16", -300),
        ("u32", 4_000_000_000),
        ("i32", -5),
        ("u64", (1 << 63) + 1),
    ];
    for (name, value) in integers {
        let found = &file.metadata[&format!("test.{name}")];
        assert_eq!(*found, Value::Integer(value), "{name}");
    }
    assert_eq!(file.count("test.i8"), None);
    // In single precision 1e-5 is 9.99999974737875e-6.
    assert_eq!(file.number("test.f32"), Some(1e-5));
    assert_eq!(file.number("test.f64"), Some(0.1));
    assert_eq!(file.truth("test.bool"), Some(true));
    assert_eq!(file.text("test.text"), Some("h\u{e9}llo"));
    assert_eq!(file.texts("test.texts").unwrap(), ["a", "", "\u{fc}"]);
    assert_eq!(file.integers("test.integers").unwrap(), [1, -2, 3]);
    assert_eq!(file.numbers("test.numbers").unwrap(), [0.5, -1.5]);
}

/// A file of version 3 with these counts of tensors and entries, and what follows.
fn file(tensors: u64, entries: u64, rest: &[&[u8]]) -> Vec<u8> {
    let head = [
        &b"GGUF"[..],
        &3_u32.to_le_bytes(),
        &tensors.to_le_bytes(),
        &entries.to_le_bytes(),
    ];
    [head.concat(), rest.concat()].concat()
}

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
}

/// The description of a tensor, and no numbers.
fn tensor(axes: &[u64], kind: u32, offset: u64) -> Vec<u8> {
    named("t", axes, kind, offset)
}

fn named(name: &str, axes: &[u64], kind: u32, offset: u64) -> Vec<u8> {
    let lengths: Vec<u8> = axes
        .iter()
        .flat_map(|length| length.to_le_bytes())
        .collect();
    let count = (axes.len() as u32).to_le_bytes();
    [
        text(name),
        count.to_vec(),
        lengths,
        kind.to_le_bytes().to_vec(),
        offset.to_le_bytes().to_vec(),
    ]
    .concat()
}

#[test]
fn what_is_wrong_is_said_and_nothing_is_taken_for_it() {
    let (many, version) = (u64::MAX.to_le_bytes(), 1_u32.to_le_bytes());
    let list = |kind: u32| {
        [
            text("k"),
            9_u32.to_le_bytes().to_vec(),
            kind.to_le_bytes().to_vec(),
            many.to_vec(),
        ]
        .concat()
    };
    let cases: [(Vec<u8>, &str); 17] = [
        (b"GGML".to_vec(), "does not begin as a GGUF does"),
        (
            b"GGUF".to_vec(),
            "its version should have 4 bytes, and 0 are left",
        ),
        ([&b"GGUF"[..], &version].concat(), "version 1"),
        ([&b"GGUF"[..], &3_u32.to_be_bytes()].concat(), "big-endian"),
        ([&b"GGUF"[..], &77_u32.to_le_bytes()].concat(), "version 77"),
        (file(u64::MAX, 0, &[]), "more than any file has"),
        (file(0, 1, &[&many]), "the name of an entry should have"),
        (
            file(0, 1, &[&text("k"), &99_u32.to_le_bytes()]),
            "unknown kind 99",
        ),
        (file(0, 1, &[&list(8)]), "k should have"),
        (file(0, 1, &[&list(0)]), "k should have"),
        (
            file(0, 1, &[&[&2_u64.to_le_bytes()[..], &[0xff, 0xfe]].concat()]),
            "no text in UTF-8",
        ),
        (file(1, 0, &[&tensor(&[1; 9], 0, 0)]), "9 axes"),
        (
            file(1, 0, &[&tensor(&[1 << 40, 1 << 40], 0, 0)]),
            "more numbers than there can be",
        ),
        (file(1, 0, &[&tensor(&[33], 8, 0)]), "no whole blocks of 32"),
        (
            file(1, 0, &[&tensor(&[256], 10, 0)]),
            "Q2_K; F32, F16, Q4_0",
        ),
        (
            file(1, 0, &[&tensor(&[4], 0, 7)]),
            "not where a tensor can be",
        ),
        (file(1, 0, &[&tensor(&[4], 0, 32)]), "it is cut"),
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.gguf");
    for (bytes, part) in cases {
        std::fs::write(&path, &bytes).unwrap();
        let error = Gguf::open(&path).unwrap_err().to_string();
        assert!(error.contains(part), "{error}\nlacks {part}");
    }
    assert!(!is_gguf(folder.path()) && is_gguf(&data("kinds.gguf")));
    let twice = [tensor(&[4], 0, 0), tensor(&[4], 0, 0), vec![0; 64]];
    std::fs::write(&path, file(2, 0, &[&twice.concat()])).unwrap();
    let error = Gguf::open(&path).unwrap_err().to_string();
    assert!(error.contains("t is there twice"), "{error}");
}

#[test]
fn tensors_lie_apart_where_the_alignment_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.gguf");
    let opened = |bytes: Vec<u8>| {
        std::fs::write(&path, bytes).unwrap();
        Gguf::open(&path).map_err(|error| error.to_string())
    };
    let two = |second: u64, axes: &[u64]| {
        let tensors = [named("b", &[4], 0, second), named("a", axes, 0, 0)];
        file(2, 0, &[&tensors.concat(), &[0; 256]])
    };
    assert!(opened(two(32, &[8])).is_ok());
    let error = opened(two(32, &[9])).unwrap_err();
    assert!(error.contains("a and b lie in the same bytes"), "{error}");
    // Nothing lies at the same byte as something.
    assert!(opened(two(0, &[0])).is_ok());
    let aligned = |alignment: u32| {
        let entry = [text("general.alignment"), 4_u32.to_le_bytes().to_vec()].concat();
        file(0, 1, &[&entry, &alignment.to_le_bytes()])
    };
    assert!(opened(aligned(8)).is_ok() && opened(aligned(64)).is_ok());
    for alignment in [0, 1, 12, 33] {
        let error = opened(aligned(alignment)).unwrap_err();
        assert!(error.contains("no multiple of 8"), "{error}");
    }
}

#[test]
fn damaged_files_are_refused_or_read() {
    let seeds =
        ["kinds.gguf", "pieces.gguf", "qwen2.gguf"].map(|name| std::fs::read(data(name)).unwrap());
    fuzz("model.gguf", &seeds, |path| {
        let Ok(file) = Gguf::open(path) else {
            return;
        };
        for tensor in &file.tensors {
            let _ = file.read(tensor);
        }
    });
}
