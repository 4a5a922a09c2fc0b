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
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const KEY: &str = "03fad75897c99bef6d9ca40c6e69fcf49ef48c3e401a57a982638a2b092dd3555e";
    const OTHER_KEY: &str = "02dc065c7ec55cd8429f288e03ac5ecd74be1344e0aa15a5f62da8177d8adcd98d";

    fn version(version: u64, height: u64) -> Value {
        json!({
            "version": version, "activation_height": height, "staking_cap": 100_000_000_000u64, "tag": "62626e31",
            "covenant_pks": [KEY, OTHER_KEY], "covenant_quorum": 2, "unbonding_time": 1008, "unbonding_fee": 64_000,
            "max_staking_amount": 5_000_000, "min_staking_amount": 500_000, "max_staking_time": 64_000,
            "min_staking_time": 64_000, "confirmation_depth": 10
        })
    }
    fn file(versions: &[Value]) -> String {
        json!({ "versions": versions }).to_string()
    }
    fn three() -> [Value; 3] {
        [version(0, 857_910), version(1, 864_790), version(2, 874_088)]
    }

    #[test]
    fn the_last_version_not_above_a_height_applies() {
        let history = Phase1History::from_json(&file(&three())).unwrap();
        for (height, expected) in
            [(857_909, None), (857_910, Some(0)), (864_789, Some(0)), (864_790, Some(1)), (900_000, Some(2))]
        {
            let found = history.at(BtcHeight::new(height)).map(|params| params.version.0);
            assert_eq!(found, expected, "{height}");
        }
        let first = &history.versions()[0];
        assert_eq!(first.tag, *b"bbn1");
        assert_eq!(first.limit, StakingLimit::Cap(Amount::from_sat(100_000_000_000)));
        assert!(first.covenant_committee.contains(&KEY[2..].parse().unwrap()));
    }

    type Edit = fn(&mut [Value; 3]);
    type Expected = fn(&InvalidPhase1Version) -> bool;

    #[test]
    fn each_rule_is_broken_by_one_field_alone() {
        use InvalidPhase1Version as E;
        let edits: [(&str, Edit, Expected); 29] = [
            (
                "gap",
                |v| v[1]["version"] = 2.into(),
                |e| matches!(e, E::NotConsecutive { expected: 1, found: 2 }),
            ),
            ("repeated", |v| v[1]["version"] = 0.into(), |e| matches!(e, E::NotConsecutive { .. })),
            (
                "same height",
                |v| v[1]["activation_height"] = 857_910.into(),
                |e| matches!(e, E::ActivationHeight { found: 857_910, previous: 857_910 }),
            ),
            (
                "height 0",
                |v| v[0]["activation_height"] = 0.into(),
                |e| matches!(e, E::ActivationHeight { .. }),
            ),
            (
                "height beyond u32",
                |v| v[2]["activation_height"] = (1u64 << 32).into(),
                |e| matches!(e, E::OutOfRange { field: "activation_height", .. }),
            ),
            ("no limit", |v| v[1]["staking_cap"] = 0.into(), |e| matches!(e, E::Limit { .. })),
            ("both limits", |v| v[1]["cap_height"] = 5.into(), |e| matches!(e, E::Limit { .. })),
            (
                "cap drops",
                |v| v[1]["staking_cap"] = 99_999_999_999u64.into(),
                |e| matches!(e, E::CapDropped { .. }),
            ),
            (
                "cap drops past a version with a height",
                |v| {
                    v[1]["staking_cap"] = 0.into();
                    v[1]["cap_height"] = 5.into();
                    v[2]["staking_cap"] = 99_999_999_999u64.into();
                },
                |e| matches!(e, E::CapDropped { .. }),
            ),
            (
                "cap below a stake",
                |v| v[0]["staking_cap"] = 4_999_999.into(),
                |e| matches!(e, E::CapBelowStake { .. }),
            ),
            (
                "cap beyond i64",
                |v| v[0]["staking_cap"] = (1u64 << 63).into(),
                |e| matches!(e, E::OutOfRange { field: "staking_cap", .. }),
            ),
            ("short tag", |v| v[0]["tag"] = "62626e".into(), |e| matches!(e, E::Tag(_))),
            ("tag in ASCII", |v| v[0]["tag"] = "bbn1".into(), |e| matches!(e, E::Tag(_))),
            (
                "no committee",
                |v| v[0]["covenant_pks"] = json!([]),
                |e| matches!(e, E::Committee(InvalidCommittee::Empty)),
            ),
            ("x-only key", |v| v[0]["covenant_pks"][0] = KEY[2..].into(), |e| matches!(e, E::CovenantKey(_))),
            (
                "key off the curve",
                |v| v[0]["covenant_pks"][0] = format!("02{}", "ff".repeat(32)).into(),
                |e| matches!(e, E::CovenantKey(_)),
            ),
            (
                "quorum 0",
                |v| v[0]["covenant_quorum"] = 0.into(),
                |e| matches!(e, E::OutOfRange { field: "covenant_quorum", .. }),
            ),
            (
                "quorum 3 of 2",
                |v| v[0]["covenant_quorum"] = 3.into(),
                |e| matches!(e, E::Committee(InvalidCommittee::Quorum { .. })),
            ),
            (
                "no unbonding fee",
                |v| v[0]["unbonding_fee"] = 0.into(),
                |e| matches!(e, E::OutOfRange { field: "unbonding_fee", .. }),
            ),
            (
                "amount beyond i64",
                |v| v[0]["max_staking_amount"] = (1u64 << 63).into(),
                |e| matches!(e, E::OutOfRange { field: "max_staking_amount", .. }),
            ),
            (
                "no smallest stake",
                |v| v[0]["min_staking_amount"] = 0.into(),
                |e| matches!(e, E::OutOfRange { field: "min_staking_amount", .. }),
            ),
            (
                "largest below smallest",
                |v| v[0]["max_staking_amount"] = 499_999.into(),
                |e| matches!(e, E::Range { field: "max_staking_amount", .. }),
            ),
            (
                "fee eats the stake",
                |v| v[0]["min_staking_amount"] = 64_999.into(),
                |e| matches!(e, E::UnbondingFee { min: 64_999, fee: 64_000 }),
            ),
            (
                "no unbonding time",
                |v| v[0]["unbonding_time"] = 0.into(),
                |e| matches!(e, E::OutOfRange { field: "unbonding_time", .. }),
            ),
            (
                "time beyond u16",
                |v| v[0]["max_staking_time"] = 65_536.into(),
                |e| matches!(e, E::OutOfRange { field: "max_staking_time", .. }),
            ),
            (
                "longest below shortest",
                |v| v[0]["max_staking_time"] = 63_999.into(),
                |e| matches!(e, E::Range { field: "max_staking_time", .. }),
            ),
            (
                "depth 1",
                |v| v[0]["confirmation_depth"] = 1.into(),
                |e| matches!(e, E::OutOfRange { field: "confirmation_depth", .. }),
            ),
            (
                "depth beyond u16",
                |v| v[0]["confirmation_depth"] = 65_536.into(),
                |e| matches!(e, E::OutOfRange { field: "confirmation_depth", .. }),
            ),
            (
                "cap height beyond u32",
                |v| {
                    v[0]["staking_cap"] = 0.into();
                    v[0]["cap_height"] = u64::MAX.into();
                },
                |e| matches!(e, E::OutOfRange { field: "cap_height", .. }),
            ),
        ];
        for (name, edit, expected) in edits {
            let mut versions = three();
            edit(&mut versions);
            match Phase1History::from_json(&file(&versions)) {
                Err(InvalidPhase1::Version { reason, .. }) => assert!(expected(&reason), "{name}: {reason}"),
                other => panic!("{name}: {other:?}"),
            }
        }
    }

    #[test]
    fn boundaries_that_hold_are_accepted() {
        let edits: [Edit; 6] = [
            |v| v[0]["min_staking_amount"] = 65_000.into(),
            |v| v[0]["staking_cap"] = 5_000_000.into(),
            |v| v[0]["confirmation_depth"] = 2.into(),
            |v| v[0]["max_staking_time"] = 65_535.into(),
            |v| {
                v[1]["staking_cap"] = 0.into();
                v[1]["cap_height"] = 864_799.into();
            },
            |v| v[0]["from_a_later_release"] = "ignored".into(),
        ];
        for (at, edit) in edits.into_iter().enumerate() {
            let mut versions = three();
            edit(&mut versions);
            assert!(Phase1History::from_json(&file(&versions)).is_ok(), "{at}");
        }
    }

    #[test]
    fn files_of_another_form_are_refused() {
        assert_eq!(Phase1History::from_json(&file(&[])), Err(InvalidPhase1::Empty));
        for text in ["", "[]", "{}", "{\"versions\":[{}]}", "{\"versions\":[{\"version\":-1}]}"] {
            assert!(matches!(Phase1History::from_json(text), Err(InvalidPhase1::Json(_))), "{text}");
        }
        let mut versions = three();
        versions[1]["activation_height"] = 1.into();
        let error = Phase1History::from_json(&file(&versions)).unwrap_err();
        assert_eq!(error.to_string(), "phase-1 parameters at position 1 are invalid");
    }
}
