//! What the chain's errors mean (`wire.md` 4.5, 4.6).
//!
//! A registered error has a codespace and a code, but not everywhere: simulation and queries answer `sdk/6`, errors
//! that passed through Go's own wrapping answer `undefined/1`, and gRPC writes both into its text. So errors are found
//! by code where there is one, by `codespace X code N` in the text, and otherwise by their registered text, compared in
//! lower case and as a whole part of the log. Words in front tell facts that share a code or have none.
//!
//! Logs are what a node says: of a long one its beginning and its end are looked at and kept, no more.

mod registry;
mod words;

use btc_staking_pos_chain::{
    MessageOutcome, Refusal,
    message::{RefusalClass, RefusalKind},
};
pub use registry::{Meaning, REGISTRY, Registered};
use std::borrow::Cow;

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

/// Most bytes of a log that are looked at and kept, half from its beginning and half from its end.
pub const MOST_LOG: usize = 16 * 1024;

impl Failure<'_> {
    /// The SDK's code, also where only its text is left.
    pub(crate) fn sdk_code(&self) -> Option<u32> {
        find_registered(self).filter(|entry| entry.codespace == "sdk").map(|entry| entry.code)
    }
}

/// Returns the registered error a failure is, if it can be told.
pub fn find_registered(failure: &Failure<'_>) -> Option<&'static Registered> {
    let log = bounded(failure.log);
    by_code(failure.codespace, failure.code).or_else(|| by_grpc(&log)).or_else(|| by_text(&log))
}

fn by_code(codespace: &str, code: u32) -> Option<&'static Registered> {
    let known = |entry: &&Registered| entry.codespace == codespace && entry.code == code;
    if has_no_code(codespace, code) { None } else { REGISTRY.iter().find(known) }
}

/// Codes of the generic kinds say nothing about the fact: the module's error is in the words. A panic is one of its own.
fn has_no_code(codespace: &str, code: u32) -> bool {
    match (codespace, code) {
        ("undefined", code) => code != PANIC,
        ("sdk", 6 | 18 | 22 | 38) | ("", _) => true,
        _ => false,
    }
}

/// gRPC: `codespace X code N: text: wraps`, where the order of wraps is that of no other log.
fn by_grpc(log: &str) -> Option<&'static Registered> {
    let (_, rest) = log.split_once("codespace ")?;
    let (codespace, rest) = rest.split_once(" code ")?;
    let (code, _) = rest.split_once(':')?;
    by_code(codespace, code.parse().ok()?)
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
        // Simulation puts its own words around what the chain says.
        let part = part.rsplit(" desc = ").next().unwrap_or(part);
        let part = without_place(part.split(" with gas used").next().unwrap_or(part).trim());
        REGISTRY.iter().find(|entry| wanted(entry) && is_text(entry, part))
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

fn is_text(entry: &Registered, part: &str) -> bool {
    // One text goes on behind what is known of it.
    let part = match (entry.codespace, entry.code) {
        ("epoching", 1) => part.get(..entry.text.len()).unwrap_or(part),
        _ => part,
    };
    entry.text.eq_ignore_ascii_case(part)
}

/// Returns what a failure means for the message that caused it; never [`Meaning::Generic`].
pub fn classify(failure: &Failure<'_>) -> Meaning {
    let registered = find_registered(failure).filter(|entry| entry.meaning != Meaning::Generic);
    let log = bounded(failure.log).to_lowercase();
    words::find(failure, registered, &log)
        .or_else(|| registered.map(|entry| entry.meaning))
        .unwrap_or_else(|| Meaning::Refused(kind_of_unknown(failure, &log)))
}

/// An error that no table knows. Where the chain executed the message, or refused the transaction by a code, a rule
/// spoke that we do not know, and it stays. What remains is trouble of the node on the way there, which passes.
fn kind_of_unknown(failure: &Failure<'_>, log: &str) -> RefusalKind {
    let executed = was_executed(log);
    match (failure.codespace, failure.code) {
        ("" | "sdk", 6 | 22 | 38) if !executed => RefusalKind::NotNow,
        ("", _) if !executed => RefusalKind::NotNow,
        _ => RefusalKind::Other,
    }
}

/// Whether a log is that of a message or transaction that the chain executed or simulated, not of the way there.
pub(crate) fn was_executed(log: &str) -> bool {
    log.contains("message index: ") || log.contains(" with gas used: '")
}

/// Returns what can be done about a failure; `None` where nothing needs to be, because the chain has it already.
pub fn class(failure: &Failure<'_>) -> Option<RefusalClass> {
    match classify(failure) {
        Meaning::Done => None,
        Meaning::Refused(kind) => Some(kind.class()),
        Meaning::Generic => Some(RefusalClass::Reasoned),
    }
}

/// Returns the outcome of a message that failed so.
pub fn outcome(failure: &Failure<'_>) -> MessageOutcome {
    let text = bounded(failure.log).into_owned();
    let kind = match classify(failure) {
        Meaning::Done => return MessageOutcome::AlreadyDone(text),
        Meaning::Refused(kind) => kind,
        Meaning::Generic => RefusalKind::Other,
    };
    let (codespace, code) = match find_registered(failure) {
        Some(entry) => (entry.codespace, entry.code),
        None => (failure.codespace, failure.code),
    };
    MessageOutcome::Refused(Refusal { kind, codespace: bounded(codespace).into_owned(), code, text })
}

/// Whether a failure is about who pays and signs, so that no message alone would fare better.
pub(crate) fn concerns_account(failure: &Failure<'_>) -> bool {
    let funds = Meaning::Refused(RefusalKind::InsufficientFunds);
    classify(failure) == funds || matches!(failure.sdk_code(), Some(4 | 8 | 13))
}

/// Returns the position of the message that failed: `message index: N`.
pub fn failed_message_index(log: &str) -> Option<usize> {
    number_after(&bounded(log), "message index: ")?.try_into().ok()
}

/// Returns the sequence the chain expects, `account sequence mismatch, expected X, got Y`, if that is the failure.
pub fn expected_sequence(failure: &Failure<'_>) -> Option<u64> {
    let is_sequence = failure.sdk_code() == Some(32);
    let words = "account sequence mismatch, expected ";
    is_sequence.then(|| number_after(&bounded(failure.log), words)).flatten()
}

fn number_after(log: &str, words: &str) -> Option<u64> {
    let start = log.find(words)?.checked_add(words.len())?;
    let rest = log.get(start..)?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest.get(..end)?.parse().ok()
}

/// A log of any length, cut in the middle: what failed stands at the beginning, why at the end.
pub(crate) fn bounded(log: &str) -> Cow<'_, str> {
    if log.len() <= MOST_LOG {
        return Cow::Borrowed(log);
    }
    let half = MOST_LOG / 2;
    // A character has at most four bytes.
    let head = (0..4).find_map(|back| log.get(..half.saturating_sub(back))).unwrap_or_default();
    let from = log.len().saturating_sub(half);
    let tail = (0..4).find_map(|on| log.get(from.saturating_add(on)..)).unwrap_or_default();
    Cow::Owned(format!("{head} [..] {tail}"))
}

#[cfg(test)]
mod tests;
