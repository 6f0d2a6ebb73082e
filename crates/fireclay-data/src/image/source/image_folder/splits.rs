//! Which folders hold the splits, and which hold images without classes.

use std::path::{Path, PathBuf};

use super::names::{Role, is_wrapper, role};
use super::walk::{Walk, own_images, subfolders};
use crate::error::{DataError, absolute};
use crate::split::SPLIT_NAMES;

/// Folders that only wrap others are not nested more deeply than this.
const DEEPEST: usize = 4;

/// Where the classes are: a folder for each split, of which the first is divided where others are
/// missing; and folders that are no class of the first.
#[derive(Debug, Default)]
pub(super) struct Layout {
    pub(super) splits: [Option<PathBuf>; 3],
    pub(super) left_out: Vec<PathBuf>,
}

/// Each folder is a class.
pub(super) fn plain(root: PathBuf) -> Layout {
    Layout {
        splits: [Some(root), None, None],
        left_out: Vec::new(),
    }
}

/// The folders of the splits by their names, if there are any; else the classes are in `root`, but for
/// a folder of images without classes that is named like a split.
///
/// # Errors
/// Where the splits have company: a folder with images, which would be neither split nor class; where
/// two folders are the same split, or the training images have no classes.
pub(super) fn find(root: PathBuf, walk: &mut Walk) -> Result<Layout, DataError> {
    check_training(&root)?;
    let root = unwrapped(root)?;
    match named(&root)? {
        Some(named) => accept(named, walk),
        None => beside_classes(root, walk),
    }
}

/// The folders of a root that are named like splits, and the others.
struct Named {
    splits: [Option<PathBuf>; 3],
    unlabelled: Vec<PathBuf>,
    others: Vec<PathBuf>,
}

/// The splits of a root: `train` and at least one of the others, with names that have the same rest;
/// or `train` alone. (`train` among other folders may well be a class.)
fn named(root: &Path) -> Result<Option<Named>, DataError> {
    let folders = subfolders(root)?;
    let roles: Vec<_> = folders.iter().map(|folder| role(folder)).collect();
    let trains = roles.iter().flatten();
    let trains = trains.filter(|(role, _)| *role == Role::Split(0));
    let mut rests: Vec<&str> = trains.map(|(_, rest)| rest.as_str()).collect();
    rests.sort_by_key(|rest| rest.len());
    for rest in rests {
        let mut named = Named {
            splits: [const { None }; 3],
            unlabelled: Vec::new(),
            others: Vec::new(),
        };
        for (folder, found) in folders.iter().zip(&roles) {
            match found {
                Some((Role::Split(split), its)) if its == rest => {
                    if let Some(other) = named.splits[*split].replace(folder.clone()) {
                        return Err(twice(&other, folder, *split));
                    }
                }
                Some((Role::Unlabelled, _)) => named.unlabelled.push(folder.clone()),
                _ => named.others.push(folder.clone()),
            }
        }
        let is_alone = named.others.is_empty() && rest.is_empty();
        let has_more = named.splits[1..].iter().any(Option::is_some);
        if has_more || is_alone || !named.unlabelled.is_empty() {
            return Ok(Some(named));
        }
    }
    Ok(None)
}

fn twice(one: &Path, other: &Path, split: usize) -> DataError {
    let what = ["training", "validation", "test"][split];
    DataError::Split(format!(
        "{} and {} both look like {what}: keep one of them, or set split_folders = false if each is a class",
        absolute(one).display(),
        absolute(other).display()
    ))
}

fn accept(named: Named, walk: &mut Walk) -> Result<Layout, DataError> {
    let train = named.splits[0].clone().unwrap_or_default();
    for other in named.others {
        if !Walk::default().images(&other)?.is_empty() {
            return Err(beside_splits(&other, &train));
        }
        let other = other.display();
        let message = format!("{other} is no split and has no images, and is left out");
        walk.said.push(message);
    }
    let mut layout = Layout::default();
    for (split, folder) in named.splits.into_iter().enumerate() {
        let Some(folder) = folder else { continue };
        let folder = unwrapped(folder)?;
        match is_classless(&folder)? {
            false => layout.splits[split] = Some(folder),
            true if split == 0 => return Err(without_classes(&folder)),
            true => walk.said.push(unlabelled(&folder)),
        }
    }
    for folder in named.unlabelled {
        walk.said.push(unlabelled(&folder));
    }
    say_splits(&layout.splits, walk);
    Ok(layout)
}

fn say_splits(splits: &[Option<PathBuf>; 3], walk: &mut Walk) {
    let found = splits.iter().zip(SPLIT_NAMES);
    let found = found.filter_map(|(folder, name)| Some((folder.as_ref()?, name)));
    let found = found.map(|(folder, name)| format!("{} ({name})", folder.display()));
    let found: Vec<String> = found.collect();
    walk.said.push(format!(
        "folders are splits by their names, not classes: {} (split_folders = false makes each folder a class)",
        found.join(", ")
    ));
}

fn beside_splits(other: &Path, train: &Path) -> DataError {
    DataError::Split(format!(
        "{} holds images, but is neither train, valid nor test, which are beside it: move it elsewhere; if all of them are classes, set split_folders = false or rename {}",
        absolute(other).display(),
        absolute(train).display()
    ))
}

