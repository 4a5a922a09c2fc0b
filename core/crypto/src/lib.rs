//! The cryptography of Bitcoin staking over libsecp256k1: extractable one-time signatures, adaptor signatures, public
//! randomness and its Merkle commitments (spec: `crypto.md` 1 to 3 and 6).
//!
//! | Module | What it holds |
//! |---|---|
//! | [`key`] | [`SigningKey`](key::SigningKey): every other signature made with a secret key |
//! | [`eots`] | votes: sign, verify, and what two votes at one height give away |
//! | [`nonce`] | the one nonce of a height, and public randomness in bulk |
//! | [`merkle`] | the tree a randomness commitment is the root of |
//! | [`adaptor`] | signatures that only a finality provider's secret key completes |
//!
//! The crate is pure: no clock, file, socket, environment or randomness of its own; auxiliary randomness is an argument.
//! Curve and scalar arithmetic is libsecp256k1's, reached through the `secp256k1` crate; none of it is written here.
//!
//! Secrets are neither `Debug` nor `Clone` and are wiped when dropped. Wiping is as good as Rust allows: the value itself is
//! overwritten, but copies a compiler made while moving it cannot be.

mod challenge;
mod hex;
mod point;
mod scalar;

pub mod adaptor;
pub mod eots;
pub mod key;
pub mod merkle;
pub mod nonce;

#[cfg(test)]
mod vectors;
