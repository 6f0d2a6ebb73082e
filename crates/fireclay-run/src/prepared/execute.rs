//! From data and configuration to a run folder with trained and evaluated weights.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use fireclay_models::{Family, ModelDescription};
use fireclay_track::Ending;
use fireclay_train::StopReason;
use fireclay_train::energy::Meter;
use fireclay_train::loader::Samples;
use fireclay_train::observer::Observer;
use fireclay_train::run_folder::{RunFolder, write_whole};

use super::training::Training;
use super::{Hooks, Outcome, Prepared, batch_size, shards};
use crate::artifacts::{KEPT, POSTPROCESS, RESULTS, to_json};
use crate::config::RunConfig;
use crate::device::RunDevice;
use crate::following::{Following, trackers};
use crate::lock;
use crate::results::weights_files;
use crate::run::{Evaluations, RunError};
use crate::start::{Beginning, ModelTable, begin, is_statistic, shapes};
use crate::workload::{Dataset, Model, Shape, Trained, WithData, Workload, postprocess};

/// Trains in a new folder or resumes in an existing one, whatever the workload.
pub(super) struct Execute<'a> {
    pub prepared: &'a Prepared,
    pub resumed: Option<&'a RunFolder>,
    pub device: &'a RunDevice,
    pub hooks: Hooks,
}

/// Where a run is trained, with the hashes of its data and the number of its parameters.
pub(super) type Place<'a> = (&'a RunFolder, BTreeMap<String, String>, usize);

impl WithData for Execute<'_> {
    type Output = Result<Outcome, RunError>;

    fn with<W: Workload>(mut self, data: &W::Data) -> Result<Outcome, RunError> {
        self.check_precision()?;
        self.check_processes()?;
        let config = &self.prepared.loaded.config;
        let table = W::table(config);
        let shape = W::shape(config, data);
        let device = (&self.device.device, self.resumed.is_some());
        let begun = begin(table, &shape, config, device);
        let begun = begun.map_err(|problem| self.prepared.loaded.problems(vec![problem]))?;
        for line in &begun.said {
            self.hooks.observers.noticed(line);
        }
        // What is held out is first needed when an epoch is over; a damaged sample would lose that.
        for note in self.prepared.data.dataset().verify(&[1, 2])? {
            self.hooks.observers.noticed(&note.to_string());
        }
        let parameters = count(&shapes(table.family(), &begun.model));
        let config = &self.resolved(parameters);
        // Once: of large files it takes seconds.
        let mut hashes = self.prepared.data.dataset().hashes()?;
        // What the run needs at its end is looked at before it goes on.
        if let Some(folder) = self.resumed {
            hashes = lock::known_names(hashes, folder.path())?;
        }
        self.agree(config, &hashes)?;
        if !self.leads() {
            return self.follow::<W>((config, data), shape, begun, (hashes, parameters));
        }
        let created = match self.resumed {
            Some(folder) => {
                self.check_data(&hashes, folder)?;
                let samples = || W::samples(config, data)[0].len();
                self.change(config, folder, samples)?;
                None
            }
            None => {
                let description = ModelDescription {
                    config: table.family().clone(),
                    shape: shape.clone(),
                };
                Some(self.create(config, (&begun, &description), &hashes)?)
            }
        };
        let folder = self.resumed.or(created.as_ref()).expect("one of the two");
        self.hooks.observers.configured(&config.to_toml());
        let mut trackers = trackers(&config.logging, folder.path());
        trackers.append(&mut self.hooks.trackers);
        let following = Following::new(trackers, folder.path(), &mut self.hooks.observers);
        let place = (folder, hashes, parameters);
        let mut outcome = self.run::<W>((config, data), shape, begun, place);
        let notes = following.finish(ending(&outcome));
        if let Ok(outcome) = &mut outcome {
            outcome.notes = notes;
        }
        outcome
    }
}

