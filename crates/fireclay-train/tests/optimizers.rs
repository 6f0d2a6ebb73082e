//! The optimizers against PyTorch's traces, against the papers, and across a save and a load.

use burn::module::{Module, Param};
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::activation::{log_softmax, relu};
use burn::tensor::{Device, Int, Tensor, TensorData};
use fireclay_train::gradients::{Accumulator, clip_global_norm, global_norm};
use fireclay_train::optim::{
    OptimizerConfig, OptimizerRecordError, from_bytes, stable_ids, to_bytes,
};
use serde_json::{Value, json};

// ---- PyTorch's traces ---------------------------------------------------------------------------

macro_rules! traces {
    ($($name:literal)*) => {
        [$(($name, include_str!(concat!("data/optim/", $name, ".json")))),*]
    };
}

const TRACES: [(&str, &str); 18] = traces![
    "adagrad"
    "adam"
    "adam_l2"
    "adamw_alt_loss"
    "adamw_alt_loss_clip"
    "adamw_clip_warmup_cosine"
    "adamw_default"
    "adamw_grad_accumulation"
    "adamw_wd_betas"
    "rmsprop"
    "rmsprop_centered_momentum"
    "sgd"
    "sgd_alt_loss"
    "sgd_clip_global_norm"
    "sgd_grad_accumulation"
    "sgd_momentum"
    "sgd_momentum_nesterov"
    "sgd_weight_decay"
];

#[test]
fn every_trace_of_pytorch_is_reproduced() {
    for (name, text) in TRACES {
        replay(name, &serde_json::from_str(text).expect("valid JSON"));
    }
}

fn replay(name: &str, trace: &Value) {
    let config = config_of(&trace["optimizer"]);
    let device = Device::flex().autodiff();
    let mut model = Mlp::from_trace(&trace["initial_parameters"], &device);
    let mut optimizer = config.init(&model);
    let losses = numbers(&trace["losses_f32"]);
    let norms = numbers(&trace["grad_norm_f64"]);
    let micro_batches = trace["micro_batches"].as_u64().unwrap_or(1) as usize;
    let mut worst = [0.0_f64; 3];

    for step in 0..norms.len() {
        let (loss, mut grads) = model.gradients(trace, micro_batches);
        worst[0] = worst[0].max(relative(loss, losses[step]));
        let norm = global_norm(&model, &grads);
        let norm = norm.into_data().iter::<f64>().next().expect("one value");
        worst[1] = worst[1].max(relative(norm, norms[step]));
        if let Some(max_norm) = trace["max_norm"].as_f64() {
            grads = clip_global_norm(&model, grads, max_norm, norm);
        }
        let rate = trace["lr"][step].as_f64().unwrap_or(config.learning_rate());
        model = optimizer.step(rate, model, grads);
    }
    let (loss, _) = model.gradients(trace, micro_batches);
    worst[0] = worst[0].max(relative(loss, losses[norms.len()]));

    // PyTorch's own f32 and f64 differ by this much where a small gradient is divided by its size.
    let noise = &trace["final_parameters_f32_max_abs_difference"];
    let noise = noise.as_f64().expect("a number");
    for (key, found) in model.values() {
        let wanted = numbers(&trace["final_parameters_f64"][key]);
        for (found, wanted) in found.into_iter().zip(wanted) {
            let off = (found - wanted).abs();
            let bound = 1e-4 * wanted.abs() + 2.0 * noise;
            assert!(off <= bound, "{name}: {key} off by {off}");
            worst[2] = worst[2].max(off);
        }
    }
    let [loss, norm, parameters] = worst;
    println!("{name}: loss {loss:.1e}, norm {norm:.1e}, parameters {parameters:.1e}");
    assert!(loss < 1e-5, "{name}: losses off by {loss}");
    assert!(norm < 1e-5, "{name}: gradient norms off by {norm}");
}

