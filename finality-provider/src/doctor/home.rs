//! What is on this machine: configuration, sealed keys, the data directory, the sign records, the running daemon.

use super::{
    Finding,
    disk::{Disk, FileSystem, LEAST_FREE, SyncLatency, measure_sync, read_disk},
};
use crate::status::Report;
use btc_staking_daemon::keyfile::{KeyFile, KeyFileError};
use btc_staking_eots_manager::{
    keyfiles::{KeyStoreError, peek_key},
    records::{OpenError, SignRecords, Subject},
};
use std::{io, os::unix::fs::MetadataExt, path::Path, time::Duration};

/// A durable write that takes longer than this makes every vote wait for it.
const SLOW_SYNC: Duration = Duration::from_millis(50);
/// One that takes longer than this costs votes.
const BAD_SYNC: Duration = Duration::from_millis(500);

/// The configuration file: nobody else may change it.
pub fn check_config(path: &Path) -> Finding {
    let shown = path.display();
    match std::fs::metadata(path) {
        Err(error) => {
            Finding::failure("config", format!("{shown} cannot be read: {error}"), "give --config FILE")
        }
        Ok(about) => match about.mode() & 0o777 {
            mode if mode & 0o022 != 0 => Finding::failure(
                "config",
                format!(
                    "{shown} can be changed by others (mode {mode:03o}), who could point it at their node and keys"
                ),
                format!("chmod go-w {shown}"),
            ),
            _ => Finding::ok("config", format!("{shown}")),
        },
    }
}

/// A sealed key: there, whole, and for nobody else's eyes. `eots` tells whether it must hold an EOTS key.
pub fn check_key_file(path: &Path, holds: KeyKind) -> Finding {
    let read = match holds {
        KeyKind::Eots => peek_key(path).map(|key| format!("{} holds {key}", path.display())),
        KeyKind::Account => KeyFile::read(path)
            .map(|_| format!("{} holds an account", path.display()))
            .map_err(KeyStoreError::from),
    };
    let shown = path.display();
    match read {
        Ok(found) => Finding::ok("keys", found),
        Err(KeyStoreError::File(error @ KeyFileError::OpenToOthers { .. })) => {
            Finding::failure("keys", error.to_string(), format!("chmod 600 {shown}"))
        }
        Err(error) => Finding::failure(
            "keys",
            format!("{shown}: {}", chain_of(&error)),
            "make it with `finality-provider keys create` or `keys import`, or name another file in the configuration",
        ),
    }
}

/// What a key file must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// The key of a finality provider.
    Eots,
    /// The key of the paying account.
    Account,
}

/// Room, kind and latency of the disk the records are on.
pub fn check_data_dir(data_dir: &Path) -> Vec<Finding> {
    let disk = match read_disk(data_dir) {
        Ok(disk) => disk,
        Err(error) => {
            let found = format!("{} cannot be read: {error}", data_dir.display());
            return vec![Finding::failure(
                "disk",
                found,
                "run `finality-provider init`, or correct data_dir",
            )];
        }
    };
    let mut findings = vec![judge_owner(data_dir), judge_disk(data_dir, &disk)];
    if !disk.read_only {
        findings.push(judge_sync(measure_sync(data_dir)));
    }
    findings
}

fn judge_owner(data_dir: &Path) -> Finding {
    let mode = std::fs::metadata(data_dir).map_or(0, |about| about.mode() & 0o777);
    let shown = data_dir.display();
    if mode & 0o022 != 0 {
        let found = format!("{shown} can be written to by others (mode {mode:03o})");
        return Finding::failure("disk", found, format!("chmod 700 {shown}"));
    }
    Finding::ok("disk", format!("{shown} is its owner's alone to change"))
}

/// Judges a file system.
pub fn judge_disk(data_dir: &Path, disk: &Disk) -> Finding {
    let (path, megabytes) = (data_dir.display(), disk.free / 1_048_576);
    if disk.read_only {
        let found = format!("{path} is on a file system that is mounted read-only");
        return Finding::failure(
            "disk",
            found,
            "mount it for writing; if the kernel did that, the disk is failing",
        );
    }
    if disk.free < LEAST_FREE {
        let found = format!("{path} has {megabytes} MB left");
        return Finding::failure("disk", found, "make room: a vote that cannot be recorded is not signed");
    }
    let warning = |kind: &str, mend: &str| Finding::warning("disk", format!("{path} is on {kind}"), mend);
    match disk.kind {
        FileSystem::Local(kind) => Finding::ok("disk", format!("{path} is on {kind}, {megabytes} MB free")),
        FileSystem::Memory => Finding::failure(
            "disk",
            format!("{path} is in memory: the sign records are gone when the machine restarts"),
            "put data_dir on a disk",
        ),
        FileSystem::Network(kind) => warning(
            kind,
            "use a local disk: whether the lock and the sync of a network file system hold is up to its server",
        ),
        FileSystem::Overlay => warning(
            "an overlay file system, which is gone with its container",
            "put data_dir on a volume of its own, and never start two containers over it",
        ),
        FileSystem::Unknown(number) => warning(
            &format!("a file system this program does not know (type {number:#x})"),
            "make sure that a sync reaches the disk and that a lock holds",
        ),
    }
}

