//! What is known of each image.

use std::collections::HashMap;

/// What is known of each image, in the order of the source.
#[derive(Clone, Debug)]
pub(crate) enum ImageLabels {
    /// One class each.
    Classes(ClassNames),
    /// Any number of classes each: `sets` holds indices into the names, ascending.
    Sets {
        names: ClassNames,
        sets: Vec<Vec<u32>>,
    },
    /// A number each.
    Numbers(Vec<f64>),
}

/// Class names as they are met, and the class of each image.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClassNames {
    names: Vec<String>,
    index: HashMap<String, u32>,
    /// For each image an index into the names; empty where images have sets of classes.
    of: Vec<u32>,
    /// Whether the data gives the names and their order, so that all stay, used or not.
    is_declared: bool,
}

impl ClassNames {
    /// Names whose order is that of the data.
    pub(crate) fn declared(names: Vec<String>) -> Self {
        let index = names.iter().cloned().zip(0..).collect();
        Self {
            names,
            index,
            of: Vec::new(),
            is_declared: true,
        }
    }

    /// The index of a name, which is added if it is new.
    pub(crate) fn intern(&mut self, name: &str) -> u32 {
        if let Some(&index) = self.index.get(name) {
            return index;
        }
        let index = self.names.len() as u32;
        self.names.push(name.to_owned());
        self.index.insert(name.to_owned(), index);
        index
    }

    /// The class of the next image.
    pub(crate) fn push(&mut self, name: &str) {
        let index = self.intern(name);
        self.of.push(index);
    }

    /// The class of the next image by its index, which must be that of a name.
    pub(crate) fn push_index(&mut self, index: u32) {
        debug_assert!((index as usize) < self.names.len());
        self.of.push(index);
    }

    pub(crate) fn find(&self, name: &str) -> Option<u32> {
        self.index.get(name).copied()
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    pub(crate) fn of(&self) -> &[u32] {
        &self.of
    }

    pub(crate) fn is_declared(&self) -> bool {
        self.is_declared
    }
}

impl ImageLabels {
    /// The number of images.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Classes(classes) => classes.of.len(),
            Self::Sets { sets, .. } => sets.len(),
            Self::Numbers(numbers) => numbers.len(),
        }
    }
}
