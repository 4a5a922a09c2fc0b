//! `babylon.btccheckpoint.v1`: proofs that checkpoints are on Bitcoin, and `k` and `w`.

mod genesis;
mod queries;
mod records;

pub use genesis::*;
pub use queries::*;
pub use records::*;
