//! The story of three stakes, end to end, by the command people run: on the simulator, on a real bitcoind, and on a real
//! Babylon node beside it.

#![allow(clippy::unwrap_used)] // a test crate, helpers included

use btc_staking_bitcoin_node::regtest;
use serde_json::Value;
use std::{
    collections::BTreeSet,
    path::Path,
    process::{Command, Stdio},
};

/// Runs `devnet demo --json` and returns what it printed, after checking that it succeeded.
fn run_demo(args: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_devnet"))
        .args(["demo", "--json"])
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let [said, told] =
        [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    assert!(output.status.success(), "{}\n{told}\n{said}", output.status);
    serde_json::from_str(&said)
        .unwrap_or_else(|error| panic!("{error}: standard output is not one object: {said}"))
}

fn is_txid(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.len() == 64 && text.bytes().all(|c| c.is_ascii_hexdigit()))
}

/// Checks every member of the result and every fact in it.
fn check_report(report: &Value, kind: &str) {
    let members: BTreeSet<&str> = report.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = ["bitcoin_node", "chain", "equivocation", "facts", "ok", "seconds", "stakes"];
    assert_eq!(members, expected.into(), "members of the result");
    assert_eq!(report["ok"], true);
    assert_eq!(report["bitcoin_node"]["kind"], kind);
    assert!(!report["bitcoin_node"]["version"].as_str().unwrap().is_empty());
    let [height, finalised] =
        ["height", "finalised_height"].map(|key| report["chain"][key].as_u64().unwrap());
    assert!(finalised >= 10 && height >= finalised, "height {height}, finalised {finalised}");
    assert!(report["seconds"].as_f64().unwrap() > 0.0);
    check_equivocation(report);
    check_stakes(&report["stakes"], report["equivocation"]["provider"].as_str().unwrap());
    check_facts(&report["facts"]);
}

fn check_equivocation(report: &Value) {
    let equivocation = &report["equivocation"];
    assert_eq!(equivocation["extracted_key_matches"], true);
    assert!(equivocation["height"].as_u64().unwrap() > 10);
    assert!(is_txid(&equivocation["provider"]), "a key has the form of a txid: 32 bytes in hex");
}

fn check_stakes(stakes: &Value, equivocator: &str) {
    let fates = [("A", "slashed_from_staking"), ("B", "slashed_from_unbonding"), ("C", "withdrawn")];
    let stakes = stakes.as_array().unwrap();
    assert_eq!(stakes.len(), fates.len());
    let mut txids = BTreeSet::new();
    for (stake, (name, fate)) in stakes.iter().zip(fates) {
        assert_eq!((&stake["name"], &stake["fate"]), (&name.into(), &fate.into()));
        let is_slashed = fate != "withdrawn";
        assert_eq!(stake["provider"] == equivocator, is_slashed, "{name} is with the equivocator");
        assert_eq!(is_txid(&stake["slashing_txid"]), is_slashed);
        assert_eq!(stake["slashing_txid"].is_null(), !is_slashed);
        for key in ["staking_txid", "slashing_txid", "last_txid"] {
            if let Some(txid) = stake[key].as_str() {
                assert!(is_txid(&stake[key]) && txids.insert(txid.to_owned()), "{name} {key} {txid}");
            }
        }
    }
}

