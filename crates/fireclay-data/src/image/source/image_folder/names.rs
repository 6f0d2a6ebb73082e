//! What the names of folders say: splits in the spellings that data comes with.

use std::ffi::OsStr;
use std::path::Path;

/// What a folder holds by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Images with classes of one split: 0 is train, 1 valid, 2 test.
    Split(usize),
    /// Images without classes, to predict for.
    Unlabelled,
}

const ROLES: [(Role, &[&str]); 4] = [
    (Role::Split(0), &["train", "training", "trn", "trainval"]),
    (
        Role::Split(1),
        &[
            "valid",
            "val",
            "validation",
            "validate",
            "dev",
            "development",
            "eval",
            "evaluation",
        ],
    ),
    (Role::Split(2), &["test", "testing", "tst"]),
    (
        Role::Unlabelled,
        &[
            "pred",
            "predict",
            "prediction",
            "predictions",
            "unlabeled",
            "unlabelled",
            "inference",
        ],
    ),
];

/// Words that say nothing about what is in a folder.
const FILLERS: [&str; 14] = [
    "set", "sets", "data", "dataset", "datasets", "image", "images", "img", "imgs", "pictures",
    "photos", "split", "folder", "samples",
];

/// What a folder holds by its name, and the rest of its name: `seg_train` holds the training images
/// of `seg`, `Train`, `training set` and `train_images` those of nothing in particular.
pub(super) fn role(folder: &Path) -> Option<(Role, String)> {
    let (mut found, mut rest) = (None, Vec::new());
    for word in words(folder) {
        match role_of(&word) {
            Some(role) if found.is_none() => found = Some(role),
            Some(_) => return None,
            None if FILLERS.contains(&word.as_str()) => {}
            None => rest.push(word),
        }
    }
    Some((found?, rest.join(" ")))
}

/// Whether a folder that is alone in `parent` only wraps what it holds, as archives do.
pub(super) fn is_wrapper(folder: &Path, parent: &Path) -> bool {
    let (name, parent) = (words(folder), words(parent));
    name == parent || role(folder).is_some() || name.iter().all(|word| is_filler(word))
}

fn is_filler(word: &str) -> bool {
    FILLERS.contains(&word)
}

fn role_of(word: &str) -> Option<Role> {
    let ends = FILLERS.iter().filter_map(|end| word.strip_suffix(end));
    let stems: Vec<&str> = [word].into_iter().chain(ends).collect();
    let known = |(_, names): &&(Role, &[&str])| stems.iter().any(|stem| names.contains(stem));
    ROLES.iter().find(known).map(|(role, _)| *role)
}

/// The words of a name in small letters.
fn words(folder: &Path) -> Vec<String> {
    let name = folder.file_name().and_then(OsStr::to_str);
    let name = name.unwrap_or_default().to_lowercase();
    let words = name.split(|letter: char| !letter.is_alphanumeric());
    let words = words.filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_are_known_in_every_spelling() {
        for (names, expected) in [
            ("train Train TRAINING train_set trainset Train-Images", 0),
            ("val Valid VALIDATION dev val_data valset", 1),
            ("test Testing TEST test_images testset", 2),
        ] {
            for name in names.split(' ') {
                let found = role(Path::new(name));
                assert_eq!(
                    found,
                    Some((Role::Split(expected), String::new())),
                    "{name}"
                );
            }
        }
        let seg = Some((Role::Split(0), "seg".to_owned()));
        assert_eq!(role(Path::new("a/seg_train")), seg);
        let tube = Some((Role::Split(2), "tube".to_owned()));
        assert_eq!(role(Path::new("test_tube")), tube);
        for name in ["cat", "trains", "latest", "attest", "images", "train_test"] {
            assert_eq!(role(Path::new(name)), None, "{name}");
        }
    }

    #[test]
    fn a_wrapper_repeats_its_parent_or_says_nothing() {
        for (folder, parent, expected) in [
            ("seg_train", "seg_train", true),
            ("Pets", "pets", true),
            ("images", "pets", true),
            ("train", "pets", true),
            ("cat", "pets", false),
        ] {
            let parent = Path::new(parent);
            assert_eq!(
                is_wrapper(&parent.join(folder), parent),
                expected,
                "{folder}"
            );
        }
    }
}
