//! What the tests of several modules share: hex, and the keys of the worked examples in `crypto.md`.

use crate::{eots::EotsSecretKey, key::SigningKey};
use bitcoin::hashes::{Hash, sha256};
use proptest::prelude::*;

/// 64 hex digits as 32 bytes, and so on.
pub(crate) fn bytes<const N: usize>(text: &str) -> [u8; N] {
    hex::decode(text).expect("test vectors are hex").try_into().expect("test vectors have the size asked for")
}

pub(crate) fn sha256(data: &[u8]) -> [u8; 32] {
    sha256::Hash::hash(data).to_byte_array()
}

/// The finality provider of `crypto.md` 2.7; its Y is odd.
pub(crate) fn finality_provider() -> EotsSecretKey {
    EotsSecretKey::from_bytes(&sha256(b"finality-provider-2")).expect("below the group order")
}

/// The secret that two votes of [`finality_provider`] give away, `n - d`.
pub(crate) const EXTRACTED: &str = "221153b3ba16b72c16406a5f0bd92c7f20306eea5508e728c5473c463a6a3125";

/// Covenant member `i` of the worked examples: `SHA256(byte i)`.
pub(crate) fn covenant(i: u8) -> SigningKey {
    SigningKey::from_bytes(&sha256(&[i])).expect("below the group order")
}

/// Any secret key's bytes.
pub(crate) fn any_secret() -> impl Strategy<Value = [u8; 32]> {
    any::<[u8; 32]>().prop_filter("secret key out of range", |bytes| SigningKey::from_bytes(bytes).is_ok())
}

/// Official BIP-340 vectors 0 to 14, the ones with 32-byte messages (bips repository, bip-0340/test-vectors.csv).
/// Columns: index, secret key, public key, auxiliary randomness, message, signature, whether it is valid.
pub(crate) const BIP340: &str = include_str!("../tests/vectors/bip340.csv");

/// One row of [`BIP340`]; absent columns are empty.
pub(crate) fn bip340_rows() -> Vec<[&'static str; 7]> {
    BIP340
        .lines()
        .map(|row| {
            let columns: Vec<_> = row.split(',').collect();
            columns.try_into().expect("each row has seven columns")
        })
        .collect()
}