/// The hyper-parameters as PyTorch names them are keys of our tables or aliases of them.
fn config_of(optimizer: &Value) -> OptimizerConfig {
    let mut table = optimizer.as_object().expect("a table").clone();
    let kind = table.remove("kind").expect("a kind");
    let kind = kind.as_str().expect("a word").to_lowercase();
    table.insert("type".into(), kind.into());
    table.insert("decay_all".into(), true.into());
    serde_json::from_value(table.into()).expect("valid JSON")
}

#[derive(Module, Debug)]
struct Mlp {
    w1: Param<Tensor<2>>,
    b1: Param<Tensor<1>>,
    w2: Param<Tensor<2>>,
    b2: Param<Tensor<1>>,
}

impl Mlp {
    fn from_trace(parameters: &Value, device: &Device) -> Self {
        Self {
            w1: Param::from_tensor(tensor(&parameters["w1"], [16, 6], device)),
            b1: Param::from_tensor(tensor(&parameters["b1"], [16], device)),
            w2: Param::from_tensor(tensor(&parameters["w2"], [4, 16], device)),
            b2: Param::from_tensor(tensor(&parameters["b2"], [4], device)),
        }
    }

    fn gradients(&self, trace: &Value, micro_batches: usize) -> (f64, GradientsParams) {
        let device = self.w1.val().device();
        let x: Tensor<2> = tensor(&trace["x"], [32, 6], &device);
        let size = 32 / micro_batches;
        let mut accumulator = Accumulator::new();
        let mut mean = 0.0;
        for start in (0..32).step_by(size) {
            let rows = x.clone().narrow(0, start, size);
            let y = self.forward(rows, trace["activation"] == "tanh");
            let loss = match trace["loss"] == "mse" {
                true => {
                    let target: Tensor<2> = tensor(&trace["y"], [32, 4], &device);
                    (y - target.narrow(0, start, size)).square().mean()
                }
                false => {
                    let target = numbers(&trace["y"])[start..start + size].to_vec();
                    let target = target.iter().map(|&class| class as i64).collect::<Vec<_>>();
                    let data = TensorData::new(target, [size, 1]);
                    let target = Tensor::<2, Int>::from_data(data, &device);
                    log_softmax(y, 1).gather(1, target).mean().neg()
                }
            };
            mean += loss.to_data().iter::<f64>().next().expect("one value") / micro_batches as f64;
            let grads = GradientsParams::from_grads(loss.backward(), self);
            accumulator.add(self, grads, size as f64);
        }
        (mean, accumulator.finish(self))
    }

    fn forward(&self, x: Tensor<2>, tanh: bool) -> Tensor<2> {
        let hidden = x.matmul(self.w1.val().transpose()) + self.b1.val().unsqueeze();
        let hidden = if tanh { hidden.tanh() } else { relu(hidden) };
        hidden.matmul(self.w2.val().transpose()) + self.b2.val().unsqueeze()
    }

    fn values(&self) -> [(&'static str, Vec<f64>); 4] {
        let [w1, w2] = [&self.w1, &self.w2].map(host);
        let [b1, b2] = [&self.b1, &self.b2].map(host);
        [("w1", w1), ("b1", b1), ("w2", w2), ("b2", b2)]
    }
}

// ---- Against a computation by hand -------------------------------------------------------------

/// A hidden matrix, an embedding, a bias and a head, with gradients that need no autodiff.
#[derive(Module, Debug)]
struct Small {
    hidden: Param<Tensor<2>>,
    embedding: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
    head: Param<Tensor<2>>,
}

const ROWS: usize = 3;
const COLUMNS: usize = 5;

impl Small {
    fn new() -> Self {
        let device = Device::flex().autodiff();
        let matrix = |phase| {
            let data = TensorData::new(wave(phase, ROWS * COLUMNS), [ROWS, COLUMNS]);
            Param::from_tensor(Tensor::from_data(data, &device))
        };
        stable_ids(Self {
            hidden: matrix(0.1),
            embedding: matrix(0.2),
            bias: Param::from_tensor(Tensor::from_floats(wave(0.3, 4).as_slice(), &device)),
            head: matrix(0.4),
        })
    }

