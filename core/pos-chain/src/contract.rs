//! The contract suite: what every implementation of the ports must do, run on the double, on the embedded chain and,
//! where one is at hand, on a real network.
//!
//! A check reads, and where it is given a [`Submitter`] it sends. It returns the first [`Violation`] instead of
//! panicking, so that a caller may also run the suite against a foreign node.

use crate::{
    event::{EventFollower, EventReader, HintReader},
    message::{ChainMessage, MessageOutcome, RefusalKind},
    ports::{ChainError, ErrorKind, HeadReader, PosChain, Submitter, VotingPower},
};
use bitcoin::{BlockHash, Txid, hashes::Hash};
use btc_staking_protocol::{
    delegation::DelegationStatus, height::PosHeight, inclusion::InclusionProof,
    keys::FinalityProviderPublicKey, params::ParamsVersion,
};
use std::{collections::BTreeSet, task::Poll};
use thiserror::Error;

/// A broken promise of a port.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Violation {
    /// A call failed that must not.
    #[error("{call} failed")]
    Failed {
        /// The call.
        call: &'static str,
        /// How it failed.
        #[source]
        source: ChainError,
    },
    /// An answer that contradicts the contract.
    #[error("{clause}: {found}")]
    Broken {
        /// What must hold.
        clause: &'static str,
        /// What was found.
        found: String,
    },
}

/// Result of a check.
pub type Check = Result<(), Violation>;

/// Runs every check that only reads.
///
/// # Errors
/// The first [`Violation`].
pub async fn check_reads(chain: &(impl PosChain + ?Sized)) -> Check {
    check_head(chain).await?;
    check_params(chain).await?;
    check_light_client(chain).await?;
    check_delegations(chain).await?;
    check_finality_providers(chain).await?;
    check_finality(chain).await?;
    check_watch(chain).await
}

/// The head names its chain and never goes back.
///
/// # Errors
/// The first [`Violation`].
pub async fn check_head(chain: &(impl PosChain + ?Sized)) -> Check {
    let first = call("fetch_head", chain.fetch_head().await)?;
    let second = call("fetch_head", chain.fetch_head().await)?;
    require("a chain has an id", !first.chain_id.is_empty(), &first)?;
    require("the id stays", first.chain_id == second.chain_id, (&first, &second))?;
    require("the height never goes back", first.height <= second.height, (&first, &second))
}

/// A provider that never was has no count, every node is named once, and later blocks have later times.
///
/// # Errors
/// The first [`Violation`].
pub async fn check_watch(chain: &(impl PosChain + ?Sized)) -> Check {
    if let Some(unknown) = unknown_provider() {
        let info = call("fetch_signing_info", chain.fetch_signing_info(&unknown).await)?;
        require("an unknown provider has no signing info", info.is_none(), info)?;
    }
    let nodes = chain.fetch_nodes().await;
    let names: BTreeSet<_> = nodes.iter().map(|node| node.name.as_str()).collect();
    require("every node is named once", names.len() == nodes.len(), &nodes)?;
    let silent = nodes.iter().find(|node| node.told.is_none() && node.trouble.is_none());
    require("a silent node is told so", silent.is_none(), silent)?;
    let tip = call("fetch_head", chain.fetch_head().await)?.height;
    let Some(before) = tip.checked_sub(1).filter(|before| before.to_u64() > 0) else { return Ok(()) };
    match (chain.fetch_block_time(before).await, chain.fetch_block_time(tip).await) {
        (Ok(before), Ok(tip)) => require("time goes on", before <= tip, (before, tip)),
        (Err(error), _) | (_, Err(error)) if error.is_transient() => Ok(()),
        (earlier, later) => require("blocks have times", false, (earlier, later)),
    }
}

