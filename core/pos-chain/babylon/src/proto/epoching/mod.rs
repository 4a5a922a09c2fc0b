//! `babylon.epoching.v1`: epochs, and messages about the native coin that wait for their ends.

mod events;
mod messages;
mod queries;
mod records;

pub use events::*;
pub use messages::*;
pub use queries::*;
pub use records::queued_message;
pub use records::*;
