//! What a message does to the double's state: the chain's effect had every check passed.
//!
//! Only the refusals that races between roles produce are modelled: an unknown provider or delegation, and a message
//! whose effect is already there. Everything else is accepted.

use super::ChainState;
use crate::{
    message::{
        ChainMessage, FinalityProviderRegistration, MessageOutcome, Refusal, RefusalKind, UndelegationReport,
    },
    ports::{FinalityProvider, LightClientHeader, SlashedAt, StoredCommitment},
};
use bitcoin::{Txid, block::Header};
use btc_staking_protocol::{
    delegation::{
        CovenantSignatureSet, CovenantSignatures, Delegation, DelegationRequest, DelegationStatus,
        ExpansionRecord, InclusionHeights, ReportedSpend,
    },
    finality::{evidence::Evidence, vote::SignedVote},
    height::{BtcHeight, PosHeight},
    inclusion::InclusionProof,
    keys::{AccountAddress, FinalityProviderPublicKey},
    params::ParamsVersion,
};

/// Applies `message` and returns its outcome. The transaction is in the block above the tip.
pub(super) fn apply(
    state: &mut ChainState,
    account: &AccountAddress,
    message: &ChainMessage,
) -> MessageOutcome {
    let done = match message {
        ChainMessage::CreateFinalityProvider(registration) => create_provider(state, registration),
        ChainMessage::EditFinalityProvider { finality_provider, description, commission } => {
            provider(state, finality_provider).map(|provider| {
                provider.description = description.clone();
                provider.commission.rate = commission.unwrap_or(provider.commission.rate);
            })
        }
        ChainMessage::UnjailFinalityProvider(key) => {
            provider(state, key).and_then(|provider| match std::mem::replace(&mut provider.jailed, false) {
                true => Ok(()),
                false => Err(already("the finality provider is not jailed")),
            })
        }
        ChainMessage::RegisterDelegation(request) => register(state, request),
        ChainMessage::AddCovenantSignatures(set) => add_signatures(state, set),
        ChainMessage::AddInclusionProof { staking_txid, proof } => add_proof(state, staking_txid, proof),
        ChainMessage::ReportUndelegation(report) => report_spend(state, report),
        ChainMessage::SelectiveSlashingEvidence(_)
        | ChainMessage::WithdrawReward(_)
        | ChainMessage::SetWithdrawAddress(_) => Ok(()),
        ChainMessage::CommitRandomness(commitment) => {
            let stored = StoredCommitment {
                start_height: commitment.start_height,
                count: commitment.count,
                root: commitment.root,
                epoch: state.epoch,
            };
            state.commitments.entry(commitment.finality_provider).or_default().push(stored);
            Ok(())
        }
        ChainMessage::AddFinalitySignature(vote) => add_vote(state, vote),
        ChainMessage::InsertHeaders(headers) => insert_headers(state, headers),
    };
    let height = state.head.height.next();
    match done {
        Ok(()) => {
            MessageOutcome::Accepted { tx_hash: format!("{:064X}", fingerprint(account, height)), height }
        }
        Err(outcome) => outcome,
    }
}

type Effect = Result<(), MessageOutcome>;

fn fingerprint(account: &AccountAddress, height: PosHeight) -> u128 {
    let seed = account.bytes().iter().take(8).fold(0u128, |hash, byte| (hash << 8) | u128::from(*byte));
    (seed << 64) | u128::from(height.to_u64())
}

fn refused(kind: RefusalKind, codespace: &str, code: u32, text: &str) -> MessageOutcome {
    MessageOutcome::Refused(Refusal { kind, codespace: codespace.to_owned(), code, text: text.to_owned() })
}
fn already(text: &str) -> MessageOutcome {
    MessageOutcome::AlreadyDone(text.to_owned())
}

fn provider<'a>(
    state: &'a mut ChainState,
    key: &FinalityProviderPublicKey,
) -> Result<&'a mut FinalityProvider, MessageOutcome> {
    state.finality_providers.get_mut(key).ok_or_else(|| {
        let text = "the finality provider is not found";
        refused(RefusalKind::FinalityProviderNotFound, "btcstaking", 1100, text)
    })
}
fn delegation<'a>(state: &'a mut ChainState, txid: &Txid) -> Result<&'a mut Delegation, MessageOutcome> {
    state.delegations.get_mut(txid).ok_or_else(|| {
        refused(RefusalKind::DelegationNotFound, "btcstaking", 1102, "the BTC delegation is not found")
    })
}

