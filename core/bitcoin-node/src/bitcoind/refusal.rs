//! What a node's refusal of a transaction means, by its code and words.

use super::connection::code;
use crate::ports::{BroadcastOutcome, BroadcastRefusal, RefusalKind};

/// Pieces of Bitcoin Core's refusals, most telling first. Words have changed between versions; all known ones are here.
const WORDS: &[(&str, RefusalKind)] = &[
    ("missingorspent", RefusalKind::MissingOrSpent),
    ("missing inputs", RefusalKind::MissingOrSpent),
    ("missing-inputs", RefusalKind::MissingOrSpent),
    ("maxburnamount", RefusalKind::BurnExceeded),
    ("max-burn-exceeded", RefusalKind::BurnExceeded),
    ("mempool-conflict", RefusalKind::MempoolConflict),
    ("insufficient fee", RefusalKind::MempoolConflict),
    ("replacement", RefusalKind::MempoolConflict),
    ("spends-conflicting-tx", RefusalKind::MempoolConflict),
    ("min fee not met", RefusalKind::FeeTooLow),
    ("min relay fee not met", RefusalKind::FeeTooLow),
    ("mempool full", RefusalKind::FeeTooLow),
    ("too-long-mempool-chain", RefusalKind::TooManyRelatives),
    ("too-large-cluster", RefusalKind::TooManyRelatives),
    ("non-final", RefusalKind::NonFinal),
    ("non-bip68-final", RefusalKind::NonFinal),
    ("nonfinal", RefusalKind::NonFinal),
    ("premature-spend-of-coinbase", RefusalKind::NonFinal),
    ("script-verify-flag", RefusalKind::ScriptFailed),
];

/// Refusals that say the node has the transaction.
const KNOWN: &[&str] = &[
    "txn-already-in-mempool",
    "txn-already-known",
    // Same transaction, other witness: the txid is the same, so the coins go the same way.
    "txn-same-nonwitness-data-in-mempool",
    "already in block chain",
    "outputs already in utxo set",
];

/// Returns what a refusal by `sendrawtransaction` means.
///
/// "Insufficient fee" is what a node says when a rival in its mempool would have to be replaced, so it is a
/// [`RefusalKind::MempoolConflict`]; a fee below what the mempool takes is "min fee not met".
pub fn classify_refusal(rpc_code: i32, message: &str) -> BroadcastOutcome {
    let text = message.to_ascii_lowercase();
    if rpc_code == code::ALREADY_IN_CHAIN || KNOWN.iter().any(|words| text.contains(words)) {
        return BroadcastOutcome::AlreadyKnown;
    }
    let kind =
        WORDS.iter().find(|(words, _)| text.contains(words)).map_or(RefusalKind::Other, |(_, kind)| *kind);
    BroadcastOutcome::Refused(BroadcastRefusal { kind, text: message.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_refusal_has_its_kind() {
        use RefusalKind::*;
        for (code, message, kind) in [
            (-25, "bad-txns-inputs-missingorspent", MissingOrSpent),
            (-25, "Missing inputs", MissingOrSpent),
            (-25, "Unspendable output exceeds maximum configured by user (maxburnamount)", BurnExceeded),
            (-26, "txn-mempool-conflict", MempoolConflict),
            (
                -26,
                "insufficient fee, rejecting replacement 00; new feerate 0.1 <= old feerate 0.2",
                MempoolConflict,
            ),
            (-26, "insufficient feerate: does not improve feerate diagram", MempoolConflict),
            (-26, "min relay fee not met, 10 < 111", FeeTooLow),
            (-26, "mempool min fee not met, 10 < 111", FeeTooLow),
            (-26, "mempool full", FeeTooLow),
            (-26, "too-long-mempool-chain, too many unconfirmed ancestors [limit: 25]", TooManyRelatives),
            (-26, "too-large-cluster", TooManyRelatives),
            (-26, "non-final", NonFinal),
            (-26, "non-BIP68-final", NonFinal),
            (-26, "bad-txns-premature-spend-of-coinbase, tried to spend coinbase at depth 1", NonFinal),
            (-26, "mandatory-script-verify-flag-failed (Invalid Schnorr signature)", ScriptFailed),
            (-26, "mempool-script-verify-flag-failed (Locktime requirement not satisfied)", ScriptFailed),
            (-26, "non-mandatory-script-verify-flag (Witness program hash mismatch)", ScriptFailed),
            (-26, "dust", Other),
            (-26, "scriptpubkey", Other),
            (-22, "TX decode failed. Make sure the tx has at least one input.", Other),
        ] {
            let BroadcastOutcome::Refused(refusal) = classify_refusal(code, message) else {
                panic!("{message} is a refusal")
            };
            assert_eq!((refusal.kind, refusal.text.as_str()), (kind, message));
        }
    }

    #[test]
    fn a_transaction_the_node_has_is_no_refusal() {
        for (code, message) in [
            (-27, "Transaction outputs already in utxo set"),
            (-27, "Transaction already in block chain"),
            (-26, "txn-already-in-mempool"),
            (-26, "txn-already-known"),
            (-26, "txn-same-nonwitness-data-in-mempool"),
        ] {
            assert_eq!(classify_refusal(code, message), BroadcastOutcome::AlreadyKnown, "{message}");
        }
    }
}