    fn gradients(&self, step: usize) -> GradientsParams {
        let device = Device::flex();
        let mut grads = GradientsParams::new();
        let matrices = [self.hidden.id, self.embedding.id, self.head.id];
        for (id, phase) in matrices.into_iter().zip([1.0, 2.0, 3.0]) {
            let data = TensorData::new(gradient(phase, step), [ROWS, COLUMNS]);
            grads.register(id, Tensor::<2>::from_data(data, &device));
        }
        let bias = &gradient(4.0, step)[..4];
        grads.register(self.bias.id, Tensor::<1>::from_floats(bias, &device));
        grads
    }

    fn bits(&self) -> Vec<Vec<u8>> {
        let [hidden, embedding, head] =
            [&self.hidden, &self.embedding, &self.head].map(|matrix| matrix.val().into_data());
        let parameters = [hidden, embedding, self.bias.val().into_data(), head];
        parameters.map(|data| data.as_bytes().to_vec()).into()
    }
}

fn gradient(phase: f32, step: usize) -> Vec<f32> {
    wave(phase + 0.37 * step as f32, ROWS * COLUMNS)
}

fn wave(phase: f32, count: usize) -> Vec<f32> {
    (0..count).map(|i| (phase + 1.7 * i as f32).sin()).collect()
}

fn train(
    model: Small,
    optimizer: &mut ModuleOptimizer,
    rate: f64,
    steps: std::ops::Range<usize>,
) -> Small {
    steps.fold(model, |model, step| {
        let grads = model.gradients(step);
        optimizer.step(rate, model, grads)
    })
}

#[test]
fn plain_gradient_descent_is_one_product_and_one_difference() {
    let config = config(json!({"type": "sgd", "learning_rate": 0.1}));
    let model = Small::new();
    let mut optimizer = config.init(&model);
    let mut wanted = wave(0.1, ROWS * COLUMNS);
    for step in 0..5 {
        for (weight, gradient) in wanted.iter_mut().zip(gradient(1.0, step)) {
            *weight -= 0.1_f32 * gradient;
        }
    }
    let model = train(model, &mut optimizer, config.learning_rate(), 0..5);
    let found: Vec<f32> = model.hidden.val().into_data().iter::<f32>().collect();
    let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&found), bits(&wanted));
}

/// Trains for `steps` and gives the hidden matrix and the bias.
fn trained(table: Value, steps: usize) -> (Vec<f64>, Vec<f64>) {
    let config = config(table);
    let model = Small::new();
    let mut optimizer = config.init(&model);
    let model = train(model, &mut optimizer, config.learning_rate(), 0..steps);
    (host(&model.hidden), host(&model.bias))
}

fn assert_close(found: &[f64], wanted: &[f64], tolerance: f64) {
    assert_eq!(found.len(), wanted.len());
    for (found, wanted) in found.iter().zip(wanted) {
        let is_close = (found - wanted).abs() < tolerance;
        assert!(is_close, "{found} is not {wanted}");
    }
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| f64::from(value)).collect()
}

/// The hidden matrix after `steps` with the optimizer of `table` is that of `update`, which is given the
/// step, three numbers of memory, the weight and its gradient.
fn follows(
    table: Value,
    steps: usize,
    tolerance: f64,
    update: impl Fn(usize, &mut [f64; 3], &mut f64, f64),
) {
    let (found, _) = trained(table, steps);
    let mut weights = wide(&wave(0.1, ROWS * COLUMNS));
    let mut memory = vec![[0.0; 3]; weights.len()];
    for step in 0..steps {
        let numbers = weights.iter_mut().zip(&mut memory);
        for ((weight, memory), g) in numbers.zip(wide(&gradient(1.0, step))) {
            update(step, memory, weight, g);
        }
    }
    assert_close(&found, &weights, tolerance);
}

#[test]
fn lion_follows_algorithm_2() {
    let (rate, decay) = (0.01, 0.1);
    let table =
        json!({"type": "lion", "learning_rate": rate, "weight_decay": decay, "decay_all": true});
    follows(table, 20, 1e-6, |_, [momentum, ..], weight, g| {
        let direction = (0.9 * *momentum + 0.1 * g).signum();
        *weight -= rate * (direction + decay * *weight);
        *momentum = 0.99 * *momentum + 0.01 * g;
    });
}

