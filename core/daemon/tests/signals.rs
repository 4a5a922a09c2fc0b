//! SIGTERM drains. A test of its own, since a signal reaches the whole process.
#![allow(clippy::unwrap_used)] // a test crate, helpers included

use btc_staking_daemon::{
    entropy::SeededEntropy,
    health::Health,
    tasks::{Ended, Outcome, Supervisor},
};
use std::{process::Command, sync::Arc, time::Duration};

const SIGTERM: u32 = 15;

#[tokio::test]
async fn sigterm_lets_every_task_finish_what_it_is_doing() {
    let mut tasks = Supervisor::new(Health::new(), Arc::new(SeededEntropy::new(1)));
    let (sender, mut finished) = tokio::sync::mpsc::channel(2);
    for name in ["one", "two"] {
        let sender = sender.clone();
        tasks.spawn(name, move |mut stop| {
            let sender = sender.clone();
            async move {
                stop.stopped().await;
                tokio::task::yield_now().await;
                sender.send(name).await?;
                Ok(())
            }
        });
    }
    let running = tokio::spawn(tasks.run(Duration::from_secs(20)));
    let caught = async {
        while !is_caught(SIGTERM) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), caught).await.unwrap();
    let killed = Command::new("kill").args(["-TERM", &std::process::id().to_string()]).status().unwrap();
    assert!(killed.success());
    let ended = running.await.unwrap().unwrap();
    assert_eq!(ended, Ended { outcome: Outcome::Signal("SIGTERM"), cut_off: vec![] });
    let mut names = [finished.recv().await.unwrap(), finished.recv().await.unwrap()];
    names.sort_unstable();
    assert_eq!(names, ["one", "two"]);
}

/// Whether this process handles a signal, as the kernel sees it.
fn is_caught(signal: u32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
    u64::from_str_radix(mask.trim(), 16).unwrap() >> (signal - 1) & 1 == 1
}
