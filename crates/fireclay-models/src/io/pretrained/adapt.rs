//! How a tensor of a file fits a tensor of the model.

use std::collections::BTreeMap;

use burn::tensor::TensorData;

use super::file::Stored;
use super::positions::resize_positions;
use crate::family::Pretrainable;
use crate::io::tensors::TensorProblem;
use crate::io::weights::Name;

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
        positions.ok_or_else(|| TensorProblem::Shape {
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
        }
    }
}

/// The tensors of the head if the file's head has another number of outputs, and differs in
/// nothing else.
pub fn head_differs(head: &str, names: &[Name], stored: &BTreeMap<String, Stored>) -> Vec<String> {
    let of_head = |name: &&Name| {
        let rest = name.torch.strip_prefix(head);
        rest.is_some_and(|rest| rest.starts_with('.'))
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

/// The file's grid is square, as every published one is; the file does not say.
fn positions(grid: [usize; 2], name: &Name, stored: &Stored) -> Option<Fit> {
    let (&[1, tokens, width], &[1, _, expected]) = (stored.shape.as_slice(), name.shape.as_slice())
    else {
        return None;
    };
    if width != expected {
        return None;
    }
    let patches = tokens.checked_sub(1)?;
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
