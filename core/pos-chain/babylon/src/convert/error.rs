//! What can be wrong with a field.

use btc_staking_protocol::{
    committee::InvalidCommittee,
    height::TimelockOutOfRange,
    keys::{InvalidAddress, InvalidKey},
    params::InvalidParams,
    rate::InvalidSlashingRate,
};
use thiserror::Error;

/// A field that does not convert, by its path and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("field {path}: {problem}")]
pub struct InvalidField {
    /// Protobuf names from the outermost field in, joined by dots.
    pub path: String,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Problem {
    /// Absent or empty though required.
    #[error("is missing")]
    Missing,
    /// Wrong number of bytes.
    #[error("has {found} bytes, it must have {expected}")]
    Length {
        /// Bytes found.
        found: usize,
        /// Bytes wanted.
        expected: usize,
    },
    /// Bytes that do not come in whole items.
    #[error("has {found} bytes, it must be a multiple of {unit}")]
    NotWhole {
        /// Bytes found.
        found: usize,
        /// Size of an item.
        unit: usize,
    },
    /// Text that is not hexadecimal.
    #[error("is not hexadecimal")]
    NotHex,
    /// Bytes that should be text.
    #[error("is not text")]
    NotText,
    /// A number that is no value of the enum.
    #[error("has unknown value {0}")]
    UnknownValue(i32),
    /// A name that is no value of the enum.
    #[error("has unknown name {0:?}")]
    UnknownName(String),
    /// Not the integer form of a decimal: the number times 10^18, in ASCII digits.
    #[error("{0:?} is not a scaled decimal, send the value times 10^18 as digits only")]
    ScaledDecimal(String),
    /// Not a non-negative integer in ASCII digits.
    #[error("{0:?} is not a non-negative integer")]
    Integer(String),
    /// Not an integer in ASCII digits with at most a minus in front.
    #[error("{0:?} is not an integer")]
    SignedInteger(String),
    /// Not the JSON form of a decimal: digits, a point, 18 digits.
    #[error("{0:?} is not a decimal with 18 digits behind its point")]
    PointDecimal(String),
    /// Not coins as text: amount and denomination, sorted, none of them zero.
    #[error("{0:?} is not a sorted list of coins")]
    Coins(String),
    /// A list of coins that the chain does not make.
    #[error("is not a list of coins sorted by denomination, each once and none zero")]
    CoinList,
    /// Not the JSON form of a duration: seconds, 0, 3, 6 or 9 digits behind the point, an `s`.
    #[error("{0:?} is not a duration in seconds with an s behind")]
    Duration(String),
    /// A JSON value of another kind.
    #[error("is {found}, it must be {what}")]
    Json {
        /// What it should be.
        what: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// There more than once.
    #[error("is there twice")]
    Twice,
    /// A number that its counterpart cannot hold.
    #[error("{found} is out of range, at most {most} is possible")]
    OutOfRange {
        /// The number.
        found: i128,
        /// The largest that fits.
        most: i128,
    },
    /// A public key.
    #[error(transparent)]
    Key(#[from] InvalidKey),
    /// An account.
    #[error(transparent)]
    Account(#[from] InvalidAddress),
    /// A relative timelock.
    #[error(transparent)]
    Timelock(#[from] TimelockOutOfRange),
    /// A covenant committee.
    #[error(transparent)]
    Committee(#[from] InvalidCommittee),
    /// A slashing rate.
    #[error(transparent)]
    SlashingRate(#[from] InvalidSlashingRate),
    /// Parameters as a whole.
    #[error(transparent)]
    Params(#[from] InvalidParams),
    /// A signature that does not parse.
    #[error("is not a signature: {0}")]
    Signature(String),
    /// Bytes that are no consensus encoding.
    #[error("is not a {what}: {reason}")]
    Consensus {
        /// What it should be.
        what: &'static str,
        /// Why it is not.
        reason: String,
    },
    /// Encoding again gives other bytes, so that what is signed would not be what was sent.
    #[error("encodes to other bytes again")]
    NotCanonical,
    /// A hash in the other byte order.
    #[error("is in reversed byte order")]
    Reversed,
    /// Bytes that are no protobuf message.
    #[error("is not a {what}: {reason}")]
    Protobuf {
        /// What it should be.
        what: &'static str,
        /// Why it is not.
        reason: String,
    },
    /// Two fields that contradict each other.
    #[error("contradicts {0}")]
    Contradicts(&'static str),
    /// A message kind this adapter does not know.
    #[error("names unknown message {0:?}")]
    UnknownMessage(String),
}

impl InvalidField {
    /// Builds an error of one field.
    pub fn new(field: impl Into<String>, problem: impl Into<Problem>) -> Self {
        Self { path: field.into(), problem: problem.into() }
    }
    /// Puts the field inside `outer`.
    #[must_use]
    pub fn within(mut self, outer: &str) -> Self {
        self.path.insert(0, '.');
        self.path.insert_str(0, outer);
        self
    }
}