/// Versions ascend together with their activation heights, and each can be read alone.
///
/// # Errors
/// The first [`Violation`].
pub async fn check_params(chain: &(impl PosChain + ?Sized)) -> Check {
    let all = call("fetch_staking_params", chain.fetch_staking_params().await)?;
    for pair in all.windows(2) {
        let versions = (pair[0].version, pair[1].version);
        require("versions ascend by one", versions.0.0.checked_add(1) == Some(versions.1.0), versions)?;
        let heights = (pair[0].btc_activation_height, pair[1].btc_activation_height);
        require("activation heights ascend", heights.0 < heights.1, heights)?;
    }
    for params in &all {
        let alone = chain.fetch_staking_params_version(params.version).await;
        let alone = call("fetch_staking_params_version", alone)?;
        require("a version reads alike alone", alone == *params, (&alone, params))?;
    }
    let unknown = chain.fetch_staking_params_version(ParamsVersion(u32::MAX)).await;
    let kind = unknown.as_ref().map_err(|error| error.kind).err();
    require("an unknown version is not known yet", kind == Some(ErrorKind::NotYet), unknown)?;
    let depths = call("fetch_checkpoint_params", chain.fetch_checkpoint_params().await)?;
    require("k is at most w", depths.confirmation_depth <= depths.finalization_timeout, depths)?;
    let finality = call("fetch_finality_params", chain.fetch_finality_params().await)?;
    require("somebody may be active", finality.max_active_finality_providers > 0, finality)
}

/// Base and tip are on the light client's chain, hash to what they say, and an unknown header is a plain no.
///
/// # Errors
/// The first [`Violation`].
pub async fn check_light_client(chain: &(impl PosChain + ?Sized)) -> Check {
    let base = call("fetch_light_client_base", chain.fetch_light_client_base().await)?;
    let tip = call("fetch_light_client_tip", chain.fetch_light_client_tip().await)?;
    require("the base is not above the tip", base.height <= tip.height, (base, tip))?;
    for header in [base, tip] {
        require("a header hashes to its hash", header.header.block_hash() == header.hash, header)?;
        let contains = call("light_client_contains", chain.light_client_contains(&header.hash).await)?;
        require("base and tip are contained", contains, header.hash)?;
    }
    let unknown = BlockHash::from_byte_array([0xab; 32]);
    let contains = call("light_client_contains", chain.light_client_contains(&unknown).await)?;
    require("an unknown header is not contained", !contains, unknown)
}

/// An unknown stake is a plain no; a listed one reads alike alone; filters by status are exact.
///
/// # Errors
/// The first [`Violation`].
pub async fn check_delegations(chain: &(impl PosChain + ?Sized)) -> Check {
    let unknown = call("fetch_delegation", chain.fetch_delegation(&unknown_txid()).await)?;
    require("an unknown stake is none", unknown.is_none(), &unknown)?;
    let all = call("fetch_delegations", chain.fetch_delegations(None).await)?.items;
    let mut seen = BTreeSet::new();
    for listed in &all {
        let txid = listed.terms.staking_tx.compute_txid();
        require("no stake is listed twice", seen.insert(txid), txid)?;
        let alone = call("fetch_delegation", chain.fetch_delegation(&txid).await)?;
        let same = alone.as_ref().is_some_and(|alone| alone.terms == listed.terms);
        require("a listed stake reads alike alone", same, txid)?;
        if let Some(heights) = listed.inclusion {
            let lock = u32::from(listed.terms.staking_time.blocks());
            require(
                "the end is start plus timelock",
                heights.start.checked_add(lock) == Some(heights.end),
                heights,
            )?;
        }
    }
    for status in STATUSES {
        let some = call("fetch_delegations", chain.fetch_delegations(Some(status)).await)?.items;
        let stray = some.iter().find(|delegation| delegation.status != status);
        require("a filter by status is exact", stray.is_none(), (status, stray.map(|stray| stray.status)))?;
    }
    Ok(())
}

const STATUSES: [DelegationStatus; 5] = [
    DelegationStatus::Pending,
    DelegationStatus::Verified,
    DelegationStatus::Active,
    DelegationStatus::Unbonded,
    DelegationStatus::Expired,
];

