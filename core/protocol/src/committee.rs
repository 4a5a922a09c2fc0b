//! The covenant committee: valid by construction, so nobody asks again.

use crate::keys::CovenantPublicKey;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The covenant committee of one params version: distinct keys in ascending x-only order and the quorum.
///
/// Scripts use this order, witnesses its reverse (`bitcoin.md` 1.4 and 4). The listed order of the source does not
/// matter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked", into = "Unchecked")]
pub struct CovenantCommittee {
    quorum: u32,
    keys: Vec<CovenantPublicKey>,
}

#[derive(Serialize, Deserialize)]
struct Unchecked {
    quorum: u32,
    keys: Vec<CovenantPublicKey>,
}

/// Why a list of keys and a quorum are no committee.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidCommittee {
    /// A committee has at least one member.
    #[error("covenant committee has no members")]
    Empty,
    /// Scripts of more members than this are not standard and no network has them.
    #[error("covenant committee has {0} members, at most {MAX_MEMBERS} are supported")]
    TooLarge(usize),
    /// Twice the same key.
    #[error("covenant key {0} is listed twice")]
    Duplicate(CovenantPublicKey),
    /// The quorum cannot be reached, or nobody would be needed.
    #[error("covenant quorum {quorum} is out of range for {members} members")]
    Quorum {
        /// Requested quorum.
        quorum: u32,
        /// Number of members.
        members: usize,
    },
}

/// Most members a committee may have. `OP_CHECKSIGADD` chains stay far within a standard witness here.
pub const MAX_MEMBERS: usize = 64;

impl CovenantCommittee {
    /// Sorts the keys and returns the committee.
    ///
    /// # Errors
    /// [`InvalidCommittee`] for an empty list, a repeated key, or a quorum that is zero or above the number of keys.
    pub fn new(quorum: u32, mut keys: Vec<CovenantPublicKey>) -> Result<Self, InvalidCommittee> {
        if keys.is_empty() {
            return Err(InvalidCommittee::Empty);
        }
        if keys.len() > MAX_MEMBERS {
            return Err(InvalidCommittee::TooLarge(keys.len()));
        }
        keys.sort_unstable_by_key(|key| key.to_bytes());
        if let Some(pair) = keys.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(InvalidCommittee::Duplicate(pair[0]));
        }
        if quorum == 0 || quorum as usize > keys.len() {
            return Err(InvalidCommittee::Quorum { quorum, members: keys.len() });
        }
        Ok(Self { quorum, keys })
    }

    /// Signatures needed, exactly.
    pub const fn quorum(&self) -> u32 {
        self.quorum
    }
    /// Members in ascending order, the order of scripts.
    pub fn keys(&self) -> &[CovenantPublicKey] {
        &self.keys
    }
    /// Members in descending order, the order of witnesses.
    pub fn witness_order(&self) -> impl Iterator<Item = &CovenantPublicKey> {
        self.keys.iter().rev()
    }
    /// Whether `key` is a member.
    pub fn contains(&self, key: &CovenantPublicKey) -> bool {
        self.keys.binary_search_by_key(&key.to_bytes(), |member| member.to_bytes()).is_ok()
    }
    /// Whether the quorum is a majority of the members, which the chain demands of its params (`bitcoin.md` 11.4).
    pub fn quorum_is_majority(&self) -> bool {
        2 * self.quorum as usize > self.keys.len()
    }
}

impl TryFrom<Unchecked> for CovenantCommittee {
    type Error = InvalidCommittee;
    fn try_from(raw: Unchecked) -> Result<Self, InvalidCommittee> {
        Self::new(raw.quorum, raw.keys)
    }
}
impl From<CovenantCommittee> for Unchecked {
    fn from(committee: CovenantCommittee) -> Self {
        Self { quorum: committee.quorum, keys: committee.keys }
    }
}
