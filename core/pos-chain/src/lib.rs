//! What we ask of a proof-of-stake chain.
//!
//! Ports by need: a role asks only for the traits it uses. What crosses a port is a protocol type; wire types stop in
//! the adapter. Every read answers with the height it was read at where that matters, and "this node does not know
//! yet" is an error of its own ([`ErrorKind::NotYet`]), never a "no".

pub mod connect;
pub mod contract;
mod deadline;
pub mod double;
pub mod event;
pub mod message;
pub mod outbox;
pub mod ports;
pub mod watch;

pub use deadline::in_time;
pub use event::{ChainEvent, EventFollower, EventReader, HintReader, Hints};
pub use message::{ChainMessage, MessageOutcome, Refusal, RefusalClass, RefusalKind};
pub use outbox::{MemoryOutbox, Outbox, OutboxEntry, OutboxError};
pub use ports::*;
pub use watch::{LivenessReader, NodeReader, NodeReport, NodeTold, SigningInfo};
