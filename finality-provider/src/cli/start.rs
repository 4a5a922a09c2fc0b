//! `start`: opens keys and records, connects, and runs the tasks of every provider until told to stop.

use super::records_failure;
use crate::{
    config::Config,
    meters::Meters,
    records::Records,
    service::{Guard, Provider, Settings, run_planner, run_voter},
    status::Board,
};
use axum::{Json, Router, routing::get};
use btc_staking_daemon::{
    backoff::{Backoff, Policy},
    cli::{Exit, FailWith, Failure},
    clock::{Clock, SystemClock},
    entropy::{Entropy, OsEntropy},
    health::Health,
    http,
    keyfile::{Strength, open_secret32},
    metrics::Metrics,
    passphrase::{Asking, PassphraseSource},
    tasks::Supervisor,
    telemetry,
};
use btc_staking_eots_manager::{
    keyfiles::load_key,
    manager::EotsManager,
    records::{SignRecords, Subject},
    signer::{Local, Signer},
};
use btc_staking_pos_chain::{
    Outbox,
    connect::{AccountSecret, Connector},
    ports::{PosChain, Submitter},
};
use btc_staking_store::OpenError;
use serde_json::json;
use std::{io, sync::Arc, time::Duration};
use tokio::signal::unix::{SignalKind, signal};

/// How long a stopping daemon may finish what it is doing.
const DRAIN: Duration = Duration::from_secs(10);

pub async fn start(
    config: &Config,
    settings: Settings,
    passphrase: &PassphraseSource,
    connector: Arc<dyn Connector>,
) -> Result<(), Failure> {
    telemetry::init(&config.log).fail_with(Exit::Usage)?;
    let chain_id = config.chain_id().fail_with(Exit::Usage)?;
    let (signer, records) = open(config, passphrase)?;
    let secret = AccountSecret(open_secret32(&config.account_key_file, passphrase)?);
    let (chain, submitter) = tokio::select! {
        connected = connect(config, secret, &records, &*connector) => connected?,
        stopped = stop_signal() => return Ok(stopped?),
    };

    let (metrics, health, board) = (Metrics::new("fp"), Health::new(), Board::default());
    let meters = Meters::register(&metrics)?;
    let page = Router::new().route("/status", get(status_page(board.clone())));
    let server = http::Server::bind(config.listen, metrics, health.clone(), page).await?;
    tracing::info!(address = %server.address(), account = %submitter.account(), chain_id = %chain_id, "listening");

    let entropy: Arc<dyn Entropy> = Arc::new(OsEntropy);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let mut supervisor = Supervisor::new(health.clone(), Arc::clone(&entropy));
    for finality_provider in signer.public_keys().await? {
        let subject = Subject { finality_provider, chain_id: chain_id.clone() };
        board.add(&subject);
        let provider = Provider {
            subject,
            signer: Arc::clone(&signer),
            guard: Guard::default(),
            chain: Arc::clone(&chain),
            submitter: Arc::clone(&submitter),
            records: records.clone(),
            settings,
            board: board.clone(),
            meters: meters.clone(),
            health: health.check(&format!("voting.{finality_provider}")),
            clock: Arc::clone(&clock),
            entropy: Arc::clone(&entropy),
        };
        spawn(&mut supervisor, provider);
    }
    supervisor.serve(server, DRAIN).await
}

fn spawn(supervisor: &mut Supervisor, provider: Provider) {
    let provider = Arc::new(provider);
    let key = provider.subject.finality_provider;
    let voter = Arc::clone(&provider);
    supervisor.spawn(&format!("vote.{key}"), move |stop| run_voter(Arc::clone(&voter), stop));
    supervisor.spawn(&format!("commit.{key}"), move |stop| run_planner(Arc::clone(&provider), stop));
}

/// Opens the sign records first: they are the lock that keeps a second signer out.
fn open(config: &Config, passphrase: &PassphraseSource) -> Result<(Arc<dyn Signer>, Records), Failure> {
    let sign_records = SignRecords::open(&config.data_dir).map_err(records_failure)?;
    let records = Records::open(&config.data_dir).map_err(|error| {
        let exit = if matches!(error, OpenError::Locked { .. }) { Exit::Locked } else { Exit::Failure };
        Failure::new(exit, error)
    })?;
    let words = passphrase.read(Asking::Once).fail_with(Exit::Usage)?;
    let mut keys = Vec::new();
    for file in &config.eots_key_files {
        keys.push(load_key(file, &words, Strength::Required).fail_with(Exit::Refused)?);
    }
    Ok((Arc::new(Local::new(Arc::new(EotsManager::new(sign_records, keys)))), records))
}

/// Waits for SIGTERM or SIGINT, before the supervisor does.
async fn stop_signal() -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        interrupted = tokio::signal::ctrl_c() => interrupted,
    }
}

/// Connects, and goes on trying while nodes do not answer: a daemon that starts before its node is no failure.
async fn connect(
    config: &Config,
    secret: AccountSecret,
    records: &Records,
    connector: &dyn Connector,
) -> Result<(Arc<dyn PosChain>, Arc<dyn Submitter>), Failure> {
    let account = connector.account_address(&config.chain, &secret).fail_with(Exit::Usage)?;
    let outbox: Arc<dyn Outbox> =
        Arc::new(records.outbox(&config.chain.id, &account).fail_with(Exit::Failure)?);
    let mut backoff = Backoff::new(Policy::default());
    loop {
        let error = match connect_once(config, &secret, &outbox, connector).await {
            Ok(connected) => return Ok(connected),
            Err(error) => error,
        };
        if !error.is_transient() {
            return Err(Failure::new(Exit::Usage, error));
        }
        tracing::warn!(%error, "the chain is not reachable yet");
        tokio::time::sleep(backoff.next(OsEntropy.next_u64().unwrap_or(0))).await;
    }
}

async fn connect_once(
    config: &Config,
    secret: &AccountSecret,
    outbox: &Arc<dyn Outbox>,
    connector: &dyn Connector,
) -> btc_staking_pos_chain::ports::Result<(Arc<dyn PosChain>, Arc<dyn Submitter>)> {
    let chain = connector.connect(&config.chain).await?;
    let secret = AccountSecret(secret.0.clone());
    let submitter = connector.open_account_with(&config.chain, secret, Arc::clone(outbox)).await?;
    Ok((chain, submitter))
}

fn status_page(
    board: Board,
) -> impl Fn() -> std::future::Ready<Json<serde_json::Value>> + Clone + Send + Sync + 'static {
    move || std::future::ready(Json(json!({"providers": board.providers()})))
}
