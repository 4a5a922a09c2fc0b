//! The application state: ordered keys and values, read through layers, written in one piece per block.
//!
//! ```text
//! backend (committed, durable) <- block layer <- transaction layer <- message layer
//! ```
//!
//! A [`State`] is one layer: it reads through to what lies below and keeps its own writes, so that a failed message or
//! transaction is undone by dropping its layer. Only the finished block layer reaches the backend, together with its
//! height, in one atomic commit. [`app_hash`] chains a hash over the sorted writes of every block.

pub(crate) mod app_hash;
pub(crate) mod backend;
mod cache;
pub(crate) mod disk;
pub(crate) mod empty;
pub(crate) mod gas;
mod layer;
#[cfg(test)]
pub(crate) mod memory;
pub(crate) mod table;

pub(crate) use backend::Backend;
pub(crate) use gas::Meter;
pub(crate) use layer::{KeyRange, Order, State, Writes, successor};
pub(crate) use table::Table;
