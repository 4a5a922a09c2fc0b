//! What is kept in the engine, as text that people can read with the engine's own tools.

use super::{
    ProtocolError,
    names::{Keys, height_text, parse_height},
};
use crate::standby::engine::Entry;
use btc_staking_protocol::{finality::vote::VoteMessage, height::PosHeight};
use std::{fmt, str::FromStr};
use thiserror::Error;

/// The name of an instance, for people: unique among those that share a key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct InstanceName(String);

/// Text that is no name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is no instance name: it must be 1 to 60 letters, digits, '.', '_' or '-'")]
pub struct InvalidName(pub String);

/// Who holds the right to sign, or would like to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Instance {
    /// For people.
    pub name: InstanceName,
    /// Of the data directory: whoever has it open is the only one who may act for it.
    pub home: [u8; 16],
    /// Of this run of the process.
    pub run: [u8; 16],
}

/// What may be signed at a height.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredVote {
    /// The vote.
    pub message: VoteMessage,
    /// The instance that put it there.
    pub by: String,
}

impl FromStr for InstanceName {
    type Err = InvalidName;
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let fits = (1..=60).contains(&text.len()) && text.bytes().all(plain);
        if fits { Ok(Self(text.to_owned())) } else { Err(InvalidName(text.to_owned())) }
    }
}

impl fmt::Display for InstanceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Instance {
    /// As it is stored: home, run and name.
    pub fn to_text(&self) -> String {
        format!("{} {} {}", hex::encode(self.home), hex::encode(self.run), self.name)
    }

    /// # Errors
    /// [`ProtocolError`] when the value is not of that form.
    pub fn parse(entry: &Entry) -> Result<Self, ProtocolError> {
        let parse = || {
            let mut words = text(entry)?.splitn(3, ' ');
            let mut id = || hex::decode(words.next()?).ok()?.try_into().ok();
            let (home, run) = (id()?, id()?);
            Some(Self { name: words.next()?.parse().ok()?, home, run })
        };
        parse().ok_or_else(|| ProtocolError::malformed(entry))
    }
}

/// A vote as it is stored: the app hash, and who put it there. The height is in the key.
pub fn vote_text(message: &VoteMessage, by: &InstanceName) -> String {
    format!("{} {by}", hex::encode(message.app_hash))
}

/// # Errors
/// [`ProtocolError`] when key or value is not that of a vote.
pub fn parse_vote(keys: &Keys, entry: &Entry) -> Result<StoredVote, ProtocolError> {
    let parse = || {
        let (app_hash, by) = text(entry)?.split_once(' ')?;
        let message = VoteMessage {
            height: keys.height_of(&entry.key)?,
            app_hash: hex::decode(app_hash).ok()?.try_into().ok()?,
        };
        Some(StoredVote { message, by: by.to_owned() })
    };
    parse().ok_or_else(|| ProtocolError::malformed(entry))
}

/// The low watermark as it is stored.
pub fn low_text(low: PosHeight) -> String {
    height_text(low)
}

/// # Errors
/// [`ProtocolError`] when the value is no height.
pub fn parse_low(entry: &Entry) -> Result<PosHeight, ProtocolError> {
    text(entry).and_then(parse_height).ok_or_else(|| ProtocolError::malformed(entry))
}

fn text(entry: &Entry) -> Option<&str> {
    std::str::from_utf8(&entry.value).ok()
}
