//! `babylon.btccheckpoint.v1`: proofs that checkpoints are on Bitcoin, and `k` and `w`.

mod genesis;
mod queries;
mod records;

pub use genesis::*;
pub use queries::*;
pub use records::*;

/// Queries of the package.
pub(super) const QUERIES: &[super::registry::QueryType] = queries::QUERIES;
/// Types of the package, by file.
pub(super) const TYPES: &[&[super::registry::WireType]] = &[genesis::TYPES, queries::TYPES, records::TYPES];