#[test]
fn dampening_leaves_the_first_gradient_whole() {
    let table = json!({"type": "sgd", "learning_rate": 0.1, "momentum": 0.9, "dampening": 0.5});
    follows(table, 5, 1e-6, |step, [velocity, ..], weight, g| {
        let new = if step == 0 { 1.0 } else { 0.5 };
        *velocity = 0.9 * *velocity + new * g;
        *weight -= 0.1 * *velocity;
    });
}

#[test]
fn amsgrad_divides_by_the_largest_second_moment() {
    let table =
        json!({"type": "adam", "learning_rate": 0.01, "betas": [0.9, 0.5], "amsgrad": true});
    follows(table, 12, 1e-5, |step, [m, v, largest], weight, g| {
        let t = step as i32 + 1;
        *m = 0.9 * *m + 0.1 * g;
        *v = 0.5 * *v + 0.5 * g * g;
        *largest = largest.max(*v);
        let root = (*largest / (1.0 - 0.5_f64.powi(t))).sqrt();
        *weight -= 0.01 * *m / (1.0 - 0.9_f64.powi(t)) / (root + 1e-8);
    });
}

#[test]
fn muon_orthogonalizes_hidden_matrices_and_leaves_the_rest_to_adamw() {
    let table = json!({"type": "muon", "adamw": {"learning_rate": 0.001}});
    let (found, bias) = trained(table, 5);
    // A linear layer holds [in, out]: here out/in is 5/3, where rows/columns would be 3/5.
    let rate = 0.02 * (COLUMNS as f64 / ROWS as f64).sqrt();
    let mut weights = wide(&wave(0.1, ROWS * COLUMNS));
    let mut momentum = vec![0.0; weights.len()];
    for step in 0..5 {
        let g = wide(&gradient(1.0, step));
        for i in 0..g.len() {
            momentum[i] = 0.95 * momentum[i] + 0.05 * g[i];
        }
        let direction = g.iter().zip(&momentum).map(|(g, m)| 0.05 * g + 0.95 * m);
        let direction = direction.collect();
        for (weight, update) in weights.iter_mut().zip(newton_schulz(direction)) {
            *weight -= rate * update;
        }
    }
    assert_close(&found, &weights, 1e-4);

    let adamw = json!({"type": "adamw", "learning_rate": 0.001, "betas": [0.9, 0.95],
        "epsilon": 1e-10, "weight_decay": 0.0});
    assert_close(&bias, &trained(adamw, 5).1, 1e-7);
}

/// Five quintic iterations on a 3 by 5 matrix.
fn newton_schulz(mut x: Vec<f64>) -> Vec<f64> {
    let norm = x.iter().map(|v| v * v).sum::<f64>().sqrt() + 1e-7;
    x.iter_mut().for_each(|v| *v /= norm);
    for _ in 0..5 {
        let gram = product(&x, &transposed(&x, ROWS), ROWS, COLUMNS);
        let square = product(&gram, &gram, ROWS, ROWS);
        let pairs = gram.iter().zip(&square);
        let inner: Vec<f64> = pairs.map(|(a, b)| -4.7750 * a + 2.0315 * b).collect();
        let turned = product(&inner, &x, ROWS, ROWS);
        x = x.iter().zip(turned).map(|(x, t)| 3.4445 * x + t).collect();
    }
    x
}

fn product(a: &[f64], b: &[f64], rows: usize, inner: usize) -> Vec<f64> {
    let columns = b.len() / inner;
    let at = |i, j| (0..inner).map(move |k| a[i * inner + k] * b[k * columns + j]);
    let sums = (0..rows * columns).map(|n| at(n / columns, n % columns).sum());
    sums.collect()
}

fn transposed(a: &[f64], rows: usize) -> Vec<f64> {
    let columns = a.len() / rows;
    let turned = (0..a.len()).map(|n| a[(n % rows) * columns + n / rows]);
    turned.collect()
}