/// A listed provider reads alike alone, and a height ahead of the chain has no power table or is not known yet.
///
/// # Errors
/// The first [`Violation`].
pub async fn check_finality_providers(chain: &(impl PosChain + ?Sized)) -> Check {
    let all = call("fetch_finality_providers", chain.fetch_finality_providers().await)?.items;
    let keys: BTreeSet<_> = all.iter().map(|provider| provider.key).collect();
    require("no provider is listed twice", keys.len() == all.len(), keys.len())?;
    for listed in &all {
        let alone = call("fetch_finality_provider", chain.fetch_finality_provider(&listed.key).await)?;
        let same = alone.as_ref().is_some_and(|alone| alone.account == listed.account);
        require("a listed provider reads alike alone", same, &alone)?;
        let to = call("fetch_delegations_to", chain.fetch_delegations_to(&listed.key).await)?;
        let stray = to.items.iter().find(|stake| !stake.terms.finality_providers.contains(&listed.key));
        require("stakes to a provider name it", stray.is_none(), listed.key)?;
        let ahead = chain.fetch_voting_power(&listed.key, far_ahead()).await;
        let holds = match &ahead {
            Ok(power) => *power == VotingPower::NoTable,
            Err(error) => error.kind == ErrorKind::NotYet,
        };
        require("a height ahead has no power table, or is not known yet", holds, ahead)?;
    }
    check_powers(chain, &keys.into_iter().collect::<Vec<_>>()).await
}

/// Powers read together are those read alone, also together with a key nobody registered.
async fn check_powers(chain: &(impl PosChain + ?Sized), keys: &[FinalityProviderPublicKey]) -> Check {
    let head = call("fetch_head", chain.fetch_head().await)?;
    let none = call("fetch_voting_powers", chain.fetch_voting_powers(&[], head.height).await)?;
    require("nobody asked for has no power", none.is_empty(), &none)?;
    for height in [Some(head.height), head.height.checked_sub(1)].into_iter().flatten() {
        let together = call("fetch_voting_powers", chain.fetch_voting_powers(keys, height).await)?;
        require("every provider has its power", together.len() == keys.len(), &together)?;
        for (key, power) in keys.iter().zip(together) {
            let alone = call("fetch_voting_power", chain.fetch_voting_power(key, height).await)?;
            require("power reads alike alone", alone == power, (key, height, alone, power))?;
        }
    }
    Ok(())
}

/// Unindexed heights are none, the last finalised block is final, commitments ascend without overlap.
///
/// # Errors
/// The first [`Violation`].
pub async fn check_finality(chain: &(impl PosChain + ?Sized)) -> Check {
    let ahead = call("fetch_indexed_block", chain.fetch_indexed_block(far_ahead()).await)?;
    require("a height ahead is not indexed", ahead.is_none(), ahead)?;
    let votes = call("fetch_votes", chain.fetch_votes(far_ahead()).await)?;
    require("nobody voted for a height ahead", votes.is_empty(), &votes)?;
    if let Some(block) = call("fetch_last_finalised", chain.fetch_last_finalised().await)? {
        require("the last finalised block is final", block.finalised, block)?;
        let alone = call("fetch_indexed_block", chain.fetch_indexed_block(block.height).await)?;
        require("the last finalised block is indexed", alone == Some(block), alone)?;
        let activated = call("fetch_activated_height", chain.fetch_activated_height().await)?;
        let after = activated.is_some_and(|first| first <= block.height);
        require("nothing is final before activation", after, activated)?;
    }
    let interval = call("fetch_epoch_interval", chain.fetch_epoch_interval().await)?;
    require("an epoch has more than one block", interval.is_none_or(|blocks| blocks.get() > 1), interval)?;
    check_blocks(chain).await?;
    for provider in call("fetch_finality_providers", chain.fetch_finality_providers().await)?.items {
        check_commitments(chain, &provider.key).await?;
        check_voted_heights(chain, &provider.key).await?;
    }
    call("fetch_last_finalised_epoch", chain.fetch_last_finalised_epoch().await).map(|_| ())
}

