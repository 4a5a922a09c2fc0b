//! Laws about blocks and the best chain.

use super::{Bench, Check, Violation, bench::elsewhere, call, present, require};
use crate::{dev, ports::BlockRef};
use bitcoin::{BlockHash, Network, block::Header, hashes::Hash};
use btc_staking_protocol::{headers::HeaderRules, height::BtcHeight};
use std::collections::HashMap;

/// Tip, hashes by height, headers and blocks tell one story, and what is not there is a plain no.
///
/// # Errors
/// The first [`super::Violation`].
pub async fn answers_about_blocks_agree(bench: &mut Bench<'_>) -> Check {
    let node = bench.node;
    let network = call("fetch_network", node.fetch_network().await)?;
    require("the node runs on regtest", network == Network::Regtest, network)?;
    let tip = call("fetch_tip", node.fetch_tip().await)?;
    let middle = BtcHeight::new(tip.height.to_u32() / 2);
    for height in [BtcHeight::new(0), BtcHeight::new(1), middle, tip.height] {
        let hash = call("fetch_block_hash", node.fetch_block_hash(height).await)?;
        let hash = present("every height up to the tip has a block", hash)?;
        let (header, known_height) =
            present("its header is known", call("fetch_header", node.fetch_header(&hash).await)?)?;
        require("a header hashes to its hash", header.block_hash() == hash, header)?;
        require("a header knows its height", known_height == height, known_height)?;
        let block = present("its block is known", call("fetch_block", node.fetch_block(&hash).await)?)?;
        require("block and header agree", block.header == header, header)?;
        require("the transactions are those of the header", block.check_merkle_root(), hash)?;
    }
    let at_tip = call("fetch_block_hash", node.fetch_block_hash(tip.height).await)?;
    require("the tip is the block at its height", at_tip == Some(tip.hash), at_tip)?;
    let above = present("there are more heights", tip.height.checked_add(1))?;
    for height in [above, BtcHeight::new(0x7fff_ffff)] {
        let none = call("fetch_block_hash", node.fetch_block_hash(height).await)?;
        require("there is no block above the tip", none.is_none(), none)?;
    }
    let unknown = BlockHash::from_byte_array([0xab; 32]);
    let header = call("fetch_header", node.fetch_header(&unknown).await)?;
    require("an unknown header is none", header.is_none(), header)?;
    let block = call("fetch_block", node.fetch_block(&unknown).await)?;
    require("an unknown block is none", block.is_none(), block)
}

/// Mined blocks follow one another, with commitments to their witnesses and headers a light client accepts.
///
/// # Errors
/// The first [`super::Violation`].
pub async fn mining_extends_the_tip(bench: &mut Bench<'_>) -> Check {
    let node = bench.node;
    let mut before = call("fetch_tip", node.fetch_tip().await)?;
    for block_ref in bench.mine(3).await? {
        let block =
            present("a mined block is there", call("fetch_block", node.fetch_block(&block_ref.hash).await)?)?;
        let header = block.header;
        require("a block names its parent", header.prev_blockhash == before.hash, header)?;
        require("heights ascend by one", Some(block_ref.height) == before.height.checked_add(1), block_ref)?;
        let ancestors = fetch_ancestors(bench, before).await?;
        let checked = HeaderRules::Regtest
            .check_in_context(&header, block_ref.height, |height| ancestors.get(&height).copied());
        require("a light client accepts the header", checked.is_ok(), checked)?;
        require("witnesses are committed to", block.check_witness_commitment(), block_ref)?;
        let height = block.bip34_block_height().ok();
        require("the coinbase names the height", height == Some(block_ref.height.to_u32().into()), height)?;
        before = block_ref;
    }
    let tip = call("fetch_tip", node.fetch_tip().await)?;
    require("the last mined block is the tip", tip == before, tip)
}

/// A replaced block leaves its height, stays readable, and the longer branch is the best chain.
///
/// # Errors
/// The first [`super::Violation`].
pub async fn replaced_blocks_leave_the_best_chain(bench: &mut Bench<'_>) -> Check {
    let node = bench.node;
    for depth in [1_u32, 3, 10] {
        let replaced = bench.mine(depth).await?;
        let mined = call("reorg", dev::reorg(node, depth, &elsewhere(depth)).await)?;
        let tip = call("fetch_tip", node.fetch_tip().await)?;
        require("the new branch is the best chain", mined.last() == Some(&tip), tip)?;
        require("it is one block longer", mined.len() == replaced.len() + 1, mined.len())?;
        for (old, new) in replaced.iter().zip(&mined) {
            require(
                "it replaces height by height",
                old.height == new.height && old.hash != new.hash,
                (old, new),
            )?;
            let at_height = call("fetch_block_hash", node.fetch_block_hash(old.height).await)?;
            require("a height belongs to the new block", at_height == Some(new.hash), at_height)?;
            let header = call("fetch_header", node.fetch_header(&old.hash).await)?;
            let (_, height) = present("a replaced header stays readable", header)?;
            require("with its height", height == old.height, height)?;
            let block = call("fetch_block", node.fetch_block(&old.hash).await)?;
            present("a replaced block stays readable", block)?;
        }
    }
    Ok(())
}

/// The eleven headers up to `block`: as many as the median time needs.
async fn fetch_ancestors(
    bench: &Bench<'_>,
    block: BlockRef,
) -> Result<HashMap<BtcHeight, Header>, Violation> {
    let mut ancestors = HashMap::new();
    let mut hash = block.hash;
    for _ in 0..11 {
        let header = call("fetch_header", bench.node.fetch_header(&hash).await)?;
        let (header, height) = present("every ancestor is known", header)?;
        ancestors.insert(height, header);
        hash = header.prev_blockhash;
    }
    Ok(ancestors)
}
