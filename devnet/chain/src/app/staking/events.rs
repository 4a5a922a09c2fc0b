//! ABCI events of the staking module (`wire.md` 6.2). Numbers in them are JSON strings, because the reference declares
//! the fields as text; the one exception is the block index of an unexpected spend.

use super::{records::Stake, status};
use crate::event::Event;
use bitcoin::Txid;
use btc_staking_babylon::proto::{
    Description,
    btcstaking::{
        BTCDelegationStatus, EventBTCDelegationCreated, EventBTCDelegationExpired,
        EventBTCDelegationInclusionProofReceived, EventBTCDelgationUnbondedEarly, EventCovenantQuorumReached,
        EventCovenantSignatureReceived, EventFinalityProviderCreated, EventFinalityProviderEdited,
        EventFinalityProviderStatusChange, EventSelectiveSlashing, EventUnexpectedUnbondingTx,
        FinalityProvider, FinalityProviderStatus, SelectiveSlashingEvidence,
    },
};
use btc_staking_protocol::{
    height::BtcHeight, inclusion::InclusionProof, keys::FinalityProviderPublicKey, rate::Decimal,
};

/// A finality provider was registered.
pub(super) fn provider_created(provider: &FinalityProvider, commission: Decimal) -> Event {
    let Description { moniker, identity, website, security_contact, details } = description(provider);
    Event::typed(&EventFinalityProviderCreated {
        btc_pk_hex: hex::encode(&provider.btc_pk),
        addr: provider.addr.clone(),
        commission: commission.to_string(),
        moniker,
        identity,
        website,
        security_contact,
        details,
    })
}

/// A finality provider changed its description or commission.
pub(super) fn provider_edited(provider: &FinalityProvider, commission: Decimal) -> Event {
    let Description { moniker, identity, website, security_contact, details } = description(provider);
    Event::typed(&EventFinalityProviderEdited {
        btc_pk_hex: hex::encode(&provider.btc_pk),
        commission: commission.to_string(),
        moniker,
        identity,
        website,
        security_contact,
        details,
    })
}

fn description(provider: &FinalityProvider) -> Description {
    provider.description.clone().unwrap_or_default()
}

/// A finality provider's status changed.
pub(crate) fn provider_status(key: &FinalityProviderPublicKey, new: FinalityProviderStatus) -> Event {
    let name = match new {
        FinalityProviderStatus::Inactive => "INACTIVE",
        FinalityProviderStatus::Active => "ACTIVE",
        FinalityProviderStatus::Jailed => "JAILED",
        FinalityProviderStatus::Slashed => "SLASHED",
    };
    Event::typed(&EventFinalityProviderStatusChange {
        btc_pk: key.to_string(),
        new_state: format!("FINALITY_PROVIDER_STATUS_{name}"),
    })
}

/// A delegation was registered.
pub(super) fn created(stake: &Stake, previous: Option<Txid>) -> Event {
    let record = &stake.record;
    let unbonding_tx = record.btc_undelegation.as_ref().map(|part| hex::encode(&part.unbonding_tx));
    Event::typed(&EventBTCDelegationCreated {
        staking_tx_hex: hex::encode(&record.staking_tx),
        staking_output_index: record.staking_output_idx.to_string(),
        params_version: record.params_version.to_string(),
        finality_provider_btc_pks_hex: record.fp_btc_pk_list.iter().map(hex::encode).collect(),
        staker_btc_pk_hex: hex::encode(&record.btc_pk),
        staking_time: record.staking_time.to_string(),
        unbonding_time: record.unbonding_time.to_string(),
        unbonding_tx: unbonding_tx.unwrap_or_default(),
        new_state: state(BTCDelegationStatus::Pending),
        staker_addr: record.staker_addr.clone(),
        previous_staking_tx_hash_hex: optional(previous),
    })
}

/// A covenant member's signatures were accepted.
pub(super) fn covenant_signature(txid: Txid, member: &[u8], unbonding: &[u8], expansion: &[u8]) -> Event {
    Event::typed(&EventCovenantSignatureReceived {
        staking_tx_hash: txid.to_string(),
        covenant_btc_pk_hex: hex::encode(member),
        covenant_unbonding_signature_hex: hex::encode(unbonding),
        covenant_stake_expansion_signature_hex: hex::encode(expansion),
    })
}

/// The quorum was reached.
pub(super) fn quorum_reached(txid: Txid, new: BTCDelegationStatus) -> Event {
    Event::typed(&EventCovenantQuorumReached { staking_tx_hash: txid.to_string(), new_state: state(new) })
}

/// The place on Bitcoin was proven.
pub(super) fn inclusion_proof(
    txid: Txid,
    (start, end): (BtcHeight, BtcHeight),
    new: BTCDelegationStatus,
) -> Event {
    Event::typed(&EventBTCDelegationInclusionProofReceived {
        staking_tx_hash: txid.to_string(),
        start_height: start.to_string(),
        end_height: end.to_string(),
        new_state: state(new),
    })
}

/// The stake left by its registered unbonding transaction or into a registered expansion. The name is the reference's.
pub(super) fn unbonded_early(txid: Txid, spent_at: BtcHeight, expansion: Option<Txid>) -> Event {
    Event::typed(&EventBTCDelgationUnbondedEarly {
        staking_tx_hash: txid.to_string(),
        start_height: spent_at.to_string(),
        new_state: state(BTCDelegationStatus::Unbonded),
        stake_expansion_tx_hash: optional(expansion),
    })
}

/// The stake was spent by a transaction nobody registered.
pub(super) fn unexpected_spend(txid: Txid, spend: Txid, proof: &InclusionProof) -> Event {
    Event::typed(&EventUnexpectedUnbondingTx {
        staking_tx_hash: txid.to_string(),
        spend_stake_tx_hash: spend.to_string(),
        spend_stake_tx_header_hash: proof.block_hash.to_string(),
        spend_stake_tx_block_index: proof.index,
    })
}

/// The timelock is about to end; emitted whatever became of the stake before.
pub(crate) fn expired(txid: Txid) -> Event {
    Event::typed(&EventBTCDelegationExpired {
        staking_tx_hash: txid.to_string(),
        new_state: state(BTCDelegationStatus::Expired),
    })
}

/// Somebody showed a finality provider's key.
pub(super) fn selective_slashing(key: &FinalityProviderPublicKey, secret: &[u8]) -> Event {
    let evidence = SelectiveSlashingEvidence {
        fp_btc_pk: key.to_bytes().to_vec(),
        recovered_fp_btc_sk: secret.to_vec(),
    };
    Event::typed(&EventSelectiveSlashing { evidence: Some(evidence) })
}

fn state(status: BTCDelegationStatus) -> String {
    status::name(status).to_owned()
}

fn optional(txid: Option<Txid>) -> String {
    txid.map(|txid| txid.to_string()).unwrap_or_default()
}
