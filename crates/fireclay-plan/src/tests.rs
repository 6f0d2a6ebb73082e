//! Against numbers of others: `params.toml` of the reference (torchvision's and transformers' modules
//! on torch's meta device, counted by `FlopCounterMode`), and the same counter over a training step.

use std::collections::HashSet;

use burn::tensor::Tensor;
use fireclay_run::config::RunConfig;

use super::*;
use crate::memory::peak;
use crate::record::{Recording, record};

/// A run on data that is not there; `length` is assumed of it, if it is not 0.
fn estimate(text: &str, length: usize) -> Estimate {
    let loaded = RunConfig::parse("test.toml", text, &[]).unwrap_or_else(|error| panic!("{error}"));
    let assumptions = Assumptions {
        length: (length > 0).then_some(length),
        ..Assumptions::default()
    };
    let estimator = Estimator::new(&loaded, &assumptions, false);
    estimator
        .unwrap_or_else(|error| panic!("{error}"))
        .estimate()
}

const IMAGES: &str = "type = \"image_folder\"\npath = \"none\"";
const TABLE: &str = "type = \"csv\"\npath = \"none\"\ntarget = \"y\"";
const PAIRS: &str = "type = \"parallel\"\npath = \"none\"\ntarget_path = \"other\"";
const CLASSES: &str = "type = \"classification\"";

/// A small language model.
const SMALL: &str = "type = \"gpt\"\nlayers = 2\nheads = 2\nwidth = 32\ncontext_length = 64";

/// A configuration of one step, with further keys of `[train]` and further tables.
fn config(data: &str, model: &str, task: &str, rest: &str) -> String {
    format!("[data]\n{data}\n[model]\n{model}\n[task]\n{task}\n[train]\nmax_steps = 1\n{rest}")
}

fn images(model: &str, batch: usize) -> Estimate {
    let data = format!("{IMAGES}\nimage_size = 224");
    let rest = format!("batch_size = {batch}");
    estimate(&config(&data, model, CLASSES, &rest), 0)
}

fn language(model: &str, vocabulary: usize, batch: usize) -> Estimate {
    tokens(model, vocabulary, &format!("batch_size = {batch}"))
}

fn tokens(model: &str, vocabulary: usize, rest: &str) -> Estimate {
    let data = format!("type = \"tokens\"\npath = \"none\"\nvocabulary = {vocabulary}");
    estimate(&config(&data, model, "type = \"causal_lm\"", rest), 0)
}

/// The reference answers for every position, training for the masked ones alone.
fn bert(size: &str, context: usize, batch: usize) -> Estimate {
    let rest =
        format!("batch_size = {batch}\n[tokenizer]\ntype = \"wordpiece\"\nvocabulary_size = 30522");
    let model = format!("type = \"bert\"\nsize = \"{size}\"\ncontext_length = {context}");
    let task = "type = \"masked_lm\"\nmask_probability = 0.9999";
    let data = "type = \"text\"\npath = \"none\"";
    estimate(&config(data, &model, task, &rest), 0)
}

fn transformer(size: &str) -> Estimate {
    let model = format!("type = \"transformer\"\nsize = \"{size}\"");
    let rest = "[tokenizer]\ntype = \"bpe\"\nvocabulary_size = 37000";
    estimate(&config(PAIRS, &model, "type = \"seq2seq\"", rest), 128)
}

fn table(model: &str, optimizer: &str) -> Estimate {
    let rest = format!("batch_size = 32\n[optimizer]\n{optimizer}");
    estimate(&config(TABLE, model, CLASSES, &rest), 30)
}

#[track_caller]
fn assert_close(found: f64, expected: f64) {
    let is_close = (found / expected - 1.0).abs() < 0.01;
    assert!(is_close, "{found} is not {expected}");
}