impl Execute<'_> {
    fn check_precision(&self) -> Result<(), RunError> {
        let loaded = &self.prepared.loaded;
        let backend = format!("backend \"{}\"", self.device.backend);
        let precision = loaded.config.device.precision;
        match precision.refused_by(&self.device.device, &backend) {
            Some(message) => {
                let problem = ("device.precision".to_owned(), message);
                Err(loaded.problems(vec![problem]).into())
            }
            None => Ok(()),
        }
    }

    /// The configuration with what only the machine and the model could say.
    fn resolved(&self, parameters: usize) -> RunConfig {
        let mut config = self.prepared.loaded.config.clone();
        let samples = batch_size(&config, &self.prepared.data);
        config.train.cpu_shards = shards::choose(&config, self.device, parameters, samples);
        config
    }

    /// A new run folder with everything that is known before the first step.
    fn create<F: Family>(
        &self,
        config: &RunConfig,
        (begun, description): (&Beginning<F::Model>, &ModelDescription<F>),
        hashes: &BTreeMap<String, String>,
    ) -> Result<RunFolder, RunError> {
        let data = self.prepared.data.dataset();
        let base = begun.adapters.as_ref();
        let base = base.map(|adapters| adapters.base_sha256.as_str());
        let mut files = data.preprocess();
        files.extend(answer(config, data));
        let trained = lock::Trained {
            rows: data.sizes().into(),
            tokenizer: data.tokenizer(),
            hashes,
            files: &files,
        };
        let lock = lock::describe(
            config,
            trained,
            (&begun.model, description, base),
            self.device,
        );
        let output_dir = Path::new(&config.output_dir);
        let folder = RunFolder::create(output_dir, &self.prepared.loaded.name)?;
        files.insert(0, ("config.toml", config.to_toml()));
        files.push(("run.lock", lock));
        for (name, text) in files {
            write_whole(&folder.file(name), text.as_bytes())?;
        }
        Ok(folder)
    }

    /// Trains, then writes and evaluates the trained model.
    pub(super) fn run<W: Workload>(
        mut self,
        (config, data): (&RunConfig, &W::Data),
        shape: Shape<W>,
        begun: Beginning<Model<W>>,
        (folder, hashes, parameters): Place<'_>,
    ) -> Result<Outcome, RunError> {
        let leads = self.leads();
        let (prepared, device) = (self.prepared, self.device);
        let splits = W::samples(config, data);
        let (splits, reference) = self.referred::<W>(config, (&begun.model, splits), folder)?;
        let held_out = [splits[1].clone(), splits[2].clone()];
        let adapters = begun.adapters.clone();
        let more = W::monitored(config, &splits[1], data, &device.device);
        let training = Training::<W> {
            config,
            folder,
            hashes,
            resume: self.resumed.is_some(),
            back_to: prepared.back_to,
            hooks: self.hooks,
            begun,
            splits,
            reference,
            more,
            device,
        };
        let target = prepared.data.dataset().target();
        let ended = match leads {
            true => lock::ended(folder.path())?,
            false => lock::Ended::No,
        };
        let finished = W::with_objective(config, &target, training)?;
        folder.check()?;
        let outcome = Outcome {
            folder: folder.path().to_path_buf(),
            reason: finished.reason,
            state: finished.state,
            cost: finished.cost,
            steps: finished.steps,
            evaluation: Evaluations::new(),
            parameters,
            notes: Vec::new(),
        };
        if outcome.reason == StopReason::Interrupted {
            return Ok(outcome);
        }
        let trained = Trained {
            model: finished.model,
            valid: finished.valid,
            updates: outcome.state.updates(),
            device: &device.device,
            folder,
        };
        if leads {
            // The trainer has made sure that a resumed run has the data that it began with.
            let preprocess = prepared.data.dataset().preprocess().into_iter();
            let mut files: Vec<_> = preprocess
                .map(|(name, text)| (name, text.into_bytes()))
                .collect();
            let tokenizer = prepared.data.dataset().tokenizer();
            let (model, known) = (&trained.model, (config, tokenizer));
            files.extend(weights_files::<W>(known, model, shape, adapters)?);
            let is_same = match ended {
                lock::Ended::No => false,
                lock::Ended::Edited => outcome.steps == 0,
                lock::Ended::Whole | lock::Ended::Broken => true,
            };
            write_results(folder, &files, is_same)?;
        }
        let conclusion = Conclusion {
            prepared,
            device,
            leads,
            ended,
            outcome,
        };
        conclusion.reach::<W>((config, data), trained, held_out)
    }
}