/// Judges how long a durable write takes.
pub fn judge_sync(measured: io::Result<SyncLatency>) -> Finding {
    let latency = match measured {
        Ok(latency) => latency,
        Err(error) => {
            let found = format!("a record cannot be written durably: {error}");
            return Finding::failure("sync", found, "mend the disk, or the permissions of data_dir");
        }
    };
    let found = format!(
        "append and sync: median {:.2} ms, 99 of 100 within {:.2} ms",
        latency.median.as_secs_f64() * 1e3,
        latency.p99.as_secs_f64() * 1e3
    );
    let mend = "use a disk of its own, best an SSD with power-loss protection";
    match latency.p99 {
        p99 if p99 > BAD_SYNC => Finding::failure("sync", found, mend),
        p99 if p99 > SLOW_SYNC => Finding::warning("sync", found, mend),
        _ => Finding::ok("sync", found),
    }
}

/// The sign records, opened and verified whole, or left to the daemon that has them locked.
pub fn check_records(data_dir: &Path, subjects: &[Subject]) -> Vec<Finding> {
    let path = data_dir.display();
    match SignRecords::open(data_dir) {
        Ok(records) => {
            let mut findings = vec![Finding::ok("records", format!("{path}: whole, every record verified"))];
            findings.extend(subjects.iter().map(|subject| judge_history(&records, subject)));
            findings
        }
        Err(OpenError::InUse(_)) => {
            vec![Finding::ok(
                "records",
                format!("{path}: in use by a running signer, which verified them as it started"),
            )]
        }
        Err(error) => {
            let mend = match &error {
                OpenError::Missing(_) => {
                    "`finality-provider init --key KEY` for a key that never signed, else `eots import`"
                }
                OpenError::Damaged { .. } | OpenError::RolledBack { .. } | OpenError::AnchorLost(_) => {
                    "put back the newest sign-records together with its anchor; see the runbook, never start from less"
                }
                OpenError::Exists(_) | OpenError::InUse(_) | OpenError::Io { .. } => {
                    "look at the disk and at permissions"
                }
            };
            vec![Finding::failure("records", chain_of(&error), mend)]
        }
    }
}

fn judge_history(records: &SignRecords, subject: &Subject) -> Finding {
    let (key, chain) = (&subject.finality_provider, &subject.chain_id);
    if !records.has_history(subject) {
        return Finding::failure(
            "records",
            format!("nothing is known of {key} on {chain}: it is refused there"),
            format!(
                "`init --key {key} --chain {chain}` if it never signed there, else `eots import` or `eots migrate`"
            ),
        );
    }
    if let Some(high) = records.high_watermark(subject) {
        let found = format!(
            "{key} signs nothing above height {} on {chain}: it was handed to another host",
            high.to_u64()
        );
        return Finding::warning(
            "records",
            found,
            "`eots lift` once the other host has stopped and its records are here",
        );
    }
    match records.highest(subject) {
        Some(height) => {
            Finding::ok("records", format!("{key} on {chain}: nothing new up to height {}", height.to_u64()))
        }
        None => Finding::ok("records", format!("{key} on {chain}: nothing signed yet")),
    }
}

/// The running daemon, by what its boards say.
pub fn check_daemon(report: Option<&Report>, health: Option<&serde_json::Value>) -> Vec<Finding> {
    let Some(report) = report else {
        let mend = "start it with `finality-provider start`; without a `listen` in the configuration it cannot be found";
        return vec![Finding::not_checked("daemon", "no daemon answers", mend)];
    };
    let mut findings = Vec::new();
    if health.is_some_and(|health| health["alive"] == false) {
        let failed = health.map(|health| failed_checks(health).join("; ")).unwrap_or_default();
        findings.push(Finding::failure("daemon", failed, "restart it once the cause is mended"));
    }
    let silent: Vec<_> = report.providers.iter().filter(|provider| !provider.voting).collect();
    for provider in &silent {
        let reason = provider.reason.as_deref().unwrap_or("no reason is known");
        findings.push(Finding::warning(
            "daemon",
            format!("{} does not vote on {}: {reason}", provider.finality_provider, provider.chain_id),
            "see the guide, When it is not voting",
        ));
    }
    let all = report.providers.len();
    findings
        .insert(0, Finding::ok("daemon", format!("running, {} of {all} providers vote", all - silent.len())));
    findings
}

fn failed_checks(health: &serde_json::Value) -> Vec<String> {
    let checks = health["checks"].as_object().into_iter().flatten();
    let failed = checks.filter(|(_, check)| check["state"] == "failed");
    failed.map(|(name, check)| format!("{name}: {}", check["reason"].as_str().unwrap_or_default())).collect()
}

/// An error and its sources in one line.
pub(crate) fn chain_of(error: &(dyn std::error::Error + 'static)) -> String {
    let mut words: Vec<String> =
        std::iter::successors(Some(error), |&error| error.source()).map(ToString::to_string).collect();
    words.dedup();
    words.join(": ")
}
