//! Between the types of a safetensors file and Burn's.

use burn::tensor::{DType, TensorData};
use safetensors::tensor::{Dtype, TensorView};

use super::error::{WeightsError, damaged};

pub fn view(data: &TensorData) -> Result<TensorView<'_>, WeightsError> {
    let dtype = match data.dtype() {
        DType::F64 => Dtype::F64,
        DType::F16 => Dtype::F16,
        DType::BF16 => Dtype::BF16,
        _ => Dtype::F32,
    };
    TensorView::new(dtype, data.shape().to_vec(), data.as_bytes()).map_err(damaged)
}

pub fn data(view: &TensorView) -> Result<TensorData, WeightsError> {
    let dtype = float(view.dtype()).ok_or_else(|| {
        WeightsError::Damaged(format!("{:?} is no type of weights", view.dtype()))
    })?;
    TensorData::try_from_bytes_vec(view.data().to_vec(), view.shape().to_vec(), dtype)
        .map_err(|error| WeightsError::Damaged(error.to_string()))
}

pub fn float(dtype: Dtype) -> Option<DType> {
    match dtype {
        Dtype::F64 => Some(DType::F64),
        Dtype::F32 => Some(DType::F32),
        Dtype::F16 => Some(DType::F16),
        Dtype::BF16 => Some(DType::BF16),
        _ => None,
    }
}
