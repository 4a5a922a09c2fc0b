//! Signatures of committee members: as they are sent, and as a delegation lists them.

use super::{
    InvalidField, Result,
    bytes::{decode_adaptors, decode_covenant_key, decode_schnorr, decode_txid_text, encode_adaptors},
    known::KnownKeys,
};
use crate::proto::btcstaking::{CovenantAdaptorSignatures, MsgAddCovenantSigs, SignatureInfo};
use bitcoin::secp256k1::schnorr;
use btc_staking_protocol::{
    delegation::{AdaptorSignature, CovenantSignatureSet},
    keys::CovenantPublicKey,
};

/// Encodes a member's signatures on one delegation.
pub fn encode_signature_set(set: &CovenantSignatureSet, signer: &str) -> MsgAddCovenantSigs {
    MsgAddCovenantSigs {
        signer: signer.to_owned(),
        pk: set.covenant.to_bytes().to_vec(),
        staking_tx_hash: set.staking_txid.to_string(),
        slashing_tx_sigs: encode_adaptors(&set.slashing),
        unbonding_tx_sig: set.unbonding.serialize().to_vec(),
        slashing_unbonding_tx_sigs: encode_adaptors(&set.unbonding_slashing),
        stake_expansion_tx_sig: set.expansion.map(|signature| signature.serialize().to_vec()),
    }
}

/// Decodes a member's signatures on one delegation; they are not verified.
///
/// # Errors
/// An [`InvalidField`] for any field. An expansion signature that is present but empty counts as present, and is refused.
pub fn decode_signature_set(message: &MsgAddCovenantSigs) -> Result<CovenantSignatureSet> {
    let expansion = message.stake_expansion_tx_sig.as_deref();
    Ok(CovenantSignatureSet {
        covenant: decode_covenant_key("pk", &message.pk)?,
        staking_txid: decode_txid_text("staking_tx_hash", &message.staking_tx_hash)?,
        slashing: decode_adaptors("slashing_tx_sigs", &message.slashing_tx_sigs)?,
        unbonding: decode_schnorr("unbonding_tx_sig", &message.unbonding_tx_sig)?,
        unbonding_slashing: decode_adaptors(
            "slashing_unbonding_tx_sigs",
            &message.slashing_unbonding_tx_sigs,
        )?,
        expansion: expansion.map(|sig| decode_schnorr("stake_expansion_tx_sig", sig)).transpose()?,
    })
}

/// Adaptor signatures by member.
pub type AdaptorsByMember = Vec<(CovenantPublicKey, Vec<AdaptorSignature>)>;
/// Schnorr signatures by member.
pub type SignaturesByMember = Vec<(CovenantPublicKey, schnorr::Signature)>;

/// Encodes adaptor signatures by member.
pub fn encode_adaptor_lists(lists: &AdaptorsByMember) -> Vec<CovenantAdaptorSignatures> {
    let encode =
        |(member, adaptors): &(CovenantPublicKey, Vec<AdaptorSignature>)| CovenantAdaptorSignatures {
            cov_pk: member.to_bytes().to_vec(),
            adaptor_sigs: encode_adaptors(adaptors),
        };
    lists.iter().map(encode).collect()
}

/// Decodes adaptor signatures by member.
///
/// # Errors
/// An [`InvalidField`] with the index.
pub fn decode_adaptor_lists(field: &str, lists: &[CovenantAdaptorSignatures]) -> Result<AdaptorsByMember> {
    decode_adaptor_lists_with(&KnownKeys::default(), field, lists)
}

pub(super) fn decode_adaptor_lists_with(
    keys: &KnownKeys,
    field: &str,
    lists: &[CovenantAdaptorSignatures],
) -> Result<AdaptorsByMember> {
    let decode = |list: &CovenantAdaptorSignatures| {
        Ok((keys.covenant("cov_pk", &list.cov_pk)?, decode_adaptors("adaptor_sigs", &list.adaptor_sigs)?))
    };
    decode_each(field, lists, decode)
}

/// Encodes Schnorr signatures by member.
pub fn encode_signature_list(list: &SignaturesByMember) -> Vec<SignatureInfo> {
    let encode = |(member, signature): &(CovenantPublicKey, schnorr::Signature)| SignatureInfo {
        pk: member.to_bytes().to_vec(),
        sig: signature.serialize().to_vec(),
    };
    list.iter().map(encode).collect()
}

/// Decodes Schnorr signatures by member.
///
/// # Errors
/// An [`InvalidField`] with the index.
pub fn decode_signature_list(field: &str, list: &[SignatureInfo]) -> Result<SignaturesByMember> {
    decode_signature_list_with(&KnownKeys::default(), field, list)
}

pub(super) fn decode_signature_list_with(
    keys: &KnownKeys,
    field: &str,
    list: &[SignatureInfo],
) -> Result<SignaturesByMember> {
    let decode =
        |info: &SignatureInfo| Ok((keys.covenant("pk", &info.pk)?, decode_schnorr("sig", &info.sig)?));
    decode_each(field, list, decode)
}

fn decode_each<T, U>(field: &str, items: &[T], decode: impl Fn(&T) -> Result<U>) -> Result<Vec<U>> {
    let at = |(index, item): (usize, &T)| {
        decode(item).map_err(|error: InvalidField| error.within(&format!("{field}[{index}]")))
    };
    items.iter().enumerate().map(at).collect()
}
