//! `devnet dev`: the commands, as a developer types them, against a devnet on the simulator.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)] // a test crate, helpers included

use serde_json::Value;
use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, ChildStdout, Command, Output, Stdio},
};

/// A running `devnet up` with a folder that is kept. Ends it on drop.
struct Up {
    process: Child,
    folder: tempfile::TempDir,
    /// Kept open, so that the devnet can go on printing.
    rest: BufReader<ChildStdout>,
}

impl Up {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_devnet"))
            .args([
                "up",
                "--simulator",
                "--block-time-ms",
                "200",
                "--bitcoin-block-time-ms",
                "600000",
                "--keep",
            ])
            .arg(folder.path().join("run"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let rest = BufReader::new(process.stdout.take().unwrap());
        let mut up = Self { process, folder, rest };
        loop {
            let mut line = String::new();
            assert!(up.rest.read_line(&mut line).unwrap() > 0, "it ended before everything ran");
            if line.contains("Everything runs") {
                return up;
            }
        }
    }

    fn dev(&self, args: &[&str]) -> Output {
        let folder = self.folder.path().join("run");
        let mut command = Command::new(env!("CARGO_BIN_EXE_devnet"));
        command.arg("dev").arg("--folder").arg(folder).arg("--json").args(args).output().unwrap()
    }

    /// The result of a command that must succeed.
    fn must(&self, args: &[&str]) -> Value {
        let output = self.dev(args);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{args:?}: {out} {err}");
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{args:?}: {error}: {out}"))
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        // It is gone already if a test ended it.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn genesis_goes_on(document: &Path, data_dir: &Path) {
    let out = data_dir.with_extension("again.json");
    let run = |args: &[&std::ffi::OsStr]| {
        Command::new(env!("CARGO_BIN_EXE_devnet")).arg("chain").args(args).output().unwrap()
    };
    std::fs::create_dir(data_dir).unwrap();
    let args = [
        "export".as_ref(),
        "--genesis".as_ref(),
        document.as_os_str(),
        "--data-dir".as_ref(),
        data_dir.as_os_str(),
        "--out".as_ref(),
        out.as_os_str(),
    ];
    let output = run(&args);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read = |path: &Path| -> Value { serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap() };
    assert_eq!(read(&out), read(document), "what was imported is what was exported");
}

#[test]
fn a_developer_moves_bitcoin_epochs_and_parameters() {
    let up = Up::start();
    let before = up.must(&["mine", "1"])["bitcoin_height"].as_u64().unwrap();
    assert_eq!(up.must(&["mine", "3"])["bitcoin_height"].as_u64().unwrap(), before + 3);

    let reorged = up.must(&["reorg", "1"]);
    assert_eq!(reorged["bitcoin_height"].as_u64().unwrap(), before + 4);
    assert_eq!(reorged["replaced_from"].as_u64().unwrap(), before + 3);
    let refused = up.dev(&["reorg", "2"]);
    assert_eq!(refused.status.code(), Some(3), "a reorg that halts the chain must be asked for");

    let first = up.must(&["finalise-epoch"])["last_finalised_epoch"].as_u64().unwrap();
    let second = up.must(&["finalise-epoch"])["last_finalised_epoch"].as_u64().unwrap();
    assert!(first >= 1 && second > first, "{first} then {second}");

    let version = up.must(&["jump-params", "--set", "unbonding_time_blocks=9"]);
    assert_eq!(version["version"], 1);
    let wrong = up.dev(&["jump-params", "--set", "colour=9"]);
    assert_eq!(wrong.status.code(), Some(2), "{}", String::from_utf8_lossy(&wrong.stdout));

    let document = up.folder.path().join("state.json");
    up.must(&["export", document.to_str().unwrap()]);
    let state: Value = serde_json::from_slice(&std::fs::read(&document).unwrap()).unwrap();
    let params = state["app_state"]["btcstaking"]["params"].as_array().unwrap();
    assert_eq!((params.len(), &params[1]["unbonding_time_blocks"]), (2, &Value::from(9)));
    genesis_goes_on(&document, &up.folder.path().join("imported"));
}

#[test]
fn a_folder_without_a_devnet_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_devnet"))
        .args(["dev", "--folder", folder.path().to_str().unwrap(), "mine", "1"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no devnet was started"), "{output:?}");
}

#[test]
fn a_generated_state_is_a_chain_that_exports() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("load");
    let output = Command::new(env!("CARGO_BIN_EXE_devnet"))
        .args(["chain", "generate", "--providers", "2", "--delegations", "12", "--seed", "4"])
        .args(["--copy-signatures", "--mix", "active=2,pending=1", "--json", "--out"])
        .arg(&out)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let count = |name: &str| told[name].as_u64().unwrap();
    assert_eq!((count("active") + count("pending"), count("expired")), (12, 0));
    let document = dir.path().join("document.json");
    let output = Command::new(env!("CARGO_BIN_EXE_devnet"))
        .args(["chain", "export", "--genesis"])
        .arg(out.join("genesis.json"))
        .arg("--data-dir")
        .arg(out.join("chain"))
        .arg("--out")
        .arg(&document)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    genesis_goes_on(&document, &dir.path().join("imported"));
}
