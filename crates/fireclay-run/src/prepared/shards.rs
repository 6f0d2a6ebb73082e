//! In how many parts a CPU computes each batch.

use std::num::NonZeroUsize;
use std::thread;

use crate::config::{BackendName, CpuShards, Mitigation, RunConfig};
use crate::device::RunDevice;

/// A number of parts that this model or this data does not allow, as key and message.
pub(super) fn check(config: &RunConfig) -> Option<(String, String)> {
    let has_norm = config.model.section().has_batch_norm;
    if is_synced(config) && !has_norm {
        let message = "must be false: the model has no batch norm".to_owned();
        return Some(("cluster.sync_batch_norm".into(), message));
    }
    let fixed = config.cluster.as_ref().map(|cluster| cluster.parts);
    if let (Some(parts @ 2..), Some(why)) = (fixed, obstacle(config)) {
        let way = match has_norm && !is_synced(config) {
            true => "; with `sync_batch_norm = true` its statistics are those of all parts",
            false => "",
        };
        let message = format!("must be 1, but is {parts}: {why}{way}");
        return Some(("cluster.parts".into(), message));
    }
    match (config.train.cpu_shards, obstacle(config)) {
        (CpuShards::Count(count), Some(why)) if count.get() > 1 => {
            let message = format!("must be 1 or \"auto\", but is {count}: {why}");
            Some(("train.cpu_shards".into(), message))
        }
        _ => None,
    }
}

/// The number of parts on `device` for a model of so many parameters and batches of `samples` samples;
/// "auto" stays "auto" on other devices than a CPU.
pub(super) fn choose(
    config: &RunConfig,
    device: &RunDevice,
    parameters: usize,
    samples: usize,
) -> CpuShards {
    match BackendName::from_name(&device.backend) {
        Some(backend) if backend.is_host() => {
            CpuShards::Count(on_host(config, parameters, samples))
        }
        _ => CpuShards::Auto,
    }
}

/// The same on a CPU.
pub fn on_host(config: &RunConfig, parameters: usize, samples: usize) -> NonZeroUsize {
    match (config.train.cpu_shards, &config.cluster) {
        // The threads decide how many parts are computed at once, and nothing else: no more than there are cores.
        (CpuShards::Auto, Some(cluster)) => at_once(cluster.parts),
        (CpuShards::Auto, None) => worthwhile(config, parameters, samples),
        (CpuShards::Count(count), _) => count,
    }
}

/// As many of so many parts as the key may say.
fn at_once(parts: usize) -> NonZeroUsize {
    const MOST: usize = 256;
    NonZeroUsize::new(parts.min(MOST)).unwrap_or(NonZeroUsize::MIN)
}

/// Parts of batches of so many samples that are always empty, if some are.
pub(super) fn note(config: &RunConfig, samples: usize) -> Option<String> {
    let parts = config.cluster.as_ref()?.parts;
    let whole = config.data.section().own_batches().is_none();
    (whole && parts > samples).then(|| {
        format!(
            "cluster.parts = {parts} cuts batches of {samples} samples: {} parts are always empty, and processes that \
             have no others wait",
            parts - samples
        )
    })
}

fn worthwhile(config: &RunConfig, parameters: usize, samples: usize) -> NonZeroUsize {
    let cores = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let data = config.data.section();
    match data.pays_in_parts(parameters, samples) && obstacle(config).is_none() {
        true => cores,
        false => NonZeroUsize::MIN,
    }
}

/// Why a batch has to stay in one piece, if it has to.
fn obstacle(config: &RunConfig) -> Option<&'static str> {
    let fairness = config.fairness.as_ref();
    if fairness.is_some_and(|fairness| fairness.mitigation == Mitigation::Constraint) {
        return Some("the covariance of score and group is that of the whole batch");
    }
    match config.model.section().has_batch_norm && !is_synced(config) {
        true => Some("batch norm takes its statistics over the whole batch"),
        false => config.data.section().one_piece(),
    }
}

/// Whether batch norm takes its statistics over all parts of a batch.
fn is_synced(config: &RunConfig) -> bool {
    let cluster = config.cluster.as_ref();
    cluster.is_some_and(|cluster| cluster.sync_batch_norm)
}

#[cfg(test)]
mod tests {
    use super::*;
    use fireclay_train::config::ClusterConfig;

    use crate::config::RunConfig;

    fn config(norm: &str) -> RunConfig {
        let text = format!(
            "[data]\ntype = \"csv\"\npath = \"x.csv\"\ntarget = \"y\"\n\
             [model]\ntype = \"mlp\"\nhidden = [4]\nnorm = \"{norm}\"\n\
             [task]\ntype = \"classification\"\n[optimizer]\ntype = \"sgd\"\n[train]\nepochs = 1\n"
        );
        RunConfig::parse("run.toml", &text, &[])
            .expect("a whole configuration")
            .config
    }

    fn device(backend: &str) -> RunDevice {
        RunDevice {
            device: burn::tensor::Device::flex(),
            backend: backend.into(),
            description: String::new(),
        }
    }

    fn count(shards: CpuShards) -> Option<usize> {
        match shards {
            CpuShards::Auto => None,
            CpuShards::Count(count) => Some(count.get()),
        }
    }

    #[test]
    fn small_work_and_batch_norm_stay_in_one_piece() {
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let flex = device("flex");
        assert_eq!(
            count(choose(&config("none"), &flex, 1_000_000, 512)),
            Some(cores)
        );
        assert_eq!(
            count(choose(&config("none"), &flex, 1_000_000, 64)),
            Some(1)
        );
        assert_eq!(count(choose(&config("none"), &flex, 1_000, 64)), Some(1));
        assert_eq!(
            count(choose(&config("batch"), &flex, 1_000_000, 512)),
            Some(1)
        );
        assert_eq!(
            count(choose(&config("none"), &device("cuda"), 1_000_000, 512)),
            None
        );
    }

    #[test]
    fn a_number_is_taken_as_it_is_or_refused() {
        let mut given = config("none");
        given.train.cpu_shards = CpuShards::Count(NonZeroUsize::new(3).expect("3 is not 0"));
        assert_eq!(count(choose(&given, &device("ndarray"), 10, 10)), Some(3));
        assert_eq!(check(&given), None);
        given.model = config("batch").model;
        let (key, message) = check(&given).expect("refused");
        assert_eq!(key, "train.cpu_shards");
        assert!(message.contains("batch norm"), "{message}");
    }

    #[test]
    fn batch_norm_of_all_parts_is_asked_for_where_there_is_some() {
        let cluster = |sync_batch_norm| {
            Some(ClusterConfig {
                parts: 4,
                timeout: 600,
                shard_optimizer: false,
                sync_batch_norm,
                device_per_process: true,
            })
        };
        let refused = |norm, synced| {
            let mut config = config(norm);
            config.cluster = cluster(synced);
            check(&config).map(|(key, _)| key)
        };
        assert_eq!(refused("batch", true), None);
        assert_eq!(refused("none", false), None);
        assert_eq!(refused("batch", false).as_deref(), Some("cluster.parts"));
        let unread = refused("none", true);
        assert_eq!(unread.as_deref(), Some("cluster.sync_batch_norm"));
    }
}
