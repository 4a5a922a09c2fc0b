//! A refused transaction, in Bitcoin Core's words.

use crate::bitcoind::code;
use thiserror::Error;

/// Why a transaction was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{reason} (code {code})")]
pub struct Rejection {
    /// The code `sendrawtransaction` answers with.
    pub code: i32,
    /// The reason as Bitcoin Core words it.
    pub reason: String,
}

impl Rejection {
    /// Refused by consensus or policy.
    pub(super) fn rejected(reason: impl Into<String>) -> Self {
        Self { code: code::VERIFY_REJECTED, reason: reason.into() }
    }

    /// An input is spent or was never there.
    pub(super) fn missing_inputs() -> Self {
        Self { code: code::VERIFY, reason: "bad-txns-inputs-missingorspent".to_owned() }
    }

    /// An output of the transaction is in the chain already.
    pub(super) fn already_in_chain() -> Self {
        Self { code: code::ALREADY_IN_CHAIN, reason: "Transaction outputs already in utxo set".to_owned() }
    }

    /// Burns more than the sender allows.
    pub(super) fn burn_exceeded() -> Self {
        let reason = "Unspendable output exceeds maximum configured by user (maxburnamount)";
        Self { code: code::VERIFY, reason: reason.to_owned() }
    }

    /// Pays more than the sender allows.
    pub(super) fn fee_exceeded() -> Self {
        let reason = "Fee exceeds maximum configured by user (e.g. -maxtxfee, maxfeerate)";
        Self { code: code::VERIFY, reason: reason.to_owned() }
    }
}
