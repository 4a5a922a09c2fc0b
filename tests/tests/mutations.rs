//! The push gate of the fuzz targets: valid examples, then mutations of them by a seed that is printed.
//!
//! `FUZZ_INPUTS` sets the inputs per target, `FUZZ_SEED` the seed.
#![allow(clippy::unwrap_used)] // a test crate, helpers included

use btc_staking_tests::fuzz::{
    TARGETS, Target,
    mutate::{Random, mutate},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs, panic,
    path::Path,
    thread,
};

const INPUTS: u64 = 2_000;
const SEED: u64 = 0x0062_7463_7374_616b;

fn number(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} must be a number")))
}

/// Runs one input and returns whether it was understood; on a panic says which.
fn run(target: &Target, data: &[u8]) -> Result<bool, String> {
    panic::catch_unwind(|| (target.run)(data))
        .map_err(|_| format!("{} fails on {}", target.name, hex::encode(data)))
}

#[test]
fn every_target_survives_valid_examples_and_their_mutations() {
    let (inputs, seed) = (number("FUZZ_INPUTS", INPUTS), number("FUZZ_SEED", SEED));
    println!("FUZZ_SEED={seed} FUZZ_INPUTS={inputs}");
    let run_all = |target: &Target| -> Result<(), String> {
        let seeds = (target.seeds)();
        assert!(!seeds.is_empty(), "{} has nothing to start from", target.name);
        let name =
            target.name.bytes().fold(0_u64, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
        let mut random = Random::new(seed ^ name);
        for data in &seeds {
            assert!(
                run(target, data)?,
                "{} does not understand its example {}",
                target.name,
                hex::encode(data)
            );
        }
        for _ in 0..inputs {
            run(target, &mutate(&mut random, &seeds))?;
        }
        Ok(())
    };
    let failures: Vec<String> = thread::scope(|scope| {
        let runs: Vec<_> = TARGETS.iter().map(|target| scope.spawn(|| run_all(target))).collect();
        runs.into_iter().filter_map(|run| run.join().unwrap().err()).collect()
    });
    assert!(failures.is_empty(), "FUZZ_SEED={seed}\n{}", failures.join("\n"));
}

#[test]
fn the_same_seed_makes_the_same_inputs() {
    let seeds = vec![b"one example".to_vec(), b"another".to_vec()];
    let inputs = |seed| {
        let mut random = Random::new(seed);
        (0..50).map(|_| mutate(&mut random, &seeds)).collect::<Vec<_>>()
    };
    assert_eq!(inputs(7), inputs(7));
    assert_ne!(inputs(7), inputs(8));
}

#[test]
fn every_target_has_a_coverage_guided_driver_and_every_driver_a_target() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest: toml::Table = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap().parse().unwrap();
    let text = |value: &toml::Value| value.as_str().unwrap().to_owned();
    let drivers: BTreeMap<String, String> = manifest["bin"]
        .as_array()
        .unwrap()
        .iter()
        .map(|bin| (text(&bin["name"]), text(&bin["path"])))
        .collect();
    let targets: BTreeSet<&str> = TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(drivers.keys().map(String::as_str).collect::<BTreeSet<_>>(), targets);
    for (name, path) in drivers {
        let driver = fs::read_to_string(fuzz.join(path)).unwrap();
        assert!(driver.contains(&format!("::{name}(data)")), "the driver of {name} runs it");
    }
}
