//! Hours, energy and money on hardware that is described by a few numbers.

mod network;
mod sharding;

use fireclay_train::config::Precision;
use serde::{Deserialize, Serialize};

use crate::estimate::Estimate;

pub use network::Network;
pub(crate) use network::block;
pub use sharding::Sharding;

/// The table that ships with the program, with a source for every figure.
pub const SHIPPED: &str = include_str!("hardware.toml");

/// A table of hardware and what is assumed of all of it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hardwares {
    /// What is assumed.
    pub assumptions: Grounds,
    /// The devices.
    pub hardware: Vec<Hardware>,
}

/// What predictions are made on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grounds {
    /// The share of the peak that training reaches: model FLOPs utilisation.
    pub utilisation: f64,
    /// Kilograms of CO2 equivalents for a kilowatt hour.
    pub grid: f64,
}

/// One kind of device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hardware {
    /// The word by which it is asked for.
    pub name: String,
    /// What it is.
    pub description: String,
    /// Bytes.
    pub memory: f64,
    /// Bytes a second.
    pub bandwidth: f64,
    /// Floating point operations a second.
    pub peak: Peak,
    /// Watts, at most.
    pub watts: Option<f64>,
    /// Dollars an hour.
    pub price: Option<f64>,
    /// Devices that a fast link joins.
    pub node: u64,
}

/// Floating point operations a second by precision, dense.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peak {
    /// 32 bits.
    pub f32: f64,
    /// 16 bits with an exponent of 8, summed in 32.
    pub bf16: f64,
}

impl Peak {
    /// In a precision; the products of all 16-bit numbers are equally fast.
    pub fn of(self, precision: Precision) -> f64 {
        match precision {
            Precision::F32 => self.f32,
            Precision::Bf16 | Precision::F16 => self.bf16,
        }
    }

    /// The key of what [`of`](Self::of) gives.
    pub fn key(precision: Precision) -> &'static str {
        match precision {
            Precision::F32 => "f32",
            Precision::Bf16 | Precision::F16 => "bf16",
        }
    }
}

/// What a run will take on one kind of device.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Prediction {
    /// The device's name.
    pub hardware: String,
    /// How many are needed; none if no number of them holds the model.
    pub devices: Option<u64>,
    /// How the model lies on them, where one does not hold it.
    pub sharding: Option<Sharding>,
    /// The most samples of a batch that one device holds, if it holds any.
    pub largest_batch: Option<u64>,
    /// Seconds of an update in which copies of the model exchange gradients, where a network was given.
    pub exchange: Option<f64>,
    /// Wall-clock time, where the number of steps is known.
    pub hours: Option<f64>,
    /// Kilowatt hours of the devices alone.
    pub energy: Option<f64>,
    /// Kilograms of CO2 equivalents.
    pub carbon: Option<f64>,
    /// Dollars.
    pub cost: Option<f64>,
}

/// Why a table of hardware cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HardwareError {
    /// It is no TOML of this form.
    #[error("{0}")]
    Form(#[from] toml::de::Error),
    /// A number that cannot be meant.
    #[error("{name}: {key} must be above 0, but is {value}")]
    Value {
        /// The device, or the assumptions.
        name: String,
        /// The key.
        key: &'static str,
        /// The number.
        value: f64,
    },
    /// More than all of it.
    #[error("assumptions: utilisation is a share of the peak, at most 1, but is {0}")]
    Utilisation(f64),
    /// A name that is not there.
    #[error("no hardware is called {name:?}; there is {known}")]
    Unknown {
        /// The name.
        name: String,
        /// Those that are there.
        known: String,
    },
}

impl Hardwares {
    /// Reads a table.
    ///
    /// # Errors
    ///
    /// If it is no such table, or a number in it is not above 0.
    pub fn parse(text: &str) -> Result<Self, HardwareError> {
        let table: Self = toml::from_str(text)?;
        let Grounds { utilisation, grid } = table.assumptions;
        check("assumptions", "utilisation", utilisation)?;
        check("assumptions", "grid", grid)?;
        if utilisation > 1.0 {
            return Err(HardwareError::Utilisation(utilisation));
        }
        for hardware in &table.hardware {
            hardware.check()?;
        }
        Ok(table)
    }

