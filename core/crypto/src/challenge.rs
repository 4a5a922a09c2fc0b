//! BIP-340 tagged hashes: the challenge both signature schemes share, and the adaptor scheme's nonce hashes.
//!
//! The state after a tag's first block is a constant, so a tagged hash costs no more than a plain one.

use bitcoin::hashes::{Hash, HashEngine, sha256, sha256::Midstate};
use secp256k1::XOnlyPublicKey;
use zeroize::Zeroizing;

const CHALLENGE: Midstate = Midstate::hash_tag(b"BIP0340/challenge");
const ADAPTOR_AUX: Midstate = Midstate::hash_tag(b"SchnorrAdaptor/aux");
const ADAPTOR_NONCE: Midstate = Midstate::hash_tag(b"SchnorrAdaptor/nonce");

/// Returns `H_BIP0340/challenge(nonce_x ‖ x(P) ‖ digest)`, not reduced: whether a value of `n` or more is refused or reduced
/// differs between the two schemes.
pub(crate) fn challenge(nonce_x: &[u8; 32], key: &XOnlyPublicKey, digest: &[u8; 32]) -> [u8; 32] {
    tagged(CHALLENGE, &[nonce_x, &key.serialize(), digest])
}

/// Returns `H_SchnorrAdaptor/aux(aux)`, the mask of the secret key in the nonce hash.
pub(crate) fn adaptor_aux(aux: &[u8; 32]) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(tagged(ADAPTOR_AUX, &[aux]))
}

/// Returns `H_SchnorrAdaptor/nonce(masked_secret ‖ comp(T) ‖ x(P) ‖ digest)`, not reduced.
pub(crate) fn adaptor_nonce(
    masked_secret: &[u8; 32],
    encryption_key: &[u8; 33],
    signer: &XOnlyPublicKey,
    digest: &[u8; 32],
) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(tagged(ADAPTOR_NONCE, &[masked_secret, encryption_key, &signer.serialize(), digest]))
}

fn tagged(tag: Midstate, parts: &[&[u8]]) -> [u8; 32] {
    let mut engine = sha256::HashEngine::from_midstate(tag, 64);
    for part in parts {
        engine.input(part);
    }
    sha256::Hash::from_engine(engine).to_byte_array()
}