/// What is left to do for a run whose weights are written.
struct Conclusion<'a> {
    prepared: &'a Prepared,
    device: &'a RunDevice,
    /// Whether this process seals the run: it is alone, or the first.
    leads: bool,
    /// How the run had ended before.
    ended: lock::Ended,
    outcome: Outcome,
}

impl Conclusion<'_> {
    /// Evaluates the trained model, and seals the run.
    fn reach<W: Workload>(
        self,
        (config, data): (&RunConfig, &W::Data),
        trained: Trained<'_, Model<W>>,
        held_out: [W::Samples; 2],
    ) -> Result<Outcome, RunError> {
        let Self {
            prepared,
            device,
            leads,
            ended,
            mut outcome,
        } = self;
        let folder = trained.folder;
        let (start, meter) = (Instant::now(), Meter::default());
        // Several processes share it out, and each comes to all of it.
        outcome.evaluation = W::conclude(config, data, trained, held_out)?;
        if !leads {
            return Ok(outcome);
        }
        // A run that had ended, and made no update since, has cost what it had cost.
        let is_over = ended != lock::Ended::No && outcome.steps == 0;
        match lock::cost(folder.path())?.filter(|_| is_over) {
            Some(cost) => outcome.cost = cost,
            None => {
                let seconds = start.elapsed().as_secs_f64();
                outcome.cost.evaluated(seconds, &meter.energy());
                let speed = prepared.planner.speed;
                outcome.cost.speed = speed(config, &prepared.data, device, &outcome.cost);
            }
        }
        if let Some(watts) = config.device.watts {
            outcome.cost.estimate_energy(watts);
        }
        seal(folder, &outcome)?;
        Ok(outcome)
    }
}

/// Writes what the run leaves; where it has ended before, only if it `is_same`.
fn write_results(
    folder: &RunFolder,
    files: &[(&'static str, Vec<u8>)],
    is_same: bool,
) -> Result<(), RunError> {
    for (name, bytes) in files {
        assert!(
            RESULTS.contains(name),
            "{name} is sealed and exported if RESULTS lists it"
        );
        if is_same {
            lock::check_same(folder.path(), name, bytes)?;
        }
    }
    for (name, bytes) in files {
        write_whole(&folder.file(name), bytes)?;
    }
    Ok(())
}

/// How a training ended, for those who follow it.
fn ending(outcome: &Result<Outcome, RunError>) -> Ending {
    match outcome {
        Ok(outcome) if outcome.reason == StopReason::Interrupted => Ending::Interrupted,
        Ok(_) => Ending::Finished,
        Err(_) => Ending::Failed,
    }
}

/// What the outputs of the model will mean, if the samples have labels: what the validation split leaves to
/// be tuned is not tuned yet.
fn answer(config: &RunConfig, data: &dyn Dataset) -> Option<(&'static str, String)> {
    let objective = config.task.objective(&data.target())?;
    let answer = postprocess(config, data, objective.answer);
    let text = String::from_utf8(to_json(&answer)).expect("JSON is UTF-8");
    Some((POSTPROCESS, text))
}

/// Writes the evaluation, and the hashes of everything that the run leaves.
fn seal(folder: &RunFolder, outcome: &Outcome) -> Result<(), RunError> {
    let evaluation = to_json(&outcome.evaluation);
    write_whole(&folder.file("evaluation.json"), &evaluation)?;
    let results = RESULTS.into_iter().chain(KEPT);
    let results = results.filter(|name| folder.file(name).exists());
    Ok(lock::seal(folder.path(), results, &outcome.cost)?)
}

/// Numbers that training may move: running statistics are not among them.
fn count(shapes: &[(String, Vec<usize>)]) -> usize {
    let parameters = shapes.iter().filter(|(name, _)| !is_statistic(name));
    parameters
        .map(|(_, shape)| shape.iter().product::<usize>())
        .sum()
}
