//! How the chain says no.
//!
//! A transaction or query is refused with a [`Refusal`]: the codespace, code and log a client sees. The forms are those
//! of `chain.md` 0 (registered, plain, registered-but-lost, gRPC status, panic); the registered texts are those of
//! `wire.md` 4.6. What is not the sender's fault, a database that cannot be read or state that contradicts itself, is
//! [`Broken`]: it stops the node instead of becoming a transaction result.

use std::fmt;
use thiserror::Error;

/// Why a transaction, message or query was not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The sender's fault; the text and codes go back to the client.
    Refused(Refusal),
    /// Not the sender's fault; the node stops.
    Broken(Broken),
}

/// The node cannot go on without risking a state that no other node would have.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Broken {
    /// The database failed.
    #[error("state cannot be read or written: {0}")]
    Storage(String),
    /// A stored record does not decode.
    #[error("stored record {table} does not decode: {reason}")]
    Corrupt {
        /// Table the record is in.
        table: &'static str,
        /// What the decoder said.
        reason: String,
    },
    /// The rules demand that the chain stops (`chain.md` 2.3, 9.3).
    #[error("chain halted: {0}")]
    Halt(String),
}

/// What a client sees of a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) codespace: &'static str,
    pub(crate) code: u32,
    pub(crate) log: String,
    /// How the error was raised; decides how a query reports it (`wire.md` 4.5).
    pub(crate) form: Form,
}

/// The way an error was raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A registered SDK error, possibly wrapped.
    Registered,
    /// Any other error value.
    Plain,
    /// A gRPC status.
    Status(Status),
    /// A crash inside a handler.
    Panic,
}

/// gRPC status codes in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Unknown,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    FailedPrecondition,
    Internal,
}

impl Status {
    const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "Unknown",
            Self::InvalidArgument => "InvalidArgument",
            Self::NotFound => "NotFound",
            Self::PermissionDenied => "PermissionDenied",
            Self::FailedPrecondition => "FailedPrecondition",
            Self::Internal => "Internal",
        }
    }
}

/// A registered SDK error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Registered {
    pub(crate) codespace: &'static str,
    pub(crate) code: u32,
    pub(crate) text: &'static str,
}

impl Registered {
    const fn new(codespace: &'static str, code: u32, text: &'static str) -> Self {
        Self { codespace, code, text }
    }

    /// The error as registered, without further words.
    pub(crate) fn bare(self) -> Failure {
        self.refusal(self.text.to_owned()).into()
    }

    /// The error wrapped in words of explanation.
    pub(crate) fn because(self, why: impl fmt::Display) -> Failure {
        self.refusal(format!("{why}: {}", self.text)).into()
    }

    /// The error after the Go standard library wrapped it: the code is lost, the text stays (`~` in `chain.md`).
    pub(crate) fn lost(self, why: impl fmt::Display) -> Failure {
        plain(format!("{why}: {}", self.text))
    }

    /// The error with a log of its own.
    pub(crate) fn refusal(self, log: String) -> Refusal {
        Refusal { codespace: self.codespace, code: self.code, log, form: Form::Registered }
    }
}

/// An error that is not registered anywhere: `undefined/1`.
pub(crate) fn plain(text: impl fmt::Display) -> Failure {
    Refusal { codespace: "undefined", code: 1, log: text.to_string(), form: Form::Plain }.into()
}

/// A gRPC status returned by a handler: `undefined/1` in a transaction.
pub(crate) fn status(code: Status, text: impl fmt::Display) -> Failure {
    let log = format!("rpc error: code = {} desc = {text}", code.name());
    Refusal { codespace: "undefined", code: 1, log, form: Form::Status(code) }.into()
}

/// What the reference answers when a handler crashes on a value nobody checked: `undefined/111222`.
pub(crate) fn panicked(text: impl fmt::Display) -> Failure {
    let log = format!("recovered: {text}: panic");
    Refusal { codespace: "undefined", code: 111_222, log, form: Form::Panic }.into()
}

