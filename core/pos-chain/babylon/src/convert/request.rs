//! What a holder sends: the registration of a stake and the expansion of one.
//!
//! The two messages carry the same terms under field numbers that shift by one from the slashing transaction on; the
//! names keep them apart here.

use super::{
    Result,
    bytes::{
        decode_account, decode_amount, decode_provider_keys, decode_schnorr, decode_staker_key,
        decode_timelock, decode_tx, decode_txid_text, encode_amount, required,
    },
    possession::{decode_possession, encode_possession},
    proof::{decode_inclusion, encode_inclusion},
};
use crate::proto::btcstaking::{MsgBtcStakeExpand, MsgCreateBTCDelegation};
use bitcoin::consensus::serialize;
use btc_staking_protocol::delegation::{DelegationRequest, DelegationTerms, ExpansionRequest};

/// The two messages that register a stake.
#[derive(Debug, Clone, PartialEq)]
pub enum Registration {
    /// A new stake.
    Create(Box<MsgCreateBTCDelegation>),
    /// An expansion of one.
    Expand(Box<MsgBtcStakeExpand>),
}

/// Encodes a request as the message its kind travels in.
///
/// An expansion has no place for an inclusion proof: it is proven by the report of its parent's spend.
///
/// # Errors
/// [`Problem::OutOfRange`](super::Problem::OutOfRange) for amounts above `i64::MAX`;
/// [`Problem::Contradicts`](super::Problem::Contradicts) for an expansion with an inclusion proof.
pub fn encode_request(request: &DelegationRequest) -> Result<Registration> {
    match &request.expansion {
        None => encode_create(request).map(|message| Registration::Create(Box::new(message))),
        Some(expansion) if request.inclusion.is_none() => {
            encode_expand(request, expansion).map(|message| Registration::Expand(Box::new(message)))
        }
        Some(_) => Err(super::InvalidField::new(
            "staking_tx_inclusion_proof",
            super::Problem::Contradicts("previous_staking_tx_hash"),
        )),
    }
}

fn encode_create(request: &DelegationRequest) -> Result<MsgCreateBTCDelegation> {
    let terms = &request.terms;
    Ok(MsgCreateBTCDelegation {
        staker_addr: request.staker_account.bech32().to_owned(),
        pop: Some(encode_possession(&request.possession)),
        btc_pk: terms.staker.to_bytes().to_vec(),
        fp_btc_pk_list: terms.finality_providers.iter().map(|key| key.to_bytes().to_vec()).collect(),
        staking_time: terms.staking_time.into(),
        staking_value: encode_amount("staking_value", terms.staking_value)?,
        staking_tx: serialize(&terms.staking_tx),
        staking_tx_inclusion_proof: request.inclusion.as_ref().map(encode_inclusion),
        slashing_tx: serialize(&terms.slashing_tx),
        delegator_slashing_sig: terms.staker_slashing_signature.serialize().to_vec(),
        unbonding_time: terms.unbonding_time.into(),
        unbonding_tx: serialize(&terms.unbonding_tx),
        unbonding_value: encode_amount("unbonding_value", terms.unbonding_value)?,
        unbonding_slashing_tx: serialize(&terms.unbonding_slashing_tx),
        delegator_unbonding_slashing_sig: terms.staker_unbonding_slashing_signature.serialize().to_vec(),
    })
}

fn encode_expand(request: &DelegationRequest, expansion: &ExpansionRequest) -> Result<MsgBtcStakeExpand> {
    let create = encode_create(request)?;
    Ok(MsgBtcStakeExpand {
        staker_addr: create.staker_addr,
        pop: create.pop,
        btc_pk: create.btc_pk,
        fp_btc_pk_list: create.fp_btc_pk_list,
        staking_time: create.staking_time,
        staking_value: create.staking_value,
        staking_tx: create.staking_tx,
        slashing_tx: create.slashing_tx,
        delegator_slashing_sig: create.delegator_slashing_sig,
        unbonding_time: create.unbonding_time,
        unbonding_tx: create.unbonding_tx,
        unbonding_value: create.unbonding_value,
        unbonding_slashing_tx: create.unbonding_slashing_tx,
        delegator_unbonding_slashing_sig: create.delegator_unbonding_slashing_sig,
        previous_staking_tx_hash: expansion.previous_staking_txid.to_string(),
        funding_tx: serialize(&expansion.funding_tx),
    })
}

