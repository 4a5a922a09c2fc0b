//! Facts: each is waited for with a deadline, checked against the chain or the Bitcoin node, and remembered.

use crate::{
    processes::tail,
    timeline::{Timeline, seconds},
};
use serde::Serialize;
use std::{
    fmt,
    future::Future,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};
use thiserror::Error;

/// How long a fact may take to become true. Far more than any needs, so that a busy machine does not matter.
const DEADLINE: Duration = Duration::from_secs(120);
/// Between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(75);

/// A fact that was looked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// What it says.
    pub name: String,
    /// Whether it holds.
    pub ok: bool,
}

/// A fact that does not hold: what was expected, what was seen, and what those said who should have made it true.
#[derive(Debug, Error)]
#[error("{expected}: not within {}; seen: {seen}{}", seconds(*.waited), Tails(.logs))]
pub struct Untrue {
    /// What was expected.
    pub expected: String,
    /// What was seen instead, at the last look.
    pub seen: String,
    /// How long it was looked for.
    pub waited: Duration,
    /// Logs of those responsible.
    pub logs: Vec<PathBuf>,
}

struct Tails<'a>(&'a [PathBuf]);

impl fmt::Display for Tails<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for log in self.0 {
            write!(f, "\n--- the end of {}\n{}", log.display(), tail(log))?;
        }
        Ok(())
    }
}

/// All facts of a story.
pub struct Facts<'a> {
    timeline: &'a Timeline,
    deadline: Duration,
    looked_for: Mutex<Vec<Fact>>,
}

/// What is looked for and who answers for it.
pub struct Claim<'a> {
    /// Who it is about, for the timeline.
    pub who: &'a str,
    /// The fact, as a sentence.
    pub fact: String,
    /// Logs to show when it does not become true.
    pub logs: Vec<PathBuf>,
}

impl<'a> Facts<'a> {
    /// None yet.
    pub fn new(timeline: &'a Timeline) -> Self {
        Self { timeline, deadline: DEADLINE, looked_for: Mutex::default() }
    }

    /// Those looked for so far, in the order in which they were decided.
    pub fn so_far(&self) -> Vec<Fact> {
        self.looked_for.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks until `probe` answers with what it found; its error says what it saw instead.
    ///
    /// # Errors
    /// [`Untrue`] when the deadline passes.
    pub async fn wait<T, Probe, Answer>(&self, claim: Claim<'_>, mut probe: Probe) -> Result<T, Untrue>
    where
        Probe: FnMut() -> Answer,
        Answer: Future<Output = Result<T, String>>,
    {
        let started = Instant::now();
        loop {
            match probe().await {
                Ok(found) => {
                    self.decide(&claim, true);
                    self.timeline.holds(claim.who, &claim.fact, started.elapsed());
                    return Ok(found);
                }
                Err(seen) if started.elapsed() >= self.deadline => {
                    return Err(self.fail(claim, seen, started.elapsed()));
                }
                Err(_) => tokio::time::sleep(LOOK_AGAIN).await,
            }
        }
    }

    /// States a fact that is true or not now.
    ///
    /// # Errors
    /// [`Untrue`] when `outcome` is what was seen instead.
    pub fn state<T>(&self, claim: Claim<'_>, outcome: Result<T, String>) -> Result<T, Untrue> {
        match outcome {
            Ok(found) => {
                self.decide(&claim, true);
                self.timeline.holds(claim.who, &claim.fact, Duration::ZERO);
                Ok(found)
            }
            Err(seen) => Err(self.fail(claim, seen, Duration::ZERO)),
        }
    }

    fn fail(&self, claim: Claim<'_>, seen: String, waited: Duration) -> Untrue {
        self.decide(&claim, false);
        self.timeline.fails(claim.who, &claim.fact);
        Untrue { expected: claim.fact, seen, waited, logs: claim.logs }
    }

    fn decide(&self, claim: &Claim<'_>, ok: bool) {
        let fact = Fact { name: format!("{}: {}", claim.who, claim.fact), ok };
        self.looked_for.lock().unwrap_or_else(PoisonError::into_inner).push(fact);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::tests::Page;
    use std::cell::Cell;

    fn claim(fact: &str, logs: Vec<PathBuf>) -> Claim<'static> {
        Claim { who: "stake A", fact: fact.to_owned(), logs }
    }

    #[tokio::test]
    async fn a_fact_is_looked_for_until_it_holds() {
        let page = Page::default();
        let timeline = Timeline::written_to(page.clone());
        let facts = Facts::new(&timeline);
        let looks = Cell::new(0);
        let found = facts.wait(claim("is active", vec![]), || async {
            looks.set(looks.get() + 1);
            if looks.get() < 3 { Err("it is pending".to_owned()) } else { Ok(looks.get()) }
        });
        assert_eq!(found.await.unwrap(), 3);
        assert_eq!(facts.so_far(), [Fact { name: "stake A: is active".to_owned(), ok: true }]);
        assert!(page.text().contains("✓ stake A        is active"), "{}", page.text());
    }

    #[tokio::test]
    async fn a_fact_that_does_not_hold_says_what_was_seen_and_shows_the_log() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("slasher.log");
        std::fs::write(&log, "first line\nlast line\n").unwrap();
        let timeline = Timeline::written_to(Page::default());
        let facts = Facts { deadline: Duration::ZERO, ..Facts::new(&timeline) };
        let untrue =
            facts.wait(claim("is active", vec![log]), || async { Err::<(), _>("it is pending".to_owned()) });
        let untrue = untrue.await.unwrap_err().to_string();
        for part in ["is active", "it is pending", "slasher.log", "last line"] {
            assert!(untrue.contains(part), "{untrue}");
        }
        let stated = facts.state(claim("is small", vec![]), Err::<(), _>("large".to_owned()));
        assert!(stated.is_err());
        assert!(facts.so_far().iter().all(|fact| !fact.ok));
    }
}
