//! `devnet up`: it listens where it says, and nothing of it is left when it ends, however it ends.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)] // a test crate, helpers included

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::{SocketAddr, TcpStream},
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

const DEADLINE: Duration = Duration::from_secs(120);

/// A running `devnet up` on the simulator. Ends it on drop.
struct Up {
    process: Child,
    /// What it printed until everything ran.
    told: Vec<String>,
    /// Kept open, so that the devnet can go on printing.
    _rest: BufReader<ChildStdout>,
}

impl Up {
    fn start() -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_devnet"))
            .args(["up", "--simulator", "--block-time-ms", "200"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut rest = BufReader::new(process.stdout.take().unwrap());
        let mut told = Vec::new();
        while told.last().is_none_or(|line: &String| !line.contains("Everything runs")) {
            let mut line = String::new();
            assert!(rest.read_line(&mut line).unwrap() > 0, "it ended after {told:#?}");
            told.push(line.trim_end().to_owned());
        }
        Self { process, told, _rest: rest }
    }

    /// Addresses of all `http://` words.
    fn addresses(&self) -> Vec<SocketAddr> {
        let words = self.told.iter().flat_map(|line| line.split_whitespace());
        let hosts = words.filter_map(|word| word.strip_prefix("http://")?.split('/').next());
        hosts.map(|host| host.parse().unwrap()).collect()
    }

    /// The folder with its data, from the line about logs.
    fn logs(&self) -> std::path::PathBuf {
        let line = self.told.iter().find_map(|line| line.trim().strip_prefix("Logs are in ")).unwrap();
        line.into()
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(pid, signal).unwrap();
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Child processes of a process.
fn children(parent: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| parent_of(*pid) == Some(parent)).collect()
}

fn parent_of(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// Whether a process runs; one that only waits to be buried does not.
fn runs(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z')))
}

fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {DEADLINE:?}: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn everything_listens_where_it_says_and_sigterm_ends_it_all() {
    let mut up = Up::start();
    let (addresses, daemons, logs) = (up.addresses(), children(up.process.id()), up.logs());
    assert_eq!((addresses.len(), daemons.len()), (10, 8), "{:#?}", up.told);
    for address in addresses {
        wait_until(&format!("{address} answers"), || TcpStream::connect(address).is_ok());
    }
    up.signal(rustix::process::Signal::TERM);
    assert!(up.process.wait().unwrap().success());
    assert!(daemons.iter().all(|pid| !runs(*pid)), "a daemon outlived the devnet");
    assert!(!logs.exists(), "the temporary folder is left behind");
}

#[test]
fn a_killed_devnet_leaves_no_process_behind() {
    let mut up = Up::start();
    let (daemons, logs) = (children(up.process.id()), up.logs());
    assert_eq!(daemons.len(), 8);
    up.signal(rustix::process::Signal::KILL);
    up.process.wait().unwrap();
    wait_until("all daemons have ended", || daemons.iter().all(|pid| !runs(*pid)));
    fs::remove_dir_all(logs.parent().unwrap()).unwrap();
}
