//! `babylon.btclightclient.v1`: the chain's light client of Bitcoin.

mod events;
mod queries;
mod records;

pub use super::btccheckpoint::TransactionKey;
pub use events::*;
pub use queries::*;
pub use records::*;

/// Queries of the package.
pub(super) const QUERIES: &[super::registry::QueryType] = queries::QUERIES;
/// Types of the package, by file.
pub(super) const TYPES: &[&[super::registry::WireType]] = &[events::TYPES, queries::TYPES, records::TYPES];
