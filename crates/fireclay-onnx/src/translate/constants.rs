//! Constants that the model makes itself: tables and numbers that count up.

use burn::tensor::{DType, TensorData};
use burn_ir::TensorId;

use crate::dims::Dim;
use crate::error::Fault;
use crate::proto::{BOOL, FLOAT, INT64};
use crate::translate::{Translator, data_type};

impl Translator<'_> {
    /// Names what `id` holds in each recording; `longest` is what it holds with inputs of the greatest length,
    /// from which a shorter one is cut.
    ///
    /// # Errors
    ///
    /// If the numbers for shorter inputs are not those at the head of the numbers for longer ones.
    pub(crate) fn constant(
        &mut self,
        id: TensorId,
        seen: &[TensorData],
        longest: Option<&TensorData>,
    ) -> Result<(), Fault> {
        let dims = self.aligned.shapes[&id].clone();
        let is_fixed = dims.iter().all(|dim| dim.number().is_some());
        let name = match (is_fixed, counts_up(seen), longest) {
            (true, _, _) if seen.iter().all(|data| *data == seen[0]) => self.whole(&seen[0])?,
            (true, _, _) => {
                let reason = "the numbers of a constant differ for inputs of another size";
                return Err(Fault::Varies(reason.into()));
            }
            (false, true, _) => self.range(&dims[0]),
            (false, false, Some(longest)) if seen.iter().all(|data| is_head(data, longest)) => {
                let whole = self.whole(longest)?;
                self.head(&whole, &dims)
            }
            (false, false, _) => {
                let reason = "a table for longer inputs does not begin with that for shorter ones";
                return Err(Fault::Varies(reason.into()));
            }
        };
        self.names.insert(id, name);
        Ok(())
    }

    /// Whether what `id` holds has to be seen for inputs of the greatest length.
    pub(crate) fn is_table(&self, id: TensorId, seen: &[TensorData]) -> bool {
        let mut dims = self.aligned.shapes[&id].iter();
        dims.any(|dim| dim.number().is_none()) && !counts_up(seen)
    }

    fn whole(&mut self, data: &TensorData) -> Result<String, Fault> {
        let missing = || Fault::Unsupported(vec![format!("constants of {:?}", data.dtype())]);
        let kind = data_type(data.dtype()).ok_or_else(missing)?;
        Ok(self.graph.constant(kind, sides(data), bytes(data)))
    }

    /// 0, 1, 2 and so on, up to a length.
    fn range(&mut self, length: &Dim) -> String {
        let [start, step] = [0.0, 1.0].map(|number| self.graph.scalar(INT64, number));
        let length = self.length(length);
        let empty = self.graph.indices(&[]);
        let end = self.graph.node("Reshape", &[&length, &empty], Vec::new());
        self.graph.node("Range", &[&start, &end, &step], Vec::new())
    }

    /// The head of a table along each axis that grows.
    fn head(&mut self, table: &str, dims: &[Dim]) -> String {
        let grows = |(_, dim): &(usize, &Dim)| dim.number().is_none();
        let growing: Vec<(usize, &Dim)> = dims.iter().enumerate().filter(grows).collect();
        let axes: Vec<i64> = growing.iter().map(|(axis, _)| *axis as i64).collect();
        let starts = self.graph.indices(&vec![0; axes.len()]);
        let ends: Vec<Dim> = growing.iter().map(|(_, dim)| (*dim).clone()).collect();
        let ends = self.shape(&ends);
        let axes = self.graph.indices(&axes);
        let inputs = [table, &starts, &ends, &axes];
        self.graph.node("Slice", &inputs, Vec::new())
    }
}

/// Whether each is 0, 1, 2 and so on.
fn counts_up(seen: &[TensorData]) -> bool {
    seen.iter().all(|data| {
        let values = data.as_slice::<i64>().unwrap_or_default();
        let counts = values
            .iter()
            .enumerate()
            .all(|(at, value)| at as i64 == *value);
        data.dtype() == DType::I64 && data.rank() == 1 && counts
    })
}

/// Whether `part` is what `whole` has in the first places of each axis.
fn is_head(part: &TensorData, whole: &TensorData) -> bool {
    let (sides, all) = (part.shape(), whole.shape());
    let fits = part.dtype() == whole.dtype()
        && sides.num_dims() == all.num_dims()
        && sides.iter().zip(all.iter()).all(|(side, all)| side <= all);
    let size = part.dtype().size();
    let (part, whole) = (part.as_bytes(), whole.as_bytes());
    let place = |mut index: usize| {
        let mut place = 0;
        let mut stride = 1;
        for axis in (0..sides.num_dims()).rev() {
            place += index % sides[axis] * stride;
            index /= sides[axis];
            stride *= all[axis];
        }
        place * size
    };
    let mut numbers = part.chunks(size).enumerate();
    fits && numbers.all(|(index, number)| whole[place(index)..].starts_with(number))
}

fn sides(data: &TensorData) -> Vec<i64> {
    data.shape().iter().map(|side| *side as i64).collect()
}

/// The numbers as ONNX has them, little end first.
pub(crate) fn bytes(data: &TensorData) -> Vec<u8> {
    let kind = data_type(data.dtype()).unwrap_or(FLOAT);
    match kind {
        FLOAT => data.iter::<f32>().flat_map(f32::to_le_bytes).collect(),
        BOOL => data.iter::<bool>().map(u8::from).collect(),
        _ => data.iter::<i64>().flat_map(i64::to_le_bytes).collect(),
    }
}