#[test]
fn adafactor_follows_algorithms_4_and_5() {
    let (found, bias) = trained(json!({"type": "adafactor"}), 20);
    let mut matrix = wide(&wave(0.1, ROWS * COLUMNS));
    let mut vector = wide(&wave(0.3, 4));
    let (mut rows, mut columns, mut all) = ([0.0; ROWS], [0.0; COLUMNS], [0.0; 4]);
    for step in 0..20 {
        let t = step as f64 + 1.0;
        let beta = 1.0 - t.powf(-0.8);
        let rate = 0.01_f64.min(1.0 / t.sqrt());
        let g = wide(&gradient(1.0, step));
        let square = |i: usize, j: usize| g[i * COLUMNS + j].powi(2) + 1e-30;
        for (i, row) in rows.iter_mut().enumerate() {
            *row = beta * *row + (1.0 - beta) * (0..COLUMNS).map(|j| square(i, j)).sum::<f64>();
        }
        for (j, column) in columns.iter_mut().enumerate() {
            *column = beta * *column + (1.0 - beta) * (0..ROWS).map(|i| square(i, j)).sum::<f64>();
        }
        let total: f64 = rows.iter().sum();
        let update = |n: usize| g[n] / (rows[n / COLUMNS] * columns[n % COLUMNS] / total).sqrt();
        relative_step(&mut matrix, (0..g.len()).map(update).collect(), rate);

        let g = wide(&gradient(4.0, step)[..4]);
        for (average, g) in all.iter_mut().zip(&g) {
            *average = beta * *average + (1.0 - beta) * (g * g + 1e-30);
        }
        let update = g.iter().zip(&all).map(|(g, v)| g / v.sqrt()).collect();
        relative_step(&mut vector, update, rate);
    }
    assert_close(&found, &matrix, 1e-5);
    assert_close(&bias, &vector, 1e-5);
}

fn relative_step(weights: &mut [f64], update: Vec<f64>, rate: f64) {
    let rms = |x: &[f64]| (x.iter().map(|v| v * v).sum::<f64>() / x.len() as f64).sqrt();
    let rate = rate * rms(weights).max(1e-3) / rms(&update).max(1.0);
    for (weight, update) in weights.iter_mut().zip(update) {
        *weight -= rate * update;
    }
}

// ---- State, groups and configuration -----------------------------------------------------------

/// One table for every type, with everything on that adds state.
fn tables() -> Vec<Value> {
    let tables = vec![
        json!({"type": "sgd", "momentum": 0.9, "nesterov": true, "weight_decay": 0.01}),
        json!({"type": "adam", "weight_decay": 0.01, "amsgrad": true}),
        json!({"type": "adamw"}),
        json!({"type": "rmsprop", "momentum": 0.9, "centered": true}),
        json!({"type": "adagrad", "learning_rate_decay": 0.1}),
        json!({"type": "lion", "weight_decay": 0.1}),
        json!({"type": "muon", "weight_decay": 0.1}),
        json!({"type": "adafactor"}),
    ];
    let types = tables.iter().map(|table| &table["type"]);
    assert!(types.eq(OptimizerConfig::TYPES.iter().map(|(name, _)| name)));
    tables
}

#[test]
fn a_saved_and_loaded_state_goes_on_to_the_bit() {
    let stateless = json!({"type": "sgd"});
    for table in tables().into_iter().chain([stateless]) {
        let config = config(table);
        let (name, rate) = (config.name(), config.learning_rate());
        let state = |optimizer: &ModuleOptimizer| to_bytes(optimizer).expect("a state").to_vec();
        let model = Small::new();
        let mut whole = config.init(&model);
        let at_once = train(model, &mut whole, rate, 0..20);

        let model = Small::new();
        let mut first = config.init(&model);
        let half = train(model, &mut first, rate, 0..10);
        let saved = to_bytes(&first).expect("a state");
        let mut second = from_bytes(config.init(&half), saved.clone()).expect("its own state");
        assert_eq!(state(&second), saved[..], "{name}");
        let resumed = train(half, &mut second, rate, 10..20);

        assert_eq!(resumed.bits(), at_once.bits(), "{name}");
        assert_eq!(state(&second), state(&whole), "{name}");
    }
}

