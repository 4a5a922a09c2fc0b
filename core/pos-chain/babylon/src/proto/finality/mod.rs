//! `babylon.finality.v1`: randomness, votes, evidence and the power table.

mod genesis;
mod messages;
mod queries;
mod records;

pub use genesis::*;
pub use messages::*;
pub use queries::*;
pub use records::*;

/// Queries of the package.
pub(super) const QUERIES: &[super::registry::QueryType] = queries::QUERIES;
/// Types of the package, by file.
pub(super) const TYPES: &[&[super::registry::WireType]] =
    &[genesis::TYPES, messages::TYPES, queries::TYPES, records::TYPES];
