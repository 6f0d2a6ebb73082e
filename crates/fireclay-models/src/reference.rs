//! What the tests compare with numbers from PyTorch: files in `tests/data`.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{Bool, Device, Gradients, Int, Tensor, TensorData, activation};
use safetensors::{Dtype, SafeTensors};

use crate::family::Family;
use crate::io::tensors::from_tensors;
use crate::io::weights::{Name, plain_names, shapes, swap_axes};
use crate::layers::draws::Alone;

/// To be held by every test that draws random numbers on a device; layers that draw fail without.
pub fn generator() -> Alone {
    Alone::new()
}

/// Fails unless two trainings draw other numbers, and evaluation is that of a model that was never
/// trained.
pub fn assert_drops<M: Module>(
    build: impl Fn(&Device) -> M,
    run: impl Fn(&M, &Device) -> TensorData,
) {
    let _alone = generator();
    let (device, plain) = (Device::flex().autodiff(), Device::flex());
    let model = build(&device);
    assert_ne!(run(&model, &device), run(&model, &device));
    assert_eq!(run(&model.valid(), &plain), run(&build(&plain), &plain));
}

/// Tensors by name.
pub type Tensors = BTreeMap<String, TensorData>;

/// The tensors of `tests/data/<name>.safetensors`; whole numbers as floats.
pub fn read(name: &str) -> Tensors {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let bytes = fs::read(folder.join(format!("{name}.safetensors"))).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let data = |(name, view): (&str, safetensors::tensor::TensorView)| {
        let values: Vec<f32> = match view.dtype() {
            Dtype::F32 => view.data().chunks(4).map(single).collect(),
            Dtype::I64 => view.data().chunks(8).map(whole).collect(),
            other => panic!("{other:?}"),
        };
        (
            name.to_string(),
            TensorData::new(values, view.shape().to_vec()),
        )
    };
    file.iter().map(data).collect()
}

fn single(bytes: &[u8]) -> f32 {
    f32::from_le_bytes(bytes.try_into().unwrap())
}

fn whole(bytes: &[u8]) -> f32 {
    i64::from_le_bytes(bytes.try_into().unwrap()) as f32
}

/// The model with every tensor replaced by the one that PyTorch calls `torch_name` of its path;
/// none may be missing or left over, but for the counts of batches, which Burn lacks.
pub fn fill<M: Module>(model: M, mut file: Tensors, torch_name: impl Fn(&str) -> String) -> M {
    file.retain(|name, _| !name.ends_with("num_batches_tracked"));
    let mut tensors = Vec::new();
    for name in plain_names(&model) {
        let torch = torch_name(&name.torch);
        let data = file.remove(&torch).unwrap_or_else(|| panic!("{torch}"));
        assert_eq!(data.shape().to_vec(), name.shape, "{torch}");
        tensors.push((name.path.clone(), turned(&name, data)));
    }
    assert!(file.is_empty(), "{:?}", file.keys());
    from_tensors(model, tensors).unwrap()
}

/// Fails unless the model's tensors have the names and shapes of those in the file.
pub fn assert_names<F: Family>(config: &F, shape: &F::Shape, mut file: Tensors) {
    file.retain(|name, _| !name.ends_with("num_batches_tracked"));
    let expected: BTreeMap<_, _> = file
        .into_iter()
        .map(|(name, data)| (name, data.shape().to_vec()))
        .collect();
    let model = config.init(shape, 0, &Device::flex());
    assert_eq!(BTreeMap::from_iter(shapes(config, &model)), expected);
}

/// The gradients of every parameter of the model by PyTorch's name, in PyTorch's layout.
pub fn gradients<M: Module>(
    model: &M,
    gradients: &Gradients,
    torch_name: impl Fn(&str) -> String,
) -> Tensors {
    let mut reader = Reader {
        gradients,
        found: HashMap::new(),
    };
    model.visit(&mut reader);
    let named = |name: Name| {
        let data = reader.found.remove(&name.id)?;
        Some((torch_name(&name.torch), turned(&name, data)))
    };
    plain_names(model).into_iter().filter_map(named).collect()
}

/// Burn keeps the weight of a linear layer the other way round.
fn turned(name: &Name, data: TensorData) -> TensorData {
    match name.swapped {
        true => swap_axes(data),
        false => data,
    }
}

/// The images of the file as a tensor.
pub fn images(file: &Tensors, device: &Device) -> Tensor<4> {
    Tensor::from_data(file["pixel_values"].clone(), device)
}

/// The mean cross-entropy with the labels of the file.
pub fn loss(logits: Tensor<2>, file: &Tensors) -> Tensor<1> {
    let labels: Vec<i64> = file["labels"].iter().collect();
    let rows = labels.len();
    let labels = TensorData::new(labels, [rows, 1]);
    let labels = Tensor::<2, Int>::from_data(labels, &logits.device());
    -activation::log_softmax(logits, 1).gather(1, labels).mean()
}

