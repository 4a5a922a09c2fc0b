//! ABCI events of the staking module (`wire.md` 6.2). Numbers in them are JSON strings, because the reference declares
//! the fields as text; the one exception is the block index of an unexpected spend.

use super::{records::Stake, status};
use crate::event::{
    Event,
    json_text::{base64, list, number, object, string},
};
use bitcoin::Txid;
use btc_staking_babylon::proto::{
    Description,
    btcstaking::{BTCDelegationStatus, FinalityProvider, FinalityProviderStatus},
};
use btc_staking_protocol::{
    height::BtcHeight, inclusion::InclusionProof, keys::FinalityProviderPublicKey, rate::Decimal,
};

fn typed<const N: usize>(name: &str, fields: [(&str, String); N]) -> Event {
    Event::typed(&format!("babylon.btcstaking.v1.{name}"), fields)
}

/// A finality provider was registered.
pub(super) fn provider_created(provider: &FinalityProvider, commission: Decimal) -> Event {
    let described = described(provider, commission);
    let [a, b, c, d, e, f, g] = described;
    typed("EventFinalityProviderCreated", [a, b, c, d, e, f, g, ("addr", string(&provider.addr))])
}

/// A finality provider changed its description or commission.
pub(super) fn provider_edited(provider: &FinalityProvider, commission: Decimal) -> Event {
    typed("EventFinalityProviderEdited", described(provider, commission))
}

fn described(provider: &FinalityProvider, commission: Decimal) -> [(&'static str, String); 7] {
    let Description { moniker, identity, website, security_contact, details } =
        provider.description.clone().unwrap_or_default();
    [
        ("btc_pk_hex", string(hex::encode(&provider.btc_pk))),
        ("commission", string(commission)),
        ("moniker", string(moniker)),
        ("identity", string(identity)),
        ("website", string(website)),
        ("security_contact", string(security_contact)),
        ("details", string(details)),
    ]
}

/// A finality provider's status changed.
pub(crate) fn provider_status(key: &FinalityProviderPublicKey, new: FinalityProviderStatus) -> Event {
    let name = match new {
        FinalityProviderStatus::Inactive => "INACTIVE",
        FinalityProviderStatus::Active => "ACTIVE",
        FinalityProviderStatus::Jailed => "JAILED",
        FinalityProviderStatus::Slashed => "SLASHED",
    };
    typed(
        "EventFinalityProviderStatusChange",
        [("btc_pk", string(key)), ("new_state", string(format!("FINALITY_PROVIDER_STATUS_{name}")))],
    )
}

/// A delegation was registered.
pub(super) fn created(stake: &Stake, previous: Option<Txid>) -> Event {
    let record = &stake.record;
    let providers: Vec<String> = record.fp_btc_pk_list.iter().map(|key| string(hex::encode(key))).collect();
    let unbonding_tx = record.btc_undelegation.as_ref().map(|part| hex::encode(&part.unbonding_tx));
    typed(
        "EventBTCDelegationCreated",
        [
            ("staking_tx_hex", string(hex::encode(&record.staking_tx))),
            ("staking_output_index", string(record.staking_output_idx)),
            ("params_version", string(record.params_version)),
            ("finality_provider_btc_pks_hex", list(&providers)),
            ("staker_btc_pk_hex", string(hex::encode(&record.btc_pk))),
            ("staking_time", string(record.staking_time)),
            ("unbonding_time", string(record.unbonding_time)),
            ("unbonding_tx", string(unbonding_tx.unwrap_or_default())),
            ("new_state", state(BTCDelegationStatus::Pending)),
            ("staker_addr", string(&record.staker_addr)),
            ("previous_staking_tx_hash_hex", optional(previous)),
        ],
    )
}

/// A covenant member's signatures were accepted.
pub(super) fn covenant_signature(txid: Txid, member: &[u8], unbonding: &[u8], expansion: &[u8]) -> Event {
    typed(
        "EventCovenantSignatureReceived",
        [
            ("staking_tx_hash", string(txid)),
            ("covenant_btc_pk_hex", string(hex::encode(member))),
            ("covenant_unbonding_signature_hex", string(hex::encode(unbonding))),
            ("covenant_stake_expansion_signature_hex", string(hex::encode(expansion))),
        ],
    )
}

/// The quorum was reached.
pub(super) fn quorum_reached(txid: Txid, new: BTCDelegationStatus) -> Event {
    typed("EventCovenantQuorumReached", [("staking_tx_hash", string(txid)), ("new_state", state(new))])
}

/// The place on Bitcoin was proven.
pub(super) fn inclusion_proof(
    txid: Txid,
    (start, end): (BtcHeight, BtcHeight),
    new: BTCDelegationStatus,
) -> Event {
    typed(
        "EventBTCDelegationInclusionProofReceived",
        [
            ("staking_tx_hash", string(txid)),
            ("start_height", string(start)),
            ("end_height", string(end)),
            ("new_state", state(new)),
        ],
    )
}

/// The stake left by its registered unbonding transaction or into a registered expansion. The name is the reference's.
pub(super) fn unbonded_early(txid: Txid, spent_at: BtcHeight, expansion: Option<Txid>) -> Event {
    typed(
        "EventBTCDelgationUnbondedEarly",
        [
            ("staking_tx_hash", string(txid)),
            ("start_height", string(spent_at)),
            ("new_state", state(BTCDelegationStatus::Unbonded)),
            ("stake_expansion_tx_hash", optional(expansion)),
        ],
    )
}

/// The stake was spent by a transaction nobody registered.
pub(super) fn unexpected_spend(txid: Txid, spend: Txid, proof: &InclusionProof) -> Event {
    typed(
        "EventUnexpectedUnbondingTx",
        [
            ("staking_tx_hash", string(txid)),
            ("spend_stake_tx_hash", string(spend)),
            ("spend_stake_tx_header_hash", string(proof.block_hash)),
            ("spend_stake_tx_block_index", number(proof.index)),
        ],
    )
}

/// The timelock is about to end; emitted whatever became of the stake before.
pub(crate) fn expired(txid: Txid) -> Event {
    typed(
        "EventBTCDelegationExpired",
        [("staking_tx_hash", string(txid)), ("new_state", state(BTCDelegationStatus::Expired))],
    )
}

/// Somebody showed a finality provider's key.
pub(super) fn selective_slashing(key: &FinalityProviderPublicKey, secret: &[u8]) -> Event {
    let evidence = object(&[("fp_btc_pk", string(key)), ("recovered_fp_btc_sk", base64(secret))]);
    typed("EventSelectiveSlashing", [("evidence", evidence)])
}

fn state(status: BTCDelegationStatus) -> String {
    string(status::name(status))
}

fn optional(txid: Option<Txid>) -> String {
    string(txid.map(|txid| txid.to_string()).unwrap_or_default())
}
