//! Proofs of possession: a Bitcoin key agrees to an account (`crypto.md` 4).

use bitcoin::secp256k1::schnorr;

/// A proof of possession in one of the three accepted forms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProofOfPossession {
    /// Schnorr signature over the SHA-256 of the raw account bytes.
    Bip340(schnorr::Signature),
    /// BIP-322 "simple" over the bech32 text.
    Bip322 {
        /// Address whose key signs.
        address: String,
        /// Consensus-serialised witness stack.
        witness: Vec<u8>,
    },
    /// Legacy "Bitcoin Signed Message" over the bech32 text: header byte, r, s.
    Ecdsa([u8; 65]),
}
