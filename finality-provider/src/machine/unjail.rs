//! When a jailing is ended without asking the operator: late enough, seldom enough, and never on a doubt.
//!
//! | held | because |
//! |---|---|
//! | slashed, or evidence of two votes | the key must not sign again |
//! | another signer was seen | two of them would be slashed |
//! | the end of the jail time is not known, or not reached | the chain would refuse |
//! | as often as allowed within 24 hours | whatever makes votes miss is still there |
//!
//! Spec: `chain.md` 10.6, 10.7.

use thiserror::Error;

/// Seconds in which unjailings are counted.
const DAY: u64 = 86_400;
/// First and longest wait after a try that failed, in seconds.
const RETRY: (u64, u64) = (5, 600);

/// How the provider looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observation {
    /// Seconds since 1970.
    pub now: u64,
    /// Whether the chain has it in jail.
    pub jailed: bool,
    /// Whether it is slashed.
    pub slashed: bool,
    /// Whether the chain has evidence of two votes for one height.
    pub evidence: bool,
    /// Whether another signer was seen and the operator did not say that it is gone.
    pub other_signer: bool,
    /// End of the jailing in seconds since 1970, if the chain tells.
    pub jailed_until: Option<u64>,
}

/// What happens to an unjailer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A look at the chain.
    Observed(Observation),
    /// The jailing was ended, at this time.
    Ended(u64),
    /// A try failed, at this time.
    Failed(u64),
}

/// What an unjailer wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// End the jailing and answer with [`Event::Ended`] or [`Event::Failed`].
    Unjail,
}

/// Why a jailing is not ended now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Hold {
    /// The key must not sign again.
    #[error("the chain has evidence against this key; it is not unjailed without the operator")]
    Evidence,
    /// Two signers would be slashed.
    #[error("another signer holds a key of this process; nothing is unjailed until it is stopped")]
    OtherSigner,
    /// The chain does not tell when the time is over.
    #[error("the chain does not tell when the jail time is over; run the unjail command")]
    NoEnd,
    /// Not yet.
    #[error("unjailed by itself when the jail time is over, in {0} s")]
    Until(u64),
    /// Often enough.
    #[error(
        "unjailed {0} times within 24 hours, as often as max_per_day allows: find out why votes are missed, then run the \
         unjail command"
    )]
    TooOften(usize),
    /// A try failed a moment ago.
    #[error("a try to unjail failed, the next one follows in {0} s")]
    Resting(u64),
}

/// Decides when to unjail one provider on one chain.
#[derive(Debug, Clone)]
pub struct Unjailer {
    max_per_day: u32,
    /// When it was unjailed, in seconds since 1970.
    ended: Vec<u64>,
    rest_until: u64,
    failures: u32,
    hold: Option<Hold>,
}

impl Unjailer {
    /// An unjailer that remembers when it unjailed before, in seconds since 1970.
    pub fn new(max_per_day: u32, ended: Vec<u64>) -> Self {
        Self { max_per_day, ended, rest_until: 0, failures: 0, hold: None }
    }

    /// Takes in an event and says what to do.
    pub fn on_event(&mut self, event: Event) -> Vec<Action> {
        match event {
            Event::Observed(seen) => {
                self.hold = None;
                if !seen.jailed {
                    return Vec::new();
                }
                self.hold = self.held_by(&seen);
                if self.hold.is_some() { Vec::new() } else { vec![Action::Unjail] }
            }
            Event::Ended(at) => {
                self.ended.push(at);
                (self.failures, self.rest_until) = (0, 0);
                Vec::new()
            }
            Event::Failed(at) => {
                let (first, longest) = RETRY;
                let rest = first.saturating_mul(1 << self.failures.min(16)).min(longest);
                self.failures = self.failures.saturating_add(1);
                self.rest_until = at.saturating_add(rest);
                self.hold = Some(Hold::Resting(rest));
                Vec::new()
            }
        }
    }

    /// Why the jailing is not ended now; `None` when there is none or it is being ended.
    pub fn hold(&self) -> Option<Hold> {
        self.hold
    }

