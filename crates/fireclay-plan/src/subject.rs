//! The model of a run and the batches that it is trained on, of whatever family.

use std::rc::Rc;

use burn::module::Module;
use burn::tensor::{Bool, Device, Int, Tensor};
use burn::train::InferenceStep;
use fireclay_data::{Labels, Mix};
use fireclay_models::{Family, Pretrainable, weights};
use fireclay_run::config::{DataConfig, ModelConfig, NetworkConfig, RunConfig, TaskConfig};
use fireclay_run::run::fits;
use fireclay_run::run::start::{Start, is_statistic};
use fireclay_run::task::causal_lm::TokenBatch;
use fireclay_run::task::masked_lm::HiddenTokens;
use fireclay_run::task::seq2seq::PairBatch;
use fireclay_run::task::{
    Batch, CausalLm, Classifier, CrossEntropy, MaskedLm, MultilabelClassifier, Network, Regressor,
    Seq2Seq, TableInput, TargetScale, TextInput,
};
use fireclay_run::translate::{TOGETHER, search_blindly};
use fireclay_train::optim::hidden_weights;
use fireclay_train::output::StepOutput;
use fireclay_train::strategy::Plan;

use crate::limits::LARGEST;
use crate::record::{Recording, hollow, record, training, weight_tensors};
use crate::sight::{Shape, Sight};

/// A model that can be run without its numbers.
pub(crate) struct Subject {
    /// The tensors of the weights file, in its order.
    pub tensors: Vec<TensorShape>,
    /// The numbers that the optimizer remembers.
    pub state: u64,
    train: Box<dyn Fn(usize, bool) -> Recording>,
    infer: Run,
    search: Option<Search>,
}

/// Records what happens with a batch of so many rows.
type Run = Box<dyn Fn(usize) -> Recording>;

/// Records a search for translations of sources of so many tokens, until they have so many.
type Search = Box<dyn Fn(usize, usize) -> Recording>;

/// One tensor of a model.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct TensorShape {
    /// Its name in the weights file.
    pub name: String,
    /// Its shape there.
    pub shape: Vec<usize>,
    /// Whether training moves it.
    pub trainable: bool,
    /// Whether it is a running statistic, which no gradient moves.
    pub statistic: bool,
}

impl TensorShape {
    /// The numbers in it.
    pub fn count(&self) -> u64 {
        self.shape.iter().map(|side| *side as u64).product()
    }
}

