//! How long to wait before the next try: doubling, with jitter, up to a limit.
//!
//! The randomness is passed in, and nothing sleeps but [`Backoff::keep_trying`]. A [`Rest`] is for machines, which have no
//! clock: it is counted in ticks.

use crate::entropy::Entropy;
use std::{fmt::Display, future::Future, time::Duration};

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

impl Default for Backoff {
    /// The default policy, before its first wait.
    fn default() -> Self {
        Self::new(Policy::default())
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

    /// Tries until it works, fails for good, or the deadline is used up, waiting in between.
    ///
    /// # Errors
    /// The last attempt's.
    pub async fn keep_trying<T, E: Display, F: Future<Output = Result<T, E>>>(
        mut self,
        entropy: &dyn Entropy,
        is_transient: impl Fn(&E) -> bool,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, E> {
        loop {
            match attempt().await {
                Err(error) if is_transient(&error) && !self.is_exhausted() => {
                    tracing::warn!(%error, "trying again");
                    // Without randomness all waits are the longest ones.
                    tokio::time::sleep(self.next(entropy.next_u64().unwrap_or(0))).await;
                }
                ended => return ended,
            }
        }
    }

    /// Starts over, after a success.
    pub fn reset(&mut self) {
        *self = Self::new(self.policy);
    }
}

/// A rest after a refusal, counted in ticks of whoever keeps it. Rests double up to the longest; none is for good,
/// because one wrong answer of one node must not end a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rest {
    left: u32,
    /// Length of the last rest after a refusal; 0 before the first.
    length: u32,
}

impl Rest {
    /// Ticks of the first rest.
    pub const FIRST: u32 = 4;
    /// Ticks of the longest rest: an hour at five seconds each.
    pub const LONGEST: u32 = 720;

    /// The longest rest, with those after refusals yet to begin.
    pub const fn longest() -> Self {
        Self { left: Self::LONGEST, length: 0 }
    }

    /// Rests after a refusal: at first shortly, then twice as long each time.
    pub fn grow(&mut self) {
        self.length = self.length.saturating_mul(2).clamp(Self::FIRST, Self::LONGEST);
        self.left = self.length;
    }

    /// Counts a tick.
    pub fn tick(&mut self) {
        self.left = self.left.saturating_sub(1);
    }

    /// Whether it is time for another try.
    pub const fn is_over(self) -> bool {
        self.left == 0
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
    use crate::entropy::SeededEntropy;
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

    #[tokio::test]
    async fn what_fails_in_passing_is_tried_until_it_works_fails_for_good_or_time_is_up() {
        let limited = |deadline| Backoff::new(Policy { deadline, ..policy(1, 1) });
        let tries = [Err("not yet"), Err("not yet"), Ok("done")];
        for (backoff, answers, (ended, count)) in [
            (limited(None), tries, (Ok("done"), 3)),
            (limited(None), [Err("not yet"), Err("wrong"), Ok("done")], (Err("wrong"), 2)),
            (limited(Some(Duration::ZERO)), tries, (Err("not yet"), 1)),
        ] {
            let mut asked = answers.into_iter();
            let attempt = || std::future::ready(asked.next().unwrap());
            let is_transient = |error: &&str| *error == "not yet";
            assert_eq!(backoff.keep_trying(&SeededEntropy::new(1), is_transient, attempt).await, ended);
            assert_eq!(asked.len(), 3 - count);
        }
    }

    #[test]
    fn rests_double_up_to_the_longest() {
        let ticks = |mut rest: Rest| {
            let mut count = 0;
            while !rest.is_over() {
                rest.tick();
                count += 1;
            }
            count
        };
        let mut rest = Rest::default();
        assert!(rest.is_over());
        let mut rests = Vec::new();
        for _ in 0..10 {
            rest.grow();
            rests.push(ticks(rest));
        }
        assert_eq!(rests, [4, 8, 16, 32, 64, 128, 256, 512, 720, 720]);
        assert_eq!(ticks(Rest::longest()), 720);
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
