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
const DEADLINE: Duration = Duration::from_secs(90);
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
        Self { timeline, looked_for: Mutex::default() }
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
                Err(seen) if started.elapsed() >= DEADLINE => {
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
