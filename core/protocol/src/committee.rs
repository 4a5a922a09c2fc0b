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
        if quorum == 0 || !usize::try_from(quorum).is_ok_and(|quorum| quorum <= keys.len()) {
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
        // More than half: the quorum is larger than what it leaves out. It is never above the number of members.
        usize::try_from(self.quorum).is_ok_and(|quorum| quorum > self.keys.len().saturating_sub(quorum))
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

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::secp256k1::{SECP256K1, SecretKey};

    fn key(seed: u8) -> CovenantPublicKey {
        let secret = SecretKey::from_slice(&[seed; 32]).unwrap();
        CovenantPublicKey::new(secret.x_only_public_key(SECP256K1).0)
    }
    fn keys(seeds: impl IntoIterator<Item = u8>) -> Vec<CovenantPublicKey> {
        seeds.into_iter().map(key).collect()
    }

    #[test]
    fn the_listed_order_does_not_matter() {
        let committee = CovenantCommittee::new(2, keys([1, 2, 3])).unwrap();
        assert_eq!(CovenantCommittee::new(2, keys([3, 1, 2])).unwrap(), committee);
        assert!(committee.keys().windows(2).all(|pair| pair[0].to_bytes() < pair[1].to_bytes()));
        let mut descending: Vec<_> = committee.witness_order().copied().collect();
        descending.reverse();
        assert_eq!(descending, committee.keys());
    }

    #[test]
    fn members_are_known_and_strangers_are_not() {
        let committee = CovenantCommittee::new(2, keys([1, 2, 3])).unwrap();
        assert!(keys([1, 2, 3]).iter().all(|member| committee.contains(member)));
        assert!(!committee.contains(&key(4)));
    }

    #[test]
    fn no_committee_comes_from_no_too_many_or_repeated_keys() {
        assert_eq!(CovenantCommittee::new(1, vec![]), Err(InvalidCommittee::Empty));
        assert_eq!(CovenantCommittee::new(1, keys(1..=65)), Err(InvalidCommittee::TooLarge(65)));
        CovenantCommittee::new(1, keys(1..=64)).unwrap();
        assert_eq!(CovenantCommittee::new(1, keys([1, 2, 1])), Err(InvalidCommittee::Duplicate(key(1))));
    }

    #[test]
    fn a_quorum_out_of_range_is_refused_and_a_minority_is_known_as_one() {
        for quorum in [0, 4, u32::MAX] {
            let refused = CovenantCommittee::new(quorum, keys([1, 2, 3]));
            assert_eq!(refused, Err(InvalidCommittee::Quorum { quorum, members: 3 }));
        }
        for (quorum, majority) in [(1, false), (2, false), (3, true), (4, true)] {
            let committee = CovenantCommittee::new(quorum, keys([1, 2, 3, 4])).unwrap();
            assert_eq!(committee.quorum_is_majority(), majority, "{quorum} of 4");
        }
    }

    #[test]
    fn deserialising_checks_as_the_constructor_does() {
        let committee = CovenantCommittee::new(2, keys([1, 2, 3])).unwrap();
        let json = serde_json::to_string(&committee).unwrap();
        assert_eq!(serde_json::from_str::<CovenantCommittee>(&json).unwrap(), committee);
        let bad = json.replace("\"quorum\":2", "\"quorum\":4");
        assert!(serde_json::from_str::<CovenantCommittee>(&bad).is_err());
    }
}
