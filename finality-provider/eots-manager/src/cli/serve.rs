//! `serve`: opens records and keys, then the doors.

use super::{config::Config, records_failure};
use crate::{
    channel::Door,
    grpc::Server,
    manager::{EotsManager, Meters},
    records::SignRecords,
    service::{BackupFolder, Service, Vault},
};
use axum::Router;
use btc_staking_daemon::{
    cli::{Exit, FailWith, Failure},
    clock::SystemClock,
    entropy::OsEntropy,
    health::Health,
    http,
    keyfile::Strength,
    metrics::Metrics,
    passphrase::{Asking, PassphraseSource},
    tasks::{Supervisor, TaskError},
    telemetry,
};
use std::{sync::Arc, time::Duration};

/// How long a stopping signer may finish the calls it is working on.
const DRAIN: Duration = Duration::from_secs(10);

pub(super) async fn serve(config: &Config, passphrase: &PassphraseSource) -> Result<(), Failure> {
    telemetry::init(&config.log).fail_with(Exit::Usage)?;
    // Before anything else, since it ends the start: callers that cannot be known are not served.
    let entry = config.tcp.as_ref().map(|tcp| tcp.entry(&OsEntropy)).transpose().fail_with(Exit::Usage)?;
    let metrics = Metrics::new("eots");
    let service = Arc::new(open(config, passphrase, Meters::register(&metrics)?)?);

    let mut doors = vec![("grpc.unix", Door::unix(config.socket()).fail_with(Exit::Usage)?)];
    if let (Some(tcp), Some(entry)) = (&config.tcp, entry) {
        doors.push(("grpc.tcp", entry.open(tcp.address).await.fail_with(Exit::Usage)?));
    }
    let health = Health::new();
    let boards = http::Server::bind(config.listen, metrics, health.clone(), Router::new()).await?;
    let mut supervisor = Supervisor::new(health, Arc::new(OsEntropy));
    let server = Arc::new(Server::new(service, Arc::new(SystemClock::new())));
    for (name, door) in doors {
        tracing::info!(at = %door.place()?, door = name, "listening");
        let server = Arc::clone(&server);
        let mut door = Some(door);
        supervisor.spawn(name, move |stop| {
            let (server, door) = (Arc::clone(&server), door.take());
            async move {
                match door {
                    Some(door) => server.serve(door, stop).await,
                    None => Err(TaskError::fatal("the door closed by itself")),
                }
            }
        });
    }
    supervisor.serve(boards, DRAIN).await
}

/// Opens the sign records first: they are the lock that keeps a second signer out.
fn open(config: &Config, passphrase: &PassphraseSource, meters: Meters) -> Result<Service, Failure> {
    let records = SignRecords::open(&config.data_dir).map_err(records_failure)?;
    let vault = Vault::new(config.key_files.iter().cloned(), Strength::Required).fail_with(Exit::Refused)?;
    let manager = EotsManager::locked(records, vault.keys()).metered(meters);
    if config.unlock_at_start && !vault.keys().is_empty() {
        let words = passphrase.read(Asking::Once).fail_with(Exit::Usage)?;
        for key in vault.keys() {
            manager.unlock(vault.open_with(&key, &words).fail_with(Exit::Refused)?)?;
        }
    }
    let backups = config.backup_dir.clone().map(|folder| BackupFolder::new(folder, config.data_dir.clone()));
    Ok(Service::new(Arc::new(manager), vault, backups))
}
