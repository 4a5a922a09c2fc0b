//! What goes into a proposed block, and which proposals are accepted.
//!
//! A proposer orders as the single-process node does: refundable kinds first, otherwise as CometBFT has them, the order
//! of each account kept. It leaves out bytes that are no transaction and what is above the gas of a block. A validator
//! rejects only what no proposer of this kind could have made, by rules that need no state.

use crate::{
    app::{self, TxForm},
    node::{
        assemble::{MAX_BLOCK_BYTES, MAX_BLOCK_GAS},
        mempool::{self, Waiting},
    },
};
use cosmrs::proto::tendermint::v0_38::abci::{
    RequestPrepareProposal, RequestProcessProposal, ResponsePrepareProposal, ResponseProcessProposal,
    response_process_proposal::ProposalStatus,
};

fn max_gas() -> u64 {
    u64::try_from(MAX_BLOCK_GAS).unwrap_or(u64::MAX)
}

/// Chooses transactions for a block.
pub(super) fn prepare(asked: RequestPrepareProposal) -> ResponsePrepareProposal {
    let max_bytes = asked.max_tx_bytes.clamp(0, MAX_BLOCK_BYTES);
    let candidates: Vec<Waiting> = asked.txs.iter().filter_map(|tx| candidate(tx)).collect();
    let max_bytes = usize::try_from(max_bytes).unwrap_or(usize::MAX);
    let chosen = mempool::choose(&candidates, sized(max_bytes, candidates.len()), max_gas());
    ResponsePrepareProposal { txs: chosen.into_iter().map(|tx| tx.bytes.clone().into()).collect() }
}

/// Leaves room for what stands around each transaction in a block: a tag and up to four bytes of length.
fn sized(max_bytes: usize, count: usize) -> usize {
    max_bytes.saturating_sub(count.saturating_mul(5))
}

fn candidate(bytes: &[u8]) -> Option<Waiting> {
    let TxForm { gas_limit, priority, signers } = app::tx_form(bytes)?;
    Some(Waiting {
        hash: app::tx_hash(bytes),
        bytes: bytes.to_vec(),
        gas_wanted: gas_limit,
        priority,
        signers,
    })
}

/// Accepts a proposal made of transactions within the gas of a block.
pub(super) fn process(asked: &RequestProcessProposal) -> ResponseProcessProposal {
    let gas = asked.txs.iter().try_fold(0u64, |sum, tx| sum.checked_add(app::tx_form(tx)?.gas_limit));
    let status = match gas {
        Some(gas) if gas <= max_gas() => ProposalStatus::Accept,
        Some(_) | None => ProposalStatus::Reject,
    };
    ResponseProcessProposal { status: status.into() }
}
