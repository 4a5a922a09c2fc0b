//! Looks at everything a provider depends on and says how to mend what is wrong.
//!
//! It leaves nothing behind, needs no daemon and disturbs none: records that a running daemon has locked are left to it, and
//! what only the daemon knows is asked of it. Every check is a pure judgement over what was found, so that each can be
//! shown to fail.
//!
//! | check | looks at |
//! |---|---|
//! | `config`, `keys` | who may read and write the configuration and the sealed keys |
//! | `disk`, `sync` | room, kind of file system, how long a durable write takes |
//! | `records` | the sign records: there, whole, not rolled back, and knowing of every key |
//! | `daemon` | the running daemon, if there is one |
//! | `pair` | the etcd cluster, where two daemons share a key |
//! | `nodes`, `clock` | every node of every chain; our clock against theirs and the chain's |
//! | `balance` | the paying account against the price of commitments ahead |
//! | `provider`, `runway`, `lead` | standing and presence; randomness committed and usable, against how long that takes |
//! | `randomness` | whether the commitments on chain are the key's own (needs the keys) |

pub mod chain;
pub mod disk;
pub mod home;
pub mod pair;

use serde::{Deserialize, Serialize};
use std::fmt;

/// What a check came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Could not be looked at, and why.
    NotChecked,
    /// Works now; a person should look.
    Warning,
    /// Costs votes or coins, now or soon.
    Failure,
}

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The check.
    pub check: String,
    /// What it came to.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
    /// How to mend it.
    pub mend: Option<String>,
}

/// Everything that was found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Diagnosis {
    /// In the order of looking.
    pub findings: Vec<Finding>,
}

impl Finding {
    /// As it should be.
    pub fn ok(check: &str, found: impl Into<String>) -> Self {
        Self { check: check.to_owned(), verdict: Verdict::Ok, found: found.into(), mend: None }
    }
    /// Could not be looked at.
    pub fn not_checked(check: &str, found: impl Into<String>, mend: &str) -> Self {
        Self::wrong(check, Verdict::NotChecked, found, mend)
    }
    /// Works now, and how to mend it.
    pub fn warning(check: &str, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self::wrong(check, Verdict::Warning, found, mend)
    }
    /// Costs votes or coins, and how to mend it.
    pub fn failure(check: &str, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self::wrong(check, Verdict::Failure, found, mend)
    }

    fn wrong(check: &str, verdict: Verdict, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { check: check.to_owned(), verdict, found: found.into(), mend: Some(mend.into()) }
    }
}

impl Diagnosis {
    /// How many findings came to a verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.findings.iter().filter(|finding| finding.verdict == verdict).count()
    }
}

impl Verdict {
    fn mark(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::NotChecked => "--",
            Self::Warning => "warn",
            Self::Failure => "FAIL",
        }
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const WIDTH: usize = 80;
        const INDENT: usize = 18;
        for finding in &self.findings {
            let mut head = format!("{:<6}{:<12}", finding.verdict.mark(), finding.check);
            for line in crate::status::wrap(&finding.found, WIDTH - INDENT) {
                writeln!(f, "{head}{line}")?;
                head = " ".repeat(INDENT);
            }
            for (index, line) in
                finding.mend.iter().flat_map(|mend| crate::status::wrap(mend, WIDTH - INDENT - 3)).enumerate()
            {
                let arrow = if index == 0 { "-> " } else { "   " };
                writeln!(f, "{}{arrow}{line}", " ".repeat(INDENT))?;
            }
        }
        let (failures, warnings) = (self.count(Verdict::Failure), self.count(Verdict::Warning));
        writeln!(f, "{failures} failed, {warnings} to look at, {} ok", self.count(Verdict::Ok))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diagnosis_reads_at_a_glance() {
        let findings = vec![
            Finding::ok("clock", "within 1 s of 3 nodes"),
            Finding::warning(
                "disk",
                "/var/lib/finality-provider is on an overlay file system, which is gone with its container",
                "put data_dir on a volume of its own",
            ),
            Finding::failure(
                "balance",
                "bbn-1: 12 ubbn pay for no commitment",
                "send coins to bbn1qyqszqgpqyqszqgpqyqszqgpqyqszqgpfgrzfn; without them randomness runs out and voting ends",
            ),
            Finding::not_checked("randomness", "bbn-1: the keys are sealed", "run with --with-keys"),
        ];
        let expected = "\
ok    clock       within 1 s of 3 nodes
warn  disk        /var/lib/finality-provider is on an overlay file system, which
                  is gone with its container
                  -> put data_dir on a volume of its own
FAIL  balance     bbn-1: 12 ubbn pay for no commitment
                  -> send coins to bbn1qyqszqgpqyqszqgpqyqszqgpqyqszqgpfgrzfn;
                     without them randomness runs out and voting ends
--    randomness  bbn-1: the keys are sealed
                  -> run with --with-keys
1 failed, 1 to look at, 1 ok
";
        assert_eq!(Diagnosis { findings }.to_string(), expected);
    }
}
