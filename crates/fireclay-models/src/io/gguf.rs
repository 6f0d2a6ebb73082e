//! Models in GGUF files, by the names and in the layouts of Hugging Face's `transformers`.

mod config;
mod keys;
mod names;
mod rope;

use std::path::Path;
use std::sync::Arc;

use burn::tensor::TensorData;
use fireclay_gguf::{Gguf, GgufError, Tensor};
use fireclay_kernels::{Packed, PackedError, Packing};
use serde_json::{Map, Value};

use crate::io::weights::{WeightsError, whole};
use names::Layout;

/// One tensor, whose numbers are not read yet.
pub struct Part {
    /// What `transformers` call it; its own name where they have none.
    pub name: String,
    /// Its shape there.
    pub shape: Vec<usize>,
    file: Arc<Gguf>,
    tensor: Tensor,
    layout: Layout,
}

impl Part {
    /// How its numbers are stored.
    pub fn kind(&self) -> &'static str {
        self.tensor.kind.name()
    }

    /// Its numbers in single precision.
    pub fn read(&self) -> Result<TensorData, String> {
        let numbers = self
            .file
            .read(&self.tensor)
            .map_err(|error| error.to_string())?;
        let numbers = self.layout.apply(numbers, &self.tensor.shape);
        Ok(TensorData::new(numbers, self.shape.clone()))
    }

    /// The blocks that it is in, if it is a matrix whose rows are rows there, and products with them are known.
    pub fn packing(&self) -> Option<Packing> {
        let is_by_rows = self.layout != Layout::Transposed && self.shape.len() == 2;
        Packing::of(self.tensor.kind.name()).filter(|_| is_by_rows)
    }

    /// Its blocks as they are in the file.
    ///
    /// # Panics
    ///
    /// If there is no [`packing`](Self::packing).
    pub fn packed(&self) -> Result<Result<Packed, PackedError>, String> {
        let packing = self.packing().expect("it is in blocks");
        let bytes = self.file.bytes(&self.tensor);
        let bytes = bytes.map_err(|error| error.to_string())?;
        let [rows, columns] = [self.shape[0], self.shape[1]];
        let of_row = bytes.len() / rows.max(1);
        let bytes = self.layout.apply(bytes, &[rows, of_row]);
        Ok(Packed::of_bytes(packing, [rows, columns], bytes))
    }
}

/// The tensors of the file at `path`.
pub fn parts(path: &Path) -> Result<Vec<Part>, WeightsError> {
    let file = Arc::new(open(path)?);
    let part = |tensor: &Tensor| -> Result<Part, WeightsError> {
        let found = names::translated(&file, tensor);
        let (name, layout) = found.map_err(WeightsError::Description)?;
        Ok(Part {
            shape: layout.shape(&tensor.shape),
            name,
            layout,
            file: file.clone(),
            tensor: tensor.clone(),
        })
    };
    file.tensors.iter().map(part).collect()
}

/// The model in the file at `path`, in the words of a `config.json`.
pub fn described(path: &Path) -> Result<Map<String, Value>, WeightsError> {
    let file = open(path)?;
    config::described(&file).map_err(WeightsError::Description)
}

fn open(path: &Path) -> Result<Gguf, WeightsError> {
    Gguf::open(path).map_err(|error| match error {
        GgufError::Io(source) => crate::io::weights::io_error(path, source),
        error => WeightsError::Gguf {
            path: whole(path),
            source: error,
        },
    })
}

#[cfg(test)]
mod tests;
