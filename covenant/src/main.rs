//! The committee member's daemon: feeder and isolated signer.
fn main() {}
