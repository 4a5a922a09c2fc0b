//! ABCI 2.0: the application as a process that CometBFT 0.38 drives over a socket.
//!
//! CometBFT opens one connection for each of consensus, mempool, queries and snapshots. Every connection is answered in
//! order, and all of them by the same application. The socket authenticates nobody: listen where only CometBFT can
//! reach, which is this machine.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use btc_staking_devnet_chain::{AbciConfig, AbciServer};
//!
//! let server = AbciServer::start(AbciConfig::new("app")).await?;
//! println!("proxy_app = \"tcp://{}\"", server.addr());
//! server.stop().await;
//! # Ok(()) }
//! ```

mod application;
pub(crate) mod form;
mod frames;
mod proposal;
#[cfg(test)]
mod tests;

use crate::{
    error::Broken,
    node::{LIMITS, StartError, listen, told_to_stop},
    state::disk::DiskBackend,
};
use application::Application;
use btc_staking_store::{Schema, Store};
use cosmrs::proto::tendermint::v0_38::abci::{Request, Response};
use frames::BadFrame;
use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};
use tokio::{
    io::BufReader,
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::{JoinHandle, JoinSet},
};

/// Name and version of the data directory's tables.
const SCHEMA: Schema = Schema::new("devnet-chain-abci", 1);
/// Connections at a time; CometBFT opens four.
const MAX_CONNECTIONS: usize = 16;
/// Pause after the system refused a connection.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// How to run the application for CometBFT.
#[derive(Debug, Clone)]
pub struct AbciConfig {
    /// Where its state is kept.
    pub data_dir: PathBuf,
    /// Where it listens; port 0 takes a free one.
    pub addr: SocketAddr,
}

impl AbciConfig {
    /// An application on a free local port.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self { data_dir: data_dir.into(), addr: SocketAddr::from(([127, 0, 0, 1], 0)) }
    }
}

/// The application as an ABCI server.
pub struct AbciServer;

/// A server that answers CometBFT. Stops when asked; dropping it lets it run on.
pub struct RunningAbciServer {
    application: Arc<Application>,
    addr: SocketAddr,
    stop: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

impl AbciServer {
    /// Opens the application where its data stand and listens. Empty data wait for CometBFT's genesis, whose `app_state`
    /// is a [`Genesis`](crate::Genesis).
    ///
    /// # Errors
    /// [`StartError`] when the data or the address cannot be used.
    pub async fn start(config: AbciConfig) -> Result<RunningAbciServer, StartError> {
        let store = Store::open_with(&config.data_dir, SCHEMA, LIMITS)?;
        let application = Arc::new(Application::open(Box::new(DiskBackend::new(store)?))?);
        let (listener, addr) = listen(config.addr).await?;
        let (stop, stopped) = watch::channel(false);
        let accepting = tokio::spawn(accept(Arc::clone(&application), listener, stopped));
        Ok(RunningAbciServer { application, addr, stop, accepting })
    }
}

impl RunningAbciServer {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
    /// Height of the last committed block and the hash of the state after it; `None` before CometBFT started the chain.
    pub fn position(&self) -> Option<(u64, [u8; 32])> {
        self.application.position()
    }
    /// Why it refuses consensus, once it does.
    pub fn halted(&self) -> watch::Receiver<Option<Broken>> {
        self.application.broken()
    }

    /// Finishes the calls under way, lets connections go and closes the data directory.
    pub async fn stop(self) {
        // A task that has ended already need not hear it.
        let _ = self.stop.send(true);
        if let Err(err) = self.accepting.await {
            tracing::error!(%err, "abci server ended badly");
        }
    }
}

async fn accept(application: Arc<Application>, listener: TcpListener, mut stopped: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = told_to_stop(&mut stopped) => break,
            accepted = listener.accept() => accepted,
        };
        // Those that ended need no further care.
        while connections.try_join_next().is_some() {}
        match (accepted, Arc::clone(&places).try_acquire_owned()) {
            (Ok((stream, peer)), Ok(place)) => {
                let (application, stopped) = (Arc::clone(&application), stopped.clone());
                connections.spawn(async move {
                    if let Err(err) = converse(&application, stream, stopped).await {
                        tracing::warn!(%peer, err = crate::error::with_sources(&err), "abci connection ended");
                    }
                    drop(place);
                });
            }
            (Ok((_, peer)), Err(_)) => tracing::warn!(%peer, "abci connection refused: too many"),
            (Err(err), _) => {
                tracing::warn!(%err, "abci connection not accepted");
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
        }
    }
    while connections.join_next().await.is_some() {}
}

/// Answers one connection, request by request, until it ends, asks for what has no answer, or the server stops.
async fn converse(
    application: &Arc<Application>,
    stream: TcpStream,
    mut stopped: watch::Receiver<bool>,
) -> Result<(), BadFrame> {
    stream.set_nodelay(true)?;
    let (reading, mut writing) = stream.into_split();
    let mut reading = BufReader::new(reading);
    loop {
        let request: Request = tokio::select! {
            () = told_to_stop(&mut stopped) => return Ok(()),
            request = frames::fetch_frame(&mut reading) => match request? {
                Some(request) => request,
                None => return Ok(()),
            },
        };
        let (response, go_on) = answer(application, request).await?;
        frames::send_frame(&mut writing, &response).await?;
        if !go_on {
            return Ok(());
        }
    }
}

/// Runs a call off the async threads, since it may read the disk and wait for a block.
async fn answer(application: &Arc<Application>, request: Request) -> Result<(Response, bool), BadFrame> {
    let application = Arc::clone(application);
    let call = tokio::task::spawn_blocking(move || application.answer(request));
    call.await.map_err(|err| BadFrame::Io(std::io::Error::other(err)))
}
