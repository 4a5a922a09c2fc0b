//! The voting daemon.

pub mod machine;
pub mod meters;
pub mod records;
pub mod service;
pub mod status;
