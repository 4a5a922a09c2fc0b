//! Sign records of one key on one chain, in a form that other programs read: `docs/interchange.md`.
//!
//! In the spirit of EIP-3076: a file says what was signed and up to which height nothing new may be signed, and
//! importing it only ever bars more. Beyond that, an entry may carry what is needed to give the same signature again.
//!
//! | file | holds |
//! |---|---|
//! | `json` | the text: a strict parser and the one way to write it |
//! | `transfer` | to and from our own sign records |

mod json;
mod transfer;

pub use json::{FORMAT, MAX_BYTES, VERSION};
pub use transfer::ImportError;

use crate::records::Subject;
use btc_staking_protocol::{
    finality::vote::{PublicRandomness, VoteMessage},
    height::PosHeight,
};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use thiserror::Error;

/// Most signed heights in one file.
pub const MAX_SIGNED: usize = 200_000;

/// Two heights about what is barred. Either both are there or neither, and `low` is never above `high`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watermarks {
    /// At or below it heights may have been signed that are not listed.
    pub low: PosHeight,
    /// Nothing above it was signed, and nothing new may be signed at or below it.
    pub high: PosHeight,
}

/// Something that was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signed {
    /// SHA-256 of the signed message.
    pub message_hash: [u8; 32],
    /// SHA-256 of the 32 bytes of the signature.
    pub signature_hash: Option<[u8; 32]>,
    /// What it takes to sign the same again.
    pub answer: Option<Answer>,
}

/// What it takes to sign the same vote again, with the same result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// The app hash voted for.
    pub app_hash: [u8; 32],
    /// The public randomness used.
    pub public_randomness: PublicRandomness,
}

/// The sign records of one key on one chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interchange {
    subject: Subject,
    watermarks: Option<Watermarks>,
    signed: BTreeMap<PosHeight, Signed>,
}

/// Why a file is refused, or two cannot be merged.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InterchangeError {
    /// The text is too long.
    #[error("the file is longer than {MAX_BYTES} bytes or lists more than {MAX_SIGNED} heights")]
    TooLarge,
    /// Not JSON, or not of this shape: an unknown, missing or repeated key, or a value of another type.
    #[error("line {line}, column {column}: {what}")]
    Json {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What was expected.
        what: String,
    },
    /// Another format or version.
    #[error("{path} is {found:?}, it must be {expected:?}")]
    Format {
        /// Where.
        path: &'static str,
        /// What stands there.
        found: String,
        /// What must.
        expected: &'static str,
    },
    /// A value that is not what it should be.
    #[error("{path}: {what}")]
    Value {
        /// Where.
        path: String,
        /// What is wrong.
        what: &'static str,
    },
    /// A height is not above the one before.
    #[error("{path}: heights must ascend, and {height} does not")]
    Order {
        /// Where.
        path: String,
        /// The height.
        height: u64,
    },
    /// A height is listed twice with the same content.
    #[error("{path}: height {height} is listed twice")]
    Duplicate {
        /// Where.
        path: String,
        /// The height.
        height: u64,
    },
    /// A height has two different messages, or one message two different signatures.
    #[error(
        "{path}: height {height} was signed twice: message {first} and message {second}; \
         if both signatures were ever sent, the key is lost"
    )]
    Conflict {
        /// Where.
        path: String,
        /// The height.
        height: u64,
        /// Message hash in hex.
        first: String,
        /// Message hash in hex.
        second: String,
    },
    /// The message hash is not that of height and app hash.
    #[error("{path}: the message hash must be {expected}, the hash of height and app hash")]
    MessageHash {
        /// Where.
        path: String,
        /// In hex.
        expected: String,
    },
    /// The watermarks do not fit each other or the heights.
    #[error("watermarks: {0}")]
    Watermarks(&'static str),
    /// Files of two keys or chains.
    #[error("the files are about {first} and {second}, only files about one key on one chain can be merged")]
    OtherSubject {
        /// Key and chain.
        first: String,
        /// Key and chain.
        second: String,
    },
}

impl InterchangeError {
    /// A short name that does not change, for test suites shared with other implementations.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::Json { .. } => "json",
            Self::Format { .. } => "format",
            Self::Value { .. } => "value",
            Self::Order { .. } => "order",
            Self::Duplicate { .. } => "duplicate",
            Self::Conflict { .. } => "conflict",
            Self::MessageHash { .. } => "message_hash",
            Self::Watermarks(_) => "watermarks",
            Self::OtherSubject { .. } => "subject",
        }
    }
}

impl Signed {
    /// A vote that can be signed again.
    pub fn of_vote(vote: VoteMessage, public_randomness: PublicRandomness) -> Self {
        Self {
            message_hash: message_hash(&vote),
            signature_hash: None,
            answer: Some(Answer { app_hash: vote.app_hash, public_randomness }),
        }
    }
}

