//! `babylon.checkpointing.v1`: checkpoints of epochs and the BLS keys that sign them.

mod events;
mod queries;
mod records;

pub use events::*;
pub use queries::*;
pub use records::*;