    /// The device called `name`.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn named(&self, name: &str) -> Result<&Hardware, HardwareError> {
        let names = || self.hardware.iter().map(|hardware| hardware.name.as_str());
        let found = self.hardware.iter().find(|hardware| hardware.name == name);
        found.ok_or_else(|| HardwareError::Unknown {
            name: name.to_owned(),
            known: names().collect::<Vec<_>>().join(", "),
        })
    }
}

fn check(name: &str, key: &'static str, value: f64) -> Result<(), HardwareError> {
    match value > 0.0 && value.is_finite() {
        true => Ok(()),
        false => Err(HardwareError::Value {
            name: name.to_owned(),
            key,
            value,
        }),
    }
}

impl Hardware {
    fn check(&self) -> Result<(), HardwareError> {
        let numbers = [
            ("memory", Some(self.memory)),
            ("bandwidth", Some(self.bandwidth)),
            ("peak.f32", Some(self.peak.f32)),
            ("peak.bf16", Some(self.peak.bf16)),
            ("watts", self.watts),
            ("price", self.price),
            ("node", Some(self.node as f64)),
        ];
        let given = numbers.into_iter();
        let mut given = given.filter_map(|(key, value)| Some((key, value?)));
        given.try_for_each(|(key, value)| check(&self.name, key, value))
    }

    /// What the run will take on this device, or on as many whole copies of the model as go into
    /// `devices` of them, at least one.
    ///
    /// Where one device holds the training, it computes in the configuration's precision, and a step
    /// takes as long as its operations at the assumed share of the peak, or as its numbers need to
    /// pass through memory, whichever is longer (Williams et al. 2009, *Roofline*). Where one does
    /// not, see [`Sharding`]. Where a `network` is given, copies of the model exchange their gradients after each
    /// step, see [`Network`]; else that is taken to cost nothing.
    pub fn predict(
        &self,
        estimate: &Estimate,
        grounds: Grounds,
        devices: Option<u64>,
        network: Option<Network>,
    ) -> Prediction {
        let memory = self.memory as u64;
        let is_alone = estimate.elsewhere.most() <= memory && devices.unwrap_or(1) == 1;
        let sharding = match is_alone {
            true => None,
            false => Sharding::new(estimate, self, devices),
        };
        let count = match is_alone {
            true => Some(1),
            false => sharding.map(|sharding| sharding.devices),
        };
        let step = match is_alone {
            true => Some(self.seconds(estimate, grounds)),
            false => sharding.map(|parts| self.seconds_shared(estimate, grounds, parts)),
        };
        let copies = sharding.map_or(1, |sharding| sharding.data);
        // With `[cluster]` gradients are exchanged after each micro-batch; else as if larger batches took their place.
        let times = match estimate.processes {
            1 => 1,
            _ => estimate.length.accumulation,
        };
        let exchange = network.map(|network| {
            let waits = (times, estimate.meets);
            let shares = estimate.shares_optimizer;
            network.exchange(estimate.exchanged(copies), copies, shares, waits)
        });
        let step = step.map(|step| step + exchange.unwrap_or(0.0));
        let hours = step.zip(estimate.length.steps);
        let hours = hours.map(|(step, steps)| steps as f64 * step / 3600.0);
        let of_all = |rate: Option<f64>| Some(hours? * rate? * count? as f64);
        let energy = of_all(self.watts).map(|watt_hours| watt_hours / 1000.0);
        Prediction {
            hardware: self.name.clone(),
            devices: count,
            sharding,
            largest_batch: estimate.elsewhere.largest_batch(memory),
            exchange,
            hours,
            energy,
            carbon: energy.map(|energy| energy * grounds.grid),
            cost: of_all(self.price),
        }
    }

    /// Seconds of a step on one device.
    fn seconds(&self, estimate: &Estimate, grounds: Grounds) -> f64 {
        let peak = self.peak.of(estimate.precision);
        let compute = estimate.flops.training_per_step / (peak * grounds.utilisation);
        compute.max(estimate.traffic_per_step as f64 / self.bandwidth)
    }

    /// Seconds of a step that many devices share.
    fn seconds_shared(&self, estimate: &Estimate, grounds: Grounds, parts: Sharding) -> f64 {
        let peak = match parts.is_whole() {
            true => self.peak.of(estimate.precision),
            false => self.peak.bf16,
        };
        let rate = peak * grounds.utilisation * parts.devices as f64;
        estimate.flops.training_per_step / rate
    }
}
