//! The voting daemon.

pub mod machine;
