//! Relays Bitcoin headers to the chain's light client.
//!
//! The highest block both sides agree on is found from our side: walking down our best chain until the light client
//! knows the hash. What is above it is sent in order, in small messages: each header costs gas, and a message above a
//! node's gas limit is never taken. Only a branch goes out in one message up to one above the light client's tip,
//! because it takes a fork only with more work than its own (`chain.md` 2.2).

use bitcoin::{BlockHash, block::Header};
use btc_staking_bitcoin_node::ports::{BlockSource, NodeError};
use btc_staking_pos_chain::{ChainError, ChainMessage, LightClientReader, MessageOutcome, Submitter};
use btc_staking_protocol::height::BtcHeight;
use thiserror::Error;

/// Headers in one message that extends the light client's tip.
pub const CHUNK: u32 = 100;

/// Why headers could not be relayed.
#[derive(Debug, Error)]
pub enum RelayError {
    /// The Bitcoin node.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The chain.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The two disagree from the light client's first header on.
    #[error(
        "the light client starts at height {base} with block {expected}, our node has another block there"
    )]
    OtherBitcoin {
        /// Height of the light client's first header.
        base: BtcHeight,
        /// Its hash.
        expected: BlockHash,
    },
    /// The chain refused the headers.
    #[error("the light client refuses headers from height {from}: {reason}")]
    Refused {
        /// First height sent.
        from: BtcHeight,
        /// The chain's words.
        reason: String,
    },
}

/// What one round did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relayed {
    /// The light client has all our headers.
    UpToDate,
    /// This many headers were sent; there may be more.
    Sent(u32),
}

/// Sends the next headers the light client lacks.
///
/// # Errors
/// [`RelayError`]; the next round starts again from what both sides show.
pub async fn relay_once<N, C, S>(node: &N, chain: &C, submitter: &S) -> Result<Relayed, RelayError>
where
    N: BlockSource + ?Sized,
    C: LightClientReader + ?Sized,
    S: Submitter + ?Sized,
{
    let tip = node.fetch_tip().await?;
    let theirs = chain.fetch_light_client_tip().await?;
    if theirs.hash == tip.hash {
        return Ok(Relayed::UpToDate);
    }
    let common = find_common(node, chain, tip.height.min(theirs.height)).await?;
    if tip.height <= theirs.height {
        // They are ahead of our node, or on a branch that is no shorter: the light client would refuse ours, for a fee.
        return Ok(Relayed::UpToDate);
    }
    let Some(from) = common.checked_add(1) else { return Ok(Relayed::UpToDate) };
    // Zero branch blocks when the light client's tip is on our chain.
    let branch = theirs.height.to_u32().saturating_sub(common.to_u32());
    let count = CHUNK.max(branch.saturating_add(1));
    let Some(headers) = fetch_headers(node, from, tip.height, count).await? else {
        // Our best chain changed while it was read; the next round sees the new one.
        return Ok(Relayed::Sent(0));
    };
    if headers.is_empty() {
        return Ok(Relayed::Sent(0));
    }
    let count = u32::try_from(headers.len()).unwrap_or(u32::MAX);
    for outcome in submitter.submit(vec![ChainMessage::InsertHeaders(headers)]).await? {
        match outcome {
            MessageOutcome::Accepted { .. } | MessageOutcome::AlreadyDone(_) => {}
            MessageOutcome::Unknown(error) => return Err(error.into()),
            MessageOutcome::Refused(refusal) => {
                return Err(RelayError::Refused { from, reason: refusal.to_string() });
            }
        }
    }
    Ok(Relayed::Sent(count))
}

/// The highest height at or below `start` at which the light client has our block.
async fn find_common<N, C>(node: &N, chain: &C, start: BtcHeight) -> Result<BtcHeight, RelayError>
where
    N: BlockSource + ?Sized,
    C: LightClientReader + ?Sized,
{
    let base = chain.fetch_light_client_base().await?;
    let mut height = start;
    loop {
        if let Some(hash) = node.fetch_block_hash(height).await?
            && chain.light_client_contains(&hash).await?
        {
            return Ok(height);
        }
        match height.checked_sub(1) {
            Some(below) if below >= base.height => height = below,
            _ => return Err(RelayError::OtherBitcoin { base: base.height, expected: base.hash }),
        }
    }
}

/// Headers of the best chain from `from` to `to`, at most `count`; `None` when they do not form a chain because the
/// best chain changed meanwhile.
async fn fetch_headers<N: BlockSource + ?Sized>(
    node: &N,
    from: BtcHeight,
    to: BtcHeight,
    count: u32,
) -> Result<Option<Vec<Header>>, RelayError> {
    let last = to.to_u32().min(from.to_u32().saturating_add(count.saturating_sub(1)));
    let mut headers: Vec<Header> = Vec::new();
    for height in from.to_u32()..=last {
        let Some(hash) = node.fetch_block_hash(BtcHeight::new(height)).await? else { return Ok(None) };
        let Some((header, _)) = node.fetch_header(&hash).await? else { return Ok(None) };
        if headers.last().is_some_and(|parent| parent.block_hash() != header.prev_blockhash) {
            return Ok(None);
        }
        headers.push(header);
    }
    Ok(Some(headers))
}