#[test]
fn a_state_of_another_kind_or_a_damaged_one_is_refused() {
    let model = Small::new();
    let build = |table| config(table).init(&model);
    let mut adamw = build(json!({"type": "adamw"}));
    train(model.clone(), &mut adamw, 0.1, 0..1);
    let bytes = to_bytes(&adamw).expect("a state");
    for table in tables() {
        if table["type"] == "adamw" || table["type"] == "adam" {
            continue; // The same rule keeps the same state; the configuration tells them apart.
        }
        let refused = from_bytes(build(table), bytes.clone());
        let error = refused.err().expect("a refusal");
        assert!(matches!(error, OptimizerRecordError::Mismatch), "{error}");
    }
    let cut = burn::tensor::Bytes::from_bytes_vec(bytes[..40].to_vec());
    let refused = from_bytes(build(json!({"type": "adamw"})), cut);
    let error = refused.err().expect("a refusal");
    assert!(matches!(error, OptimizerRecordError::Format(_)), "{error}");
}

#[test]
fn biases_and_embeddings_decay_only_if_asked() {
    for (decay_all, moved) in [(false, [true, false, false, true]), (true, [true; 4])] {
        let table = json!({"type": "adamw", "weight_decay": 0.5, "decay_all": decay_all});
        let model = Small::new();
        let mut optimizer = config(table).init(&model);
        let mut still = GradientsParams::new();
        for id in [model.hidden.id, model.embedding.id, model.head.id] {
            still.register(id, Tensor::<2>::zeros([ROWS, COLUMNS], &Device::flex()));
        }
        still.register(model.bias.id, Tensor::<1>::zeros([4], &Device::flex()));
        let before = model.bits();
        let after = optimizer.step(0.1, model, still).bits();
        let changed: Vec<bool> = before.iter().zip(&after).map(|(a, b)| a != b).collect();
        assert_eq!(changed, moved);
    }
}

#[test]
fn impossible_values_are_all_reported() {
    for table in tables() {
        assert_eq!(config(table).validate(), []);
    }
    let adamw = json!({"type": "adamw", "lr": -1.0, "betas": [1.0, 0.5], "weight_decay": -0.1});
    let muon = json!({"type": "muon", "ns_steps": 0, "adamw": {"learning_rate": 0.0}});
    let cases = [
        (adamw, &["learning_rate", "betas", "weight_decay"][..]),
        (json!({"type": "sgd", "nesterov": true}), &["nesterov"]),
        (muon, &["ns_steps", "adamw.learning_rate"]),
    ];
    for (table, keys) in cases {
        let found = config(table).validate().into_iter().map(|(key, _)| key);
        assert_eq!(found.collect::<Vec<_>>(), keys);
    }
}

#[test]
fn the_written_configuration_reads_back_and_unknown_keys_are_errors() {
    for table in tables() {
        let config = config(table);
        let written = serde_json::to_value(&config).expect("plain data");
        assert_eq!(written["type"], config.name());
        assert_eq!(self::config(written), config);
    }
    let typo = json!({"type": "adamw", "weigth_decay": 0.1});
    assert!(serde_json::from_value::<OptimizerConfig>(typo).is_err());
}

// ---- Helpers -----------------------------------------------------------------------------------

fn config(table: Value) -> OptimizerConfig {
    serde_json::from_value(table).expect("valid JSON")
}

fn tensor<const D: usize>(values: &Value, shape: [usize; D], device: &Device) -> Tensor<D> {
    let values = numbers(values).into_iter().map(|value| value as f32);
    let values: Vec<f32> = values.collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// The numbers of nested lists, in order.
fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        number => vec![number.as_f64().expect("a number")],
    }
}

fn host<const D: usize>(param: &Param<Tensor<D>>) -> Vec<f64> {
    param.val().into_data().iter::<f64>().collect()
}

fn relative(found: f64, wanted: f64) -> f64 {
    (found - wanted).abs() / wanted.abs()
}
