//! The voting daemon.
fn main() {}
