//! Facts that have no code of their own, by words in the log.

use super::{Failure, Meaning, Registered};
use btc_staking_pos_chain::message::RefusalKind;

/// Where words count.
enum Of {
    /// Beside these codes, whether the chain gave the code or its text.
    Codes(&'static [(&'static str, u32)]),
    /// Where no registered error says more.
    Unregistered,
}
use Meaning::{Done, Refused};
use Of::{Codes, Unregistered};

/// All words of an entry, in lower case, must occur; the first entry that fits counts.
struct Words(Of, &'static [&'static str], Meaning);

const INVALID_STAKING_TX: (&str, u32) = ("btcstaking", 1108);
const INVALID_COVENANT_SIG: (&str, u32) = ("btcstaking", 1110);
const INVALID_UNDELEGATION: (&str, u32) = ("btcstaking", 1119);

#[rustfmt::skip]
const WORDS: [Words; 28] = [
    // One code, several facts.
    Words(Codes(&[("btcstaking", 1103)]), &["same babylon address"], Refused(RefusalKind::AccountTaken)),
    Words(Codes(&[INVALID_STAKING_TX, INVALID_UNDELEGATION]), &["not k-deep"], Refused(RefusalKind::NotDeepEnough)),
    Words(Codes(&[INVALID_COVENANT_SIG]), &["already submitted"], Done),
    Words(Codes(&[INVALID_COVENANT_SIG]), &["unbonded"], Refused(RefusalKind::DelegationEnded)),
    Words(Codes(&[INVALID_COVENANT_SIG]), &["expired"], Refused(RefusalKind::DelegationEnded)),
    Words(Codes(&[INVALID_COVENANT_SIG]), &["was not a member"], Refused(RefusalKind::NotACommitteeMember)),
    Words(Codes(&[INVALID_UNDELEGATION]), &["cannot unbond an unbonded"], Done),
    Words(Codes(&[INVALID_UNDELEGATION]), &["quorum of covenant signatures"], Refused(RefusalKind::QuorumMissing)),
    Words(Codes(&[INVALID_UNDELEGATION]), &["header", "not found"], Refused(RefusalKind::HeaderUnknown)),
    Words(Codes(&[INVALID_UNDELEGATION]), &["header", "not known"], Refused(RefusalKind::HeaderUnknown)),
    Words(Codes(&[INVALID_UNDELEGATION]), &["header does not exist"], Refused(RefusalKind::HeaderUnknown)),
    Words(Codes(&[INVALID_UNDELEGATION]), &["included too early"], Refused(RefusalKind::IncludedTooEarly)),
    Words(Codes(&[("finality", 1108)]), &["voting power"], Refused(RefusalKind::NoVotingPower)),
    Words(Codes(&[("sdk", 4)]), &["not allowed to receive"], Refused(RefusalKind::NotAuthorised)),
    // An account nobody ever funded.
    Words(Codes(&[("sdk", 22)]), &["account"], Refused(RefusalKind::InsufficientFunds)),
    // No code at all.
    Words(Unregistered, &["no message handler"], Refused(RefusalKind::Broken)),
    Words(Unregistered, &["can't route message"], Refused(RefusalKind::Broken)),
    Words(Unregistered, &["already has inclusion proof"], Done),
    Words(Unregistered, &["is already unbonded"], Refused(RefusalKind::DelegationEnded)),
    Words(Unregistered, &["quorum of covenant signatures"], Refused(RefusalKind::QuorumMissing)),
    Words(Unregistered, &["code = permissiondenied"], Refused(RefusalKind::NotAuthorised)),
    Words(Unregistered, &["does not match the signer"], Refused(RefusalKind::NotAuthorised)),
    // Of a withdrawal; the words of a lookup inside.
    Words(Unregistered, &["code = internal", "collections: not found"], Refused(RefusalKind::NothingToWithdraw)),
    Words(Unregistered, &["collections: not found"], Refused(RefusalKind::RandomnessNotUsable)),
    Words(Unregistered, &["header", "not found"], Refused(RefusalKind::HeaderUnknown)),
    Words(Unregistered, &["header", "not known"], Refused(RefusalKind::HeaderUnknown)),
    Words(Unregistered, &["insufficient funds"], Refused(RefusalKind::InsufficientFunds)),
    Words(Unregistered, &["invalid fee"], Refused(RefusalKind::Broken)),
];

/// What the words of a log say; `log` is in lower case.
pub(super) fn find(
    failure: &Failure<'_>,
    registered: Option<&'static Registered>,
    log: &str,
) -> Option<Meaning> {
    let is = |(codespace, code): &(&str, u32)| {
        registered.is_some_and(|entry| entry.codespace == *codespace && entry.code == *code)
            || (registered.is_none() && failure.codespace == *codespace && failure.code == *code)
    };
    let counts = |of: &Of| match of {
        Codes(codes) => codes.iter().any(is),
        Unregistered => registered.is_none(),
    };
    let fits = |Words(of, words, _): &&Words| counts(of) && words.iter().all(|word| log.contains(word));
    WORDS.iter().find(fits).map(|Words(_, _, meaning)| *meaning)
}
