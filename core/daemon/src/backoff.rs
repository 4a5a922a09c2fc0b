//! How long to wait before the next try: doubling, with jitter, up to a limit.
//!
//! Pure: the randomness is passed in and nothing sleeps here.

use std::time::Duration;

/// The shape of a backoff.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// The first wait, before jitter.
    pub initial: Duration,
    /// The longest wait.
    pub max: Duration,
    /// After this much waiting in a row the caller should give up; `None` for tries without end.
    pub deadline: Option<Duration>,
}

/// The state of one retried operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backoff {
    policy: Policy,
    base: Duration,
    waited: Duration,
}

impl Default for Policy {
    /// 250 ms doubling to 30 s, without a deadline.
    fn default() -> Self {
        Self { initial: Duration::from_millis(250), max: Duration::from_secs(30), deadline: None }
    }
}

impl Backoff {
    /// A backoff before its first wait.
    pub fn new(policy: Policy) -> Self {
        Self { policy, base: policy.initial.min(policy.max), waited: Duration::ZERO }
    }

    /// Returns the next wait: between half of the current step and the whole of it, chosen by `entropy`.
    /// The step doubles each time, up to [`Policy::max`].
    pub fn next(&mut self, entropy: u64) -> Duration {
        let wait = jittered(self.base, entropy);
        self.base = self.base.saturating_mul(2).min(self.policy.max);
        self.waited = self.waited.saturating_add(wait);
        wait
    }

    /// The sum of all waits since the last reset.
    pub fn waited(&self) -> Duration {
        self.waited
    }

    /// Whether the deadline is used up.
    pub fn is_exhausted(&self) -> bool {
        self.policy.deadline.is_some_and(|deadline| self.waited >= deadline)
    }

    /// Starts over, after a success.
    pub fn reset(&mut self) {
        *self = Self::new(self.policy);
    }
}

fn jittered(base: Duration, entropy: u64) -> Duration {
    let half = base / 2;
    let nanos = u64::try_from(half.as_nanos()).unwrap_or(u64::MAX);
    // Modulo bias is of no matter for jitter.
    base.saturating_sub(Duration::from_nanos(entropy % nanos.saturating_add(1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn policy(initial: u64, max: u64) -> Policy {
        let deadline = Some(Duration::from_millis(500));
        Policy { initial: Duration::from_millis(initial), max: Duration::from_millis(max), deadline }
    }

    #[test]
    fn steps_double_up_to_the_limit_and_start_over_after_a_reset() {
        let mut backoff = Backoff::new(policy(10, 65));
        let steps: Vec<_> = (0..5).map(|_| backoff.next(0).as_millis()).collect();
        assert_eq!(steps, [10, 20, 40, 65, 65]);
        backoff.reset();
        assert_eq!((backoff.waited(), backoff.next(0).as_millis()), (Duration::ZERO, 10));
    }

    #[test]
    fn the_deadline_counts_the_waits() {
        let mut backoff = Backoff::new(policy(100, 400));
        assert!(!backoff.is_exhausted());
        backoff.next(0);
        backoff.next(0);
        assert!(!backoff.is_exhausted());
        backoff.next(0);
        assert!(backoff.is_exhausted());
        assert!(!Backoff::new(Policy::default()).is_exhausted());
    }

    proptest! {
        #[test]
        fn a_wait_lies_between_half_the_step_and_the_step(
            initial in 0u64..10_000, max in 0u64..100_000, entropy: Vec<u64>
        ) {
            let mut backoff = Backoff::new(policy(initial, max));
            for entropy in entropy {
                let step = backoff.base;
                let wait = backoff.next(entropy);
                prop_assert!(wait <= step && wait >= step / 2, "{wait:?} of {step:?}");
                prop_assert!(backoff.base <= Duration::from_millis(max));
            }
        }
    }
}
