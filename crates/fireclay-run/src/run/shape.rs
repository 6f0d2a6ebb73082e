//! What data with labels determines of a model.

use fireclay_data::{ImageData, TableData, TextTableData};
use fireclay_models::{EncoderShape, ImageShape, TabularShape};

/// What a table determines of a model.
pub fn table(data: &TableData) -> TabularShape {
    TabularShape {
        numeric: data.preprocess.numeric_width(),
        categories: data.preprocess.cardinalities(),
        outputs: data.preprocess.classes().len().max(1),
    }
}

/// What texts with labels determine of a model.
pub fn texts(data: &TextTableData) -> EncoderShape {
    EncoderShape {
        vocabulary: data.tokenizer.vocabulary(),
        outputs: Some(data.preprocess.classes().len().max(1)),
    }
}

/// What images determine of a model.
pub fn images(data: &ImageData) -> ImageShape {
    let (height, width) = data.preprocess.size();
    ImageShape {
        channels: data.preprocess.channels(),
        height,
        width,
        outputs: data.preprocess.classes().len().max(1),
    }
}
