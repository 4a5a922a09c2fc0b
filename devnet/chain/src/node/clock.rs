//! Where block times come from.

use std::time::{SystemTime, UNIX_EPOCH};

/// A source of wall-clock time; tests bring their own.
pub trait Clock: Send + Sync {
    /// Seconds and nanoseconds since 1970.
    fn now(&self) -> (i64, u32);
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> (i64, u32) {
        // A clock before 1970 is treated as 1970; block times never go back anyway.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        (i64::try_from(since.as_secs()).unwrap_or(i64::MAX), since.subsec_nanos())
    }
}
