//! `babylon.btcstaking.v1`: finality providers, delegations and their parameters.

mod events;
mod genesis;
mod messages;
mod queries;
mod records;

pub use events::*;
pub use genesis::*;
pub use messages::*;
pub use queries::*;
pub use records::*;

impl std::fmt::Debug for SelectiveSlashingEvidence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SelectiveSlashingEvidence(..)")
    }
}
impl std::fmt::Debug for MsgSelectiveSlashingEvidence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MsgSelectiveSlashingEvidence").field("signer", &self.signer).finish_non_exhaustive()
    }
}

/// Queries of the package.
pub(super) const QUERIES: &[super::registry::QueryType] = queries::QUERIES;
/// Types of the package, by file.
pub(super) const TYPES: &[&[super::registry::WireType]] = &[
    events::TYPES,
    genesis::TYPES,
    messages::TYPES,
    queries::TYPES,
    records::TYPES,
    event_power_dist_update::TYPES,
];