/// An error with its sources in one line.
pub(crate) fn with_sources(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", with_sources(source)),
        None => error.to_string(),
    }
}

impl Refusal {
    /// The codes of success.
    pub(crate) fn none() -> Self {
        Self { codespace: "", code: 0, log: String::new(), form: Form::Plain }
    }
    /// The refusal as seen by a message of a transaction.
    pub(crate) fn in_message(mut self, index: usize) -> Self {
        self.log = format!("failed to execute message; message index: {index}: {}", self.log);
        self
    }

    /// The refusal as `abci_query` reports it (`wire.md` 4.5).
    pub(crate) fn in_query(self) -> Self {
        let mapped = match self.form {
            Form::Registered => sdk::UNKNOWN_REQUEST,
            Form::Status(Status::NotFound) => sdk::KEY_NOT_FOUND,
            Form::Status(Status::InvalidArgument | Status::FailedPrecondition) | Form::Plain => {
                sdk::INVALID_REQUEST
            }
            Form::Status(Status::Unknown | Status::PermissionDenied | Status::Internal) => {
                sdk::UNKNOWN_REQUEST
            }
            Form::Panic => return self,
        };
        mapped.refusal(format!("{}: {}", self.log, mapped.text))
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}
impl From<Broken> for Failure {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

/// Errors of the SDK itself.
pub(crate) mod sdk {
    use super::Registered;

    const fn sdk(code: u32, text: &'static str) -> Registered {
        Registered::new("sdk", code, text)
    }
    pub(crate) const TX_DECODE: Registered = sdk(2, "tx parse error");
    pub(crate) const UNAUTHORIZED: Registered = sdk(4, "unauthorized");
    pub(crate) const INSUFFICIENT_FUNDS: Registered = sdk(5, "insufficient funds");
    pub(crate) const UNKNOWN_REQUEST: Registered = sdk(6, "unknown request");
    pub(crate) const INVALID_ADDRESS: Registered = sdk(7, "invalid address");
    pub(crate) const INVALID_PUBKEY: Registered = sdk(8, "invalid pubkey");
    pub(crate) const UNKNOWN_ADDRESS: Registered = sdk(9, "unknown address");
    pub(crate) const INVALID_COINS: Registered = sdk(10, "invalid coins");
    pub(crate) const OUT_OF_GAS: Registered = sdk(11, "out of gas");
    pub(crate) const MEMO_TOO_LARGE: Registered = sdk(12, "memo too large");
    pub(crate) const INSUFFICIENT_FEE: Registered = sdk(13, "insufficient fee");
    pub(crate) const TOO_MANY_SIGNATURES: Registered = sdk(14, "maximum number of signatures exceeded");
    pub(crate) const NO_SIGNATURES: Registered = sdk(15, "no signatures supplied");
    pub(crate) const INVALID_REQUEST: Registered = sdk(18, "invalid request");
    pub(crate) const KEY_NOT_FOUND: Registered = sdk(22, "key not found");
    pub(crate) const INVALID_HEIGHT: Registered = sdk(26, "invalid height");
    pub(crate) const TX_TIMEOUT_HEIGHT: Registered = sdk(30, "tx timeout height");
    pub(crate) const UNKNOWN_EXTENSION: Registered = sdk(31, "unknown extension options");
    pub(crate) const WRONG_SEQUENCE: Registered = sdk(32, "incorrect account sequence");
    pub(crate) const NOT_SUPPORTED: Registered = sdk(37, "feature not supported");
    pub(crate) const NOT_FOUND: Registered = sdk(38, "not found");
    pub(crate) const INVALID_GAS_LIMIT: Registered = sdk(41, "invalid gas limit");
    pub(crate) const TX_TIMEOUT: Registered = sdk(42, "tx timeout");
}

/// Commission errors of native staking that finality providers share.
pub(crate) mod staking {
    use super::Registered;

