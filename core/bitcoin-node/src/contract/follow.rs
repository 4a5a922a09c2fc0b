//! Laws about following: what the follower and the watch see of a node.

use super::{
    Bench, Check, Violation,
    bench::{FEE, anyone, elsewhere, spend},
    call, present, require,
};
use crate::{
    dev::{self, RegtestNode},
    follower::{ChainEvent, Cursor, FollowError, Follower},
    ports::{BlockRef, BlockSource, Result},
    watch::Watch,
};
use async_trait::async_trait;
use bitcoin::{Block, BlockHash, Network, OutPoint, block::Header};
use btc_staking_protocol::height::BtcHeight;
use std::sync::Arc;

/// Blocks the follower remembers here, more than any reorg below is deep.
const WINDOW: u32 = 100;

/// Played back, the follower's events lead to the best chain, through jumps and reorgs, and nothing comes twice.
///
/// # Errors
/// The first [`super::Violation`].
pub async fn a_follower_sees_every_change_once(bench: &mut Bench<'_>) -> Check {
    let start = call("fetch_tip", bench.node.fetch_tip().await)?;
    let mut follower = follow(bench.node, start.height);
    let mut seen: Vec<BlockRef> = Vec::new();
    for (mined, replaced) in [(0, 0), (1, 0), (30, 0), (1, 1), (2, 20), (0, 5)] {
        bench.mine(mined).await?;
        if replaced > 0 {
            call("reorg", dev::reorg(bench.node, replaced, &elsewhere(replaced)).await)?;
        }
        for event in catch_up(&mut follower).await? {
            play(&mut seen, &event)?;
        }
        let tip = call("fetch_tip", bench.node.fetch_tip().await)?;
        require("the follower ends at the tip", seen.last() == Some(&tip), (seen.last(), tip))?;
        require(
            "from its start",
            seen.first().map(|first| first.height) == Some(start.height),
            seen.first(),
        )?;
        let more = catch_up(&mut follower).await?;
        require("nothing comes twice", more.is_empty(), more.len())?;
    }
    Ok(())
}

/// The watch finds confirmation and spend, their Merkle proofs lead to the header, and a reorg takes both back.
///
/// # Errors
/// The first [`super::Violation`].
pub async fn a_watch_proves_what_it_saw(bench: &mut Bench<'_>) -> Check {
    let coin = bench.take()?;
    let tx = spend(&coin, FEE, &anyone());
    let (txid, outpoint) = (tx.compute_txid(), coin.outpoint);
    let mut watch = Watch::new();
    watch.watch_txid(txid);
    watch.watch_outpoint(outpoint);
    let mut follower = follow(bench.node, call("fetch_tip", bench.node.fetch_tip().await)?.height);
    bench.send(&tx).await?;
    let beside = bench.take()?;
    bench.send(&spend(&beside, FEE, &anyone())).await?;
    let block = *present("a block was mined", bench.mine(1).await?.first())?;
    feed(&mut watch, &mut follower).await?;
    verify_seen(bench, &watch, &tx, outpoint, block).await?;
    call("invalidate", bench.node.invalidate(&block.hash).await)?;
    feed(&mut watch, &mut follower).await?;
    require("a reorg takes the confirmation back", watch.confirmation(&txid).is_none(), &watch)?;
    require("and the spend", watch.spend(&outpoint).is_none(), &watch)?;
    let mined = call("mine", bench.node.mine(2, &elsewhere(0)).await)?;
    feed(&mut watch, &mut follower).await?;
    let block = *present("a block was mined", mined.first())?;
    verify_seen(bench, &watch, &tx, outpoint, block).await
}

async fn verify_seen(
    bench: &Bench<'_>,
    watch: &Watch,
    tx: &bitcoin::Transaction,
    outpoint: OutPoint,
    block: BlockRef,
) -> Check {
    let txid = tx.compute_txid();
    let confirmation = present("a watched transaction is seen", watch.confirmation(&txid))?;
    require("in its block", confirmation.block == block, confirmation)?;
    require("whole", confirmation.tx == *tx, confirmation)?;
    let header = call("fetch_header", bench.node.fetch_header(&block.hash).await)?;
    let (header, _) = present("its header is known", header)?;
    let verified = confirmation.inclusion_proof().verify(&txid, &header.merkle_root);
    require("its proof leads to the header", verified.is_ok(), verified)?;
    let spend = present("a watched output's spend is seen", watch.spend(&outpoint))?;
    require("by the transaction", spend.spender == *confirmation && spend.input_index == 0, spend)
}

fn follow<'a>(node: &'a dyn RegtestNode, start: BtcHeight) -> Follower<Blocks<'a>> {
    Follower::resume(Arc::new(Blocks(node)), Cursor::starting_at(start, WINDOW)).with_batch(7)
}

async fn feed(watch: &mut Watch, follower: &mut Follower<Blocks<'_>>) -> Check {
    for event in catch_up(follower).await? {
        watch.on_event(&event);
    }
    Ok(())
}

/// Polls until the node has nothing more.
async fn catch_up(follower: &mut Follower<Blocks<'_>>) -> std::result::Result<Vec<ChainEvent>, Violation> {
    let mut events = Vec::new();
    loop {
        let polled = follower.poll().await.map_err(|error| match error {
            FollowError::Node(source) => Violation::Failed { call: "poll", source },
            too_deep @ FollowError::ReorgTooDeep { .. } => {
                Violation::Broken { clause: "the window suffices", found: too_deep.to_string() }
            }
        })?;
        events.extend(polled.events);
        if polled.caught_up {
            return Ok(events);
        }
    }
}

/// Plays an event on a stack of blocks.
fn play(seen: &mut Vec<BlockRef>, event: &ChainEvent) -> Check {
    match event {
        ChainEvent::Connected { block_ref, block } => {
            let fits = seen.last().is_none_or(|last| last.hash == block.header.prev_blockhash);
            require("a connected block follows the last", fits, block_ref)?;
            seen.push(*block_ref);
        }
        ChainEvent::Disconnected { block_ref } => {
            let last = seen.pop();
            require("the last block is the one disconnected", last == Some(*block_ref), block_ref)?;
        }
    }
    Ok(())
}

/// A borrowed node's blocks, for a follower that wants to share its source.
struct Blocks<'a>(&'a dyn RegtestNode);

#[async_trait]
impl BlockSource for Blocks<'_> {
    async fn fetch_tip(&self) -> Result<BlockRef> {
        self.0.fetch_tip().await
    }
    async fn fetch_block_hash(&self, height: BtcHeight) -> Result<Option<BlockHash>> {
        self.0.fetch_block_hash(height).await
    }
    async fn fetch_header(&self, hash: &BlockHash) -> Result<Option<(Header, BtcHeight)>> {
        self.0.fetch_header(hash).await
    }
    async fn fetch_block(&self, hash: &BlockHash) -> Result<Option<Block>> {
        self.0.fetch_block(hash).await
    }
    async fn fetch_network(&self) -> Result<Network> {
        self.0.fetch_network().await
    }
}
