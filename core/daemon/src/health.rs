//! The health board: named checks that tasks keep up to date, read by `/healthz` and `/readyz`.
//!
//! | state | `/healthz` | `/readyz` | means |
//! |---|---|---|---|
//! | starting | 200 | 503 | has not reported yet |
//! | ok | 200 | 200 | works |
//! | degraded | 200 | 503 | does not work now and tries on; a restart would not help |
//! | failed | 503 | 503 | has given up; only a restart helps |

use serde::Serialize;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// State of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum CheckState {
    /// Has not reported yet.
    Starting,
    /// Works.
    Ok,
    /// Does not work now and tries on.
    Degraded {
        /// Why.
        reason: String,
    },
    /// Has given up.
    Failed {
        /// Why.
        reason: String,
    },
}

/// All checks of a process. Cheap to clone; all clones are one board.
#[derive(Debug, Clone, Default)]
pub struct Health {
    checks: Arc<Mutex<BTreeMap<String, CheckState>>>,
}

/// One line of the board, held by whoever reports on it. The line stays when this is dropped.
#[derive(Debug, Clone)]
pub struct Check {
    board: Health,
    name: String,
}

/// The board at one moment, as the HTTP answers show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HealthReport {
    /// No check has failed.
    pub alive: bool,
    /// Every check is ok.
    pub ready: bool,
    /// The checks by name.
    pub checks: BTreeMap<String, CheckState>,
}

impl Health {
    /// An empty board, which is alive and ready.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a check, in state `starting`, or returns the one of that name as it is.
    pub fn check(&self, name: &str) -> Check {
        self.lock().entry(name.to_owned()).or_insert(CheckState::Starting);
        Check { board: self.clone(), name: name.to_owned() }
    }

    /// The board as it is now.
    pub fn report(&self) -> HealthReport {
        let checks = self.lock().clone();
        HealthReport {
            alive: !checks.values().any(|state| matches!(state, CheckState::Failed { .. })),
            ready: checks.values().all(|state| *state == CheckState::Ok),
            checks,
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, CheckState>> {
        self.checks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Check {
    /// Reports that it works.
    pub fn ok(&self) {
        self.set(CheckState::Ok);
    }
    /// Reports that it does not work now, and why.
    pub fn degraded(&self, reason: impl Into<String>) {
        self.set(CheckState::Degraded { reason: reason.into() });
    }
    /// Reports that it has given up, and why.
    pub fn failed(&self, reason: impl Into<String>) {
        self.set(CheckState::Failed { reason: reason.into() });
    }
    /// Takes the check off the board, because what it watched has ended as planned.
    pub fn remove(self) {
        self.board.lock().remove(&self.name);
    }

    fn set(&self, state: CheckState) {
        self.board.lock().insert(self.name.clone(), state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_check_decides() {
        let health = Health::new();
        let verdict = || (health.report().alive, health.report().ready);
        assert_eq!(verdict(), (true, true));
        let (node, chain) = (health.check("bitcoin_node"), health.check("chain"));
        assert_eq!(verdict(), (true, false));
        node.ok();
        chain.ok();
        assert_eq!(verdict(), (true, true));
        node.degraded("no answer");
        assert_eq!(verdict(), (true, false));
        health.check("bitcoin_node");
        assert_eq!(verdict(), (true, false), "asking for a check again does not reset it");
        chain.failed("given up");
        assert_eq!(verdict(), (false, false));
        chain.remove();
        node.ok();
        assert_eq!(verdict(), (true, true));
    }

    #[test]
    fn the_report_gives_reasons() {
        let health = Health::new();
        health.check("chain").degraded("no answer for 12 s");
        let json = serde_json::to_value(health.report()).unwrap();
        let expected = serde_json::json!({
            "alive": true, "ready": false,
            "checks": {"chain": {"state": "degraded", "reason": "no answer for 12 s"}},
        });
        assert_eq!(json, expected);
    }
}
