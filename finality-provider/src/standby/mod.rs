//! A pair of daemons, or more, that share keys safely: one signs, the others stand by.
//!
//! | module | holds |
//! |---|---|
//! | [`protocol`] | the transactions between the instances and what their answers mean, pure |
//! | [`engine`] | what an engine must do; [`etcd`] and [`double`] do it |
//! | [`seen`] | notices that the engine was put back from a backup |
//! | [`seat`] | who has the right to sign, as far as this instance knows |
//! | [`signer`] | [`Standby`]: a signer that asks the engine before the one inside |
//! | [`keeper`] | the task that keeps the lease, takes over, reads the others' votes and forgets old ones |
//! | [`options`] | the `[ha]` section |
//!
//! A signature leaves only when the engine has committed to its message and the own sign records have as well. No clock
//! and no lease is part of that: an instance that was stopped, cut off, or lives in another time can only find its
//! transaction refused. The decision is `docs/adr/0012-hot-standby.md`, the operator's side is in
//! `docs/guide/standby-pair.md`.

pub mod double;
pub mod engine;
pub mod etcd;
pub mod keeper;
pub mod options;
pub mod protocol;
pub mod seat;
pub mod seen;
pub mod signer;

pub use keeper::run_keeper;
pub use options::Ha;
pub use signer::{Setup, Standby};
