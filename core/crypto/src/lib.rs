//! Extractable one-time signatures, adaptor signatures and randomness commitments over libsecp256k1.

pub mod adaptor;
pub mod eots;
pub mod key;
pub mod merkle;
pub mod nonce;
