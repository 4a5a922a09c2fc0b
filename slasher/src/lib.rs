//! The watchtower: relays headers, activates stakes, extracts keys, slashes.