    const fn staking(code: u32, text: &'static str) -> Registered {
        Registered::new("staking", code, text)
    }
    pub(crate) const COMMISSION_NEGATIVE: Registered = staking(9, "commission must be positive");
    pub(crate) const COMMISSION_HUGE: Registered = staking(10, "commission cannot be more than 100%");
    pub(crate) const COMMISSION_GT_MAX_RATE: Registered =
        staking(11, "commission cannot be more than the max rate");
    pub(crate) const COMMISSION_UPDATE_TIME: Registered =
        staking(12, "commission cannot be changed more than once in 24h");
    pub(crate) const CHANGE_RATE_NEGATIVE: Registered =
        staking(13, "commission change rate must be positive");
    pub(crate) const CHANGE_RATE_GT_MAX_RATE: Registered =
        staking(14, "commission change rate cannot be more than the max rate");
    pub(crate) const COMMISSION_GT_MAX_CHANGE_RATE: Registered =
        staking(15, "commission cannot be changed more than max change rate");
}

/// Errors of governance.
pub(crate) mod gov {
    use super::Registered;

    pub(crate) const INVALID_PROPOSAL_MSG: Registered =
        Registered::new("gov", 12, "invalid proposal message");
    pub(crate) const INVALID_SIGNER: Registered =
        Registered::new("gov", 13, "expected gov account as only signer for proposal message");
}

/// Errors of `btcstaking` (`wire.md` 4.6).
pub(crate) mod btcstaking {
    use super::Registered;

    const fn e(code: u32, text: &'static str) -> Registered {
        Registered::new("btcstaking", code, text)
    }
    pub(crate) const FP_NOT_FOUND: Registered = e(1100, "the finality provider is not found");
    pub(crate) const DELEGATION_NOT_FOUND: Registered = e(1102, "the BTC delegation is not found");
    pub(crate) const FP_REGISTERED: Registered = e(1103, "the finality provider has already been registered");
    pub(crate) const FP_ALREADY_SLASHED: Registered =
        e(1104, "the finality provider has already been slashed");
    pub(crate) const REUSED_STAKING_TX: Registered = e(1106, "the BTC staking tx is already used");
    pub(crate) const INVALID_COVENANT_PK: Registered =
        e(1107, "the BTC staking tx specifies a wrong covenant PK");
    pub(crate) const INVALID_STAKING_TX: Registered = e(1108, "the BTC staking tx is not valid");
    pub(crate) const INVALID_SLASHING_TX: Registered = e(1109, "the BTC slashing tx is not valid");
    pub(crate) const INVALID_COVENANT_SIG: Registered = e(1110, "the covenant signature is not valid");
    pub(crate) const COMMISSION_LT_MIN_RATE: Registered = e(1111, "commission cannot be less than min rate");
    pub(crate) const COMMISSION_GT_MAX_RATE: Registered = e(1112, "commission cannot be more than one");
    pub(crate) const INVALID_UNBONDING_TX: Registered = e(1114, "the BTC unbonding tx is not valid");
    pub(crate) const TOO_MANY_FPS: Registered =
        e(1116, "the finality provider list contains too many public keys, it must contain exactly one");
    pub(crate) const INVALID_POSSESSION: Registered = e(1117, "the proof of possession is not valid");
    pub(crate) const DUPLICATED_FP: Registered =
        e(1118, "the staking request contains duplicated finality provider public key");
    pub(crate) const INVALID_UNDELEGATION: Registered = e(1119, "invalid undelegation request");
    pub(crate) const PARAMS_NOT_FOUND: Registered = e(1120, "the parameters are not found");
    pub(crate) const FP_ALREADY_JAILED: Registered = e(1121, "the finality provider has already been jailed");
    pub(crate) const FP_NOT_JAILED: Registered = e(1122, "the finality provider is not jailed");
    pub(crate) const DUPLICATED_COVENANT_SIG: Registered =
        e(1123, "the covenant signature is already submitted");
    pub(crate) const INCLUDED_TOO_EARLY: Registered =
        e(1124, "the staking transaction is included too early in BTC chain");
    pub(crate) const EMPTY_COMMISSION: Registered = e(1125, "empty commission");
    pub(crate) const NO_REORG: Registered = e(1128, "there is no BTC reorg currently set");
}

/// Errors of `finality` (`wire.md` 4.6).
pub(crate) mod finality {
    use super::Registered;

