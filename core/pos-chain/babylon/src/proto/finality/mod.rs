//! `babylon.finality.v1`: randomness, votes, evidence and the power table.

mod genesis;
mod messages;
mod queries;
mod records;

pub use genesis::*;
pub use messages::*;
pub use queries::*;
pub use records::*;