impl Subject {
    /// The model that `config` describes, for what it sees.
    ///
    /// # Errors
    ///
    /// A key and what is wrong with it, where patterns of names fit no tensor.
    pub fn new(config: &RunConfig, sight: &Sight) -> Result<Self, (String, String)> {
        let [time, target_time] = sight.lengths;
        match (&config.model, &sight.shape) {
            (ModelConfig::Tabular(family), Shape::Table(shape)) => {
                let (numeric, columns) = (shape.numeric, shape.categories.len());
                let input = move |rows, device: &Device| TableInput {
                    numeric: Tensor::zeros([rows, numeric], device),
                    categories: Tensor::zeros([rows, columns], device),
                };
                let made = Made::new(family, shape)?;
                labelled(config, made, shape.outputs, input)
            }
            (ModelConfig::Image(model), Shape::Image(shape)) => {
                let sides = [shape.channels, shape.height, shape.width];
                let input = move |rows, device: &Device| {
                    let [channels, height, width] = sides;
                    Tensor::<4>::zeros([rows, channels, height, width], device)
                };
                labelled(
                    config,
                    Made::started(config, model, shape)?,
                    shape.outputs,
                    input,
                )
            }
            (ModelConfig::Language(model), Shape::Language(shape)) => {
                let batch = move |rows, device: &Device| TokenBatch {
                    inputs: tokens(rows, time, device),
                    targets: Tensor::zeros([rows * time], device),
                    scored: None,
                    starts: None,
                    count: rows * time,
                };
                let made = Made::started(config, model, shape)?;
                Ok(made.subject(config, CausalLm::new, batch))
            }
            (ModelConfig::Encoder(model), Shape::Encoder(shape)) => {
                let made = Made::started(config, model, shape)?;
                match (&config.task, shape.outputs) {
                    (TaskConfig::MaskedLm(task), _) => {
                        let hidden = task.mask_probability;
                        let batch = move |rows, device: &Device| {
                            let count = ((rows * time) as f64 * hidden).round().max(1.0) as usize;
                            HiddenTokens {
                                input: text(rows, time, device),
                                places: Tensor::zeros([count], device),
                                truth: Tensor::zeros([count], device),
                                count,
                            }
                        };
                        Ok(made.subject(config, MaskedLm::new, batch))
                    }
                    (_, outputs) => {
                        let input = move |rows, device: &Device| text(rows, time, device);
                        labelled(config, made, outputs.unwrap_or(1), input)
                    }
                }
            }
            (ModelConfig::Translation(model), Shape::Translation(shape)) => {
                let TaskConfig::Seq2Seq(task) = &config.task else {
                    unreachable!("checked: pairs of texts are for seq2seq");
                };
                let smoothing = task.label_smoothing;
                let batch = move |rows, device: &Device| PairBatch {
                    source: tokens(rows, time, device),
                    source_mask: mask(rows, time, device),
                    target: tokens(rows, target_time, device),
                    target_mask: mask(rows, target_time, device),
                    next: Tensor::zeros([rows * target_time], device),
                    scored: Tensor::zeros([rows * target_time], device),
                    count: rows * target_time,
                };
                let made = Made::started(config, model, shape)?;
                let (build, beam_size) = (made.build.clone(), task.beam_size);
                let search = move |source, written| {
                    evaluated(&*build, |model, device| {
                        let sources = text(TOGETHER, source, device);
                        search_blindly(model, sources, beam_size, written);
                    })
                };
                let wrap = move |model| Seq2Seq::new(model, smoothing);
                let forward = move |model: &Seq2Seq, batch| model.forward(batch, smoothing);
                Ok(Self {
                    search: Some(Box::new(search)),
                    ..made.subject_by(config, wrap, batch, forward)
                })
            }
            _ => unreachable!("what is seen was found for this model"),
        }
    }

    /// The numbers that gradients could move.
    pub fn parameters(&self) -> u64 {
        let tensors = self.tensors.iter().filter(|tensor| !tensor.statistic);
        tensors.map(TensorShape::count).sum()
    }

    /// The operations that lead to an update with batches of `rows`, by gradient checkpointing if it
    /// `forgets`; see `record::training`.
    pub fn train(&self, rows: usize, forgets: bool) -> Recording {
        (self.train)(rows, forgets)
    }

    /// The operations of one batch of `rows` forward, in evaluation.
    pub fn infer(&self, rows: usize) -> Recording {
        (self.infer)(rows)
    }

    /// The operations of a search for as many translations as are looked for together, of sources of so
    /// many tokens and until each draft has so many; none where nothing is translated.
    pub fn search(&self, source: usize, written: usize) -> Option<Recording> {
        let search = self.search.as_ref()?;
        Some(search(source, written))
    }
}

/// A family, its model, and how fast each tensor of the model moves.
struct Made<F: Family> {
    family: F,
    build: Build<F>,
    rates: Vec<f64>,
}

/// Gives the model before its training, whose weights were not drawn.
type Build<F> = Rc<dyn Fn(&Device) -> <F as Family>::Model>;

