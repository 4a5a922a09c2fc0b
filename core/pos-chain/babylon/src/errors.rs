//! What the chain's errors mean (`wire.md` 4.5, 4.6).
//!
//! A registered error has a codespace and a code, but simulation and queries lose both: they answer `sdk/6` or
//! `undefined/1` and only the words are left. So errors are found by code where there is one and by their registered
//! text otherwise, compared in lower case and as a whole part of the log, and told by the words in front where one
//! code stands for several facts.

mod registry;

use btc_staking_pos_chain::{MessageOutcome, Refusal, message::RefusalKind};
pub use registry::{Meaning, REGISTRY, Registered};

/// A failure as the chain reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure<'a> {
    /// Namespace of the code; `undefined` or empty when there is none.
    pub codespace: &'a str,
    /// The code.
    pub code: u32,
    /// The chain's words.
    pub log: &'a str,
}

/// Code of a panic within `undefined`.
const PANIC: u32 = 111_222;

/// Facts that have no code of their own, by words in the log, in lower case. All words of an entry must occur; the first
/// entry that fits counts.
const BY_WORDS: [(&[&str], Meaning); 9] = [
    (&["already has inclusion proof"], Meaning::Done),
    (&["cannot unbond an unbonded"], Meaning::Done),
    (&["not k-deep"], Meaning::Refused(RefusalKind::NotDeepEnough)),
    (&["collections: not found"], Meaning::Refused(RefusalKind::RandomnessNotUsable)),
    (&["quorum"], Meaning::Refused(RefusalKind::QuorumMissing)),
    (&["header", "not found"], Meaning::Refused(RefusalKind::HeaderUnknown)),
    (&["header", "not known"], Meaning::Refused(RefusalKind::HeaderUnknown)),
    (&["header does not exist"], Meaning::Refused(RefusalKind::HeaderUnknown)),
    (&["insufficient funds"], Meaning::Refused(RefusalKind::InsufficientFunds)),
];

/// Returns the registered error a failure is, if it can be told.
pub fn find_registered(failure: &Failure<'_>) -> Option<&'static Registered> {
    by_code(failure).or_else(|| by_text(failure.log))
}

fn by_code(failure: &Failure<'_>) -> Option<&'static Registered> {
    let known = |entry: &&Registered| entry.codespace == failure.codespace && entry.code == failure.code;
    if has_no_code(failure) { None } else { REGISTRY.iter().find(known) }
}

/// Codes of the generic kinds say nothing about the fact: the module's error is in the words. A panic is one of its own.
fn has_no_code(failure: &Failure<'_>) -> bool {
    match (failure.codespace, failure.code) {
        ("undefined", code) => code != PANIC,
        ("sdk", 6 | 18 | 22) | ("", _) => true,
        _ => false,
    }
}

/// Wrapping puts words in front, separated by a colon and a space, so a registered text is a whole part of the log. The
/// last part that is one counts: it is the innermost error. Modules come first, because a query ends in the SDK's own
/// `unknown request` whatever the module said.
fn by_text(log: &str) -> Option<&'static Registered> {
    let of_module = |entry: &Registered| entry.codespace != "sdk";
    let of_sdk = |entry: &Registered| entry.codespace == "sdk" && entry.meaning != Meaning::Generic;
    last_part(log, of_module).or_else(|| last_part(log, of_sdk))
}

fn last_part(log: &str, wanted: impl Fn(&Registered) -> bool) -> Option<&'static Registered> {
    log.rsplit(": ").find_map(|part| {
        let part = without_place(part.split(" with gas used").next().unwrap_or(part).trim());
        REGISTRY.iter().find(|entry| wanted(entry) && entry.text.eq_ignore_ascii_case(part))
    })
}

/// A registered error that crossed Go's formatting names the place in the source behind its text, as a real node of
/// v4.3.1 shows: `the BTC staking tx is not valid [cosmossdk.io/errors@v1.0.2/errors.go:155]`.
fn without_place(part: &str) -> &str {
    match part.rsplit_once(" [") {
        Some((text, place)) if place.ends_with(']') && place.contains(".go:") => text,
        Some(_) | None => part,
    }
}

/// Returns what a failure means for the message that caused it.
pub fn classify(failure: &Failure<'_>) -> Meaning {
    let registered = find_registered(failure);
    if let Some(Registered { meaning: Meaning::ByWords { words, then, otherwise }, .. }) = registered {
        let log = failure.log.to_lowercase();
        let told = words.iter().any(|word| log.contains(word));
        return Meaning::Refused(if told { *then } else { *otherwise });
    }
    match registered.map(|entry| entry.meaning) {
        Some(meaning @ Meaning::Done) => meaning,
        Some(meaning @ Meaning::Refused(kind)) if kind != RefusalKind::Other => meaning,
        // Anything less than a named fact may still be told by words.
        Some(Meaning::Refused(_) | Meaning::Generic | Meaning::ByWords { .. }) => {
            by_words(failure.log).unwrap_or(Meaning::Refused(RefusalKind::Other))
        }
        None => by_words(failure.log).unwrap_or_else(|| Meaning::Refused(kind_of_unknown(failure))),
    }
}

/// An error that no table knows: one with a code of its own is a rule we do not know, and stays. One without is trouble
/// on the way to the module, which passes.
fn kind_of_unknown(failure: &Failure<'_>) -> RefusalKind {
    if has_no_code(failure) { RefusalKind::NotNow } else { RefusalKind::Other }
}

fn by_words(log: &str) -> Option<Meaning> {
    let log = log.to_lowercase();
    let fits = |(words, _): &&(&[&str], Meaning)| words.iter().all(|word| log.contains(word));
    BY_WORDS.iter().find(fits).map(|(_, meaning)| *meaning)
}

/// Returns the outcome of a message that failed so.
pub fn outcome(failure: &Failure<'_>) -> MessageOutcome {
    let kind = match classify(failure) {
        Meaning::Done => return MessageOutcome::AlreadyDone(failure.log.to_owned()),
        Meaning::Refused(kind) => kind,
        Meaning::Generic | Meaning::ByWords { .. } => RefusalKind::Other,
    };
    let (codespace, code) = match find_registered(failure) {
        Some(entry) => (entry.codespace, entry.code),
        None => (failure.codespace, failure.code),
    };
    let text = failure.log.to_owned();
    MessageOutcome::Refused(Refusal { kind, codespace: codespace.to_owned(), code, text })
}

/// Returns the position of the message that failed: `message index: N`.
pub fn failed_message_index(log: &str) -> Option<usize> {
    number_after(log, "message index: ")?.try_into().ok()
}

/// Returns the sequence the chain expects: `account sequence mismatch, expected X, got Y`.
pub fn expected_sequence(log: &str) -> Option<u64> {
    number_after(log, "account sequence mismatch, expected ")
}

fn number_after(log: &str, words: &str) -> Option<u64> {
    let start = log.find(words)?.checked_add(words.len())?;
    let rest = log.get(start..)?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest.get(..end)?.parse().ok()
}

#[cfg(test)]
mod tests;