/// Decodes the registration of a stake; nothing is checked or verified beyond form.
///
/// # Errors
/// An [`InvalidField`](super::InvalidField) for any field.
pub fn decode_create(message: &MsgCreateBTCDelegation) -> Result<DelegationRequest> {
    let pop = required("pop", message.pop.as_ref())?;
    let inclusion = message.staking_tx_inclusion_proof.as_ref().map(decode_inclusion).transpose();
    let unbonding_slashing_sig = &message.delegator_unbonding_slashing_sig;
    Ok(DelegationRequest {
        staker_account: decode_account("staker_addr", &message.staker_addr)?,
        possession: decode_possession(pop).map_err(|error| error.within("pop"))?,
        terms: DelegationTerms {
            staker: decode_staker_key("btc_pk", &message.btc_pk)?,
            finality_providers: decode_provider_keys("fp_btc_pk_list", &message.fp_btc_pk_list)?,
            staking_time: decode_timelock("staking_time", message.staking_time)?,
            staking_value: decode_amount("staking_value", message.staking_value)?,
            staking_tx: decode_tx("staking_tx", &message.staking_tx)?,
            slashing_tx: decode_tx("slashing_tx", &message.slashing_tx)?,
            staker_slashing_signature: decode_schnorr(
                "delegator_slashing_sig",
                &message.delegator_slashing_sig,
            )?,
            unbonding_time: decode_timelock("unbonding_time", message.unbonding_time)?,
            unbonding_tx: decode_tx("unbonding_tx", &message.unbonding_tx)?,
            unbonding_value: decode_amount("unbonding_value", message.unbonding_value)?,
            unbonding_slashing_tx: decode_tx("unbonding_slashing_tx", &message.unbonding_slashing_tx)?,
            staker_unbonding_slashing_signature: decode_schnorr(
                "delegator_unbonding_slashing_sig",
                unbonding_slashing_sig,
            )?,
        },
        inclusion: inclusion.map_err(|error| error.within("staking_tx_inclusion_proof"))?,
        expansion: None,
    })
}

/// Decodes the expansion of a stake; nothing is checked or verified beyond form.
///
/// # Errors
/// An [`InvalidField`](super::InvalidField) for any field.
pub fn decode_expand(message: &MsgBtcStakeExpand) -> Result<DelegationRequest> {
    let create = MsgCreateBTCDelegation {
        staker_addr: message.staker_addr.clone(),
        pop: message.pop.clone(),
        btc_pk: message.btc_pk.clone(),
        fp_btc_pk_list: message.fp_btc_pk_list.clone(),
        staking_time: message.staking_time,
        staking_value: message.staking_value,
        staking_tx: message.staking_tx.clone(),
        staking_tx_inclusion_proof: None,
        slashing_tx: message.slashing_tx.clone(),
        delegator_slashing_sig: message.delegator_slashing_sig.clone(),
        unbonding_time: message.unbonding_time,
        unbonding_tx: message.unbonding_tx.clone(),
        unbonding_value: message.unbonding_value,
        unbonding_slashing_tx: message.unbonding_slashing_tx.clone(),
        delegator_unbonding_slashing_sig: message.delegator_unbonding_slashing_sig.clone(),
    };
    let expansion = ExpansionRequest {
        previous_staking_txid: decode_txid_text(
            "previous_staking_tx_hash",
            &message.previous_staking_tx_hash,
        )?,
        funding_tx: decode_tx("funding_tx", &message.funding_tx)?,
    };
    Ok(DelegationRequest { expansion: Some(expansion), ..decode_create(&create)? })
}