#[test]
fn published_models_have_the_parameters_and_operations_of_the_reference() {
    let image = |model: &str| images(&format!("type = {model}"), 1);
    let gpt = |size: &str| language(&format!("type = \"gpt\"\nsize = \"{size}\""), 50_257, 1);
    let encoder = |size: &str| bert(size, 512, 1);
    type Make<'a> = &'a dyn Fn(&str) -> Estimate;
    /// Model, parameters, operations forward.
    type Known = &'static [(&'static str, u64, u64)];
    let cases: [(Make<'_>, Known); 4] = [
        (
            &image,
            &[
                ("\"resnet\"\ndepth = 18", 11_689_512, 3_628_146_688),
                ("\"resnet\"\ndepth = 34", 21_797_672, 7_327_522_816),
                ("\"resnet\"\ndepth = 50", 25_557_032, 8_178_368_512),
                ("\"resnet\"\ndepth = 101", 44_549_160, 15_602_810_880),
                ("\"resnet\"\ndepth = 152", 60_192_808, 23_027_253_248),
                ("\"vit\"\nsize = \"base\"", 86_567_656, 35_127_656_448),
                ("\"vit\"\nsize = \"large\"", 304_326_632, 123_109_425_152),
            ],
        ),
        (
            &gpt,
            &[
                ("gpt2", 124_439_808, 291_648_307_200),
                ("gpt2-medium", 354_823_168, 826_951_073_792),
                ("gpt2-large", 774_030_080, 1_774_570_700_800),
                ("gpt2-xl", 1_557_611_200, 3_506_703_564_800),
                ("gpt3-small", 125_226_240, 660_606_025_728),
                ("gpt3-medium", 355_871_744, 1_860_060_577_792),
                ("gpt3-large", 760_300_032, 3_717_803_802_624),
                ("gpt3-xl", 1_315_723_264, 6_194_022_318_080),
                ("gpt3-2.7b", 2_651_553_280, 12_209_293_885_440),
                ("gpt3-6.7b", 6_658_404_352, 29_430_474_866_688),
                // As wide as its heads together, which the paper's table is not; the reference has no
                // count of operations for it, so it is the formula's.
                ("gpt3-13b", 12_853_386_240, 56_029_547_069_440),
                ("gpt3-175b", 174_604_259_328, 734_804_261_732_352),
            ],
        ),
        (
            &encoder,
            &[
                ("bert-base", 109_514_298, 121_244_221_440),
                ("bert-large", 335_174_458, 368_085_827_584),
            ],
        ),
        (
            &transformer,
            &[
                ("base", 63_082_496, 16_727_932_928),
                ("big", 214_245_376, 56_004_444_160),
            ],
        ),
    ];
    for (make, models) in cases {
        for (model, parameters, forward) in models {
            let estimate = make(model);
            assert_eq!(estimate.parameters, *parameters, "{model}");
            assert_close(estimate.flops.forward_per_sample as f64, *forward as f64);
        }
    }
}

/// `FlopCounterMode` of torch 2.15 over a step of the same modules, forward and backward. It counts
/// grouped convolutions backward as if they had no groups, so that none is here.
#[test]
fn training_takes_the_operations_that_torch_counts() {
    let step = |estimate: Estimate| estimate.flops.training_per_step;
    let image = |model| step(images(model, 2));
    assert_close(image("type = \"resnet\"\ndepth = 18"), 21_296_824_320.0);
    assert_close(image("type = \"resnet\"\ndepth = 50"), 48_598_155_264.0);
    assert_close(image("type = \"vit\"\nsize = \"base\""), 210_303_516_672.0);
    let gpt2 = language("type = \"gpt\"\nsize = \"gpt2\"", 50_257, 2);
    assert_close(step(gpt2), 1_749_889_843_200.0);
    let llama = language("type = \"llama\"", 32_000, 1);
    assert_eq!(llama.parameters, 1_100_048_384);
    assert_close(step(llama), 14_978_698_444_800.0);
    assert_close(step(bert("bert-base", 128, 2)), 170_994_696_192.0);
    let mlp = table(
        "type = \"mlp\"\nhidden = [64, 32]\nnorm = \"batch\"",
        "type = \"adamw\"",
    );
    assert_eq!(mlp.parameters, 4322);
    assert_close(step(mlp), 651_264.0);
}