fn check_facts(facts: &Value) {
    let facts = facts.as_array().unwrap();
    let names: BTreeSet<&str> = facts.iter().map(|fact| fact["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), facts.len(), "every fact has a name of its own");
    assert!(facts.iter().all(|fact| fact["ok"] == true));
    for needed in [
        "covenant: 5 members run, each as a process with its own key",
        "stake A: is approved by 3 of 5 members before a coin is locked",
        "stake B: is active",
        "staking chain: 10 blocks are finalised by the votes of both providers",
        "stake C: is reported as unbonded",
        "stake B: is spent by its unbonding transaction",
        "provider-1: secret key falls out of its two votes",
        "stake A: is slashed from its staking output, 2 blocks deep",
        "stake B: is slashed from its unbonding output, 2 blocks deep",
        "stake A: comes back to its holder's wallet",
        "stake B: comes back to its holder's wallet",
        "stake C: comes back to its holder's wallet",
        "stake C: staking output was not slashed",
        "stake C: unbonding output was not slashed",
    ] {
        assert!(names.contains(needed), "{needed:?} is missing in {names:#?}");
    }
}

#[test]
fn the_story_holds_on_the_simulator() {
    check_report(&run_demo(&["--simulator", "--seed", "1"]), "simulator");
}

#[test]
fn the_story_holds_on_a_real_bitcoind() {
    let Some(found) = regtest::find(None).unwrap() else {
        assert!(
            std::env::var_os("REQUIRE_REAL_BITCOIND").is_none_or(|value| value != "1"),
            "REQUIRE_REAL_BITCOIND=1 is set and there is no bitcoind: run `devnet bitcoind install`"
        );
        println!("SKIPPED: no bitcoind on PATH, in BITCOIND_EXE or in the cache folder");
        return;
    };
    println!("{} ({})", found.exe.display(), found.origin);
    check_report(&run_demo(&["--bitcoind", found.exe.to_str().unwrap()]), "bitcoind");
}

/// The same story against a Babylon node that somebody else wrote: `BABYLOND_EXE` names a babylond v4.
#[test]
fn the_story_holds_on_a_real_babylon_node() {
    let Some(babylond) = std::env::var_os("BABYLOND_EXE") else {
        println!("SKIPPED: BABYLOND_EXE names no babylond");
        return;
    };
    let found = regtest::find(None).unwrap().expect("a Babylon node is tested beside a real bitcoind");
    let [babylond, bitcoind] = [babylond.to_str().unwrap(), found.exe.to_str().unwrap()];
    println!("{babylond} beside {bitcoind}");
    let pace = ["--block-time-ms", "500", "--bitcoin-block-time-ms", "1000"];
    let chains = ["--babylond", babylond, "--bitcoind", bitcoind];
    check_report(&run_demo(&[&chains[..], &pace].concat()), "bitcoind");
}

/// The same story on four validators of a real CometBFT over the embedded chain's application: `COMETBFT_EXE` names a
/// cometbft v0.38. One validator is killed in the middle.
#[test]
fn the_story_holds_on_four_validators_of_which_one_dies() {
    let Some(cometbft) = std::env::var_os("COMETBFT_EXE") else {
        println!("SKIPPED: COMETBFT_EXE names no cometbft");
        return;
    };
    let report = run_demo(&["--simulator", "--cometbft", cometbft.to_str().unwrap()]);
    check_report(&report, "simulator");
    let same = "staking chain: has one app hash on all 4 validators, the killed one included";
    assert!(report["facts"].as_array().unwrap().iter().any(|fact| fact["name"] == same));
}

#[test]
fn a_demo_that_cannot_start_says_why_as_one_object_and_fails() {
    let output = Command::new(env!("CARGO_BIN_EXE_devnet"))
        .args(["demo", "--json", "--bitcoind", "/no/such/bitcoind"])
        .output()
        .unwrap();
    assert!(!output.status.success());
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let why = said["error"].to_string();
    assert!(why.contains("/no/such/bitcoind"), "{why}");
}

#[test]
fn a_folder_that_is_in_use_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let precious = folder.path().join("precious");
    std::fs::write(&precious, "x").unwrap();
    let demo = |folder: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_devnet"));
        command.args(["demo", "--simulator", "--keep"]).arg(folder).output().unwrap()
    };
    let output = demo(folder.path());
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("is not empty"));
    assert!(precious.is_file() && std::fs::read_dir(folder.path()).unwrap().count() == 1);
}

/// Child processes of a process whose command line holds a word.
#[cfg(target_os = "linux")]
fn children_with(parent: u32, word: &str) -> Vec<rustix::process::Pid> {
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let is_wanted = |pid: &u32| {
        let read = |name| std::fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
        let (stat, words) = (read("stat"), read("cmdline"));
        let stat_parent = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)?.parse().ok());
        stat_parent == Some(parent) && words.split('\0').any(|own| own == word)
    };
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(is_wanted);
    pids.filter_map(|pid| rustix::process::Pid::from_raw(i32::try_from(pid).unwrap())).collect()
}

#[cfg(target_os = "linux")]
#[test]
fn a_daemon_that_dies_fails_the_demo_with_the_end_of_its_log() {
    use std::io::{BufRead as _, BufReader};
    let mut demo = Command::new(env!("CARGO_BIN_EXE_devnet"))
        .args(["demo", "--json", "--simulator"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(demo.stderr.take().unwrap()).lines();
    assert!(told.any(|line| line.unwrap().contains("Three stakes")));
    let slasher = children_with(demo.id(), "slasher");
    assert_eq!(slasher.len(), 1);
    rustix::process::kill_process(slasher[0], rustix::process::Signal::KILL).unwrap();
    told.for_each(drop);
    let output = demo.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let why = report["error"].as_str().unwrap();
    assert_eq!(report["ok"], false);
    assert!(why.contains("slasher ended by itself") && why.contains("signal: 9"), "{why}");
    assert!(why.contains("watching"), "the end of its log is missing: {why}");
    let (_, kept) = why.rsplit_once("kept in ").unwrap();
    assert!(Path::new(kept).join("logs").join("slasher.log").is_file());
    std::fs::remove_dir_all(kept).unwrap();
}
