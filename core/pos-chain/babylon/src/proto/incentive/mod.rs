//! `babylon.incentive`: rewards of stakers and finality providers. The package has no version suffix.

mod genesis;
mod messages;
mod records;

pub use genesis::*;
pub use messages::*;
pub use records::*;

/// Queries of the package.
pub(super) const QUERIES: &[super::registry::QueryType] = messages::QUERIES;
/// Types of the package, by file.
pub(super) const TYPES: &[&[super::registry::WireType]] = &[genesis::TYPES, messages::TYPES, records::TYPES];
