//! What processes that train together wait for each other.

use std::str::FromStr;

use fireclay_train::cluster::at_once;
use serde::Serialize;

/// A network between processes, each of which sends and receives at this rate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Network {
    /// Bytes a second.
    pub bandwidth: f64,
    /// Seconds that a message takes, however short it is.
    pub latency: f64,
}

/// Seconds of a message where nothing is said: Ethernet between two machines, through their kernels.
const USUAL: f64 = 20e-6;

/// Numbers that are on their way at once between so many processes.
pub(crate) fn block(processes: usize) -> u64 {
    (processes * at_once(processes)) as u64
}

/// Messages of the first process with each other one, for an update: what it says of its parts, that it was heard, and
/// what all have said; the others wait while it goes from one to the next.
const GATHERED: f64 = 3.0;

impl Network {
    /// Seconds that the processes exchange gradients in an update, so many `numbers` in each pass.
    ///
    /// Each process gets from every other one its share of the numbers, adds them up, and hands the sums to all: twice the
    /// share (W − 1) / W of all bytes through its wire (Thakur, Rabenseifner and Gropp 2005, *Optimization of Collective
    /// Communication Operations in MPICH*, section 4.5), and twice W − 1 messages for each block; so many `times` in an
    /// update. Where each process updates a share of the parameters alone, it gets the sums of those, and at the end of the
    /// update the weights are handed to all, after all have said what their gradients have for the norm. The `numbers` are W
    /// times those of the process that has most then, since all shares go as if they were as large. While a micro-batch is
    /// computed, all processes wait for each other so many times as it `meets`.
    pub fn exchange(
        self,
        numbers: u64,
        processes: u64,
        shares_optimizer: bool,
        (times, meets): (usize, usize),
    ) -> f64 {
        let others = processes.saturating_sub(1) as f64;
        let times = times as f64;
        let (passes, gathered) = match shares_optimizer {
            true => (times + 1.0, times + 1.0),
            false => (2.0 * times, times),
        };
        let blocks = numbers.div_ceil(block(processes.max(1) as usize)).max(1) as f64;
        let bytes = 4.0 * numbers as f64 * others / processes.max(1) as f64;
        let gathered = gathered + times * meets as f64;
        let messages = others * (GATHERED * gathered + passes * blocks);
        passes * bytes / self.bandwidth + messages * self.latency
    }
}

impl FromStr for Network {
    type Err = String;

    /// A rate such as `100Gbit` or `12.5GB`, each a second, and after a comma the time of a message, such as `5us`.
    fn from_str(text: &str) -> Result<Self, String> {
        const RATES: [(&str, f64); 4] = [
            ("Gbit", 1e9 / 8.0),
            ("Mbit", 1e6 / 8.0),
            ("GB", 1e9),
            ("MB", 1e6),
        ];
        const TIMES: [(&str, f64); 2] = [("us", 1e-6), ("ms", 1e-3)];
        let (rate, time) = match text.split_once(',') {
            Some((rate, time)) => (rate, Some(time)),
            None => (text, None),
        };
        let wrong = || {
            "must be a rate for each process, such as 100Gbit or 12.5GB, and with the time of a message 100Gbit,5us".to_owned()
        };
        Ok(Self {
            bandwidth: quantity(rate, &RATES).ok_or_else(wrong)?,
            latency: time
                .map_or(Some(USUAL), |time| quantity(time, &TIMES))
                .ok_or_else(wrong)?,
        })
    }
}

/// A number above 0 with one of these units.
fn quantity(text: &str, units: &[(&str, f64)]) -> Option<f64> {
    let text = text.trim();
    let (number, unit) = units
        .iter()
        .find_map(|(name, unit)| Some((text.strip_suffix(name)?, unit)))?;
    let number: f64 = number.trim().parse().ok()?;
    (number > 0.0 && number.is_finite()).then_some(number * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_a_rate_and_a_time() {
        let network: Network = "100Gbit,5us".parse().unwrap();
        assert_eq!(network.bandwidth, 12.5e9);
        assert!((network.latency - 5e-6).abs() < 1e-12, "{network:?}");
        let network: Network = "12.5 GB".parse().unwrap();
        assert_eq!((network.bandwidth, network.latency), (12.5e9, USUAL));
        for wrong in ["", "100", "-1Gbit", "100Gbit,", "100Gbit,5", "0MB", "infGB"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn bytes_bound_the_exchange_of_few_and_messages_that_of_many() {
        let network: Network = "8Gbit,10us".parse().unwrap();
        assert_eq!(network.exchange(1_000_000, 1, false, (1, 0)), 0.0);
        // 2 MB in and out, twice; of each of four blocks two messages, and three besides.
        let two = network.exchange(1_000_000, 2, false, (1, 0));
        assert!((two - (4e6 / 1e9 + 11.0 * 10e-6)).abs() < 1e-9, "{two}");
        // Ten layers of batch norm and the end of each micro-batch: three messages each time.
        let meets = network.exchange(1_000_000, 2, false, (2, 21));
        let plain = network.exchange(1_000_000, 2, false, (2, 0));
        assert!((meets - plain - 2.0 * 63.0 * 10e-6).abs() < 1e-9, "{meets}");
        let shared = |times| network.exchange(1_000_000, 2, true, (times, 0));
        assert!((shared(1) - (4e6 / 1e9 + 14.0 * 10e-6)).abs() < 1e-9);
        // Three times in, once out.
        assert!((shared(3) - (8e6 / 1e9 + 28.0 * 10e-6)).abs() < 1e-9);
        let many = network.exchange(1_000_000, 1024, false, (1, 0));
        assert!(
            many > 1023.0 * 50e-6 && many < 1023.0 * 50e-6 + 8e6 / 1e9,
            "{many}"
        );
    }
}