fn create_provider(state: &mut ChainState, registration: &FinalityProviderRegistration) -> Effect {
    if state.finality_providers.contains_key(&registration.finality_provider) {
        return Err(already("the finality provider has already been registered"));
    }
    let provider = FinalityProvider {
        key: registration.finality_provider,
        account: registration.account.clone(),
        description: registration.description.clone(),
        commission: registration.commission,
        commission_set_at: None,
        slashed: None,
        jailed: false,
        highest_voted_height: PosHeight::new(0),
    };
    state.finality_providers.insert(registration.finality_provider, provider);
    Ok(())
}

fn tip(state: &ChainState) -> BtcHeight {
    state.light_client.last().map_or(BtcHeight::new(0), |header| header.height)
}

fn register(state: &mut ChainState, request: &DelegationRequest) -> Effect {
    let txid = request.terms.staking_tx.compute_txid();
    if state.delegations.contains_key(&txid) {
        return Err(already("the BTC staking tx is already used"));
    }
    let version = applicable_version(state);
    let delegation = Delegation {
        staker_account: request.staker_account.clone(),
        terms: request.terms.clone(),
        staking_output_index: output_index(request),
        params_version: version,
        inclusion: request
            .inclusion
            .as_ref()
            .and_then(|proof| heights(state, proof, request.terms.staking_time.blocks())),
        covenant: CovenantSignatures::default(),
        unbonded: None,
        expansion: request.expansion.as_ref().and_then(|expansion| {
            let outpoint = request.terms.staking_tx.input.get(1)?.previous_output;
            let output = expansion.funding_tx.output.get(usize::try_from(outpoint.vout).ok()?)?;
            Some(ExpansionRecord {
                previous_staking_txid: expansion.previous_staking_txid,
                other_funding_output: output.clone(),
                previous_covenant: Vec::new(),
            })
        }),
        status: DelegationStatus::Pending,
    };
    state.delegations.insert(txid, delegation);
    Ok(())
}

fn applicable_version(state: &ChainState) -> ParamsVersion {
    let tip = tip(state);
    let applies = state.staking_params.iter().rfind(|params| params.btc_activation_height <= tip);
    applies.map_or(ParamsVersion(0), |params| params.version)
}

/// The double knows no scripts: the output named by the unbonding transaction is the staking output.
fn output_index(request: &DelegationRequest) -> u32 {
    request.terms.unbonding_tx.input.first().map_or(0, |input| input.previous_output.vout)
}

fn heights(state: &ChainState, proof: &InclusionProof, staking_time: u16) -> Option<InclusionHeights> {
    let block = state.light_client.iter().find(|header| header.hash == proof.block_hash)?;
    Some(InclusionHeights { start: block.height, end: block.height.checked_add(u32::from(staking_time))? })
}

fn add_signatures(state: &mut ChainState, set: &CovenantSignatureSet) -> Effect {
    let params = state.staking_params.clone();
    let delegation = delegation(state, &set.staking_txid)?;
    if delegation.covenant.unbonding.iter().any(|(member, _)| *member == set.covenant) {
        return Err(already("the covenant signature is already submitted"));
    }
    delegation.covenant.slashing.push((set.covenant, set.slashing.clone()));
    delegation.covenant.unbonding.push((set.covenant, set.unbonding));
    delegation.covenant.unbonding_slashing.push((set.covenant, set.unbonding_slashing.clone()));
    if let (Some(record), Some(signature)) = (&mut delegation.expansion, set.expansion) {
        record.previous_covenant.push((set.covenant, signature));
    }
    let version = params.iter().find(|params| params.version == delegation.params_version);
    let quorum = version.map_or(1, |params| params.covenant_committee.quorum());
    let signed = u32::try_from(delegation.covenant.unbonding.len()).unwrap_or(u32::MAX);
    if signed >= quorum && delegation.status == DelegationStatus::Pending {
        let proven = delegation.inclusion.is_some();
        delegation.status = if proven { DelegationStatus::Active } else { DelegationStatus::Verified };
    }
    Ok(())
}

