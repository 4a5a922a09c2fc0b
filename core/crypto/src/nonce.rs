//! Deterministic nonces.