/// Blocks read together ascend from where they were asked for, and read alike alone.
async fn check_blocks(chain: &(impl PosChain + ?Sized)) -> Check {
    let ahead = call("fetch_indexed_blocks", chain.fetch_indexed_blocks(far_ahead(), 10).await)?;
    require("no block ahead is indexed", ahead.is_empty(), &ahead)?;
    let first = call("fetch_indexed_blocks", chain.fetch_indexed_blocks(PosHeight::new(1), 5).await)?;
    require("no more blocks than asked for", first.len() <= 5, &first)?;
    let ascends = first.windows(2).all(|pair| pair[0].height < pair[1].height);
    require("blocks ascend", ascends, &first)?;
    let Some(last) = first.last() else { return Ok(()) };
    let again = call("fetch_indexed_blocks", chain.fetch_indexed_blocks(last.height, 1).await)?;
    let found = again.first().map(|block| (block.height, block.app_hash));
    require("a page begins where it was asked to", found == Some((last.height, last.app_hash)), &again)?;
    let alone = call("fetch_indexed_block", chain.fetch_indexed_block(last.height).await)?;
    let alone = alone.map(|block| (block.height, block.app_hash));
    require("a block reads alike alone", alone == found, (alone, found))
}

/// A provider voted where the chain says it did, and nowhere ahead.
async fn check_voted_heights(chain: &(impl PosChain + ?Sized), key: &FinalityProviderPublicKey) -> Check {
    let ahead = call("fetch_voted_heights", chain.fetch_voted_heights(key, far_ahead(), 10).await)?;
    require("nobody voted for a height ahead", ahead.is_empty(), &ahead)?;
    let first = call("fetch_voted_heights", chain.fetch_voted_heights(key, PosHeight::new(0), 5).await)?;
    require("no more heights than asked for", first.len() <= 5, &first)?;
    require("heights ascend", first.windows(2).all(|pair| pair[0] < pair[1]), &first)?;
    let Some(last) = first.last() else { return Ok(()) };
    let again = call("fetch_voted_heights", chain.fetch_voted_heights(key, *last, 1).await)?;
    require("a page begins where it was asked to", again.first() == Some(last), &again)
}

/// Every block up to the tip tells what happened in it, the same each time, and a block ahead is not known yet.
///
/// # Errors
/// The first [`Violation`].
pub async fn check_events(chain: &(impl EventReader + HeadReader + ?Sized)) -> Check {
    let head = call("fetch_head", chain.fetch_head().await)?;
    let mut follower = EventFollower::after(PosHeight::new(0));
    let blocks = call("fetch_next", follower.fetch_next(chain, SOME_BLOCKS).await)?;
    let heights: Vec<u64> = blocks.iter().map(|block| block.height.to_u64()).collect();
    let is_gapless = heights.iter().zip(1..).all(|(height, expected)| *height == expected);
    require("blocks follow each other without a gap", is_gapless, &heights)?;
    for height in [PosHeight::new(1), head.height] {
        let first = call("fetch_events", chain.fetch_events(height).await)?;
        let again = call("fetch_events", chain.fetch_events(height).await)?;
        let same = first.items.len() == again.items.len() && first.malformed == again.malformed;
        require("a block tells the same each time", same, height)?;
    }
    let ahead = chain.fetch_events(far_ahead()).await;
    let kind = ahead.as_ref().map_err(|error| error.kind).err();
    require("a block ahead is not known yet", kind == Some(ErrorKind::NotYet), kind)
}

/// Blocks read by the check of events.
const SOME_BLOCKS: usize = 20;

/// Waiting for a hint ends with one or with the wait, and hints are given to each who asks.
///
/// # Errors
/// The first [`Violation`].
pub async fn check_hints(chain: &(impl HintReader + ?Sized), blocks_come: bool, wait: impl Future) -> Check {
    let (mut one, mut other) = (chain.block_hints(), chain.block_hints());
    let both = async {
        one.next().await;
        other.next().await;
    };
    let heard = first_of(both, wait).await;
    require("every listener hears of new blocks, or nobody does", heard == blocks_come, heard)
}

