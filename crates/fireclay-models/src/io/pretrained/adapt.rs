//! How a tensor of a file fits a tensor of the model.

use std::collections::BTreeMap;

use burn::tensor::TensorData;

use super::file::Stored;
use super::positions::resize_positions;
use crate::family::{Pretrainable, Rows};
use crate::io::tensors::TensorProblem;
use crate::io::weights::{Name, WeightsError};

/// What has to be done to a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// Nothing.
    Exact,
    /// The library that wrote it has axes of length 1 where the model has none, or the reverse.
    Reshaped,
    /// Position embeddings are resampled from one grid of patches to another.
    Positions {
        /// Rows and columns in the file.
        from: [usize; 2],
        /// Rows and columns in the model.
        to: [usize; 2],
    },
    /// The file has more rows for tokens or positions, or fewer for tokens.
    Rows {
        /// What they stand for.
        of: Rows,
        /// How many the file has.
        from: usize,
        /// How many the model has.
        to: usize,
    },
}

impl Fit {
    pub fn find<F: Pretrainable>(
        config: &F,
        shape: &F::Shape,
        name: &Name,
        stored: &Stored,
    ) -> Result<Self, TensorProblem> {
        if stored.dtype.is_none() {
            return Err(TensorProblem::Type {
                name: name.torch.clone(),
                expected: "floats".to_string(),
                found: stored.type_name.clone(),
            });
        }
        if stored.shape == name.shape {
            return Ok(Self::Exact);
        }
        if stored.renamed && squeezed(&stored.shape) == squeezed(&name.shape) {
            return Ok(Self::Reshaped);
        }
        let grid = config.positions(shape, &name.torch);
        let positions = grid.and_then(|grid| positions(grid, name, stored));
        let rows = config.rows_of(&name.torch);
        let rows = || rows.and_then(|of| other_rows(of, &stored.shape, &name.shape));
        positions.or_else(rows).ok_or_else(|| TensorProblem::Shape {
            name: stored.name.clone(),
            expected: name.shape.clone(),
            found: stored.shape.clone(),
        })
    }

    pub fn apply(self, data: TensorData, shape: &[usize]) -> TensorData {
        match self {
            Self::Exact => data,
            Self::Reshaped => {
                let dtype = data.dtype();
                TensorData::from_bytes_vec(data.as_bytes().to_vec(), shape.to_vec(), dtype)
            }
            Self::Positions { from, to } => resize_positions(&data, from, to),
            Self::Rows { to, .. } => with_rows(&data, to),
        }
    }
}

/// The tensors of the head if the file's head has another number of outputs, and differs in
/// nothing else.
pub fn head_differs<F: Pretrainable>(
    config: &F,
    names: &[Name],
    stored: &BTreeMap<String, Stored>,
) -> Vec<String> {
    // The outputs of a head that predicts tokens are a vocabulary, which has rows to keep.
    let of_head = |name: &&Name| {
        let rest = name.torch.strip_prefix(config.head());
        let is_head = rest.is_some_and(|rest| rest.starts_with('.'));
        is_head && config.rows_of(&name.torch).is_none()
    };
    let head: Vec<_> = names.iter().filter(of_head).collect();
    let pairs = || {
        let pair =
            |name: &&Name| Some((name.shape.clone(), stored.get(&name.torch)?.shape.clone()));
        head.iter().filter_map(pair)
    };
    // Outputs come first in the weight and in the bias.
    let alike = pairs().all(|(ours, theirs)| {
        ours.len() == theirs.len() && !theirs.is_empty() && ours[1..] == theirs[1..]
    });
    let differs = pairs().any(|(ours, theirs)| ours != theirs);
    let outputs: Vec<_> = pairs().map(|(_, theirs)| theirs.first().copied()).collect();
    let agree = outputs.windows(2).all(|pair| pair[0] == pair[1]);
    match alike && differs && agree {
        true => head.iter().map(|name| name.torch.clone()).collect(),
        false => Vec::new(),
    }
}

/// Takes away the tensors that are copies of others, or gives the only one that is there the name of the
/// other; a copy that is not equal is a problem.
pub fn copies<F: Pretrainable>(
    config: &F,
    shape: &F::Shape,
    stored: &mut BTreeMap<String, Stored>,
) -> Result<Vec<TensorProblem>, WeightsError> {
    let copy = |name: &String| Some((name.clone(), config.copy_of(name)?));
    let found: Vec<_> = stored.keys().filter_map(copy).collect();
    let mut problems = Vec::new();
    for (name, original) in found {
        let tensor = stored.remove(&name).expect("it was just found");
        match stored.get(original) {
            _ if config.leaves_out(shape, original) => {}
            Some(other) if same(&tensor, other)? => {}
            Some(_) => problems.push(TensorProblem::NoCopy { name, original }),
            None => drop(stored.insert(original.into(), tensor)),
        }
    }
    Ok(problems)
}

fn same(one: &Stored, other: &Stored) -> Result<bool, WeightsError> {
    let alike = one.shape == other.shape && one.dtype == other.dtype;
    Ok(alike && (one.dtype.is_none() || one.read()?.as_bytes() == other.read()?.as_bytes()))
}

/// Rows for tokens may be more or fewer, those for positions more.
fn other_rows(of: Rows, stored: &[usize], own: &[usize]) -> Option<Fit> {
    let (&[from, ref theirs @ ..], &[to, ref ours @ ..]) = (stored, own) else {
        return None;
    };
    let fits = theirs == ours && from > 0 && (of == Rows::Tokens || from > to);
    fits.then_some(Fit::Rows { of, from, to })
}

/// The first rows; those that are not there are the mean of all.
fn with_rows(data: &TensorData, rows: usize) -> TensorData {
    let shape = data.shape().to_vec();
    let width: usize = shape[1..].iter().product();
    let mut numbers: Vec<f64> = data.iter::<f64>().collect();
    let mean = |column: usize| {
        let column = numbers.iter().skip(column).step_by(width.max(1));
        column.sum::<f64>() / shape[0] as f64
    };
    let mean: Vec<f64> = (0..width).map(mean).collect();
    numbers.truncate(rows * width);
    let missing = rows.saturating_sub(shape[0]);
    numbers.extend(std::iter::repeat_n(mean, missing).flatten());
    let shape = [&[rows], &shape[1..]].concat();
    TensorData::new(numbers, shape)
}

/// The file's grid is square, as every published one is; the file does not say.
fn positions(grid: [usize; 2], name: &Name, stored: &Stored) -> Option<Fit> {
    let (&[1, tokens, width], &[1, own, expected]) =
        (stored.shape.as_slice(), name.shape.as_slice())
    else {
        return None;
    };
    if width != expected {
        return None;
    }
    // The class token and others before the patches.
    let before = own.checked_sub(grid[0] * grid[1])?;
    let patches = tokens.checked_sub(before)?;
    let side = patches.isqrt();
    (side > 0 && side * side == patches && patches <= MAX_PATCHES).then_some(Fit::Positions {
        from: [side, side],
        to: grid,
    })
}

/// More patches than any image is cut into; a file that claims more is not believed.
const MAX_PATCHES: usize = 1 << 20;

fn squeezed(shape: &[usize]) -> Vec<usize> {
    shape
        .iter()
        .copied()
        .filter(|&length| length != 1)
        .collect()
}
