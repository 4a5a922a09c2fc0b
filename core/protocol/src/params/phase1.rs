//! Phase-1 global parameter files: the versions that applied before the staking chain existed (`bitcoin.md` 11.5).
//!
//! The files are published by others, so fields unknown here are ignored; every field used here is checked.
//! Their `confirmation_depth` counts the block with the transaction as 1, unlike [`BtcDepth`](crate::height::BtcDepth).

use super::ParamsVersion;
use crate::{
    committee::{CovenantCommittee, InvalidCommittee},
    height::{BtcHeight, Timelock},
    keys::CovenantPublicKey,
};
use bitcoin::{Amount, secp256k1::PublicKey};
use serde::Deserialize;
use thiserror::Error;

/// How far the smallest stake must exceed the unbonding fee, in satoshis.
const MIN_LEFT_AFTER_UNBONDING: u64 = 1000;

/// The versions of one global parameter file, at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phase1History(Vec<Phase1Params>);

/// One version of the phase-1 parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phase1Params {
    /// Version number.
    pub version: ParamsVersion,
    /// First Bitcoin height at which the version applies.
    pub activation_height: BtcHeight,
    /// What ends the acceptance of stakes.
    pub limit: StakingLimit,
    /// Opens the OP_RETURN of every stake.
    pub tag: [u8; 4],
    /// Covenant committee and quorum.
    pub covenant_committee: CovenantCommittee,
    /// Timelock of the unbonding output.
    pub unbonding_time: Timelock,
    /// Exact fee of the unbonding transaction.
    pub unbonding_fee: Amount,
    /// Largest stake.
    pub max_staking_amount: Amount,
    /// Smallest stake.
    pub min_staking_amount: Amount,
    /// Longest staking timelock.
    pub max_staking_time: Timelock,
    /// Shortest staking timelock.
    pub min_staking_time: Timelock,
    /// Blocks that make a stake count, the block with the stake counted as 1.
    pub confirmation_depth: u16,
}

/// What ends the acceptance of stakes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StakingLimit {
    /// Total value of all stakes.
    Cap(Amount),
    /// Last Bitcoin height.
    Height(BtcHeight),
}

/// Why a file is no global parameter file. `position` counts its versions from 0.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidPhase1 {
    /// Not JSON of this form.
    #[error("phase-1 parameter file is malformed: {0}")]
    Json(String),
    /// A file holds at least one version.
    #[error("phase-1 parameter file has no version")]
    Empty,
    /// One version breaks a rule.
    #[error("phase-1 parameters at position {position} are invalid")]
    Version {
        /// Position in the file.
        position: usize,
        /// The broken rule.
        #[source]
        reason: InvalidPhase1Version,
    },
}

/// The rule one phase-1 version breaks.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidPhase1Version {
    /// Versions follow each other without gaps.
    #[error("version is {found}, it must be {expected}")]
    NotConsecutive {
        /// Version that belongs there.
        expected: u64,
        /// Version that stands there.
        found: u64,
    },
    /// Heights are positive and every version activates above the one before it.
    #[error("activation_height is {found}, it must be above {previous}")]
    ActivationHeight {
        /// The height.
        found: u64,
        /// Height of the version before, 0 for the first.
        previous: u64,
    },
    /// A number is outside its range.
    #[error("{field} is {found}, it must be {min} to {max}")]
    OutOfRange {
        /// Name of the field in the file.
        field: &'static str,
        /// Its value.
        found: u64,
        /// Least value.
        min: u64,
        /// Largest value.
        max: u64,
    },
    /// A largest value is below its smallest.
    #[error("{field} is {max}, below the minimum of {min}")]
    Range {
        /// Name of the field with the largest value.
        field: &'static str,
        /// Smallest value.
        min: u64,
        /// Largest value.
        max: u64,
    },
    /// A cap by value and a cap by height exclude each other, and one is needed.
    #[error("exactly one of staking_cap ({staking_cap}) and cap_height ({cap_height}) must be set")]
    Limit {
        /// Cap by value.
        staking_cap: u64,
        /// Cap by height.
        cap_height: u64,
    },
    /// A cap by value never drops.
    #[error("staking_cap is {found}, below the earlier cap of {previous}")]
    CapDropped {
        /// The cap.
        found: u64,
        /// The last cap before it.
        previous: u64,
    },
    /// One stake could exceed the cap.
    #[error("staking_cap is {cap}, below max_staking_amount of {max}")]
    CapBelowStake {
        /// The cap.
        cap: u64,
        /// Largest stake.
        max: u64,
    },
    /// The tag is four bytes in hex.
    #[error("tag {0:?} is not 4 bytes in hex")]
    Tag(String),
    /// A covenant key is 33 bytes in hex.
    #[error("covenant key {0:?} is not a compressed public key in hex")]
    CovenantKey(String),
    /// Keys and quorum are no committee.
    #[error(transparent)]
    Committee(#[from] InvalidCommittee),
    /// Unbonding must leave a spendable amount.
    #[error(
        "min_staking_amount is {min}, it must be at least {MIN_LEFT_AFTER_UNBONDING} above unbonding_fee of {fee}"
    )]
    UnbondingFee {
        /// Smallest stake.
        min: u64,
        /// Unbonding fee.
        fee: u64,
    },
}

