//! The rules of Bitcoin staking with Babylon-style slashing, as values and functions.
//!
//! Everything here takes values and returns values: no clock, socket, file, environment, logger or ambient
//! randomness. Time, heights and entropy arrive as arguments. Curve arithmetic is libsecp256k1's.
//!
//! | module | holds | spec |
//! |---|---|---|
//! | [`height`], [`keys`], [`committee`], [`rate`] | the vocabulary | `bitcoin.md` 1 |
//! | [`params`], [`network`] | parameter versions; mainnet and testnet as data | `bitcoin.md` 11.4 |
//! | [`script`], [`output`] | leaf scripts, taproot outputs, descriptors | `bitcoin.md` 1, 2 |
//! | [`tx`], [`sighash`], [`witness`] | transactions, what is signed, how it is spent | `bitcoin.md` 3 to 9 |
//! | [`spend`] | reading spends off Bitcoin | `bitcoin.md` 10.3 |
//! | [`identify`] | phase-1 OP_RETURN | `bitcoin.md` 5.1 |
//! | [`dust`] | outputs too small to relay | `bitcoin.md` 12.2 |
//! | [`delegation`] | a stake's terms and their check | `bitcoin.md` 10, 11 |
//! | [`possession`], [`signing_context`] | proofs of possession | `crypto.md` 4 |
//! | [`inclusion`], [`headers`] | Merkle proofs, header chain rules | `bitcoin.md` 11.3, `chain.md` 2 |
//! | [`finality`] | randomness, votes, tally, evidence | `crypto.md` 5, 6 |

pub mod committee;
pub mod delegation;
mod descriptor;
pub mod dust;
pub mod finality;
pub mod headers;
pub mod height;
pub mod identify;
pub mod inclusion;
pub mod keys;
pub mod network;
pub mod output;
pub mod params;
pub mod possession;
pub mod rate;
pub mod script;
mod secret;
pub mod sighash;
pub mod signing_context;
pub mod spend;
pub mod tx;
pub mod witness;
