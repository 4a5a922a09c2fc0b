//! `start`: opens keys and records and runs the tasks of every provider on every chain until told to stop.

use super::{
    ha,
    signer::{fetch_keys, open_signer},
};
use crate::{
    chains::{CannotSeat, ChainSeat, Secrets, Shared},
    config::{ChainPlan, Config},
    control::{self, Control},
    meters::Meters,
    records::Records,
    service::Brake,
    status::{
        Board, Report,
        durable::{self, watch_disk},
    },
};
use axum::{Json, Router, routing::get};
use btc_staking_daemon::{
    cli::{Exit, FailWith, Failure},
    clock::{Clock, SystemClock},
    entropy::OsEntropy,
    health::Health,
    http,
    keyfile::unseal_secret32,
    metrics::Metrics,
    passphrase::{Asking, PassphraseSource},
    tasks::{Signals, Supervisor},
    telemetry,
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
    // Once for all files: a prompt would ask for each, and a pipe can be read only once.
    let words = passphrase.read(Asking::Once).fail_with(Exit::Usage)?;
    let mut signals = Signals::new()?;
    let signer = open_signer(config, &words)?;
    let records = open_store(config)?;
    let Some(held) = fetch_keys(&*signer, &mut signals).await? else { return Ok(()) };
    let (health, entropy) = (Health::new(), Arc::new(OsEntropy));
    let mut supervisor = Supervisor::new(health.clone(), entropy.clone()).with_signals(signals);
    let signer = ha::join(config, &plans, &held, signer, &records, &mut supervisor)?;
    let (metrics, board) = (Metrics::new("fp"), Board::default());
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let shared = Shared {
        signer,
        brake: Arc::new(Brake::open(records.clone())?),
        records,
        board: board.clone(),
        meters: Meters::register(&metrics, board.clone(), Arc::clone(&clock))?,
        health: health.clone(),
        clock: Arc::clone(&clock),
        entropy,
        connector,
    };
    let socket = control::bind(&config.data_dir).fail_with(Exit::Usage)?;
    let mut seats = Vec::new();
    for plan in plans {
        let open = |file| Ok::<_, Failure>(AccountSecret(unseal_secret32(file, &words)?));
        let secrets = Secrets {
            account: open(&plan.account_key_file)?,
            registrar: plan.unjail.account_key_file.as_deref().map(open).transpose()?,
        };
        let seat = Arc::new(ChainSeat::new(plan, secrets, &held, shared.clone()).map_err(seat_failure)?);
        seat.spawn(&mut supervisor);
        seats.push(seat);
    }
    let (data_dir, durable) = (config.data_dir.clone(), health.check("durable"));
    supervisor
        .spawn("disk", move |stop| watch_disk(data_dir.clone(), durable.clone(), durable::INTERVAL, stop));
    Control { seats, shared }.spawn(socket, &mut supervisor);
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

pub fn open_store(config: &Config) -> Result<Records, Failure> {
    if config.signer.is_some() {
        // There are no sign records here whose absence could mean that the folder is the wrong one.
        std::fs::create_dir_all(&config.data_dir)?;
    }
    Records::open(&config.data_dir).map_err(store_failure)
}

fn status_page(
    board: Board,
    clock: Arc<dyn Clock>,
) -> impl Fn() -> std::future::Ready<Json<Report>> + Clone + Send + Sync + 'static {
    move || std::future::ready(Json(board.report(clock.since_epoch().as_secs())))
}
