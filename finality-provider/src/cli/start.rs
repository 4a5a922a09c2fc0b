//! `start`: opens keys and records and runs the tasks of every provider on every chain until told to stop.

use super::records_failure;
use crate::{
    chains::{CannotSeat, ChainSeat, Shared},
    config::{ChainPlan, Config},
    meters::Meters,
    records::Records,
    service::Brake,
    status::{Board, Report},
};
use axum::{Json, Router, routing::get};
use btc_staking_daemon::{
    cli::{Exit, FailWith, Failure},
    clock::{Clock, SystemClock},
    entropy::OsEntropy,
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
    records::SignRecords,
    signer::{Local, Signer},
};
use btc_staking_pos_chain::connect::{AccountSecret, Connector};
use btc_staking_store::OpenError;
use std::{sync::Arc, time::Duration};

/// How long a stopping daemon may finish what it is doing.
const DRAIN: Duration = Duration::from_secs(10);

pub async fn start(
    config: &Config,
    plans: Vec<ChainPlan>,
    passphrase: &PassphraseSource,
    connector: Arc<dyn Connector>,
) -> Result<(), Failure> {
    telemetry::init(&config.log).fail_with(Exit::Usage)?;
    let (signer, records) = open(config, passphrase)?;
    let held = signer.public_keys().await?;
    let (metrics, health, board) = (Metrics::new("fp"), Health::new(), Board::default());
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let shared = Shared {
        signer,
        brake: Arc::new(Brake::open(records.clone())?),
        records,
        board: board.clone(),
        meters: Meters::register(&metrics, board.clone(), Arc::clone(&clock))?,
        health: health.clone(),
        clock: Arc::clone(&clock),
        entropy: Arc::new(OsEntropy),
        connector,
    };
    let mut supervisor = Supervisor::new(health.clone(), Arc::clone(&shared.entropy));
    for plan in plans {
        let secret = AccountSecret(open_secret32(&plan.account_key_file, passphrase)?);
        let seat = Arc::new(ChainSeat::new(plan, secret, &held, shared.clone()).map_err(seat_failure)?);
        seat.spawn(&mut supervisor);
    }
    let page = Router::new().route("/status", get(status_page(board, clock)));
    let server = http::Server::bind(config.listen, metrics, health, page).await?;
    tracing::info!(address = %server.address(), "listening");
    supervisor.serve(server, DRAIN).await
}

pub fn store_failure(error: OpenError) -> Failure {
    let exit = if matches!(error, OpenError::Locked { .. }) { Exit::Locked } else { Exit::Failure };
    Failure::new(exit, error)
}

fn seat_failure(error: CannotSeat) -> Failure {
    let exit = match &error {
        CannotSeat::UnknownKey { .. } | CannotSeat::Account { .. } => Exit::Usage,
        CannotSeat::Store { .. } => Exit::Failure,
    };
    Failure::new(exit, error)
}

/// Opens the sign records first: they are the lock that keeps a second signer out.
fn open(config: &Config, passphrase: &PassphraseSource) -> Result<(Arc<dyn Signer>, Records), Failure> {
    let sign_records = SignRecords::open(&config.data_dir).map_err(records_failure)?;
    let records = Records::open(&config.data_dir).map_err(store_failure)?;
    let words = passphrase.read(Asking::Once).fail_with(Exit::Usage)?;
    let mut keys = Vec::new();
    for file in &config.eots_key_files {
        keys.push(load_key(file, &words, Strength::Required).fail_with(Exit::Refused)?);
    }
    Ok((Arc::new(Local::new(Arc::new(EotsManager::new(sign_records, keys)))), records))
}

fn status_page(
    board: Board,
    clock: Arc<dyn Clock>,
) -> impl Fn() -> std::future::Ready<Json<Report>> + Clone + Send + Sync + 'static {
    move || std::future::ready(Json(board.report(clock.since_epoch().as_secs())))
}