/// Whether `first` ends before `second`.
async fn first_of(first: impl Future<Output = ()>, second: impl Future) -> bool {
    let (mut first, mut second) = (Box::pin(first), Box::pin(second));
    std::future::poll_fn(|context| {
        if first.as_mut().poll(context).is_ready() {
            return Poll::Ready(true);
        }
        second.as_mut().poll(context).map(|_| false)
    })
    .await
}

async fn check_commitments(chain: &(impl PosChain + ?Sized), key: &FinalityProviderPublicKey) -> Check {
    let commitments = chain.fetch_randomness_commitments(key).await;
    let commitments = call("fetch_randomness_commitments", commitments)?;
    for pair in commitments.windows(2) {
        let end = pair[0].start_height.checked_add(pair[0].count);
        require("commitments do not overlap", end.is_some_and(|end| end <= pair[1].start_height), pair)?;
    }
    Ok(())
}

/// One outcome per message, in order, and one that fails does not drag others down.
///
/// `good` are messages this chain accepts from this account, in an order in which they may be sent.
///
/// # Errors
/// The first [`Violation`].
pub async fn check_submission(
    chain: &(impl PosChain + ?Sized),
    submitter: &(impl Submitter + ?Sized),
    good: Vec<ChainMessage>,
) -> Check {
    let none = call("submit", submitter.submit(Vec::new()).await)?;
    require("no messages have no outcomes", none.is_empty(), &none)?;
    let count = good.len();
    let mut messages = good;
    let middle = count / 2;
    messages.insert(middle, unprovable());
    let outcomes = call("submit", submitter.submit(messages).await)?;
    require("every message has one outcome", outcomes.len() == count + 1, &outcomes)?;
    for (position, outcome) in outcomes.iter().enumerate() {
        if position == middle {
            check_refused_as_unknown(outcome)?;
        } else {
            check_accepted(chain, outcome).await?;
        }
    }
    Ok(())
}

fn check_refused_as_unknown(outcome: &MessageOutcome) -> Check {
    let unknown = match outcome {
        MessageOutcome::Refused(refusal) => refusal.kind == RefusalKind::DelegationNotFound,
        MessageOutcome::Accepted { .. } | MessageOutcome::AlreadyDone(_) | MessageOutcome::Unknown(_) => {
            false
        }
    };
    require("a proof for an unknown stake is refused as such", unknown, outcome)
}

async fn check_accepted(chain: &(impl PosChain + ?Sized), outcome: &MessageOutcome) -> Check {
    let MessageOutcome::Accepted { tx_hash, height } = outcome else {
        return require("a good message is accepted", false, outcome);
    };
    let is_hash =
        tx_hash.len() == 64 && tx_hash.bytes().all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b));
    require("a transaction hash is 64 upper-case hex digits", is_hash, tx_hash)?;
    let head = call("fetch_head", chain.fetch_head().await)?;
    require(
        "the block of an accepted message is at most one ahead",
        *height <= head.height.next(),
        (height, &head),
    )
}

fn unprovable() -> ChainMessage {
    let proof = InclusionProof {
        block_hash: BlockHash::from_byte_array([0xab; 32]),
        index: 1,
        siblings: vec![[0xcd; 32]],
    };
    ChainMessage::AddInclusionProof { staking_txid: unknown_txid(), proof }
}

fn unknown_txid() -> Txid {
    Txid::from_byte_array([0xee; 32])
}

/// The key whose secret is 1, which nobody registers.
fn unknown_provider() -> Option<FinalityProviderPublicKey> {
    "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798".parse().ok()
}

/// A height no test reaches, within the signed 64-bit range of nodes.
fn far_ahead() -> PosHeight {
    PosHeight::new(1 << 40)
}

fn call<T>(call: &'static str, result: Result<T, ChainError>) -> Result<T, Violation> {
    result.map_err(|source| Violation::Failed { call, source })
}

fn require(clause: &'static str, holds: bool, found: impl std::fmt::Debug) -> Check {
    if holds {
        return Ok(());
    }
    Err(Violation::Broken { clause, found: format!("{found:?}") })
}