impl Phase1History {
    /// Parses and checks a global parameter file.
    ///
    /// # Errors
    /// [`InvalidPhase1`] with the position of the version and the rule it breaks.
    pub fn from_json(json: &str) -> Result<Self, InvalidPhase1> {
        let file: RawFile = serde_json::from_str(json).map_err(|e| InvalidPhase1::Json(e.to_string()))?;
        if file.versions.is_empty() {
            return Err(InvalidPhase1::Empty);
        }
        let mut versions = Vec::with_capacity(file.versions.len());
        let mut before = Before::default();
        for (position, raw) in file.versions.iter().enumerate() {
            let params = raw.check(&before).map_err(|reason| InvalidPhase1::Version { position, reason })?;
            before = before.followed_by(raw);
            versions.push(params);
        }
        Ok(Self(versions))
    }

    /// Returns the version that applies at a Bitcoin height; `None` below the first activation height.
    pub fn at(&self, height: BtcHeight) -> Option<&Phase1Params> {
        self.0.iter().rev().find(|params| params.activation_height <= height)
    }

    /// All versions, oldest first.
    pub fn versions(&self) -> &[Phase1Params] {
        &self.0
    }
}

#[derive(Deserialize)]
struct RawFile {
    versions: Vec<RawVersion>,
}

#[derive(Deserialize)]
struct RawVersion {
    version: u64,
    activation_height: u64,
    #[serde(default)]
    staking_cap: u64,
    #[serde(default)]
    cap_height: u64,
    tag: String,
    covenant_pks: Vec<String>,
    covenant_quorum: u64,
    unbonding_time: u64,
    unbonding_fee: u64,
    max_staking_amount: u64,
    min_staking_amount: u64,
    max_staking_time: u64,
    min_staking_time: u64,
    confirmation_depth: u64,
}

/// What the versions before one demand of it.
#[derive(Default)]
struct Before {
    version: Option<u64>,
    activation_height: u64,
    cap: u64,
}

impl Before {
    fn followed_by(self, raw: &RawVersion) -> Self {
        Self {
            version: Some(raw.version),
            activation_height: raw.activation_height,
            cap: if raw.staking_cap == 0 { self.cap } else { raw.staking_cap },
        }
    }
}

type Checked<T> = Result<T, InvalidPhase1Version>;

impl RawVersion {
    fn check(&self, before: &Before) -> Checked<Phase1Params> {
        let version = self.checked_version(before)?;
        let activation_height = self.checked_activation_height(before)?;
        let unbonding_fee = amount("unbonding_fee", self.unbonding_fee)?;
        let (min_staking_amount, max_staking_amount) = self.checked_amounts()?;
        let (min_staking_time, max_staking_time) = self.checked_times()?;
        Ok(Phase1Params {
            version,
            activation_height,
            limit: self.checked_limit(before)?,
            tag: self.checked_tag()?,
            covenant_committee: self.checked_committee()?,
            unbonding_time: timelock("unbonding_time", self.unbonding_time)?,
            unbonding_fee,
            max_staking_amount,
            min_staking_amount,
            max_staking_time,
            min_staking_time,
            confirmation_depth: self.checked_depth()?,
        })
    }

    fn checked_version(&self, before: &Before) -> Checked<ParamsVersion> {
        let expected = before.version.map_or(self.version, |version| version.saturating_add(1));
        if self.version != expected {
            return Err(InvalidPhase1Version::NotConsecutive { expected, found: self.version });
        }
        number("version", self.version, 0, u32::MAX).map(ParamsVersion)
    }

    fn checked_activation_height(&self, before: &Before) -> Checked<BtcHeight> {
        if self.activation_height <= before.activation_height {
            return Err(InvalidPhase1Version::ActivationHeight {
                found: self.activation_height,
                previous: before.activation_height,
            });
        }
        number("activation_height", self.activation_height, 1, u32::MAX).map(BtcHeight::new)
    }