    const fn e(code: u32, text: &'static str) -> Registered {
        Registered::new("finality", code, text)
    }
    pub(crate) const BLOCK_NOT_FOUND: Registered = e(1100, "Block is not found");
    pub(crate) const RANDOMNESS_NOT_FOUND: Registered = e(1103, "public randomness is not found");
    pub(crate) const TOO_FEW_RANDOMNESS: Registered =
        e(1105, "the request contains too few public randomness");
    pub(crate) const INVALID_RANDOMNESS: Registered = e(1106, "the public randomness list is invalid");
    pub(crate) const INVALID_SIGNATURE: Registered = e(1108, "finality signature is not valid");
    pub(crate) const DUPLICATED_VOTE: Registered = e(1109, "duplicated finality vote");
    pub(crate) const NO_EVIDENCE: Registered = e(1110, "there is no slashable evidence");
    pub(crate) const NOT_TIMESTAMPED: Registered =
        e(1111, "the public randomness commit is not BTC timestamped yet");
    pub(crate) const JAILING_NOT_PASSED: Registered = e(1112, "the jailing period is not passed");
    pub(crate) const NO_POWER_TABLE: Registered = e(1113, "voting power table has not been updated");
    pub(crate) const NOT_ACTIVATED: Registered = e(1114, "the BTC staking protocol is not activated yet");
    pub(crate) const NOT_ACTIVE: Registered = e(1115, "finality is not active yet");
    pub(crate) const ALREADY_FINALISED: Registered =
        e(1116, "the voting block is already finalized and timestamped");
    pub(crate) const HEIGHT_OVERFLOW: Registered = e(1117, "overflow in block height calculation");
    pub(crate) const NO_POWER_CACHE: Registered = e(1124, "voting power table was not found");
}

/// Errors of `btclightclient` (`wire.md` 4.6).
pub(crate) mod lightclient {
    use super::Registered;

    const fn e(code: u32, text: &'static str) -> Registered {
        Registered::new("btclightclient", code, text)
    }
    pub(crate) const HEADER_NOT_FOUND: Registered = e(1100, "header does not exist");
    pub(crate) const PARENT_NOT_FOUND: Registered = e(1101, "parent for provided hash is not maintained");
    pub(crate) const INVALID_POW: Registered = e(1103, "provided header has invalid proof of work");
    pub(crate) const INVALID_HEADER: Registered =
        e(1104, "provided header does not satisfy header validation rules");
    pub(crate) const NOT_ENOUGH_WORK: Registered = e(1105, "provided chain has not enough work");
    pub(crate) const UNAUTHORIZED_REPORTER: Registered = e(1106, "unauthorized reporter");
    pub(crate) const KNOWN_HEADER: Registered = e(1108, "fork start with known header");
}

/// Errors of `incentive` (`wire.md` 4.6).
pub(crate) mod incentive {
    use super::Registered;

    const fn e(code: u32, text: &'static str) -> Registered {
        Registered::new("incentive", code, text)
    }
    pub(crate) const GAUGE_NOT_FOUND: Registered = e(1100, "BTC staking gauge not found");
    pub(crate) const REWARD_GAUGE_NOT_FOUND: Registered = e(1101, "reward gauge not found");
    pub(crate) const NOT_WITHDRAWABLE: Registered = e(1102, "no coin is withdrawable");
}

/// Errors of `monitor` (`wire.md` 4.6).
pub(crate) mod monitor {
    use super::Registered;

    pub(crate) const EPOCH_NOT_ENDED: Registered = Registered::new("monitor", 1100, "Epoch not ended yet");
}
