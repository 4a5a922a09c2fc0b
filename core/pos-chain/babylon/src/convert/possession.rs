//! Proofs of possession (`wire.md` 2.1, `chain.md` 5.4).

use super::{
    InvalidField, Problem, Result,
    bytes::{decode_array, decode_schnorr},
};
use crate::proto::btcstaking::{BIP322Sig, BTCSigType, ProofOfPossessionBTC};
use btc_staking_protocol::possession::ProofOfPossession;
use prost::Message;

/// Encodes a proof.
pub fn encode_possession(proof: &ProofOfPossession) -> ProofOfPossessionBTC {
    let (kind, btc_sig) = match proof {
        ProofOfPossession::Bip340(signature) => (BTCSigType::Bip340, signature.serialize().to_vec()),
        ProofOfPossession::Bip322 { address, witness } => {
            let sig = BIP322Sig { address: address.clone(), sig: witness.clone() };
            (BTCSigType::Bip322, sig.encode_to_vec())
        }
        ProofOfPossession::Ecdsa(signature) => (BTCSigType::Ecdsa, signature.to_vec()),
    };
    ProofOfPossessionBTC { btc_sig_type: kind.into(), btc_sig }
}

/// Decodes a proof; it is not verified.
///
/// # Errors
/// An [`InvalidField`] for an unknown kind or a signature of another form than the kind has.
pub fn decode_possession(proof: &ProofOfPossessionBTC) -> Result<ProofOfPossession> {
    let kind = BTCSigType::try_from(proof.btc_sig_type)
        .map_err(|_| InvalidField::new("btc_sig_type", Problem::UnknownValue(proof.btc_sig_type)))?;
    Ok(match kind {
        BTCSigType::Bip340 => ProofOfPossession::Bip340(decode_schnorr("btc_sig", &proof.btc_sig)?),
        BTCSigType::Bip322 => decode_bip322(&proof.btc_sig)?,
        BTCSigType::Ecdsa => ProofOfPossession::Ecdsa(decode_array("btc_sig", &proof.btc_sig)?),
    })
}

fn decode_bip322(bytes: &[u8]) -> Result<ProofOfPossession> {
    let sig = BIP322Sig::decode(bytes).map_err(|error| {
        InvalidField::new("btc_sig", Problem::Protobuf { what: "BIP322Sig", reason: error.to_string() })
    })?;
    if sig.address.is_empty() || sig.sig.is_empty() {
        let empty = if sig.address.is_empty() { "address" } else { "sig" };
        return Err(InvalidField::new(empty, Problem::Missing).within("btc_sig"));
    }
    Ok(ProofOfPossession::Bip322 { address: sig.address, witness: sig.sig })
}
