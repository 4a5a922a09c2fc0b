//! `babylon.epoching.v1`: epochs, and messages about the native coin that wait for their ends.

mod events;
mod messages;
mod queries;
mod records;

pub use events::*;
pub use messages::*;
pub use queries::*;
pub use records::*;

/// Queries of the package.
pub(super) const QUERIES: &[super::registry::QueryType] = queries::QUERIES;
/// Types of the package, by file.
pub(super) const TYPES: &[&[super::registry::WireType]] =
    &[events::TYPES, messages::TYPES, queries::TYPES, records::TYPES];