/// Chowdhery et al. 2022, *PaLM*, appendix B: 6 for each parameter and token, and 12 for each layer,
/// head, width of a head and position that is looked at. Embeddings of positions multiply nothing.
#[test]
fn training_takes_the_operations_of_the_formula() {
    let estimate = language("type = \"gpt\"\nsize = \"gpt3-175b\"", 50_257, 1);
    let (layers, width, time) = (96.0, 12_288.0, 2048.0);
    let multiplying = estimate.parameters as f64 - time * width;
    let formula = 6.0 * multiplying + 12.0 * layers * width * time;
    let found = estimate.flops.training_per_token;
    assert_close(found.unwrap_or_default(), formula);
}

#[test]
fn each_optimizer_has_its_own_state() {
    let state = |optimizer| {
        let estimate = table("type = \"mlp\"\nhidden = [64]", optimizer);
        assert_eq!(estimate.memory.weights, 4 * estimate.parameters);
        estimate.memory.optimizer as f64 / estimate.memory.weights as f64
    };
    for (optimizer, expected) in [
        ("type = \"sgd\"", 0.0),
        ("type = \"sgd\"\nmomentum = 0.9", 1.0),
        ("type = \"adam\"", 2.0),
        ("type = \"adamw\"", 2.0),
        ("type = \"adamw\"\namsgrad = true", 3.0),
        ("type = \"rmsprop\"", 1.0),
        ("type = \"adagrad\"", 1.0),
        ("type = \"lion\"", 1.0),
    ] {
        assert_eq!(state(optimizer), expected, "{optimizer}");
    }
    let muon = state("type = \"muon\"");
    assert!(muon > 1.0 && muon < 2.0, "{muon}");
    // Rows and columns of a matrix in place of the matrix.
    let adafactor = state("type = \"adafactor\"");
    assert!(adafactor > 0.0 && adafactor < 0.2, "{adafactor}");
}

#[test]
fn frozen_layers_and_averages_are_seen() {
    let all = images("type = \"resnet\"\ndepth = 20", 8);
    let some = images("type = \"resnet\"\ndepth = 20\nfreeze = [\"layer*\"]", 8);
    assert_eq!(all.parameters, some.parameters);
    assert!(some.trainable < all.trainable / 2);
    assert_eq!(some.memory.gradients, 4 * some.trainable);
    assert_eq!(some.memory.optimizer, 8 * some.trainable);
    let mut frozen = some.tensors.iter().filter(|tensor| !tensor.trainable);
    assert!(frozen.all(|tensor| tensor.statistic || tensor.name.starts_with("layer")));
    assert!(some.flops.training_per_step <= all.flops.training_per_step);
}

#[test]
fn the_largest_batch_fits_and_the_next_does_not() {
    let bytes = 100_000_000;
    let memory = language(SMALL, 256, 4).memory;
    let rows = memory.largest_trained(bytes).unwrap_or_default() as usize;
    assert!(rows > 1);
    let peak = |rows| language(SMALL, 256, rows).memory.peak;
    assert!(peak(rows) <= bytes && peak(rows + 2) > bytes);
    assert_eq!(memory.largest_batch(1000), None);
}

#[test]
fn the_largest_batch_can_be_evaluated() {
    let bytes = 100_000_000;
    let follows = evaluated("wgpu", "", "");
    // As if a sample took ten times as much as in the training.
    let takes = follows.evaluation.map(|takes| EvaluationUse {
        activations: 10 * 8 * follows.per_sample,
        peak: 1000 + 10 * 8 * follows.per_sample,
        ..takes
    });
    let memory = MemoryUse {
        evaluation: takes,
        ..follows
    };
    let rows = (bytes - 1000) / (10 * follows.per_sample);
    assert_eq!(memory.largest_batch(bytes), Some(rows));
    let fixed = evaluated("wgpu", "", "batch_size = 1");
    assert_eq!(fixed.largest_batch(bytes), fixed.largest_trained(bytes));
    let large = evaluated("wgpu", "", "batch_size = 4096");
    assert!(large.largest_trained(bytes).is_some());
    assert_eq!(large.largest_batch(bytes), None);
}