    /// When it was unjailed within the last 24 hours.
    pub fn ended(&self) -> &[u64] {
        &self.ended
    }

    fn held_by(&mut self, seen: &Observation) -> Option<Hold> {
        self.ended.retain(|at| at.saturating_add(DAY) > seen.now);
        if seen.slashed || seen.evidence {
            return Some(Hold::Evidence);
        }
        if seen.other_signer {
            return Some(Hold::OtherSigner);
        }
        let Some(until) = seen.jailed_until else { return Some(Hold::NoEnd) };
        // Block time must be strictly after the end.
        if seen.now <= until {
            return Some(Hold::Until(until.saturating_sub(seen.now).saturating_add(1)));
        }
        if u32::try_from(self.ended.len()).is_ok_and(|ended| ended >= self.max_per_day) {
            return Some(Hold::TooOften(self.ended.len()));
        }
        let rest = self.rest_until.saturating_sub(seen.now);
        (rest > 0).then_some(Hold::Resting(rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000_000;

    fn jailed() -> Observation {
        Observation {
            now: NOW,
            jailed: true,
            slashed: false,
            evidence: false,
            other_signer: false,
            jailed_until: Some(NOW - 1),
        }
    }

    #[test]
    fn a_jailing_is_ended_once_its_time_is_over_and_only_without_doubt() {
        let table = [
            (jailed(), None),
            (Observation { slashed: true, ..jailed() }, Some(Hold::Evidence)),
            (Observation { evidence: true, ..jailed() }, Some(Hold::Evidence)),
            (Observation { other_signer: true, ..jailed() }, Some(Hold::OtherSigner)),
            (Observation { jailed_until: None, ..jailed() }, Some(Hold::NoEnd)),
            (Observation { jailed_until: Some(NOW), ..jailed() }, Some(Hold::Until(1))),
            (Observation { jailed_until: Some(NOW + 9), ..jailed() }, Some(Hold::Until(10))),
        ];
        for (seen, hold) in table {
            let mut unjailer = Unjailer::new(1, Vec::new());
            let expected = if hold.is_none() { vec![Action::Unjail] } else { Vec::new() };
            assert_eq!((unjailer.on_event(Event::Observed(seen)), unjailer.hold()), (expected, hold));
        }
        let mut unjailer = Unjailer::new(1, Vec::new());
        let free = Observation { jailed: false, evidence: true, ..jailed() };
        assert_eq!((unjailer.on_event(Event::Observed(free)), unjailer.hold()), (Vec::new(), None));
    }

    #[test]
    fn no_more_than_allowed_within_a_day_also_over_a_restart() {
        let mut unjailer = Unjailer::new(2, vec![NOW - DAY, NOW - 5]);
        assert_eq!(unjailer.on_event(Event::Observed(jailed())), [Action::Unjail], "one is a day ago");
        unjailer.on_event(Event::Ended(NOW));
        assert_eq!(unjailer.on_event(Event::Observed(jailed())), []);
        assert_eq!(unjailer.hold(), Some(Hold::TooOften(2)));
        let again = Observation { now: NOW + DAY - 5, ..jailed() };
        assert_eq!(unjailer.on_event(Event::Observed(again)), [Action::Unjail]);
        let mut never = Unjailer::new(0, Vec::new());
        assert_eq!(never.on_event(Event::Observed(jailed())), []);
    }

    #[test]
    fn tries_that_fail_are_repeated_at_growing_distance() {
        let mut unjailer = Unjailer::new(1, Vec::new());
        let mut now = NOW;
        let mut waits = Vec::new();
        for _ in 0..9 {
            let at = |now| Event::Observed(Observation { now, ..jailed() });
            assert_eq!(unjailer.on_event(at(now)), [Action::Unjail]);
            unjailer.on_event(Event::Failed(now));
            assert_eq!(unjailer.on_event(at(now)), []);
            let Some(Hold::Resting(wait)) = unjailer.hold() else { panic!("{unjailer:?}") };
            waits.push(wait);
            assert_eq!(unjailer.on_event(at(now + wait - 1)), []);
            now += wait;
        }
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 600, 600]);
    }
}
