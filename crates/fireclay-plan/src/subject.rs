//! The model of a run and the batches that it is trained on, of whatever workload.

use std::rc::Rc;

use burn::module::Module;
use burn::tensor::Device;
use burn::train::InferenceStep;
use fireclay_models::{Family, weights};
use fireclay_run::config::RunConfig;
use fireclay_run::fits;
use fireclay_run::start::{ModelTable, is_statistic};
use fireclay_run::task::{Objective, Target, WithObjective};
use fireclay_run::workload::{Batch, Blank, InputSpec, Model, Shape, Workload};
use fireclay_train::TrainerConfig;
use fireclay_train::optim::hidden_weights;

use crate::limits::LARGEST;
use crate::record::{Recording, hollow, record, training, weight_tensors};

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
    /// Its bytes, where it is kept in few bits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packed: Option<u64>,
}

impl TensorShape {
    /// The numbers in it.
    pub fn count(&self) -> u64 {
        self.shape.iter().map(|side| *side as u64).product()
    }

    /// The bytes that it takes.
    pub(crate) fn bytes(&self) -> u64 {
        self.packed.unwrap_or_else(|| NUMBER * self.count())
    }
}

/// Bytes of a number that is not kept in few bits, whatever the precision of a training.
const NUMBER: u64 = 4;

impl Subject {
    /// The model that `config` describes, for what goes into it.
    ///
    /// # Errors
    ///
    /// A key and what is wrong with it, where patterns of names fit no tensor.
    pub fn new<W: Workload>(
        config: &RunConfig,
        shape: &Shape<W>,
        spec: &InputSpec,
    ) -> Result<Self, (String, String)> {
        let made = Made::<W>::new(config, shape)?;
        let target = Target::of_classes(spec.outputs);
        let record = Record {
            made,
            config: Rc::new(config.clone()),
            shape: shape.clone(),
            spec: spec.clone(),
        };
        Ok(W::with_objective(config, &target, record))
    }

    /// The numbers that gradients could move.
    pub fn parameters(&self) -> u64 {
        let tensors = self.tensors.iter().filter(|tensor| !tensor.statistic);
        tensors.map(TensorShape::count).sum()
    }