/// What is held out goes through a small language model on `backend`, as `[data]` and `[eval]` say.
fn evaluated(backend: &str, data: &str, eval: &str) -> MemoryUse {
    let data = format!("type = \"tokens\"\npath = \"none\"\nvocabulary = 256\n{data}");
    let rest = format!("batch_size = 8\n[device]\nbackend = \"{backend}\"\n[eval]\n{eval}");
    estimate(&config(&data, SMALL, "type = \"causal_lm\"", &rest), 0).memory
}

#[test]
fn evaluation_takes_a_forward_pass_on_each_thread() {
    let gpu = evaluated("wgpu", "", "");
    let takes = gpu.evaluation.expect("a tenth is held out");
    assert_eq!((takes.batch, takes.at_once), (8, 1));
    assert!(takes.activations < gpu.activations / 2, "{takes:?}");
    // Logits and their gradients apart, all of it lies in the weights and the optimizer.
    let kept = gpu.weights + gpu.optimizer;
    assert_eq!(takes.peak, kept + takes.activations);
    let logits = 4 * 8 * 64 * 256;
    let is_near = (logits..6 * logits).contains(&takes.activations);
    assert!(is_near, "{takes:?}");
    let evaluation = |backend, eval| {
        let evaluation = evaluated(backend, "", eval).evaluation;
        evaluation.expect("a tenth is held out")
    };
    let larger = evaluation("wgpu", "batch_size = 16");
    let ratio = larger.activations as f64 / takes.activations as f64;
    assert!((1.9..2.1).contains(&ratio), "{ratio}");
    assert_eq!(evaluation("flex", "").at_once, rayon::current_num_threads());
    let none = "split = { train = 1.0, valid = 0.0, test = 0.0 }";
    assert_eq!(evaluated("flex", none, "").evaluation, None);
}

#[test]
fn a_search_keeps_the_keys_and_values_of_all_drafts() {
    let search = |length| {
        let model = "type = \"transformer\"\nlayers = 2\nheads = 2\nwidth = 32\nmlp_width = 64\n\
                     context_length = 512";
        let rest =
            "[tokenizer]\ntype = \"bpe\"\nvocabulary_size = 300\n[device]\nbackend = \"wgpu\"";
        let task = "type = \"seq2seq\"\nbeam_size = 3";
        let evaluation = estimate(&config(PAIRS, model, task, rest), length)
            .memory
            .evaluation;
        evaluation.and_then(|takes| takes.search).expect("a search")
    };
    // For 32 texts, 3 drafts each, of width 32. Keys and values of sources and of drafts in both layers
    // are eight of these, twice that while drafts are chosen; the rest is the memory and a layer's that
    // grow.
    let position = 4 * 32 * 3 * 32;
    let token = (search(100) - search(50)) / 50;
    let is_near = (16 * position..20 * position).contains(&token);
    assert!(is_near, "{token}, {position}");
}

#[test]
fn a_batch_that_is_left_to_the_plan_is_the_largest_power_of_two_that_fits() {
    let peak = |batch: &str| {
        let device = "[device]\nbackend = \"wgpu\"\nmemory_gb = 0.1";
        let estimate = tokens(SMALL, 256, &format!("batch_size = {batch}\n{device}"));
        (estimate.length.batch, estimate.memory.peak)
    };
    let (taken, bytes) = peak("\"auto\"");
    assert!(taken.is_power_of_two() && taken > 1, "{taken}");
    assert!(bytes <= 100_000_000, "{bytes}");
    let (_, bytes) = peak(&(2 * taken).to_string());
    assert!(bytes > 100_000_000, "{bytes}");
}