/// SHA-256 of the 40 bytes that a vote signs.
pub fn message_hash(vote: &VoteMessage) -> [u8; 32] {
    Sha256::digest(vote.to_bytes()).into()
}

impl Interchange {
    /// Checks that the parts fit each other.
    ///
    /// # Errors
    /// [`InterchangeError::Watermarks`], [`InterchangeError::MessageHash`] and [`InterchangeError::TooLarge`].
    pub fn new(
        subject: Subject,
        watermarks: Option<Watermarks>,
        signed: BTreeMap<PosHeight, Signed>,
    ) -> Result<Self, InterchangeError> {
        if signed.len() > MAX_SIGNED {
            return Err(InterchangeError::TooLarge);
        }
        let last = signed.last_key_value().map(|(height, _)| *height);
        match watermarks {
            None if last.is_some() => {
                return Err(InterchangeError::Watermarks("heights were signed, so there must be watermarks"));
            }
            Some(Watermarks { low, high }) if low > high => {
                return Err(InterchangeError::Watermarks("low is above high"));
            }
            Some(Watermarks { high, .. }) if last > Some(high) => {
                return Err(InterchangeError::Watermarks("a signed height is above high"));
            }
            Some(_) | None => {}
        }
        for (index, (height, entry)) in signed.iter().enumerate() {
            check_message_hash(index, *height, entry)?;
        }
        Ok(Self { subject, watermarks, signed })
    }

    /// Key and chain.
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// What is barred; `None` if nothing was ever signed.
    pub fn watermarks(&self) -> Option<Watermarks> {
        self.watermarks
    }

    /// What was signed, ascending.
    pub fn signed(&self) -> impl Iterator<Item = (PosHeight, &Signed)> {
        self.signed.iter().map(|(height, entry)| (*height, entry))
    }

    /// The smallest file that bars the same: no height listed, everything up to the high watermark barred.
    pub fn minify(mut self) -> Self {
        self.signed.clear();
        self.watermarks = self.watermarks.map(|Watermarks { high, .. }| Watermarks { low: high, high });
        self
    }

    /// Joins what two signers of one key say. The order does not matter, and joining twice changes nothing.
    ///
    /// # Errors
    /// [`InterchangeError::OtherSubject`]; [`InterchangeError::Conflict`] when they signed different things at a height.
    pub fn merge(self, other: Self) -> Result<Self, InterchangeError> {
        if self.subject != other.subject {
            let name = |subject: &Subject| format!("{} on {}", subject.finality_provider, subject.chain_id);
            let (first, second) = (name(&self.subject), name(&other.subject));
            return Err(InterchangeError::OtherSubject { first, second });
        }
        let watermarks = match (self.watermarks, other.watermarks) {
            (Some(a), Some(b)) => Some(Watermarks { low: a.low.max(b.low), high: a.high.max(b.high) }),
            (a, b) => a.or(b),
        };
        let mut signed = self.signed;
        for (index, (height, entry)) in other.signed.into_iter().enumerate() {
            let joined = match signed.get(&height) {
                None => entry,
                Some(known) => join(*known, entry).ok_or_else(|| conflict(index, height, known, &entry))?,
            };
            signed.insert(height, joined);
        }
        Self::new(self.subject, watermarks, signed)
    }
}

/// Two accounts of one signature; `None` if they are of two.
fn join(a: Signed, b: Signed) -> Option<Signed> {
    let agree = a.message_hash == b.message_hash
        && (a.signature_hash.is_none() || b.signature_hash.is_none() || a.signature_hash == b.signature_hash)
        && (a.answer.is_none() || b.answer.is_none() || a.answer == b.answer);
    agree.then(|| Signed {
        message_hash: a.message_hash,
        signature_hash: a.signature_hash.or(b.signature_hash),
        answer: a.answer.or(b.answer),
    })
}

fn conflict(index: usize, height: PosHeight, first: &Signed, second: &Signed) -> InterchangeError {
    InterchangeError::Conflict {
        path: format!("signed[{index}]"),
        height: height.to_u64(),
        first: hex::encode(first.message_hash),
        second: hex::encode(second.message_hash),
    }
}

fn check_message_hash(index: usize, height: PosHeight, entry: &Signed) -> Result<(), InterchangeError> {
    let Some(answer) = entry.answer else {
        return Ok(());
    };
    let expected = message_hash(&VoteMessage { height, app_hash: answer.app_hash });
    if expected == entry.message_hash {
        return Ok(());
    }
    let path = format!("signed[{index}].message_hash");
    Err(InterchangeError::MessageHash { path, expected: hex::encode(expected) })
}
