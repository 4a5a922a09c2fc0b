//! A clock that a test sets.

use btc_staking_devnet_chain::Clock;
use std::sync::atomic::{AtomicI64, Ordering};

/// Stands still until it is told to go on.
pub struct SetClock(AtomicI64);

impl SetClock {
    /// A clock that shows `seconds` since 1970.
    pub fn at(seconds: i64) -> Self {
        Self(AtomicI64::new(seconds))
    }
    pub fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for SetClock {
    fn now(&self) -> (i64, u32) {
        (self.0.load(Ordering::SeqCst), 0)
    }
}
