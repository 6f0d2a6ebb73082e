//! Splits that are one file.

use std::path::Path;

use crate::config::RunConfig;

/// What is to be said of files that stand for two splits.
pub(super) fn told(config: &RunConfig) -> Vec<String> {
    let located = config.data.section().located();
    let path = Some(located.path);
    let named = |key| located.files.iter().find(|(name, _)| *name == key);
    let of = |key| named(key).and_then(|(_, path)| path.as_deref());
    let (valid, test) = (of("valid_path"), of("test_path"));
    let pairs = [
        (("valid_path", valid), ("path", path), "validation judges"),
        (("test_path", test), ("path", path), "the test judges"),
        (
            ("test_path", test),
            ("valid_path", valid),
            "the test judges",
        ),
    ];
    let same = pairs.into_iter().filter(|((_, one), (_, other), _)| {
        one.zip(*other)
            .is_some_and(|(one, other)| is_same(one, other))
    });
    let words = |key| match key {
        "path" => "what was trained on",
        _ => "what chose the checkpoint",
    };
    same.map(|((key, _), (other, _), judges)| {
        let what = words(other);
        format!("data.{key} is the same file as data.{other}: {judges} the model by {what}, not by new samples")
    })
    .collect()
}

/// Whether two paths lead to one file or folder.
fn is_same(one: &str, other: &str) -> bool {
    let real = |path: &str| Path::new(path).canonicalize().ok();
    one == other || real(one).is_some_and(|path| real(other) == Some(path))
}
