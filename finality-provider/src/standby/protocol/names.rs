//! Where things are kept in the engine.
//!
//! ```text
//! PREFIX/holder/KEY/CHAIN         who may sign; hangs on that instance's lease
//! PREFIX/low/KEY/CHAIN            height at or below which nothing new is signed, 16 hex digits
//! PREFIX/vote/KEY/CHAIN/HEIGHT    what may be signed at that height, and nothing else ever
//! ```
//!
//! KEY is 64 hex digits, HEIGHT 16, so that keys and values sort as the heights do. A chain id is written with every
//! byte but letters, digits, `.`, `_` and `-` as `%XX`: two chains never share a key.

use super::super::engine::KeyRange;
use btc_staking_eots_manager::records::Subject;
use btc_staking_protocol::height::PosHeight;
use std::{fmt::Write, str::FromStr};
use thiserror::Error;

/// The part of the engine that belongs to one group of instances.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Prefix(String);

/// Text that is no prefix.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{0:?} is no prefix: it must be 1 to 100 letters, digits, '.', '_', '-' or '/', and not begin or end with '/'"
)]
pub struct InvalidPrefix(pub String);

/// The keys of one key on one chain.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Keys {
    /// Who may sign.
    pub holder: String,
    /// The low watermark.
    pub low: String,
    votes: String,
}

impl FromStr for Prefix {
    type Err = InvalidPrefix;
    fn from_str(text: &str) -> Result<Self, InvalidPrefix> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
        let fits = (1..=100).contains(&text.len()) && !text.starts_with('/') && !text.ends_with('/');
        if fits && text.bytes().all(plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidPrefix(text.to_owned()))
        }
    }
}

impl Prefix {
    /// The keys of one subject.
    pub fn keys(&self, subject: &Subject) -> Keys {
        let place = format!("{}/{}", subject.finality_provider, escape(subject.chain_id.as_str()));
        let Self(prefix) = self;
        Keys {
            holder: format!("{prefix}/holder/{place}"),
            low: format!("{prefix}/low/{place}"),
            votes: format!("{prefix}/vote/{place}/"),
        }
    }

    /// Every holder.
    pub fn holders(&self) -> KeyRange {
        KeyRange::prefix(&format!("{}/holder/", self.0))
    }
}

impl Keys {
    /// The vote at a height.
    pub fn vote(&self, height: PosHeight) -> String {
        format!("{}{}", self.votes, height_text(height))
    }

    /// Every vote above a height; `None`: every vote.
    pub fn votes_above(&self, height: Option<PosHeight>) -> KeyRange {
        let all = KeyRange::prefix(&self.votes);
        match height {
            None => all,
            // A key that continues the one of the height sorts right behind it.
            Some(height) => KeyRange { start: format!("{}0", self.vote(height)), end: all.end },
        }
    }

    /// Every vote at or below a height.
    pub fn votes_up_to(&self, height: PosHeight) -> KeyRange {
        KeyRange { start: self.votes.clone(), end: Some(format!("{}0", self.vote(height))) }
    }

    /// The height in the key of a vote.
    pub fn height_of(&self, key: &str) -> Option<PosHeight> {
        parse_height(key.strip_prefix(&self.votes)?)
    }
}

/// A height as 16 hex digits.
pub fn height_text(height: PosHeight) -> String {
    format!("{:016x}", height.to_u64())
}

/// The height of 16 hex digits, lower case, and of nothing else.
pub fn parse_height(text: &str) -> Option<PosHeight> {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let fits = text.len() == 16 && text.bytes().all(is_digit);
    fits.then(|| u64::from_str_radix(text, 16).ok()).flatten().map(PosHeight::new)
}

fn escape(chain_id: &str) -> String {
    let mut escaped = String::with_capacity(chain_id.len());
    for byte in chain_id.bytes() {
        if byte.is_ascii_alphanumeric() || b"._-".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            write!(escaped, "%{byte:02X}").expect("writing to a String cannot fail");
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keys(chain_id: &str) -> Keys {
        let key = "84bf7562262bbd6940085748f3be6afa52ae317155181ece31b66351ccffa4b0".parse().unwrap();
        let subject = Subject { finality_provider: key, chain_id: chain_id.parse().unwrap() };
        "fp".parse::<Prefix>().unwrap().keys(&subject)
    }

    proptest! {
        #[test]
        fn the_range_above_a_height_and_the_one_up_to_it_part_all_votes(at: u64, other: u64) {
            let keys = keys("bbn-1");
            let (at, other) = (PosHeight::new(at), PosHeight::new(other));
            let vote = keys.vote(other);
            prop_assert!(keys.votes_above(None).contains(&vote));
            prop_assert_eq!(keys.votes_above(Some(at)).contains(&vote), other > at);
            prop_assert_eq!(keys.votes_up_to(at).contains(&vote), other <= at);
            prop_assert_eq!(keys.height_of(&vote), Some(other));
        }

        #[test]
        fn two_chains_share_no_key(a in "[ -~é]{1,12}", b in "[ -~é]{1,12}", height: u64) {
            prop_assume!(a != b);
            let (a, b) = (keys(&a), keys(&b));
            prop_assert_ne!(&a.holder, &b.holder);
            prop_assert!(!a.votes_above(None).contains(&b.vote(PosHeight::new(height))));
        }
    }

    #[test]
    fn only_plain_text_is_a_prefix() {
        for good in ["fp", "btc-staking/fp", "a.b_c"] {
            assert!(good.parse::<Prefix>().is_ok(), "{good}");
        }
        for bad in ["", "/fp", "fp/", "a b", "a%"] {
            assert!(bad.parse::<Prefix>().is_err(), "{bad}");
        }
    }
}