    fn checked_limit(&self, before: &Before) -> Checked<StakingLimit> {
        match (self.staking_cap, self.cap_height) {
            (0, 0) | (1.., 1..) => Err(InvalidPhase1Version::Limit {
                staking_cap: self.staking_cap,
                cap_height: self.cap_height,
            }),
            (0, height) => number("cap_height", height, 1, u32::MAX)
                .map(|height| StakingLimit::Height(BtcHeight::new(height))),
            (cap, 0) if cap < before.cap => {
                Err(InvalidPhase1Version::CapDropped { found: cap, previous: before.cap })
            }
            (cap, 0) if cap < self.max_staking_amount => {
                Err(InvalidPhase1Version::CapBelowStake { cap, max: self.max_staking_amount })
            }
            (cap, 0) => amount("staking_cap", cap).map(StakingLimit::Cap),
        }
    }

    fn checked_tag(&self) -> Checked<[u8; 4]> {
        let mut tag = [0; 4];
        hex::decode_to_slice(&self.tag, &mut tag).map_err(|_| InvalidPhase1Version::Tag(self.tag.clone()))?;
        Ok(tag)
    }

    fn checked_committee(&self) -> Checked<CovenantCommittee> {
        let quorum = number("covenant_quorum", self.covenant_quorum, 1, u32::MAX)?;
        let keys = self.covenant_pks.iter().map(|text| covenant_key(text)).collect::<Checked<_>>()?;
        Ok(CovenantCommittee::new(quorum, keys)?)
    }

    fn checked_amounts(&self) -> Checked<(Amount, Amount)> {
        let min = amount("min_staking_amount", self.min_staking_amount)?;
        let max = amount("max_staking_amount", self.max_staking_amount)?;
        if max < min {
            return Err(InvalidPhase1Version::Range {
                field: "max_staking_amount",
                min: self.min_staking_amount,
                max: self.max_staking_amount,
            });
        }
        if self.min_staking_amount < self.unbonding_fee.saturating_add(MIN_LEFT_AFTER_UNBONDING) {
            return Err(InvalidPhase1Version::UnbondingFee {
                min: self.min_staking_amount,
                fee: self.unbonding_fee,
            });
        }
        Ok((min, max))
    }

    fn checked_times(&self) -> Checked<(Timelock, Timelock)> {
        let min = timelock("min_staking_time", self.min_staking_time)?;
        let max = timelock("max_staking_time", self.max_staking_time)?;
        if max < min {
            return Err(InvalidPhase1Version::Range {
                field: "max_staking_time",
                min: self.min_staking_time,
                max: self.max_staking_time,
            });
        }
        Ok((min, max))
    }

    fn checked_depth(&self) -> Checked<u16> {
        number("confirmation_depth", self.confirmation_depth, 2, u16::MAX)
    }
}

/// Narrows a number of the file to `min..=max`.
fn number<T: TryFrom<u64> + Into<u64> + Copy>(
    field: &'static str,
    found: u64,
    min: u64,
    max: T,
) -> Checked<T> {
    match T::try_from(found) {
        Ok(value) if found >= min => Ok(value),
        Ok(_) | Err(_) => Err(InvalidPhase1Version::OutOfRange { field, found, min, max: max.into() }),
    }
}

fn amount(field: &'static str, found: u64) -> Checked<Amount> {
    const MAX: u64 = i64::MAX.unsigned_abs();
    if (1..=MAX).contains(&found) {
        return Ok(Amount::from_sat(found));
    }
    Err(InvalidPhase1Version::OutOfRange { field, found, min: 1, max: MAX })
}

fn timelock(field: &'static str, found: u64) -> Checked<Timelock> {
    let blocks = number(field, found, 1, u16::MAX)?;
    Timelock::from_blocks(u32::from(blocks)).map_err(|_| InvalidPhase1Version::OutOfRange {
        field,
        found,
        min: 1,
        max: u64::from(u16::MAX),
    })
}

fn covenant_key(text: &str) -> Checked<CovenantPublicKey> {
    let invalid = || InvalidPhase1Version::CovenantKey(text.to_owned());
    let bytes: [u8; 33] = hex::FromHex::from_hex(text).map_err(|_| invalid())?;
    let key = PublicKey::from_slice(&bytes).map_err(|_| invalid())?;
    Ok(CovenantPublicKey::new(key.x_only_public_key().0))
}

#[cfg(test)]
mod tests;
