//! A state of any size from a seed, for load tests of every role.
//!
//! A [`LoadPlan`] says how many finality providers and delegations, in which mix of statuses; [`generate`] writes the chain
//! that has them into a data folder, from where a node goes on. The same plan gives the same bytes. All keys follow from
//! the seed ([`LoadKeys`]), so that whoever loads a role can sign for every party.
//!
//! | part | what is generated |
//! |---|---|
//! | Bitcoin | regtest headers with true work; the block of a proven stake's height commits to its staking transaction |
//! | finality providers | registered, with randomness for the coming heights, committed in an epoch that is final |
//! | delegations | transactions, scripts and signatures as a staker makes them, at the heights their status asks for |
//! | power | the sums of the active delegations; tables begin with the first block |
//! | accounts | one per finality provider and staker, with coins |
//!
//! With [`Signatures::Valid`] everything verifies. [`Signatures::Copied`] signs the first stake only and repeats its
//! signatures in all others: they have the right form and length and verify for one stake. That is for loads of a million,
//! where signing is what takes the time; nothing in the chain looks at a stored signature again.
//!
//! What there is not: the coins on any Bitcoin node. A role that looks a staking output up there finds none.

mod keys;
mod stakes;
pub(crate) mod write;

pub use keys::LoadKeys;
pub use write::{Generated, NotGenerated, generate};

/// What to generate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadPlan {
    /// Finality providers, at least 1.
    pub providers: u32,
    /// Delegations, spread evenly over the finality providers.
    pub delegations: u64,
    /// Stakers that hold the delegations; at least 1 if there are any.
    pub stakers: u64,
    /// How many delegations of which status.
    pub mix: Mix,
    /// What all keys and choices follow from.
    pub seed: u64,
    /// Whether all signatures are made.
    pub signatures: Signatures,
    /// Heights for which each finality provider has committed randomness.
    pub randomness: u64,
}

/// Weights of the statuses; their sum must not be 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mix {
    /// Waiting for the committee.
    pub pending: u32,
    /// Signed by the committee, not on Bitcoin.
    pub verified: u32,
    /// With power.
    pub active: u32,
    /// Left early by the registered transaction.
    pub unbonded: u32,
    /// Out of time.
    pub expired: u32,
}

/// Which signatures are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signatures {
    /// All.
    Valid,
    /// Those of the first stake; all others repeat them.
    Copied,
}

impl LoadPlan {
    /// A plan with ten delegations per staker, the default mix and valid signatures.
    pub fn new(providers: u32, delegations: u64, seed: u64) -> Self {
        Self {
            providers,
            delegations,
            stakers: delegations.div_ceil(10),
            mix: Mix::default(),
            seed,
            signatures: Signatures::Valid,
            randomness: 1_000,
        }
    }
}

impl Default for Mix {
    /// Of ten delegations six are active and one has each other status.
    fn default() -> Self {
        Self { pending: 1, verified: 1, active: 6, unbonded: 1, expired: 1 }
    }
}

/// Text of the form `pending=1,verified=1,active=6,unbonded=1,expired=1`; statuses left out have weight 0.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("mix {0:?} is not understood, it must be like pending=1,verified=1,active=6,unbonded=1,expired=1")]
pub struct InvalidMix(String);

impl std::str::FromStr for Mix {
    type Err = InvalidMix;
    fn from_str(text: &str) -> Result<Self, InvalidMix> {
        let invalid = || InvalidMix(text.to_owned());
        let mut mix = Self { pending: 0, verified: 0, active: 0, unbonded: 0, expired: 0 };
        for part in text.split(',') {
            let (status, weight) = part.split_once('=').ok_or_else(invalid)?;
            let weight = weight.trim().parse::<u16>().map_err(|_| invalid())?;
            let slot = match status.trim() {
                "pending" => &mut mix.pending,
                "verified" => &mut mix.verified,
                "active" => &mut mix.active,
                "unbonded" => &mut mix.unbonded,
                "expired" => &mut mix.expired,
                _ => return Err(invalid()),
            };
            *slot = weight.into();
        }
        if mix.sum() == 0 { Err(invalid()) } else { Ok(mix) }
    }
}

impl Mix {
    pub(crate) fn weights(self) -> [u32; 5] {
        [self.pending, self.verified, self.active, self.unbonded, self.expired]
    }
    pub(crate) fn sum(self) -> u64 {
        self.weights().into_iter().map(u64::from).sum()
    }
}

#[cfg(test)]
mod tests;
