//! Fuzz targets on stable Rust: a parser reads files that were valid once.
//!
//! Each target has a few small valid files. They are damaged in the ways in which files are damaged, and in which
//! they are forged: flipped bits, cut ends, pieces that are moved, doubled or taken from another file, and numbers
//! that claim too much. The parser may refuse the result or read it. It must not panic, take 10 seconds, or take
//! much more memory than before.
//!
//! A target runs for a second or two. `FIRECLAY_FUZZ_SECONDS` gives it more, and `FIRECLAY_FUZZ_SEED` other
//! files. The files are a function of the seed, so a longer run begins with those of a shorter one.
#![forbid(unsafe_code)]

mod mutation;
mod watch;

use std::path::Path;
use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

use self::mutation::{Mutation, mutation};
use self::watch::Watch;

/// How long a target runs unless the environment says otherwise.
const SECONDS: f64 = 1.5;

/// The most damage that one file takes.
const MOST: usize = 6;

/// Damages `seeds` and lets `read` read the results, each as a file called `name` in a folder of its own.
///
/// # Panics
/// If `read` panics or takes too much, with the least damage that makes it.
#[track_caller]
pub fn fuzz(name: &str, seeds: &[Vec<u8>], read: impl Fn(&Path)) {
    fuzz_with(name, seeds, |_| {}, read);
}

/// As [`fuzz`], where `prepare` puts other files into the folder before, once.
///
/// # Panics
/// As [`fuzz`].
#[track_caller]
pub fn fuzz_with(name: &str, seeds: &[Vec<u8>], prepare: impl Fn(&Path), read: impl Fn(&Path)) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    prepare(folder.path());
    for seed in seeds {
        std::fs::write(&path, seed).expect("the file is written");
        read(&path);
    }
    let watch = Watch::new(name, &path);
    let (start, budget) = (Instant::now(), budget());
    let mut runner = runner();
    let damage = (0..seeds.len(), vec(mutation(seeds.len()), 1..=MOST));
    let mut files = 0_u64;
    while start.elapsed() < budget {
        let tree = damage.new_tree(&mut runner).expect("damage");
        let ran = runner.run_one(tree, |(seed, mutations)| {
            let bytes = damaged(seeds, seed, &mutations);
            std::fs::write(&path, &bytes).expect("the file is written");
            watch.over(|| read(&path));
            Ok(())
        });
        files += 1;
        if let Err(TestError::Fail(why, (seed, mutations))) = ran {
            let bytes = damaged(seeds, seed, &mutations);
            let kept = std::env::temp_dir().join(format!("fuzz-{name}"));
            std::fs::write(&kept, &bytes).expect("the file is written");
            let kept = kept.display();
            panic!("{why}\nfile {files}, kept as {kept}: seed {seed} with {mutations:?}");
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    let peak = watch.peak() >> 20;
    println!("fuzz {name}: {files} files in {seconds:.1} s, {peak} MiB at most above the start");
}

/// The bytes of memory that `read` takes at most, above what the process had before.
pub fn memory(read: impl FnOnce()) -> u64 {
    let watch = Watch::new("memory", Path::new(""));
    watch.over(read);
    watch.peak()
}

fn damaged(seeds: &[Vec<u8>], seed: usize, mutations: &[Mutation]) -> Vec<u8> {
    let mut bytes = seeds[seed].clone();
    mutations
        .iter()
        .for_each(|mutation| mutation.apply(&mut bytes, seeds));
    bytes
}

fn number<T: std::str::FromStr>(variable: &str) -> Option<T> {
    std::env::var(variable).ok()?.parse().ok()
}

fn budget() -> Duration {
    Duration::from_secs_f64(number("FIRECLAY_FUZZ_SECONDS").unwrap_or(SECONDS))
}

fn runner() -> TestRunner {
    let mut seed = [7; 32];
    let given = number::<u64>("FIRECLAY_FUZZ_SEED").unwrap_or(0);
    seed[..8].copy_from_slice(&given.to_le_bytes());
    let config = Config {
        failure_persistence: None,
        max_shrink_iters: 2000,
        ..Config::default()
    };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed))
}
