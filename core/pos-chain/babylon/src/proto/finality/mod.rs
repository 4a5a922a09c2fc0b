//! `babylon.finality.v1`: randomness, votes, evidence and the power table.

mod messages;
mod queries;
mod records;

pub use messages::*;
pub use queries::*;
pub use records::*;