impl<F: Family + 'static> Made<F>
where
    F::Shape: 'static,
{
    fn new(family: &F, shape: &F::Shape) -> Result<Self, (String, String)> {
        let problem = fits(family, shape, ("model.type", LARGEST));
        if let Some(problem) = problem.into_iter().next() {
            return Err(problem);
        }
        let (config, shape) = (family.clone(), shape.clone());
        Ok(Self {
            family: family.clone(),
            // The seed is of no account: nothing is drawn.
            build: Rc::new(move |device| config.init(&shape, 0, device)),
            rates: Vec::new(),
        })
    }

    /// The tensors of the model, and the numbers that the optimizer remembers of them.
    fn sizes(&self, plan: &Plan) -> (Vec<TensorShape>, u64) {
        let ((names, shapes, hidden), _) = record(|device| {
            let model = (self.build)(device);
            let names = weights::parameter_names(&self.family, &model);
            let shapes = weights::shapes(&self.family, &model);
            (names, shapes, hidden_weights(&model))
        });
        let mut state = 0;
        let mut tensors = Vec::new();
        for (index, ((id, name), (_, shape))) in names.into_iter().zip(shapes).enumerate() {
            let statistic = is_statistic(&name);
            let trainable = !statistic && self.rates.get(index) != Some(&0.0);
            if trainable {
                state += plan.optimizer.state(&shape, hidden.contains(&id));
            }
            tensors.push(TensorShape {
                name,
                shape,
                trainable,
                statistic,
            });
        }
        (tensors, state)
    }

    /// The subject of a task that `wrap` puts around the model, whose losses in training and in
    /// evaluation are one.
    fn subject<M>(
        self,
        config: &RunConfig,
        wrap: impl Fn(F::Model) -> M + Clone + 'static,
        batch: impl Fn(usize, &Device) -> <M as InferenceStep>::Input + Clone + 'static,
    ) -> Subject
    where
        M: Module + InferenceStep + 'static,
        <M as InferenceStep>::Output: StepOutput,
    {
        let forward = |model: &M, batch| InferenceStep::step(model, batch);
        self.subject_by(config, wrap, batch, forward)
    }

    /// As [`subject`](Self::subject) for a task whose loss in training is that of `forward`.
    fn subject_by<M, I: 'static, O: StepOutput>(
        self,
        config: &RunConfig,
        wrap: impl Fn(F::Model) -> M + Clone + 'static,
        batch: impl Fn(usize, &Device) -> I + Clone + 'static,
        forward: impl Fn(&M, I) -> O + Clone + 'static,
    ) -> Subject
    where
        M: Module + InferenceStep<Input = I> + 'static,
    {
        let plan = Plan::from(config);
        let (tensors, state) = self.sizes(&plan);
        let Self { build, rates, .. } = self;
        let model = move |device: &Device| wrap(build(device));
        let (infer_model, infer_batch) = (model.clone(), batch.clone());
        Subject {
            tensors,
            state,
            train: Box::new(move |rows, forgets| {
                let run = |device: &Device| {
                    let loss =
                        |model: &M, device: &Device| forward(model, batch(rows, device)).loss();
                    training(&model, loss, (&plan, &rates), (device, forgets))
                };
                let ((weights, halves), operations) = record(run);
                Recording {
                    operations,
                    weights,
                    halves,
                }
            }),
            infer: Box::new(move |rows| {
                evaluated(&infer_model, |model, device| {
                    InferenceStep::step(model, infer_batch(rows, device));
                })
            }),
            search: None,
        }
    }
}

/// Records what `work` does with the model that `build` builds, without gradients.
fn evaluated<M: Module>(build: impl Fn(&Device) -> M, work: impl FnOnce(&M, &Device)) -> Recording {
    let (weights, operations) = record(|device| {
        let model = hollow(build(device), device);
        work(&model, device);
        weight_tensors(&model)
    });
    Recording {
        operations,
        weights,
        halves: 0,
    }
}

