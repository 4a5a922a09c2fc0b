//! The watchtower: relays headers, activates stakes, extracts keys, slashes.

pub mod machine;
pub mod stakes;
