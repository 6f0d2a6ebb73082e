//! From what is known of each image to the labels of each split; classes are those of the training
//! images.

use super::preprocess::ImageTarget;
use super::source::{ClassNames, Found, ImageLabels};
use crate::error::DataError;
use crate::labels::Labels;
use crate::note::Note;
use crate::split::Splits;
use crate::table::{Vocabulary, mean_std};

/// The target, the labels of train, valid and test, and what there is to say of them.
pub(super) fn fit(
    found: &Found,
    splits: &Splits,
) -> Result<(ImageTarget, [Labels; 3], Vec<Note>), DataError> {
    match &found.labels {
        ImageLabels::Numbers(numbers) => Ok(fit_numbers(numbers, splits)),
        ImageLabels::Classes(classes) => {
            let of = |row: usize| std::slice::from_ref(&classes.of()[row]);
            let fitted = fit_classes(classes, of, found, splits)?;
            let labels = parts(splits).map(|rows| {
                let class = |&row: &usize| fitted.indices[classes.of()[row] as usize];
                Labels::Classes(rows.iter().map(class).collect())
            });
            let classes = fitted.names;
            check_more_than_one(&classes, &labels[0])?;
            Ok((ImageTarget::Class { classes }, labels, fitted.notes))
        }
        ImageLabels::Sets { names, sets } => {
            let of = |row: usize| sets[row].as_slice();
            let fitted = fit_classes(names, of, found, splits)?;
            let labels = parts(splits).map(|rows| {
                let sets = rows.iter().map(|row| fitted.set(&sets[*row]));
                Labels::Sets(sets.collect())
            });
            let classes = fitted.names;
            if classes.is_empty() {
                let message = "no training image has a label: there is nothing to learn";
                return Err(DataError::Unusable(message.into()));
            }
            Ok((ImageTarget::Set { classes }, labels, fitted.notes))
        }
    }
}

fn parts(splits: &Splits) -> [&[usize]; 3] {
    [&splits.train, &splits.valid, &splits.test]
}

fn fit_numbers(numbers: &[f64], splits: &Splits) -> (ImageTarget, [Labels; 3], Vec<Note>) {
    let (mean, std) = mean_std(splits.train.iter().map(|&row| numbers[row]));
    let labels =
        parts(splits).map(|rows| Labels::Numbers(rows.iter().map(|&row| numbers[row]).collect()));
    (ImageTarget::Number { mean, std }, labels, Vec::new())
}

/// Classes of the training images.
struct Classes {
    names: Vec<String>,
    /// The index among them of each name of the source.
    indices: Vec<u32>,
    notes: Vec<Note>,
}

impl Classes {
    /// The indices of some names of the source, ascending.
    fn set(&self, names: &[u32]) -> Vec<u32> {
        let indices = names.iter().map(|&name| self.indices[name as usize]);
        let mut indices: Vec<u32> = indices.collect();
        indices.sort_unstable();
        indices
    }
}

fn fit_classes<'a>(
    names: &ClassNames,
    of: impl Fn(usize) -> &'a [u32],
    found: &Found,
    splits: &Splits,
) -> Result<Classes, DataError> {
    let mut counts = vec![0usize; names.names().len()];
    for &row in &splits.train {
        for &class in of(row) {
            counts[class as usize] += 1;
        }
    }
    if names.is_declared() {
        return Ok(Classes {
            names: names.names().to_vec(),
            indices: (0..).take(counts.len()).collect(),
            notes: without_images(names.names(), &counts),
        });
    }
    if let Some((split, row, class)) = unseen(&counts, &of, splits) {
        let (class, image) = (&names.names()[class as usize], found.source.name(row));
        return Err(DataError::Split(format!(
            "class {class:?} is in the {split} split ({image}) but in no training image: add some, or leave it out; where a random split is to blame, set stratify = true"
        )));
    }
    let used = names.names().iter().zip(&counts);
    let used = used.filter(|(_, count)| **count > 0);
    let (vocabulary, _) = Vocabulary::fit(used.map(|(name, _)| name.as_str()), usize::MAX);
    check_not_too_many(vocabulary.len(), splits.train.len())?;
    // Names that no split uses have no index, and nothing asks for it.
    let index = |name: &String| vocabulary.find(name).unwrap_or(u32::MAX);
    Ok(Classes {
        names: vocabulary.names().to_vec(),
        indices: names.names().iter().map(index).collect(),
        notes: Vec::new(),
    })
}

/// The first image for validation or test of a class that no training image has.
fn unseen<'a>(
    counts: &[usize],
    of: &impl Fn(usize) -> &'a [u32],
    splits: &Splits,
) -> Option<(&'static str, usize, u32)> {
    let held_out = [("valid", &splits.valid), ("test", &splits.test)];
    held_out.into_iter().find_map(|(split, rows)| {
        rows.iter().find_map(|&row| {
            let class = of(row).iter().find(|class| counts[**class as usize] == 0)?;
            Some((split, row, *class))
        })
    })
}

fn without_images(classes: &[String], counts: &[usize]) -> Vec<Note> {
    let pairs = classes.iter().zip(counts);
    let empty: Vec<_> = pairs
        .filter(|(_, count)| **count == 0)
        .map(|(name, _)| format!("{name:?}"))
        .collect();
    if empty.is_empty() {
        return Vec::new();
    }
    const SHOWN: usize = 5;
    let (count, all) = (empty.len(), classes.len());
    let names = empty[..count.min(SHOWN)].join(", ");
    let more = if count > SHOWN { " and others" } else { "" };
    let message = format!(
        "{count} of the {all} classes that the data declares have no training image: {names}{more}"
    );
    vec![Note::general(message)]
}

fn check_more_than_one(names: &[String], train: &Labels) -> Result<(), DataError> {
    let Labels::Classes(classes) = train else {
        return Ok(());
    };
    if let Some(&first) = classes.first()
        && classes.iter().all(|class| *class == first)
    {
        let name = names.get(first as usize).map_or("", String::as_str);
        return Err(DataError::Unusable(format!(
            "every training image is of class {name:?}: there is nothing to learn"
        )));
    }
    Ok(())
}

/// Beyond this it is a number or an identifier that was taken for a class.
fn check_not_too_many(classes: usize, images: usize) -> Result<(), DataError> {
    if classes > 1000 && 2 * classes > images {
        return Err(DataError::Unusable(format!(
            "{classes} classes in {images} training images: for a number use a regression task, and an identifier cannot be learned"
        )));
    }
    Ok(())
}
