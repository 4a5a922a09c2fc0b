//! The only home of EOTS keys, and the sign records that guard them.
//!
//! A finality provider that signs two blocks at one height reveals its secret key, and every stake under it is
//! slashed. This crate makes that impossible for one data directory: signing consumes a permit, and a permit exists
//! only once the vote is durably recorded ([`records`]).

pub mod records;