fn without_classes(folder: &Path) -> DataError {
    DataError::Split(format!(
        "{} holds the training images, but no folder for each class: sort them into folders, or name them with their classes in a table (type = \"image_table\"); if the folder is itself a class, set split_folders = false",
        absolute(folder).display()
    ))
}

/// Refuses a root that holds nothing but a folder called like what is held out: trained on, it would be no test.
fn check_training(root: &Path) -> Result<(), DataError> {
    let of = |folder: &Path| role(folder).map(|(role, _)| role);
    let folders = subfolders(root)?;
    let [only] = folders.as_slice() else {
        return Ok(());
    };
    let is_held_out = of(only).is_some_and(|role| role != Role::Split(0) && of(root) != Some(role));
    match is_held_out && own_images(root)?.is_empty() {
        true => Err(without_training(&[only])),
        false => Ok(()),
    }
}

fn without_training(found: &[&PathBuf]) -> DataError {
    let found = found
        .iter()
        .map(|folder| absolute(folder).display().to_string());
    let found = found.collect::<Vec<_>>().join(" and ");
    DataError::Split(format!(
        "there are no training images beside {found}: name the folder above train, or, to train on what is there, that folder itself; if it is a class, set split_folders = false"
    ))
}

fn unlabelled(folder: &Path) -> String {
    format!(
        "{} holds images without classes: nothing but predict has a use for it (split_folders = false makes it a class)",
        folder.display()
    )
}

/// Folders that are named like splits beside classes: `test` holds the test if its folders are classes
/// too, and no class if it has none. Others are classes, which is said.
fn beside_classes(root: PathBuf, walk: &mut Walk) -> Result<Layout, DataError> {
    let folders = subfolders(&root)?;
    let is_named = |folder: &&PathBuf| role(folder).is_some_and(|(_, rest)| rest.is_empty());
    let (suspects, classes): (Vec<_>, Vec<_>) = folders.iter().partition(is_named);
    if classes.is_empty() && !suspects.is_empty() && own_images(&root)?.is_empty() {
        return Err(without_training(&suspects));
    }
    let mut layout = plain(root);
    for folder in suspects {
        let Some((role, _)) = role(folder) else {
            continue;
        };
        let inner = unwrapped(folder.clone())?;
        let is_classless = is_classless(&inner)?;
        let shares = !is_classless && holds_only(&inner, &classes)?;
        match role {
            Role::Split(split @ (1 | 2)) if shares => {
                if let Some(other) = layout.splits[split].replace(inner) {
                    return Err(twice(&other, folder, split));
                }
                layout.left_out.push(folder.clone());
            }
            Role::Split(2) | Role::Unlabelled if is_classless && classes.len() > 1 => {
                walk.said.push(unlabelled(folder));
                layout.left_out.push(folder.clone());
            }
            _ => walk.said.push(format!(
                "{} is named like a split, but is taken for a class, because there are no other splits beside it",
                folder.display()
            )),
        }
    }
    if layout.splits[1..].iter().any(Option::is_some) {
        say_splits(&layout.splits, walk);
    }
    Ok(layout)
}

/// Whether a class has folders for the splits in it, instead of the other way round.
pub(super) fn are_inside(class: &Path) -> bool {
    // Two folders for one split are an error among the splits, and nothing here.
    let named = named(class).ok().flatten();
    named.is_some_and(|named| named.splits[1..].iter().any(Option::is_some))
}

/// Whether the folders in a folder have names of classes, all of them.
fn holds_only(folder: &Path, classes: &[&PathBuf]) -> Result<bool, DataError> {
    let inner = subfolders(folder)?;
    let is_class = |folder: &PathBuf| {
        let mut names = classes.iter().map(|class| class.file_name());
        names.any(|name| name == folder.file_name())
    };
    Ok(!inner.is_empty() && inner.iter().all(is_class))
}

/// Whether a folder holds images, and no folder with images.
fn is_classless(folder: &Path) -> Result<bool, DataError> {
    if own_images(folder)?.is_empty() {
        return Ok(false);
    }
    for inner in subfolders(folder)? {
        if !Walk::default().images(&inner)?.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The innermost of folders that only wrap each other: `seg_train/seg_train`, `pets/images`, or any in
/// which there are splits.
pub(super) fn unwrapped(folder: PathBuf) -> Result<PathBuf, DataError> {
    unwrap(folder, DEEPEST)
}

fn unwrap(folder: PathBuf, deepest: usize) -> Result<PathBuf, DataError> {
    let mut inner = subfolders(&folder)?;
    let only = inner.pop().filter(|_| inner.is_empty() && deepest > 0);
    let Some(only) = only else {
        return Ok(folder);
    };
    if !own_images(&folder)?.is_empty() {
        return Ok(folder);
    }
    let wraps = is_wrapper(&only, &folder);
    let innermost = unwrap(only, deepest - 1)?;
    match wraps || named(&innermost)?.is_some() {
        true => Ok(innermost),
        false => Ok(folder),
    }
}
