//! A real node in the place of the embedded one.

use crate::support::{ForeignNode, TestNode, World};
use btc_staking_babylon::proto::checkpointing::RawCheckpointResponse;
use btc_staking_devnet::staking_chain::{
    StakingChain as _,
    babylon::{BabylonChain, Babylond, checkpoint::Checkpoint},
};
use btc_staking_devnet_chain::Genesis;
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tendermint_rpc::{Client as _, HttpClient};
use tokio::task::JoinHandle;

/// The node's pause between two blocks.
const BLOCK_TIME: Duration = Duration::from_millis(300);

/// A node whose height is looked at all the time, as the embedded one knows its own.
struct RealNode {
    chain: BabylonChain,
    tag: [u8; 4],
    height: Arc<AtomicU64>,
    looking: JoinHandle<()>,
}

/// A world on a real node that starts from this genesis; `None`, and a word about it, where there is no babylond.
pub async fn real_world(genesis: Genesis) -> Option<World> {
    let Some(exe) = std::env::var_os("BABYLOND_EXE").map(PathBuf::from) else {
        println!("SKIPPED: BABYLOND_EXE names no babylond");
        return None;
    };
    let dir = tempfile::tempdir().unwrap();
    let chain =
        Babylond { exe }.start(&[], &genesis, BLOCK_TIME, &dir.path().join("chain"), dir.path()).await;
    let chain = chain.unwrap_or_else(|failure| panic!("{}", failure.error));
    println!("{}", chain.describe());
    let mut tag = [0; 4];
    hex::decode_to_slice(&genesis.checkpoint_tag, &mut tag).unwrap();
    let height = Arc::new(AtomicU64::new(0));
    let client = HttpClient::new(chain.rpc()[0].as_str()).unwrap();
    let looking = tokio::spawn(look(client, Arc::clone(&height)));
    let node = TestNode::Foreign(Box::new(RealNode { chain, tag, height, looking }));
    Some(World::around(node, genesis.staking_params.latest().clone(), dir).await)
}

async fn look(client: HttpClient, height: Arc<AtomicU64>) {
    loop {
        // Not the status: it tells of a block before its state can be asked for.
        if let Ok(info) = client.abci_info().await {
            height.store(info.last_block_height.value(), Ordering::Relaxed);
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

impl ForeignNode for RealNode {
    fn rpc_url(&self) -> String {
        self.chain.rpc()[0].clone()
    }

    fn grpc_url(&self) -> String {
        self.chain.grpc()
    }

    fn height(&self) -> u64 {
        self.height.load(Ordering::Relaxed)
    }

    fn checkpoint_outputs(
        &self,
        checkpoint: &RawCheckpointResponse,
        submitter: [u8; 20],
    ) -> [bitcoin::TxOut; 2] {
        Checkpoint::from_answer(checkpoint).unwrap().outputs(self.tag, submitter)
    }
}

impl Drop for RealNode {
    fn drop(&mut self) {
        self.looking.abort();
    }
}