/// PEFT counts 294,912 trainable parameters in GPT-2 with adapters of rank 8 beside `c_attn`, and 322,560 with DoRA.
#[test]
fn adapters_are_all_that_is_trained_and_kept() {
    let model = "type = \"gpt\"\nsize = \"gpt2\"\npretrained = \"none\"\n\n[lora]\nrank = 8";
    let plain = language("type = \"gpt\"\nsize = \"gpt2\"", 50_257, 1);
    let adapted = language(model, 50_257, 1);
    assert_eq!(adapted.trainable, 294_912);
    assert_eq!(adapted.parameters, plain.parameters + 294_912);
    // With DoRA also a length for each of 2304 outputs, in twelve layers.
    let lengths = language(&format!("{model}\ndora = true"), 50_257, 1);
    assert_eq!(lengths.trainable, 294_912 + 12 * 2304);
    // Weights and the two averages of AdamW.
    assert_eq!(adapted.checkpoint_bytes, 3 * 4 * 294_912);
    let ratio = adapted.flops.training_per_step / plain.flops.training_per_step;
    assert!((0.6..1.2).contains(&ratio), "{ratio}");
}

/// Activations of a classifier with and without gradient checkpointing.
fn recomputed((data, length): (&str, usize), model: &str, batch: usize, on: &str) -> [f64; 2] {
    [true, false].map(|recomputes| {
        let keys = format!("batch_size = {batch}\ngradient_checkpointing = {recomputes}");
        let rest = format!("{keys}\n[device]\nbackend = \"{on}\"");
        let text = config(data, model, CLASSES, &rest);
        estimate(&text, length).memory.activations as f64
    })
}

#[test]
fn what_is_recomputed_takes_no_memory() {
    let model = "type = \"mlp\"\nhidden = [64, 64]\nactivation = \"silu\"";
    for backend in ["wgpu", "flex"] {
        let [with, without] = recomputed((TABLE, 8), model, 4096, backend);
        assert!(with < without, "{backend}");
    }
}

#[test]
fn the_loops_for_batch_norms_recompute_nothing() {
    let data = format!("{IMAGES}\nimage_size = 32");
    let model = "type = \"resnet\"\ndepth = 20";
    let [with, without] = recomputed((&data, 0), model, 64, "flex");
    let ratio = with / without;
    assert!((0.6..1.05).contains(&ratio), "{ratio}");
}

/// The most bytes that `work` holds at once.
fn held_by<T>(work: impl FnOnce(&burn::tensor::Device) -> T) -> u64 {
    let (_, operations) = record(work);
    peak(&Recording {
        halves: 0,
        operations,
        weights: HashSet::new(),
    })
}

#[test]
fn tensors_are_held_from_their_making_to_their_last_reading() {
    let thousand = |device: &_| Tensor::<1>::zeros([1000], device);
    // What is read for the last time is overwritten.
    assert_eq!(held_by(|device| thousand(device).exp()), 4000);
    let twice = |device: &_| {
        let x = thousand(device);
        x.clone().exp() + x
    };
    assert_eq!(held_by(twice), 8000);
    let product = |device: &_| {
        let x = Tensor::<2>::zeros([10, 20], device);
        x.matmul(Tensor::zeros([20, 30], device))
    };
    assert_eq!(held_by(product), 4 * (200 + 600 + 300));
    let summed = |device: &_| thousand(device).sum().exp();
    assert_eq!(held_by(summed), 4004);
}

#[test]
fn views_take_nothing_and_other_orders_are_copied() {
    let matrix = |device: &_| Tensor::<2>::zeros([10, 20], device);
    assert_eq!(held_by(|device| matrix(device).reshape([200])), 800);
    assert_eq!(held_by(|device| matrix(device).transpose()), 800);
    let turned = |device: &_| matrix(device).transpose().reshape([200]);
    assert_eq!(held_by(turned), 1600);
}

#[test]
fn what_is_assumed_is_said_and_what_is_missing_is_asked_for() {
    let estimate = images("type = \"resnet\"\ndepth = 18", 1);
    let assumed = ["none is not read", "3 channels", "1000 classes"];
    assert_eq!(estimate.assumed, assumed);
    let text = config(TABLE, "type = \"linear\"", CLASSES, "");
    let loaded =
        RunConfig::parse("test.toml", &text, &[]).unwrap_or_else(|error| panic!("{error}"));
    let error = Estimator::new(&loaded, &Assumptions::default(), false).err();
    let error = error.map(|error| error.to_string()).unwrap_or_default();
    assert!(error.contains("--assume length=N"), "{error}");
}
