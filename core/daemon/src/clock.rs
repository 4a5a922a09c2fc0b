//! Time as something that is passed in.
//!
//! Services take a [`Clock`]; nothing below `main` asks the system for the time.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Time since the start of 1970 (UTC), as the wall clock has it. May jump, forwards and backwards.
    fn since_epoch(&self) -> Duration;
    /// Time since some fixed moment. Never goes back.
    fn monotonic(&self) -> Duration;
}

/// The system's clocks.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

/// A clock that stands still until it is moved, for tests.
#[derive(Debug)]
pub struct ManualClock {
    now: Mutex<Duration>,
    start: Duration,
}

impl SystemClock {
    /// A clock whose monotonic time starts now.
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn since_epoch(&self) -> Duration {
        // A system whose clock is before 1970 has no usable time; zero is as wrong and does not panic.
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }
    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }
}

impl ManualClock {
    /// A clock that shows `since_epoch`.
    pub fn at(since_epoch: Duration) -> Self {
        Self { now: Mutex::new(since_epoch), start: since_epoch }
    }
    /// Moves the clock on.
    pub fn advance(&self, by: Duration) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        *now = now.saturating_add(by);
    }
}

impl Clock for ManualClock {
    fn since_epoch(&self) -> Duration {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn monotonic(&self) -> Duration {
        self.since_epoch().saturating_sub(self.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let clock = ManualClock::at(Duration::from_secs(1_000));
        assert_eq!(clock.monotonic(), Duration::ZERO);
        clock.advance(Duration::from_secs(5));
        assert_eq!((clock.since_epoch().as_secs(), clock.monotonic().as_secs()), (1_005, 5));
    }

    #[test]
    fn the_system_clock_is_past_2020_and_does_not_go_back() {
        let clock = SystemClock::new();
        let first = clock.monotonic();
        assert!(clock.monotonic() >= first);
        assert!(clock.since_epoch() > Duration::from_secs(1_577_836_800));
    }
}
