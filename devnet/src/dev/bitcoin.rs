//! Mining, reorganisations, and what follows from depth.

use super::{DEADLINE, client::Client, progress, until};
use bitcoin::{ScriptBuf, WPubkeyHash, hashes::Hash};
use btc_staking_babylon::proto::epoching::QueryCurrentEpochRequest;
use btc_staking_bitcoin_node::{BlockSource as _, dev};
use btc_staking_daemon::cli::{Exit, FailWith, Failure};
use btc_staking_pos_chain::{
    FinalityReader as _, HeadReader as _, LightClientReader as _, ParamsReader as _,
};
use serde_json::{Value, json};
use std::time::Duration;

pub(super) async fn mine(client: &Client, blocks: u32) -> Result<Value, Failure> {
    mine_blocks(client, blocks).await?;
    tip(client).await
}

async fn mine_blocks(client: &Client, blocks: u32) -> Result<(), Failure> {
    /// Blocks asked for at once.
    const PART: u32 = 100;
    let script = client.place.seed().miner_address().script_pubkey();
    let mut left = blocks;
    while left > 0 {
        let part = left.min(PART);
        dev::DevNode::mine(&client.bitcoin, part, &script).await?;
        left -= part;
        if blocks > PART {
            progress(format_args!("{} of {blocks} blocks mined", blocks - left));
        }
    }
    Ok(())
}

async fn tip(client: &Client) -> Result<Value, Failure> {
    let tip = client.bitcoin.fetch_tip().await?;
    Ok(json!({ "bitcoin_height": tip.height.to_u32(), "bitcoin_tip": tip.hash.to_string() }))
}

/// A reorganisation as deep as `k` halts the staking chain, so it has to be asked for.
pub(super) async fn reorg(client: &Client, depth: u32, halt: bool) -> Result<Value, Failure> {
    let k = client.chain.fetch_checkpoint_params().await.fail_with(Exit::Unreachable)?.confirmation_depth;
    if depth >= k.to_u32() && !halt {
        let why =
            format!("a reorg of {depth} halts the chain, whose confirmation depth is {k}; ask with --halt");
        return Err(Failure::new(Exit::Refused, why));
    }
    // Pays to nobody, and differently after every tip, so that the blocks are no old ones.
    let tip_before = client.bitcoin.fetch_tip().await?;
    let script = ScriptBuf::new_p2wpkh(&WPubkeyHash::hash(&tip_before.hash.to_byte_array()));
    let blocks = dev::reorg(&client.bitcoin, depth, &script).await?;
    let replaced_from = blocks.first().map_or(0, |block| block.height.to_u32());
    let mut result = tip(client).await?;
    result["replaced_from"] = replaced_from.into();
    Ok(result)
}

/// Somebody has to report the headers: the slasher of a devnet does.
pub(super) async fn finalise_epoch(client: &Client) -> Result<Value, Failure> {
    let epoch = client.ask(&QueryCurrentEpochRequest {}).await?;
    progress(format_args!("epoch {} ends at height {}", epoch.current_epoch, epoch.epoch_boundary));
    let hour = Duration::from_secs(3_600);
    until("end of the epoch", hour, || async {
        let head = client.chain.fetch_head().await.fail_with(Exit::Unreachable)?;
        // One more: what is recorded at the end of the last block is seen in the next.
        Ok((head.height.to_u64() > epoch.epoch_boundary).then_some(()))
    })
    .await?;
    let w = client.chain.fetch_checkpoint_params().await.fail_with(Exit::Unreachable)?.finalization_timeout;
    progress(format_args!("mining {w} Bitcoin blocks"));
    mine_blocks(client, w.to_u32()).await?;
    let height = client.bitcoin.fetch_tip().await?.height;
    until("Bitcoin headers on the staking chain; does anybody report them?", DEADLINE, || async {
        let tip = client.chain.fetch_light_client_tip().await.fail_with(Exit::Unreachable)?;
        Ok((tip.height >= height).then_some(()))
    })
    .await?;
    let last = until("finality of the epoch", DEADLINE, || async {
        let last = client.chain.fetch_last_finalised_epoch().await.fail_with(Exit::Unreachable)?;
        Ok((last.to_u64() >= epoch.current_epoch).then_some(last))
    })
    .await?;
    let mut result = tip(client).await?;
    result["last_finalised_epoch"] = last.to_u64().into();
    Ok(result)
}
