//! Which requests were seen, in bounded memory.
//!
//! A request is taken if its time is near the clock's, above everything that was forgotten, and its nonce new. What is
//! forgotten, for being old or for want of room, raises the floor to its time; so nothing that was ever taken is taken
//! again, whatever the clock does. The price: after a clock stepped back by more than the tolerance nothing is taken
//! until it has caught up, or until a restart begins a new window together with a new session.

use super::mac::Nonce;
use std::collections::BTreeSet;

/// How far a request's time may be from the clock's, in milliseconds.
pub const TOLERANCE_MS: u64 = 30_000;
/// Most requests remembered: 2 MB or so.
pub const MAX_REMEMBERED: usize = 65_536;

/// The answer to whether a request was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// It was not, and is remembered now.
    First,
    /// It was.
    Again,
    /// It is too old or too new to know.
    OutOfTime,
}

/// The requests taken lately.
#[derive(Debug, Default)]
pub struct Window {
    taken: BTreeSet<(u64, Nonce)>,
    /// Nothing at or below this time is taken any more.
    floor: u64,
}

impl Window {
    /// Takes a request once. Times are in milliseconds since 1970.
    pub fn take(&mut self, time: u64, nonce: Nonce, now: u64) -> Seen {
        if time <= self.floor || time.abs_diff(now) > TOLERANCE_MS {
            return Seen::OutOfTime;
        }
        if !self.taken.insert((time, nonce)) {
            return Seen::Again;
        }
        self.forget(now);
        Seen::First
    }

    fn forget(&mut self, now: u64) {
        let oldest_taken = now.saturating_sub(TOLERANCE_MS);
        while let Some((time, _)) = self.taken.first().copied() {
            if time >= oldest_taken && self.taken.len() <= MAX_REMEMBERED {
                return;
            }
            self.taken.pop_first();
            self.floor = self.floor.max(time);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    proptest! {
        #[test]
        fn nothing_is_taken_twice_whatever_the_clock_does(
            steps in prop::collection::vec((0u64..200_000, 0u8..4, 0u64..200_000), 1..400)
        ) {
            let mut window = Window::default();
            let mut taken = HashSet::new();
            for (time, nonce, now) in steps {
                if window.take(time, [nonce; 16], now) == Seen::First {
                    prop_assert!(taken.insert((time, nonce)));
                    prop_assert!(time.abs_diff(now) <= TOLERANCE_MS);
                }
            }
        }
    }

    #[test]
    fn a_clock_that_steps_back_is_waited_for_and_a_new_window_waits_for_nothing() {
        let (start, step) = (10 * TOLERANCE_MS, 5 * TOLERANCE_MS);
        let mut window = Window::default();
        for (nonce, now) in [(1, start), (2, start + TOLERANCE_MS + 1)] {
            assert_eq!(window.take(now, [nonce; 16], now), Seen::First);
        }
        for now in [start - step, start - 1, start] {
            assert_eq!(window.take(now, [3; 16], now), Seen::OutOfTime);
            assert_eq!(Window::default().take(now, [3; 16], now), Seen::First);
        }
        assert_eq!(window.take(start + 1, [3; 16], start + 1), Seen::First, "it has caught up");
    }

    #[test]
    fn memory_is_bounded_and_what_was_forgotten_is_refused() {
        let mut window = Window::default();
        let count = MAX_REMEMBERED as u64 + 10;
        for i in 0..count {
            let nonce = u128::from(i).to_be_bytes();
            assert_eq!(window.take(1_000 + i / 8, nonce, 1_000), Seen::First);
        }
        assert!(window.taken.len() <= MAX_REMEMBERED);
        for i in [0, 1, 15, count - 1] {
            assert_ne!(window.take(1_000 + i / 8, u128::from(i).to_be_bytes(), 1_000), Seen::First, "{i}");
        }
    }
}