/// The whole numbers that the file keeps as `name`, `[batch, time]`.
pub fn tokens(file: &Tensors, name: &str, device: &Device) -> Tensor<2, Int> {
    let ids: Vec<i64> = file[name].iter().collect();
    Tensor::from_data(TensorData::new(ids, file[name].shape()), device)
}

/// A batch of one text.
pub fn row(ids: &[i64], device: &Device) -> Tensor<2, Int> {
    Tensor::from_data(TensorData::new(ids.to_vec(), [1, ids.len()]), device)
}

/// The mask that the file keeps as `name`, `[batch, time]`, true where it is not zero.
pub fn mask(file: &Tensors, name: &str, device: &Device) -> Tensor<2, Bool> {
    tokens(file, name, device).not_equal_elem(0)
}

/// As [`assert_close`] for the tokens where the mask that the file keeps as `mask` is not zero.
pub fn assert_close_at(found: Tensor<3>, file: &Tensors, name: &str, mask: &str, tolerance: f64) {
    let (width, mask) = (found.dims()[2], &file[mask]);
    let real = |data: &TensorData| {
        let mask = mask
            .iter::<f32>()
            .flat_map(|real| std::iter::repeat_n(real, width));
        let values: Vec<f32> = data.iter::<f32>().zip(mask).map(|(x, m)| x * m).collect();
        TensorData::new(values, data.shape())
    };
    let (found, expected) = (real(&found.into_data()), real(&file[name]));
    assert_close(&found, &expected, tolerance, name);
}

/// The mean cross-entropy of the tokens that have a label, which is not below zero.
pub fn token_loss(logits: Tensor<3>, labels: &[i64]) -> Tensor<1> {
    let (device, rows, vocabulary) = (logits.device(), labels.len(), logits.dims()[2]);
    let scored: Vec<f32> = labels.iter().map(|label| f32::from(*label >= 0)).collect();
    let count: f32 = scored.iter().sum();
    let labels: Vec<i64> = labels.iter().map(|label| *label.max(&0)).collect();
    let labels = Tensor::<2, Int>::from_data(TensorData::new(labels, [rows, 1]), &device);
    let scored = Tensor::<2>::from_data(TensorData::new(scored, [rows, 1]), &device);
    let logits = logits.reshape([rows, vocabulary]);
    let own = activation::log_softmax(logits, 1).gather(1, labels);
    (own * scored).sum().neg() / count
}

/// The mean cross-entropy of every token but the first, where it has a label.
pub fn next_token_loss(logits: Tensor<3>, file: &Tensors) -> Tensor<1> {
    let [_, time, _] = logits.dims();
    let labels: Vec<i64> = file["labels"].iter().collect();
    let next = labels.chunks(time).flat_map(|row| &row[1..]);
    let next: Vec<i64> = next.copied().collect();
    token_loss(logits.narrow(1, 0, time - 1), &next)
}

/// Fails where the values differ by more than `tolerance` of one or of the largest value.
pub fn assert_close(found: &TensorData, expected: &TensorData, tolerance: f64, what: &str) {
    assert_eq!(found.shape(), expected.shape(), "{what}");
    let expected = expected.iter::<f64>();
    let pairs: Vec<_> = found.iter::<f64>().zip(expected).collect();
    let largest = pairs.iter().fold(0.0, |max: f64, (_, e)| max.max(e.abs()));
    let error = pairs
        .iter()
        .fold(0.0, |max: f64, (f, e)| max.max((f - e).abs()));
    let bound = tolerance * largest.max(1.0);
    assert!(error <= bound, "{what}: {error:e} is above {bound:e}");
}

/// As [`assert_close`] for every gradient, relative to the largest value of its tensor.
pub fn assert_gradients(found: &Tensors, expected: &Tensors, tolerance: f64) {
    let names = |tensors: &Tensors| tensors.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(found), names(expected));
    for (name, expected) in expected {
        let largest = expected
            .iter::<f64>()
            .fold(1e-6, |max: f64, v| max.max(v.abs()));
        let scaled = |data: &TensorData| {
            let values: Vec<f64> = data.iter::<f64>().map(|v| v / largest).collect();
            TensorData::new(values, data.shape())
        };
        assert_close(&scaled(&found[name]), &scaled(expected), tolerance, name);
    }
}

struct Reader<'a> {
    gradients: &'a Gradients,
    found: HashMap<ParamId, TensorData>,
}

impl ModuleVisitor for Reader<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = param.val().grad(self.gradients) {
            self.found.insert(param.id, gradient.into_data());
        }
    }
}