fn add_proof(state: &mut ChainState, txid: &Txid, proof: &InclusionProof) -> Effect {
    let staking_time = delegation(state, txid)?.terms.staking_time.blocks();
    let Some(heights) = heights(state, proof, staking_time) else {
        return Err(refused(RefusalKind::HeaderUnknown, "", 0, "header is not found"));
    };
    let delegation = delegation(state, txid)?;
    if delegation.inclusion.is_some() {
        return Err(already("the delegation already has inclusion proof"));
    }
    if delegation.status != DelegationStatus::Verified {
        return Err(refused(RefusalKind::QuorumMissing, "", 0, "the delegation has no covenant quorum"));
    }
    delegation.inclusion = Some(heights);
    delegation.status = DelegationStatus::Active;
    Ok(())
}

fn report_spend(state: &mut ChainState, report: &UndelegationReport) -> Effect {
    let delegation = delegation(state, &report.staking_txid)?;
    if delegation.unbonded.is_some() {
        return Err(already("cannot unbond an unbonded delegation"));
    }
    let registered = delegation.terms.unbonding_tx.compute_txid();
    delegation.unbonded = Some(if report.spending_tx.compute_txid() == registered {
        ReportedSpend::RegisteredUnbonding
    } else {
        ReportedSpend::Other(Box::new(report.spending_tx.clone()))
    });
    delegation.status = DelegationStatus::Unbonded;
    Ok(())
}

fn add_vote(state: &mut ChainState, vote: &SignedVote) -> Effect {
    let height = vote.message.height;
    let Some(block) = state.blocks.get(&height).copied() else {
        return Err(refused(RefusalKind::BlockNotFound, "finality", 1100, "Block is not found"));
    };
    if block.app_hash == vote.message.app_hash {
        let voted = state.votes.entry(height).or_default().insert(vote.finality_provider, vote.signature);
        if voted == Some(vote.signature) {
            return Err(already("duplicated finality vote"));
        }
        if let Some(provider) = state.finality_providers.get_mut(&vote.finality_provider) {
            provider.highest_voted_height = provider.highest_voted_height.max(height);
        }
    } else {
        state.fork_votes.insert((height, vote.finality_provider), vote.clone());
    }
    complete_evidence(state, height, &vote.finality_provider, block.app_hash);
    Ok(())
}

/// Stores evidence and slashes once both votes are there, in whichever order they came.
fn complete_evidence(
    state: &mut ChainState,
    height: PosHeight,
    key: &FinalityProviderPublicKey,
    canonical_app_hash: [u8; 32],
) {
    let canonical = state.votes.get(&height).and_then(|votes| votes.get(key)).copied();
    let fork = state.fork_votes.get(&(height, *key));
    let (Some(canonical_signature), Some(fork)) = (canonical, fork) else { return };
    let evidence = Evidence {
        finality_provider: *key,
        height,
        public_randomness: fork.public_randomness,
        canonical_app_hash,
        fork_app_hash: fork.message.app_hash,
        canonical_signature,
        fork_signature: fork.signature,
    };
    state.evidences.push(evidence);
    let at = SlashedAt { pos_height: state.head.height, btc_height: tip(state) };
    if let Some(provider) = state.finality_providers.get_mut(key) {
        provider.slashed.get_or_insert(at);
    }
}

fn insert_headers(state: &mut ChainState, headers: &[Header]) -> Effect {
    let known = |hash| state.light_client.iter().position(|header| header.hash == hash);
    let Some(first) = headers.first() else {
        return Err(refused(RefusalKind::Other, "btclightclient", 1102, "empty message provided"));
    };
    if known(first.block_hash()).is_some() {
        return Err(already("fork start with known header"));
    }
    let Some(parent) = known(first.prev_blockhash) else {
        let text = "parent for provided hash is not maintained";
        return Err(refused(RefusalKind::HeadersRejected, "btclightclient", 1101, text));
    };
    state.light_client.truncate(parent + 1);
    for header in headers {
        let height = tip(state).checked_add(1).unwrap_or(BtcHeight::new(u32::MAX));
        state.light_client.push(LightClientHeader { header: *header, hash: header.block_hash(), height });
    }
    Ok(())
}