impl<F: Pretrainable + 'static> Made<F>
where
    F::Shape: 'static,
{
    /// With the adapters of `[lora]`, and what `[model]` and `[train]` leave as it is.
    fn started(
        config: &RunConfig,
        model: &NetworkConfig<F>,
        shape: &F::Shape,
    ) -> Result<Self, (String, String)> {
        let mut made = Self::new(&model.network, shape)?;
        let mut whole = None;
        if let Some(lora) = config.lora.clone() {
            let learns = config.task.target_kind().is_some();
            let (plain, model, shape) = (made.build.clone(), model.clone(), shape.clone());
            let adapted = move |device: &Device| {
                let start = started(&model, &shape);
                start.attach(plain(device), &[], (&lora, 0), learns)
            };
            whole = Some(record(|device| adapted(device).map(|(_, whole)| whole)).0?);
            made.build = Rc::new(move |device| adapted(device).expect("it went well before").0);
        }
        let (start, decay) = (started(model, shape), config.train.layer_decay);
        let rates = |device: &Device| start.rates(&(made.build)(device), decay, whole.as_deref());
        made.rates = record(rates).0?;
        Ok(made)
    }
}

fn started<'a, F: Pretrainable>(model: &'a NetworkConfig<F>, shape: &'a F::Shape) -> Start<'a, F> {
    Start {
        network: &model.network,
        options: &model.start,
        shape,
    }
}

/// The subject of a task on samples with labels.
fn labelled<F, N>(
    config: &RunConfig,
    made: Made<F>,
    outputs: usize,
    input: impl Fn(usize, &Device) -> N::Input + Clone + 'static,
) -> Result<Subject, (String, String)>
where
    F: Family<Model = N> + 'static,
    F::Shape: 'static,
    N: Network,
{
    let mix = mixes(&config.data);
    let batch = move |truth: fn(usize) -> Labels| {
        move |rows: usize, device: &Device| Batch {
            input: input(rows, device),
            truth: truth(rows),
            mix: mix.then(|| Mix {
                partner: vec![0; rows],
                own: vec![0.5; rows],
            }),
        }
    };
    Ok(match &config.task {
        TaskConfig::Classification(task) => {
            let classes: Vec<String> = (0..outputs).map(|class| class.to_string()).collect();
            let loss = CrossEntropy::new(task, &classes, &vec![1; outputs]);
            let wrap = move |model| Classifier::new(model, loss.clone());
            made.subject(config, wrap, batch(|rows| Labels::Classes(vec![0; rows])))
        }
        TaskConfig::Multilabel(task) => {
            let task = task.clone();
            let wrap = move |model| MultilabelClassifier::new(model, &task);
            let truth = |rows| Labels::Sets(vec![Vec::new(); rows]);
            made.subject(config, wrap, batch(truth))
        }
        TaskConfig::Regression(task) => {
            let task = task.clone();
            let scale = TargetScale {
                mean: 0.0,
                std: 1.0,
            };
            let wrap = move |model| Regressor::new(model, &task, scale);
            made.subject(config, wrap, batch(|rows| Labels::Numbers(vec![0.0; rows])))
        }
        TaskConfig::CausalLm(_) | TaskConfig::MaskedLm(_) | TaskConfig::Seq2Seq(_) => {
            unreachable!("checked: these have no labels")
        }
    })
}

/// Whether batches of images are mixed.
fn mixes(data: &DataConfig) -> bool {
    let DataConfig::Image(source) = data else {
        return false;
    };
    let augment = &source.images.augment;
    augment.mixup > 0.0 || augment.cutmix > 0.0
}

fn tokens(rows: usize, time: usize, device: &Device) -> Tensor<2, Int> {
    Tensor::zeros([rows, time], device)
}

fn mask(rows: usize, time: usize, device: &Device) -> Tensor<2, Bool> {
    Tensor::full([rows, time], true, device)
}

fn text(rows: usize, time: usize, device: &Device) -> TextInput {
    TextInput {
        tokens: tokens(rows, time, device),
        mask: mask(rows, time, device),
    }
}
