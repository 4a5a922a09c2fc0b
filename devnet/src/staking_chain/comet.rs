//! A network of CometBFT validators, each driving its own copy of the embedded chain's application.
//!
//! The trouble it must bear is a power cut of one validator: CometBFT and application are killed without a warning, the
//! others go on, and it comes back and catches up.

use super::{ClosingFact, Founder, Founding, StakingChain};
use crate::{
    comet::{CometNetwork, CometOptions},
    processes::leash_words,
    timeline::Timeline,
};
use async_trait::async_trait;
use btc_staking_daemon::cli::{Exit, FailWith as _, Failure};
use futures::{FutureExt as _, future::BoxFuture};
use std::{path::PathBuf, sync::Arc, time::Duration};
use tendermint_rpc::{Client as _, HttpClient};
use tokio::{sync::Mutex, time::Instant};

/// Validators of a network: the least of which one may be down.
const VALIDATORS: usize = 4;
/// Who is killed: the one whose RPC everybody asks first.
const VICTIM: usize = 0;
/// Blocks the others make while it is down.
const BLOCKS_WITHOUT: u64 = 3;
/// How long the network may take for a few blocks.
const DEADLINE: Duration = Duration::from_secs(120);
/// Between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Founds a network of validators.
#[derive(Debug, Clone)]
pub struct Comet {
    /// The `cometbft` program, release 0.38.
    pub exe: PathBuf,
}

struct CometChain {
    network: Arc<Mutex<CometNetwork>>,
    rpc: Vec<String>,
}

#[async_trait]
impl Founder for Comet {
    async fn found(&self, founding: Founding) -> Result<Box<dyn StakingChain>, Failure> {
        let options = CometOptions {
            cometbft: self.exe.clone(),
            devnet: std::env::current_exe()?,
            leash: leash_words()?.to_vec(),
            folder: founding.home,
            logs: founding.logs,
            genesis: founding.genesis,
            validators: VALIDATORS,
            block_time: founding.block_time,
        };
        let network = CometNetwork::start(options).await?;
        let chain = CometChain { rpc: network.rpc(), network: Arc::new(Mutex::new(network)) };
        for rpc in &chain.rpc {
            wait_for_height(rpc, 1).await.fail_with(Exit::Unreachable)?;
        }
        Ok(Box::new(chain))
    }
}

#[async_trait]
impl StakingChain for CometChain {
    fn describe(&self) -> String {
        format!("CometBFT with {VALIDATORS} validators")
    }

    fn rpc(&self) -> Vec<String> {
        self.rpc.clone()
    }

    fn ended(&self) -> BoxFuture<'static, String> {
        let network = Arc::clone(&self.network);
        async move {
            loop {
                if let Err(ended) = network.lock().await.check() {
                    return ended.to_string();
                }
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        }
        .boxed()
    }

    async fn bear_trouble(&mut self, timeline: &Timeline) -> Result<(), Failure> {
        let mut network = self.network.lock().await;
        let survivor = self.rpc.last().ok_or_else(|| Failure::new(Exit::Failure, "there is no validator"))?;
        network.kill(VICTIM);
        let name = format!("validator-{VICTIM}");
        timeline.event(&name, "is killed, and its application with it");
        let height = fetch_height(survivor).await.fail_with(Exit::Unreachable)?;
        wait_for_height(survivor, height + BLOCKS_WITHOUT).await.fail_with(Exit::Failure)?;
        network.restart(VICTIM).await?;
        timeline.event(&name, format_args!("is back after {BLOCKS_WITHOUT} blocks without it"));
        Ok(())
    }

    async fn closing_facts(&self) -> Vec<ClosingFact> {
        let fact = format!("has one app hash on all {VALIDATORS} validators, the killed one included");
        vec![ClosingFact { fact, outcome: check_app_hashes(&self.rpc).await }]
    }

    async fn stop(self: Box<Self>) {
        // Whoever still watches holds a share; dropping the last one ends the processes too.
        if let Some(network) = Arc::into_inner(self.network) {
            network.into_inner().stop();
        }
    }
}

/// Compares what each validator's own application answered to the newest block of any of them.
async fn check_app_hashes(rpc: &[String]) -> Result<(), String> {
    let mut height = 0;
    for url in rpc {
        height = height.max(fetch_height(url).await?);
    }
    let mut hashes = vec![];
    for url in rpc {
        wait_for_height(url, height).await?;
        hashes.push(fetch_app_hash(url, height).await?);
    }
    if hashes.windows(2).all(|pair| pair[0] == pair[1]) {
        return Ok(());
    }
    Err(format!("at height {height} the validators have {}", hashes.join(", ")))
}

fn client(url: &str) -> Result<HttpClient, String> {
    HttpClient::new(url).map_err(|err| format!("{url}: {err}"))
}

async fn fetch_height(url: &str) -> Result<u64, String> {
    let status = client(url)?.status().await.map_err(|err| format!("{url}: {err}"))?;
    Ok(status.sync_info.latest_block_height.value())
}

async fn fetch_app_hash(url: &str, height: u64) -> Result<String, String> {
    let height = u32::try_from(height).map_err(|err| err.to_string())?;
    let results = client(url)?.block_results(height).await.map_err(|err| format!("{url}: {err}"))?;
    Ok(hex::encode(results.app_hash.as_bytes()))
}

/// Waits until a node has executed a block: its results are there.
async fn wait_for_height(url: &str, height: u64) -> Result<(), String> {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let seen = fetch_app_hash(url, height).await;
        match seen {
            Ok(_) => return Ok(()),
            Err(why) if Instant::now() > deadline => {
                return Err(format!("height {height} is not reached within {DEADLINE:?}: {why}"));
            }
            Err(_) => tokio::time::sleep(LOOK_AGAIN).await,
        }
    }
}
