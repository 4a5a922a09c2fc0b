//! `babylon.checkpointing.v1`: checkpoints of epochs and the BLS keys that sign them.

mod events;
mod queries;
mod records;

pub use events::*;
pub use queries::*;
pub use records::*;

/// Queries of the package.
pub(super) const QUERIES: &[super::registry::QueryType] = queries::QUERIES;
/// Types of the package, by file.
pub(super) const TYPES: &[&[super::registry::WireType]] = &[events::TYPES, queries::TYPES, records::TYPES];
