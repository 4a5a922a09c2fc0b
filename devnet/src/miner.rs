//! The miner: a Bitcoin block at even intervals, and blocks at once where the devnet needs them.

use bitcoin::{Address, ScriptBuf};
use btc_staking_bitcoin_node::{NodeError, bitcoind::Bitcoind, dev::DevNode};
use std::{sync::Arc, time::Duration};
use tokio::{task::JoinHandle, time::MissedTickBehavior};

/// Blocks until a coinbase may be spent.
pub const COINBASE_MATURITY: u32 = 100;

/// Mines on a node. Dropping it stops the even blocks.
pub struct Miner {
    node: Arc<Bitcoind>,
    script: ScriptBuf,
    even_blocks: Option<JoinHandle<()>>,
}

impl Miner {
    /// A miner whose coins go to `address`. It rests until [`Miner::start`].
    pub fn new(node: Arc<Bitcoind>, address: &Address) -> Self {
        Self { node, script: address.script_pubkey(), even_blocks: None }
    }

    /// Gives each address one block's coins and buries them deep enough to be spent.
    ///
    /// # Errors
    /// [`NodeError`].
    pub async fn fund(&self, addresses: &[Address]) -> Result<(), NodeError> {
        for address in addresses {
            self.node.mine(1, &address.script_pubkey()).await?;
        }
        self.node.mine(COINBASE_MATURITY, &self.script).await?;
        Ok(())
    }

    /// Mines a block every `interval` from now on.
    pub fn start(&mut self, interval: Duration) {
        self.pause();
        let (node, script) = (Arc::clone(&self.node), self.script.clone());
        self.even_blocks = Some(tokio::spawn(async move {
            let mut ticks = tokio::time::interval(interval);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                if let Err(error) = node.mine(1, &script).await {
                    tracing::warn!(%error, "no block mined, trying again");
                }
            }
        }));
    }

    /// Stops the even blocks.
    pub fn pause(&mut self) {
        if let Some(task) = self.even_blocks.take() {
            task.abort();
        }
    }
}

impl Drop for Miner {
    fn drop(&mut self) {
        self.pause();
    }
}
