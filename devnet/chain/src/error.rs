//! How the chain says no.
//!
//! A transaction or query is refused with a [`Refusal`]: the codespace, code and log a client sees. The forms are those
//! of `chain.md` 0 (registered, plain, registered-but-lost, gRPC status, panic); the registered texts are those of
//! `wire.md` 4.6. What is not the sender's fault, a database that cannot be read or state that contradicts itself, is
//! [`Broken`]: it stops the node instead of becoming a transaction result.

mod registered;

pub(crate) use registered::{
    btccheckpoint, btcstaking, checkpointing, epoching, feegrant, finality, gov, incentive, lightclient,
    monitor, sdk, staking,
};

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
    /// The data are of a chain that started from something else.
    #[error("data belong to a chain with another genesis")]
    OtherGenesis,
    /// The data were left in the middle of being generated or imported.
    #[error("data were never completed, remove them and generate or import the state again")]
    Unfinished,
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
    /// A registered SDK error with its registered text, possibly wrapped in more words.
    Registered(&'static str),
    /// The same, raised before any handler: a query reports it with its own code.
    Outright(&'static str),
    /// Any other error value.
    Plain,
    /// A gRPC status.
    Status(Status),
    /// A crash inside a handler.
    Panic,
    /// A query whose path nobody answers.
    NoSuchPath,
}

/// gRPC status codes in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Unknown,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    Internal,
}

impl Status {
    const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "Unknown",
            Self::InvalidArgument => "InvalidArgument",
            Self::NotFound => "NotFound",
            Self::PermissionDenied => "PermissionDenied",
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

    /// As [`Registered::lost`], in the form in which some of the reference's errors also name a place in its source.
    pub(crate) fn lost_with_place(self, why: impl fmt::Display) -> Failure {
        plain(format!("{why}: {} [cosmossdk.io/errors@v1.0.2/errors.go:155]", self.text))
    }

    /// As [`Registered::lost_with_place`], where a query's caller still learns that the error is a registered one, though not
    /// which.
    pub(crate) fn unnamed_with_place(self, why: impl fmt::Display) -> Failure {
        let log = format!("{why}: {} [cosmossdk.io/errors@v1.0.2/errors.go:155]", self.text);
        Refusal { codespace: "undefined", code: 1, log, form: Form::Status(Status::Unknown) }.into()
    }

    /// The error with a log of its own.
    pub(crate) fn refusal(self, log: String) -> Refusal {
        Refusal { codespace: self.codespace, code: self.code, log, form: Form::Registered(self.text) }
    }
}

impl Registered {
    /// The error with a log of its own, raised before any handler.
    pub(crate) fn outright(self, log: String) -> Refusal {
        Refusal { form: Form::Outright(self.text), ..self.refusal(log) }
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

impl Failure {
    /// The failure with words of explanation before its own.
    pub(crate) fn within(self, why: impl fmt::Display) -> Self {
        match self {
            Self::Refused(mut refusal) => {
                refusal.log = format!("{why}: {}", refusal.log);
                refusal.into()
            }
            Self::Broken(broken) => broken.into(),
        }
    }
}

impl Refusal {
    /// The codes of success.
    pub(crate) fn none() -> Self {
        Self { codespace: "", code: 0, log: String::new(), form: Form::Plain }
    }
    /// Whether it is this registered error, whatever its words.
    pub(crate) fn is(&self, error: Registered) -> bool {
        (self.codespace, self.code) == (error.codespace, error.code)
    }
    /// Whether it ends the transaction rather than a message: a crash, or running out of gas.
    pub(crate) fn ends_transaction(&self) -> bool {
        self.form == Form::Panic || self.is(sdk::OUT_OF_GAS)
    }
    /// The refusal as seen by a message of a transaction.
    pub(crate) fn in_message(mut self, index: usize) -> Self {
        self.log = format!("failed to execute message; message index: {index}: {}", self.log);
        self
    }

    /// The refusal as `abci_query` reports it (`wire.md` 4.5).
    pub(crate) fn in_query(self) -> Self {
        let mapped = match self.form {
            Form::Registered(_) | Form::NoSuchPath => sdk::UNKNOWN_REQUEST,
            Form::Status(Status::NotFound) => sdk::KEY_NOT_FOUND,
            Form::Status(Status::InvalidArgument) | Form::Plain => sdk::INVALID_REQUEST,
            Form::Status(Status::Unknown | Status::PermissionDenied | Status::Internal) => {
                sdk::UNKNOWN_REQUEST
            }
            Form::Panic | Form::Outright(_) => return self,
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