    /// The operations that lead to an update with batches of `rows`, by gradient checkpointing if it
    /// `recomputes`; see `record::training`.
    pub fn train(&self, rows: usize, recomputes: bool) -> Recording {
        (self.train)(rows, recomputes)
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

/// A model of a workload, and how fast each of its tensors moves.
struct Made<W: Workload> {
    table: W::Model,
    build: Build<W>,
    rates: Vec<f64>,
}

/// Gives the model before its training, whose weights were not drawn.
type Build<W> = Rc<dyn Fn(&Device) -> Model<W>>;

impl<W: Workload> Made<W> {
    /// With the adapters of `[lora]`, and what `[model]` and `[train]` leave as it is.
    fn new(config: &RunConfig, shape: &Shape<W>) -> Result<Self, (String, String)> {
        let table = W::table(config);
        let problem = fits(table.family(), shape, LARGEST);
        if let Some(problem) = problem.into_iter().next() {
            return Err(problem);
        }
        let (plain, shape) = (table.clone(), shape.clone());
        // The seed is of no account: nothing is drawn.
        let mut build: Build<W> =
            Rc::new(move |device| plain.hollow(plain.family().init(&shape, 0, device)));
        let mut whole = None;
        if let Some(lora) = config.lora.clone() {
            let learns = config.task.target_kind().is_some();
            let (plain, adapting) = (build, table.clone());
            let adapted =
                move |device: &Device| adapting.attach(plain(device), &[], (&lora, 0), learns);
            whole = Some(record(|device| adapted(device).map(|(_, whole)| whole)).0?);
            build = Rc::new(move |device| adapted(device).expect("it went well before").0);
        }
        let decay = config.train.layer_decay;
        let rates = |device: &Device| table.rates(&build(device), decay, whole.as_deref());
        let rates = record(rates).0?;
        Ok(Self {
            table: table.clone(),
            build,
            rates,
        })
    }

    /// The tensors of the model, and the numbers that the optimizer remembers of them.
    fn sizes(&self, config: &TrainerConfig) -> (Vec<TensorShape>, u64) {
        let ((names, shapes, packed, hidden), _) = record(|device| {
            let model = (self.build)(device);
            let names = weights::parameter_names(self.table.family(), &model);
            let shapes = weights::shapes(self.table.family(), &model);
            let packed = weights::packed::<<W::Model as ModelTable>::Family>(&model);
            (names, shapes, packed, hidden_weights(&model))
        });
        let mut state = 0;
        let mut tensors = Vec::new();
        for (index, ((id, name), (_, shape))) in names.into_iter().zip(shapes).enumerate() {
            let statistic = is_statistic(&name);
            let trainable = !statistic && self.rates.get(index) != Some(&0.0);
            if trainable {
                state += config.optimizer.state(&shape, hidden.contains(&id));
            }
            tensors.push(TensorShape {
                name,
                shape,
                trainable,
                statistic,
                packed: None,
            });
        }
        tensors.extend(packed.into_iter().map(|(name, matrix)| TensorShape {
            name,
            shape: matrix.shape().to_vec(),
            trainable: false,
            statistic: false,
            packed: Some(matrix.format().bytes(matrix.shape()) as u64),
        }));
        (tensors, state)
    }
}

/// Makes a subject of a model and what it is trained for.
struct Record<W: Workload> {
    made: Made<W>,
    config: Rc<RunConfig>,
    shape: Shape<W>,
    spec: InputSpec,
}

impl<W: Workload> WithObjective<Model<W>, Batch<W>> for Record<W> {
    type Output = Subject;

    fn with<O: Objective<Model<W>, Batch = Batch<W>>>(self, objective: O) -> Subject {
        let trainer = TrainerConfig::from(&*self.config);
        let (tensors, state) = self.made.sizes(&trainer);
        let Made { build, rates, .. } = self.made;
        let batch = Rc::new(blanks::<W>(self.config.clone(), self.shape, self.spec));
        let (plain, wrap) = (build.clone(), objective.clone());
        let module = Rc::new(move |device: &Device| wrap.wrap(plain(device)));
        let (infer_module, infer_batch) = (module.clone(), batch.clone());
        Subject {
            tensors,
            state,
            train: Box::new(move |rows, recomputes| {
                let loss = |module: &O::Module, device: &Device| {
                    objective.loss(module, batch(rows, device))
                };
                let run = |device: &Device| {
                    training(&*module, loss, (&trainer, &rates), (device, recomputes))
                };
                let ((weights, halves), operations) = record(run);
                Recording {
                    operations,
                    weights,
                    halves,
                }
            }),
            infer: Box::new(move |rows| {
                evaluated(&*infer_module, |module: &O::Module, device| {
                    InferenceStep::step(module, infer_batch(rows, device));
                })
            }),
            search: W::SEARCHES.then(|| search::<W>(self.config, build)),
        }
    }
}

/// Makes batches of so many rows, without their numbers.
fn blanks<W: Workload>(
    config: Rc<RunConfig>,
    shape: Shape<W>,
    spec: InputSpec,
) -> impl Fn(usize, &Device) -> Batch<W> {
    move |rows, device| {
        let blank = Blank {
            config: &config,
            shape: &shape,
            spec: &spec,
            rows,
        };
        W::blank_batch(&blank, device)
    }
}

/// Records what a model writes.
fn search<W: Workload>(config: Rc<RunConfig>, build: Build<W>) -> Search {
    Box::new(move |source, written| {
        evaluated(&*build, |model, device| {
            W::search(&config, model, [source, written], device);
        })
    })
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
